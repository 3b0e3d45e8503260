"""Narrowgate's specification: number formats, exact arithmetic, networks and cycle models, in NumPy alone."""
