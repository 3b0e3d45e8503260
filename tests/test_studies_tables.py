"""studies.tables: means, errors, and what counts as apart."""

import math

import pytest

from studies.tables import apart, counted, mean, over, percent, plain, spread, table


def test_spread_of_three():
    found = spread([0.9, 0.92, 0.94])
    assert found["runs"] == [0.9, 0.92, 0.94] and found["mean"] == pytest.approx(0.92)
    assert found["deviation"] == pytest.approx(0.02) and found["error"] == pytest.approx(0.02 / math.sqrt(3))
    assert mean(found) == "92.00% ± 2.00%"


def test_one_value_has_no_spread():
    found = spread([0.5])
    assert found == {"runs": [0.5], "mean": 0.5, "deviation": None, "error": None} and mean(found) == "50.00%"
    assert not apart(found, spread([0.9]))


def test_apart_is_more_than_two_errors_of_the_difference():
    a = spread([0.0, 2.0])  # an error of 1
    for distance, expected in ((2.8, False), (2.9, True), (-2.8, False), (-2.9, True)):
        assert apart(a, spread([distance, 2 + distance])) is expected


def test_over_seeds():
    assert over({0: {"test": 0.5}, 3: {"test": 0.7}}, "test")["runs"] == [0.5, 0.7]


def test_tables_and_numbers():
    assert table(["a", "b"], [["x", 1], ["y", plain(1234.56)]]) == "| a | b |\n| --- | ---: |\n| x | 1 |\n| y | 1,234.6 |\n"
    assert percent(0.98765) == "98.77%" and plain(1e6, 0) == "1,000,000"
    assert counted(1, "epoch") == "1 epoch" and counted(2000, "epoch") == "2,000 epochs"
