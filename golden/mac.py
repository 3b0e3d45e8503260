"""Multiply, accumulate, add the bias, round: a layer's datapath in numbers whose units are powers of two."""

import itertools
from dataclasses import dataclass

import numpy as np

from golden.accumulate import PRECISION, Rounded, fp32_sums, significant_bits
from golden.errors import InputError
from golden.formats import Codebook, PowerOfTwo, UnitFormat
from golden.gemm import bound, greatest, product
from golden.wide import FLOAT, ODD, WIDEST, limbs, split, total

__all__ = ["MacSpec", "finish", "mac", "ordered", "parts"]


@dataclass(frozen=True, kw_only=True)
class MacSpec:
    """``y[m, n] = round(sum over k of a[m, k] * w[k, n] + bias[n])``, of numbers; with `relu`, at least 0.

    `round` is that of the format of `y`: to nearest, saturated. Formats carry their exponents, so that fixed point,
    dynamic fixed point (a format for each group of numbers), powers of two and minifloats are all this one rule. In
    integers, everything is brought to the finest unit ``2**exponent`` by left shifts first (`up`, `bias_up`) and
    rounded once, on the way to the unit of `y` (`shift` to the right).

    Parameters
    ----------
    a, w, bias, y : UnitFormat
    k : int
        Products in a sum, at least 1.
    relu : bool
    accumulate : str
        "exact", or the name of a `golden.accumulate.Rounded`.

    Raises
    ------
    InputError
        If K is less than 1 or so great that golden cannot add up exactly, or the total too long to be rounded to `y`
        (`golden.wide`); with sums in FP32, if it does not hold every product and bias, or numbers leave its range.

    Source: Gysel, Ristretto, sections 2.6.1, 5.1, 6.4 and 7.3, figures 5.1, 6.2 and 7.2.
    """

    a: UnitFormat
    w: UnitFormat
    bias: UnitFormat
    y: UnitFormat
    k: int
    relu: bool = False
    accumulate: str = "exact"

    def __post_init__(self):
        if self.k < 1:
            raise InputError(f"K must be at least 1, not {self.k}")
        if type(self.relu) is not bool:
            raise InputError(f"relu must be true or false, not {self.relu!r}")
        if self.relu and not self.y.holds(np.int64(0)):
            raise InputError(f"relu needs results with a zero, not {self.y}")
        if isinstance(self.y, Codebook):
            raise InputError(f"results cannot be rounded to a codebook, {self.y}")
        if self.rounded is not None:
            self.check_rounded()
        elif self.longest_total >= FLOAT:
            self.check_wide()

    def check_rounded(self):
        """Refuse what FP32 would round, flush or overflow beside its additions."""
        for what, bits in (
            (f"products of {self.a} and {self.w}", significant_bits(self.a) + significant_bits(self.w)),
            (f"biases of {self.bias}", significant_bits(self.bias)),
        ):
            if bits > PRECISION:
                raise InputError(f"{what} have {bits} significant bits; sums in FP32 allow {PRECISION}")
        least, most = min(self.sum_exponent, self.bias.exponent), self.longest_total.bit_length() + self.exponent
        if least < -126 or most > 127:
            raise InputError(f"sums in FP32 must be from units of 2**-126 to 2**127, not from 2**{least} to 2**{most}")

    def check_wide(self):
        """Refuse sums beyond 53 bits that golden cannot add up, or not round once."""
        split(self.k, greatest(self.a), greatest(self.w))
        if self.longest_total >= WIDEST:
            raise InputError(
                f"sums of {self.k} products of {self.a} and {self.w} and biases of {self.bias} in units of "
                f"2**{self.exponent} need {self.total_width} bits; allowed: {WIDEST.bit_length()}"
            )
        if significant_bits(self.y) > ODD or isinstance(self.y, PowerOfTwo):
            raise InputError(
                f"sums of {self.total_width} bits cannot be rounded to {self.y}; allowed: 54, or integers of at most "
                f"{ODD} bits, or minifloats"
            )

    @property
    def rounded(self):
        """The order of sums in FP32; None for exact sums."""
        return Rounded.parse(self.accumulate)

    @property
    def sum_exponent(self):
        """log2 of the unit of the sums of products."""
        return self.a.exponent + self.w.exponent

    @property
    def exponent(self):
        """log2 of the finest unit, that of the total."""
        return min(self.sum_exponent, self.bias.exponent, self.y.exponent)

    @property
    def up(self):
        """Bits by which a sum is shifted left into the unit of the total."""
        return self.sum_exponent - self.exponent

    @property
    def bias_up(self):
        """Bits by which a bias is."""
        return self.bias.exponent - self.exponent

    @property
    def shift(self):
        """Bits by which the total is shifted right into the unit of the result, and rounded."""
        return self.y.exponent - self.exponent

    @property
    def products(self):
        """Least and greatest product of one pair of operands."""
        corners = [x * y for x in (self.a.lo, self.a.hi) for y in (self.w.lo, self.w.hi)]
        return min(corners), max(corners)

    @property
    def lo(self):
        """Least sum of products."""
        return self.k * min(0, self.products[0])

    @property
    def hi(self):
        """Greatest sum of products."""
        return self.k * max(0, self.products[1])

    @property
    def acc_width(self):
        """Bits of a two's complement accumulator that holds every sum of up to `k` products."""
        return signed_bits(self.lo, self.hi)

    @property
    def total_lo(self):
        """Least total of sum and bias."""
        return (self.lo << self.up) + (min(0, self.bias.lo) << self.bias_up)

    @property
    def total_hi(self):
        """Greatest total of sum and bias."""
        return (self.hi << self.up) + (max(0, self.bias.hi) << self.bias_up)

    @property
    def total_width(self):
        """Bits of every total, two's complement."""
        return signed_bits(self.total_lo, self.total_hi)

    @property
    def longest_total(self):
        """What no sum of the magnitudes of products and bias exceeds, in the unit of the total."""
        products = self.k * greatest(self.a) * greatest(self.w)
        return (products << self.up) + (greatest(self.bias) << self.bias_up)


def signed_bits(lo, hi):
    """Bits of a two's complement number from `lo` to `hi`."""
    return 1 + max((~lo if lo < 0 else lo).bit_length(), (~hi if hi < 0 else hi).bit_length())


def parts(spec, a, w, bound, multiply=product):
    """The exact sums ``a w`` as pairs (integers, shift): one, or of wider sums those of the limbs of the operands.

    Parameters
    ----------
    bound : int
        No sum of magnitudes of products exceeds it.
    multiply : callable
        (a, w, bound) → their product, exact below 2**53.
    """
    if bound < FLOAT:
        return [(multiply(a, w, bound), 0)]
    of_a, of_w, partial = split(spec.k, greatest(spec.a), greatest(spec.w))
    pairs = itertools.product(limbs(a, *of_a), limbs(w, *of_w))
    return [(multiply(x, y, partial), s + t) for (x, s), (y, t) in pairs]


def finish(spec, sums, bias, bound):
    """The results of the exact `sums`, as `parts` gives them, and the biases, which broadcast: int64 integers.

    Parameters
    ----------
    bound : int
        No sum of magnitudes of products exceeds it.
    """
    most = max(-int(bias.min()), int(bias.max()))
    biases = [(bias, 0)] if most < FLOAT else limbs(bias, 2, 32)
    terms = [(x, s + spec.up) for x, s in sums] + [(x, s + spec.bias_up) for x, s in biases]
    return rounded(spec, total(terms, (bound << spec.up) + (most << spec.bias_up)), spec.exponent)


def rounded(spec, x, exponent):
    """The integers of the result, of numbers `x` in units of ``2**exponent``."""
    y = spec.y.nearest(x * 2.0**exponent)
    return np.maximum(y, 0) if spec.relu else y


def ordered(spec, a, w, bias):
    """The results of integers whose products are summed in FP32."""
    scaled = ((a, spec.sum_exponent), (w, 0), (bias, spec.bias.exponent))  # products in the unit of their sums
    numbers = (x.astype(np.float32) * np.float32(2.0**exponent) for x, exponent in scaled)
    return rounded(spec, fp32_sums(*numbers, spec.rounded.lanes).astype(np.float64), 0)


def mac(spec, a, w, bias):
    """The results of `spec`, int64 [M, N], of the integers `a` [M, K], `w` [K, N] and `bias` [N].

    Raises
    ------
    InputError
        If the shapes do not agree with each other and with ``spec.k``, or an operand is out of its format's range.
    """
    a, w, bias = spec.a.check(a, "a"), spec.w.check(w, "w"), spec.bias.check(bias, "bias")
    if a.ndim != 2 or w.ndim != 2 or a.shape[1] != spec.k or w.shape[0] != spec.k or bias.shape != w.shape[1:]:
        found = ", ".join(str(list(x.shape)) for x in (a, w, bias))
        raise InputError(f"a, w and bias must be [M, {spec.k}], [{spec.k}, N] and [N], not {found}")
    if spec.rounded is not None:
        return ordered(spec, a, w, bias)
    most = bound(spec, w)
    return finish(spec, parts(spec, a, w, most), bias, most)
