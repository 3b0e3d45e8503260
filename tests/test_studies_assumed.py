"""studies.assumed: drawn numbers have the shapes and shares that were asked for, resampled ones are of their source."""

import numpy as np
import pytest

from golden.layer_tables import Row
from studies.assumed import Independent, independent, resampled, usable
from studies.layers import Layer, rounded
from studies.speed import layer_cycles, sample

ROW = Row(name="c", kind="conv", n=32, m=700, k=3, pad=1, h=10, w=10)
ASSUMPTION = Independent(zeros=0.25, peak_a=4.0, peak_w=4.0, word=8, width_a=8, width_w=6)


def test_independent_numbers():
    found = independent(ROW, ASSUMPTION, 0, first=False)
    a, real, w = found.blocks[0]
    assert (a.shape, w.shape) == ((7, 16, 288), (288, 128))
    assert real.tolist() == [16] * 6 + [4]  # 100 windows
    inside = a[np.arange(16) < real[:, None]]
    assert not a[6, 4:].any()
    assert (inside == 0).mean() == pytest.approx(0.25 + 0.75 * 0.0063, abs=0.01)  # half-normal, below half a unit
    assert (inside.min(), inside.max(), np.abs(w).max()) == (0, 255, 31)
    assert np.sqrt((inside[inside > 0] ** 2.0).mean()) == pytest.approx(255 / 4, rel=0.02)
    assert w.std() == pytest.approx(31 / 4, rel=0.02)
    assert np.array_equal(a, independent(ROW, ASSUMPTION, 0, first=False).blocks[0][0])
    assert not np.array_equal(a, independent(ROW, ASSUMPTION, 1, first=False).blocks[0][0])
    pixels = independent(ROW, ASSUMPTION, 0, first=True).blocks[0][0]
    assert pixels[:6].mean() == pytest.approx(127.5, rel=0.02)
    assert layer_cycles(found)["parallel"] == 100 * 18 * 44


def source(value, signed=False):
    """A layer all of whose activations are `value` in units of 1, but for one."""
    x = np.full((40, 4, 8), float(value))
    x[0, 0, 0] = -255 if signed else 255
    layer = Layer(name="s", kind="conv", weights=np.full((20, 40, 1, 1), -1.0), inputs=[x])
    return sample(rounded(layer, 8))


def test_resampled_numbers_are_of_one_source():
    sources = [source(value) for value in (1, 2, 3)]
    found = resampled(ROW, sources, 0)
    a, real, w = found.blocks[0]
    assert (a.shape, w.shape, real.tolist()) == ((7, 16, 288), (288, 128), [16] * 6 + [4])
    (value,) = set(np.unique(a)) - {0, 255}
    assert value in (1, 2, 3)
    assert not a[6, 4:].any() and a[:6].all() and (w == -127).all()
    assert (found.word, found.precision_a, found.precision_w, found.gemm) == (8, 8, 8, (100, 288, 700))
    others = {int(np.median(resampled(ROW, sources, seed).blocks[0][0])) for seed in range(20)}
    assert others == {1, 2, 3}


def test_what_can_be_resampled():
    assert usable(source(1))
    assert not usable(source(1, signed=True))
    small = Layer(name="s", kind="conv", weights=np.ones((20, 15, 1, 1)), inputs=[np.ones((15, 4, 4))])
    assert not usable(sample(rounded(small, 8)))
    few = Layer(name="s", kind="conv", weights=np.ones((15, 16, 1, 1)), inputs=[np.ones((16, 4, 4))])
    assert not usable(sample(rounded(few, 8)))
    narrow = Layer(name="s", kind="conv", weights=np.ones((16, 16, 1, 1)), inputs=[np.ones((16, 3, 5))])
    assert not usable(sample(rounded(narrow, 8)))
