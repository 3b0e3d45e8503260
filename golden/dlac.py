"""What the zero-skipping grid of DLAC computes: matrix products, pointwise operations, and the cycles of both.

``y[m, n]`` is a sum in the order of k, rounded to the format behind every product; then the tile's program
(`golden.dlac_program`) is executed on it. Products of a zero that is skipped are left out. With finite operands that
changes no bit of a sum that is not -0, and a sum is -0 only where a product rounds to it before any other is added: then
a grid that skips nothing has +0.

Operands that are not finite are no zeros. Where one meets a zero that is skipped, there is no NaN: the sum goes on
without that product. A tile with such an operand, in what comes to any of its PEs, is flagged.
"""

from dataclasses import dataclass

import numpy as np

from golden.dlac_grid import masks, tiled
from golden.dlac_program import NOP, Instruction, execute, program_cycles
from golden.dlac_schedule import mm_cycles
from golden.float_arithmetic import add, fused

__all__ = ["NOT_FINITE", "NOT_LEGAL", "NOTHING", "Tiling", "cycles", "finite", "products", "run"]

NOT_FINITE, NOT_LEGAL = 1, 2  # bits of a tile's flags: of an operand, and of an instruction
NOTHING = (Instruction(op=NOP).fields,)  # the program of a tile without pointwise operations
ELEMENTS = 1 << 14  # sums at a time, so that they stay in the cache


@dataclass(frozen=True)
class Tiling:
    """How a result [m, n] lies in the tiles of a grid `shape`, those of a row of tiles after each other."""

    shape: object
    m: int
    n: int

    @property
    def grid(self):
        """Tiles: (along M, along N)."""
        return self.shape.tiles(self.m, self.n)

    @property
    def count(self):
        """Tiles."""
        return self.grid[0] * self.grid[1]

    def split(self, y):
        """[m, n] as [tiles, rows, pixels, tile_cols], filled with zeros."""
        shape, (down, across) = self.shape, self.grid
        y = np.pad(y, ((0, down * shape.tile_rows - self.m), (0, across * shape.tile_cols - self.n)))
        y = y.reshape(down, shape.tile_rows, across, shape.tile_cols).swapaxes(1, 2)
        return y.reshape(self.count, shape.rows, shape.pixels, shape.tile_cols)

    def join(self, tiles):
        """[tiles, ..., tile_cols], of `tile_rows` rows each, as [m, n]."""
        shape, (down, across) = self.shape, self.grid
        y = tiles.reshape(down, across, shape.tile_rows, shape.tile_cols).swapaxes(1, 2)
        return y.reshape(down * shape.tile_rows, -1)[: self.m, : self.n]


def products(shape, fmt, a, w):
    """The sums of ``a @ w``, float64 [M, N].

    Parameters
    ----------
    shape : GridShape
    fmt : Float
    a, w : array [M, K] and [K, N]
        Numbers of `fmt`; if ``shape.ternary``, `w` of -1, 0 and 1.
    """
    a, w = np.asarray(a, np.float64), np.asarray(w, np.float64)
    sums = np.zeros((len(a), w.shape[1]))
    a_skips, w_skips = shape.skips
    cols = min(w.shape[1], ELEMENTS)
    rows = ELEMENTS // cols
    for i in range(0, len(a), rows):
        for j in range(0, w.shape[1], cols):
            block = sums[i : i + rows, j : j + cols]
            for x, y in zip(a[i : i + rows].T[:, :, None], w[:, None, j : j + cols], strict=True):
                if shape.ternary:
                    after = np.where(y == 0, block, add(fmt, block, np.where(y < 0, -x, x)))
                else:
                    with np.errstate(invalid="ignore"):
                        after = fused(fmt, x * y, block)
                skipped = (x == 0) & a_skips | (y == 0) & w_skips
                block[...] = np.where(skipped, block, after)
    return sums


def finite(shape, a, w):
    """Of every tile, row of tiles after row of tiles, whether all operands are finite."""
    rows, cols = (np.isfinite(x).all(axis=(1, 2)) for x in tiled(shape, a, w))
    return (rows[:, None] & cols).reshape(-1)


def run(shape, fmt, a, w, program=NOTHING, words=None):
    """Results and flags: float64 [M, N], uint8 [tiles].

    Parameters
    ----------
    a, w : array [M, K] and [K, N]
        As `products` has them.
    program : rows of `Instruction.fields`
        Executed on every tile.
    words : float64 [tiles, beats, tile_cols], optional
        What the program takes of `v`.
    """
    tiling = Tiling(shape, len(a), w.shape[1])
    words = np.zeros((tiling.count, 0, shape.tile_cols)) if words is None else words
    sums = execute(shape, fmt, program, words, tiling.split(products(shape, fmt, a, w)))
    return tiling.join(sums), np.where(finite(shape, a, w), 0, NOT_FINITE).astype(np.uint8)


def cycles(shape, a, w, program=NOTHING):
    """Cycles of every tile, int64 [down, across]: of its products, its program and the rows of its results.

    The first k-step of a tile is taken in the cycle behind the last row of results of the one before, so that a matrix
    product takes the sum of these, from the first beat taken to the last delivered, when nothing is made to wait.
    """
    return mm_cycles(shape, *masks(shape, a, w)) + program_cycles(shape, program) + shape.tile_rows
