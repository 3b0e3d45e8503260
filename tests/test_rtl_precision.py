"""Detectors against golden's rule: every value of small widths, groups of large ones."""

from itertools import product

import numpy as np
import pytest
from amaranth import Cat
from amaranth.sim import Simulator
from gateware import evaluate

from golden.bitserial import trailing_planes
from golden.formats import Integer
from golden.precision import group_precision
from rtl.precision import PrecisionDetector, decoded, index_bits


def found(fmt, groups, digit=1, trim=False):
    """What the detector says of groups of codes: top, and with `trim` low."""
    detector = PrecisionDetector(fmt=fmt, count=len(groups[0]), digit=digit, trim=trim)
    width, seen = fmt.width - detector.skipped, []

    async def bench(ctx):
        for codes in groups:
            ctx.set(detector.x.as_value(), sum(int(c) >> detector.skipped << i * width for i, c in enumerate(codes)))
            seen.append((ctx.get(detector.top), ctx.get(detector.low) if trim else 0))

    simulator = Simulator(detector)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(seen).T


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [2, 3, 5])
@pytest.mark.parametrize("digit", [1, 2, 4])
def test_all_pairs_of_small_numbers(width, signed, digit):
    if digit >= width:
        width = digit + 1
    fmt = Integer(width, signed)
    groups = list(product(range(1 << width), repeat=2))
    values = fmt.integers(np.array(groups))
    top, _ = found(fmt, groups, digit)
    assert top.tolist() == (-(-group_precision(values, signed) // digit) - 1).tolist()
    if digit == 1:
        top, low = found(fmt, groups, trim=True)
        assert top.tolist() == (group_precision(values, signed) - 1).tolist()
        assert low.tolist() == trailing_planes(values).tolist()


@pytest.mark.parametrize("signed", [False, True])
def test_groups_of_sixteen_bits(signed):
    rng = np.random.default_rng(1)
    fmt = Integer(16, signed)
    values = rng.integers(fmt.lo, fmt.hi, (400, 9), endpoint=True) >> rng.integers(0, 16, (400, 1))
    values = values << rng.integers(0, 6, (400, 1)) & fmt.hi | values & fmt.lo
    values[rng.random((400, 9)) < 0.6] = 0
    top, low = found(fmt, fmt.codes(values).tolist(), trim=True)
    assert top.tolist() == (group_precision(values, signed) - 1).tolist() and len(set(top.tolist())) > 12
    assert low.tolist() == trailing_planes(values).tolist() and len(set(low.tolist())) > 4


def test_an_index_decoded():
    codes = evaluate(lambda m, x: Cat(decoded(m, x, 5, f"at_{id(x)}")), [3], [(x,) for x in range(8)])
    assert codes == [1, 2, 4, 8, 16, 0, 0, 0]
    assert [index_bits(n) for n in (1, 2, 3, 4, 5, 16, 17)] == [0, 1, 2, 2, 3, 4, 5]
