"""Quantised ONNX files as networks of integers, against ONNX's own reference implementation."""

import numpy as np
import pytest
from onnx import TensorProto

from golden.errors import InputError
from golden.network import classify
from quant.qonnx import from_qonnx, is_quantised
from tests.onnx_files import Model, everything, floats

POWERS = 2.0 ** np.arange(-9, -2)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.onnx"


@pytest.fixture
def rng():
    return np.random.default_rng(11)


def images(rng, *shape):
    """Real inputs beyond both ends of what is quantised, with ties among them."""
    return (np.round(floats(rng, *shape, scale=2) * 64) / 64).astype(np.float32)


def codes(network, x):
    """What the input's quantiser makes of the reals `x`."""
    tensor = network.tensors[network.input]
    return tensor.format.nearest(x.astype(np.float64) / tensor.unit * 2.0**tensor.format.exponent)


def reals(network, x):
    """Name → numbers of every tensor of `network` for its integers `x`, where units are known."""
    found = {"input": x * (network.tensors["input"].unit or 1.0)}
    for step in network.steps(x):
        if (unit := network.tensors[step.node.output].unit) is not None:
            found[step.node.output] = step.output.astype(np.float64) * unit
    return found


def exact(model, path, x, *, integers=False):
    """The network of a model, every quantised tensor and the output of which are the reference's, all equal."""
    network = from_qonnx(model.save(path))
    expected = everything(model, x)
    found = reals(network, x if integers else codes(network, x))
    compared = [n.name for n in model.nodes if n.op_type in QUANTISING and n.name in found]
    for name in compared:
        scale = (
            network.tensors[name].unit if expected[name].dtype.kind == "i" or expected[name].dtype == np.uint8 else 1.0
        )
        np.testing.assert_array_equal(found[name], expected[name] * scale, err_msg=name)
    np.testing.assert_array_equal(found[network.output], expected[model.last])
    return network, compared


QUANTISING = ("Quant", "IntQuant", "BipolarQuant", "QuantizeLinear")


def conv(model, rng, x, filters, *, bits=4, scale=None, bias=None, narrow=1, **attributes):
    """Add a convolution with quantised weights, of powers of two per output channel."""
    weight = floats(rng, *filters, scale=0.3)
    if scale is None:
        scale = rng.choice(POWERS, (filters[0], 1, 1, 1))
    name = model.quant(weight, scale, bits, narrow=narrow)
    return model.add("Conv", x, name, *([] if bias is None else [bias]), **attributes)


def test_a_network_in_powers_of_two_is_the_references_number_for_number(path, rng):
    model = Model((3, 10, 9))
    first = model.quant(..., 2.0**-5, 8, name="pixels")
    conv(model, rng, first, (6, 3, 3, 3), bias=np.round(floats(rng, 6) * 512).astype(np.float32) / 512, pads=[1] * 4)
    model.add("Relu")
    stem = model.quant(..., 2.0**-3, 4, signed=0, name="stem")
    conv(model, rng, stem, (6, 2, 3, 3), group=3, pads=[1] * 4, bits=2)
    branch = model.quant(..., 2.0**-4, 6, name="branch")
    model.add("Add", stem, branch)
    model.add("Relu")
    total = model.quant(..., 2.0**-2, 5, signed=0, name="total")
    pooled = model.add("MaxPool", total, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    conv(model, rng, pooled, (4, 6, 1, 1), bits=8, dilations=[1, 1])
    other = model.quant(..., 2.0**-2, 5, signed=0, name="other")
    model.add("Concat", pooled, other, axis=1)
    model.add("AveragePool", kernel_shape=[4, 4])
    model.quant(..., 2.0**-5, 8, signed=0, name="means")
    model.add("Flatten")
    flat = model.last
    weight = model.quant(floats(rng, 5, 20, scale=0.2), 2.0**-6, 8, narrow=1)
    model.add("Gemm", flat, weight, np.round(floats(rng, 5) * 2048).astype(np.float32) / 2048, transB=1)
    network, compared = exact(model, path, images(rng, 3, 3, 10, 9))
    assert {"stem", "branch", "total", "other", "means"} <= set(compared)
    assert str(network.tensors["input"].format) == "int8"
    assert str(network.tensors["stem"].format) == "uint4"


def dense(model, rng, x, inputs, outputs, scale=2.0**-5):
    """Add a dense layer with quantised weights, per output channel if `scale` is a vector."""
    weight = model.quant(floats(rng, inputs, outputs, scale=0.3), np.asarray(scale), 8, narrow=1)
    return model.add("MatMul", x, weight)


def dense_model(rng, inputs=12, outputs=6, scale=2.0**-5, unit=2.0**-5):
    """A dense layer of a quantised input."""
    model = Model((inputs,))
    dense(model, rng, model.quant(..., unit, 8), inputs, outputs, scale)
    return model


@pytest.mark.parametrize(
    ("bits", "attributes", "weights", "lo", "hi"),
    [
        (8, {"signed": 1, "narrow": 0}, "int8", -128, 127),
        (8, {"signed": 1, "narrow": 1}, "int8", -127, 127),
        (2, {"signed": 1, "narrow": 1}, "ternary", -1, 1),
        (2, {"signed": 1, "narrow": 0}, "int2", -2, 1),
        (3, {"signed": 0}, "uint3", 0, 7),
    ],
)
def test_formats_of_weights(path, rng, bits, attributes, weights, lo, hi):
    model = Model((12,))
    x = model.quant(..., 2.0**-5, 8)
    model.add("MatMul", x, model.quant(floats(rng, 12, 6, scale=hi), 1.0, bits, **attributes), name="fc")
    network, _ = exact(model, path, images(rng, 9, 12))
    kept = network.parameters["fc.weight"]
    assert (str(kept.format), kept.values.min(), kept.values.max()) == (weights, lo, hi)


def test_binary_weights(path, rng):
    model = Model((12,))
    x = model.quant(..., 2.0**-5, 8)
    weight = model.add("BipolarQuant", floats(rng, 6, 12), np.float32(0.25), domain="qonnx.custom_op.general")
    model.add("Gemm", x, weight, transB=1, name="fc")
    network, _ = exact(model, path, images(rng, 9, 12))
    assert str(network.parameters["fc.weight"].format) == "binary"


def test_zeros_between_binary_weights_make_them_ternary(path, rng):
    model = Model((4, 5, 5))
    x = model.quant(..., 2.0**-5, 8)
    weight = model.add("BipolarQuant", floats(rng, 4, 2, 3, 3), np.float32(0.25), domain="qonnx.custom_op.general")
    model.add("Conv", x, weight, group=2, name="conv")
    network, _ = exact(model, path, images(rng, 2, 4, 5, 5))
    assert str(network.parameters["conv.weight"].format) == "ternary"
    assert network.info == {"absent": {"conv": 4 * 2 * 9}}


ENDS = [
    (4, {"signed": 1, "narrow": 0}),
    (4, {"signed": 1, "narrow": 1}),
    (2, {"signed": 1, "narrow": 1}),
    (4, {"signed": 0, "narrow": 0}),
    (4, {"signed": 0, "narrow": 1}),
    (1, {"signed": 0, "narrow": 0}),
]


@pytest.mark.parametrize(("bits", "attributes"), ENDS)
@pytest.mark.parametrize("rectified", [False, True])
def test_activations_saturate_where_they_should(path, rng, bits, attributes, rectified):
    model = dense_model(rng)
    if rectified:
        model.add("Relu")
    model.quant(..., 0.5, bits, **attributes, name="y")
    network, _ = exact(model, path, images(rng, 300, 12))
    y = network.run(codes(network, images(rng, 300, 12)))
    assert network.output == "y"
    assert len(np.unique(y)) > 1


def test_ties_go_to_the_even_number(path):
    model = Model((1,))
    x = model.quant(..., 0.5, 8)
    model.add("MatMul", x, model.quant(np.array([[1.0]]), 1.0, 8))
    model.quant(..., 1.0, 8)
    network, _ = exact(model, path, np.arange(-8, 8, 0.5, dtype=np.float32)[:, None])
    assert network.run(np.array([[1], [3], [-1], [-3], [5]])).tolist() == [[0], [2], [0], [-2], [2]]


@pytest.mark.parametrize("offset", [0.0, 0.125])
def test_activations_of_one_bit_are_signs(path, rng, offset):
    model = Model((12,))
    dense(model, rng, model.quant(..., 0.5, 3), 12, 6, scale=0.5)  # 0 is common
    model.add("Add", ..., np.full(6, offset, np.float32))
    signs = model.add("BipolarQuant", ..., np.float32(0.5), domain="qonnx.custom_op.general")
    dense(model, rng, signs, 6, 3)
    model.quant(..., 0.25, 8)
    network, compared = exact(model, path, images(rng, 400, 12))
    assert signs in compared


def test_batch_normalisation_with_gammas_of_both_signs(path, rng):
    model = dense_model(rng)
    gamma, beta = np.array([0.5, -0.25, 2, -1, 0, 0.125]), np.array([0.5, 1, -1, 0.25, 3, -0.125])
    mean, variance = np.array([1, -1, 0, 0.5, 0, 2]), np.full(6, 4 - 2.0**-10)
    model.add(
        "BatchNormalization", ..., *(p.astype(np.float32) for p in (gamma, beta, mean, variance)), epsilon=2.0**-10
    )
    model.add("Relu")
    model.quant(..., 0.25, 6, signed=0)
    exact(model, path, images(rng, 200, 12))


def test_scales_and_offsets_between_layers(path, rng):
    model = dense_model(rng)
    model.add("Mul", ..., rng.choice(POWERS, 6).astype(np.float32) * 64)
    model.add("Sub", ..., np.float32(0.5))
    model.add("Div", ..., np.float32(-2))
    y = model.quant(..., 2.0**-3, 8)
    model.add("Mul", y, np.float32(2))  # of quantised numbers: another unit
    doubled = model.last
    dense(model, rng, doubled, 6, 3)
    exact(model, path, images(rng, 50, 12))


def test_a_quantiser_that_changes_nothing_adds_no_node(path, rng):
    model = Model((2, 6, 6))
    x = model.quant(..., 2.0**-4, 8, name="x8")
    model.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2], name="pool")
    model.quant(..., 2.0**-4, 8)
    model.add("Relu", name="relu")
    model.quant(..., 2.0**-4, 9, op="IntQuant")
    network, _ = exact(model, path, images(rng, 4, 2, 6, 6))
    assert [node.name for node in network.nodes] == ["pool", "relu"]


def test_unsigned_numbers_in_another_unit(path, rng):
    model = Model((2, 6, 6))
    model.quant(..., 2.0**-4, 8, signed=0)
    model.quant(..., 2.0**-2, 3, signed=0)
    exact(model, path, images(rng, 4, 2, 6, 6))


@pytest.mark.parametrize(
    ("bias", "unit", "bits"),
    [
        (None, 2.0**-10, 32),
        (np.array([3, -5, 0], np.float32) / 1024, 2.0**-10, 21),
        (np.array([3, -5, 0.25], np.float32) / 1024, 2.0**-12, 23),
    ],
)
def test_sums_and_their_bias_are_the_logits(path, rng, bias, unit, bits):
    model = Model((12,))
    x = model.quant(..., 2.0**-5, 8)
    weight = model.quant(floats(rng, 3, 12, scale=0.3), 2.0**-5, 8)
    model.add("Gemm", x, weight, *([] if bias is None else [bias]), transB=1)
    network, _ = exact(model, path, images(rng, 9, 12))
    logits = network.tensors[network.output]
    assert logits.unit == unit
    assert (bias is None) == (network.output == model.last)
    assert bias is None or logits.format.width > bits


def test_logits_of_scales_that_are_no_powers_of_two(path, rng):
    model = dense_model(rng, scale=0.01 * (1 + rng.random(6)), unit=0.03)
    model.add("Add", ..., floats(rng, 6))
    x = images(rng, 50, 12)
    network = from_qonnx(model.save(path))
    x = codes(network, x) * np.float32(0.03)
    found, expected = reals(network, codes(network, x))[network.output], everything(model, x)[model.last]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    np.testing.assert_array_equal(classify(found), classify(expected))


def test_any_scales_within_the_rounding_of_the_multiplier(path, rng):
    unit, scales, bias = np.float32(0.03), (0.01 * (1 + rng.random(6))).astype(np.float32), floats(rng, 6)
    model = dense_model(rng, scale=scales, unit=unit)
    model.add("Add", ..., bias)
    model.quant(..., 0.017, 8, name="y")
    network = from_qonnx(model.save(path))
    q = codes(network, images(rng, 2000, 12))
    weight = network.parameters["matmul2.weight"].values.T.astype(np.float64)
    sums = q @ weight * (unit.astype(np.float64) * scales)
    real = (sums + bias) / float(np.float32(0.017))
    rounding = np.abs(sums / 0.017) * 2.0**-28 + 2.0**-28  # of the multiplier, and of the addend
    found = network.run(q)
    assert (np.abs(found - np.clip(real, -128, 127)) <= 0.5 + rounding).all()
    expected = everything(model, q.astype(np.float32) * unit)["y"] / np.float32(0.017)
    assert np.abs(found - expected).max() < 1.01  # float32 itself decides near ties otherwise
    assert (np.abs(found - expected) > 0.5).mean() < 1e-3


def qdq(model, x, scale, dtype=np.int8, **attributes):
    """Add QuantizeLinear and DequantizeLinear."""
    arguments = (np.asarray(scale, np.float32), np.zeros(np.shape(scale), dtype))
    model.add("QuantizeLinear", x, *arguments, **attributes)
    return model.add("DequantizeLinear", ..., *arguments, **attributes)


@pytest.mark.parametrize("opset", [10, 13, 19, 21, 28])
def test_pairs_of_quantizelinear_and_dequantizelinear(path, rng, opset):
    model = Model((3, 8, 8), opset=opset)
    per_channel = {"axis": 0} if opset > 10 else {}
    scale = (rng.choice(POWERS, 4) if opset > 10 else np.float64(2.0**-5)).astype(np.float32)
    x = qdq(model, ..., 2.0**-5)
    integers = rng.integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    weight = model.add("DequantizeLinear", integers, scale, np.zeros(scale.shape, np.int8), **per_channel)
    bias = rng.integers(-3000, 3000, 4).astype(np.int32)
    bias = model.add("DequantizeLinear", bias, scale * np.float32(2.0**-5), **per_channel)
    model.add("Conv", x, weight, bias, pads=[1] * 4)
    model.add("Relu")
    stem = qdq(model, ..., 0.25)
    pooled = qdq(model, model.add("MaxPool", stem, kernel_shape=[2, 2], strides=[2, 2]), 0.25)
    model.add("Conv", pooled, qdq(model, floats(rng, 4, 4, 1, 1), 2.0**-6))
    branch = qdq(model, ..., 0.5)
    qdq(model, model.add("Add", branch, pooled), 0.25, np.uint8)
    model.add("GlobalAveragePool")
    model.add("Flatten")
    flat = qdq(model, ..., 0.25, np.uint8)
    weight = qdq(model, floats(rng, 5, 4), 2.0**-6)
    model.add("Gemm", flat, weight, np.zeros(5, np.float32), transB=1)
    network, compared = exact(model, path, images(rng, 3, 3, 8, 8))
    assert len(compared) >= 4
    assert "requant" in {node.op for node in network.nodes}


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_files_whose_input_is_integers(path, rng, dtype):
    kind = {np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8}[dtype]
    model = Model((2, 5, 5), dtype=kind)
    x = model.add("DequantizeLinear", ..., np.float32(0.125), np.array(0, dtype))
    conv(model, rng, x, (3, 2, 3, 3))
    model.add("QuantizeLinear", ..., np.float32(0.25), np.array(0, np.int8))
    x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, (4, 2, 5, 5)).astype(dtype)
    network = from_qonnx(model.save(path))
    np.testing.assert_array_equal(network.run(x), everything(model, x)[model.last])


def test_pixels_that_are_cast_and_scaled(path, rng):
    model = Model((1, 5, 5), dtype=TensorProto.UINT8)
    model.add("Cast", to=TensorProto.FLOAT)
    model.add("Mul", ..., np.float32(2.0**-8))
    model.add("Sub", ..., np.float32(0.5))
    x = model.quant(..., 2.0**-6, 6)
    conv(model, rng, x, (3, 1, 3, 3))
    model.quant(..., 2.0**-2, 8)
    exact(model, path, rng.integers(0, 256, (6, 1, 5, 5)).astype(np.uint8), integers=True)


def test_an_input_that_is_flattened_before_it_is_quantised(path, rng):
    model = Model((2, 3, 3))
    model.add("Flatten")
    dense(model, rng, model.quant(..., 2.0**-4, 8), 18, 4)
    network, _ = exact(model, path, images(rng, 20, 2, 3, 3))
    assert network.tensors["input"].shape == (2, 3, 3)


def test_weights_that_are_transposed_behind_their_quantiser(path, rng):
    model = Model((12,))
    x = model.quant(..., 2.0**-4, 8)
    weight = model.quant(floats(rng, 6, 12), rng.choice(POWERS, (6, 1)) * 16, 4)
    model.add("MatMul", x, model.add("Transpose", weight, perm=[1, 0]))
    model.quant(..., 1.0, 8)
    exact(model, path, images(rng, 20, 12))


def test_which_files_are_quantised(path, rng):
    assert is_quantised(dense_model(rng).save(path))
    model = Model((2,))
    model.add("Relu")
    assert not is_quantised(model.save(path))


def refused(model, path, message):
    """Whether the file is refused in one line that contains `message`."""
    with pytest.raises(InputError) as error:
        from_qonnx(model.save(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"zero": 3.0}, "must have a zero point of 0, not 3.0: only symmetric"),
        ({"scale": 0.0}, "must have a scale above 0 and finite"),
        ({"scale": np.nan}, "must have a scale above 0 and finite"),
        ({"scale": [[0.5, 0.25]]}, "must have one scale for a tensor, not 2: only weights have more"),
        ({"bits": 2.5}, "must have one whole number as bitwidth, not 2.5"),
        ({"bits": 65}, "has no format here: width of signed integer must be 1 to 64, not 65"),
        ({"bits": 17, "signed": 0}, "width of unsigned integer must be 1 to 16, not 17"),
        ({"rounding_mode": "FLOOR"}, "must round half to even, rounding_mode ROUND, not FLOOR"),
        ({"rounding_mode": "half_up"}, "must round half to even, rounding_mode ROUND, not half_up"),
    ],
)
def test_quantisers_that_golden_does_not_have(path, arguments, message):
    model = Model((2,))
    model.quant(..., **({"scale": 0.5, "bits": 4} | arguments), name="odd")
    refused(model, path, "node 'odd': operator Quant ")
    refused(model, path, message)


@pytest.mark.parametrize(
    ("op", "message"),
    [
        ("FloatQuant", "operator FloatQuant is not supported of qonnx.custom_op.general; "),
        ("Trunc", "operator Trunc is"),
    ],
)
def test_other_operators_of_qonnx(path, op, message):
    model = Model((2,))
    model.quant(..., 0.5, 4)
    model.add(op, ..., np.float32(1), domain="qonnx.custom_op.general")
    refused(model, path, message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.float32(0.5), np.uint8(128)), "must have a zero point of 0, not 128: only symmetric"),
        ((np.array([0.5, 0.5], np.float32), np.zeros(2, np.uint8)), "must have one scale for a tensor, not 2"),
    ],
)
def test_pairs_that_golden_does_not_have(path, arguments, message):
    model = Model((2,))
    model.add("QuantizeLinear", ..., *arguments)
    model.add("DequantizeLinear", ..., *arguments)
    refused(model, path, message)


def missing_input(model, rng):
    model.add("Relu", name="odd")


def missing_activation(model, rng):
    dense(model, rng, model.quant(..., 0.5, 4), 4, 4)
    sums = model.add("Relu")
    model.add("MatMul", sums, model.quant(floats(rng, 4, 4), 0.5, 4), name="odd")


def missing_weight(model, rng):
    model.quant(..., 0.5, 4)
    model.add("MatMul", ..., floats(rng, 4, 4), name="odd")


def scale_per_input(model, rng):
    x = model.quant(..., 0.5, 4)
    weight = model.quant(floats(rng, 4, 4), [[0.5], [0.25], [0.5], [0.5]], 4)
    model.add("MatMul", x, weight, name="odd")


def three_terms(model, rng):
    x = model.quant(..., 0.5, 4)
    model.add("Add", x, x)
    model.add("Add", ..., x, name="odd")


def rectified_sum(model, rng):
    x = model.quant(..., 0.5, 4)
    dense(model, rng, x, 4, 4)
    model.add("Relu")
    model.add("Add", ..., x, name="odd")


def shifted_relu(model, rng):
    dense(model, rng, model.quant(..., 0.5, 4), 4, 4)
    model.add("Relu")
    model.add("Add", ..., np.float32(1), name="odd")


def sign_of_relu(model, rng):
    dense(model, rng, model.quant(..., 0.5, 4), 4, 4)
    model.add("Relu")
    model.add("BipolarQuant", ..., np.float32(1), name="odd", domain="qonnx.custom_op.general")


def two_scales(model, rng):
    x = model.quant(..., 0.5, 4)
    y = model.quant(x, 0.25, 4)
    model.add("Concat", x, y, axis=1, name="odd")


def floats_dequantised(model, rng):
    x = model.quant(..., 0.5, 4)
    model.add("DequantizeLinear", x, np.float32(1), name="odd")


def integers_added(model, rng):
    x = model.add("QuantizeLinear", ..., np.float32(0.5), np.int8(0))
    model.add("Add", x, x, name="odd")


def infinite_weight(model, rng):
    x = model.quant(..., 0.5, 4)
    weight = model.quant(np.full((4, 4), np.inf, np.float32), 0.5, 4, name="odd")
    model.add("MatMul", x, weight)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (infinite_weight, "must have finite numbers to quantise"),
        (missing_input, "operator Relu must take an input that is quantised"),
        (missing_activation, "must take numbers that are quantised; a quantiser is missing before it"),
        (missing_weight, "must have weights that are quantised, not 'c3'"),
        (scale_per_input, "must have weights of one scale, or of one for each output"),
        (three_terms, "must have a quantiser between a Relu or an addition and itself"),
        (rectified_sum, "must have a quantiser between a Relu or an addition and itself"),
        (shifted_relu, "must have a quantiser between a Relu and itself, or scales above 0 and no offset"),
        (sign_of_relu, "makes +1 of everything behind a Relu"),
        (two_scales, "must join numbers of one scale, not 0.25, 0.5"),
        (floats_dequantised, "must take integers, not the floats 'quant0'"),
        (integers_added, "must take floats, not the integers 'quantizelinear0', which nothing dequantises"),
    ],
)
def test_networks_that_are_not_quantised_throughout(path, rng, build, message):
    model = Model((4,))
    build(model, rng)
    refused(model, path, "node 'odd': operator ")
    refused(model, path, message)


def test_inputs_quantised_in_two_ways(path):
    model = Model((4,))
    a, b = model.quant("x", 0.5, 4), model.quant("x", 0.25, 4)
    model.add("Add", a, b)
    refused(model, path, "input 'x' must be quantised in one way, not in several")
