"""The cycle model of the systolic array against a walk through its schedule, and the figures it must reach."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError
from golden.systolic import SystolicShape, systolic_cycles, utilisation

LENET = [(576, 25, 20), (64, 500, 50), (1, 800, 500), (1, 500, 10)]  # rows an image, K, columns


def walk(rows, cols, depths):
    """Cycle by cycle: a tile takes its k-steps, then waits until `rows` cycles have passed since it began; its last
    product reaches the far corner after ``rows + cols - 2`` more, and one register holds the row that leaves."""
    cycle = 0
    for k in depths:
        began = cycle
        for _ in range(k):
            cycle += 1
        while cycle - began < rows:
            cycle += 1
    return cycle + (rows + cols - 2) + 1 + 1


@given(st.integers(1, 64), st.integers(1, 64), st.lists(st.integers(1, 200), min_size=1, max_size=8))
def test_cycles_equal_the_walk(rows, cols, depths):
    assert systolic_cycles(SystolicShape(rows=rows, cols=cols), depths) == walk(rows, cols, depths)


def test_a_hundred_tiles_back_to_back_keep_the_array_busy():
    shape = SystolicShape()
    cycles = systolic_cycles(shape, np.full(100, 64))
    assert cycles == 6416 and utilisation(shape, 100 * 64 * 64, cycles) > 0.98


def test_lenet_on_a_batch_of_64_keeps_the_array_busy():
    shape, batch, cycles, macs = SystolicShape(), 64, 0, 0
    for m, k, n in LENET:
        down, across = shape.tiles(batch * m, n)
        cycles += systolic_cycles(shape, np.full(down * across, k))
        macs += batch * m * k * n
    assert macs == batch * 2293000 and utilisation(shape, macs, cycles) > 0.89


def test_partial_tiles_count():
    assert SystolicShape(rows=8, cols=4).tiles(17, 4) == (3, 1)
    assert SystolicShape(rows=8, cols=4).tiles(1, 9) == (1, 3)


@pytest.mark.parametrize(("what", "value"), [("rows", 0), ("cols", 65), ("rows", -1)])
def test_arrays_of_other_sizes_are_refused(what, value):
    with pytest.raises(InputError, match=f"{what} must be 1 to 64, not {value}"):
        SystolicShape(**{what: value})
