"""The processing element, cycle by cycle."""

import numpy as np
import pytest
from gateware import clocked

from golden.float_arithmetic import fma
from golden.formats import parse
from rtl.pe import ProcessingElement
from rtl.sums import ExactSums, FusedSums

CONFIGURATIONS = [
    ("uint8", "ternary", 32),
    ("int8", "ternary", 9),
    ("uint1", "ternary", 2),
    ("uint8", "binary", 32),
    ("int2", "binary", 3),
    ("uint8", "int8", 32),
    ("int8", "int8", 16),
    ("uint1", "int8", 8),
]


def played(element, a, w, first):
    """The outputs in each cycle, inputs applied before it: (a_next, w_next, first_next, leaving_n or total)."""
    seen = []

    async def bench(ctx):
        for values in zip(a.tolist(), w.tolist(), first.tolist(), strict=True):
            for port, value in zip((element.a, element.w, element.first), values, strict=True):
                ctx.set(port, value)
            await ctx.tick()
            out = element.leaving_n if element.exit else element.total
            seen.append([ctx.get(port) for port in (element.a_next, element.w_next, element.first_next, out)])

    clocked(element, bench)
    return np.array(seen)


@pytest.mark.parametrize(("activations", "weights", "acc_width"), CONFIGURATIONS)
def test_sums_leave_behind_a_front_and_start_anew(activations, weights, acc_width):
    a, w = parse(activations), parse(weights)
    rng = np.random.default_rng(acc_width)
    cycles = 300
    x, y = rng.integers(0, 1 << a.width, cycles), rng.integers(0, 1 << w.width, cycles)
    x[rng.random(cycles) < 0.2] = (1 << a.width) - 1
    first = (rng.random(cycles) < 0.15).astype(int)
    first[0] = 1
    seen = played(ProcessingElement(sums=ExactSums(a, w, acc_width)), x, y, first)
    assert (seen[:, 0] == x).all() and (seen[:, 1] == y).all() and (seen[:, 2] == first).all()

    ones = (1 << acc_width) - 1
    total = 0  # before the first front it is unknown; the simulator starts at 0
    for t in range(cycles):  # the registers hold cycle t's operands, the sum those before
        assert seen[t, 3] == (ones ^ (total & ones) if first[t] else ones), t
        total = (0 if first[t] else total) + int(a.integers(x[t])) * int(w.integers(y[t]))


def test_without_an_exit_the_sum_shows_at_all_times():
    a, w = parse("uint8"), parse("ternary")
    rng = np.random.default_rng(3)
    x, y, first = rng.integers(0, 256, 100), rng.integers(0, 4, 100), (np.arange(100) % 7 == 0).astype(int)
    seen = played(ProcessingElement(sums=ExactSums(a, w, 12), exit=False), x, y, first)
    products = a.integers(x) * w.integers(y)
    for t in range(1, 100):
        start = (t - 1) // 7 * 7
        assert seen[t, 3] == products[start:t].sum() & 0xFFF


def test_sums_in_floating_point():
    """Rounded in each cycle; an idle pair keeps every sum, that of -0 too; a front gives +0 to begin with."""
    fmt = parse("ieee_e4m3")
    sums, rng, cycles = FusedSums(fmt), np.random.default_rng(0), 400
    x, y = rng.integers(0, 256, cycles), rng.integers(0, 256, cycles)
    first = (rng.random(cycles) < 0.3).astype(int)
    first[0] = 1
    idle = rng.random(cycles) < 0.3
    x[idle], y[idle] = sums.idle
    tiny = rng.random(cycles) < 0.1  # a product that is rounded to -0
    x[tiny], y[tiny] = fmt.sign + 1, 1
    seen = played(ProcessingElement(sums=sums), x, y, first)
    total, zeros = 0, 0
    for t in range(cycles):
        if t:
            assert seen[t, 3] == (255 ^ (total & 255) if first[t] else 255), t
        total = 0 if first[t] else total
        if idle[t] and not tiny[t]:
            zeros += total == fmt.sign
            continue
        total = int(fmt.encode(fma(fmt, *(fmt.decode(np.array([code])) for code in (x[t], y[t], total))))[0])
    assert zeros
