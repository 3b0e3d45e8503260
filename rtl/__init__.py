"""Narrowgate's hardware: Amaranth engines, their streams and the registry of targets."""
