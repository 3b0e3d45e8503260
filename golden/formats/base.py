"""What every number format answers.

A format maps *codes*, the bit patterns that hardware and files hold, to numbers. Inside golden, a tensor of a format
with one unit is an array of its *integers*: the number is ``integer * 2**exponent``.
"""

import re
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from golden.errors import InputError

__all__ = ["Format", "UnitFormat", "code_dtype"]


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
    exponent : int
        log2 of a unit in which all finite numbers are integers.
    lo, hi : int
        Least and greatest of those.
    """

    pattern: ClassVar[re.Pattern]  # matches the canonical names of the family
    allowed: ClassVar[str]  # the family's names, for messages

    name: str
    width: int
    exponent: int
    lo: int
    hi: int

    @classmethod
    @abstractmethod
    def from_match(cls, match):
        """The format that a match of `pattern` names."""

    def units(self, x):
        """The reals `x` in units, float64. NaN is refused."""
        x = np.asarray(x, dtype=np.float64)
        if np.isnan(x).any():
            raise InputError(f"NaN cannot be encoded as {self.name}")
        with np.errstate(over="ignore"):  # it saturates, as infinity does
            return x * 2.0**-self.exponent

    @abstractmethod
    def neighbours(self, x):
        """The greatest numbers not above and the least not below the reals `x`, saturated: two arrays, in units."""

    @abstractmethod
    def encode(self, x):
        """Codes of the representable numbers nearest to the reals `x`, ties to even."""

    @abstractmethod
    def decode(self, codes):
        """The numbers of `codes`, float64: exact up to 53 significant bits, then the nearest float64."""

    def __str__(self):
        return self.name


class UnitFormat(Format):
    """A format whose numbers are integers times one unit, ``2**exponent``.

    Attributes
    ----------
    signed : bool
        Whether some integer is negative.
    """

    exponent: int = 0
    signed: bool

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
            bad = int(integers[~held].flat[0])
            limits = "" if self.lo < bad < self.hi else f" ({self.lo} to {self.hi})"
            raise InputError(f"{what} holds {bad}, which {self.name}{limits} cannot represent")
        return integers.astype(self.dtype, copy=False)  # of a caller's uint64, NumPy would make floats

    def saturated(self, x):
        """int64 of whole numbers `x`, float64, beyond the limits the limit."""
        if self.hi < 1 << 53:
            return np.clip(x, self.lo, self.hi).astype(np.int64)
        end = float(self.hi)  # one more than hi, which is no float64
        inside = np.where(x < end, np.maximum(x, self.lo), 0.0).astype(np.int64)
        return np.where(x < end, inside, np.int64(self.hi))

    def nearest(self, x):
        """The integers nearest to the reals `x` in units of the format, ties to even, saturated. NaN is refused."""
        return self.saturated(np.rint(self.units(x)))

    def neighbours(self, x):
        x = self.units(x)
        return self.saturated(np.floor(x)), self.saturated(np.ceil(x))

    def round(self, x):
        """The numbers nearest to the reals `x`, float64."""
        return self.nearest(x) * 2.0**self.exponent

    def values(self):
        """All integers, in order, of a format of at most 16 bits."""
        if self.width > 16:
            raise InputError(f"numbers are listed for formats of at most 16 bits, not for {self.name}")
        return np.unique(self.integers(np.arange(1 << self.width)))

    def encode(self, x):
        return self.codes(self.nearest(x))

    def decode(self, codes):
        return self.integers(codes) * 2.0**self.exponent
