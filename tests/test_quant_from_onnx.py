"""ONNX files as graphs, against ONNX's own reference implementation."""

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from golden.errors import InputError
from quant.fold import fold
from quant.from_onnx import from_onnx
from tests.onnx_files import Model, floats

TOLERANCE = 2e-6  # of the greatest result: sums of some hundred float32 products in another order


def near(found, expected):
    """Whether two results agree to float32's precision."""
    assert found.shape == expected.shape
    return np.abs(found - expected).max() <= TOLERANCE * max(1.0, np.abs(expected).max())


def both(model, path, x, output=None):
    """(the graph, its result, the reference's) for `x`."""
    model.save(path, output)
    graph = from_onnx(path)
    (expected,) = ReferenceEvaluator(model.proto(output)).run(None, {"x": x})
    return graph, graph.run(torch.from_numpy(x))[graph.output].numpy(), expected


def agrees(model, path, seed=0, batch=2, shape=None):
    """The graph of `model`, whose result is the reference's."""
    x = floats(np.random.default_rng(seed), batch, *(shape or model.shape))
    graph, found, expected = both(model, path, x)
    assert near(found, expected)
    return graph


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def refused(model, path, message):
    """Whether the file is refused in one line that contains `message`."""
    with pytest.raises(InputError) as error:
        from_onnx(model.save(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("filters", "size", "attributes", "bias"),
    [
        ((5, 3, 3, 3), (8, 9), {}, False),
        ((5, 3, 3, 2), (8, 9), {"strides": [2, 1], "pads": [1, 0, 1, 0], "kernel_shape": [3, 2]}, True),
        ((6, 2, 3, 3), (7, 8), {"group": 2, "pads": [1, 1, 1, 1]}, True),
        ((4, 1, 3, 3), (7, 8), {"group": 4}, True),
        ((2, 3, 3, 2), (9, 9), {"dilations": [2, 3]}, False),
        ((2, 3, 4, 3), (9, 10), {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, True),
        ((2, 3, 4, 2), (9, 10), {"auto_pad": "SAME_UPPER"}, True),
        ((2, 3, 4, 2), (9, 10), {"auto_pad": "SAME_LOWER"}, True),
        ((2, 3, 4, 2), (9, 10), {"auto_pad": "VALID", "strides": [2, 2]}, False),
        ((2, 3, 3, 3), (9, 10), {"pads": [0, 2, 1, 0], "strides": [2, 2]}, True),
        ((2, 3, 3, 3), (9, 10), {"pads": [2, 0, 0, 1], "dilations": [1, 2]}, True),
    ],
)
def test_convolutions(path, rng, filters, size, attributes, bias):
    model = Model((filters[1] * attributes.get("group", 1), *size))
    model.add("Conv", ..., floats(rng, *filters), *([floats(rng, filters[0])] if bias else []), **attributes)
    assert agrees(model, path).ops[0].weights.numel() == np.prod(filters)


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("bias", [None, (5,), (1, 5), (), (1,)])
def test_gemms(path, rng, transposed, bias):
    model = Model((12,))
    weight = floats(rng, *((5, 12) if transposed else (12, 5)))
    constants = [] if bias is None else [floats(rng, *bias)]
    model.add("Gemm", ..., weight, *constants, alpha=0.75, beta=-1.5, transB=transposed)
    agrees(model, path)


def test_a_product_and_the_sum_behind_it_are_one_layer(path, rng):
    model = Model((12,))
    model.add("MatMul", ..., floats(rng, 12, 5), name="fc")
    model.add("Add", floats(rng, 5), ...)
    graph = agrees(model, path)
    assert [(op.name, op.op, op.bias.shape) for op in graph.ops] == [("fc", "dense", (5,))]


def test_a_constant_added_to_sums_that_others_use_too_is_no_bias(path, rng):
    model = Model((4,))
    sums = model.add("MatMul", ..., floats(rng, 4, 4))
    same = model.add("Identity", sums)
    shifted = model.add("Add", same, floats(rng, 4))
    model.add("Add", shifted, model.add("Identity", sums))
    graph = agrees(model, path)
    assert [op.op for op in graph.ops] == ["dense", "batch_norm", "add"]


def test_constants_that_scale_or_shift_channels(path, rng):
    model = Model((3, 4, 4))
    model.add("Mul", floats(rng, 3, 1, 1), ...)
    model.add("Sub", ..., np.float32(0.5))
    model.add("Sub", floats(rng, 1, 3, 1, 1), ...)
    model.add("Div", ..., np.abs(floats(rng, 3, 1, 1)) + 1)
    assert [op.op for op in agrees(model, path).ops] == ["batch_norm"] * 4


@pytest.mark.parametrize("opset", [7, 9, 14, 28])
def test_batch_normalisation_in_every_version(path, rng, opset):
    model, x = Model((3, 4, 4), opset=15), floats(rng, 2, 3, 4, 4)
    variance = np.abs(floats(rng, 3)) + 0.1
    model.add("BatchNormalization", ..., floats(rng, 3), floats(rng, 3), floats(rng, 3), variance, epsilon=0.01)
    (expected,) = ReferenceEvaluator(model.proto()).run(
        None, {"x": x}
    )  # of versions before 14 it takes the batch's mean
    model.opset = opset
    graph = from_onnx(model.save(path))
    assert near(graph.run(torch.from_numpy(x))[graph.output].numpy(), expected)


MAX_POOLS = [
    ((8, 9), {"kernel_shape": [2, 3]}),
    ((8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((8, 9), {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}),
    ((9, 9), {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1}),  # none begins beyond
    ((8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 0]}),
    ((8, 9), {"kernel_shape": [2, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((8, 9), {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((8, 9), {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER"}),
]


@pytest.mark.parametrize(("size", "attributes"), MAX_POOLS)
def test_max_pools(path, size, attributes):
    model = Model((2, *size))
    model.add("MaxPool", **attributes)
    agrees(model, path)


@pytest.mark.parametrize(
    ("size", "attributes"),
    [
        ((8, 9), {"kernel_shape": [2, 3], "strides": [2, 1]}),
        *(((8, 8), {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": count}) for count in (0, 1)),
        ((8, 9), {"kernel_shape": [3, 2], "strides": [2, 2], "ceil_mode": 1}),
        ((8, 8), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1}),
        ((8, 8), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1, "count_include_pad": 1}),
    ],
)
def test_average_pools(path, size, attributes):
    model = Model((2, *size), opset=19)
    model.add("AveragePool", **attributes)
    agrees(model, path)


@pytest.mark.parametrize("included", [0, 1])
def test_average_pools_padded_on_one_side_alone(path, included):
    model = Model((1, 6, 6))
    model.add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], count_include_pad=included)
    graph = from_onnx(model.save(path))
    ones = graph.run(torch.ones(1, 1, 6, 6))[graph.output]
    edge = 6 / 9 if included else 1.0
    corner = 4 / 9 if included else 1.0
    rows = [[1, 1, edge], [1, 1, edge], [edge, edge, corner]]
    np.testing.assert_allclose(ones[0, 0].numpy(), rows, rtol=1e-6)


def test_lrn_with_the_defaults_of_onnx(path):
    model = Model((4, 3, 3))
    model.add("LRN", size=3)
    agrees(model, path, batch=4)  # the reference normalises as many channels as there are samples


def test_lrn_with_its_own_parameters(path):
    model = Model((5, 3, 3))
    model.add("LRN", size=5, alpha=0.5, beta=0.6, bias=2.0)
    agrees(model, path, batch=5)


@pytest.mark.parametrize(
    ("op", "attributes", "names"),
    [
        ("GlobalAveragePool", {}, ["average_pool"]),
        ("GlobalMaxPool", {}, ["max_pool"]),
        ("ReduceMean", {"axes": [2, 3]}, ["average_pool"]),
        ("ReduceMean", {"axes": [-1, -2], "keepdims": 0}, ["average_pool", "flatten"]),
    ],
)
def test_means_of_whole_images(path, op, attributes, names):
    model = Model((3, 4, 6))
    model.add(op, **attributes)
    assert [op.op for op in agrees(model, path).ops] == names


def test_axes_of_a_mean_as_an_input(path):
    model = Model((3, 4, 6), opset=18)
    model.add("ReduceMean", ..., np.array([2, 3]), keepdims=0)
    agrees(model, path)


def test_a_residual_network_with_concatenation(path, rng):
    model = Model((3, 8, 8))
    model.add("Conv", ..., floats(rng, 4, 3, 3, 3), floats(rng, 4), pads=[1] * 4, name="/stem/Conv")
    stem = model.add("Relu")
    model.add("Conv", ..., floats(rng, 4, 4, 3, 3), pads=[1] * 4)
    model.add("BatchNormalization", ..., *(np.abs(floats(rng, 4)) + 0.5 for _ in range(4)))
    total = model.add("Add", ..., stem)
    model.add("Clip", ..., np.float32(0), np.float32(np.inf))
    model.add("Concat", ..., stem, total, axis=-3)
    model.add("GlobalAveragePool")
    model.add("Squeeze", ..., np.array([2, 3]))
    model.add("Gemm", ..., floats(rng, 12, 5), floats(rng, 5))
    graph = agrees(model, path)
    assert graph.ops[0].name == "stem_Conv"
    folded, x = fold(graph), torch.from_numpy(floats(rng, 2, 3, 8, 8))
    assert near(folded.run(x)[folded.output].numpy(), graph.run(x)[graph.output].numpy())


@pytest.mark.parametrize("shape", [[-1, 32], [0, -1], [0, 32]])
def test_reshapes_to_features(path, shape):
    model = Model((2, 4, 4))
    model.add("Reshape", ..., np.array(shape))
    assert [op.op for op in agrees(model, path).ops] == ["flatten"]


def test_the_shape_computed_as_torch_once_wrote_it(path):
    model = Model((2, 4, 4), batch=2)
    model.add("Dropout")
    whole = model.last
    model.add("Shape")
    model.add("Gather", ..., np.array(0), axis=0)
    model.add("Unsqueeze", ..., np.array([0]))
    shape = model.add("Concat", ..., np.array([-1]), axis=0)
    model.add("Reshape", whole, shape)
    model.add("Flatten")
    assert [op.op for op in agrees(model, path).ops] == ["flatten"]


def test_weights_computed_from_constants_and_nodes_nobody_needs(path, rng):
    model = Model((6,))
    model.add("Softmax")
    weight = numpy_helper.from_array(floats(rng, 3, 6), "value")
    model.nodes.append(helper.make_node("Constant", [], ["w"], "w", value=weight))
    model.add("Transpose", "w", perm=[1, 0])
    model.add("MatMul", "x", ...)
    assert [op.op for op in agrees(model, path).ops] == ["dense"]


@pytest.mark.parametrize("batch", ["N", None, 1, 4])
def test_any_batch(path, rng, batch):
    model = Model((2, 3, 3), batch=batch)
    model.add("Flatten")
    model.add("Gemm", ..., floats(rng, 18, 2))
    agrees(model, path, batch=4)


@pytest.mark.parametrize(("op", "factor", "unit"), [("Mul", 1 / 256, 1 / 256), ("Div", 255, 1 / 255), (None, 1, 1.0)])
def test_pixels_and_their_unit(path, rng, op, factor, unit):
    model = Model((1, 6, 6), dtype=TensorProto.UINT8)
    model.add("Cast", to=TensorProto.FLOAT)
    if op is not None:
        model.add(op, ..., np.float32(factor))
    model.add("Conv", ..., floats(rng, 2, 1, 3, 3))
    x = rng.integers(0, 256, (2, 1, 6, 6)).astype(np.uint8)
    graph, found, expected = both(model, path, x)
    assert graph.unit == pytest.approx(unit, rel=1e-7)
    assert near(found, expected)


def test_real_inputs_that_are_scaled_have_no_unit(path, rng):
    model = Model((1, 6, 6))
    model.add("Div", ..., np.float32(255))
    model.add("Conv", ..., floats(rng, 2, 1, 3, 3))
    assert agrees(model, path).unit is None


def test_pixels_in_two_units_are_refused(path, rng):
    model = Model((1, 6, 6), dtype=TensorProto.UINT8)
    whole = model.add("Cast", to=TensorProto.FLOAT)
    model.add("Add", whole, model.add("Div", ..., np.float32(255)), name="sum")
    refused(model, path, "node 'sum': operator Add must take pixels that are cast to float, and scaled the same")


def test_pixels_that_nothing_casts_are_refused(path):
    model = Model((1, 6, 6), dtype=TensorProto.UINT8)
    model.add("MaxPool", kernel_shape=[2, 2], name="pool")
    refused(model, path, "node 'pool': operator MaxPool must take pixels that are cast to float")


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "message"),
    [
        ("Softmax", (), {}, "operator Softmax is not supported; allowed: Add, AveragePool, BatchNormalization, "),
        ("Transpose", (), {"perm": [0, 2, 3, 1]}, "operator Transpose is not supported; "),
        ("Clip", (..., np.float32(0), np.float32(6)), {}, "must clip to 0 and infinity, not to 0 and 6"),
        ("LRN", (), {"size": 4}, "must have an odd size, not 4"),
        ("Flatten", (), {"axis": 2}, "must keep the batch: axis 1, not 2"),
        ("Reshape", (..., np.array([-1, 8])), {}, "must keep the batch, not make [-1, 8] of [N, 2, 4, 4]"),
        ("Reshape", (..., np.array([-1, 4, 8])), {}, "must make features [N, 32] of [N, 2, 4, 4], not [4, 8]"),
        ("ReduceMean", (), {"axes": [1]}, "must work on axes 2 and 3 of images, not on [1] of [N, 2, 4, 4]"),
        ("Conv", (..., "x"), {}, "must have a constant weight, not 'x'"),
        ("Conv", (..., np.ones((2, 3, 1, 1), np.float32)), {}, "must have filters for the 2 channels of its input"),
        ("Conv", (..., np.ones((2, 2, 5, 5), np.float32)), {}, "a kernel of 5 does not fit 4 pixels"),
        ("Gemm", (..., np.ones((2, 3), np.float32)), {}, "its input must be [2] features, not [2, 4, 4]"),
        ("Gemm", (..., np.ones((2, 3), np.float32)), {"transA": 1}, "must not transpose its first input"),
        ("Mul", ("x", "x"), {}, "must have a constant"),
        ("Add", (..., np.ones((4, 4), np.float32)), {}, "must have one number, or one for each of 2 channels"),
        ("Concat", ("x", "x"), {"axis": 2}, "must join channels, axis 1, not axis 2"),
        ("MaxPool", (), {"kernel_shape": [2, 2], "dilations": [2, 2]}, "must have no dilations"),
        ("MaxPool", (), {"kernel_shape": [2, 2], "pads": [0, 0, 3, 0]}, "must pad both ends of an image alike, or its end by less"),
        ("Cast", (), {"to": TensorProto.INT8}, "must make one of FLOAT, DOUBLE, FLOAT16, BFLOAT16, not INT8"),
        ("Quantise", (), {"domain": "own.ops"}, "operator Quantise is not supported of own.ops"),
    ],
)
def test_what_is_not_supported_is_named_in_one_line(path, op, inputs, attributes, message):
    model = Model((2, 4, 4))
    model.add(op, *inputs, name="odd/one", **attributes)
    if "domain" in attributes:
        proto = model.proto()
        proto.opset_import.append(helper.make_opsetid("own.ops", 1))
        model.proto = lambda output: proto
    refused(model, path, f"node 'odd/one': operator {op} ")
    refused(model, path, message)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, "H", 4), "input 'x' must be [N, features] or [N, C, H, W] of fixed sizes, not [N, 3, H, 4]"),
        ((3, 4), "not [N, 3, 4]"),
    ],
)
def test_inputs_of_other_shapes_are_refused(path, shape, message):
    model = Model(shape)
    model.add("Relu")
    refused(model, path, message)


def test_weights_that_are_no_numbers_are_refused(path):
    model = Model((1,))
    model.add("Gemm", ..., np.array([[np.nan]], np.float32), name="fc")
    refused(model, path, "weight of dense 'fc' must be finite")


def test_quantised_files_are_sent_elsewhere(path):
    model = Model((2,))
    model.quant(..., 1.0, 8)
    refused(model, path, "is quantised, its operators are Quant among others: see quant.qonnx")


def test_a_network_must_have_one_input_and_one_output(path, rng):
    model = Model((2,))
    proto = model.proto(model.add("Relu"))
    proto.graph.input.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 2]))
    model.proto = lambda output: proto
    refused(model, path, "a network must have one input, not x, y")
    proto.graph.output.extend(list(proto.graph.output))
    proto.graph.output[1].name = "x"
    refused(model, path, "a network must have one output, not relu0, x")


@pytest.mark.parametrize("kept", [0, 10, 100, -1])
def test_a_truncated_file_is_refused(path, rng, kept):
    model = Model((12,))
    model.add("Gemm", ..., floats(rng, 12, 5))
    whole = model.save(path).read_bytes()
    path.write_bytes(whole[:kept])
    with pytest.raises(InputError, match=r"net.onnx is no valid ONNX file: \S[^\n]*$"):
        from_onnx(path)


def test_what_is_no_onnx_file_is_refused(path):
    path.write_text("layers: none\n" * 20)
    with pytest.raises(InputError, match="net.onnx is no valid ONNX file: "):
        from_onnx(path)


def test_a_file_that_is_not_there_is_refused(path):
    with pytest.raises(InputError, match="cannot read .*net.onnx: No such file"):
        from_onnx(path)


def test_weights_kept_in_another_file_are_read_and_missed(path, rng):
    model = Model((12,))
    model.add("Gemm", ..., floats(rng, 12, 5))
    settings = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
    onnx.save(model.proto(), str(path), **settings)
    assert from_onnx(path).ops[0].weight.shape == (5, 12)
    (path.parent / "net.data").unlink()
    with pytest.raises(InputError, match=r"net\.data[^\n]*$"):
        from_onnx(path)


def test_operators_of_an_early_version_are_refused(path):
    model = Model((2,), opset=6)
    model.add("Relu")
    refused(model, path, "must be of opset 7 to 28, not 6")


@pytest.mark.parametrize("opset", [7, 10, 11, 13, 18, 22, 28])
def test_a_network_in_every_version(path, rng, opset):
    model = Model((2, 6, 6), opset=opset)
    model.add("Conv", ..., floats(rng, 3, 2, 3, 3), floats(rng, 3))
    model.add("Relu")
    model.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    model.add("Dropout")
    model.add("Flatten")
    model.add("Gemm", ..., floats(rng, 12, 4), floats(rng, 4))
    agrees(model, path)
