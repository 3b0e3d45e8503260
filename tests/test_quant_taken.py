from types import SimpleNamespace

import numpy as np
import pytest
import torch
from onnx_files import Model, floats

from golden.errors import InputError
from quant.files import Samples
from quant.plan import Plan
from quant.plots import plots
from quant.qonnx import from_qonnx
from quant.report import markdown, text
from quant.taken import integers, taken


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """Two dense layers of quantised weights and activations; of an input in units of 1/8."""
    rng = np.random.default_rng(1)
    model = Model((6,))
    x = model.quant("x", 0.125, 6)
    w = model.quant(model.constant(floats(rng, 6, 5)), 0.25, 4)
    model.add("MatMul", x, w)
    model.add("Relu")
    y = model.quant(..., 0.5, 5, signed=0)
    w = model.quant(model.constant(floats(rng, 5, 3)), 0.25, 3)
    model.add("MatMul", y, w)
    return from_qonnx(model.save(tmp_path_factory.mktemp("taken") / "q.onnx"))


def data(x, labels):
    return SimpleNamespace(test=Samples(torch.as_tensor(x), torch.as_tensor(labels)))


def test_inputs_are_rounded_to_the_units_of_the_network(network):
    reals = torch.tensor([[0.0, 0.06, 0.07, -9.0, 9.0, 0.3125]])
    assert integers(network, reals, 1.0).tolist() == [[0, 0, 1, -32, 31, 2]]
    pixels = torch.tensor([[0, 1, 2, 3, 128, 255]], dtype=torch.uint8)
    assert integers(network, pixels, 1 / 16).tolist() == [[0, 0, 1, 2, 31, 31]]  # 3/16 is a tie, to even


def test_figures_are_golden_s(network):
    x = np.random.default_rng(2).normal(size=(50, 6)).astype(np.float32)
    logits = network.run(integers(network, torch.tensor(x), 1.0))
    labels = np.argmax(logits, axis=1)
    labels[:10] = (labels[:10] + 1) % 3
    figures = taken(network, data(x, labels), Plan(lanes=4), name="q")
    assert figures["test"]["test"] == 0.8 and figures["held_out"] is None
    first, rounded, second = figures["layers"]
    assert (first["k"], first["macs"], first["cycles"]) == (6, 30, 5 * 2 + 5)
    assert first["weights"]["bits"] == 30 * 4 and "outputs" not in first
    assert (rounded["op"], rounded["outputs"]["count"], rounded["outputs"]["bits"]) == ("requant", 5, 25)
    assert "outputs" not in second and second["weights"]["format"] == "int3"
    weights = next(p for p in network.parameters.values() if p.format is not None and p.values.shape == (3, 5))
    assert second["weights"]["zero"] == np.mean(weights.values == 0)
    assert figures["totals"]["weights_bits"] == 30 * 4 + 15 * 3


def test_zeros_that_are_no_weights_are_left_out(tmp_path):
    """A depthwise convolution: a weight in two of the filters is 0 too."""
    model, weight = Model((2, 4, 4)), np.ones((2, 1, 3, 3), np.float32)
    weight[0, 0, 0] = 0
    x = model.quant("x", 0.125, 6)
    model.add("Conv", x, model.quant(weight, 0.25, 4), group=2, pads=[1, 1, 1, 1])
    model.quant(..., 0.5, 5)
    depthwise = from_qonnx(model.save(tmp_path / "q.onnx"))
    x = np.random.default_rng(2).normal(size=(5, 2, 4, 4)).astype(np.float32)
    conv = taken(depthwise, data(x, [0] * 5), Plan(lanes=4))["layers"][0]
    assert (conv["k"], conv["macs"], conv["cycles"]) == (18, 32 * 9, 32 * 5 + 5)
    assert (conv["weights"]["count"], conv["weights"]["bits"], conv["weights"]["zero"]) == (18, 18 * 4, 3 / 18)


def test_the_report_leaves_out_what_is_not_known(network, tmp_path):
    x = np.zeros((3, 6), np.float32)
    figures = taken(network, data(x, [0, 0, 0]), Plan(), name="q")
    assert text(figures).startswith("q, as it is: ")
    assert "margin" not in text(figures) and "SQNR" in text(figures) and "dB" not in text(figures)
    assert "by golden" in markdown(figures)
    assert [path.name for path, _ in plots(figures, tmp_path)] == ["weights.png", "outputs.png"]


def test_refused_data(network):
    with pytest.raises(InputError, match=r"^the network takes inputs of \[6\], the data are \[5\]$"):
        taken(network, data(np.zeros((2, 5), np.float32), [0, 0]), Plan())
    with pytest.raises(InputError, match="^the data have no test images$"):
        taken(network, data(np.zeros((0, 6), np.float32), np.zeros(0, int)), Plan())
    with pytest.raises(InputError, match="^labels must be 0 to 2, as the network has classes, not 3$"):
        taken(network, data(np.zeros((2, 6), np.float32), [0, 3]), Plan())
