"""The element that counts equal signs, cycle by cycle, and the array's arithmetic around it."""

import numpy as np
import pytest
from test_rtl_pe import played

from rtl.pe import ProcessingElement
from rtl.xnor import CountSums


@pytest.mark.parametrize(("lanes", "count_width"), [(1, 1), (1, 7), (2, 2), (3, 9), (8, 12), (33, 6)])
def test_counts_of_equal_signs_leave_behind_a_front(lanes, count_width):
    rng = np.random.default_rng(lanes)
    cycles, ones = 200, (1 << count_width) - 1
    x, y = (rng.integers(0, 1 << lanes, cycles) for _ in range(2))
    y = np.where(rng.random(cycles) < 0.2, x, y)  # all are equal
    first = (rng.random(cycles) < 0.15).astype(int)
    first[0] = 1
    seen = played(ProcessingElement(sums=CountSums(lanes, count_width)), x, y, first)
    assert (seen[:, 0] == x).all() and (seen[:, 1] == y).all() and (seen[:, 2] == first).all()
    total = lanes  # of the registers, with which the simulator begins
    for t in range(cycles):
        assert seen[t, 3] == (ones ^ (total & ones) if first[t] else ones), t
        total = (0 if first[t] else total) + lanes - int(x[t] ^ y[t]).bit_count()


def test_an_idle_element_counts_nothing():
    element = ProcessingElement(sums=CountSums(5, 8), exit=False)
    x, y = np.zeros(20, int), np.full(20, element.sums.idle[1])
    x[0] = y[0] = 0b10110
    seen = played(element, x, y, (np.arange(20) == 0).astype(int))
    assert element.sums.idle == (0, 0b11111) and (seen[1:, 3] == 5).all()
