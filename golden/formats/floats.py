"""Floating point: codes and numbers, after Ristretto and as data are exchanged."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.errors import InputError
from golden.formats.base import Format, code_dtype

__all__ = ["EXCHANGED", "Float"]

# (exponent bits, mantissa bits, what the topmost codes mean): "ieee" keeps the greatest exponent for infinity and NaN,
# "ocp" too, but never overflows to infinity, "fn" keeps the very last code for NaN, "finite" has numbers alone.
EXCHANGED = {
    (5, 10, "ieee"): "fp16",
    (8, 7, "ieee"): "bf16",
    (8, 23, "ieee"): "fp32",
    (5, 2, "ocp"): "e5m2",
    (4, 3, "fn"): "e4m3",
    (3, 2, "finite"): "e3m2",
    (2, 3, "finite"): "e2m3",
    (2, 1, "finite"): "e2m1",
}
INFINITE = ("ieee", "ocp")  # rules with codes of infinity


def names(exponents, exchanged, flush=""):
    """The pattern of the names of formats whose exponent bits fit the pattern `exponents`, and of `exchanged` ones."""
    fields = rf"(?P<rules>mini|ieee|finite)_e(?P<exponent>{exponents})m(?P<mantissa>\d{{1,4}})"
    return re.compile(rf"(?:{fields}|(?P<exchanged>{'|'.join(exchanged)})){flush}")


@dataclass(frozen=True)
class Float(Format):
    """Sign, exponent and mantissa: ``(-1)**s * (1 + m / 2**M) * 2**(e - bias)``, with ``bias = 2**(E - 1) - 1``.

    The sign is the top bit of a code, then come E bits of exponent field e and M bits of mantissa field m. Rounding is
    to nearest, ties to the even mantissa, and without one (M = 0) to the greater magnitude, as IEEE 754 has it.

    Exponent field 0 means subnormal numbers, ``m / 2**M * 2**(1 - bias)``, unless the format flushes them: then its
    codes read as 0, with their sign, and magnitudes below ``2**(1 - bias)``, before rounding, become 0, with their sign.

    ``ieee_e<E>m<M>`` keeps the greatest exponent for infinity and NaN and overflows to infinity; ``finite_e<E>m<M>`` has
    numbers alone and saturates. The exchanged ones of these go by other names: ``fp16``, ``fp32``, ``bf16`` (fp32 cut
    short) by IEEE 754, ``e3m2``, ``e2m3``, ``e2m1`` by OCP. OCP's ``e5m2`` and ``e4m3`` have NaN, ``e5m2`` infinity
    too, and saturate, infinity too, which is OCP's saturating mode. NaN is written as the positive quiet NaN (of e5m2
    and e4m3 7E and 7F). A name with ``_ftz`` behind it is that of the format that flushes to zero.

    ``mini_e<E>m<M>`` follows Ristretto: no subnormal numbers, infinity or NaN; saturation; magnitudes below
    ``2**-bias``, before rounding, become 0, even those whose nearest number is another. Where text, code and a usable
    encoding disagree:

    - The text has an exponent field of 0 mean 0 and keeps silent about all ones. The code takes both as any other
      field, and so does this: every code is a number, and the range is the code's.
    - The code has a zero beside ``+-2**-bias``, one number more than there are codes. Here e = m = 0 is 0, whatever the
      sign, which is never written; ``+-2**-bias`` is given up, and what would round to it becomes the number above.
    - In the code, a mantissa that rounds up in the greatest exponent leaves the format. Here it saturates.
    - The code for CPUs stops at the first zero of an array. Here nothing does.

    Parameters
    ----------
    exponent_bits : int
        E, 1 to 8.
    mantissa_bits : int
        M, 0 to 23.
    rules : str
        "mini", "finite" (M at least 1), "ieee" (that and E at least 2), or those of an exchanged format: "ocp" or "fn".
    flush : bool
        Whether subnormal numbers are flushed to zero, read and written; of formats that have any.

    Attributes
    ----------
    bias : int
    subnormals : bool
        Whether exponent field 0 means subnormal numbers, or what they are flushed to; without a mantissa the only one
        is 0, after Ristretto too.
    exponent : int
        log2 of the unit, in which all numbers are integers: the last mantissa bit of the least ones.
    lo, hi : int
        Least and greatest finite number, in units.

    Source: Gysel, Ristretto, sections 6.2 and 6.3; IEEE 754-2019; OCP 8-bit Floating Point Specification 1.0; OCP
    Microscaling Formats Specification 1.0.
    """

    pattern = names(r"\d{1,4}", EXCHANGED.values(), "(?P<flush>_ftz)?")
    allowed: ClassVar[str] = "mini_, finite_ or ieee_e6m0 to e8m23, bf16, fp32, and any float with subnormals and _ftz"

    exponent_bits: int
    mantissa_bits: int
    rules: str = "mini"
    flush: bool = False

    def __post_init__(self):
        if not 1 <= self.exponent_bits <= 8:
            raise InputError(f"exponent bits of a float must be 1 to 8, not {self.exponent_bits}")
        if not 0 <= self.mantissa_bits <= 23:
            raise InputError(f"mantissa bits of a float must be 0 to 23, not {self.mantissa_bits}")
        least = {"ieee": 2, "finite": 1}.get(self.rules)
        if least and (self.exponent_bits < least or self.mantissa_bits < 1):
            raise InputError(f"{self.name} must have at least {least} exponent bits and 1 mantissa bit")
        exchanged = (self.exponent_bits, self.mantissa_bits, self.rules) in EXCHANGED
        if self.rules not in ("mini", "finite", "ieee") and not exchanged:
            raise InputError(
                f"rules of a float must be mini, finite, ieee or those of an exchanged format, not {self.rules!r}"
            )
        if self.flush and self.rules == "mini":
            raise InputError(f"{self.name.removesuffix('_ftz')} has no subnormal numbers to flush")

    @classmethod
    def from_match(cls, match):
        found = match.groupdict()
        flush = {"flush": True} if found.get("flush") else {}
        if found["rules"] is not None:
            return cls(int(found["exponent"]), int(found["mantissa"]), found["rules"], **flush)
        return next(cls(*fields, **flush) for fields, name in EXCHANGED.items() if name == found["exchanged"])

    @property
    def name(self):
        fields = self.exponent_bits, self.mantissa_bits, self.rules
        name = EXCHANGED.get(fields, f"{self.rules}_e{self.exponent_bits}m{self.mantissa_bits}")
        return name + "_ftz" * self.flush

    @property
    def width(self):
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self):
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def subnormals(self):
        return self.rules != "mini" or self.mantissa_bits == 0

    @property
    def flushed(self):
        """The magnitude, in units, below which all is 0 before it is rounded; 0 if there is none."""
        if self.flush:
            return float(1 << self.mantissa_bits)
        return 0.0 if self.rules != "mini" else 2.0 ** -(self.bias + self.exponent)

    @property
    def first(self):
        """The exponent field of the least normal numbers, whose last mantissa bit is one unit."""
        return int(self.subnormals)

    @property
    def exponent(self):
        return self.first - self.bias - self.mantissa_bits

    @property
    def sign(self):
        """The sign bit of a code."""
        return 1 << (self.width - 1)

    @property
    def top(self):
        """The code of the greatest finite number."""
        return self.sign - 1 - {**dict.fromkeys(INFINITE, 1 << self.mantissa_bits), "fn": 1}.get(self.rules, 0)

    @property
    def hi(self):
        return int(self.magnitudes(np.array(self.top)))

    @property
    def lo(self):
        return -self.hi

    @property
    def infinite(self):
        """Whether overflow is infinity."""
        return self.rules == "ieee"

    @property
    def nan(self):
        """The code that NaN is written as; None without one."""
        quiet = self.top + 1 + (1 << self.mantissa_bits >> 1)
        return {**dict.fromkeys(INFINITE, quiet), "fn": self.top + 1}.get(self.rules)

    @property
    def least(self):
        """The least magnitude above 0, in units."""
        if self.flush:
            return 1 << self.mantissa_bits
        return 1 if self.subnormals else (1 << self.mantissa_bits) + 1

    # A minifloat is coded as if it were a format with subnormal numbers of one exponent more, less the codes of those
    # and of the first number after them: adding `skipped` to a code of any number but 0 gives the code there.

    @property
    def skipped(self):
        return 0 if self.subnormals else 1 << self.mantissa_bits

    def magnitudes(self, codes):
        """The magnitudes, in units, float64, of `codes` without sign that mean finite numbers."""
        codes = np.where(codes > 0, codes + self.skipped, 0)
        step = np.maximum((codes >> self.mantissa_bits) - 1, 0)
        return np.ldexp((codes - (step << self.mantissa_bits)).astype(np.float64), step)

    def unsigned_codes(self, magnitudes):
        """Codes, without sign, of `magnitudes` in units, float64, that the format holds."""
        step = self.step(magnitudes)
        codes = (step << self.mantissa_bits) + np.ldexp(magnitudes, -step).astype(np.int64)
        return np.maximum(codes - self.skipped, 0)

    def step(self, magnitudes):
        """log2 of the distance between the numbers around `magnitudes`, both in units."""
        exponent = (magnitudes.view(np.int64) >> 52) - 1023  # of a float64; 1024 of infinity
        return np.clip(exponent - self.mantissa_bits, 0, 1023)

    def quantum(self, magnitudes):
        """The distance between the numbers around `magnitudes`, both in units, float64."""
        return ((self.step(magnitudes) + 1023) << 52).view(np.float64)

    def rounded(self, magnitudes):
        """`magnitudes` rounded as if exponents had no end, both in units, float64."""
        quantum = self.quantum(magnitudes)
        with np.errstate(over="ignore"):
            found = np.rint(magnitudes / quantum) * quantum
        if not self.flushed:
            return found
        return np.where(magnitudes < self.flushed, 0.0, np.maximum(found, self.least))

    def limited(self, magnitudes):
        """`magnitudes` rounded to those of the format, infinity if it has one, both in units, float64."""
        found = self.rounded(magnitudes)
        return np.where(found > float(self.hi), np.inf if self.infinite else float(self.hi), found)

    def in_units(self, x):
        """The magnitudes, in units, of the reals `x`, of NaN 0, and which are NaN. Without a NaN in the format it is refused."""
        nan = np.isnan(x)
        if self.nan is None and nan.any():
            raise InputError(f"NaN cannot be encoded as {self.name}")
        with np.errstate(over="ignore"):  # far beyond the greatest number
            return np.abs(np.where(nan, 0.0, x)) * 2.0**-self.exponent, nan

    def numbers(self, x):
        """The numbers that the reals `x` are rounded to, float64; infinity and NaN too, if the format has them."""
        x = np.asarray(x, dtype=np.float64)
        magnitudes, nan = self.in_units(x)
        found = np.copysign(self.limited(magnitudes) * 2.0**self.exponent, x)
        return np.where(nan, np.nan, found + 0.0 if self.rules == "mini" else found)  # -0 + 0 is 0

    def neighbours(self, x):
        x = np.clip(self.units(x), float(self.lo), float(self.hi))
        magnitudes = np.abs(x)
        quantum = self.quantum(magnitudes)
        inner, outer = np.floor(magnitudes / quantum) * quantum, np.ceil(magnitudes / quantum) * quantum
        inner = np.where(inner < self.least, 0.0, inner)
        outer = np.where(magnitudes > 0, np.maximum(outer, self.least), 0.0)
        return np.where(x < 0, -outer, inner), np.where(x < 0, -inner, outer)

    def encode(self, x):
        x = np.asarray(x, dtype=np.float64)
        magnitudes, nan = self.in_units(x)
        magnitudes = self.limited(magnitudes)
        codes = self.unsigned_codes(np.minimum(magnitudes, float(self.hi)))
        if self.infinite:
            codes = np.where(np.isinf(magnitudes), self.top + 1, codes)
        negative = np.signbit(x) & ((self.rules != "mini") | (codes != 0))
        codes = codes | np.where(negative, self.sign, 0)
        return (codes if self.nan is None else np.where(nan, self.nan, codes)).astype(code_dtype(self.width))

    def decode(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        unsigned = codes & (self.sign - 1)
        if self.flush:
            unsigned = np.where(unsigned >> self.mantissa_bits, unsigned, 0)
        finite = unsigned <= self.top
        numbers = self.magnitudes(np.where(finite, unsigned, 0)) * 2.0**self.exponent
        if self.nan is not None:
            infinity = (self.rules in INFINITE) & (unsigned == self.top + 1)
            numbers = np.where(finite, numbers, np.where(infinity, np.inf, np.nan))
        negative = (codes & self.sign != 0) & ((self.rules != "mini") | (unsigned != 0))
        return np.where(negative, -numbers, numbers)
