"""studies.layers: integers of known reals, and the operands of a layer's GEMM against torch."""

import numpy as np
import pytest
import torch

from golden.errors import InputError
from studies.layers import Layer, quantise, rounded


def test_units_make_the_greatest_magnitude_the_greatest_integer():
    assert quantise(np.array([-1.0, 0.5, 0.0, 1.0]), 8, signed=True).tolist() == [-127, 64, 0, 127]
    assert quantise(np.array([0.0, 0.25, 1.0]), 8, signed=False).tolist() == [0, 64, 255]
    assert quantise(np.array([1.0, -2.0]), 2, signed=True).tolist() == [0, -1]  # a tie goes to the even integer
    assert quantise(np.array([1.0]), 16, signed=False, greatest=2.0).tolist() == [32768]
    assert quantise(np.zeros(3), 8, signed=True).tolist() == [0, 0, 0]


def test_bits_out_of_range():
    for bits, signed, least in ((0, False, 1), (17, False, 1), (1, True, 2)):
        with pytest.raises(InputError) as error:
            quantise(np.ones(1), bits, signed=signed)
        assert str(error.value) == f"bits must be {least} to 16, not {bits}"
    layer = Layer(name="fc", kind="dense", weights=np.ones((2, 3)), inputs=[np.ones((1, 3))])
    with pytest.raises(InputError) as error:
        rounded(layer, 8, 9, 8)
    assert str(error.value) == "widths of fc must be at most the word of 8 bits, not 9 and 8"
    with pytest.raises(InputError) as error:
        Layer(name="fc", kind="dense", weights=np.ones((2, 3)), inputs=[np.ones(3)])
    assert str(error.value) == "inputs of fc must have 2 axes each, not [1]"


@pytest.mark.parametrize("groups", [1, 2])
def test_operands_make_the_convolution(groups):
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((6, 4 // groups, 3, 2))
    inputs = [rng.standard_normal((4, 7, 8)) for _ in range(2)]
    geometry = {"stride": (2, 1), "padding": (1, 2, 0, 1), "groups": groups}
    layer = rounded(Layer(name="c", kind="conv", weights=weights, inputs=inputs, **geometry), 8, 5, 7)
    assert (layer.signed, layer.width_w, layer.width_a) == (True, 5, 7)
    assert max(np.abs(x).max() for x in layer.inputs) == 63 and np.abs(layer.weights).max() == 15
    x = torch.nn.functional.pad(torch.from_numpy(layer.inputs[1]).permute(2, 0, 1), (0, 1, 1, 2)).double()
    w = torch.from_numpy(layer.weights).permute(0, 3, 1, 2).double()
    expected = torch.nn.functional.conv2d(x[None], w, stride=(2, 1), groups=groups)[0]
    assert layer.out == tuple(expected.shape[1:])
    assert layer.gemm == (layer.out[0] * layer.out[1], 4 // groups * 6, 6 // groups)
    assert layer.macs == layer.gemm[0] * 4 // groups * 6 * 6
    at = np.arange(layer.gemm[0])
    for group in range(groups):
        a, b = layer.operands(group, 1, at)
        found = (a @ b).T.reshape(6 // groups, *layer.out)
        assert np.array_equal(found, expected[group * 6 // groups :][: 6 // groups].numpy())
    picked = layer.operands(0, 1, np.array([5, 2]))[0]
    assert np.array_equal(picked, layer.operands(0, 1, at)[0][[5, 2]])


def test_operands_of_a_dense_layer():
    inputs = [np.array([[0.5, 0, 1], [0, 1, 0]])]
    layer = rounded(Layer(name="fc", kind="dense", weights=np.eye(2, 3), inputs=inputs), 8)
    assert (layer.out, layer.gemm, layer.macs, layer.signed) == ((2, 1), (2, 3, 2), 12, False)
    a, w = layer.operands(0, 0, np.array([0]))
    assert a.tolist() == [[128, 0, 255]]
    assert w.tolist() == [[127, 0], [0, 127], [0, 0]]
