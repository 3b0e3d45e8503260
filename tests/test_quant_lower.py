from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st
from torch.nn import functional
from unseen import assigned, unseen_graph, unseen_images

from golden import artefact
from golden.errors import InputError
from golden.formats import Integer, Minifloat, parse
from quant.assignment import Assignment, formats
from quant.evaluate import compare
from quant.from_torch import from_module
from quant.graph import Graph, Op
from quant.lower import aligned, averaged, lower
from quant.ranges import ranges
from quant.rules import SCHEMES
from quant.simulated import Simulated

POOL = {"kernel": (3, 2), "stride": (2, 2), "padding": (1, 0), "ceil_mode": True}
OUTPUTS = {"stem_0": 5, "lrn": 3, "flat": 3, "left_0": 2, "add_1": 3, "mean": 3, "head": 6, "mean_1": 5, "last": 6}
WEIGHTS = {"head": 7, "flat": -1}


def dynamic(bits, lengths):
    """Formats of as many bits, with the integer length that a name has, or one of 4."""
    return lambda name: Integer(bits, True, lengths.get(name, 4) - bits)


ASSIGNMENTS = {
    "fixed point": ("int8e-4", "int8e-4", None, "exact"),
    "dynamic fixed point": (dynamic(8, OUTPUTS), dynamic(8, WEIGHTS), dynamic(16, {}), "exact"),
    "16 bits": ("int16e-11", "int16e-13", None, "exact"),
    "4 bits": (dynamic(4, OUTPUTS), dynamic(4, WEIGHTS), dynamic(16, {}), "exact"),
    "unsigned": (lambda name: Integer(8, name == "last", -5), "int6e-4", None, "exact"),
    "minifloat": ("mini_e4m3", "mini_e4m3", None, "exact"),
    "minifloat, FP32": ("mini_e4m3", "mini_e4m3", None, "fp32"),
    "long minifloat": ("mini_e5m10", "mini_e5m10", None, "exact"),
    "mixed": (lambda name: parse("fp16" if "mean" in name else "e5m2"), "int4e-3", "e4m3", "fp32x5"),
    "power of two": ("int8e-5", lambda name: parse("pow2z_4" if name == "deep" else "pow2_4"), "int16e-12", "exact"),
    "power of two with zero, FP32": ("int8e-5", "pow2z_3", "int16e-12", "fp32x64"),
}


def as_format(value):
    return parse(value) if isinstance(value, str) else value


@pytest.mark.parametrize("given", ASSIGNMENTS.values(), ids=ASSIGNMENTS)
def test_golden_computes_what_torch_computes(given, tmp_path):
    graph, images = unseen_graph(), unseen_images(40)
    *numbers, accumulate = given
    assignment = assigned(graph, *(as_format(fmt) for fmt in numbers))
    artefact.save(tmp_path / "net.safetensors", lower(graph, assignment, accumulate=accumulate, info={"seed": 1}))
    network = artefact.load(tmp_path / "net.safetensors")
    found = compare(Simulated(graph, assignment, accumulate=accumulate), network, images)
    assert found.equal, found.differing
    fused = {"stem_0", "deep", "head"}
    names = {op.name for op in graph.ops if op.op != "flatten"} - fused | {"mean_sum", "mean_1_sum"}
    assert set(found.compared) == names and network.info == {"seed": 1}
    outputs = network.run(images.numpy())
    assert len(np.unique(outputs, axis=0)) > 5
    for name, fmt in formats(graph, assignment).items():
        if name in network.tensors:
            assert (network.tensors[name].format, network.tensors[name].unit) == (fmt, 2.0**fmt.exponent)


class Depthwise(torch.nn.Module):
    """One convolution with groups, dilation and a bias."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(4, 8, 3, padding=2, dilation=2, groups=4)

    def forward(self, x):
        return self.conv(x)


def test_groups_stay_apart_in_powers_of_two():
    """The flow's own choice of formats, against torch's grouped convolution of the quantised weights."""
    torch.manual_seed(0)
    module, x = Depthwise(), torch.randint(-64, 64, (5, 4, 6, 6)) / 32.0
    graph = from_module(module, (4, 6, 6))
    space = SCHEMES["pow2"](graph, ranges(graph, x))
    [conv] = space.groups["conv"]
    assert conv.count == 8 * 9
    chosen = {part: space.proposals((part,), 8 if part.kind == "outputs" else 4)[0][part] for part in space.ranges.greatest}
    assignment = space.assignment(chosen)
    weight, bias = assignment.weights["conv"], assignment.biases["conv"]
    assert weight.name == "pow2z_4"
    network = lower(graph, assignment)
    a, y = (network.tensors[name].format for name in (network.input, network.output))
    tensors = ((a, x), (weight, module.conv.weight), (bias, module.conv.bias))
    rounded = (torch.from_numpy(fmt.round(values.detach().double().numpy())) for fmt, values in tensors)
    grouped = functional.conv2d(*rounded, padding=2, dilation=2, groups=4)
    integers = a.nearest(x.numpy())
    found = network.run(integers)
    assert np.array_equal(found, y.nearest(grouped.numpy())) and len(np.unique(found)) > 50
    assert compare(Simulated(graph, assignment), network, torch.from_numpy(integers)).equal


def test_what_needs_a_zero_has_a_format_with_one():
    graph = unseen_graph()
    message = "weights of 'deep' have groups, dilation or padding on one side, and need a format with a zero, such"
    for made in (Simulated, lower):
        with pytest.raises(InputError, match=message):
            made(graph, assigned(graph, Integer(8, True, -5), parse("pow2_4"), Integer(16, True, -12)))


def test_fine_formats_compute_what_the_float_graph_does():
    graph, images = unseen_graph(), unseen_images(40)
    network = lower(graph, assigned(graph, dynamic(20, OUTPUTS), dynamic(20, WEIGHTS)))
    found = network.run(images.numpy()) * 2.0**-14
    assert np.abs(found - graph.run(images)["last"].numpy()).max() < 0.01


def test_layers_keep_their_names_where_a_relu_is_part_of_them():
    graph = unseen_graph()
    network = lower(graph, assigned(graph, Integer(8, True, -4), Integer(8, True, -6)))
    nodes = {node.name: node for node in network.nodes}
    assert (nodes["deep"].op, nodes["deep"].output, nodes["deep"].attributes["relu"]) == ("mac_conv", "relu_1", True)
    assert nodes["deep"].parameters == {"weight": "deep.weight", "bias": "deep.bias"}
    assert not nodes["flat"].attributes["relu"] and nodes["relu_2"].op == "relu"
    assert (nodes["mean_sum"].op, nodes["mean"].op, nodes["lrn"].op) == ("average_pool", "requant", "lrn")
    assert nodes["mean"].attributes["m_width"] == 32


formats_of_numbers = st.one_of(
    st.builds(Integer, st.integers(2, 16), st.booleans(), st.integers(-12, 6)),
    st.sampled_from(
        [Minifloat(4, 3), Minifloat(5, 2), Minifloat(2, 1), Minifloat(5, 10), parse("e4m3"), parse("e5m2")]
    ),
)


def small(seed):
    """A convolution, an average pool at borders, a residual and a dense layer, real-valued from the start."""
    rng = torch.Generator().manual_seed(seed)
    conv = {"stride": (1, 1), "padding": (1, 1)}
    ops = [
        Op("c", "conv", ("input",), conv, torch.randn(2, 2, 3, 3, generator=rng), torch.randn(2, generator=rng)),
        Op("s", "add", ("c", "input")),
        Op("p", "average_pool", ("s",), POOL | {"divisor": ["window", "padded", "image"][seed % 3]}),
        Op("f", "flatten", ("p",)),
        Op("d", "dense", ("f",), {}, torch.randn(3, 12, generator=rng)),
    ]
    return Graph(shape=(2, 5, 4), ops=ops, output="d")


def lowered(*given):
    """What `lower` makes; of units that are too far apart, nothing."""
    try:
        return lower(*given)
    except InputError as error:
        assert "too far apart" in str(error)
        reject()


@given(st.lists(formats_of_numbers, min_size=5, max_size=5), st.sampled_from(["int8e-6", "mini_e4m3", "pow2_5"]))
def test_units_may_differ_by_any_factor_on_either_side(outputs, weight):
    graph = small(outputs[0].exponent)
    assignment = Assignment(
        outputs=dict(zip(("input", "c", "s", "p", "d"), outputs, strict=True)),
        weights=dict.fromkeys("cd", parse(weight)),
        biases={"c": outputs[4]},
    )
    x = torch.randn(6, 2, 5, 4, generator=torch.Generator().manual_seed(0)) * 4
    integers = torch.from_numpy(outputs[0].nearest(x.double().numpy()))
    network = lowered(graph, assignment)
    model = Simulated(graph, assignment)
    found = compare(model, network, integers)
    assert found.equal and set(found.compared) == {"c", "s", "p_sum", "p", "d"}
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(model.steps(x), model.steps(integers), strict=True))


@given(formats_of_numbers, formats_of_numbers, formats_of_numbers, st.integers(0, 99))
def test_an_addition_rounds_the_exact_sum_once(a, b, y, seed):
    rng = np.random.default_rng(seed)
    x, z = (fmt.nearest(rng.normal(size=4) * 2.0 ** rng.integers(-4, 6)) for fmt in (a, b))
    try:
        spec, m_a, m_b, s = aligned(a, b, y)
    except InputError:
        assert max(a.exponent, b.exponent) - min(a.exponent, b.exponent, y.exponent) >= 10
        reject()
    assert spec.sum_width <= 62
    for i, j in zip(x.tolist(), z.tolist(), strict=True):
        exact = Fraction(i) * Fraction(2) ** a.exponent + Fraction(j) * Fraction(2) ** b.exponent
        assert (i * m_a + j * m_b) * Fraction(2) ** (y.exponent - s) == exact or s == spec.s_limit


@given(formats_of_numbers, formats_of_numbers, st.integers(1, 49))
def test_an_average_is_as_close_as_its_multiplier(x, y, denominator):
    spec, m, s = averaged(x, y, denominator)
    wanted = Fraction(2) ** (x.exponent - y.exponent) / denominator
    found = Fraction(m, 1 << s)
    if denominator & (denominator - 1) == 0:
        assert found == wanted
    else:
        assert abs(found / wanted - 1) <= Fraction(1, 1 << (spec.m_width - 2))
    assert spec.x.lo <= denominator * x.lo and denominator * x.hi <= spec.x.hi and spec.sum_width <= 62


def test_units_that_are_too_far_apart_are_refused():
    with pytest.raises(InputError, match="units of int8e40, int8 and their sum, int8, are too far apart"):
        aligned(Integer(8, True, 40), Integer(8, True), Integer(8, True))
    with pytest.raises(InputError, match="units of int8e40 and of its average, int8, are too far apart"):
        averaged(Integer(8, True, 40), Integer(8, True), 3)
    with pytest.raises(InputError, match="averages of int60 have sums of 62 bits; allowed: up to 59"):
        averaged(Integer(60, True), Integer(8, True), 4)


def without(assignment, what, name):
    return replace(assignment, **{what: {k: v for k, v in getattr(assignment, what).items() if k != name}})


@pytest.mark.parametrize("what, name", [("outputs", "s"), ("outputs", "input"), ("weights", "d"), ("biases", "c")])
def test_an_incomplete_assignment_is_refused(what, name):
    graph, fmt = small(0), Integer(8, True, -4)
    whole = Assignment(dict.fromkeys(("input", "c", "s", "p", "d"), fmt), dict.fromkeys("cd", fmt), {"c": fmt})
    lower(graph, whole)
    with pytest.raises(
        InputError, match=f"every number of an exported network needs a format; {what} of {name} have no"
    ):
        lower(graph, without(whole, what, name))


def test_what_golden_cannot_run_is_named():
    graph, fmt = unseen_graph(), Integer(8, True, -4)
    whole = assigned(graph, fmt, fmt)
    coarse = replace(whole, outputs=whole.outputs | {"left_0": Integer(8, True, -3)})
    with pytest.raises(
        InputError, match="inputs of concat 'cat' must have one format, not left_0 int8e-3, relu_2 int8e-4"
    ):
        lower(graph, coarse)
    powers = replace(whole, outputs=whole.outputs | dict.fromkeys(("left_0", "add_1"), parse("ternary")))
    with pytest.raises(InputError, match="node 'add_1': results of add must be integers, .* not ternary"):
        lower(graph, powers)
    with pytest.raises(InputError, match="unit of the pixels must be a power of two, not 0.003"):
        lower(replace(graph, unit=1 / 255), whole)
    attributes = {name: torch.ones(5) for name in ("mean", "var", "gamma", "beta")} | {"eps": 0.0}
    unfolded = replace(graph, ops=[*graph.ops, Op("n", "batch_norm", ("last",), attributes)], output="n")
    with pytest.raises(InputError, match="batch_norm 'n' must be folded before numbers get formats: quant.fold"):
        lower(unfolded, whole)
    with pytest.raises(InputError, match="accumulate must be exact, fp32"):
        lower(graph, whole, accumulate="fp16")
