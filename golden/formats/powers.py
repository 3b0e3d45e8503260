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
    """Powers of two: ``pow2_4`` has a sign and 3 bits of exponent, and is ``+-2**e`` with e from -8 to -1.

    The top bit of a code is the sign, the others are the field f; in units of ``2**exponent`` the numbers are the
    integers ``+-2**f``. The unit is ``2**-2**fields``, where `fields` counts the bits of f, so that the greatest number
    is 1/2; any other is named: ``pow2_4e-3`` is from ``2**-3`` to ``2**4``.

    Rounding is that of the logarithm, ``e = round(log2 |x|)``: up where ``|x| > sqrt(2) * 2**e``, which is decided
    exactly, and never a tie. Exponents beyond either end become the end's. There is no zero: 0 becomes the least
    positive power.

    In the variant with a zero, ``pow2z_4``, the field 0 means 0 in place of the least power, and what would round to
    that power or below becomes 0. A sign beside the field 0 is ignored, and never written. ``upow2z_4`` is the same
    without a sign, for activations: 4 bits of exponent; what is negative becomes 0.

    These with a zero are LogNet's: with ``full = exponent + 2**fields``, its full-scale range, 0 stands for all that
    rounds to ``2**(full - 2**fields)`` or below, and ``2**(full - 1)`` is the greatest.

    Parameters
    ----------
    width : int
        2 to 6; without a sign 1 to 5.
    zero : bool
        Whether there is a zero. Formats without a sign have one.
    signed : bool
    exponent : int
        log2 of the unit, -128 to 127.

    Source: Gysel, Ristretto, sections 7.1 and 7.2. The text speaks of the closest power of two, and that would be a
    threshold of ``1.5 * 2**e``; its equation 7.2 and its code round the logarithm, and so does this. The text keeps
    silent about zero; its code has none, and the least positive power for it. Miyashita, Lee and Murmann, Convolutional
    Neural Networks using Logarithmic Data Representation, whose clip ends one power below its full-scale
    range and makes its least power 0; some programs clip to both ends, which is a code more than there are bits for.
    """

    pattern = re.compile(r"(u?)pow2(z?)_(\d{1,4})(?:e(-?\d{1,4}))?")
    allowed = "pow2_2 to pow2_6, pow2z_2 to pow2z_6, upow2z_1 to upow2z_5, each with an optional unit such as pow2_4e-3"

    width: int
    zero: bool = False
    signed: bool = True
    exponent: int | None = None

    def __post_init__(self):
        least = 1 + self.signed
        if not self.signed and not self.zero:
            raise InputError("powers of two without a sign must have a zero: upow2z, not upow2")
        if not least <= self.width <= least + 4:
            kind = "a power of two" if self.signed else "an unsigned power of two"
            raise InputError(f"width of {kind} must be {least} to {least + 4}, not {self.width}")
        if self.exponent is None:
            object.__setattr__(self, "exponent", self.usual)
        if not -128 <= self.exponent <= 127:
            raise InputError(f"exponent of the unit must be -128 to 127, not {self.exponent}")

    @classmethod
    def from_match(cls, match):
        unsigned, zero, width, exponent = match.groups()
        return cls(int(width), bool(zero), not unsigned, None if exponent is None else int(exponent))

    @property
    def fields(self):
        """Bits of a code's field."""
        return self.width - self.signed

    @property
    def usual(self):
        """log2 of the unit that a name leaves out: numbers up to 1/2."""
        return -(1 << self.fields)

    @property
    def name(self):
        unit = "" if self.exponent == self.usual else f"e{self.exponent}"
        return f"{'' if self.signed else 'u'}pow2{'z' * self.zero}_{self.width}{unit}"

    @property
    def last(self):
        """The greatest field."""
        return (1 << self.fields) - 1

    @property
    def lo(self):
        return -self.hi if self.signed else 0

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
        x = self.units(x) if self.signed else np.maximum(self.units(x), 0)
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
        return (field | ((integers < 0).astype(np.int64) << self.fields)).astype(np.uint8)
