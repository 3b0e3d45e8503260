"""Floating point: minifloats after Ristretto, and the formats in which data are exchanged."""

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.errors import InputError
from golden.formats.base import Format, UnitFormat, code_dtype, reals

__all__ = ["Float", "Minifloat"]

# What the topmost codes mean: "mini" and "finite" use all of them for numbers, "fn" keeps the very last for NaN, "ieee"
# keeps the greatest exponent for infinity and NaN. "mini" alone has no subnormal numbers.
EXCHANGED = {
    (5, 10, "ieee"): "fp16",
    (8, 7, "ieee"): "bf16",
    (8, 23, "ieee"): "fp32",
    (5, 2, "ieee"): "e5m2",
    (4, 3, "fn"): "e4m3",
    (3, 2, "finite"): "e3m2",
    (2, 3, "finite"): "e2m3",
    (2, 1, "finite"): "e2m1",
}


@dataclass(frozen=True)
class Float(Format):
    """Sign, exponent and mantissa: ``(-1)**s * (1 + m / 2**M) * 2**(e - bias)``, with ``bias = 2**(E - 1) - 1``.

    The exchanged formats follow IEEE 754 (``fp16``, ``fp32``; ``bf16`` is fp32 cut short) and the OCP 8-bit and
    microscaling specifications (``e5m2``, ``e4m3``, ``e3m2``, ``e2m3``, ``e2m1``): exponent 0 means subnormal numbers,
    ``m / 2**M * 2**(1 - bias)``. fp16, bf16 and fp32 overflow to infinity, the others saturate, as OCP allows.

    ``mini_e<E>m<M>`` follows Ristretto: no subnormal numbers, no infinity, no NaN; saturation; magnitudes below
    ``2**-bias``, before rounding, become 0. Its text has an exponent of 0 mean 0, and infinity replaced; its code takes
    the exponents 0 and all ones as any other, but has zero beside ``2**-bias``, one number too many to encode. Here
    they are as any other too, and the code whose exponent and mantissa are 0 is 0: ``+-2**-bias`` is given up, and
    rounds to the number above it. A mantissa that rounds up beyond the greatest number saturates.

    Rounding is to nearest, ties to even.

    Parameters
    ----------
    exponent_bits : int
        1 to 8.
    mantissa_bits : int
        0 to 23.
    rules : str
        "mini", or with the exponent and mantissa of an exchanged format "ieee", "fn" or "finite".

    Source: Gysel, Ristretto, sections 6.2 and 6.3; IEEE 754-2019; OCP 8-bit Floating Point Specification and
    Microscaling Formats Specification.
    """

    pattern = re.compile(r"mini_e(\d{1,2})m(\d{1,2})|" + "|".join(EXCHANGED.values()))
    allowed: ClassVar[str] = f"mini_e1m0 to mini_e8m23; {', '.join(EXCHANGED.values())}"

    exponent_bits: int
    mantissa_bits: int
    rules: str = "mini"

    def __post_init__(self):
        for what, most, value in (("exponent", 8, self.exponent_bits), ("mantissa", 23, self.mantissa_bits)):
            least = 1 if what == "exponent" else 0
            if not least <= value <= most:
                raise InputError(f"{what} of a float must have {least} to {most} bits, not {value}")
        if self.rules != "mini" and (self.exponent_bits, self.mantissa_bits, self.rules) not in EXCHANGED:
            raise InputError(f"rules of a float must be mini, or those of an exchanged format, not {self.rules!r}")

    @classmethod
    def from_match(cls, match):
        if match[1] is not None:
            fields = int(match[1]), int(match[2]), "mini"
        else:
            fields = next(fields for fields, name in EXCHANGED.items() if name == match[0])
        return (Minifloat if fields[0] <= Minifloat.widest_exponent else Float)(*fields)

    @property
    def name(self):
        fields = self.exponent_bits, self.mantissa_bits, self.rules
        return EXCHANGED.get(fields, f"mini_e{self.exponent_bits}m{self.mantissa_bits}")

    @property
    def width(self):
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self):
        """What is subtracted from the exponent's field."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def subnormals(self):
        """Whether the exponent's field 0 means subnormal numbers."""
        return self.rules != "mini"

    @property
    def first(self):
        """The exponent's field of the numbers whose last mantissa bit is worth one unit."""
        return 1 if self.subnormals or self.mantissa_bits == 0 else 0

    @property
    def exponent(self):
        """log2 of the unit, the distance between the least numbers."""
        return self.first - self.bias - self.mantissa_bits

    @property
    def top(self):
        """Code of the greatest number."""
        every = (1 << (self.width - 1)) - 1
        return every - {"ieee": 1 << self.mantissa_bits, "fn": 1}.get(self.rules, 0)

    @property
    def hi(self):
        """The greatest number, an integer in units of ``2**exponent``."""
        return int(self.magnitude(np.array(self.top)))

    @property
    def lo(self):
        return -self.hi

    @property
    def infinite(self):
        """Whether overflow is infinity."""
        return self.rules == "ieee" and self.width > 8

    def magnitude(self, codes):
        """The magnitudes of finite `codes` in units, float64, exact."""
        field = (codes >> self.mantissa_bits) & ((1 << self.exponent_bits) - 1)
        mantissa = codes & ((1 << self.mantissa_bits) - 1)
        normal = (field > 0) if self.subnormals else (field > 0) | (mantissa > 0)
        significand = mantissa + (normal.astype(np.int64) << self.mantissa_bits)
        return np.ldexp(significand.astype(np.float64), np.maximum(field - self.first, 0).astype(np.int32))

    def rounded(self, x):
        """``|x|`` in units, rounded but not saturated: float64, exact; infinity if far beyond the greatest."""
        with np.errstate(over="ignore"):
            r = np.ldexp(np.abs(x), -self.exponent)
        _, power = np.frexp(r)
        quantum = np.maximum(power - 1 - self.mantissa_bits, 0)
        y = np.ldexp(np.rint(np.ldexp(r, -quantum)), quantum)
        if self.first == 0:
            least = float(1 << self.mantissa_bits)  # 2**-bias
            y = np.where(r < least, 0.0, np.where(y == least, least + 1, y))
        return y

    def fields(self, magnitude):
        """Codes, without sign, of magnitudes in units, float64, that the format holds."""
        power = np.frexp(magnitude)[1] - 1
        above = np.maximum(power - self.mantissa_bits, 0)
        significand = np.ldexp(magnitude, -above).astype(np.int64)
        normal = power >= self.mantissa_bits
        field = np.where(normal, above + self.first, 0)
        mantissa = significand - (normal.astype(np.int64) << self.mantissa_bits)
        code = (field.astype(np.int64) << self.mantissa_bits) + mantissa
        return np.where(magnitude == 0, 0, code)

    def encode(self, x):
        x = np.asarray(x, dtype=np.float64)
        nan = np.isnan(x)
        if self.rules != "ieee" and self.rules != "fn":
            reals(x, self)
        y = self.rounded(np.where(nan, 0.0, x))
        over = y > self.hi
        code = self.fields(np.where(over, float(self.hi), y))
        if self.infinite:
            code = np.where(over, self.top + 1, code)
        not_a_number = (
            ((1 << (self.width - 1)) - 1) if self.rules == "fn" else self.top + 1 + (1 << self.mantissa_bits >> 1)
        )
        code = np.where(nan, not_a_number, code)
        negative = np.signbit(x) & ~nan
        if self.rules == "mini":
            negative &= code != 0
        return (code | (negative.astype(np.int64) << (self.width - 1))).astype(code_dtype(self.width))

    def special(self, codes):
        """Which of `codes` are no finite numbers."""
        return (codes & ((1 << (self.width - 1)) - 1)) > self.top

    def decode(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        special = self.special(codes)
        y = np.ldexp(self.magnitude(np.where(special, 0, codes)), self.exponent)
        infinity = (codes & ((1 << (self.width - 1)) - 1)) == self.top + 1
        y = np.where(special, np.where(infinity & (self.rules == "ieee"), np.inf, np.nan), y)
        negative = (codes >> (self.width - 1)) & 1 == 1
        if self.rules == "mini":
            negative = negative & (y != 0)
        return np.where(negative, -y, y)


@dataclass(frozen=True)
class Minifloat(Float, UnitFormat):
    """A float of at most 5 exponent bits: its numbers are int64 integers in units of the least one.

    Not every integer is a number: `holds` says which. Infinity and NaN have no integer; `nearest` saturates.
    """

    widest_exponent: ClassVar[int] = 5

    signed = True

    def __post_init__(self):
        super().__post_init__()
        if self.exponent_bits > self.widest_exponent:
            raise InputError(f"a minifloat has 1 to {self.widest_exponent} exponent bits, not {self.exponent_bits}")

    def holds(self, integers):
        magnitude = np.abs(np.asarray(integers).astype(np.int64))
        # of integers that no float64 holds, the frexp may be one too high, which makes the quantum no finer
        power = np.frexp(magnitude.astype(np.float64))[1] - 1
        quantum = np.int64(1) << np.maximum(power - self.mantissa_bits, 0).astype(np.int64)
        held = (magnitude & (quantum - 1) == 0) & (magnitude <= self.hi)
        if self.first == 0:
            held &= (magnitude == 0) | (magnitude > 1 << self.mantissa_bits)
        return held

    def nearest(self, x):
        x = reals(x, self)
        y = np.minimum(self.rounded(x), float(self.hi)).astype(np.int64)
        return np.where(x < 0, -y, y)

    def integers(self, codes):
        codes = np.asarray(codes).astype(np.int64)
        if self.special(codes).any():
            raise InputError(f"infinity and NaN of {self.name} have no integer")
        y = self.magnitude(codes).astype(np.int64)
        return np.where((codes >> (self.width - 1)) & 1, -y, y)

    def codes(self, integers):
        integers = np.asarray(integers).astype(np.int64)
        code = self.fields(np.abs(integers).astype(np.float64))
        return (code | ((integers < 0).astype(np.int64) << (self.width - 1))).astype(code_dtype(self.width))

    def encode(self, x):
        return Float.encode(self, x)

    def decode(self, codes):
        return Float.decode(self, codes)

    def values(self):
        codes = np.arange(1 << self.width)
        return np.unique(self.integers(codes[~self.special(codes)]))
