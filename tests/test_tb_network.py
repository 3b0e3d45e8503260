"""A network's layers in Verilog."""

from dataclasses import replace

import numpy as np
import pytest

from golden.builder import Builder
from golden.errors import InputError
from golden.formats import Codebook, parse
from golden.precision import group_precision
from golden.requant import RequantSpec, fold_affine, fold_sign
from tb.cases import Failure
from tb.network import profile_precisions, run_network, tree_layer, tree_target


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


@pytest.mark.parametrize("fill", [None, 1])
def test_a_network_of_signs(fill):
    """8-bit first layer, sign, padded convolution of signs, pool of its sums, sign of either direction, dense of signs,
    and an 8-bit last layer on signs."""
    rng = np.random.default_rng(5)
    net = Builder("int8", (1, 6, 6))

    def weights(fmt, *shape):
        return {"weight": (fmt, rng.choice(parse(fmt).values(), shape))}

    def sign(name, channels, centre):
        sums = net.tensors[next(reversed(net.tensors))].format
        spec = RequantSpec(x=sums, y=parse("binary"), m_width=2, b_width=sums.width + 1)
        scale = rng.normal(0, 1, channels) * (np.arange(channels) != 1)
        m, b, s = fold_sign(spec, scale, -scale * centre + rng.normal(0, 1, channels))
        attributes = {"format": "binary", "m_width": 2, "b_width": sums.width + 1}
        net.add(name, "requant", parameters={"m": (None, m), "b": (None, b), "s": (None, s)}, attributes=attributes)

    net.add("first", "conv", parameters=weights("int8", 3, 1, 3, 3))
    sign("first_sign", 3, 0)
    net.add("conv", "conv", parameters=weights("binary", 5, 3, 3, 3), attributes={"padding": 1, "fill": fill, "accumulate": 10})
    net.add("pool", "max_pool", attributes={"kernel": 2})
    sign("conv_sign", 5, 5)
    net.add("flat", "flatten")
    net.add("dense", "dense", parameters=weights("binary", 7, 20), attributes={"accumulate": 16})
    sign("dense_sign", 7, 0)
    net.add("last", "dense", parameters=weights("int8", 4, 7))
    network = net.build()
    x = rng.integers(-128, 128, (3, 1, 6, 6), dtype=np.int8)
    runs = list(run_network(network, x, sim="icarus", rows=2, cols=3))
    assert [run.target for run in runs] == ["int8_gemm", "requant", "xnor_gemm", "requant", "xnor_gemm", "requant", "int8_gemm"]
    assert all(run.cycles == run.model for run in runs)
    first, _, conv, sign_2, dense, _, last = runs
    assert first.settings["a"] == "int8" and last.settings["a"] == "int2"
    assert sign_2.settings["y"] == "binary" and sign_2.settings["x"] == "int10"
    assert conv.macs == 3 * 16 * 27 * 5 and conv.tiles == 24 * 2 and conv.cycles == 24 * 2 * 2 + 2 + 3
    assert dense.cycles == 2 * 3 * 2 + 2 + 3 and len(np.unique(network.run(x))) > 5


def test_binary_weights_have_their_scales_in_the_requantisation():
    """One scale a filter: the sums are those of the signs, and the multiplier brings the rest."""
    rng = np.random.default_rng(6)
    real = rng.normal(0, 1, (4, 2, 3, 3))
    scales = np.abs(real).mean(axis=(1, 2, 3))
    spec = RequantSpec(y=parse("int8"))
    m, b, s = fold_affine(spec, scales / 4, np.zeros(4))
    net = Builder("uint4", (2, 5, 5))
    net.add("conv", "conv", parameters={"weight": ("binary", np.where(real < 0, -1, 1))})
    net.add("q", "requant", parameters={"m": (None, m), "b": (None, b), "s": (None, s)}, attributes={"format": "int8"})
    network, x = net.build(), rng.integers(0, 16, (2, 2, 5, 5), dtype=np.uint8)
    conv, q = run_network(network, x, sim="icarus", rows=2, cols=2)
    assert (conv.target, q.target) == ("binary_gemm", "requant") and conv.cycles == conv.model
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(float), (3, 3), (2, 3))
    exact = np.einsum("ncijpq,fcpq->nfij", windows, np.where(real < 0, -1, 1) * scales[:, None, None, None] / 4)
    assert np.abs(network.run(x) - np.clip(exact, -128, 127)).max() <= 0.51


def ttq_network(rng, positive, negative, shared="input"):
    """Two sums of one convolution with ternary weights, brought together by two scales a filter, and a dense layer."""
    net = Builder("uint8", (2, 5, 5))
    for name, mask in (("p", positive), ("n", negative)):
        source = "input" if name == "p" else shared
        attributes = {"padding": 1, "accumulate": 20}
        net.add(name, "conv", source, parameters={"weight": ("uint1", mask)}, attributes=attributes, target="ttq_gemm")
    scale = {"m_a": rng.integers(1, 50, 3), "m_b": -rng.integers(1, 50, 3), "d": rng.integers(-999, 999, 3), "s": [8] * 3}
    parameters = {key: (None, np.array(value)) for key, value in scale.items()}
    if shared == "input":
        net.add("y", "add", "p", "n", parameters=parameters, attributes={"format": "uint8"})
        net.add("flat", "flatten")
        net.add("dense", "dense", parameters={"weight": ("ternary", rng.integers(-1, 2, (2, 75)))})
    return net.build(), scale


def test_two_scales_take_both_sums_of_one_array():
    rng = np.random.default_rng(7)
    ternary = rng.integers(-1, 2, (3, 2, 3, 3))
    network, scale = ttq_network(rng, (ternary > 0).astype(int), (ternary < 0).astype(int))
    x = rng.integers(0, 256, (2, 2, 5, 5), dtype=np.uint8)
    both, dense = run_network(network, x, sim="icarus", rows=2, cols=3)
    assert (both.name, both.target, dense.target) == ("p and n", "ttq_gemm", "ternary_gemm")
    assert both.cycles == both.model == 25 * 18 + 5 and both.macs == 50 * 18 * 3 and both.settings["acc_width"] == 20
    weights = np.where(ternary > 0, scale["m_a"][:, None, None, None], scale["m_b"][:, None, None, None]) * (ternary != 0)
    padded = np.pad(x.astype(int), ((0, 0), (0, 0), (1, 1), (1, 1)))
    sums = np.einsum("ncijpq,fcpq->nfij", np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)), weights)
    expected = np.clip(np.rint((sums + scale["d"][:, None, None]) / 256), 0, 255)
    [y] = [step.output for step in network.steps(x) if step.node.name == "y"]
    assert np.array_equal(y, expected) and 0 < y.mean() < 255


@pytest.mark.parametrize(
    ("positive", "negative", "shared", "message"),
    [
        (1, 1, "input", "positive and negative weights of an array with two sums must be masks that do not overlap"),
        (1, 0, "p", "ttq_gemm runs p with another node of the same input, which is not there"),
    ],
)
def test_masks_that_are_no_pair_are_refused(positive, negative, shared, message):
    shape = (3, 2, 3, 3)
    if shared == "p":
        net = Builder("uint8", (2, 5, 5))
        net.add("p", "conv", parameters={"weight": ("uint1", np.ones(shape, int))}, target="ttq_gemm")
        network = net.build()
    else:
        network, _ = ttq_network(np.random.default_rng(1), np.full(shape, positive), np.full(shape, negative))
    with pytest.raises(InputError, match=message):
        list(run_network(network, np.zeros((1, 2, 5, 5), np.uint8), sim="icarus", rows=2, cols=3))


def test_a_network_of_logarithms():
    """Weights of 5 and of 4 bits, activations of 4, of units of their own."""
    rng = np.random.default_rng(8)
    net = Builder("upow2z_4e-12", (2, 5, 5))

    def add(name, op, fmt, *shape):
        weight = (fmt, parse(fmt).nearest(rng.normal(0, 0.2, shape)))
        net.add(name, op, parameters={"weight": weight}, attributes={"accumulate": 48})

    add("conv", "conv", "pow2z_5e-14", 3, 2, 3, 3)
    m, b, s = fold_affine(RequantSpec(x=parse("int48"), y=parse("upow2z_4e-12"), m_width=4, b_width=50), [2.0**-12] * 3, [1, 0, -9])
    attributes = {"format": "upow2z_4e-12", "m_width": 4, "b_width": 50}
    net.add("q", "requant", parameters={"m": (None, m), "b": (None, b), "s": (None, s)}, attributes=attributes)
    net.add("flat", "flatten")
    add("dense", "dense", "pow2z_4", 4, 27)
    network = net.build()
    x = parse("upow2z_4e-12").nearest(rng.exponential(0.3, (2, 2, 5, 5)))
    conv, q, dense = run_network(network, x, sim="icarus", rows=2, cols=3)
    assert [conv.target, q.target, dense.target] == ["log_gemm", "requant", "log_gemm"]
    assert dense.settings["w"] == "pow2z_4" and q.settings["y"] == "upow2z_4e-12"
    assert conv.cycles == conv.model == 9 * 18 + 5 and dense.cycles == dense.model
    [y] = [step.output for step in network.steps(x) if step.node.name == "q"]
    assert len(np.unique(y)) > 5 and len(np.unique(network.run(x))) == 8


@pytest.mark.parametrize(("entry", "size"), [("int8e-6", 16), ("uint4", 4)])
def test_a_network_with_a_codebook_a_layer(entry, size):
    rng = np.random.default_rng(9)
    net = Builder("int5", (2, 5, 5))
    books = [Codebook(parse(entry), tuple(rng.integers(parse(entry).lo, parse(entry).hi, size).tolist())) for _ in range(2)]
    net.add("conv", "conv", parameters={"weight": (books[0].name, rng.choice(books[0].table, (3, 2, 3, 3)))})
    plain = {"m": (None, [5, -3, 1]), "b": (None, [9, 0, 0]), "s": (None, [7, 8, 5])}
    net.add("q", "requant", parameters=plain, attributes={"format": "int8"})
    net.add("flat", "flatten")
    net.add("dense", "dense", parameters={"weight": (books[1].name, rng.choice(books[1].table, (4, 27)))})
    x = rng.integers(-16, 16, (2, 2, 5, 5), dtype=np.int8)
    conv, q, dense = run_network(net.build(), x, sim="icarus", rows=2, cols=3)
    assert [conv.target, q.target, dense.target] == ["codebook_gemm", "requant", "codebook_gemm"]
    entries = {"int8e-6": "int8", "uint4": "int5"}[entry]
    assert conv.settings.items() >= {"a": "int5", "bits": size.bit_length() - 1, "entry": entries}.items()
    assert conv.cycles == conv.model == 9 * 18 + 6 and dense.cycles == dense.model


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
    if name == "stripes":  # 22 rows of tiles by 3 of 3 passes, all 8 bits of the format
        assert conv.tiles == 66 and conv.cycles == 66 * 3 * 8 + 5
        assert conv.utilisation == pytest.approx(64 * 9 * 5 / (conv.cycles * 3))


def test_layers_run_at_the_precisions_of_a_profile():
    """What is run may need less than the profile's images, and no more."""
    rng = np.random.default_rng(1)
    network = small_network(rng)
    x = rng.integers(0, 32, (40, 1, 8, 8), dtype=np.uint8)
    x[0] //= 8
    tile = {"tile": "stripes", "tile_settings": TILES["stripes"], "precisions": profile_precisions(network, x)}
    [flat] = [step.output for step in network.steps(x) if step.node.name == "flat"]
    assert tile["precisions"] == {"conv": 5, "dense": group_precision(flat.ravel(), True)}
    conv, _, dense = run_network(network, x[:1], sim="icarus", **tile)
    assert conv.cycles == conv.model == 66 * 3 * 5 + 5
    assert tile["precisions"]["dense"] < 8 and dense.cycles == dense.model
    with pytest.raises(InputError, match="^input of conv holds 3[0-9], which needs 6 bits; its precision is 5$"):
        next(run_network(network, x[:1] | 32, sim="icarus", **tile))


@pytest.mark.parametrize(("formats", "attributes"), [(TREES[0][0], {}), (TREES[1][0], {"relu": True}), (("int1", "int1", "int8", "int8"), {})])
def test_layers_with_bias_and_rounding_run_on_a_tile_that_is_named(formats, attributes):
    network = mac_network(formats, **attributes)
    a = parse(formats[0])
    x = a.nearest(np.random.default_rng(3).uniform(-1, 1, (1, 1, 5, 5))).astype(a.dtype)
    tile = {"tile": "loom", "tile_settings": {"lanes": 3, "filters": 2, "windows": 2}}
    conv, dense = run_network(network, x, sim="icarus", **tile)
    assert [run.target for run in (conv, dense)] == ["loom"] * 2 and conv.cycles == conv.model


@pytest.mark.parametrize("name", TILES)
def test_activations_of_one_bit_run_on_every_tile(name):
    rng = np.random.default_rng(5)
    net = Builder("uint1", (1, 5, 5))
    net.add("conv", "conv", parameters={"weight": ("int4", rng.integers(-8, 8, (3, 1, 3, 3)))})
    x = rng.integers(0, 2, (1, 1, 5, 5), dtype=np.uint8)
    [run] = run_network(net.build(), x, "icarus", tile=name, tile_settings=TILES[name])
    assert run.settings["a"] == ("uint2" if name == "stripes" else "uint1") and run.cycles == run.model


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
@pytest.mark.parametrize(("name", "bits"), [("stripes", 8), ("dynamic_stripes", 8), ("loom", 8 * 8)])
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
