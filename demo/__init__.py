"""The whole path on real digits, for `make demo`."""
