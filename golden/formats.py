"""Number formats: the only place where the rule of each stands.

A format maps *codes*, the bit patterns that hardware and files hold, to numbers. Inside golden, a tensor of a
format with one unit is an array of its *integers*: the number is ``integer * 2**exponent``.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.errors import InputError

__all__ = ["Format", "UnitFormat", "Integer", "Ternary", "Binary", "FAMILIES", "parse", "fitting", "code_dtype"]


def code_dtype(width):
    """The smallest unsigned NumPy dtype that holds codes of `width` bits."""
    return np.dtype(f"uint{max(8, 1 << (width - 1).bit_length())}")


class Format(ABC):
    """What every number format answers.

    Attributes
    ----------
    name : str
        Canonical name; `parse` inverts it.
    width : int
        Bits of a code.
    """

    pattern: ClassVar[re.Pattern]  # matches the canonical names of the family
    allowed: ClassVar[str]  # the family's names, for messages

    name: str
    width: int

    @classmethod
    @abstractmethod
    def from_match(cls, match):
        """The format that a match of `pattern` names."""

    @abstractmethod
    def encode(self, x):
        """Codes of the representable numbers nearest to the reals `x` (ties to even), saturated at both ends."""

    @abstractmethod
    def decode(self, codes):
        """The numbers of `codes`, exact, as float64."""

    def __str__(self):
        return self.name


class UnitFormat(Format):
    """A format whose numbers are integers times one unit, ``2**exponent``.

    Attributes
    ----------
    exponent : int
        log2 of the unit.
    lo, hi : int
        Least and greatest integer.
    signed : bool
        Whether some integer is negative.
    """

    exponent: int = 0
    signed: bool
    lo: int
    hi: int

    @abstractmethod
    def integers(self, codes):
        """The integers of `codes`, int64."""

    @abstractmethod
    def codes(self, integers):
        """The codes of `integers`, unsigned; the inverse of `integers`. Does not check: see `check`."""

    @property
    def dtype(self):
        """The smallest NumPy dtype that holds the integers."""
        bits = max(~self.lo if self.lo < 0 else 0, self.hi).bit_length() + (self.lo < 0)
        return np.dtype(code_dtype(bits).name[1:] if self.lo < 0 else code_dtype(bits))

    def holds(self, integers):
        """Which of `integers` the format can represent, as a boolean array."""
        return (integers >= self.lo) & (integers <= self.hi)

    def check(self, integers, what="operand"):
        """`integers` as an array of `dtype`, if the format holds each.

        Raises
        ------
        InputError
            If an element is not an integer or not representable; the message names `what` and the first such element.
        """
        integers = np.asarray(integers)
        if integers.dtype.kind not in "iu":
            raise InputError(f"{what} must be an array of integers, not {integers.dtype}")
        held = self.holds(integers)
        if not np.all(held):
            bad = integers[~held].flat[0]
            raise InputError(f"{what} holds {bad}, which {self.name} ({self.lo} to {self.hi}) cannot represent")
        return integers.astype(self.dtype, copy=False)  # of a caller's uint64, NumPy would make floats

    def nearest(self, x):
        """The integers nearest to the reals `x` in units of the format, ties to even, saturated. NaN is refused."""
        with np.errstate(over="ignore"):  # infinity saturates too
            x = np.ldexp(np.asarray(x, dtype=np.float64), -self.exponent)
        if np.isnan(x).any():
            raise InputError(f"NaN cannot be encoded as {self.name}")
        return np.rint(np.clip(x, self.lo, self.hi)).astype(np.int64)

    def encode(self, x):
        return self.codes(self.nearest(x))

    def decode(self, codes):
        return np.ldexp(self.integers(codes).astype(np.float64), self.exponent)


@dataclass(frozen=True)
class Integer(UnitFormat):
    """Two's complement or unsigned integers: ``uint8``, ``int8``; with a unit of 2**-4, ``int8e-4`` (fixed point).

    Parameters
    ----------
    width : int
        1 to 16 unsigned, 2 to 32 signed.
    signed : bool
    exponent : int
        log2 of the unit, -128 to 127.
    """

    pattern = re.compile(r"(u?)int(\d{1,3})(?:e(-?\d{1,4}))?")
    allowed = "uint1 to uint16, int2 to int32, each with an optional unit such as int8e-4"

    width: int
    signed: bool
    exponent: int = 0

    def __post_init__(self):
        least, most = (2, 32) if self.signed else (1, 16)
        if not least <= self.width <= most:
            kind = "signed" if self.signed else "unsigned"
            raise InputError(f"width of {kind} integer must be {least} to {most}, not {self.width}")
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

    def integers(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        return codes - ((codes > self.hi).astype(np.int64) << self.width)

    def codes(self, integers):
        mask = (1 << self.width) - 1
        return (np.asarray(integers).astype(np.int64) & mask).astype(code_dtype(self.width))


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
        x = np.asarray(x, dtype=np.float64)
        if np.isnan(x).any():
            raise InputError("NaN cannot be encoded as binary")
        return np.where(x < 0, -1, 1).astype(np.int64)

    def integers(self, codes):
        return 2 * np.asarray(codes).astype(np.int64) - 1

    def codes(self, integers):
        return (np.asarray(integers) > 0).astype(np.uint8)


FAMILIES = (Integer, Ternary, Binary)


def parse(name):
    """The format of a canonical name: ``parse(f.name) == f``.

    Raises
    ------
    InputError
        If no family has the name, or its width or unit is out of range.
    """
    for family in FAMILIES:
        if match := family.pattern.fullmatch(str(name)):
            if (found := family.from_match(match)).name == name:
                return found
    allowed = "; ".join(family.allowed for family in FAMILIES)
    raise InputError(f"no number format is called {name!r}; allowed: {allowed}")


def fitting(lo, hi):
    """The narrowest signed `Integer` that holds `lo` to `hi`."""
    width = max(2, 1 + max((~lo if lo < 0 else lo).bit_length(), (~hi if hi < 0 else hi).bit_length()))
    return Integer(width, signed=True)
