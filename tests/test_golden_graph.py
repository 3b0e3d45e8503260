"""Tensors and parameters keep what they were given, and refuse what they cannot be."""

import numpy as np
import pytest

from golden.errors import InputError
from golden.formats import parse
from golden.graph import Parameter, Tensor


def test_a_format_may_be_given_by_name():
    assert Tensor("uint8", [1, 28, 28], 1) == Tensor(parse("uint8"), (1, 28, 28), 1.0)
    assert str(Tensor("int8e-3", (10,))) == "int8e-3 [10]"


@pytest.mark.parametrize(
    ("format", "shape", "unit", "message"),
    [
        ("float8", (1,), None, "no number format is called 'float8'"),
        ("uint8", (), None, r"shape of a sample must be .* not \(\)"),
        ("uint8", (2, 3), None, r"not \(2, 3\)"),
        ("uint8", (0,), None, r"not \(0,\)"),
        ("uint8", (1.5,), None, r"not \(1.5,\)"),
        ("uint8", 7, None, "not 7"),
        ("uint8", (True,), None, "not"),
        ("uint8", (7,), 0, "unit must be a finite number above 0 or null, not 0"),
        ("uint8", (7,), float("nan"), "unit must be .* not nan"),
        ("uint8", (7,), float("inf"), "unit must be .* not inf"),
        ("uint8", (7,), "1/255", "unit must be .* not '1/255'"),
    ],
)
def test_tensors_that_cannot_be_are_refused(format, shape, unit, message):
    with pytest.raises(InputError, match=message):
        Tensor(format, shape, unit)


@pytest.mark.parametrize(("format", "dtype"), [("ternary", np.int8), ("uint9", np.uint16), (None, np.int64)])
def test_parameters_are_narrow_copies_that_nothing_can_change(format, dtype):
    given = np.array([[1, 0], [1, 1]])
    parameter = Parameter(format, given)
    given[0, 0] = 0
    assert parameter.values.tolist() == [[1, 0], [1, 1]] and parameter.values.dtype == dtype
    with pytest.raises(ValueError, match="read-only"):
        parameter.values[0, 0] = 0


@pytest.mark.parametrize(
    ("format", "values", "message"),
    [
        ("ternary", [2], "a parameter holds 2, which ternary"),
        ("binary", [0], "a parameter holds 0, which binary"),
        ("int8", [1.0], "a parameter must be an array of integers, not float64"),
        (None, [1.0], "a parameter must be an array of integers, not float64"),
        (None, np.array([1 << 63], np.uint64), "a parameter holds 9223372036854775808, which int64 "),
    ],
)
def test_parameters_out_of_range_are_refused(format, values, message):
    with pytest.raises(InputError, match=message):
        Parameter(format, values)
