"""Integers, fixed point, and the two narrowest of all: ternary and binary."""

import re
from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.formats.base import UnitFormat, code_dtype

__all__ = ["Binary", "Integer", "Ternary", "fitting", "fixed"]

EXACT_IN_FLOAT32 = 1 << 24  # integers up to it are float32 numbers


@dataclass(frozen=True)
class Integer(UnitFormat):
    """Two's complement or unsigned integers: ``uint8``, ``int8``; with a unit of 2**-4, ``int8e-4`` (fixed point).

    A number is rounded to the nearest integer, ties to even, and saturates.

    Parameters
    ----------
    width : int
        1 to 16 unsigned, 1 to 64 signed; the one signed bit is 0 or -1.
    signed : bool
    exponent : int
        log2 of the unit, -128 to 127.
    """

    pattern = re.compile(r"(u?)int(\d{1,4})(?:e(-?\d{1,4}))?")
    allowed = "uint1 to uint16, int1 to int64, each with an optional unit such as int8e-4"

    width: int
    signed: bool
    exponent: int = 0

    def __post_init__(self):
        most = 64 if self.signed else 16
        if not 1 <= self.width <= most:
            kind = "signed" if self.signed else "unsigned"
            raise InputError(f"width of {kind} integer must be 1 to {most}, not {self.width}")
        if not -128 <= self.exponent <= 127:
            raise InputError(f"exponent of the unit must be -128 to 127, not {self.exponent}")

    @classmethod
    def from_match(cls, match):
        unsigned, width, exponent = match.groups()
        return cls(int(width), not unsigned, int(exponent or 0))

    @property
    def name(self):
        unit = f"e{self.exponent}" if self.exponent else ""
        return f"{'' if self.signed else 'u'}int{self.width}{unit}"

    @property
    def lo(self):
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self):
        return (1 << (self.width - self.signed)) - 1

    def round(self, x):
        """Of float32 numbers, float32: where every integer of the format is one, that is exact, and far faster."""
        if getattr(x, "dtype", None) != np.float32 or self.hi > EXACT_IN_FLOAT32:
            return super().round(x)
        if np.isnan(x).any():
            raise InputError(f"NaN cannot be encoded as {self.name}")
        unit, y = np.float32(2.0**self.exponent), np.empty_like(x)
        with np.errstate(over="ignore"):  # it saturates, as infinity does
            np.divide(x, unit, out=y)
        return np.clip(np.rint(y, out=y), self.lo, self.hi, out=y) * unit

    def integers(self, codes):
        if not self.signed:
            return np.asarray(codes).astype(np.int64)
        above = np.uint64(64 - self.width)  # the sign is repeated into these bits
        return (np.asarray(codes).astype(np.uint64) << above).view(np.int64) >> np.int64(above)

    def codes(self, integers):
        mask = np.uint64((1 << self.width) - 1)
        return (np.asarray(integers).astype(np.int64).view(np.uint64) & mask).astype(code_dtype(self.width))


@dataclass(frozen=True)
class Ternary(UnitFormat):
    """-1, 0 and +1 in two bits, two's complement: 00 is 0, 01 is +1, 11 is -1.

    10 is reserved: it reads as 0 and is never written.
    """

    pattern = re.compile("ternary")
    allowed = "ternary"

    name = "ternary"
    width = 2
    signed = True
    lo = -1
    hi = 1

    @classmethod
    def from_match(cls, match):
        return cls()

    def integers(self, codes):
        return np.array([0, 1, 0, -1])[np.asarray(codes)]

    def codes(self, integers):
        return (np.asarray(integers).astype(np.int64) & 3).astype(np.uint8)


@dataclass(frozen=True)
class Binary(UnitFormat):
    """-1 and +1 in one bit: 1 is +1, 0 is -1. Zero encodes as +1."""

    pattern = re.compile("binary")
    allowed = "binary"

    name = "binary"
    width = 1
    signed = True
    lo = -1
    hi = 1

    @classmethod
    def from_match(cls, match):
        return cls()

    def holds(self, integers):
        return np.abs(integers) == 1

    def nearest(self, x):
        return np.where(self.units(x) < 0, -1, 1).astype(np.int64)

    def neighbours(self, x):
        x = self.units(x)
        return np.where(x < 1, -1, 1).astype(np.int64), np.where(x > -1, 1, -1).astype(np.int64)

    def integers(self, codes):
        return 2 * np.asarray(codes).astype(np.int64) - 1

    def codes(self, integers):
        return (np.asarray(integers) > 0).astype(np.uint8)


def fixed(il, fl):
    """Fixed point [IL.FL]: two's complement of ``il + fl`` bits, sign included, in units of ``2**-fl``.

    From ``-2**(il - 1)`` to ``2**(il - 1) - 2**-fl``. Either length may be negative, or the fraction longer than the
    whole. Dynamic fixed point is one such format for each group of numbers.

    Raises
    ------
    InputError
        If ``il + fl`` is not 2 to 64, or `fl` not -127 to 128.

    Source: Gysel, Ristretto, sections 4.2 and 5.2. Equation 5.1 reads as sign and magnitude; section 4.2 and the code
    have two's complement, and so has this. Equation 2.7 sends every tie down, the code for CPUs away from zero; the
    text and the code for GPUs say to even, and that is how formats round here. The code saturates first and then
    rounds, which in two's complement is the same as rounding first.
    """
    return Integer(il + fl, signed=True, exponent=-fl)


def fitting(lo, hi):
    """The narrowest signed `Integer` of 2 bits or more, as factors and sums have, that holds `lo` to `hi`."""
    width = max(2, 1 + max((~lo if lo < 0 else lo).bit_length(), (~hi if hi < 0 else hi).bit_length()))
    return Integer(width, signed=True)
