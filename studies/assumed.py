"""Samples of layers whose numbers are assumed: shapes of published networks, numbers drawn in one of two ways."""

from dataclasses import dataclass

import numpy as np

from studies.layers import quantise
from studies.speed import BLOCK, LANES, Sample

__all__ = ["Independent", "independent", "resampled", "usable"]

BLOCKS, COLUMNS = 8, 128  # windows and filters are drawn independently, so that few say as much as many
TILE = 16  # filters that are resampled together


@dataclass(frozen=True, kw_only=True)
class Independent:
    """Numbers that are drawn one by one.

    Parameters
    ----------
    zeros : float
        Share of activations that are 0; of the first layer's, which are pixels, none are.
    peak_a, peak_w : float
        Greatest magnitude over the root of the mean square of what is not 0. Activations are half-normal, weights
        normal, and what would exceed the greatest becomes it. Pixels are uniform.
    word, width_a, width_w : int
        Bits of the bit-parallel tile, of activations (unsigned) and of weights (signed).
    """

    zeros: float
    peak_a: float
    peak_w: float
    word: int
    width_a: int
    width_w: int


def windows_of(row):
    """How many of the sampled blocks' windows are real: at most `BLOCKS` blocks, spread over the image."""
    windows = row.gemm[0]
    count = -(-windows // BLOCK)
    starts = BLOCK * np.linspace(0, count - 1, min(count, BLOCKS)).astype(int)
    return np.minimum(windows - starts, BLOCK)


def independent(row, assumption, seed, *, first):
    """The `studies.speed.Sample` of a row of `golden.layer_tables`, drawn as an `Independent` says.

    Parameters
    ----------
    seed : int
    first : bool
        Whether the layer reads pixels.
    """
    rng = np.random.default_rng([seed, *row.name.encode()])
    _, depth, filters = row.gemm
    real = windows_of(row)
    shape = len(real), BLOCK, depth
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


def usable(sample):
    """Whether `resampled` can take numbers from a sample: unsigned activations, whole passes, windows and tiles."""
    a, real, w = sample.blocks[0]
    return not sample.signed and a.shape[2] >= LANES and w.shape[1] >= TILE and (real == BLOCK).any()


def resampled(row, sources, seed):
    """The `studies.speed.Sample` of a row of `golden.layer_tables` with numbers of real layers.

    One of the `sources` is drawn for the row. Each pass of a block of windows gets the activations of a pass of a block
    of that layer, and each pass of `TILE` filters the weights of such a one: neighbours stay together as far as that.

    Parameters
    ----------
    sources : list of Sample
        `usable` ones.
    seed : int
    """
    rng = np.random.default_rng([seed, *row.name.encode()])
    source = sources[rng.integers(len(sources))]
    _, depth, filters = row.gemm
    real, passes = windows_of(row), -(-depth // LANES)
    a, whole, w = source.blocks[0]
    a, known = a[whole == BLOCK], a.shape[2] // LANES
    a = a[..., : known * LANES].reshape(len(a), BLOCK, known, LANES).swapaxes(1, 2).reshape(-1, BLOCK, LANES)
    a = a[rng.integers(len(a), size=(len(real), passes))].swapaxes(1, 2).reshape(len(real), BLOCK, -1)[..., :depth]
    a[np.arange(BLOCK) >= real[:, None]] = 0
    across = w.shape[1] // TILE
    w = w[: known * LANES, : across * TILE].reshape(known, LANES, across, TILE).swapaxes(1, 2).reshape(-1, LANES, TILE)
    count = min(filters, COLUMNS)
    w = w[rng.integers(len(w), size=(passes, -(-count // TILE)))].swapaxes(1, 2).reshape(passes * LANES, -1)
    return Sample(
        word=source.word,
        signed=False,
        precision_a=source.precision_a,
        precision_w=source.precision_w,
        gemm=row.gemm,
        groups=row.groups,
        blocks=[(a, real, w[:depth, :count])],
    )
