"""The element with two sums, cycle by cycle."""

import numpy as np
import pytest
from test_rtl_pe import played

from golden.formats import parse
from rtl.pe import ProcessingElement
from rtl.ttq import TwoSums


@pytest.mark.parametrize(("name", "acc_width"), [("uint8", 20), ("int8", 9), ("uint1", 2), ("int2", 3)])
def test_activations_go_to_the_sum_of_the_weight_s_sign(name, acc_width):
    a, rng = parse(name), np.random.default_rng(acc_width)
    cycles, ones = 300, (1 << acc_width) - 1
    x, y = rng.integers(0, 1 << a.width, cycles), rng.integers(0, 4, cycles)  # 10 is worth 0
    first = (rng.random(cycles) < 0.15).astype(int)
    first[0] = 1
    seen = played(ProcessingElement(sums=TwoSums(a, acc_width)), x, y, first)
    p = n = 0
    for t in range(cycles):
        left = ~int(seen[t, 3]) & ((1 << 2 * acc_width) - 1)
        assert left == ((p & ones) | (n & ones) << acc_width if first[t] else 0), t
        p, n = (0, 0) if first[t] else (p, n)
        value = int(a.integers(x[t]))
        p, n = p + value * (y[t] == 1), n + value * (y[t] == 3)
