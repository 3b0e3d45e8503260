"""Accumulation in FP32, in a stated order: what a tree of rounding adders makes of products."""

import itertools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.errors import InputError
from golden.formats import Codebook, Integer, Minifloat

__all__ = ["PRECISION", "Rounded", "fp32_sums", "significant_bits"]

PRECISION = 24  # significant bits of FP32
ELEMENTS = 1 << 17  # products at a time, so that they stay in the cache
ROW = 1 << 11  # at most so many of them in a row of memory


@dataclass(frozen=True)
class Rounded:
    """FP32 sums of beats of `lanes` products, every addition rounded to nearest, ties to even.

    The products of a beat, in order of k, are added in a balanced binary tree, neighbours first: 0 and 1, 2 and 3, then
    the two sums, and so on; where a level has an odd number, its last passes on. Lanes that the last beat leaves empty
    are 0. The sum of the beat is added to the sum of the beats before, which starts at 0, and the bias to the last.

    Source: Gysel, Ristretto, section 2.6.1.1, which has FP32 in an adder tree and leaves the order open.
    """

    allowed: ClassVar[str] = "exact, fp32 (a tree of 16 lanes) or fp32x1 to fp32x64"

    lanes: int = 16

    def __post_init__(self):
        if not 1 <= self.lanes <= 64:
            raise InputError(f"lanes of an FP32 tree must be 1 to 64, not {self.lanes}")

    @classmethod
    def parse(cls, name):
        """What an accumulation's name says: a `Rounded`, or None for "exact"."""
        if name == "exact":
            return None
        named = {"fp32": 16} | {f"fp32x{lanes}": lanes for lanes in range(1, 65)}
        if not isinstance(name, str) or name not in named:
            raise InputError(f"accumulate must be {cls.allowed}, not {name!r}")
        return cls(named[name])


def significant_bits(fmt):
    """Most bits between the first and the last one of a number's magnitude."""
    if isinstance(fmt, Minifloat):
        return fmt.mantissa_bits + 1
    if isinstance(fmt, Integer):
        return fmt.width - fmt.signed
    if isinstance(fmt, Codebook):
        return significant_bits(fmt.entry)
    return 1


def tree(products):
    """The sums of `products` [lanes, ...] float32 over the lanes; one left out is as if it were 0."""
    while len(products) > 1:
        sums = products[: len(products) - 1 : 2] + products[1::2]
        products = np.concatenate([sums, products[-1:]]) if len(products) % 2 else sums
    return products[0]


def fp32_sums(a, w, bias, lanes):
    """``a w + bias``, float32 [M, N], in the order of `Rounded`.

    Parameters
    ----------
    a, w, bias : float32 arrays [M, K], [K, N] and [N]
        Numbers whose products are exact.
    """
    if len(a) < w.shape[1]:  # the longer axis innermost in memory
        return summed(a.T, w, lanes) + bias
    return summed(w, a.T, lanes).T + bias


def summed(x, y, lanes):
    """``x.T y`` [P, Q] of float32 arrays [K, P] and [K, Q], block by block."""
    x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
    sums = np.zeros((x.shape[1], y.shape[1]), np.float32)
    cols = min(y.shape[1], ROW)
    rows = max(1, ELEMENTS // (lanes * cols))
    for p, q in itertools.product(range(0, x.shape[1], rows), range(0, y.shape[1], cols)):
        block = sums[p : p + rows, q : q + cols]
        left, right = x[:, p : p + rows, None], y[:, None, q : q + cols]
        for k in range(0, len(x), lanes):
            block += tree(left[k : k + lanes] * right[k : k + lanes])
    return sums
