"""The C file of a network, compiled, gives golden's logits bit for bit, without a warning or undefined behaviour."""

import numpy as np
import pytest
from c_program import CHECKED, check, compiled, logits, normal, plain, spread
from random_network import random_network

from golden.builder import Builder
from golden.c99 import source
from golden.formats import parse


@pytest.mark.parametrize("seed", [0, 1])
def test_networks_of_sums_and_requantisation(tmp_path, seed):
    found = check(tmp_path, random_network(seed))
    assert len(np.unique(found)) > 15


def mac_network(a, w, bias, y, *, last=None, accumulate="exact", pad=1, scale=0.5):
    """Two convolutions with every kind of geometry, a pool, a ReLU and a dense layer, in the formats of these names."""
    rng, builder = np.random.default_rng(1), Builder(a, (2, 7, 6))

    def layer(name, op, outputs, *kernel, to=y, **attributes):
        x = next(reversed(builder.tensors.values()))
        shapes = {"weight": (w, (outputs, x.shape[0], *kernel)), "bias": (bias, (outputs,))}
        parameters = {role: (name, normal(rng, parse(name), shape, scale)) for role, (name, shape) in shapes.items()}
        builder.add(name, op, parameters=parameters, attributes={"format": to, "accumulate": accumulate} | attributes)

    layer("conv1", "mac_conv", 4, 3, 2, padding=[pad, 2 * pad], relu=pad > 0)
    builder.add("pool", "max_pool", attributes={"kernel": 3, "stride": 2, "padding": 1, "ceil_mode": True})
    layer("conv2", "mac_conv", 5, 2, 3, stride=[3, 2], padding=pad)
    builder.add("flat", "flatten")
    layer("fc", "mac_dense", 9, to=last or y)
    return builder.build()


MACS = {
    "fixed": ("int8e-4", "int8e-4", "int8e-4", "int8e-4", {}),
    "dynamic": ("uint8e-8", "int4e-5", "int16e-12", "int8e-6", {"last": "int24e-20"}),
    "ternary": ("int6", "ternary", "int6", "uint4", {"last": "ternary", "scale": 1}),
    "long": ("int16e-3", "int16e-12", "int32e-20", "int16e-5", {"last": "binary"}),
    "far": ("int8", "int8", "int8e-60", "int8e-3", {"scale": 1}),
    "powers": ("int8e-5", "pow2_4", "int8e-5", "int8e-5", {"last": "pow2_4"}),
    "powers_alone": ("pow2_3", "pow2z_4", "pow2_5", "pow2_3", {"pad": 0, "last": "pow2z_3"}),
    "mini_e4m3": ("mini_e4m3", "mini_e4m3", "mini_e4m3", "mini_e4m3", {}),
    "mini_e5m2": ("mini_e5m2", "mini_e5m2", "mini_e5m2", "mini_e5m2", {}),
    "mini_mixed": ("mini_e3m0", "mini_e2m5", "int8e-9", "mini_e3m0", {"last": "e2m1"}),
    "e5m2": ("e5m2", "e5m2", "fp16", "e5m2", {"last": "e3m2"}),
    "fp16": ("fp16", "fp16", "fp16", "fp16", {"last": "e4m3"}),
    "fp32_e4m3": ("mini_e4m3", "mini_e4m3", "mini_e4m3", "mini_e4m3", {"accumulate": "fp32"}),
    "fp32_fp16": ("fp16", "fp16", "fp16", "fp16", {"accumulate": "fp32x5", "last": "int32e-9"}),
    "fp32_one": ("int8e-4", "int12e-9", "int20e-30", "int8e-3", {"accumulate": "fp32x1", "last": "pow2_4"}),
    "fp32_long": ("int8e20", "int8e20", "int8e20", "int8e20", {"accumulate": "fp32", "last": "int64e-8", "scale": 1e8}),
}


@pytest.mark.parametrize("name", MACS)
def test_networks_of_macs(tmp_path, name):
    *formats, settings = MACS[name]
    found = check(tmp_path, mac_network(*formats, **settings), scale=2 * settings.get("scale", 0.5))
    few = {"binary": 2, "ternary": 3, "pow2z_3": 4, "pow2_4": 5}.get(settings.get("last"), 8)
    assert len(np.unique(found)) >= few


def test_wide_sums_round_by_their_last_bit(tmp_path):
    """Products of fp16 in units of 2**-48: 80 bits that cancel, 2**63 and a tie of fp16, and one unit more or less."""
    hi = parse("fp16").hi  # hi**2 == 2**80 - 2**70 + 2**58
    cancel = [(hi, hi), *[(1 << 39, -(1 << 39))] * 4, (1 << 35, 1 << 35), (1 << 29, -(1 << 29))]
    x, w = np.array([*cancel, (1 << 39, 1 << 24), (1 << 26, 1 << 26), (1, 1)]).T
    even, odd = np.array([*[1] * 9, 0]), np.array([*[1] * 8, 3, 0])
    weight = np.array([rest * w + last * (np.arange(10) == 9) for rest in (even, odd) for last in (-1, 0, 1)])
    builder = Builder("fp16", (10,))
    parameters = {"weight": ("fp16", np.concatenate([weight, -weight])), "bias": ("fp16", np.zeros(12, int))}
    builder.add("fc", "mac_dense", parameters=parameters, attributes={"format": "fp16"})
    network = builder.build()
    found = logits(compiled(tmp_path, network, *CHECKED), x[None])
    np.testing.assert_array_equal(found, network.run(x[None]))
    steps = (found[0, :6] - (1 << 39)) >> 29  # of fp16, from 2**15 on
    assert steps.tolist() == [0, 0, 1, 1, 2, 2] and (found[0, 6:] == -found[0, :6]).all()


def narrow_network(a, w, then, last, accumulate=32, **padding):
    """A convolution, a pool of its sums, what becomes of them in the format `then`, and a dense layer."""
    rng, builder = np.random.default_rng(3), Builder(a, (2, 6, 5))

    def weights(*shape):
        return {"weight": (w, rng.choice(parse(w).values(), shape))}

    builder.add("conv", "conv", parameters=weights(6, 2, 3, 2), attributes={"accumulate": accumulate} | padding)
    builder.add("pool", "max_pool", attributes={"kernel": 2})
    scale = plain(m=[1, -1, 0, 1, -1, 1], b=[0, 3, -1, -2, 0, 5], s=[0] * 6)
    builder.add("q", "requant", parameters=scale, attributes={"format": then, "m_width": 2, "b_width": 20})
    builder.add("flat", "flatten")
    builder.add("fc", "dense", parameters=weights(9, *builder.tensors["flat"].shape), attributes={"accumulate": accumulate})
    scale = plain(m=[1] * 9, b=[1] * 9, s=[2 * (last != "binary")] * 9)
    builder.add("y", "requant", parameters=scale, attributes={"format": last, "m_width": 2})
    return builder.build()


@pytest.mark.parametrize(
    ("formats", "accumulate", "padding"),
    [
        (("binary", "binary", "binary", "int8"), 32, {"padding": 1}),
        (("binary", "binary", "binary", "binary"), 32, {"padding": [2, 1], "fill": 1, "stride": [2, 1]}),
        (("int8", "codebook_int8_00f37f05", "upow2z_4", "pow2z_5"), 50, {"padding": 1, "fill": -128}),
        (("upow2z_3e-5", "pow2z_4e-9", "upow2z_3e-5", "upow2z_5e2"), 50, {"padding": 1}),
    ],
)
def test_signs_powers_and_codebooks(tmp_path, formats, accumulate, padding):
    network = narrow_network(*formats, accumulate, **padding)
    assert len(np.unique(check(tmp_path, network))) > 1
    assert ("filled_conv" in source(network)) == (padding.get("fill") is not None or formats[0] == "binary")


@pytest.mark.parametrize(
    ("op", "format", "weight", "kind"),
    [
        ("dense", "int16", [-(1 << 15), -(1 << 15) + 1], "int32_t sum"),
        ("dense", "int16", [-(1 << 15), -(1 << 15)], "int64_t sum"),
        ("dense", "int40", [0, 0], "int64_t sum"),
        ("mac_dense", "int32", [-(1 << 31), -(1 << 31) + 1], "int64_t sum"),
        ("mac_dense", "int32", [-(1 << 31), -(1 << 31)], "wide sum"),
    ],
)
def test_sums_are_as_long_as_their_greatest_asks_for(tmp_path, op, format, weight, kind):
    builder = Builder(format, (2,))
    parameters = {"weight": ("ternary" if format == "int40" else "int32", [weight])}
    if op == "mac_dense":
        parameters["bias"] = "int32", [0]
    attributes = {"format": "int32e31"} if op == "mac_dense" else {"accumulate": 64}
    builder.add("fc", op, parameters=parameters, attributes=attributes)
    assert kind in source(builder.build())
    check(tmp_path, builder.build())


def rounded(builder, x, format, name):
    """The numbers of `x` rounded to `format`."""
    parameters = {"weight": ("int2", np.ones((1, 1, 1, 1), int)), "bias": ("int2", [0])}
    return builder.add(name, "mac_conv", x, parameters=parameters, attributes={"format": format})


@pytest.mark.parametrize(
    "formats",
    [("pow2_2", "pow2_4", "pow2_6", "pow2z_2", "pow2z_5", "pow2_3e-5", "upow2z_4e-9", "upow2z_1"), ("mini_e1m0", "mini_e1m4", "mini_e5m3", "e2m3", "e4m3")],
)
def test_rounding_at_every_tie(tmp_path, formats):
    """Numbers between 2**-30 and 2**9, those halfway between two of a format, and both sides of them."""
    rng = np.random.default_rng(0)
    x = [spread(rng, parse("int40"), 2000)]
    for format in map(parse, formats):
        values = format.values() * 2.0 ** (format.exponent + 30)
        middle = np.rint((values[1:] + values[:-1]) / 2)
        root = np.rint(values * np.sqrt(2))
        x += [(part + d) for part in (values, middle, root) for d in (-1, 0, 1)]
    x = np.unique(np.clip(np.concatenate(x), -(1 << 39), (1 << 39) - 1).astype(np.int64))
    builder = Builder("int40e-30", (1, 1, len(x)))
    found = [rounded(builder, "input", f, f"to {f}") for f in formats]
    builder.add("all", "concat", *(rounded(builder, y, "int50e-32", f"{y} again") for y in found))
    network = builder.build()
    found = logits(compiled(tmp_path, network, *CHECKED), x)
    expected = network.run(x.reshape(1, 1, 1, -1))
    np.testing.assert_array_equal(found.reshape(len(formats), -1), expected[0, :, 0])


def test_sums_of_62_bits_in_requantisation_and_addition(tmp_path):
    rng, channels = np.random.default_rng(0), 40
    builder = Builder("int34", (channels, 3, 1))
    m, b = rng.integers(-(1 << 26), 1 << 26, channels), rng.integers(-(1 << 60), 1 << 60, channels)
    s = np.arange(channels) % 63
    attributes = {"format": "int30", "m_width": 27, "b_width": 61}
    builder.add("q", "requant", parameters=plain(m=m, b=b, s=s), attributes=attributes)
    m = rng.integers(-(1 << 25), 1 << 25, (2, channels))
    attributes = {"format": "e4m3", "m_width": 26, "d_width": 61}
    builder.add("sum", "add", "input", "q", parameters=plain(m_a=m[0], m_b=m[1], d=b, s=62 - s), attributes=attributes)
    builder.add("mean", "average_pool", attributes={"kernel": [2, 1], "stride": 1})
    parameters = plain(m=m[0] >> 10, b=b >> 9, s=s)
    builder.add("y", "requant", parameters=parameters, attributes={"format": "mini_e5m2", "b_width": 52})
    builder.add("relu", "relu")
    assert len(np.unique(check(tmp_path, builder.build("y"), count=40))) > 20
    check(tmp_path, builder.build("q"))
    check(tmp_path, builder.build("relu"))


def test_accumulators_of_64_bits(tmp_path):
    builder = Builder("int31", (3,))
    weight = np.array([[-(1 << 31), -(1 << 31), -(1 << 31) + 1], [(1 << 31) - 1, 1, -(1 << 31)], [0, 7, 0]])
    builder.add("fc", "dense", parameters={"weight": ("int32", weight)}, attributes={"accumulate": 64})
    assert check(tmp_path, builder.build()).max() > 1 << 62


def test_normalisation(tmp_path):
    builder = Builder("mini_e4m3", (7, 4, 3))
    for name, size, alpha in (("odd", 5, 1e-2), ("even", 4, 0.5)):
        builder.add(
            name, "lrn", attributes={"size": size, "alpha": alpha, "beta": 0.75, "k": 2.0, "format": "int16e-8"}
        )
    text = source(builder.build())
    assert "#include <math.h>" in text and "lrn is as exact as the pow of the C library" in text
    assert len(np.unique(check(tmp_path, builder.build()))) > 100
