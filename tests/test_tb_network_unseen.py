"""A network that nothing was written for, from torch or from QONNX, in Verilog and in C: every result is golden's."""

import numpy as np
import pytest
from c_program import check
from onnx_files import Model, floats
from unseen import assigned, unseen_graph, unseen_images

from golden.formats import Integer, parse
from quant.lower import lower
from quant.qonnx import from_qonnx
from tb.network import run_network

OUTPUTS = {"stem_0": 5, "lrn": 3, "flat": 3, "left_0": 2, "add_1": 3, "mean": 3, "head": 6, "mean_1": 5, "last": 6}
WEIGHTS = {"head": 7, "flat": -1}


def dynamic(lengths):
    """8-bit integers of the integer length that a name has, or of 4."""
    return lambda name: Integer(8, True, lengths.get(name, 4) - 8)


def power(name):
    """Powers of two, with a zero where filters need one."""
    return parse("pow2z_4" if name == "deep" else "pow2_4")


MINI = parse("mini_e4m3")
TREES = {
    "mac_tree_dfp": (dynamic(OUTPUTS), dynamic(WEIGHTS), Integer(16, True, -12)),
    "mac_tree_pow2": (dynamic(OUTPUTS), power, Integer(16, True, -12)),
    "mac_tree_minifloat": (MINI, MINI, MINI),
}
CASES = [
    ("mac_tree_dfp", "exact"),
    pytest.param("mac_tree_pow2", "exact", marks=pytest.mark.long),
    pytest.param("mac_tree_minifloat", "exact", marks=pytest.mark.long),
    pytest.param("mac_tree_minifloat", "fp32x4", marks=pytest.mark.long),
]


@pytest.mark.parametrize(("name", "accumulate"), CASES)
def test_every_layer_runs_on_the_tree_of_its_formats(name, accumulate, tmp_path):
    graph, image = unseen_graph(), unseen_images(1).numpy()
    network = lower(graph, assigned(graph, *TREES[name]), accumulate=accumulate)
    runs = list(run_network(network, image, sim="icarus", lanes=4))
    assert {run.name for run in runs if run.target == name} == {"stem_0", "left_0", "deep", "flat", "head", "last"}
    assert all(run.cycles == run.model for run in runs)
    assert len(np.unique(network.run(unseen_images(20).numpy()), axis=0)) > 5
    assert len(np.unique(check(tmp_path, network))) > 5


def test_a_quantised_file_runs_on_arrays(tmp_path):
    """Of QONNX: a depthwise convolution of binary weights, scales that are no powers of two, a residual and a pool."""
    rng, model = np.random.default_rng(4), Model((2, 6, 6))
    x = model.quant("x", 0.125, 6, name="entry")
    weight = model.add("BipolarQuant", floats(rng, 2, 1, 3, 3), np.float32(0.3), domain="qonnx.custom_op.general")
    model.add("Conv", x, weight, group=2, pads=[1, 1, 1, 1], name="deep")
    y = model.quant(..., 0.125, 6, name="rounded")
    model.add("Add", x, y)
    model.add("Relu")
    model.quant(..., 0.21, 4, signed=0, name="sum")
    model.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    x = model.add("Flatten")
    model.add("Gemm", x, model.quant(floats(rng, 5, 18), 0.07, 4), floats(rng, 5), transB=1, name="last")
    network = from_qonnx(model.save(tmp_path / "q.onnx"))
    fmt = network.tensors[network.input].format
    inputs = rng.integers(fmt.lo, fmt.hi + 1, (2, 2, 6, 6)).astype(fmt.dtype)
    runs = list(run_network(network, inputs, sim="icarus", rows=4, cols=3))
    found = {run.name: run.target for run in runs}
    assert found.items() >= {"deep": "ternary_gemm", "rounded": "requant", "last": "int8_gemm"}.items()
    assert all(run.cycles == run.model for run in runs) and len(np.unique(network.run(inputs))) > 5
