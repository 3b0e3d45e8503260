"""Operations a cycle of layers on the zero-skipping grid, by golden's schedule, from masks of operands."""

from dataclasses import dataclass, replace

import numpy as np

from golden.dlac_grid import GridShape
from golden.dlac_layers import batch_norm, rectify
from golden.dlac_program import program_cycles
from golden.dlac_schedule import mm_cycles
from golden.formats import parse

__all__ = ["GRID", "Masks", "independent", "interleaved", "layer_speed", "lowered", "resampled", "total"]

GRID = GridShape()  # 16 x 16 PEs of 2 units: 512 multiply-adders, 1,024 operations a cycle without skipping
TILES = 4  # of a layer, along M, whose schedules are made
WORD = 4  # bytes of a number
FP32 = parse("fp32")


@dataclass(frozen=True, eq=False, kw_only=True)
class Masks:
    """Which operands of a layer are not 0, in some of its tiles.

    Parameters
    ----------
    name : str
    a : bool array [tiles along M, K, rows of a tile]
    w : bool array [tiles along N, K, columns of a tile]
    rows, cols : int arrays
        How many rows and columns of these tiles belong to the result.
    macs : int
        Products of the layer for an image.
    tiles : float
        Tiles of the layer for an image.
    """

    name: str
    a: np.ndarray
    w: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    macs: int
    tiles: float


def cut(x, size, most):
    """At most `most` tiles, evenly, of the rows of `x` [n, K]: ([tiles, K, size], real rows of each, all tiles)."""
    count = -(-len(x) // size)
    picked = np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
    tiles = np.pad(x, ((0, count * size - len(x)), (0, 0))).reshape(count, size, -1).swapaxes(1, 2)[picked]
    return tiles, np.minimum(len(x) - picked * size, size), count


def lowered(name, a, w, images, shape=GRID):
    """The `Masks` of a product of boolean matrices `a` [M, K] and `w` [K, N], of `images` images."""
    (a_tiles, rows, down), (w_tiles, cols, across) = cut(a, shape.tile_rows, TILES), cut(w.T, shape.tile_cols, 2)
    macs, tiles = a.size * w.shape[1] / images, down * across / images
    return Masks(name=name, a=a_tiles, w=w_tiles, rows=rows, cols=cols, macs=macs, tiles=tiles)


def whole(row, a, w):
    """The `Masks` of a row of `golden.layer_tables` with full tiles, as of many images."""
    (down, _, rows), (across, _, cols) = a.shape, w.shape
    full = np.full(down, rows), np.full(across, cols)
    tiles = row.macs / (row.gemm[1] * rows * cols)
    return Masks(name=row.name, a=a, w=w, rows=full[0], cols=full[1], macs=row.macs, tiles=tiles)


def independent(row, density_a, density_w, rng, shape=GRID):
    """The `Masks` of a row of `golden.layer_tables` whose zeros are drawn one by one."""
    _, k, _ = row.gemm
    a = rng.random((TILES, k, shape.tile_rows)) < density_a
    return whole(row, a, rng.random((1, k, shape.tile_cols)) < density_w)


def resampled(row, a, w, rng, shape=GRID):
    """The `Masks` of a row of `golden.layer_tables`, put together of those of a real layer of fewer channels.

    Windows next to each other and the channels of a window stay together; channels of other windows follow until there
    are enough. Filters are drawn, each with all its weights.

    Parameters
    ----------
    a, w : bool array [windows, K'] and [K', filters]
        Of a layer with the same kernel.
    """
    _, k, _ = row.gemm
    (windows, k_real), size = a.shape, shape.tile_rows
    groups, tiles = -(-k // k_real), []
    for _ in range(TILES):
        starts = rng.integers(windows - size + 1, size=groups)
        tiles.append(np.concatenate([a[start : start + size] for start in starts], axis=1)[:, :k].T)
    columns = [w[:, rng.integers(w.shape[1], size=shape.tile_cols)] for _ in range(groups)]
    return whole(row, np.stack(tiles), np.concatenate(columns)[None, :k])


def interleaved(masks, shape=GRID):
    """`masks` with windows next to each other on different PEs: of a tile, PE r gets the windows r, rows + r, and so on.

    Which window is where is a matter of addresses alone. Zeros of windows next to each other are much alike, so that PEs
    with four of them have more work than others, and all wait for the one with the most.
    """
    order = np.arange(shape.tile_rows).reshape(shape.pixels, shape.rows).T.ravel()
    return replace(masks, a=masks.a[:, :, order])


def layer_speed(masks, shape=GRID):
    """JSON values of a layer.

    density_a, density_w, share: of activations as they are used, of weights and of products, what is not 0; bound: the
    speed-up that `share` allows. cycles, dense_cycles: for an image, of the products alone, on `shape` and on the grid
    that skips nothing; *_whole: with batch normalisation, rectifier and the way out of the results behind every tile.
    flop, dense_flop: operations a cycle, two for each product, those skipped among them. bytes: that the grid takes and
    gives a cycle, with all of the above: of activations those that are not 0 and a bit for each, ternary weights in
    2 bits, results; bytes_plain: with zeros among the activations.
    """
    (down, k, size), (across, _, wide) = masks.a.shape, masks.w.shape
    made = float(mm_cycles(shape, masks.a, masks.w).mean())
    ones = np.ones((1, k, size), bool), np.ones((1, k, wide), bool)
    dense = float(mm_cycles(replace(shape, skip="none"), *ones)[0, 0])
    pairs = float((masks.a.sum(axis=2, dtype=float) * masks.w.sum(axis=(0, 2), dtype=float)).sum())
    share = pairs / (k * masks.rows.sum() * masks.cols.sum())
    behind = after(shape)
    words, rest = WORD * k * size, k * wide / 4 + WORD * size * wide
    return {
        "name": masks.name,
        "k": k,
        "macs": masks.macs,
        "density_a": float(masks.a.sum() / (k * masks.rows.sum())),
        "density_w": float(masks.w.sum() / (k * masks.cols.sum())),
        "share": share,
        "bound": 1 / share,
        "cycles": masks.tiles * made,
        "dense_cycles": masks.tiles * dense,
        "cycles_whole": masks.tiles * (made + behind),
        "dense_cycles_whole": masks.tiles * (dense + behind),
        "speed_up": dense / made,
        "flop": 2 * masks.macs / (masks.tiles * made),
        "flop_whole": 2 * masks.macs / (masks.tiles * (made + behind)),
        "dense_flop": 2 * masks.macs / (masks.tiles * dense),
        "bytes": (words * float(masks.a.mean()) + k * size / 8 + rest) / (made + behind),
        "bytes_plain": (words + rest) / (made + behind),
    }


def after(shape):
    """Cycles of a tile behind its products: batch normalisation, rectifier, the rows of results."""
    n = np.zeros(shape.tile_cols)
    program = batch_norm(shape, n, n) + rectify(shape, FP32)
    return program_cycles(shape, program.rows) + shape.tile_rows


def total(rows):
    """JSON values of layers together: sums of cycles, operations a cycle of the whole, their mean and peak by layer.

    Densities, like `share`, are means weighted by products.
    """
    sums = {key: sum(row[key] for row in rows) for key in rows[0] if "cycles" in key or key == "macs"}
    weighted = {
        key: sum(row[key] * row["macs"] for row in rows) / sums["macs"] for key in ("density_a", "density_w", "share")
    }
    return sums | weighted | {
        "bound": 1 / weighted["share"],
        "speed_up": sums["dense_cycles"] / sums["cycles"],
        "speed_up_whole": sums["dense_cycles_whole"] / sums["cycles_whole"],
        "flop": 2 * sums["macs"] / sums["cycles"],
        "flop_whole": 2 * sums["macs"] / sums["cycles_whole"],
        "mean_flop": float(np.mean([row["flop"] for row in rows])),
        "peak_flop": max(row["flop"] for row in rows),
        "peak_bytes": max(row["bytes"] for row in rows),
    }
