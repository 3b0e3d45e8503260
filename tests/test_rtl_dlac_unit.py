"""Units: comparison over all pairs, results and latency."""

import itertools

import numpy as np
import pytest
from gateware import clocked, evaluate

from golden.float_arithmetic import add, fma
from golden.formats import parse
from rtl.dlac_unit import Greater, Unit


@pytest.mark.parametrize("name", ["ieee_e3m2", "e2m3", "ieee_e3m2_ftz"])
def test_greater(name):
    fmt = parse(name)
    codes = range(1 << fmt.width)
    pairs = list(itertools.product(codes, codes))
    numbers = fmt.decode(np.array(pairs))

    def unit(m, x, y):
        greater = Greater(fmt)
        m.submodules += greater
        m.d.comb += [greater.x.eq(x), greater.y.eq(y)]
        return greater.r

    found = evaluate(unit, (fmt.width, fmt.width), pairs)
    assert np.array_equal(found, numbers[:, 0] > numbers[:, 1])


@pytest.mark.parametrize("multiplies", [False, True])
@pytest.mark.parametrize("latency", [2, 3, 5])
def test_a_result_a_cycle(multiplies, latency):
    fmt, rng = parse("ieee_e4m3"), np.random.default_rng(3)
    unit = Unit(fmt=fmt, multiplies=multiplies, latency=latency)
    codes = rng.integers(0, 256, (200, 3))
    x, y, z = fmt.decode(codes).T
    expected = fmt.encode(fma(fmt, x, y, z) if multiplies else add(fmt, x, z))
    found = []

    async def bench(ctx):
        for t in range(len(codes) + latency - 1):
            for key, code in zip("xyz", codes[min(t, len(codes) - 1)]):
                if hasattr(unit, key):
                    ctx.set(getattr(unit, key), int(code))
            if t >= latency - 1:
                found.append(ctx.get(unit.result))
            await ctx.tick()

    clocked(unit, bench)
    assert np.array_equal(found, expected)
