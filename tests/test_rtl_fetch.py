"""Digits fetched a cycle ahead, from what a tile holds and from what arrives."""

from types import SimpleNamespace

import numpy as np
import pytest
from amaranth import Cat
from gateware import evaluate

from golden.bitserial import TileShape
from golden.formats import parse
from rtl.fetch import extended, fetcher, picked
from rtl.sip import Digits
from rtl.tile_plan import TilePlan


@pytest.mark.parametrize(("a", "bits"), [("int6", 1), ("uint5", 2), ("int5", 4)])
def test_the_digit_of_the_right_pass(a, bits):
    fmt = parse(a)
    digits = Digits(a=fmt, w=parse("int4"), lanes=1, acc_width=20, a_digit=bits, w_digit=1 if bits > 1 else 4)
    plan = TilePlan(shape=TileShape(windows=1), digits=digits, run_ahead=1)
    count = digits.a_digits

    def unit(m, first, second, new, entry, at, loads):
        control = SimpleNamespace(entry_next=entry, at_next=at)
        arriving = {"a": [new], "loads": [loads[0], loads[1]]}
        return fetcher(m, plan, control, [{"a": [first]}, {"a": [second]}], arriving, 0)(0)

    rng = np.random.default_rng(1)
    cases, expected = [], []
    for _ in range(300):
        codes = [int(code) for code in rng.integers(0, 1 << fmt.width, 3)]
        entry, at, loads = int(rng.integers(2)), int(rng.integers(count)), int(rng.choice([0, 1, 2]))
        arrives = loads >> entry & 1
        at = 0 if arrives else at  # a pass that arrives is at its first digit
        whole = int(fmt.integers(codes[2] if arrives else codes[entry])) & ((1 << count * bits) - 1)
        cases.append((*codes, entry, at, loads))
        expected.append(whole >> at * bits & ((1 << bits) - 1))
    widths = [fmt.width] * 3 + [1, max(1, (count - 1).bit_length()), 2]
    assert evaluate(unit, widths, cases) == expected


def test_codes_are_extended_and_picked():
    signed = evaluate(lambda m, x: extended(parse("int3"), x, 5), [3], [(x,) for x in range(8)])
    assert signed == [0, 1, 2, 3, 28, 29, 30, 31]
    assert evaluate(lambda m, x: extended(parse("uint3"), x, 5), [3], [(x,) for x in range(8)]) == list(range(8))
    cases = [(5, 3, 1), (5, 3, 2), (5, 3, 0)]
    assert evaluate(lambda m, x, y, one: Cat(picked([one[0], one[1]], [x, y])), [3, 3, 2], cases) == [5, 3, 0]
