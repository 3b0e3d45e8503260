"""Exact matrix multiplication: what every GEMM engine computes, whatever it costs."""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from threadpoolctl import ThreadpoolController

from golden.errors import InputError
from golden.formats import Integer, UnitFormat

__all__ = ["Exact", "GemmSpec", "bound", "gemm", "greatest", "product"]

# Floats add integers exactly, in any order, while every sum stays below the greatest of these their dtype allows.
EXACT_BELOW = {np.float32: 1 << 24, np.float64: 1 << 53}

# BLAS's threads wait for each other by spinning: below some 10 ms of work that costs more than it brings, and many
# times more on cores that have other work.
BLAS = ThreadpoolController().select(user_api="blas")
ALONE_BELOW = 1 << 28  # products


@dataclass(frozen=True)
class Exact:
    """Accumulation that never rounds and never wraps, in a two's complement accumulator.

    Parameters
    ----------
    width : int
        Bits of the accumulator, 2 to 64.
    """

    width: int

    def __post_init__(self):
        if not 2 <= self.width <= 64:
            raise InputError(f"accumulator width must be 2 to 64, not {self.width}")

    @property
    def lo(self):
        """Least sum that fits."""
        return -(1 << (self.width - 1))

    @property
    def hi(self):
        """Greatest sum that fits."""
        return (1 << (self.width - 1)) - 1


@dataclass(frozen=True, kw_only=True)
class GemmSpec:
    """``y[m, n] = sum over k of a[m, k] * w[k, n]``, in units of ``2**(a.exponent + w.exponent)``.

    Parameters
    ----------
    a, w : UnitFormat
        Formats of the operands.
    k : int
        Products in a sum, at least 1.
    accumulate : Exact
        How the sum is kept.

    Raises
    ------
    InputError
        If some operands of these formats would make a sum that `accumulate` cannot hold.
    """

    a: UnitFormat
    w: UnitFormat
    k: int
    accumulate: Exact = Exact(32)

    def __post_init__(self):
        if self.k < 1:
            raise InputError(f"K must be at least 1, not {self.k}")
        if not self.fits(self.k):
            raise InputError(
                f"sums of {self.k} products of {self.a} and {self.w} need the range {self.lo} to {self.hi}, "
                f"which an accumulator of {self.accumulate.width} bits does not hold; allowed: K up to {self.longest}"
            )

    @property
    def products(self):
        """Least and greatest product of one pair of operands."""
        corners = [x * y for x in (self.a.lo, self.a.hi) for y in (self.w.lo, self.w.hi)]
        return min(corners), max(corners)

    @property
    def lo(self):
        """Least sum."""
        return self.k * self.products[0]

    @property
    def hi(self):
        """Greatest sum."""
        return self.k * self.products[1]

    def fits(self, k):
        """Whether every sum of `k` products fits the accumulator."""
        least, greatest = self.products
        return self.accumulate.lo <= k * least and k * greatest <= self.accumulate.hi

    @property
    def longest(self):
        """Greatest K whose sums fit the accumulator; 0 if none does."""
        least, greatest = self.products
        below = [self.accumulate.lo // least] if least < 0 else []
        above = [self.accumulate.hi // greatest] if greatest > 0 else []
        return min(below + above)

    @property
    def y(self):
        """Format of the sums, as wide as the accumulator."""
        return Integer(self.accumulate.width, signed=True, exponent=self.a.exponent + self.w.exponent)


def greatest(fmt):
    """The greatest magnitude of a format's integers."""
    return max(-fmt.lo, fmt.hi)


def bound(spec, w, axis=0):
    """What no sum of magnitudes of products exceeds, for the weights `w`, which are added up along `axis`."""
    if spec.k * greatest(spec.w) >= 1 << 63:
        return spec.k * greatest(spec.a) * greatest(spec.w)
    return greatest(spec.a) * int(np.abs(w, dtype=np.int64).sum(axis=axis).max(initial=0))


def product(a, w, bound):
    """``a @ w`` of integers, exact: the narrowest of int32 and int64 that holds `bound`.

    BLAS, which has no integers, does it in floats wherever these are exact.

    Parameters
    ----------
    bound : int
        No sum of magnitudes of products exceeds it.
    """
    result = np.int32 if bound <= np.iinfo(np.int32).max else np.int64
    for dtype, limit in EXACT_BELOW.items():
        if bound < limit:
            alone = a.size * w.shape[1] < ALONE_BELOW
            with BLAS.limit(limits=1) if alone else nullcontext():
                return (a.astype(dtype) @ w.astype(dtype)).astype(result)
    return a.astype(np.int64) @ w.astype(np.int64)


def gemm(spec, a, w):
    """The sums of `spec`, int64 [M, N], of the integers `a` [M, K] and `w` [K, N].

    Raises
    ------
    InputError
        If the shapes do not agree with each other and with ``spec.k``, or an operand is out of its format's range.
    """
    a, w = spec.a.check(a, "a"), spec.w.check(w, "w")
    if a.ndim != 2 or w.ndim != 2 or a.shape[1] != spec.k or w.shape[0] != spec.k:
        raise InputError(f"a and w must be [M, {spec.k}] and [{spec.k}, N], not {list(a.shape)} and {list(w.shape)}")
    return product(a, w, bound(spec, w)).astype(np.int64)
