"""studies.speed: cycles of samples that are whole layers against golden's models, bounds by hand."""

import numpy as np
import pytest

from golden.bitserial import TileShape, dynamic_stripes_cycles, loom_cycles, parallel_cycles, stripes_cycles
from studies.layers import Layer, rounded
from studies.speed import Sample, layer_cycles, sample


def layer(rows=None, word=8, groups=1):
    """A convolution with 5 x 4 windows, or a dense layer with `rows`."""
    rng = np.random.default_rng(5)
    x = np.maximum(rng.standard_normal((1, 12, 7, 6)) * rng.random((1, 12, 1, 1)), 0)
    if rows is not None:
        x = x.reshape(1, -1)[:, : rows * 200].reshape(1, rows, -1)
        return rounded(Layer(name="d", kind="dense", weights=rng.standard_normal((70, 200)), inputs=list(x)), word)
    weights = rng.standard_normal((18, 12 // groups, 3, 3)) * np.exp(rng.standard_normal((18, 12 // groups, 1, 1)))
    return rounded(Layer(name="c", kind="conv", weights=weights, inputs=list(x), groups=groups), word)


@pytest.mark.parametrize("word", [8, 16])
@pytest.mark.parametrize("rows", [None, 1])
def test_cycles_are_those_of_the_models_but_for_filling_and_draining(word, rows):
    whole = layer(rows, word)
    windows, depth, filters = whole.gemm
    a, w = whole.operands(0, 0, np.arange(windows))
    found = layer_cycles(sample(whole))
    dense = rows == 1
    serial, square = (TileShape(filters=count, windows=word, dense=dense) for count in (16, word))
    exact = {
        "parallel": parallel_cycles(TileShape(windows=1), windows, depth, filters),
        "loom_parallel": parallel_cycles(TileShape(filters=1, windows=1), windows, depth, filters),
        "stripes": stripes_cycles(serial, windows, depth, filters, word),
        "dynamic": dynamic_stripes_cycles(serial, a, filters, False),
        "ahead_16_1": dynamic_stripes_cycles(serial, a, filters, False, groups=1 if dense else word, run_ahead=1),
        "loom_1": loom_cycles(square, a, w, False),
    }
    for name, cycles in exact.items():
        assert 0 < cycles - found[name] <= 4 + 2 * word, name


def test_bounds_of_a_layer_by_hand():
    a = np.zeros((1, 16, 32), np.int32)
    a[0, :, :16], a[0, 3, 0] = 1, 200  # in the first pass one window needs 8 bits and the others 1; in the second, 1
    w = np.zeros((32, 4), np.int32)
    w[:, 0] = 3  # 3 bits in two's complement, and 0 has 2, but a group of zeros 1
    whole = Sample(
        word=8, signed=False, precision_a=8, precision_w=3, gemm=(16, 32, 4), groups=1, blocks=[(a, np.array([16]), w)]
    )
    found = layer_cycles(whole)
    assert found["parallel"] == 16 * 2 * 1
    assert found["of_layer"] == 32
    assert found["of_tile"] == 32 / 8 * ((8 + 1) / 2 + 1) / 2  # tiles of 8 windows: the second has 1 bit throughout
    assert found["of_group"] == pytest.approx(32 / 8 * ((8 + 15) / 16 + 1) / 2)
    assert found["of_value"] == pytest.approx(32 / 8 * (1 + 7 / 512))
    assert found["stripes"] == 2 * 16
    assert found["dynamic_work"] == 9 + 2
    assert found["dynamic"] == 9 + 8  # the sums of 8 windows leave
    assert found["loom_parallel"] == 16 * 2 * 4
    assert found["loom_1"] == 27 + 8
    assert found["loom_of_group"] == pytest.approx(128 / 64 * ((8 + 15) / 16 + 1) / 2 * (3 + 3) / 4)
    assert found["loom_of_value"] == pytest.approx(128 / 64 * (1 + 7 / 512) * (3 + 2 * 3) / 4)


def test_groups_of_filters_take_their_cycles_one_after_the_other():
    whole = layer(groups=6)
    found = layer_cycles(sample(whole))
    assert found["parallel"] == 6 * 20 * 2 * 1
    assert found["stripes"] == 6 * 3 * 2 * 8  # 20 windows are 3 tiles of 8


def test_a_sample_is_a_sample():
    rng = np.random.default_rng(1)
    inputs = [np.abs(rng.standard_normal((3, 40, 40))) for _ in range(3)]
    whole = rounded(Layer(name="c", kind="conv", weights=rng.standard_normal((600, 3, 1, 1)), inputs=inputs), 8)
    found = sample(whole)
    (a, real, w), *others = found.blocks
    assert others == []
    assert a.shape == (48, 16, 3) and w.shape == (3, 512) and (real == 16).all()
    assert np.array_equal(a[0], whole.inputs[0].reshape(-1, 3)[:16])
    assert np.array_equal(a[-1], whole.inputs[2].reshape(-1, 3)[-16:])
