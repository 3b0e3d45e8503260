"""Accumulation in FP32, in a stated order: what a tree of rounding adders makes of products."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from golden.errors import InputError
from golden.formats import Integer, Minifloat

__all__ = ["Rounded", "fp32_sums", "significant_bits"]

PRECISION = 24  # significant bits of FP32
ELEMENTS = 1 << 22  # products at a time


@dataclass(frozen=True)
class Rounded:
    """FP32 sums of beats of `lanes` products, every addition rounded to nearest, ties to even.

    The products of a beat, in order of k, are added in a balanced binary tree, neighbours first: 0 and 1, 2 and 3, then
    the two sums, and so on; where a level has an odd number, its last passes on. Lanes that the last beat leaves empty
    are 0. The sum of the beat is added to the sum of the beats before, which starts at 0, and the bias to the last.

    Source: Gysel, Ristretto, section 2.6.1.1, which has FP32 in an adder tree and leaves the order open.
    """

    names: ClassVar[str] = "exact, fp32 (a tree of 16 lanes) or fp32x1 to fp32x64"

    lanes: int = 16

    def __post_init__(self):
        if not 1 <= self.lanes <= 64:
            raise InputError(f"lanes of an FP32 tree must be 1 to 64, not {self.lanes}")

    @classmethod
    def parse(cls, name):
        """What an accumulation's name says: a `Rounded`, or None for "exact"."""
        if name == "exact":
            return None
        prefix, _, lanes = str(name).partition("x")
        if prefix != "fp32" or (lanes and not (lanes.isascii() and lanes.isdigit())):
            raise InputError(f"accumulate must be {cls.names}, not {name!r}")
        return cls(int(lanes)) if lanes else cls()


def significant_bits(fmt):
    """Most bits between the first and the last one of a number's magnitude."""
    if isinstance(fmt, Minifloat):
        return fmt.mantissa_bits + 1
    if isinstance(fmt, Integer):
        return fmt.width - fmt.signed
    return 1


def tree(products):
    """The sums of `products` [M, lanes, N] float32 over the lanes."""
    while products.shape[1] > 1:
        pairs = products.shape[1] // 2
        sums = products[:, : 2 * pairs : 2] + products[:, 1 : 2 * pairs : 2]
        products = np.concatenate([sums, products[:, 2 * pairs :]], axis=1)
    return products[:, 0]


def fp32_sums(a, w, bias, lanes):
    """``a w + bias``, float32 [M, N], in the order of `Rounded`.

    Parameters
    ----------
    a, w, bias : float32 arrays [M, K], [K, N] and [N]
        Numbers whose products are exact.
    """
    y = np.empty((len(a), w.shape[1]), np.float32)
    rows = max(1, ELEMENTS // (lanes * w.shape[1]))
    for start in range(0, len(a), rows):
        part = a[start : start + rows]
        sums = np.zeros((len(part), w.shape[1]), np.float32)
        for k in range(0, w.shape[0], lanes):
            beat = part[:, k : k + lanes, None] * w[None, k : k + lanes]
            missing = lanes - beat.shape[1]
            sums += tree(np.pad(beat, ((0, 0), (0, missing), (0, 0))) if missing else beat)
        y[start : start + rows] = sums + bias
    return y
