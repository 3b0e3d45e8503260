"""The schedule of products against a walk, cycle by cycle, through what it says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.dlac_grid import GridShape
from golden.dlac_schedule import mm_cycles


def walk(shape, a_on, w_on):
    """Cycles of one tile, a_on [K, tile_rows] and w_on [K, tile_cols], and products done by each PE in each cycle."""
    pes = [(r, c) for r in range(shape.rows) for c in range(shape.cols)]
    lanes = {(pe, p): [] for pe in pes for p in range(shape.pixels)}  # entries: sets of filters
    free = {(pe, p, f): 0 for pe in pes for p in range(shape.pixels) for f in range(shape.filters)}
    step, cycle, over, entered, done = 0, 0, 0, 0, []
    while step < len(a_on) or any(lanes.values()):
        room = all(len(lane) < shape.depth for lane in lanes.values())
        done.append(0)
        for pe in pes:
            sizes = [len(lanes[pe, p]) for p in range(shape.pixels)]
            first = sizes.index(max(sizes))
            order = [(first + i) % shape.pixels for i in range(shape.pixels)]
            left = shape.issue
            for p in order:
                for f in sorted(lanes[pe, p][0]) if lanes[pe, p] else ():
                    if left and free[pe, p, f] <= cycle:
                        lanes[pe, p][0].remove(f)
                        free[pe, p, f] = cycle + shape.adder_latency
                        over = max(over, cycle + shape.adder_latency)
                        left -= 1
                        done[-1] += 1
        for lane in lanes.values():
            if lane and not lane[0]:
                lane.pop(0)
        if room and step < len(a_on):
            for (r, c), p in lanes:
                filters = {f for f in range(shape.filters) if w_on[step, c * shape.filters + f]}
                if a_on[step, r * shape.pixels + p] and filters:
                    lanes[(r, c), p].append(filters)
            step, entered = step + 1, cycle + 1
        cycle += 1
    return max(entered, over), done


shapes = st.builds(
    lambda issue, **fields: GridShape(units=min(issue, fields["pixels"] * fields["filters"]), **fields),
    st.integers(1, 4),
    rows=st.integers(1, 3),
    cols=st.integers(1, 2),
    pixels=st.integers(1, 5),
    filters=st.integers(1, 5),
    depth=st.integers(1, 5),
    adder_latency=st.integers(1, 5),
)


@given(shapes, st.integers(1, 20), st.sampled_from([0.1, 0.4, 0.9, 1]), st.integers(0, 1 << 30))
def test_cycles_are_those_of_the_walk(shape, k, density, seed):
    rng = np.random.default_rng(seed)
    a, w = rng.random((2, k, shape.tile_rows)) < density, rng.random((2, k, shape.tile_cols)) < density
    expected = [[walk(shape, row, col)[0] for col in w] for row in a]
    assert mm_cycles(shape, a, w).tolist() == expected


@given(st.integers(1, 4), st.integers(2, 5), st.integers(1, 5))
def test_a_dense_grid_keeps_every_unit_busy(units, depth, latency):
    shape = GridShape(rows=2, cols=2, units=units, depth=depth, adder_latency=min(latency, 16 // units - 1))
    cycles, done = walk(shape, np.ones((12, 8)), np.ones((12, 8)))
    assert set(done[1 : 1 + 12 * 16 // units]) == {4 * units} and done[0] == 0
    assert cycles == mm_cycles(shape, np.ones((1, 12, 8), bool), np.ones((1, 12, 8), bool))[0, 0]


def test_without_products_a_tile_takes_its_steps():
    shape = GridShape(rows=1, cols=1)
    assert mm_cycles(shape, np.zeros((1, 5, 4), bool), np.ones((2, 5, 4), bool)).tolist() == [[5, 5]]
    a = np.zeros((1, 5, 4), bool)
    a[0, 4, 3] = True  # one activation, in the last step: issued in the sixth and seventh cycle, two products each
    assert mm_cycles(shape, a, np.ones((1, 5, 4), bool)).tolist() == [[5 + 2 + 2]]


def test_steps_that_were_held_up_end_a_tile_later_even_if_nothing_follows_them():
    shape = GridShape(rows=1, cols=1, pixels=2, filters=2, units=1, depth=2)
    on = np.arange(40) < 8  # full k-steps of 4 products, one a cycle, then empty ones
    a, w = np.repeat(on[None, :, None], 2, axis=2), np.ones((1, 40, 2), bool)
    cycles = walk(shape, a[0], w[0])[0]
    assert cycles > 40 + 15
    assert mm_cycles(shape, a, w).tolist() == [[cycles]]


@pytest.mark.long
@pytest.mark.parametrize(("depth", "share"), [(8, 0.80), (14, 0.85)])
def test_speed_up_of_independent_zeros(depth, share):
    rng = np.random.default_rng(5)
    a, w = rng.random((2, 2304, 64)) < 0.4, rng.random((2, 2304, 64)) < 0.4
    cycles = mm_cycles(GridShape(depth=depth), a, w)
    bound = a.size * w.size / (a.sum() * w.sum())
    assert 2304 * 8 / cycles.mean() > share * bound


def test_chunks_of_tiles_are_independent(monkeypatch):
    rng = np.random.default_rng(6)
    shape = GridShape(rows=2, cols=2)
    a, w = rng.random((3, 9, 8)) < 0.5, rng.random((4, 9, 8)) < 0.5
    whole = mm_cycles(shape, a, w)
    monkeypatch.setattr("golden.dlac_schedule.CHUNK", 20)
    assert np.array_equal(mm_cycles(shape, a, w), whole)
    assert len(set(whole.flat)) > 1
