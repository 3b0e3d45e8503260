"""What the generated hardware costs: area, clock and power, from Yosys, OpenSTA and gate-level simulation."""
