"""Published tables and figures, redrawn from golden, the RTL and the synthesis, beside what their authors printed."""
