"""studies.profile: widths of a network whose errors are known."""

import numpy as np

from studies.layers import Layer
from studies.profile import agreement, overlap, profile, same_choices, width


class Two:
    """Two dense layers of one product each; the output is off by what the first's width leaves, the second is exact."""

    def __init__(self):
        ones = [np.ones((1, 1))]
        self.layers = [Layer(name=name, kind="dense", weights=np.ones((1, 1)), inputs=ones) for name in "pq"]

    def run(self, widths, count=None):
        x = np.linspace(-1, 1, 501)
        off = 2.0 ** -widths[("p", "a")] if ("p", "a") in widths else 0.0
        return [np.stack([x + off, np.zeros(501)], axis=1)[:count]]


def test_the_sensitive_tensor_gets_the_bits():
    widths, share = profile(Two(), same_choices)
    assert widths.pop(("p", "a")) == 6  # 2^-6 moves 3 of 501 choices, 2^-5 would move 7
    assert set(widths.values()) == {2}
    assert share == agreement(Two(), same_choices, {("p", "a"): 6})


def test_widths_follow_errors():
    assert [width(error, 1.0) for error in (0.0, 1.0, 0.5, 0.51, 4.0, 1e9, 1e-9)] == [2, 8, 7, 8, 10, 16, 2]


def test_judges():
    exact = [np.array([[0.1, 0.9], [0.8, 0.2]]), np.array([[1.0, 0.0]])]
    found = [np.array([[0.4, 0.6], [0.1, 0.2]]), np.array([[0.6, 0.5]])]
    assert same_choices(exact, found) == 2 / 3
    assert overlap(exact, found) == 2 / 5  # above 0.3: three before, four after, two of them the same
    assert overlap([np.zeros(3)], [np.zeros(3)]) == 1.0
