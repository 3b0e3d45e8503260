"""Narrowgate's test benches: Verilog in a simulator against golden."""
