"""A network's layers in Verilog."""

from dataclasses import replace

import numpy as np
import pytest

from golden.builder import Builder
from golden.errors import InputError
from golden.formats import parse
from golden.gemm import GemmSpec
from golden.requant import RequantSpec, fold_affine
from tb.cases import Failure
from tb.network import gemm_target, run_network, tree_layer, tree_target


def small_network(rng):
    """Convolution with ternary weights, pooling, a dense layer with 8-bit weights on signed activations."""
    net = Builder("uint8", (1, 8, 8))

    def requant(name, channels, to):
        m, b, s = fold_affine(RequantSpec(y=parse(to)), rng.uniform(-0.1, 0.1, channels), rng.uniform(-5, 60, channels))
        net.add(name, "requant", parameters={"m": (None, m), "b": (None, b), "s": (None, s)}, attributes={"format": to})

    kernels = ("ternary", rng.integers(-1, 2, (5, 1, 3, 3)))
    net.add("conv", "conv", parameters={"weight": kernels}, attributes={"padding": 1})
    requant("conv_q", 5, "int8")
    net.add("pool", "max_pool", attributes={"kernel": 2})
    net.add("flat", "flatten")
    net.add("dense", "dense", parameters={"weight": ("int8", rng.integers(-128, 128, (3, 80)))}, target="int8_gemm")
    return net.build()


def test_every_layer_runs_on_its_target_and_equals_golden():
    rng = np.random.default_rng(1)
    network = small_network(rng)
    x = rng.integers(0, 256, (2, 1, 8, 8), dtype=np.uint8)
    conv, conv_q, dense = run_network(network, x, sim="icarus", rows=2, cols=3)
    assert [run.name for run in (conv, conv_q, dense)] == ["conv", "conv_q", "dense"]
    assert [run.target for run in (conv, conv_q, dense)] == ["ternary_gemm", "requant", "int8_gemm"]
    assert conv.settings["a"] == "uint8" and dense.settings["a"] == "int8" and conv_q.settings["y"] == "int8"
    assert all(run.cycles == run.model for run in (conv, conv_q, dense))
    assert conv.tiles == 64 * 2 and conv.macs == 128 * 9 * 5 and conv.cycles == 128 * 9 + 2 + 3
    assert dense.tiles == 1 and dense.cycles == 80 + 2 + 3
    assert conv.utilisation == pytest.approx(128 * 9 * 5 / (6 * conv.cycles))


@pytest.mark.parametrize(("name", "position"), [("conv", 0), ("conv_q", 1), ("dense", 2)])
def test_a_result_that_is_not_the_network_s_is_a_failure(monkeypatch, name, position):
    rng = np.random.default_rng(1)
    network = small_network(rng)
    x = rng.integers(0, 256, (1, 1, 8, 8), dtype=np.uint8)
    steps = list(network.steps(x))
    wrong = [replace(step, output=step.output + (step.node.name == name)) for step in steps]
    monkeypatch.setattr(type(network), "steps", lambda self, x: iter(wrong))
    runs = run_network(network, x, sim="icarus", rows=2, cols=3)
    with pytest.raises(Failure, match=f"{name}: [0-9]+ of [0-9]+ results differ"):
        for _ in range(position + 1):
            next(runs)


def test_a_layer_without_a_target_is_refused():
    spec = GemmSpec(a=parse("uint8"), w=parse("int4"), k=3)
    with pytest.raises(InputError, match="no target among ternary_gemm, .* multiplies weights of int4"):
        gemm_target(spec)
    with pytest.raises(InputError, match="no target among ternary_gemm multiplies weights of int4"):
        gemm_target(spec, "ternary_gemm")
    assert gemm_target(GemmSpec(a=parse("uint8"), w=parse("binary"), k=3)) == "binary_gemm"


def mac_network(formats, shape=(1, 5, 5), **attributes):
    """A convolution and a dense layer whose sums, biases and rounding are one operation, of formats a, w, b, y."""
    a, w, b, y = map(parse, formats)
    rng = np.random.default_rng(2)
    net = Builder(a, shape)

    def drawn(fmt, *shape):
        return fmt.name, fmt.nearest(rng.normal(size=shape))

    def add(name, op, *weights, target=None):
        parameters = {"weight": drawn(w, *weights), "bias": drawn(b, weights[0])}
        net.add(name, op, parameters=parameters, attributes={"format": y.name} | attributes, target=target)

    add("conv", "mac_conv", 3, 1, 3, 3)
    net.add("flat", "flatten")
    add("dense", "mac_dense", 4, 27)
    return net.build()


TREES = [
    (("uint8e-8", "int8e-6", "int8e-6", "int8e-4"), "mac_tree_dfp", {}),
    (("int8e-3", "int4e-1", "uint6e2", "uint8e-1"), "mac_tree_dfp", {"relu": True}),  # bias far above the sums
    (("int8e-4", "int6e-5", "int20e-18", "int8e-5"), "mac_tree_dfp", {}),  # and far below
    (("int8e-4", "pow2_4", "int8e-6", "int8e-4"), "mac_tree_pow2", {"relu": True}),
    (("uint8e-8", "mini_e4m3", "mini_e4m3", "mini_e4m3"), "mac_tree_minifloat", {"relu": True}),
    (("e4m3", "e4m3", "fp16", "e5m2"), "mac_tree_minifloat", {"accumulate": "fp32x5"}),
]


@pytest.mark.parametrize(("formats", "name", "attributes"), TREES)
def test_layers_with_bias_and_rounding_run_on_the_tree_of_their_formats(formats, name, attributes):
    network = mac_network(formats, **attributes)
    a = parse(formats[0])
    x = a.nearest(np.random.default_rng(3).uniform(0, 1, (2, 1, 5, 5))).astype(a.dtype)
    conv, dense = run_network(network, x, sim="icarus", lanes=4)
    assert [run.target for run in (conv, dense)] == [name] * 2
    lanes = 5 if "accumulate" in attributes else 4
    beats, latency = -(-9 // lanes) * 2 * 9 * 3, 7 if "accumulate" in attributes else 5
    assert (conv.tiles, conv.macs, conv.cycles) == (2 * 9 * 3, 2 * 9 * 3 * 9, beats + latency)
    assert conv.cycles == conv.model and dense.cycles == dense.model
    assert conv.utilisation == pytest.approx(conv.macs / (lanes * conv.cycles))


def test_a_layer_s_own_tree_is_taken():
    network = mac_network(("int8e-4", "int8e-6", "int8e-6", "int8e-4"))
    node = network.steps(np.zeros((1, 1, 5, 5), np.int8))
    spec = network.operations["conv"].spec
    assert tree_target(spec) == "mac_tree_dfp" and tree_target(spec, "mac_tree_fixed") == "mac_tree_fixed"
    step = replace(next(s for s in node if s.node.name == "conv"))
    settings, operands = tree_layer("mac_tree_fixed", network.operations["conv"].lower(*step.inputs), 2)
    assert settings["a"] == "int8e-4" and set(operands) == {"a", "w", "bias"}


TILES = {
    "parallel_tile": {"lanes": 4, "filters": 3},
    "stripes": {"lanes": 4, "filters": 2, "windows": 3},
    "dynamic_stripes": {"lanes": 4, "filters": 2, "windows": 4, "groups": 2, "run_ahead": 1, "trim": 1},
    "loom": {"lanes": 4, "filters": 2, "windows": 3, "s": 2},
}


@pytest.mark.parametrize("name", TILES)
def test_layers_run_on_a_bit_serial_tile(name):
    rng = np.random.default_rng(1)
    x = rng.integers(0, 32, (1, 1, 8, 8), dtype=np.uint8)
    tile = {"tile": name, "tile_settings": TILES[name]}
    conv, conv_q, dense = run_network(small_network(rng), x, sim="icarus", rows=2, cols=3, **tile)
    assert [run.target for run in (conv, conv_q, dense)] == [name, "requant", name]
    assert conv.settings.items() >= {"a": "uint8", "w": "int2"}.items() and dense.settings["w"] == "int8"
    assert ("dense" in dense.settings) == (name != "parallel_tile") and "dense" not in conv.settings
    assert conv.cycles == conv.model and dense.cycles == dense.model
    if name == "stripes":  # 22 rows of tiles by 3 of 3 passes, 5 bits
        assert conv.tiles == 66 and conv.cycles == 66 * 3 * 5 + 5
        assert conv.utilisation == pytest.approx(64 * 9 * 5 / (conv.cycles * 3))


@pytest.mark.parametrize(("formats", "attributes"), [(TREES[0][0], {}), (TREES[1][0], {"relu": True}), (("int1", "int1", "int8", "int8"), {})])
def test_layers_with_bias_and_rounding_run_on_a_tile_that_is_named(formats, attributes):
    network = mac_network(formats, **attributes)
    a = parse(formats[0])
    x = a.nearest(np.random.default_rng(3).uniform(-1, 1, (1, 1, 5, 5))).astype(a.dtype)
    tile = {"tile": "loom", "tile_settings": {"lanes": 3, "filters": 2, "windows": 2}}
    conv, dense = run_network(network, x, sim="icarus", **tile)
    assert [run.target for run in (conv, dense)] == ["loom"] * 2 and conv.cycles == conv.model


def test_what_a_tile_multiplies_comes_from_memory():
    rng = np.random.default_rng(1)
    x = rng.integers(0, 32, (1, 1, 8, 8), dtype=np.uint8)
    seen = {}

    def memory(values, fmt, what):
        seen[what] = values.shape, fmt.name
        return values

    tile = {"tile": "stripes", "tile_settings": TILES["stripes"]}
    list(run_network(small_network(rng), x, sim="icarus", memory=memory, **tile))
    assert seen == {  # channels last; filter by filter
        "input of conv": ((1, 8, 8, 1), "uint8"),
        "weights of conv": ((5, 9), "ternary"),
        "input of dense": ((1, 80), "int8"),
        "weights of dense": ((3, 80), "int8"),
    }
    spoilt = run_network(small_network(rng), x, sim="icarus", memory=lambda values, fmt, what: values * 0, **tile)
    with pytest.raises(Failure, match="conv: [0-9]+ of 320 results differ"):
        next(spoilt)


def test_what_a_tile_cannot_run_is_refused():
    x = np.zeros((1, 1, 8, 8), np.uint8)
    network = small_network(np.random.default_rng(1))
    with pytest.raises(InputError, match="tile must be one of parallel_tile, stripes, .*, not 'ternary_gemm'"):
        next(run_network(network, x, tile="ternary_gemm"))
    for formats, message in ((TREES[3][0], "weights of pow2_4"), (TREES[5][0], "activations of e4m3")):
        network = mac_network(formats)
        with pytest.raises(InputError, match=f"bit-serial tiles multiply integers, not {message}"):
            next(run_network(network, np.zeros((1, 1, 5, 5), parse(formats[0]).dtype), tile="stripes"))


@pytest.mark.long
@pytest.mark.parametrize(("name", "bits"), [("stripes", 8), ("loom", 8 * 8)])
def test_a_layer_of_lenet_on_a_tile_of_sixteen_by_sixteen_by_sixteen(name, bits):
    """Its second convolution: 64 windows, 500 products, 50 filters."""
    rng = np.random.default_rng(1)
    net = Builder("uint8", (20, 12, 12))
    weights = np.rint(rng.laplace(0, 12, (50, 20, 5, 5))).clip(-128, 127).astype(int)
    net.add("conv2", "conv", parameters={"weight": ("int8", weights)})
    x = np.maximum(np.rint(rng.normal(-10, 40, (1, 20, 12, 12))), 0).clip(0, 255).astype(np.uint8)
    tile = {"tile": name, "tile_settings": {"lanes": 16, "filters": 16, "windows": 16}}
    [conv2] = run_network(net.build(), x, **tile)
    assert conv2.tiles == 16 and conv2.macs == 64 * 500 * 50 and conv2.cycles == conv2.model
    assert conv2.cycles <= 16 * 32 * bits + 16 + 2  # 4 by 4 tiles of 32 passes
