"""Arithmetic as functions: every input at small widths, limits and ties at real ones."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from gateware import evaluate

from golden import requant
from rtl.arithmetic import add_narrow, shift_rne, widen


def signed(codes, width):
    """The numbers of two's complement codes."""
    return [code - (code >> (width - 1) << width) for code in codes]


@pytest.mark.parametrize("width", range(4, 9))
def test_widening_repeats_the_sign(width):
    codes = evaluate(lambda m, x: widen(x.as_signed(), width), [4], [(x,) for x in range(16)])
    assert signed(codes, width) == signed(range(16), 4)


@pytest.mark.parametrize(("long", "short"), [(n, k) for n in range(2, 7) for k in range(2, n + 1) if n + k <= 10])
def test_adding_a_narrow_number_is_adding_it(long, short):
    """Every input: from an addend as long as the sum, where one bit is above it, to one that is far shorter."""
    cases = list(product(range(1 << long), range(1 << short), (0, 1)))
    sums = evaluate(add_narrow, [long, short, 1], cases)
    expected = [(x + y - (y >> (short - 1) << short) + carry) % (1 << long) for x, y, carry in cases]
    assert sums == expected


@pytest.mark.parametrize(("long", "short"), [(32, 9), (32, 17), (32, 32), (17, 16), (9, 2)])
def test_carries_run_through_the_whole_sum(long, short):
    rng = np.random.default_rng(long * 64 + short)
    bits = [1 << bit for bit in range(short - 1, long)]
    xs = [0, 1, -1, *bits, *(bit - 1 for bit in bits), *(-bit for bit in bits)]
    xs += rng.integers(0, 1 << long, 30).tolist()
    ys = [0, 1, -1, (1 << (short - 1)) - 1, -1 << (short - 1), *rng.integers(0, 1 << short, 20).tolist()]
    cases = [(x % (1 << long), y % (1 << short), carry) for x, y, carry in product(xs, ys, (0, 1))]
    expected = [(x + y - (y >> (short - 1) << short) + carry) % (1 << long) for x, y, carry in cases]
    assert evaluate(add_narrow, [long, short, 1], cases) == expected


@pytest.mark.parametrize(("width", "shift_width"), [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3), (6, 4), (8, 4)])
def test_every_shift_of_every_number_rounds_to_even(width, shift_width):
    cases = list(product(range(1 << width), range(1 << shift_width)))
    codes = evaluate(lambda m, x, s: shift_rne(m, x.as_signed(), s), [width, shift_width], cases)
    expected = [round(Fraction(x - (x >> (width - 1) << width), 1 << s)) for x, s in cases]
    assert signed(codes, width + 1) == expected


@pytest.mark.parametrize(("width", "shift_width"), [(49, 6), (62, 6)])
def test_shifts_at_real_widths_are_those_of_golden(width, shift_width):
    """Ties, their neighbours and limits at every shift up to the width."""
    rng = np.random.default_rng(width)
    lo, hi = -(1 << (width - 1)), (1 << (width - 1)) - 1
    cases = []
    for s in range(width + 1):
        ties = [(int(n) << s) + (1 << s >> 1) for n in rng.integers(-3, 4, 3)]
        xs = [lo, lo + 1, -1, 0, 1, hi, *rng.integers(lo, hi, 3).tolist()]
        xs += [tie + off for tie in ties for off in (-1, 0, 1)]
        cases += [(min(max(x, lo), hi), s) for x in xs]
    codes = evaluate(lambda m, x, s: shift_rne(m, x.as_signed(), s), [width, shift_width], cases)
    xs, shifts = (np.array(part) for part in zip(*cases, strict=True))
    assert signed(codes, width + 1) == requant.shift_rne(xs, shifts).tolist()
