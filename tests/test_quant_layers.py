from dataclasses import replace

import numpy as np
import pytest
import torch

from golden.conv import lower, lower_weights, raise_
from golden.errors import InputError
from golden.formats import Integer
from golden.gemm import GemmSpec, gemm
from golden.pool import max_pool
from golden.requant import requant
from golden.window import Window
from quant.layers import Layer, Stage, exact
from quant.models import PIXEL, PIXEL_UNIT
from quant.quantisers import WEIGHTS

CONV = Layer(name="c", kind="conv", n=3, m=6, k=3, s=2, pad=1, h=13, pool=2)


def stage(layer, scheme="ternary", seed=0):
    """A stage with statistics of a few random batches, some gains negative and one zero."""
    torch.manual_seed(seed)
    made = Stage(layer, WEIGHTS[scheme])
    with torch.no_grad():
        if made.norm is None:
            made.bias.normal_()
        else:
            made.norm.weight.normal_()
            made.norm.weight[0] = 0
            made.norm.bias.normal_()
    for _ in range(20):
        made(pixels(layer, 16).float() * PIXEL_UNIT)
    return made.eval()


def pixels(layer, count):
    shape = (count, layer.n, layer.h, layer.h) if layer.kind == "conv" else (count, layer.n)
    return torch.randint(256, shape, dtype=torch.uint8)


@pytest.mark.parametrize("scheme", WEIGHTS)
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("relu", [True, False])
def test_steps_are_goldens_arithmetic(scheme, norm, relu):
    made = stage(replace(CONV, norm=norm, relu=relu), scheme)
    x = pixels(CONV, 5)
    sums, requantised, pooled = (found.numpy() for _, found in made.steps(x.double(), PIXEL_UNIT))
    exported = made.exported(PIXEL_UNIT)
    window = Window(kernel=3, stride=2, padding=1)
    spec = GemmSpec(a=PIXEL, w=WEIGHTS[scheme].format, k=27)
    expected = gemm(spec, lower(window, x.numpy()), lower_weights(exported.weights.numpy()))
    expected = raise_(expected, window.size(13, 13))
    assert np.array_equal(sums, expected)
    expected = requant(exported.requant[0], expected, *exported.requant[1:], axis=1)
    assert np.array_equal(requantised, expected)
    assert np.array_equal(pooled, max_pool(Window(kernel=2, stride=2), expected))
    assert exported.requant[0].y == Integer(8, signed=not relu)
    assert len(np.unique(requantised)) > 50


@pytest.mark.parametrize("norm", [True, False])
def test_integers_follow_the_reals_they_stand_for(norm):
    layer = Layer(name="d", kind="fc", n=40, m=12, norm=norm, relu=False)
    made = stage(layer, "int8")
    x = pixels(layer, 200)
    *_, (_, found) = made.steps(x.double(), PIXEL_UNIT)
    with torch.no_grad():
        reals = made(x.float() * PIXEL_UNIT)
    # the fold rounds m to 16 bits: a rare neighbour, never more
    steps = (found - reals.double() / made.unit).abs()
    assert steps.max() < 1.01 and (steps < 0.01).double().mean() > 0.99


def test_last_layer_gives_its_sums():
    layer = Layer(name="d", kind="fc", n=40, m=10, last=True)
    torch.manual_seed(0)
    made = Stage(layer, WEIGHTS["ternary"])
    x = pixels(layer, 7)
    ((name, sums),) = made.steps(x.double(), PIXEL_UNIT)
    exported = made.exported(PIXEL_UNIT)
    assert name == "d" and exported.requant is None
    assert torch.equal(sums, (x.long() @ exported.weights.T).double())
    with torch.no_grad():
        torch.testing.assert_close(made(x.float() * PIXEL_UNIT), (sums * exported.unit).float(), rtol=1e-4, atol=1e-4)


def test_float_layers_and_broken_statistics_are_not_exported():
    with pytest.raises(InputError, match="layer c is float and cannot be exported"):
        Stage(CONV).exported(PIXEL_UNIT)
    made = stage(CONV)
    made.norm.weight.data[2] = float("nan")
    with pytest.raises(InputError, match="scale and offset must be finite"):
        made.exported(PIXEL_UNIT)


def test_sums_beyond_float64_are_refused():
    assert exact(torch.tensor([2.0**53 - 1], dtype=torch.float64), "x") == 2.0**53 - 1
    for value in (2.0**53, -(2.0**53), float("nan")):
        with pytest.raises(InputError, match=r"sums of conv9 reach .*; float64 is exact below 2\^53"):
            exact(torch.tensor([1.0, value], dtype=torch.float64), "conv9")
