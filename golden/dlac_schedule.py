"""The schedule of products on the grid of DLAC: cycles, exactly, for any masks.

Each cycle of a tile, until its sums are complete:

- A k-step is taken if no lane of any PE is full at the beginning of the cycle. Every activation of it that has a product
  in a PE is in the lane of its pixel there from the next cycle on.
- The first entry of each lane offers the products that have not been issued, except those of a buffer whose last
  product was issued less than `adder_latency` cycles ago. A PE issues as many as it can: those of the fullest lane
  first (the first of several), then of the lanes behind it, around the end; of a lane, filters in order.
- A lane whose first entry has no product left is without it from the next cycle on.

The fullest lane goes first as it is the one that will stop the grid.
"""

import numpy as np

__all__ = ["mm_cycles"]

CHUNK = 8192  # PEs simulated side by side: what they need stays in a cache


def mm_cycles(shape, a_on, w_on):
    """Cycles of each tile's products: from the one that takes the first k-step to the last that changes a sum.

    Every source is valid. The cycle after is the first in which an instruction may be issued.

    Parameters
    ----------
    shape : golden.dlac_grid.GridShape
    a_on : bool [down, K, tile_rows]
        For every row of tiles, which activations get products.
    w_on : bool [across, K, tile_cols]
        For every column of tiles, which weights do.

    Returns
    -------
    int64 [down, across]
    """
    (down, k, _), across = a_on.shape, len(w_on)
    if all(x.all() for x in (a_on, w_on)):  # dense tiles are all the same
        return np.full((down, across), Tiles(shape, a_on[:1], w_on[:1]).run(np.zeros(1, int), np.zeros(1, int))[0])
    tiles, cycles = Tiles(shape, a_on, w_on), np.empty(down * across, np.int64)
    many = max(1, CHUNK // (shape.rows * shape.cols))
    for start in range(0, len(cycles), many):
        row, col = np.divmod(np.arange(start, min(start + many, len(cycles))), across)
        cycles[start : start + many] = tiles.run(row, col)
    return cycles.reshape(down, across)


def word(bits):
    """The narrowest unsigned type of at least `bits` bits."""
    return np.dtype(f"u{next(size for size in (1, 2, 4, 8) if 8 * size >= bits)}")


class Tiles:
    """Tiles of a matrix product, simulated side by side, a cycle at a time for all their PEs at once.

    A lane is one integer: the masks of its entries in fields of `filters` bits, the first in the low ones, with a count
    beside it. The products that a PE may issue are one integer too, in which lanes follow each other.
    """

    def __init__(self, shape, a_on, w_on):
        self.shape = shape
        down, self.k, _ = a_on.shape
        self.a = np.ascontiguousarray(a_on.reshape(down, self.k, shape.rows, shape.pixels).transpose(0, 1, 3, 2))
        fields = w_on.reshape(len(w_on), self.k, shape.cols, shape.filters)
        self.w = (fields << np.arange(shape.filters)).sum(axis=-1).astype(word(shape.filters))

    def run(self, row, col):
        """Cycles of the tiles in rows of tiles `row` and columns of tiles `col`."""
        shape = self.shape
        pixels, filters, of_pe = shape.pixels, shape.filters, shape.buffers
        lane_type, pe_type = word(shape.depth * filters), word(of_pe)
        field = (1 << filters) - 1
        everything = pe_type.type((1 << of_pe) - 1)
        grid = (len(row), shape.rows, shape.cols)
        lanes, counts = np.zeros((pixels, *grid), lane_type), np.zeros((pixels, *grid), np.uint8)
        flying = [np.zeros(grid, pe_type) for _ in range(shape.adder_latency - 1)]
        place = (np.arange(pixels) * filters).astype(pe_type).reshape(-1, 1, 1, 1)
        behind = np.arange(pixels - 1, -1, -1, dtype=np.uint8).reshape(-1, 1, 1, 1)
        taken = np.zeros(len(row), np.int64)
        last, entered = np.zeros(len(row), np.int64), np.zeros(len(row), np.int64)
        cycle, works = 0, np.zeros(len(row), bool)
        while True:
            fullest = counts.max(axis=0)
            most = fullest.max(axis=(1, 2))
            takes = (taken < self.k) & (most < shape.depth)
            works = most > 0
            if not takes.any() and not works.any():
                break
            last[works] = cycle

            first = (lanes & lane_type.type(field)).astype(pe_type)
            offered = np.bitwise_or.reduce(first << place, axis=0)
            for busy in flying:
                offered &= ~busy
            turn = pixels - 1 - (counts << 3 | behind).max(axis=0) % 8
            turn = (turn * filters).astype(pe_type)
            issued = spun(first_bits(spun(offered, turn, of_pe, everything), shape.issue), of_pe - turn, of_pe, everything)
            if flying:
                flying = [issued, *flying[:-1]]
            of_lane = (issued >> place).astype(lane_type) & lane_type.type(field)
            lanes ^= of_lane
            leaves = ((lanes & lane_type.type(field)) == 0) & (counts > 0)
            lanes >>= leaves.astype(lane_type) * lane_type.type(filters)
            counts -= leaves

            step = np.minimum(taken, self.k - 1)
            enters = self.a[row, step].swapaxes(0, 1)[..., None] & takes[None, :, None, None]
            brought = self.w[col, step][None, :, None, :] * enters
            at = counts * np.uint8(filters)
            lanes |= brought.astype(lane_type) << at.astype(lane_type)
            counts += brought != 0
            taken += takes
            cycle += 1
            entered[takes] = cycle
        return np.maximum(entered, last + shape.adder_latency * (last > 0))


def first_bits(x, count):
    """The `count` lowest ones of each integer."""
    found = np.zeros_like(x)
    for _ in range(count):
        lowest = x & -x
        found |= lowest
        x = x ^ lowest
    return found


def spun(x, places, length, everything):
    """Integers of `length` bits with their lowest `places` bits moved to the top; `places` may be `length`."""
    if length == 8 * x.itemsize:
        return (x >> places) | (x << (length - places).astype(x.dtype))
    return ((x >> places) | (x << (length - places).astype(x.dtype))) & everything
