"""Powers of two: numbers whose products are shifts."""

import re
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.formats.base import UnitFormat, reals

__all__ = ["PowerOfTwo"]

SQRT_HALF = 0.7071067811865475  # the greatest float64 below it: as no float64 equals it, `above` is decided exactly


@dataclass(frozen=True)
class PowerOfTwo(UnitFormat):
    """``+-2**e`` with e from ``-2**(width - 1)`` to -1: ``pow2_4`` has a sign and 3 bits of exponent, -8 to -1.

    The top bit of a code is the sign, the others are the field ``f = e + 2**(width - 1)``. Rounding is that of the
    exponent, ``e = round(log2 |x|)``, clamped: up above ``sqrt(2) * 2**e``. There is no zero: 0 becomes
    ``+2**-2**(width - 1)``. In the variant with a zero, ``pow2z_4``, the field 0 is 0 instead of the least power, and
    what would round to that power or below is 0; its sign is never written.

    In units of ``2**-2**(width - 1)`` the numbers are the integers ``+-2**f``.

    Parameters
    ----------
    width : int
        2 to 6.
    zero : bool
        Whether there is a zero.

    Source: Gysel, Ristretto, sections 7.1 and 7.2. Its text compares with the nearest integer power of two, its code
    rounds the logarithm; both are the same rule for exponents, and that is taken.
    """

    pattern = re.compile(r"pow2(z?)_(\d{1,2})")
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
    def lo(self):
        return -self.hi

    @property
    def hi(self):
        return 1 << (-self.exponent - 1)

    def holds(self, integers):
        magnitude = np.abs(np.asarray(integers).astype(np.int64))
        power = (magnitude & (magnitude - 1)) == 0
        allowed = (magnitude != 1) if self.zero else (magnitude != 0)
        return power & allowed & (magnitude <= self.hi)

    def nearest(self, x):
        x = reals(x, self)
        fraction, power = np.frexp(np.minimum(np.abs(x), 1.0))  # |x| = fraction * 2**power, 0.5 <= fraction < 1
        field = power - 1 + (fraction > SQRT_HALF) - self.exponent
        field = np.where(x == 0, 0, np.clip(field, 0, -self.exponent - 1)).astype(np.int64)
        magnitude = np.int64(1) << field
        if self.zero:
            magnitude = np.where(field == 0, 0, magnitude)
        return np.where(x < 0, -magnitude, magnitude)

    def integers(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        field = codes & (-self.exponent - 1)
        magnitude = np.int64(1) << field
        if self.zero:
            magnitude = np.where(field == 0, 0, magnitude)
        return np.where(codes >> (self.width - 1), -magnitude, magnitude)

    def codes(self, integers):
        integers = np.asarray(integers).astype(np.int64)
        field = np.maximum(np.frexp(np.abs(integers).astype(np.float64))[1] - 1, 0)
        return (field | ((integers < 0).astype(np.int64) << (self.width - 1))).astype(np.uint8)
