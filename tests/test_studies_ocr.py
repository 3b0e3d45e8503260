"""studies.ocr: an ONNX network is looked into and rounded as torch computes it; the package's networks are there."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import studies.ocr
from golden.errors import InputError
from studies.ocr import FILES, OnnxNetwork, folder, same

F = torch.nn.functional
RNG = np.random.default_rng(8)
WEIGHTS = {
    "c": RNG.standard_normal((4, 3, 2, 2)),
    "d": RNG.standard_normal((4, 1, 3, 3)),
    "t": RNG.standard_normal((4, 5, 2, 2)),
    "s": RNG.standard_normal((6, 5, 1, 1)),
    "m": RNG.standard_normal((6, 3)),
}
WEIGHTS = {name: x.astype(np.float32) for name, x in WEIGHTS.items()}


def written(path, transposed=(2, 2)):
    """A network with each kind of node that is read, and one product of two activations, which is not."""
    make = helper.make_node
    depthwise = {"strides": [2, 1], "pads": [1, 0, 1, 2], "group": 4}
    nodes = [
        make("Identity", ["c"], ["c_same"]),
        make("Conv", ["x", "c_same"], ["y1"], name="first", strides=[1, 1], auto_pad="SAME_UPPER"),
        make("Relu", ["y1"], ["y2"]),
        make("Conv", ["y2", "d"], ["y3"], name="depth", **depthwise),
        make("ConvTranspose", ["y3", "t"], ["y4"], name="up", strides=list(transposed)),
        make("GlobalAveragePool", ["y4"], ["y5"]),
        make("Conv", ["y5", "s"], ["y6"], name="squeeze", strides=[1, 1], pads=[0, 0, 0, 0]),
        make("Flatten", ["y6"], ["y7"]),
        make("Constant", [], ["m_value"], value=numpy_helper.from_array(WEIGHTS["m"])),
        make("MatMul", ["y7", "m_value"], ["y8"], name="last"),
        make("Transpose", ["y8"], ["y9"], perm=[1, 0]),
        make("MatMul", ["y9", "y8"], ["y"], name="outer"),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 5])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 3])]
    known = [numpy_helper.from_array(x, name) for name, x in WEIGHTS.items() if name != "m"]
    graph = helper.make_graph(nodes, "g", inputs, outputs, known)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=8), path)
    return path


def expected(image, change=lambda name, x: x):
    """Inputs of the layers and the output, with weights and inputs as `change` returns them."""
    w = {name: torch.from_numpy(change(f"{name}.w", x)) for name, x in WEIGHTS.items()}
    seen = {}

    def into(name, x):
        seen[name] = x.numpy()
        return torch.from_numpy(change(f"{name}.a", x.numpy()))

    x = F.conv2d(F.pad(into("c", torch.from_numpy(image)[None]), (0, 1, 0, 1)), w["c"]).relu()
    x = F.conv2d(F.pad(into("d", x), (0, 2, 1, 1)), w["d"], stride=(2, 1), groups=4)
    x = F.conv_transpose2d(into("t", x), w["t"], stride=2).mean((2, 3), keepdim=True)
    x = F.conv2d(into("s", x), w["s"]).flatten(1)
    y = into("m", x) @ w["m"]
    return seen, (y.T @ y).numpy()


def test_layers_inputs_and_rounding(tmp_path):
    images = [RNG.standard_normal((3, 6, 5)).astype(np.float32) for _ in range(2)]
    net = OnnxNetwork(written(tmp_path / "net.onnx"), images)
    assert [(layer.name, layer.kind) for layer in net.layers] == [
        ("first", "conv"),
        ("depth", "conv"),
        ("up", "conv"),
        ("squeeze", "dense"),
        ("last", "dense"),
    ]
    assert (net.layers[0].padding, net.layers[0].stride) == ((0, 1, 0, 1), (1, 1))
    assert (net.layers[1].padding, net.layers[1].stride, net.layers[1].groups) == ((1, 1, 0, 2), (2, 1), 4)
    seen, y = expected(images[1])
    for layer, name in zip(net.layers, WEIGHTS, strict=True):
        assert np.allclose(layer.inputs[1], seen[name].reshape(layer.inputs[1].shape), atol=1e-5)
    assert np.allclose(net.run({})[1], y, atol=1e-4)
    assert len(net.run({}, 1)) == 1
    assert np.array_equal(net.layers[4].weights, WEIGHTS["m"].T)
    up = net.layers[2]  # each pixel makes two by two, of five channels
    assert up.weights.shape == (20, 4, 1, 1)
    assert np.array_equal(up.weights[:, 1, 0, 0], WEIGHTS["t"][1].ravel())

    greatest = max(np.abs(x).max() for x in net.layers[1].inputs)
    units = {"c.w": np.abs(WEIGHTS["c"]).max() / 7, "d.a": greatest / 15}  # 4 bits, with and without a sign
    rounded = expected(images[1], lambda name, x: (np.rint(x / units[name]) * units[name]) if name in units else x)[1]
    found = net.run({("first", "w"): 4, ("depth", "a"): 4})[1]
    assert np.allclose(found, rounded, atol=1e-4) and not np.allclose(found, y, atol=1e-2)


def test_a_transposed_convolution_that_overlaps_is_refused(tmp_path):
    with pytest.raises(InputError) as error:
        OnnxNetwork(written(tmp_path / "net.onnx", (1, 1)), [np.zeros((3, 6, 5), np.float32)])
    assert str(error.value).startswith("up must be a ConvTranspose of one group whose kernel is its stride, not {")


def test_same_padding_by_hand():
    assert same((6, 5), (2, 2), (1, 1)) == (0, 1, 0, 1)
    assert same((6, 5), (3, 3), (2, 2)) == (0, 1, 1, 1)
    assert same((4, 4), (1, 1), (2, 2)) == (0, 0, 0, 0)


def test_the_package(monkeypatch):
    assert all((folder() / name).stat().st_size > 100_000 for name in FILES.values())
    monkeypatch.setattr(studies.ocr, "PACKAGE", "rapidocr_that_is_not_there")
    with pytest.raises(InputError) as error:
        folder()
    assert str(error.value) == (
        "the networks of rapidocr_that_is_not_there are missing; allowed: pip install --no-deps rapidocr==3.10.0"
    )
