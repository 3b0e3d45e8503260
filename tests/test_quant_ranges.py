import pytest
import torch

from golden.errors import InputError
from quant.graph import Graph, Op
from quant.ranges import parts, ranges, rectified
from quant.space import Part

POOL = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}


def conv(name, source, filters=2, channels=1, value=1.0, bias=None):
    weight = torch.full((filters, channels, 1, 1), value)
    return Op(name, "conv", (source,), {"stride": (1, 1), "padding": (0, 0)}, weight, bias)


def joined():
    """Two convolutions and a third behind one of them, concatenated; then a dense layer. Of real input [1, 4, 4]."""
    return Graph(
        (1, 4, 4),
        [
            conv("a", "input", value=2.0, bias=torch.tensor([9.0, -10.0])),
            Op("a_relu", "relu", ("a",)),
            conv("b", "input", value=-3.0),
            conv("c", "a_relu", channels=2),
            Op("c_pool", "max_pool", ("c",), POOL),
            Op("b_pool", "max_pool", ("b",), POOL),
            Op("cat", "concat", ("b_pool", "c_pool")),
            Op("flat", "flatten", ("cat",)),
            Op("fc", "dense", ("flat",), {}, torch.full((3, 16), 0.25)),
        ],
        "fc",
    )


def test_parts_are_weights_and_tensors_that_round_and_concatenated_ones_are_one():
    assert parts(joined()) == (
        Part("conv", ("a",), 2),
        Part("conv", ("b",), 2),
        Part("conv", ("c",), 4),
        Part("dense", ("fc",), 48),
        Part("outputs", ("input",), 16),
        Part("outputs", ("a",), 32),
        Part("outputs", ("b", "c"), 64),
        Part("outputs", ("fc",), 3),
    )


def test_raw_pixels_are_no_part():
    graph = Graph((1, 2, 2), [conv("a", "input")], "a", unit=1 / 256)
    assert [part.names for part in parts(graph) if part.kind == "outputs"] == [("a",)]


def test_ranges_are_those_of_all_images_without_biases():
    images = torch.zeros(300, 1, 4, 4)
    images[7, 0, 0, 0], images[299, 0, 3, 3] = 1.5, -2.0  # the last is in the second batch
    found = ranges(joined(), images)
    greatest = {(part.kind, part.names): value for part, value in found.greatest.items()}
    assert greatest["conv", ("a",)] == 2 and greatest["conv", ("b",)] == 3 and greatest["dense", ("fc",)] == 0.25
    assert greatest["outputs", ("input",)] == 2
    # a is 2 x + 9 and 2 x - 10, and only its ReLU is used: 12, not |-14|
    assert greatest["outputs", ("a",)] == 12
    # b is -3 x; c is the sum of the rectified channels of a: 12; the greater of the two
    assert greatest["outputs", ("b", "c")] == 12
    assert found.biases == {"a": 10} and found.images == 300


def test_what_matters_above_zero_alone():
    graph = Graph(
        (1, 4, 4),
        [
            conv("plain", "input"),
            conv("cut", "plain", channels=2),
            Op("r", "relu", ("cut",)),
            conv("pooled", "r", channels=2),
            Op("p", "max_pool", ("pooled",), POOL),
            Op("q", "relu", ("p",)),
            conv("both", "q", channels=2),
            Op("s", "relu", ("both",)),
            Op("sum", "add", ("both", "s")),
            Op("out", "relu", ("sum",)),
        ],
        "out",
    )
    assert rectified(graph) == {"cut", "pooled", "p", "sum"}


def test_an_output_matters_as_it_is():
    graph = Graph((1, 1, 1), [conv("a", "input"), Op("r", "relu", ("a",))], "r")
    assert rectified(graph) == {"a"}
    graph = Graph((1, 1, 1), [conv("a", "input")], "a")
    assert rectified(graph) == set()


def test_numbers_that_are_not_finite_and_missing_images_are_refused():
    graph = joined()
    with pytest.raises(InputError, match="^calibration needs at least one image$"):
        ranges(graph, torch.zeros(0, 1, 4, 4))
    images = torch.zeros(2, 1, 4, 4)
    images[1] = torch.inf
    with pytest.raises(InputError, match="^values of input on the calibration images must be finite"):
        ranges(graph, images)
    graph.ops[2].weight[0] = torch.nan
    with pytest.raises(InputError, match="^weights of b must be finite; NaN or infinity is among them$"):
        ranges(graph, torch.zeros(2, 1, 4, 4))
    graph = joined()
    graph.ops[0].bias[1] = torch.inf
    with pytest.raises(InputError, match="^biases of a must be finite; NaN or infinity is among them$"):
        ranges(graph, torch.zeros(2, 1, 4, 4))
