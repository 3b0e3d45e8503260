import math

import pytest
import torch

from golden.errors import InputError
from golden.formats import parse
from quant.graph import Graph, Op
from quant.ranges import ranges
from quant.rules import LEAST_UNIT, SCHEMES, dynamic, exponent_bits, length_of_outputs, length_of_weights, wide_bias

CONV = {"stride": (1, 1), "padding": (0, 0)}


def net(unit=1 / 256, first=0.7, second=0.3, bias=0.1):
    """Convolution, ReLU, dense; of 1 by 1 images. The greatest weights are `first` and `second`."""
    return Graph(
        (1, 1, 1),
        [
            Op(
                "c",
                "conv",
                ("input",),
                CONV,
                torch.tensor([first, -first]).reshape(2, 1, 1, 1),
                torch.tensor([bias, 0.0]),
            ),
            Op("r", "relu", ("c",)),
            Op("f", "flatten", ("r",)),
            Op("d", "dense", ("f",), {}, torch.tensor([[second, 0.1], [0.0, -second]])),
        ],
        "d",
        unit=unit,
    )


def space(name, graph=None, images=None, **settings):
    graph = net() if graph is None else graph
    images = torch.full((1, 1, 1, 1), 255, dtype=torch.uint8) if images is None else images
    return SCHEMES[name](graph, ranges(graph, images), **settings)


@pytest.mark.parametrize(
    "greatest, weights, outputs",
    [
        (0, 1, 1),
        (1, 1, 0),
        (0.5, 0, -1),
        (0.6, 1, 0),
        (0.26, 0, -1),
        (2**-10, -9, -10),
        (3.7, 3, 2),
        (4, 3, 2),
        (math.nextafter(4, 5), 4, 3),
        (40, 7, 6),
    ],
)
def test_integer_lengths(greatest, weights, outputs):
    assert length_of_weights(greatest) == weights
    assert length_of_outputs(greatest) == outputs


@pytest.mark.parametrize("greatest", [1e-45, 2.0**-126, 2.0**-120])
@pytest.mark.parametrize("bits", [2, 4, 8, 16])
def test_no_unit_is_finer_than_the_least_normal_number(greatest, bits):
    exponents = [fmt.exponent for fmt in dynamic(bits, greatest)]
    assert min(exponents) >= LEAST_UNIT and len(set(exponents)) == (3 if bits < 5 else 1)
    assert wide_bias(greatest).exponent == LEAST_UNIT


@pytest.mark.parametrize("greatest", [0.3, 1.0, 3.99, 4.0, 17.3])
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_weights_saturate_by_at_most_a_unit_and_outputs_above_half(greatest, bits):
    unit = 2.0 ** (length_of_weights(greatest) - bits)
    ends = unit * (2 ** (bits - 1) - 1)
    assert greatest <= ends + unit  # a power of two lies one unit beyond, and so may what rounds to it
    outputs = 2.0 ** (length_of_outputs(greatest) - 1)
    assert greatest / 2 <= outputs < greatest or greatest / 2 == outputs


@pytest.mark.parametrize(
    "greatest, bits",
    [(0, 4), (1, 4), (2, 4), (2.01, 4), (100, 4), (512, 4), (513, 5), (2**17, 5), (2**17 + 1, 6), (2**33, 6)],
)
def test_exponent_bits(greatest, bits):
    assert exponent_bits(greatest) == bits
    if greatest > 2:
        assert bits == max(4, math.ceil(math.log2(math.log2(greatest) - 1) + 1))


def test_wide_biases_take_the_finest_unit_that_holds_them_and_engines_can_shift_to():
    assert wide_bias(0.1).name == "int16e-18"  # |b| <= 2**-3
    assert wide_bias(0).name == "int16e-15"
    assert wide_bias(5).name == "int16e-12"
    assert wide_bias(0.1, products=-2).name == "int16e-17"  # 15 bits below a product
    assert wide_bias(0.1, products=-12).name == "int16e-18"


def names(assignment):
    return {
        what: {name: fmt.name for name, fmt in getattr(assignment, what).items()}
        for what in ("weights", "outputs", "biases")
    }


def choose(found, bits, which=0):
    """The proposal number `which` for all groups."""
    formats = {}
    for parts in found.groups.values():
        proposals = found.proposals(parts, bits)
        formats |= proposals[min(which, len(proposals) - 1)]
    return formats


def test_dynamic_fixed_point():
    found = space("dfp")
    assert {group: [part.names for part in parts] for group, parts in found.groups.items()} == {
        "conv": [("c",)], "dense": [("d",)], "outputs": [("c",), ("d",)]
    }  # fmt: skip
    # weights: 0.7 has IL 1, 0.3 IL 0; outputs: c 0.797 IL 0; d -0.239 at most: IL -2
    assert names(found.assignment(choose(found, 8))) == {
        "weights": {"c": "int8e-7", "d": "int8e-8"},
        "outputs": {"c": "int8e-8", "d": "int8e-10"},
        "biases": {"c": "int16e-18"},
    }
    assert found.given == {} and found.separate and not found.narrow


def test_with_four_bits_and_less_three_units_are_proposed():
    found = space("dfp")
    for bits, count in ((16, 1), (5, 1), (4, 3), (3, 3), (2, 3)):
        proposals = found.proposals(found.groups["conv"], bits)
        units = [fmt.exponent for proposal in proposals for fmt in proposal.values()]
        assert units == [1 - bits - finer for finer in range(count)]


def test_outputs_that_a_relu_uses_may_be_unsigned():
    found = space("dfp", unsigned=True)
    spelled = names(found.assignment(choose(found, 4)))
    assert spelled["outputs"] == {"c": "uint4e-4", "d": "int4e-6"}
    assert spelled["weights"] == {"c": "int4e-3", "d": "int4e-4"}
    signed = space("dfp")
    assert names(signed.assignment(choose(signed, 4)))["outputs"] == {"c": "int4e-4", "d": "int4e-6"}


def test_biases_in_the_format_of_the_weights():
    found = space("dfp", biases="weights")
    assert names(found.assignment(choose(found, 8)))["biases"] == {"c": "int8e-7"}


def test_a_part_that_is_float_leaves_its_bias_float():
    found = space("dfp")
    dense = found.proposals(found.groups["dense"], 4)[0]
    assert names(found.assignment(dense)) == {"weights": {"d": "int4e-4"}, "outputs": {}, "biases": {}}


def test_the_unit_of_wide_biases_follows_that_of_the_products():
    found = space("dfp", net(bias=1e-6))
    # 1e-6 has IL -18: unit 2**-34; products of pixels 2**-8 and weights 2**-3 are 2**-11, 15 below is 2**-26
    conv = found.proposals(found.groups["conv"], 4)[0]
    assert names(found.assignment(conv))["biases"] == {"c": "int16e-26"}


def test_real_input_is_an_output():
    found = space("dfp", net(unit=None), torch.tensor([3.0, -5.0]).reshape(2, 1, 1, 1))
    assert found.groups["outputs"][0].names == ("input",)
    assert names(found.assignment(choose(found, 8)))["outputs"]["input"] == "int8e-4"  # 5 is below 8


def test_fixed_point_tries_every_split_in_one_format():
    found = space("fixed", net(first=10.0))
    assert list(found.groups) == ["all"] and not found.separate
    proposals = found.proposals(found.groups["all"], 8)
    # 10 and outputs of 10.06 need IL 5
    assert [{fmt.name for fmt in proposal.values()} for proposal in proposals] == [
        {"int8e-3"}, {"int8e-4"}, {"int8e-5"}, {"int8e-6"}, {"int8e-7"}
    ]  # fmt: skip
    assert [next(iter(p.values())).exponent for p in found.proposals(found.groups["all"], 2)] == [0, -1]
    assert names(found.assignment(proposals[1])) == {
        "weights": {"c": "int8e-4", "d": "int8e-4"},
        "outputs": {"c": "int8e-4", "d": "int8e-4"},
        "biases": {"c": "int8e-4"},
    }


@pytest.mark.parametrize(
    "bits, name", [(16, "mini_e4m11"), (8, "mini_e4m3"), (5, "mini_e4m0"), (4, "mini_e3m0"), (2, "mini_e1m0")]
)
def test_minifloats_give_up_exponent_bits_last(bits, name):
    found = space("minifloat")
    (proposal,) = found.proposals(found.groups["all"], bits)
    assert names(found.assignment(proposal)) == {
        "weights": {"c": name, "d": name}, "outputs": {"c": name, "d": name}, "biases": {"c": name}
    }  # fmt: skip
    assert next(iter(proposal.values())).width == bits


def test_minifloats_summed_in_fp32_keep_a_bit_of_mantissa():
    found = space("minifloat", rounded=True)
    names = [found.proposals(found.groups["all"], bits)[0].popitem()[1].name for bits in (8, 7, 6)]
    assert (found.narrowest, names) == (6, ["mini_e4m3", "mini_e4m2", "mini_e4m1"])
    big = space("minifloat", net(second=1000.0), rounded=True)
    assert big.proposals(big.groups["all"], 6)[0].popitem()[1].name == "mini_e4m1"


def test_minifloats_follow_the_outputs_and_not_the_weights():
    big = space("minifloat", net(second=1000.0, first=0.001))
    assert set(big.proposals(big.groups["all"], 8)[0].values()) == {parse("mini_e4m3")}
    big = space("minifloat", net(second=1000.0))
    assert set(big.proposals(big.groups["all"], 8)[0].values()) == {parse("mini_e5m2")}
    big = space("minifloat", net(second=2.0**20))
    with pytest.raises(InputError, match="^outputs of up to 8.36e.05 need 6 exponent bits; minifloats have 5$"):
        big.proposals(big.groups["all"], 8)


def test_power_of_two():
    found = space("pow2")
    assert found.given == {"conv": 4, "dense": 4, "outputs": 8}
    formats = {}
    for group, bits in found.given.items():
        (proposal,) = found.proposals(found.groups[group], bits)
        formats |= proposal
    assert names(found.assignment(formats)) == {
        "weights": {"c": "pow2_4", "d": "pow2_4"},
        "outputs": {"c": "int8e-8", "d": "int8e-10"},
        "biases": {"c": "int16e-18"},
    }
    with pytest.raises(InputError, match="^width of a power of two must be 2 to 6, not 8$"):
        found.proposals(found.groups["conv"], 8)


def test_numbers_that_are_all_zero_have_a_format():
    graph = net()
    graph.ops[-1].weight.zero_()
    found = space("dfp", graph)
    spelled = names(found.assignment(choose(found, 8)))
    assert spelled["weights"]["d"] == spelled["outputs"]["d"] == "int8e-7"


def test_refused():
    with pytest.raises(InputError, match="^biases must be one of weights, wide, not 'none'$"):
        space("dfp", biases="none")
