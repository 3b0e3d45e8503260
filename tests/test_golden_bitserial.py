"""The cycle models of the bit-serial tiles against walks, cycle by cycle, through what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.bitserial import (
    TileShape,
    activation_groups,
    busy_cycles,
    dynamic_stripes_cycles,
    group_times,
    loom_cycles,
    loom_times,
    parallel_cycles,
    stripes_cycles,
    tile_cycles,
    trailing_planes,
    weight_groups,
)
from golden.errors import InputError


def walk(times, last, windows, run_ahead, turns):
    """What happens in each cycle: groups work, move complete sums to the drain, the drain empties, steps are given.

    A group is a queue of steps it was given; its sums of a tile are complete a cycle behind the last digit.
    """
    groups, share = len(times[0]), windows // len(times[0])
    queues = [[] for _ in range(groups)]  # of [cycles left, last]
    complete, kept = [False] * groups, [False] * groups
    upcoming = [(step, g) for step in range(len(times)) for g in (range(groups) if turns else [None])]
    room = 1 if turns else run_ahead + 1
    drained, wanted, cycle, first = 0, sum(last) * windows, 0, None
    while drained < wanted:
        group = drained % windows // share
        leaves = kept[group]
        emptied = group if leaves and drained % share == share - 1 else None
        stuck = [complete[g] and kept[g] and emptied != g for g in range(groups)]
        moved = [complete[g] and not stuck[g] for g in range(groups)]
        ends = [False] * groups
        for g in range(groups):
            if queues[g] and not stuck[g]:
                queues[g][0][0] -= 1
                if not queues[g][0][0]:
                    ends[g] = queues[g].pop(0)[1]
        for g in range(groups):
            kept[g] = moved[g] or (kept[g] and emptied != g)
            complete[g] = ends[g] or (complete[g] and stuck[g])
        drained += leaves
        if upcoming:
            step, group = upcoming[0]
            targets = range(groups) if group is None else [group]
            if all(len(queues[g]) < room for g in targets):
                for g in targets:
                    queues[g].append([times[step][g], last[step]])
                upcoming.pop(0)
                first = cycle if first is None else first
        cycle += 1
    return cycle - first


@st.composite
def schedules(draw):
    groups, share = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    turns = draw(st.booleans())
    share = 1 if turns else share
    times = draw(st.lists(st.lists(st.integers(1, 7), min_size=groups, max_size=groups), min_size=1, max_size=25))
    last = draw(st.lists(st.booleans(), min_size=len(times) - 1, max_size=len(times) - 1)) + [True]
    return times, last, groups * share, 0 if turns else draw(st.integers(0, 3)), turns


@given(schedules())
def test_cycles_equal_the_walk(schedule):
    times, last, windows, run_ahead, turns = schedule
    assert tile_cycles(times, last, windows=windows, run_ahead=run_ahead, turns=turns) == walk(*schedule)


@given(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=3), min_size=1, max_size=30), st.integers(0, 4))
def test_busy_cycles_are_those_of_one_long_tile(times, run_ahead):
    last = [False] * (len(times) - 1) + [True]
    whole = tile_cycles(times, last, windows=3, run_ahead=run_ahead)
    busy = busy_cycles(times, run_ahead)
    ends = np.array([busy_cycles(np.array(times)[:, : g + 1], run_ahead) for g in range(3)])
    assert ends[-1] == busy and np.sum(np.max(times, axis=0)) >= 3
    assert busy + 3 <= whole <= busy + 1 + 1 + 3
    assert busy_cycles(np.array([times, times]), run_ahead).tolist() == [busy, busy]
    assert np.sum(times, axis=0).max() <= busy <= np.max(times, axis=1).sum()


def test_more_run_ahead_loses_less():
    times = np.random.default_rng(1).integers(1, 17, (400, 8))
    found = [int(busy_cycles(times, r)) for r in (0, 1, 2, 4, 400)]
    assert found == sorted(found, reverse=True) and found[0] == times.max(axis=1).sum()
    assert found[-1] == times.sum(axis=0).max()  # no synchronisation is left


def test_full_tiles_run_at_sixteen_over_p():
    """A tile of 16 windows at precision p against the bit-parallel one: 16 / p, but for what is filled and drained."""
    k, n, m = 16 * 40, 16 * 3, 16 * 5
    shape, alone = TileShape(), TileShape(windows=1)
    assert parallel_cycles(alone, m, k, n) == m * 3 * 40 + 4
    for p in range(1, 17):
        assert stripes_cycles(shape, m, k, n, p) == 5 * 3 * 40 * p + 16 + 2


def test_tiles_too_short_wait_for_the_drain():
    assert stripes_cycles(TileShape(lanes=4), 16 * 10, 4, 16, 1) == 10 * 16 + 3


def test_dense_layers_gain_nothing_in_stripes_and_sixteen_over_pw_in_loom():
    shape = TileShape(dense=True)
    k, n = 16 * 30, 256 * 2
    assert stripes_cycles(shape, 1, k, n, 16) == 2 * 30 * 16 + 15 + 3
    assert stripes_cycles(shape, 1, k, n, 3) == 2 * 30 * 16 + 3 + 2
    rng = np.random.default_rng(1)
    a, w = rng.integers(0, 1 << 16, (1, k)), rng.integers(-16, 16, (k, n))
    a[:, ::16], w[::16, :] = 1 << 15, -16
    assert loom_cycles(shape, a, w, False) == 2 * 30 * 16 * 5 + 15 + 3
    assert loom_cycles(TileShape(), np.repeat(a, 16, axis=0), w[:, :16], False) == 30 * 16 * 5 + 16 + 2
    assert loom_cycles(TileShape(), np.repeat(a, 16, axis=0), w[:, :16], False, digit=4) == 30 * 4 * 5 + 16 + 2
    assert loom_times([16, 15, 1], 5, 4).tolist() == [20, 20, 5]


def test_groups_hold_the_windows_side_by_side():
    shape = TileShape(lanes=2, filters=2, windows=4)
    a = np.arange(5 * 3).reshape(5, 3)
    groups = activation_groups(shape, a, 2)
    assert groups.shape == (2, 2, 2, 4)
    assert groups[0, 0].tolist() == [[0, 1, 3, 4], [6, 7, 9, 10]]
    assert groups[0, 1].tolist() == [[2, 0, 5, 0], [8, 0, 11, 0]]
    assert groups[1].tolist() == [[[12, 13, 0, 0], [0] * 4], [[14, 0, 0, 0], [0] * 4]]
    w = np.arange(3 * 3).reshape(3, 3)
    assert weight_groups(shape, w).tolist() == [[[0, 3, 1, 4], [6, 0, 7, 0]], [[2, 5, 0, 0], [8, 0, 0, 0]]]
    with pytest.raises(InputError, match="groups must divide the 4 windows of a tile, not be 3"):
        activation_groups(shape, a, 3)


def test_what_a_group_takes():
    assert trailing_planes([[0, 0], [4, 8], [-8, 0], [6, 1]]).tolist() == [0, 2, 3, 0]
    assert group_times([[0, 0], [4, 8], [255, 0], [128, 128]], False).tolist() == [1, 4, 8, 8]
    assert group_times([[0, 0], [4, 8], [255, 0], [128, 128]], False, trim=True).tolist() == [1, 2, 8, 1]
    assert group_times([[0, 0], [0, -1], [-8, 0], [4, 0]], True).tolist() == [1, 2, 4, 4]
    assert group_times([[0, 0], [0, -1], [-8, 0], [4, 0]], True, trim=True).tolist() == [1, 2, 1, 2]


def test_dynamic_stripes_takes_the_precision_of_each_pass():
    shape = TileShape(lanes=2, filters=1, windows=2)
    a = np.array([[3, 0, 0, 0, 9], [0, 1, 0, 0, 200]])
    assert dynamic_stripes_cycles(shape, a, 1, False) == (2 + 1 + 8) + 2 + 2
    assert dynamic_stripes_cycles(shape, a, 3, False) == 3 * (2 + 1 + 8) + 2 + 2
    assert dynamic_stripes_cycles(shape, a, 1, False, trim=True) == (2 + 1 + 8) + 2 + 2
    assert dynamic_stripes_cycles(shape, 8 * a[:, :2], 1, False, trim=True) == 2 + 2 + 2
    both = dict(groups=2, run_ahead=1)
    a = np.array([[255, 0, 1, 0], [1, 0, 255, 0]])  # one of two windows is slow, then the other
    assert dynamic_stripes_cycles(shape, a, 1, False, groups=2) == 16 + 1 + 2  # the fast window leaves early
    assert dynamic_stripes_cycles(shape, a, 1, False, **both) == 9 + 2 + 2


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"lanes": 0}, "lanes must be 1 to 16, not 0"),
        ({"filters": 129}, "filters must be 1 to 128, not 129"),
        ({"windows": 17}, "windows must be 1 to 16, not 17"),
    ],
)
def test_sizes_out_of_range_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        TileShape(**sizes)
