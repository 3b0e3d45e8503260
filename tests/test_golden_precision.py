"""Precisions against their definition in Python integers, for every value."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.errors import InputError
from golden.precision import check_precision, group_precision, grouped, plane_weights, planes, value_precision


def bits(value, signed):
    """The fewest bits, by trying: at least one before the sign."""
    least = 1
    while not (-(1 << least) <= value < 1 << least if signed else value < 1 << least):
        least += 1
    return least + signed


@pytest.mark.parametrize("signed", [False, True])
def test_every_value_of_sixteen_bits(signed):
    x = np.arange(-(1 << 15), 1 << 15) if signed else np.arange(1 << 16)
    assert value_precision(x, signed).tolist() == [bits(value, signed) for value in x.tolist()]


def test_zeros_and_minus_one():
    assert value_precision([0, 1, 2, 255, 65535], False).tolist() == [1, 1, 2, 8, 16]
    assert value_precision([0, -1, 1, -2, 2, -3, -128, 127, -32768], True).tolist() == [2, 2, 2, 2, 3, 3, 8, 8, 16]
    groups = [[0, 0, 0], [0, -1, 0], [0, 5, -1], [-9, 0, 0]]
    assert group_precision(groups, True).tolist() == [1, 2, 4, 5]
    assert group_precision([[0, 0], [0, 1], [3, 200]], False).tolist() == [1, 1, 8]


def test_groups_lie_in_storage_order():
    assert grouped(np.arange(6).reshape(2, 3), 4).tolist() == [[0, 1, 2, 3], [4, 5, 0, 0]]
    assert grouped(np.arange(4), 4).tolist() == [[0, 1, 2, 3]]


@given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=1), st.booleans())
def test_planes_add_up(values, signed):
    x = np.array(values) if signed else np.abs(values)
    precision = int(group_precision(x, signed))
    found = planes(x, precision)
    assert found.shape == (len(values), precision) and found.max(initial=0) <= 1
    np.testing.assert_array_equal(found @ plane_weights(precision, signed), x)


def test_a_precision_too_small_is_refused():
    check_precision([3, 0], False, 2)
    check_precision([0, 0], True, 1)
    with pytest.raises(InputError, match="weights holds -3, which needs 3 bits; its precision is 2"):
        check_precision([[1, -3]], True, 2, "weights")
    with pytest.raises(InputError, match="operand holds -1, which needs 2 bits; its precision is 1"):
        check_precision([-1], True, 1)
