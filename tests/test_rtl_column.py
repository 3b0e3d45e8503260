"""A column's control: when it has room, when it is done, when it waits."""

from dataclasses import replace

import numpy as np
import pytest
from gateware import clocked, evaluate

from golden.formats import parse
from rtl.column import ColumnControl, successor
from rtl.sip import Digits

STRIPES = Digits(a=parse("int6"), w=parse("int4"), lanes=2, acc_width=20, a_digit=1, w_digit=4)
LOOM = replace(STRIPES, w_digit=1)


def played(control, steps, busy=()):
    """What happens in each cycle: (adds, fresh, ends, negative, shift) where sums are added, else None.

    Parameters
    ----------
    steps : list of (top, low, whole, last)
        Given as soon as there is room; a step's facts are shown while it is at work.
    busy : collection of int
        Cycles in which kept sums stay.
    """
    seen, given, finished = [], 0, 0
    at = 0  # the digit at work
    steering = None  # what the units were told in the last cycle in which they moved

    async def bench(ctx):
        nonlocal given, finished, at, steering
        for cycle in range(200):
            if finished < len(steps):
                for key, value in zip(("top", "low", "whole", "last"), steps[finished]):
                    if hasattr(control, key):
                        ctx.set(getattr(control, key), int(value))
            ctx.set(control.emptied, ctx.get(control.full) and cycle not in busy)
            offered = ctx.get(control.room) and given < len(steps)
            ctx.set(control.given, offered)
            adds = ctx.get(control.adds) and ctx.get(control.run)
            seen.append((steering[0], ctx.get(control.ends), *steering[1:]) if adds else None)
            if ctx.get(control.run):
                steering = tuple(map(ctx.get, (control.fresh, control.negative, control.shift)))
            works = given > finished and ctx.get(control.run)
            finished += works and at == steps[finished][0]
            if hasattr(control, "low_next") and finished < len(steps):
                ctx.set(control.low_next, steps[finished][1])
            at = ctx.get(control.at_next) if ctx.get(control.fetches) else at
            given += offered
            await ctx.tick()

    clocked(control, bench)
    while seen and seen[-1] is None:
        seen.pop()
    return seen


def test_a_step_goes_through_its_planes_and_the_highest_is_negative():
    control = ColumnControl(digits=STRIPES, slots=1, entries=1)
    seen = played(control, [(2, 0, 1, 0), (0, 0, 1, 1), (1, 0, 1, 1)])
    first, second = [(1, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 2), (0, 1, 1, 0)], [(1, 0, 0, 0), (0, 1, 1, 1)]
    assert seen == [None, None, *first, *second]


def test_planes_below_the_lowest_are_left_out():
    control = ColumnControl(digits=STRIPES, slots=2, entries=2, trim=True)
    assert played(control, [(4, 3, 1, 0), (5, 5, 1, 1)]) == [None, None, (1, 0, 0, 3), (0, 0, 1, 4), (0, 1, 1, 5)]


def test_planes_of_weights_are_counted_up_to_the_whole():
    control = ColumnControl(digits=LOOM, slots=1, entries=1)
    seen = played(control, [(1, 0, 0, 0), (1, 0, 1, 0), (0, 0, 1, 1)])
    whole = [(0, 0, 1, 1), (0, 0, 0, 2)]  # the product of two signs is added
    assert seen == [None, None, (1, 0, 0, 0), (0, 0, 1, 1), *whole, (0, 1, 0, 0)]


@pytest.mark.parametrize("slots", [1, 3])
def test_a_column_waits_for_the_drain_and_loses_nothing(slots):
    control = ColumnControl(digits=STRIPES, slots=slots, entries=slots)
    steps = [(0, 0, 1, 1)] * 4
    assert played(control, steps) == [None, None] + [(1, 1, 1, 0)] * 4
    seen = played(control, steps, busy=range(12))
    assert [cycle for cycle, adds in enumerate(seen) if adds] == [2, 12, 13, 14]


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_ring_of_indices(count):
    width = (count - 1).bit_length()
    found = evaluate(lambda m, x: successor(x, count), [width], [(x,) for x in range(count)])
    assert found == np.roll(np.arange(count), -1).tolist()
