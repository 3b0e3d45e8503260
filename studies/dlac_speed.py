"""Operations a cycle of layers on the zero-skipping grid, by golden's schedule, from masks of operands."""

from dataclasses import dataclass, replace

import numpy as np

from golden.dlac import cycles
from golden.dlac_grid import GridShape
from golden.dlac_layers import batch_norm, rectify
from golden.dlac_schedule import mm_cycles
from golden.formats import parse

__all__ = ["GRID", "Masks", "independent", "layer_speed", "lowered", "resampled", "total"]

GRID = GridShape()  # 16 x 16 PEs of 2 units: 512 multiply-adders, 1,024 operations a cycle without skipping
TILES = 6  # of a layer, at most, whose schedule is made
FP32 = parse("fp32")


@dataclass(frozen=True, eq=False, kw_only=True)
class Masks:
    """Which operands of a layer are not 0, in some of its tiles.

    Parameters
    ----------
    name : str
    a : bool array [tiles along M, K, rows of a tile]
    w : bool array [tiles along N, K, columns of a tile]
    macs : int
        Products of the layer for an image.
    share : float
        Of a tile's places that results fill.
    """

    name: str
    a: np.ndarray
    w: np.ndarray
    macs: int
    share: float = 1.0


def padded(x, size):
    """`x` [n, K] with False behind, as [tiles, K, size]."""
    count = -(-len(x) // size)
    return np.pad(x, ((0, count * size - len(x)), (0, 0))).reshape(count, size, -1).swapaxes(1, 2)


def spread(count, most):
    """At most `most` of the integers below `count`, evenly."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def lowered(name, a, w, images, shape=GRID):
    """The `Masks` of a product ``a @ w`` of boolean matrices [M, K] and [K, N], of `images` images."""
    (m, k), n = a.shape, w.shape[1]
    down, across = padded(a, shape.tile_rows), padded(w.T, shape.tile_cols)
    share = m * n / (len(down) * len(across) * shape.tile_rows * shape.tile_cols)
    down, across = down[spread(len(down), TILES)], across[spread(len(across), 2)]
    return Masks(name=name, a=down, w=across, macs=m * k * n // images, share=share)


def independent(row, density_a, density_w, rng, shape=GRID):
    """The `Masks` of a row of `golden.layer_tables` whose zeros are drawn one by one; tiles are full, as of a batch."""
    _, k, _ = row.gemm
    a = rng.random((TILES, k, shape.tile_rows)) < density_a
    w = rng.random((1, k, shape.tile_cols)) < density_w
    return Masks(name=row.name, a=a, w=w, macs=row.macs)


def resampled(row, a, w, rng, shape=GRID):
    """The `Masks` of a row of `golden.layer_tables` put together of those of a real layer of fewer channels.

    Parameters
    ----------
    a, w : bool array [windows, K'] and [K', filters]
        Of a layer with the same kernel. Windows next to each other and the channels of a window stay together; channels
        of other windows follow until there are enough. Filters are drawn, each with all its weights.
    """
    _, k, _ = row.gemm
    (windows, k_real), rows = a.shape, shape.tile_rows
    groups = -(-k // k_real)
    tiles = []
    for _ in range(TILES):
        starts = rng.integers(max(1, windows - rows + 1), size=groups)
        parts = [np.resize(a[start : start + rows], (rows, k_real)) for start in starts]
        tiles.append(np.concatenate(parts, axis=1)[:, :k].T)
    columns = [w[:, rng.integers(w.shape[1], size=shape.tile_cols)] for _ in range(groups)]
    return Masks(name=row.name, a=np.stack(tiles), w=np.concatenate(columns)[None, :k], macs=row.macs)


def layer_speed(masks, shape=GRID):
    """JSON values of a layer.

    dense_cycles, cycles: for an image, of the products alone, on the grid that skips nothing and on `shape`; *_whole:
    with batch normalisation, rectifier and the results' way out behind every tile. share: of products without a zero,
    and `bound` the speed-up that it allows. flop: operations a cycle, two for each product, those skipped among them.
    bytes: that the grid takes and gives a cycle, in whole tiles, activations as they are with a bit each that
    says which are 0, or without (`bytes_plain`); ternary weights in two bits.
    """
    down, k, rows = masks.a.shape
    made = mm_cycles(shape, masks.a, masks.w)
    dense = mm_cycles(replace(shape, skip="none"), np.ones_like(masks.a[:1]), np.ones_like(masks.w[:1]))[0, 0]
    pairs = (masks.a.sum(axis=2, dtype=float) @ masks.w.sum(axis=2, dtype=float).T).sum()
    share = pairs / (made.size * k * rows * shape.tile_cols * masks.share)
    tiles = masks.macs / (k * rows * shape.tile_cols * masks.share)  # of an image
    behind = after(shape)
    whole, dense_whole = made.mean() + behind, dense + behind
    results = 4 * rows * shape.tile_cols
    words, weights = 4 * k * rows, k * shape.tile_cols / 4
    return {
        "name": masks.name,
        "k": k,
        "macs": masks.macs,
        "density_a": float(masks.a.mean() / masks.share) if masks.share == 1 else float(masks.a.mean()),
        "density_w": float(masks.w.mean()),
        "share": float(share),
        "bound": float(1 / share),
        "cycles": float(tiles * made.mean()),
        "dense_cycles": float(tiles * dense),
        "cycles_whole": float(tiles * whole),
        "dense_cycles_whole": float(tiles * dense_whole),
        "speed_up": float(dense / made.mean()),
        "flop": float(2 * masks.macs / (tiles * made.mean())),
        "flop_whole": float(2 * masks.macs / (tiles * whole)),
        "bytes": float((words * masks.a.mean() + k * rows / 8 + weights + results) / whole),
        "bytes_plain": float((words + weights + results) / whole),
    }


def after(shape):
    """Cycles of a tile behind its products: batch normalisation, rectifier, results."""
    n = np.zeros(shape.tile_cols)
    program = (batch_norm(shape, n, n) + rectify(shape, FP32)).rows
    one = np.zeros((1, 1)), np.zeros((1, 1))
    return int(cycles(shape, *one, program)[0, 0]) - int(mm_cycles(shape, *(np.zeros((1, 1, s), bool) for s in (
        shape.tile_rows, shape.tile_cols)))[0, 0])


def total(rows):
    """Sums over layers: operations a cycle of the whole, the mean and the greatest of the layers, and the speed-up."""
    sums = {key: sum(row[key] for row in rows) for key in rows[0] if "cycles" in key or key == "macs"}
    nonzero = sum(row["share"] * row["macs"] for row in rows)
    return sums | {
        "share": nonzero / sums["macs"],
        "bound": sums["macs"] / nonzero,
        "speed_up": sums["dense_cycles"] / sums["cycles"],
        "speed_up_whole": sums["dense_cycles_whole"] / sums["cycles_whole"],
        "flop": 2 * sums["macs"] / sums["cycles"],
        "flop_whole": 2 * sums["macs"] / sums["cycles_whole"],
        "mean_flop": float(np.mean([row["flop"] for row in rows])),
        "peak_flop": max(row["flop"] for row in rows),
        "peak_bytes": max(row["bytes"] for row in rows),
    }
