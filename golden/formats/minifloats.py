"""Floating point whose numbers are integers of one unit: what networks compute in."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.errors import InputError
from golden.formats.base import UnitFormat, code_dtype
from golden.formats.floats import EXCHANGED, Float, names

__all__ = ["Minifloat"]

WIDEST = 5  # exponent bits; with 6, some integers need more than 64 bits
NAMES = [name for (exponent_bits, *_), name in EXCHANGED.items() if exponent_bits <= WIDEST]


@dataclass(frozen=True)
class Minifloat(Float, UnitFormat):
    """A `Float` of at most 5 exponent bits: its finite numbers are integers of 64 bits in units of ``2**exponent``.

    Not every integer from `lo` to `hi` is a number: `holds` says which. `nearest` saturates, infinity too, and refuses
    NaN, by the rules of the other formats with units; `encode` is as of `Float`. Codes of infinity and NaN have no
    integer; -0 is 0, and not written for it.
    """

    pattern = names(f"[1-{WIDEST}]", NAMES)
    allowed: ClassVar[str] = f"mini_, finite_ or ieee_e1m0 to e{WIDEST}m23, {', '.join(NAMES)}"

    signed = True

    def __post_init__(self):
        super().__post_init__()
        if self.exponent_bits > WIDEST:
            raise InputError(f"exponent bits of a minifloat must be 1 to {WIDEST}, not {self.exponent_bits}")
        if self.flush:
            raise InputError("a minifloat must keep its subnormal numbers: a float that flushes them has no units")

    def holds(self, integers):
        inside = super().holds(integers)
        magnitudes = np.abs(np.where(inside, integers, 0).astype(np.int64))
        below = (np.int64(1) << self.step(magnitudes.astype(np.float64))) - 1
        return inside & (magnitudes & below == 0) & ((magnitudes == 0) | (magnitudes >= self.least))

    def nearest(self, x):
        x = self.units(x)
        magnitudes = np.minimum(self.rounded(np.abs(x)), self.hi)
        return np.copysign(magnitudes, x).astype(np.int64)

    def neighbours(self, x):
        below, above = super().neighbours(x)
        return below.astype(np.int64), above.astype(np.int64)

    def integers(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        unsigned = codes & (self.sign - 1)
        if np.any(unsigned > self.top):
            raise InputError(f"codes of infinity or NaN of {self.name} have no integer")
        magnitudes = self.magnitudes(unsigned).astype(np.int64)
        return np.where(codes & self.sign, -magnitudes, magnitudes)

    def codes(self, integers):
        integers = np.asarray(integers).astype(np.int64)
        codes = self.unsigned_codes(np.abs(integers).astype(np.float64))
        return (codes | np.where(integers < 0, self.sign, 0)).astype(code_dtype(self.width))

    def values(self):
        if self.width > 16:
            return super().values()
        positive = self.integers(np.arange(self.top + 1))
        return np.concatenate([-positive[:0:-1], positive])
