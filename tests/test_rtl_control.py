"""Fronts: in every order of k-steps and idle slots, each tile's sums leave once, aligned, and nothing collides."""

import numpy as np
import pytest
from gateware import clocked
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.systolic import SystolicShape, systolic_cycles
from rtl.control import FrontControl


def played(rows, cols, depths, waits):
    """Slots of a run that offers tiles of `depths` k-steps, each k-step `waits` slots after the one before could be:
    lists of (entered, last, first, leaving, leaving_last)."""
    control = FrontControl(rows=rows, cols=cols)
    steps = [(k == depth - 1) for depth in depths for k in range(depth)]
    slots = []

    async def bench(ctx):
        position, wait = 0, waits[0]
        idle = 0
        while idle < 3 * (rows + cols) + 4:
            offered = position < len(steps) and wait == 0
            ctx.set(control.offered, offered)
            ctx.set(control.last, steps[position] if offered else 1)  # without an offer it means nothing
            await ctx.delay(1e-8)
            entered = bool(offered and ctx.get(control.open))
            ports = (control.first, control.leaving, control.leaving_last)
            slots.append((entered, bool(entered and steps[position]), *(bool(ctx.get(port)) for port in ports)))
            if entered:
                position += 1
                wait = waits[position % len(waits)]
            elif wait:
                wait -= 1
            idle = idle + 1 if position == len(steps) else 0
            await ctx.tick()

    clocked(control, bench)
    return slots


def check(rows, cols, depths, slots):
    """Follow the sums that each front takes along."""
    fronts = [t for t, slot in enumerate(slots) if slot[2]]
    assert all(later - earlier >= rows for earlier, later in zip(fronts, fronts[1:])), "fronts meet in a column"
    leaving, ends = set(), set()
    whole = 0  # k-steps of a tile that is whole and still in the array
    inside = 0  # k-steps since the last front
    begun = False
    left = []
    for t, (entered, last, first, _, _) in enumerate(slots):
        if first:
            assert not begun, "a front cuts a tile in two"
            if whole:
                left.append(whole)
                leaving |= {t + cols + r for r in range(rows)}
                ends.add(t + cols + rows - 1)
            whole = inside = 0
        if entered:
            assert begun or inside == 0, "a tile is added to the sums of another"
            inside += 1
            begun = not last
            if last:
                whole = inside
    assert left == list(depths), "sums were lost or invented"
    assert {t for t, slot in enumerate(slots) if slot[3]} == leaving
    assert {t for t, slot in enumerate(slots) if slot[4]} == ends


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.lists(st.sampled_from([0, 0, 0, 1, 2, 5, 12]), min_size=1, max_size=7),
)
@settings(max_examples=50)
def test_every_tile_leaves_once_and_whole(rows, cols, depths, waits):
    check(rows, cols, depths, played(rows, cols, depths, waits))


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (1, 5), (5, 1), (4, 3), (8, 8)])
def test_without_a_stall_the_cycles_are_the_models(rows, cols):
    rng = np.random.default_rng(rows + cols)
    for depths in ([1], [rows], [1, 1, 1], [3 * rows, 1, rows, rows + 1], rng.integers(1, 2 * rows + 2, 12).tolist()):
        slots = played(rows, cols, depths, [0])
        check(rows, cols, depths, slots)
        first = next(t for t, slot in enumerate(slots) if slot[0])
        last = max(t for t, slot in enumerate(slots) if slot[3])
        assert last - first + 1 == systolic_cycles(SystolicShape(rows=rows, cols=cols), depths)


def test_deep_tiles_follow_each_other_without_a_lost_slot():
    slots = played(4, 3, [4, 5, 4, 9], [0])
    assert [slot[0] for slot in slots[:22]] == [True] * 22


def test_sums_do_not_wait_for_the_next_tile():
    """A bubble takes them out; it is a front, and keeps the next tile away for `rows` slots, no longer."""
    for wait, begins in ((9, 12), (1, 5), (0, 3)):
        slots = played(2, 2, [3, 3], [0, 0, 0, wait, 0, 0])
        fronts = [t for t, slot in enumerate(slots) if slot[2]]
        entered = [t for t, slot in enumerate(slots) if slot[0]]
        assert entered[3] == begins
        assert fronts == sorted({0, 3, begins, begins + 3})
