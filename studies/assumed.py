"""Samples of layers whose numbers are assumed: shapes of published networks, drawn values."""

from dataclasses import dataclass

import numpy as np

from studies.layers import quantise
from studies.speed import BLOCK, COLUMNS, Sample

__all__ = ["Assumption", "assumed"]

BLOCKS = 8  # windows are drawn independently, so that few say as much as many


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """How numbers are drawn, all independently.

    Parameters
    ----------
    zeros : float
        Share of activations that are 0; of the first layer's, which are pixels, none are.
    peak_a, peak_w : float
        Greatest magnitude over the root of the mean square of what is not 0. Activations are half-normal, weights
        normal, and what would exceed the greatest becomes it. Pixels are uniform.
    word, width_a, width_w : int
        Bits of the bit-parallel tile, of activations (unsigned) and of weights (signed).
    seed : int
    """

    zeros: float
    peak_a: float
    peak_w: float
    word: int
    width_a: int
    width_w: int
    seed: int = 0


def assumed(row, assumption, *, first):
    """The `studies.speed.Sample` of a row of `golden.layer_tables`.

    Parameters
    ----------
    first : bool
        Whether the layer reads pixels.
    """
    rng = np.random.default_rng([assumption.seed, *row.name.encode()])
    windows, depth, filters = row.gemm
    count = min(-(-windows // BLOCK), BLOCKS)
    real = np.minimum(windows - BLOCK * np.linspace(0, -(-windows // BLOCK) - 1, count).astype(int), BLOCK)
    shape = count, BLOCK, depth
    if first:
        a, peak = rng.random(shape, np.float32), 1.0
    else:
        a, peak = np.abs(rng.standard_normal(shape, np.float32)), assumption.peak_a
        a = np.minimum(a, peak) * (rng.random(shape, np.float32) >= assumption.zeros)
    a[np.arange(BLOCK) >= real[:, None]] = 0
    w = rng.standard_normal((depth, min(filters, COLUMNS)), np.float32).clip(-assumption.peak_w, assumption.peak_w)
    a = quantise(a, assumption.width_a, signed=False, greatest=peak)
    return Sample(
        word=assumption.word,
        signed=False,
        precision_a=assumption.width_a,
        precision_w=assumption.width_w,
        gemm=row.gemm,
        groups=row.groups,
        blocks=[(a, real, quantise(w, assumption.width_w, signed=True, greatest=assumption.peak_w))],
    )
