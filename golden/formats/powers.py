"""Powers of two: numbers whose products are shifts."""

import re
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.formats.base import UnitFormat

__all__ = ["PowerOfTwo"]

BELOW_SQRT_HALF = 0.7071067811865475  # the greatest float64 below it; no float64 equals it


@dataclass(frozen=True)
class PowerOfTwo(UnitFormat):
    """``+-2**e`` with e from ``-2**(width - 1)`` to -1: ``pow2_4`` has a sign and 3 bits of exponent, -8 to -1.

    The top bit of a code is the sign, the others are the field ``f = e + 2**(width - 1)``. In units of
    ``2**-2**(width - 1)``, the numbers are the integers ``+-2**f``.

    Rounding is that of the logarithm, ``e = round(log2 |x|)``: up where ``|x| > sqrt(2) * 2**e``, which is decided
    exactly, and never a tie. Exponents beyond either end become the end's. There is no zero: 0 becomes the least
    positive power.

    In the variant with a zero, ``pow2z_4``, the field 0 means 0 in place of the least power, and what would round to
    that power or below becomes 0. A sign beside the field 0 is ignored, and never written.

    Parameters
    ----------
    width : int
        2 to 6.
    zero : bool
        Whether there is a zero.

    Source: Gysel, Ristretto, sections 7.1 and 7.2. The text speaks of the closest power of two, and that would be a
    threshold of ``1.5 * 2**e``; its equation 7.2 and its code round the logarithm, and so does this. The text keeps
    silent about zero; its code has none, and the least positive power for it.
    """

    pattern = re.compile(r"pow2(z?)_(\d{1,4})")
    allowed = "pow2_2 to pow2_6, pow2z_2 to pow2z_6"

    width: int
    zero: bool = False

    signed = True

    def __post_init__(self):
        if not 2 <= self.width <= 6:
            raise InputError(f"width of a power of two must be 2 to 6, not {self.width}")

    @classmethod
    def from_match(cls, match):
        zero, width = match.groups()
        return cls(int(width), bool(zero))

    @property
    def name(self):
        return f"pow2{'z' * self.zero}_{self.width}"

    @property
    def exponent(self):
        return -(1 << (self.width - 1))

    @property
    def last(self):
        """The greatest field."""
        return (1 << (self.width - 1)) - 1

    @property
    def lo(self):
        return -self.hi

    @property
    def hi(self):
        return 1 << self.last

    def holds(self, integers):
        inside = super().holds(integers)
        magnitude = np.abs(np.where(inside, integers, 0).astype(np.int64))
        return inside & ((magnitude & (magnitude - 1)) == 0) & (magnitude != (1 if self.zero else 0))

    def power(self, field):
        """The magnitude, in units, that a code's field means."""
        magnitude = np.int64(1) << field
        return np.where(field == 0, 0, magnitude) if self.zero else magnitude

    def nearest(self, x):
        x = self.units(x)
        fraction, power = np.frexp(np.clip(np.abs(x), 0.5, self.hi))  # |x| = fraction * 2**power, 0.5 <= fraction < 1
        field = np.maximum(power - 1 + (fraction > BELOW_SQRT_HALF), 0).astype(np.int64)
        magnitude = self.power(field)
        return np.where(x < 0, -magnitude, magnitude)

    def neighbours(self, x):
        x, values = np.clip(self.units(x), self.lo, self.hi), self.values()
        return values[np.searchsorted(values, x, "right") - 1], values[np.searchsorted(values, x, "left")]

    def integers(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        magnitude = self.power(codes & self.last)
        return np.where(codes > self.last, -magnitude, magnitude)

    def codes(self, integers):
        integers = np.asarray(integers).astype(np.int64)
        field = np.maximum(np.frexp(np.abs(integers).astype(np.float64))[1] - 1, 0)  # of 0, frexp is 0
        return (field | ((integers < 0).astype(np.int64) << (self.width - 1))).astype(np.uint8)
