"""The processing element, cycle by cycle."""

import numpy as np
import pytest
from gateware import played

from golden.formats import parse
from rtl.pe import ProcessingElement

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


@pytest.mark.parametrize(("activations", "weights", "acc_width"), CONFIGURATIONS)
def test_sums_leave_behind_a_front_and_start_anew(activations, weights, acc_width):
    a, w = parse(activations), parse(weights)
    rng = np.random.default_rng(acc_width)
    cycles = 300
    x, y = rng.integers(0, 1 << a.width, cycles), rng.integers(0, 1 << w.width, cycles)
    x[rng.random(cycles) < 0.2] = (1 << a.width) - 1
    first = (rng.random(cycles) < 0.15).astype(int)
    first[0] = 1
    seen = played(ProcessingElement(a=a, w=w, acc_width=acc_width), x, y, first)
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
    seen = played(ProcessingElement(a=a, w=w, acc_width=12, exit=False), x, y, first)
    products = a.integers(x) * w.integers(y)
    for t in range(1, 100):
        start = (t - 1) // 7 * 7
        assert seen[t, 3] == products[start:t].sum() & 0xFFF
