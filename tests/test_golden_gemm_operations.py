"""Convolution and dense layer: as sums, and as numbers rounded once."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import gemm_operations
from golden.builder import Builder
from golden.errors import InputError
from golden.formats import Integer, parse
from golden.graph import Parameter, Tensor
from golden.mac import MacSpec, mac
from golden.network import BATCH
from golden.operations import OPERATIONS

IMAGE = Tensor("int8e-3", (2, 6, 5), 0.125)
FEATURES = Tensor("int8e-3", (4,))


def drawn(rng, fmt, shape):
    return rng.choice(fmt.values(), shape)


def layer(op, x, w, bias, shape, rng, **attributes):
    """A network of one layer, with drawn weights [filters, ...] and biases, and images for it."""
    builder = Builder(x, shape)
    channels = (shape[0], 3, 2) if op == "mac_conv" else shape
    values = {"weight": (w, drawn(rng, parse(w), (5, *channels))), "bias": (bias, drawn(rng, parse(bias), 5))}
    builder.add("layer", op, parameters=values, attributes=attributes)
    return builder.build(), values


@st.composite
def fixed_point(draw):
    """Formats of a layer in dynamic fixed point whose sums, biases and results are at most 16 bits apart."""
    exponents = st.integers(-8, 8)
    a = Integer(draw(st.integers(2, 8)), draw(st.booleans()), draw(exponents))
    w = Integer(draw(st.integers(2, 8)), True, draw(exponents))
    near = st.integers(-8, 8).map(lambda d: a.exponent + w.exponent + d)
    return a, w, Integer(draw(st.integers(2, 8)), True, draw(near)), Integer(8, draw(st.booleans()), draw(near))


@given(fixed_point(), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_two_statements_of_dynamic_fixed_point_agree(formats, relu, seed):
    """`mac_conv` rounds numbers, `conv` and `requant` shift: ``(sum * 2**up + bias * 2**bias_up) >> shift``."""
    a, w, bias, y = formats
    rng = np.random.default_rng(seed)
    geometry = {"stride": [2, 1], "padding": [1, 0]}
    network, values = layer("mac_conv", a.name, w.name, bias.name, (2, 6, 5), rng, format=y.name, relu=relu, **geometry)
    spec = network.operations["layer"].spec
    builder = Builder(a, (2, 6, 5))
    builder.add("conv", "conv", parameters={"weight": values["weight"]}, attributes=geometry)
    m, b, s = [1 << spec.up] * 5, values["bias"][1] << spec.bias_up, [spec.shift] * 5
    vectors = {"m": (None, m), "b": (None, b), "s": (None, s)}
    kept = Integer(8 - (relu and y.signed), y.signed and not relu, y.exponent)  # without negative numbers
    builder.add("requant", "requant", parameters=vectors, attributes={"format": kept.name, "m_width": 20})
    x = drawn(rng, a, (3, 2, 6, 5))
    np.testing.assert_array_equal(network.run(x), builder.build().run(x))


@pytest.mark.parametrize("accumulate", ["exact", "fp32", "fp32x3"])
@pytest.mark.parametrize("names", [("int8e-4", "pow2_4", "int16e-9", "int8e-2"), ("mini_e4m3",) * 4, ("e5m2",) * 4])
def test_a_layer_is_its_matrix_multiplication(names, accumulate, monkeypatch):
    """In batches of images, of lowered samples, at once, and as the GEMM that `gemms` lists."""
    a, w, bias, y = names
    rng = np.random.default_rng(8)
    for op, shape, attributes in (
        ("mac_conv", (2, 6, 5), {"stride": 2, "padding": 1, "relu": True}),
        ("mac_conv", (2, 6, 5), {}),
        ("mac_dense", (7,), {}),
    ):
        network, values = layer(op, a, w, bias, shape, rng, format=y, accumulate=accumulate, **attributes)
        assert str(network.tensors["layer"].format) == y
        assert network.tensors["layer"].unit == 2.0 ** parse(y).exponent
        x = drawn(rng, parse(a), (BATCH + 3, *shape))
        (gemm,) = network.gemms(x)
        assert isinstance(gemm.spec, MacSpec) and gemm.spec.accumulate == accumulate
        np.testing.assert_array_equal(gemm.bias, values["bias"][1])
        np.testing.assert_array_equal(gemm.y, mac(gemm.spec, gemm.a, gemm.w, gemm.bias))
        (step,) = network.steps(x)
        assert step.output.dtype == parse(y).dtype
        pixels = step.output if step.output.ndim == 2 else np.moveaxis(step.output, 1, -1)
        np.testing.assert_array_equal(gemm.y, pixels.reshape(gemm.y.shape))
        np.testing.assert_array_equal(network.run(x), step.output)
        monkeypatch.setattr(gemm_operations, "LOWERED", 200)
        np.testing.assert_array_equal(network.run(x), step.output)
        monkeypatch.undo()
        assert len(network.run(x[:0])) == 0


def test_fp32_and_exact_sums_differ_in_a_layer():
    names = ("mini_e4m3",) * 3
    outputs = []
    for accumulate in ("exact", "fp32"):
        network, _ = layer(
            "mac_dense", *names, (64,), np.random.default_rng(9), format="mini_e5m10", accumulate=accumulate
        )
        outputs.append(network.run(drawn(np.random.default_rng(10), parse("mini_e4m3"), (200, 64))))
    assert 0 < np.mean(outputs[0] != outputs[1]) < 0.1


def test_sums_of_48_bits():
    """int16 by int16: `conv` in an accumulator of 48 bits, and its requantisation."""
    rng = np.random.default_rng(11)
    x, w = (rng.choice([-32768, 32767, -32767, 12345], s) for s in ((2, 70, 3, 3), (3, 70, 3, 3)))
    x[0] = w[0] = -32768
    builder = Builder("int16", (70, 3, 3))
    builder.add("conv", "conv", parameters={"weight": ("int16", w)}, attributes={"accumulate": 48})
    m, b, s = [1000, -1001, 3], [1 << 40, -(1 << 46), 5], [34, 30, 20]
    vectors = {"m": (None, m), "b": (None, b), "s": (None, s)}
    builder.add("y", "requant", parameters=vectors, attributes={"format": "int16", "m_width": 12})
    network = builder.build()
    assert network.tensors["conv"].format == parse("int48")
    sums = [
        [sum(p * q for p, q in zip(i, f, strict=True)) for f in w.reshape(3, -1).tolist()]
        for i in x.reshape(2, -1).tolist()
    ]
    assert sums[0][0] == 630 << 30
    expected = [
        [
            min(max(round(Fraction(v * p[0] + p[1], 1 << p[2])), -32768), 32767)
            for v, p in zip(row, zip(m, b, s, strict=True), strict=True)
        ]
        for row in sums
    ]
    assert network.run(x)[:, :, 0, 0].tolist() == expected
    steps = {step.node.name: step.output for step in network.steps(x)}
    assert steps["conv"][:, :, 0, 0].tolist() == sums


def weights(format="int4e-2", shape=(5, 2, 3, 3), bias="int8e-5", biases=5):
    return {"weight": Parameter(format, np.ones(shape, int)), "bias": Parameter(bias, np.zeros(biases, int))}


@pytest.mark.parametrize(
    ("op", "x", "parameters", "attributes", "message"),
    [
        ("mac_conv", IMAGE, weights(), {}, "mac_conv needs the attribute 'format'"),
        (
            "mac_conv",
            IMAGE,
            {"weight": weights()["weight"]},
            {"format": "int8"},
            "mac_conv takes weight, bias as parameters",
        ),
        (
            "mac_conv",
            IMAGE,
            weights(),
            {"format": "int8", "accumulate": 32},
            "accumulate must be exact, fp32 .* not 32",
        ),
        ("mac_conv", IMAGE, weights(), {"format": "int8", "relu": "yes"}, "relu must be true or false, not 'yes'"),
        ("mac_conv", IMAGE, weights(), {"format": "bf16"}, "results of mac_conv need a format of integers, not bf16"),
        (
            "mac_conv",
            IMAGE,
            weights(biases=4),
            {"format": "int8"},
            r"bias of mac_conv must have a format and 5 elements, not int8e-5 \[4\]",
        ),
        (
            "mac_conv",
            IMAGE,
            weights(bias=None),
            {"format": "int8"},
            r"bias of mac_conv must have a format .* not None \[5\]",
        ),
        (
            "mac_conv",
            IMAGE,
            weights(None),
            {"format": "int8"},
            "weight of mac_conv must have a format and 4 axes, not None",
        ),
        (
            "mac_conv",
            IMAGE,
            weights(shape=(5, 3, 3, 3)),
            {"format": "int8"},
            "input has 2 channels, the filters have 3",
        ),
        ("mac_conv", FEATURES, weights(), {"format": "int8"}, "input must be an image"),
        (
            "mac_conv",
            Tensor("pow2_4", (2, 6, 5)),
            weights(),
            {"format": "int8", "padding": 1},
            "images of pow2_4 cannot be padded, they have no zero",
        ),
        (
            "conv",
            Tensor("pow2_4", (2, 6, 5)),
            {"weight": weights()["weight"]},
            {"padding": [0, 1]},
            "images of pow2_4 cannot be padded",
        ),
        (
            "mac_conv",
            IMAGE,
            weights("fp16", bias="int8e-100"),
            {"format": "int8"},
            "sums of 18 products of int8e-3 and fp16 and biases .* allowed: 103",
        ),
        ("mac_dense", FEATURES, weights(shape=(5, 3)), {"format": "int8"}, r"input must be \[3\] features, not \[4\]"),
        (
            "mac_dense",
            FEATURES,
            weights("int26", (5, 4)),
            {"format": "int8", "accumulate": "fp32"},
            "products of int8e-3 and int26 have 32 significant bits",
        ),
        (
            "mac_dense",
            FEATURES,
            weights(shape=(5, 4)),
            {"format": "int8", "padding": 1},
            "mac_dense has no attribute 'padding'; allowed: format, relu, accumulate",
        ),
    ],
)
def test_what_a_rounded_layer_refuses(op, x, parameters, attributes, message):
    with pytest.raises(InputError, match=message) as refusal:
        OPERATIONS[op]([x], parameters, attributes)
    assert "\n" not in str(refusal.value)


def test_images_of_powers_of_two_convolve_unpadded():
    operation = OPERATIONS["mac_conv"]([Tensor("pow2_4", (2, 6, 5))], weights(), {"format": "int16e-12"})
    y = operation.run(np.full((1, 2, 6, 5), -128, np.int16))
    assert np.unique(y).tolist() == [-18 * 128 << 2]  # 18 times -1/2 * 1/4, in units of 2**-12
