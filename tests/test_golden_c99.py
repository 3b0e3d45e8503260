"""The C file of a network, compiled, gives golden's logits bit for bit; with sanitisers, and without a warning."""

import re
import subprocess

import numpy as np
import pytest
from random_network import random_network

from golden.builder import Builder
from golden.c99 import source
from golden.c99.buffers import needed, share
from golden.c99.layers import ROWS
from golden.errors import InputError
from golden.formats import parse
from golden.operations import OPERATIONS

STRICT = ["cc", "-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
CHECKED = ["-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all", "-DNARROWGATE_MAIN"]


def compiled(folder, network, *options, name="net"):
    """The program that the C file of `network` makes."""
    (folder / "net.c").write_text(source(network, name))
    run = subprocess.run([*STRICT, *options, "net.c", "-o", "net", "-lm"], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "net"


def logits(program, x):
    """What `program` prints for the samples `x`."""
    run = subprocess.run([program], input=np.ascontiguousarray(x).tobytes(), capture_output=True)
    assert run.returncode == 0, run.stderr.decode()
    return np.array([[int(word) for word in line.split()] for line in run.stdout.decode().splitlines()])


def spread(rng, format, shape):
    """Integers of `format` of every magnitude, and its ends and zeros."""
    if format.width > 16:
        found = rng.integers(format.lo, format.hi, shape, endpoint=True)
        return (found >> rng.integers(0, format.width, shape)).astype(format.dtype)
    values = format.values()
    ends = rng.choice(values[[0, -1, np.abs(values).argmin()]], shape)
    return np.where(rng.random(shape) < 0.3, ends, rng.choice(values, shape)).astype(format.dtype)


def normal(rng, format, shape, scale):
    """Integers of `format`: its numbers nearest to normally distributed ones."""
    return format.nearest(rng.normal(0, scale, shape)).astype(format.dtype)


def samples(rng, network, count, scale):
    """Samples of `network`: of each kind, and one of the least and one of the greatest number throughout."""
    format, shape = network.tensors[network.input].format, (count, *network.tensors[network.input].shape)
    ends = [np.full((1, *shape[1:]), end, format.dtype) for end in (format.lo, format.hi)]
    return np.concatenate([spread(rng, format, shape), normal(rng, format, shape, scale), *ends])


def check(folder, network, count=8, scale=1.0):
    """That C and golden agree on `network`; returns the logits."""
    x = samples(np.random.default_rng(0), network, count, scale)
    expected = network.run(x)
    found = logits(compiled(folder, network, *CHECKED), x)
    np.testing.assert_array_equal(found, expected.reshape(len(x), -1))
    return expected


def plain(**vectors):
    return {role: (None, np.asarray(values)) for role, values in vectors.items()}


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
    [("pow2_2", "pow2_4", "pow2_6", "pow2z_2", "pow2z_5"), ("mini_e1m0", "mini_e1m4", "mini_e5m3", "e2m3", "e4m3")],
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


def every_operation():
    """A network that has each operation once, at least."""
    builder = Builder("uint4", (2, 6, 6))
    filters = np.arange(72).reshape(4, 2, 3, 3) % 7 - 3
    bias = {"bias": ("int8", [1, -2, 3, -4])}
    builder.add("a", "conv", parameters={"weight": ("int4", filters)}, attributes={"padding": 1})
    builder.add("b", "requant", parameters=plain(m=[3] * 4, b=[5] * 4, s=[4] * 4), attributes={"format": "int8"})
    builder.add(
        "c", "mac_conv", "input", parameters={"weight": ("int4", filters)} | bias, attributes={"format": "int8"}
    )
    builder.add("d", "max_pool", "b", attributes={"kernel": 3, "stride": 1})
    ones = plain(m_a=[1] * 4, m_b=[2] * 4, d=[0] * 4, s=[1] * 4)
    builder.add("e", "add", "c", "d", parameters=ones, attributes={"format": "int8"})
    builder.add("f", "concat", "e", "d")
    builder.add("g", "relu")
    builder.add("h", "lrn", attributes={"size": 3, "format": "int8e-4"})
    builder.add("i", "average_pool", attributes={"kernel": 2, "divisor": "window"})
    builder.add("j", "flatten")
    weight = {"weight": ("int8", np.arange(128).reshape(4, 32) % 11 - 5)}
    builder.add("k", "mac_dense", parameters=weight | bias, attributes={"format": "int16e-4"})
    builder.add("l", "dense", parameters={"weight": ("ternary", np.eye(4, dtype=int))})
    return builder.build()


def test_there_is_a_row_for_every_operation():
    assert set(ROWS) == set(OPERATIONS) == {node.op for node in every_operation().nodes}


def test_every_operation_by_itself_and_as_strict_as_compilers_are(tmp_path):
    network = every_operation()
    check(tmp_path, network)
    compiled(tmp_path, network, "-O2", "-c")  # a part of another program, without main
    assert set(re.findall("#include <(.*)>", source(network))) == {"stdint.h", "float.h", "math.h", "stdio.h"}
    assert re.findall("#include <(.*)>", source(random_network(0))) == ["stdint.h", "stdio.h"]


def test_equal_networks_give_equal_text():
    assert source(random_network(3)) == source(random_network(3)) != source(random_network(4))


def test_parameters_have_the_narrowest_type():
    text = source(mac_network("uint8e-8", "int12e-5", "int20e-12", "int8e-6"))
    assert "static const int16_t conv1_weight[48]" in text and "static const int32_t conv1_bias[4]" in text
    assert f"{(48 + 120 + 9 * text_features(text)) * 2 + (4 + 5 + 9) * 4:,} of parameters" in text


def text_features(text):
    """Features of the dense layer of `mac_network`."""
    return int(re.search(r"fc_weight\[(\d+)\]", text)[1]) // 9


def test_names_of_any_kind(tmp_path):
    builder = Builder("int8", (2,))
    weight = {"weight": ("int8", [[1, 2], [3, -4]])}
    names = ["int", "*/ #error", "1", "NULL", "%s\\\n", "/conv/a*", "é", "a b", "a_b", "wide", "main", "??/", "input.1"]
    for name in names:
        builder.add(name, "dense", parameters=weight)
        scale = plain(m=[1, 1], b=[0, 0], s=[3, 3])
        builder.add(f"{name}_q", "requant", parameters=scale, attributes={"format": "int8"})
    check(tmp_path, builder.build())


def test_an_output_in_the_middle_leaves_out_what_it_does_not_need(tmp_path):
    builder = Builder("int8", (2,))
    builder.add("first", "dense", parameters={"weight": ("int8", [[1, 2]])})
    builder.add("second", "dense", "input", parameters={"weight": ("int8", [[5, 2]])})
    builder.add("third", "relu", "first")
    network = builder.build("second")
    check(tmp_path, network)
    assert "first" not in source(network) and "third" not in source(network)
    check(tmp_path, builder.build("input"))


def test_tensors_share_memory_only_while_they_are_not_needed():
    """A residual connection keeps its tensor: three buffers; the chain around it takes two."""
    builder = Builder("int8", (1, 4, 4))
    weight = {"weight": ("int8", np.ones((1, 1, 1, 1), int))}
    q = {"parameters": plain(m=[1], b=[0], s=[0]), "attributes": {"format": "int8"}}
    for name in ("a", "b", "c"):
        builder.add(name, "conv", parameters=weight)
        builder.add(f"{name}_q", "requant", **q)
    builder.add(
        "sum", "add", "a_q", "c_q", parameters=plain(m_a=[1], m_b=[1], d=[0], s=[0]), attributes=q["attributes"]
    )
    builder.add("flat", "flatten")
    builder.add("fc", "dense", parameters={"weight": ("int8", np.ones((3, 16), int))})
    network = builder.build()
    nodes = needed(network)
    buffers, views = share(network, nodes, lambda name: 64 if name in "abc" else 16)
    assert views == {"flat": "sum"}
    assert [buffer.tensors for buffer in buffers] == [["a", "b", "c", "sum"], ["a_q", "fc"], ["b_q", "c_q"]]
    assert [buffer.bytes for buffer in buffers] == [64, 16, 16]


def test_an_operation_without_c_is_refused(monkeypatch):
    monkeypatch.delitem(ROWS, "max_pool")
    with pytest.raises(InputError, match="node 'max_pool6': C has no max_pool; it has conv, mac_conv, dense"):
        source(random_network(0))


@pytest.mark.parametrize("name", ["", "1st", "_x", "a-b", "é", "a\n", None])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(InputError, match="name must be a C identifier that begins with a letter, not"):
        source(random_network(0), name)


def test_the_program_refuses_samples_that_are_none(tmp_path):
    program = compiled(tmp_path, every_operation(), *CHECKED)
    for sample, message in (
        (bytes(71), "net: a sample has 72 bytes, the last one on stdin has 71\n"),
        (bytes(71) + b"\x10", "net: an integer of a sample must be 0 to 15, not 16\n"),
    ):
        run = subprocess.run([program], input=bytes(72) + sample, capture_output=True)
        assert (run.returncode, run.stderr.decode()) == (2, message)
        assert run.stdout.count(b"\n") == 1
