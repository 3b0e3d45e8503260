from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from unseen import assigned, unseen_graph, unseen_images

from golden.errors import InputError
from golden.formats import Integer, parse
from quant.assignment import Assignment
from quant.graph import Graph, Op
from quant.steps import Steps


def dense(weight, bias=None):
    return Graph(shape=(len(weight[0]),), ops=[Op("d", "dense", ("input",), {}, *made(weight, bias))], output="d")


def made(*values):
    return (None if value is None else torch.tensor(value, dtype=torch.float32) for value in values)


def steps(graph, x, inputs, weights, outputs, biases=None, accumulate="exact"):
    """The integers of a dense layer of numbers `x`."""
    assignment = Assignment({"input": parse(inputs), "d": parse(outputs)}, {"d": parse(weights)})
    if graph.ops[0].bias is not None:
        assignment = replace(assignment, biases={"d": parse(biases)})
    ((name, y),) = Steps(graph, assignment, accumulate)(torch.tensor(x, dtype=torch.float64))
    assert name == "d" and y.dtype == torch.float64
    return y.long().tolist()


def test_sums_and_bias_are_rounded_once():
    graph = dense([[1.25, -0.5], [0.25, 0.25]], [0.375, 0.0])
    # in units of 2**-1: 1.25 - 1 + 0.375 = 0.625 is 1.25; 0.25 + 0.5 = 0.75 is 1.5, a tie
    assert steps(graph, [[1, 2]], "int8e-2", "int8e-2", "int4e-1", "int8e-3") == [[1, 2]]
    assert steps(graph, [[1, 2]], "int8e-2", "int8e-2", "int4e3", "int8e-3") == [[0, 0]]
    assert steps(graph, [[31, -31]], "int8e-2", "int8e-2", "int4e-1", "int8e-3") == [[7, 0]]
    assert steps(graph, [[0.1, 2.6]], "int8", "pow2_4", "int16e-8", "int8e-3") == [[96 - 3 * 128, 3 * 64]]


def test_sums_beyond_float64_are_exact():
    rng = np.random.default_rng(0)
    x, w = (rng.choice([-1, 1], (4, 300)) * 2.0 ** rng.integers(-14, 16, (4, 300)) for _ in range(2))
    w[1] = x[0][::-1]
    found = steps(dense(w.tolist()), x.tolist(), "mini_e5m10", "mini_e5m10", "mini_e5m10")
    fmt = parse("mini_e5m10")
    for i in range(4):
        for j in range(4):
            exact = sum(Fraction(a) * Fraction(b) for a, b in zip(x[i].tolist(), w[j].tolist(), strict=True))
            assert found[i][j] == int(fmt.nearest(float(exact)))


@pytest.mark.parametrize(
    "weight, lanes, expected",
    [
        ("B1111", 1, 0),  # one by one, each is a tie that goes to B
        ("1111B", 1, 4),
        ("B1111", 2, 4),  # B + 2, and the last makes a tie again
        ("B1110", 4, 2),
        ("B0110", 16, 2),
        ("11111111B", 8, 8),
    ],
)
def test_fp32_sums_follow_the_tree(weight, lanes, expected):
    weights = [{"B": 2.0**10, "1": 2.0**-14, "0": 0.0}[letter] for letter in weight]  # 2**24 apart
    x = [[1.0] * len(weights)]
    found = steps(dense([weights]), x, "int2", "mini_e5m3", "int40e-14", accumulate=f"fp32x{lanes}")
    assert found == [[2**24 + expected]]


def test_pixels_reals_and_integers_of_the_input():
    graph, fmt = unseen_graph(), Integer(8, True, -4)
    run = Steps(graph, assigned(graph, fmt, fmt))
    with pytest.raises(InputError, match="network input must be an array of integers, not float32"):
        list(run(unseen_images(1).float()))
    reals = dense([[1.0]])
    assert steps(reals, [[0.13], [9.0], [-9.0]], "int4e-1", "int4", "int8e-1") == [[0], [7], [-8]]
    run = Steps(reals, Assignment({"input": Integer(4, True, -1), "d": Integer(8, True, -1)}, {"d": Integer(4, True)}))
    assert [y.tolist() for _, y in run(torch.tensor([[7], [-8]]))] == [[[7], [-8]]]
    with pytest.raises(InputError, match="network input holds 8, which int4e-1 .-8 to 7. cannot represent"):
        list(run(torch.tensor([[8]])))


def test_integers_that_float64_does_not_hold_are_refused():
    graph = dense([[1.0, 1.0]])
    assert steps(graph, [[2.0**51, 2.0**51 - 1]], "int64", "int2", "int64") == [[2**52 - 1]]
    with pytest.raises(InputError, match=r"sums of d reach 9007199254740992; float64 is exact below 2\^53"):
        steps(graph, [[2.0**52, 2.0**52]], "int64", "int2", "int64")


def test_an_incomplete_assignment_is_refused():
    with pytest.raises(
        InputError, match="every number of an exported network needs a format; outputs of input have none"
    ):
        Steps(dense([[1.0]]), Assignment())
