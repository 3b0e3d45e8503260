"""The grid's size: what is refused, what is stored, how matrices become tiles."""

import numpy as np
import pytest

from golden.dlac_grid import GridShape, masks, tiled
from golden.errors import InputError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rows": 0}, "rows must be 1 to 64, not 0"),
        ({"cols": 65}, "cols must be 1 to 64, not 65"),
        ({"pixels": 9}, "pixels must be 1 to 8, not 9"),
        ({"depth": 0}, "depth must be 1 to 16, not 0"),
        ({"adder_latency": 0}, "adder_latency must be 1 to 5, not 0"),
        ({"units": 5, "pixels": 2, "filters": 2}, "units must be at most the 4 output buffers of a PE, not 5"),
        ({"units": 2, "adders": 2}, "adders must be 0 to 1 of the 2 units, not 2"),
        (
            {"units": 4, "adders": 2, "filters": 2, "ternary": False},
            "units must be at most the 2 filters of a PE if some only add and weights are floats, not 4",
        ),
        ({"filters": 8, "depth": 9}, "depth must be at most 8 with 8 filters, not 9"),
        ({"skip": "all"}, "skip must be none, activations, weights or both, not 'all'"),
    ],
)
def test_a_grid_that_cannot_work_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        GridShape(**settings)


def test_storage_is_within_that_of_a_queue_of_k_steps():
    queue, buffers = 16 * (4 * 32 + 4 + 4 * 2 + 4), 16 * 32
    assert (queue, buffers) == (2304, 512)
    lanes, kept = GridShape().storage_bits(32)
    assert kept == buffers and lanes == 4 * (14 * (32 + 4 + 4) + 4)
    assert lanes + kept <= queue + buffers
    assert GridShape(ternary=False, depth=6).storage_bits(16)[0] == 4 * (6 * (16 + 4 + 4 * 16) + 4)


def test_what_multiplies_floats_is_fewer_than_what_adds():
    assert GridShape(units=3, adders=1).issue == 3
    assert GridShape(units=3, adders=1, ternary=False).issue == 2
    assert GridShape(units=3, adders=1, ternary=False).dense_step == 8


def test_tiles_are_filled_with_zeros():
    shape = GridShape(rows=2, cols=1, pixels=2, filters=3)
    a, w = np.arange(1, 11).reshape(5, 2), np.arange(1, 9).reshape(2, 4)
    rows, cols = tiled(shape, a, w)
    assert rows.tolist() == [[[1, 3, 5, 7], [2, 4, 6, 8]], [[9, 0, 0, 0], [10, 0, 0, 0]]]
    assert cols.tolist() == [[[1, 2, 3], [5, 6, 7]], [[4, 0, 0], [8, 0, 0]]]


@pytest.mark.parametrize(
    ("skip", "a_zeros", "w_zeros"), [("none", 0, 0), ("activations", 1, 0), ("weights", 0, 1), ("both", 1, 1)]
)
def test_masks_leave_out_the_zeros_that_are_skipped(skip, a_zeros, w_zeros):
    shape = GridShape(rows=1, cols=1, pixels=2, filters=2, skip=skip)
    a, w = masks(shape, np.array([[0.0, -0.0], [5, np.nan]]), np.array([[0, -1], [1, 0]]))
    assert (~a).astype(int).tolist() == [[[a_zeros, 0], [a_zeros, 0]]]
    assert (~w).astype(int).tolist() == [[[w_zeros, 0], [0, w_zeros]]]
