import math

import numpy as np
import pytest

from golden.formats import parse
from quant.tally import Tally, decibels, span


def test_counts_over_several_arrays():
    tally = Tally(parse("int4e-1"))  # -4 to 3.5 in halves
    tally.add(np.array([[0.0, 0.2, 0.25], [-4.0, 3.5, 3.6]]))
    tally.add(np.array([-4.1, 1.0]))
    tally.add(np.array([]))
    assert (tally.count, tally.saturated, tally.zero, tally.least, tally.most) == (8, 2, 3, -4.1, 3.6)  # 0.25 is a tie, to 0
    assert tally.signal == pytest.approx(0.2**2 + 0.25**2 + 4**2 + 3.5**2 + 3.6**2 + 4.1**2 + 1)
    assert tally.noise == pytest.approx(0.2**2 + 0.25**2 + 0.1**2 + 0.1**2)
    assert tally.histogram == {-3: 1, -2: 1, 0: 1, 1: 2, 2: 2}


def test_figures():
    tally = Tally(parse("int4e-1"))
    tally.add(np.array([3.0, 0.0, 9.0, -1.0]))
    assert tally.figures() == {
        "format": "int4e-1",
        "width": 4,
        "range": [-1.0, 9.0],
        "saturated": 0.25,
        "zero": 0.25,
        "sqnr_db": pytest.approx(10 * math.log10(91 / 5.5**2)),
        "histogram": {"0": 0.25, "1": 0.25, "3": 0.25},
        "span": [0.5, 4.0],
    }


def test_signal_to_noise_of_uniform_numbers_is_six_decibels_a_bit():
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000)
    for width in (4, 8):
        tally = Tally(parse(f"int{width}"))
        steps = 2**width - 1  # from -hi - 1/2 to hi + 1/2, with hi = 2**(width - 1) - 1
        tally.add(x * steps)
        assert tally.figures()["sqnr_db"] == pytest.approx(20 * math.log10(steps), abs=0.05)


def test_powers_of_two_have_no_zero():
    tally = Tally(parse("pow2_4"))
    tally.add(np.array([0.0, 1e-9, 0.5, 0.6]))
    assert (tally.zero, tally.saturated) == (0, 1)


def test_nothing_lost_has_no_noise():
    assert decibels(4.0, 0.0) is None and decibels(0.0, 0.0) is None
    assert decibels(100.0, 1.0) == pytest.approx(20)


@pytest.mark.parametrize(
    "name, ends",
    [
        ("int8e-7", (2**-7, 1)),
        ("uint4e-2", (0.25, 3.75)),
        ("pow2_4", (2**-8, 0.5)),
        ("mini_e4m3", (2**-7 * 1.125, 480)),
        ("mini_e4m0", (2**-6, 256)),
    ],
)
def test_span(name, ends):
    assert span(parse(name)) == ends
