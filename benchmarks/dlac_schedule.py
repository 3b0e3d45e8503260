"""Seconds of the schedule of all 36 convolutions of ResNet-34 on the zero-skipping grid: every tile, on one core.

Zeros are drawn one by one, densities 0.4 and 0.4, for an image of 224 x 224 pixels; the grid is that of DLAC, 16 x 16 PEs
of 2 units, hazards of its adders included. Beside it stands how many times as fast golden makes the sums of a tile of
conv2_1_b as a plain loop for each of its outputs, which adds in NumPy's float32. All run in one thread, and seconds are
those that its core worked, so that other work does not count. Prints JSON.
"""

import json
import time

import numpy as np

from golden.dlac import products
from golden.dlac_grid import GridShape, masks
from golden.dlac_schedule import mm_cycles
from golden.errors import InputError, Parser, command
from golden.formats import parse
from golden.layer_tables import network_rows

TARGET = 600  # seconds
DENSITY = 0.4
GRID = GridShape()


def convolutions(rng, density):
    """Yield (a, w), which operands are not 0, of every convolution of ResNet-34."""
    for row in network_rows("resnet34"):
        if row.kind == "conv":
            m, k, n = row.gemm
            yield rng.random((m, k)) < density, rng.random((k, n)) < density


def schedule(a, w):
    """Cycles of the products of every tile, partial ones at the ends."""
    return mm_cycles(GRID, *masks(GRID, a, w))


def plain(a, w):
    """The sums of ``a @ w`` in float32, `w` of -1, 0 and 1: output by output, product by product, without zeros."""
    y = np.zeros((len(a), w.shape[1]), np.float32)
    for m, row in enumerate(a.astype(np.float32)):
        for n, column in enumerate(w.T):
            total = np.float32(0)
            for x, sign in zip(row, column):
                if x and sign:
                    total = total + x if sign > 0 else total - x
            y[m, n] = total
    return y


def timed(function, *given):
    """(result, seconds of one core)."""
    start = time.process_time()
    result = function(*given)
    return result, time.process_time() - start


def main():
    parser = Parser(prog="dlac_schedule", description=__doc__.splitlines()[0])
    parser.add_argument("--density", type=float, default=DENSITY)
    density = parser.parse_args().density
    if not 0 <= density <= 1:
        raise InputError(f"--density must be 0 to 1, not {density}")
    rng = np.random.default_rng(1)
    layers = tiles = tile_cycles = seconds = 0
    for a, w in convolutions(rng, density):
        found, took = timed(schedule, a, w)
        layers, tiles, tile_cycles, seconds = layers + 1, tiles + found.size, tile_cycles + int(found.sum()), seconds + took
    [row] = [row for row in network_rows("resnet34") if row.name == "conv2_1_b"]
    a = rng.normal(size=(GRID.tile_rows, row.gemm[1])).astype(np.float32).astype(float)
    a *= rng.random(a.shape) < density
    w = rng.choice([-1, 1], (row.gemm[1], GRID.tile_cols)) * (rng.random((row.gemm[1], GRID.tile_cols)) < density)
    sums, golden = timed(products, GRID, parse("fp32"), a, w)
    expected, loop = timed(plain, a, w)
    assert np.array_equal(sums, expected)
    report = {"layers": layers, "tiles": tiles, "tile_cycles": tile_cycles, "density": density}
    report |= {"tile_cycles_per_second": round(tile_cycles / seconds), "seconds": round(seconds, 1), "target": TARGET}
    print(json.dumps(report | {"products_over_plain_loop": round(loop / golden, 1)}))


if __name__ == "__main__":
    command(main)
