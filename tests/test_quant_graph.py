import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from unseen import SHAPE, unseen, unseen_graph, unseen_images

from golden.errors import InputError
from quant.graph import Graph, Op, expand

POOL = {"kernel": (3, 2), "stride": (2, 1), "padding": (1, 0), "ceil_mode": True}
CONV = {"stride": (1, 1), "padding": (0, 0)}


def conv(name="c", source="input", shape=(2, 1, 3, 3), **attributes):
    weight = torch.arange(math.prod(shape), dtype=torch.float32).reshape(shape)
    return Op(name, "conv", (source,), CONV | attributes, weight, torch.ones(shape[0]))


def relu(name="r", source="input"):
    return Op(name, "relu", (source,))


def test_run_computes_what_the_module_computes():
    graph, images = unseen_graph(), unseen_images(20)
    values = graph.run(images)
    with torch.no_grad():
        expected = unseen()(images)
    assert 10 < float(expected.abs().max()) < 20
    # folding rounds weights once more, to float32
    assert torch.allclose(values[graph.output], expected, rtol=0, atol=3e-5)
    assert torch.allclose(graph.run(images.double())[graph.output].float(), expected, rtol=0, atol=3e-5)
    shapes = graph.shapes()
    assert {name: tuple(x.shape[1:]) for name, x in values.items()} == shapes
    assert shapes["input"] == SHAPE and shapes["stem_0"] == (6, 13, 11) and shapes["last"] == (5,)
    assert torch.equal(values["input"], images.float() / 256)


@pytest.mark.parametrize("divisor", ["window", "padded", "image"])
def test_an_average_divides_by_what_its_attribute_says(divisor):
    graph = Graph(shape=(1, 4, 4), ops=[Op("p", "average_pool", ("input",), POOL | {"divisor": divisor})], output="p")
    x = torch.ones(1, 1, 4, 4)
    found = graph.run(x)["p"][0, 0, :, 0]
    # rows -1 to 1, 1 to 3 and, cut at the padded image's edge, 3 to 4
    expected = {"window": [2 / 3, 1, 1 / 3], "padded": [2 / 3, 1, 1 / 2], "image": [1, 1, 1]}[divisor]
    assert found.tolist() == pytest.approx(expected)


def test_macs_count_products():
    graph = Graph(
        shape=(1, 6, 5),
        ops=[
            conv(stride=(1, 2), padding=(1, 1)),
            Op("f", "flatten", ("c",)),
            Op("d", "dense", ("f",), {}, torch.zeros(4, 36)),
        ],
        output="d",
    )
    assert graph.shapes() == {"input": (1, 6, 5), "c": (2, 6, 3), "f": (36,), "d": (4,)}
    assert graph.macs() == {"c": 9 * 36, "d": 144}


def test_a_relu_is_fused_if_nothing_else_sees_the_sums():
    ops = [conv("a"), relu("b", "a"), conv("c", "b", (1, 2, 1, 1)), relu("d", "c"), Op("e", "add", ("c", "d"))]
    assert Graph(shape=(1, 3, 3), ops=ops, output="e").fused() == {"a": "b"}
    assert Graph(shape=(1, 3, 3), ops=ops[:2], output="b").fused() == {"a": "b"}


@pytest.mark.parametrize("groups, dilation", [(1, (1, 1)), (2, (1, 2)), (6, (3, 1)), (3, (2, 2))])
def test_expanded_filters_do_what_grouped_and_dilated_ones_do(groups, dilation):
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(12, 6 // groups, 2, 3, generator=rng, dtype=torch.float64)
    x = torch.randn(2, 6, 9, 8, generator=rng, dtype=torch.float64)
    expected = functional.conv2d(x, weight, groups=groups, dilation=dilation)
    filters, present = expand(weight, groups, dilation)
    assert torch.allclose(functional.conv2d(x, filters), expected, rtol=1e-12)
    if (groups, dilation) == (1, (1, 1)):
        assert present is None
    else:
        assert present.shape == filters.shape and torch.equal(filters[present], weight[weight != 0].flatten())
        assert not filters[~present].any()


def test_filters_with_a_margin_do_without_padding_on_one_side():
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(2, 1, 2, 2, generator=rng, dtype=torch.float64)
    x = torch.randn(3, 1, 5, 5, generator=rng, dtype=torch.float64)
    filters, present = expand(weight, margins=(0, 1, 1, 0))
    expected = functional.conv2d(functional.pad(x, (1, 0, 0, 1)), weight)
    assert torch.allclose(functional.conv2d(x, filters, padding=1), expected, rtol=1e-12)
    assert present[1, 0].tolist() == [[False] * 3, [True, True, False], [True, True, False]]


def test_zeros_that_are_no_weights_are_not_counted():
    filters, present = expand(torch.ones(4, 1, 3, 3), groups=4)
    ops = [Op("c", "conv", ("input",), {"stride": (1, 1), "padding": (1, 1)}, filters, present=present)]
    graph = Graph(shape=(4, 5, 6), ops=ops, output="c")
    assert graph.macs() == {"c": 4 * 9 * 30} and graph.ops[0].weights.tolist() == [1.0] * 36


def test_pixels_are_multiplied_by_their_unit():
    graph = Graph(shape=(3,), ops=[relu()], output="r", unit=0.5)
    x = torch.tensor([[0, 3, 255]], dtype=torch.uint8)
    assert graph.run(x)["r"].tolist() == [[0, 1.5, 127.5]]
    assert graph.run(x.double())["r"].dtype == torch.float64 and graph.run(x.double())["r"].tolist() == [
        [0, 1.5, 127.5]
    ]
    reals = Graph(shape=(3,), ops=[relu()], output="r")
    assert reals.run(torch.tensor([[-1.0, 2.0, 0.25]]))["r"].tolist() == [[0, 2, 0.25]]
    with pytest.raises(InputError, match="input of the network must be floats, not torch.uint8"):
        reals.run(x)
    with pytest.raises(InputError, match="input of the network must be uint8 pixels or floats, not torch.int64"):
        graph.run(x.long())


NAN = conv()
NAN.weight[0] = math.nan
INFINITE = conv()
INFINITE.bias[1] = -math.inf
BAD = [
    ({"shape": (3, 3)}, r"shape of an input sample must be \(features,\) or \(C, H, W\), not \(3, 3\)"),
    ({"unit": 0.0}, "unit of the input must be above 0 and finite, not 0.0"),
    ({"output": "x"}, "no operation makes the output 'x'"),
    ({"ops": [conv(), relu()]}, "nothing uses the tensor 'c'"),
    ({"ops": []}, "no operation makes the output 'r'"),
    ({"ops": [Op("r", "tanh", ("input",))]}, "no operation of a graph is called 'tanh'; allowed: conv, dense"),
    ({"ops": [relu(), relu()]}, "there are two tensors 'r'"),
    ({"ops": [relu(source="c")]}, "relu 'r' uses 'c', which nothing before it makes"),
    ({"ops": [Op("r", "add", ("input",))]}, "add 'r' must have 2 inputs, not 1"),
    ({"ops": [Op("r", "concat", ("input",))]}, "concat 'r' must have 2 or more inputs, not 1"),
    ({"ops": [Op("r", "relu", ("input",), {"slope": 1})]}, r"relu 'r' must have the attributes \[\], not \['slope'\]"),
    ({"ops": [conv("r"), relu("x", "r")]}, "nothing uses the tensor 'x'"),
    ({"ops": [Op("r", "dense", ("input",))]}, "weight of dense 'r' must have 2 axes, not None"),
    ({"ops": [Op("r", "dense", ("input",), {}, torch.zeros(2, 3, 4))]}, r"must have 2 axes, not \[2, 3, 4\]"),
    ({"ops": [Op("r", "conv", ("input",), CONV, torch.ones(2, 1, 1, 1), torch.ones(3))]}, "bias of conv 'r' must have"),
    ({"ops": [Op("r", "conv", ("input",), CONV, torch.ones(2, 1, 1, 1), present=torch.zeros(2, 1, 1, 1).bool())]}, "be 0"),
    ({"ops": [Op("r", "relu", ("input",), present=torch.ones(1).bool())]}, "of relu 'r' must be 0 wherever it is not"),
    ({"ops": [NAN, relu(source="c")]}, "weight of conv 'c' must be finite; NaN or infinity is among its numbers"),
    ({"ops": [INFINITE, relu(source="c")]}, "bias of conv 'c' must be finite; NaN or infinity is among its numbers"),
    ({"ops": [conv("r", shape=(1, 2, 1, 1))]}, "conv 'r': its input has 1 channels, the filters have 2"),
    ({"ops": [conv("r", shape=(1, 1, 9, 1))]}, "conv 'r': a kernel of 9 does not fit 4 pixels padded with 0"),
    ({"ops": [Op("r", "dense", ("input",), {}, torch.zeros(2, 3))]}, r"must be \[3\] features, not \[1, 4, 4\]"),
    ({"ops": [conv("c"), Op("r", "add", ("c", "input"))]}, r"must have one shape, not \[2, 2, 2\] and \[1, 4, 4\]"),
    ({"ops": [conv("c"), Op("r", "concat", ("c", "input"))]}, "concat 'r': its inputs must agree but for channels"),
    ({"ops": [Op("r", "max_pool", ("input",), POOL | {"padding": (2, 0)})]}, r"half its kernel, not \(2, 0\) for \(3"),
    ({"ops": [Op("r", "average_pool", ("input",), POOL | {"divisor": "x"})]}, "divisor must be one of window, padded"),
    (
        {"ops": [Op("r", "lrn", ("input",), {"size": 0, "alpha": 1.0, "beta": 1.0, "k": 1.0})]},
        "size must be an integer",
    ),
    ({"shape": (4,), "ops": [Op("r", "flatten", ("input",))]}, r"must be \[channels, height, width\], not \[4\]"),
]


@pytest.mark.parametrize("change, message", BAD)
def test_what_is_no_graph_is_refused(change, message):
    with pytest.raises(InputError, match=message) as caught:
        Graph(**({"shape": (1, 4, 4), "ops": [relu()], "output": "r"} | change))
    assert "\n" not in str(caught.value)


def test_norms_have_a_number_for_each_channel():
    attributes = {name: torch.ones(3) for name in ("mean", "var", "gamma", "beta")} | {"eps": 0.0}
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3)))
    assert (
        not Graph(shape=(3,), ops=[Op("n", "batch_norm", ("input",), attributes)], output="n").run(x)["n"].isnan().any()
    )
    with pytest.raises(InputError, match=r"batch_norm 'n': mean must be \[4\], not \[3\]"):
        Graph(shape=(4,), ops=[Op("n", "batch_norm", ("input",), attributes)], output="n")
