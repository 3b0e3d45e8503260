import numpy as np
import pytest
import torch
from unseen import SHAPE, unseen, unseen_images

from golden.errors import InputError
from quant.fold import fold
from quant.from_torch import from_module
from quant.graph import Graph, Op

RNG = torch.Generator().manual_seed(0)
POOL = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}


def random(*shape):
    return torch.randn(*shape, generator=RNG, dtype=torch.float64)


def norm(name, source, channels, beta=None):
    attributes = {"mean": random(channels), "var": random(channels) ** 2, "gamma": random(channels), "eps": 1e-3}
    attributes["beta"] = random(channels) if beta is None else beta(attributes)
    return Op(name, "batch_norm", (source,), attributes)


def conv(name, source, filters, channels, *, padding=(0, 0), bias=True):
    attributes = {"stride": (1, 1), "padding": padding}
    weight, bias = random(filters, channels, 3, 2), random(filters) if bias else None
    return Op(name, "conv", (source,), attributes, weight, bias)


def dense(name, source, outputs, inputs):
    return Op(name, "dense", (source,), {}, random(outputs, inputs), random(outputs))


def centred(attributes):
    """The beta with which 0 stays 0."""
    return attributes["gamma"] / torch.sqrt(attributes["var"] + attributes["eps"]) * attributes["mean"]


FOLDED = {
    "behind a convolution": [conv("a", "input", 3, 2, bias=False), norm("n", "a", 3), Op("r", "relu", ("n",))],
    "behind it twice": [conv("a", "input", 3, 2), norm("n", "a", 3), norm("r", "n", 3)],
    "behind a padded one": [conv("a", "input", 3, 2, padding=(1, 1)), norm("r", "a", 3)],
    "before a convolution": [norm("n", "input", 2), conv("r", "n", 4, 2)],
    "before a padded one, if 0 stays 0": [norm("n", "input", 2, centred), conv("r", "n", 4, 2, padding=(1, 0))],
    "before flatten and dense": [norm("n", "input", 2), Op("f", "flatten", ("n",)), dense("r", "f", 3, 60)],
    "before two layers": [norm("n", "input", 2), conv("a", "n", 4, 2), conv("b", "n", 4, 2)]
    + [Op("r", "add", ("a", "b"))],
    "of features": [Op("f", "flatten", ("input",)), dense("a", "f", 3, 60), norm("n", "a", 3), Op("r", "relu", ("n",))],
    "between": [conv("a", "input", 3, 2), Op("e", "relu", ("a",)), norm("n", "e", 3), conv("r", "n", 2, 3)],
}


@pytest.mark.parametrize("ops", FOLDED.values(), ids=FOLDED)
def test_a_folded_graph_computes_the_same(ops):
    graph = Graph(shape=(2, 6, 5), ops=ops, output="r")
    before = [op.weight.clone() for op in ops if op.weight is not None]
    folded = fold(graph)
    assert [op.op for op in folded.ops] == [op.op for op in ops if op.op != "batch_norm"]
    x = random(7, 2, 6, 5)
    assert torch.allclose(folded.run(x)[folded.output], graph.run(x)["r"], rtol=1e-9, atol=1e-9)
    assert all(
        torch.equal(op.weight, w) for op, w in zip((o for o in ops if o.weight is not None), before, strict=True)
    )


STUCK = {
    "before padding": [norm("n", "input", 2), conv("r", "n", 4, 2, padding=(1, 0))],
    "before a relu": [norm("n", "input", 2), Op("r", "relu", ("n",))],
    "at the end": [Op("e", "relu", ("input",)), norm("n", "e", 2)],
    "beside another use": [conv("a", "input", 3, 2), norm("n", "a", 3), Op("r", "add", ("a", "n"))],
    "before a layer and a pool": [norm("n", "input", 2), conv("a", "n", 4, 2), Op("p", "max_pool", ("n",), POOL)]
    + [Op("f", "flatten", ("a",)), Op("g", "flatten", ("p",)), Op("r", "concat", ("f", "g"))],
}


@pytest.mark.parametrize("ops", STUCK.values(), ids=STUCK)
def test_what_cannot_be_folded_is_named(ops):
    with pytest.raises(
        InputError, match="batch_norm 'n' cannot be folded: it must stand behind conv or dense, or befo"
    ):
        fold(Graph(shape=(2, 6, 5), ops=ops, output=ops[-1].name))


def test_the_unit_of_pixels_becomes_a_power_of_two():
    for unit, expected in ((1 / 255, 2**-8), (3.0, 4.0), (0.25, 0.25), (1 / 100, 2**-7)):
        ops = [Op("p", "max_pool", ("input",), POOL), Op("a", "average_pool", ("p",), POOL | {"divisor": "window"})]
        ops += [Op("s", "add", ("a", "a")), Op("f", "flatten", ("s",)), dense("d", "f", 3, 4), dense("r", "d", 2, 3)]
        graph = Graph(shape=(2, 9, 4), ops=ops, output="r", unit=unit)
        folded = fold(graph)
        assert folded.unit == expected
        x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 2, 9, 4), np.uint8)).double()
        assert torch.allclose(folded.run(x)["r"], graph.run(x)["r"], rtol=1e-12)
        assert torch.equal(folded.ops[-1].weight, graph.ops[-1].weight)
    reals = Graph(shape=(2, 9, 4), ops=ops, output="r")
    assert fold(reals) is reals


@pytest.mark.parametrize(
    "ops, message",
    [
        (
            [Op("l", "lrn", ("input",), {"size": 3, "alpha": 1.0, "beta": 1.0, "k": 1.0}), conv("r", "l", 3, 2)],
            "lrn 'l' takes pixels in units of 0.00392157, which is no power of two; allowed before the first conv",
        ),
        (
            [conv("a", "input", 2, 2), Op("f", "flatten", ("a",)), Op("g", "flatten", ("input",))]
            + [Op("r", "concat", ("f", "g"))],
            "concat 'r' takes pixels in units of",
        ),
        ([Op("r", "relu", ("input",))], "no conv or dense takes in the unit of the pixels, 0.00392157; it must be 2"),
    ],
)
def test_a_unit_that_cannot_be_folded_is_named(ops, message):
    with pytest.raises(InputError, match=message):
        fold(Graph(shape=(2, 6, 5), ops=ops, output="r", unit=1 / 255))


def test_a_whole_network_is_folded():
    graph, images = from_module(unseen(), SHAPE), unseen_images(10)
    assert sum(op.op == "batch_norm" for op in graph.ops) == 4 and graph.unit == 1 / 255
    folded = fold(graph)
    assert not any(op.op == "batch_norm" for op in folded.ops) and folded.unit == 1 / 256
    assert torch.allclose(folded.run(images)[folded.output], graph.run(images)[graph.output], rtol=0, atol=3e-5)
