"""Multiply, accumulate, add the bias, round: a layer's datapath in numbers whose units are powers of two."""

import itertools
from dataclasses import dataclass

import numpy as np

from golden.accumulate import PRECISION, Rounded, fp32_sums, significant_bits
from golden.errors import InputError
from golden.formats import UnitFormat
from golden.gemm import product
from golden.wide import FLOAT, limbs, total

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
        If K is less than 1, or sums in FP32 would have products or biases that FP32 does not hold.

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
        if self.rounded is not None:
            for what, bits in (
                (f"products of {self.a} and {self.w}", significant_bits(self.a) + significant_bits(self.w)),
                (f"biases of {self.bias}", significant_bits(self.bias)),
            ):
                if bits > PRECISION:
                    raise InputError(f"{what} have {bits} significant bits; sums in FP32 allow {PRECISION}")

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
    def total_width(self):
        """Bits of every total of sum and bias, in its unit."""
        least = (self.lo << self.up) + (min(0, self.bias.lo) << self.bias_up)
        return signed_bits(least, (self.hi << self.up) + (max(0, self.bias.hi) << self.bias_up))


def signed_bits(lo, hi):
    """Bits of a two's complement number from `lo` to `hi`."""
    return 1 + max((~lo if lo < 0 else lo).bit_length(), (~hi if hi < 0 else hi).bit_length())


def greatest(fmt):
    """The greatest magnitude of a format's integers."""
    return max(-fmt.lo, fmt.hi)


def parts(spec, a, w, bound, multiply=product):
    """The exact sums ``a w`` as pairs (integers, shift): one, or of wider sums those of the limbs of the operands.

    Parameters
    ----------
    bound : int
        No sum of magnitudes of products exceeds it.
    multiply : callable
        (a, w, bound) → their product, exact below 2**53.

    Raises
    ------
    InputError
        If even the sums of limbs need more than 53 bits.
    """
    if bound < FLOAT:
        return [(multiply(a, w, bound), 0)]
    halves = [-(-greatest(fmt).bit_length() // 2) for fmt in (spec.a, spec.w)]
    partial = spec.k << sum(halves)
    if partial >= FLOAT:
        raise InputError(
            f"sums of {spec.k} products of {spec.a} and {spec.w} are too long for golden; allowed: K up to "
            f"{(FLOAT - 1) >> sum(halves)}"
        )
    pairs = itertools.product(limbs(a, halves[0]), limbs(w, halves[1]))
    return [(multiply(x, y, partial), s + t) for (x, s), (y, t) in pairs]


def finish(spec, sums, bias, bound):
    """The results of the exact `sums`, as `parts` gives them, and the biases, which broadcast: int64 integers.

    Parameters
    ----------
    bound : int
        No sum of magnitudes of products exceeds it.
    """
    most = int(np.abs(bias.astype(np.int64)).max(initial=0))
    terms = [(x, s + spec.up) for x, s in sums] + [(bias, spec.bias_up)]
    return rounded(spec, total(terms, (bound << spec.up) + (most << spec.bias_up)), spec.exponent)


def rounded(spec, x, exponent):
    """The integers of the result, of numbers `x` in units of ``2**exponent``."""
    y = spec.y.nearest(np.ldexp(x, exponent))
    return np.maximum(y, 0) if spec.relu else y


def ordered(spec, a, w, bias):
    """The results of integers whose products are summed in FP32."""
    numbers = (np.ldexp(x.astype(np.float32), fmt.exponent) for x, fmt in ((a, spec.a), (w, spec.w), (bias, spec.bias)))
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
    bound = spec.k * greatest(spec.a) * greatest(spec.w)
    return finish(spec, parts(spec, a, w, bound), bias, bound)
