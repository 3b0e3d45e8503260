"""Cycles of a layer on tiles of serial units against a bit-parallel tile, by golden's models, on a sample of windows.

Cycles here are those of tile after tile: the longer of the work on a tile and of the way of its sums out of it. Filling
the first and draining the last, a few cycles a layer, are left out.
"""

from dataclasses import dataclass, replace

import numpy as np

from golden.bitserial import TileShape, activation_groups, busy_cycles, group_times, loom_times, weight_groups
from golden.precision import group_precision, value_precision

__all__ = ["DIGITS", "RUN_AHEAD", "Sample", "layer_cycles", "sample"]

LANES, FILTERS = 16, 16
LOOM = {"loom": 1, "wide": 8}  # filters of bit-parallel tiles; Loom tiles of equal throughput have `word` times them
BLOCK = 16  # windows that are sampled next to each other
BLOCKS, GROUPS, COLUMNS = 48, 4, 512  # at most so many blocks, groups of filters, filters of a group
DIGITS = (1, 2, 4)  # bits of activations that Loom takes a cycle
RUN_AHEAD = ((16, 1), (16, 4), (64, 4))  # values of a group, passes that it may be ahead


@dataclass(frozen=True, eq=False, kw_only=True)
class Sample:
    """Some of what the matrix products of a layer multiply.

    Parameters
    ----------
    word : int
        Bits of a value of the bit-parallel tile: 8 or 16.
    signed : bool
        Whether activations are two's complement.
    precision_a, precision_w : int
        Bits that the layer's numbers were rounded to: the static ones.
    gemm : tuple of int
        (windows of an image, products of a sum, filters) of one group.
    groups : int
        GEMMs of the layer.
    blocks : list of (a [blocks, BLOCK, K], real [blocks], w [K, filters])
        For each sampled GEMM: inputs of windows next to each other, zeros behind the last; how many are real; weights.
    """

    word: int
    signed: bool
    precision_a: int
    precision_w: int
    gemm: tuple
    groups: int
    blocks: list


def spread(count, most):
    """At most `most` of the integers below `count`, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def sample(layer):
    """The `Sample` of a `Rounded` layer."""
    windows, depth, filters = layer.gemm
    places = [(image, first) for image in range(len(layer.inputs)) for first in range(0, windows, BLOCK)]
    places = [places[i] for i in spread(len(places), BLOCKS)]
    blocks = []
    for group in spread(layer.groups, GROUPS):
        a, real = np.zeros((len(places), BLOCK, depth), np.int32), []
        for block, (image, first) in zip(a, places, strict=True):
            at = np.arange(first, min(first + BLOCK, windows))
            block[: len(at)], w = layer.operands(group, image, at)
            real.append(len(at))
        blocks.append((a, np.array(real), w[:, spread(filters, COLUMNS)]))
    return Sample(
        word=layer.word,
        signed=layer.signed,
        precision_a=layer.width_a,
        precision_w=layer.width_w,
        gemm=layer.gemm,
        groups=layer.groups,
        blocks=blocks,
    )


def layer_cycles(sample):
    """Cycles of a layer for an image, a JSON dictionary; all from the same windows.

    parallel, stripes, dynamic, dynamic_trim: tiles of 16 lanes and 16 filters, the serial ones with as many windows as
    the word has bits. ahead_G_R: Dynamic Stripes of groups of G values, which run up to R passes apart. dynamic_work,
    loom_work: as if sums left at once.
    of_layer, of_tile, of_group, of_value: the parallel tile's cycles times ``precision / word``, with the static
    precision, the mean of a tile's passes, of those of single windows, and of values: bounds without edges of results.
    loom_parallel, loom_D, loom_static: a parallel tile of one filter; Loom tiles of `word` filters and ``word / D``
    windows, with precisions of each pass; and the tile of one-bit digits with the static precisions of the layer.
    wide_…: those with eight times as many filters, as published.
    loom_of_…: the bounds, for both operands, of digits of one bit.
    """
    windows, depth, filters = sample.gemm
    parts = [bounds(sample, *block) | stripes(sample, *block) | loom(sample, *block) for block in sample.blocks]
    found = {name: float(np.mean([part[name] for part in parts])) * sample.groups for name in parts[0]}
    passes = -(-depth // LANES)
    tiles = {"parallel": FILTERS} | {f"{name}_parallel": columns for name, columns in LOOM.items()}
    for name, columns in tiles.items():
        found[name] = float(sample.groups * windows * passes * -(-filters // columns))
    for name in ("of_layer", "of_tile", "of_group", "of_value"):
        found[name] *= found["parallel"] / sample.groups
        found[f"loom_{name}"] *= found["loom_parallel"] / sample.groups
    return found


def tile_rows(shape, a, real, groups=1):
    """Activations of those rows of tiles that have windows, as `activation_groups` gives them."""
    x = activation_groups(shape, a.reshape(-1, a.shape[2]), groups)
    return x[(np.arange(BLOCK // shape.rows) * shape.rows < real[:, None]).ravel()]


def paced(shape, times):
    """Cycles of steps: a column of a dense tile gets its weights in turn, so that a step lasts a cycle for each."""
    return np.maximum(times, shape.windows) if shape.dense else times


def tile_times(shape, work):
    """Cycles of tiles whose passes take `work`; meanwhile the sums of the tile before leave, a window a cycle."""
    return np.maximum(work, shape.windows)


def stripes(sample, a, real, w):
    """Cycles of Stripes and Dynamic Stripes for one GEMM of the layer."""
    windows, depth, filters = sample.gemm
    shape = TileShape(filters=FILTERS, windows=sample.word, dense=windows == 1)
    down, across = shape.tiles(windows, filters)
    x = tile_rows(shape, a, real)
    work = {"dynamic": busy_cycles(paced(shape, group_times(x, sample.signed)))}
    work["dynamic_trim"] = busy_cycles(paced(shape, group_times(x, sample.signed, True)))
    for values, ahead in RUN_AHEAD:
        apart = 1 if shape.dense else shape.windows * LANES // values
        times = group_times(tile_rows(shape, a, real, apart), sample.signed)
        work[f"ahead_{values}_{ahead}"] = busy_cycles(paced(shape, times), ahead)
    work["stripes"] = paced(shape, np.array(sample.precision_a)) * shape.passes(depth)
    found = {name: tile_times(shape, cycles).mean() * down * across for name, cycles in work.items()}
    return found | {"dynamic_work": work["dynamic"].mean() * down * across}


def loom(sample, a, real, w):
    """Cycles of Loom for one GEMM of the layer: a step is a plane of the weights of a pass."""
    windows, depth, filters = sample.gemm
    found = {}
    for name, columns in LOOM.items():
        for digit in DIGITS:
            shape = TileShape(filters=columns * sample.word, windows=sample.word // digit, dense=windows == 1)
            down, across = shape.tiles(windows, filters)
            pa = group_precision(tile_rows(shape, a, real)[:, :, 0], sample.signed)
            pw = group_precision(weight_groups(shape, w), True)
            work = paced(shape, loom_times(pa, 1, digit)) @ pw.T  # [tile rows, columns of tiles]
            found[f"{name}_{digit}"] = tile_times(shape, work).mean() * down * across
            if digit == 1:
                found[f"{name}_work"] = work.mean() * down * across
                static = paced(shape, np.array(sample.precision_a)) * sample.precision_w * shape.passes(depth)
                found[f"{name}_static"] = tile_times(shape, static) * down * across
    return found


def bounds(sample, a, real, w):
    """Mean precisions as shares of the word: of activations, and of both operands of the same products."""
    word, signed = sample.word, sample.signed
    shape = TileShape(filters=1, windows=word)
    inside = np.arange(BLOCK) < real[:, None]
    rows = inside.reshape(-1, word)
    pa = group_precision(tile_rows(shape, a, real, word), signed)  # [tile rows, passes, windows]
    tile_a, group_a = pa.max(axis=2).mean(axis=0), pa.transpose(0, 2, 1)[rows[rows[:, 0]]].mean(axis=0)
    group_w = group_precision(weight_groups(shape, w), True).mean(axis=0)
    tile_w = group_precision(weight_groups(replace(shape, filters=LOOM["loom"] * word), w), True).mean(axis=0)
    value_a = value_precision(a[inside], signed).mean(axis=0)  # of each product of a sum, as tile_a is of each pass
    value_w = value_precision(w, True).mean(axis=1)
    return {
        "of_layer": sample.precision_a / word,
        "loom_of_layer": sample.precision_a * sample.precision_w / word**2,
        "of_tile": tile_a.mean() / word,
        "of_group": group_a.mean() / word,
        "of_value": value_a.mean() / word,
        "loom_of_tile": (tile_a * tile_w).mean() / word**2,
        "loom_of_group": (group_a * group_w).mean() / word**2,
        "loom_of_value": (value_a * value_w).mean() / word**2,
    }
