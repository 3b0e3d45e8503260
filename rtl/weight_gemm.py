"""GEMM on the systolic array whose weights have a format of the user's: integers, powers of two, minifloats."""

from dataclasses import dataclass

from golden.errors import InputError
from golden.formats import Integer, Minifloat, PowerOfTwo, UnitFormat, parse
from rtl.engine import parameter
from rtl.gemm import SystolicGemm

__all__ = ["IntegerGemm", "MinifloatGemm", "PowerGemm"]

WIDEST = 16  # bits of a weight


@dataclass(frozen=True, kw_only=True)
class IntegerGemm(SystolicGemm):
    """``y = a @ w`` of integers: a multiplier in each element."""

    w: UnitFormat = parameter(Integer(8, signed=True), "format of the weights: signed integers of 2 to 16 bits")

    def __post_init__(self):
        if not isinstance(self.w, Integer) or not self.w.signed or not 2 <= self.w.width <= WIDEST:
            raise InputError(f"w must be signed integers of 2 to {WIDEST} bits, not {self.w}")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class PowerGemm(SystolicGemm):
    """``y = a @ w`` of power-of-two weights: a shifter in each element."""

    w: UnitFormat = parameter(PowerOfTwo(4), "format of the weights: powers of two")

    def __post_init__(self):
        if not isinstance(self.w, PowerOfTwo):
            raise InputError(f"w must be powers of two, not {self.w}")
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class MinifloatGemm(SystolicGemm):
    """``y = a @ w`` of minifloats, exact: significands multiplied, exponents added, and a shifter in each element."""

    w: UnitFormat = parameter(parse("mini_e4m3"), "format of the weights: minifloats to 16 bits")

    def __post_init__(self):
        if not isinstance(self.w, Minifloat) or self.w.width > WIDEST:
            raise InputError(f"w must be minifloats of up to {WIDEST} bits, not {self.w}")
        super().__post_init__()
