import pytest
import torch
from unseen import assigned, unseen_graph

from golden.errors import InputError
from golden.formats import Integer, parse
from quant.assignment import Assignment, formats, pixel_format, unify
from quant.graph import Graph, Op

NARROW = {"ceil_mode": False, "kernel": (2, 2), "stride": (2, 2), "padding": (0, 0)}


def dense(name, source="input"):
    return Op(name, "dense", (source,), {}, torch.ones(3, 3), torch.ones(3))


def branches(unit=None):
    """Two concatenations that share a tensor, one behind a relu."""
    ops = [dense("a"), dense("b"), dense("c"), Op("r", "relu", ("a",)), Op("x", "concat", ("r", "b"))]
    ops += [Op("y", "concat", ("b", "c")), Op("z", "add", ("x", "y"))]
    return Graph(shape=(3,), ops=ops, output="z", unit=unit)


def named(**outputs):
    return Assignment(outputs={name: parse(fmt) for name, fmt in outputs.items()})


def test_formats_follow_tensors_that_do_not_round():
    graph = unseen_graph()
    found = formats(graph, assigned(graph, parse("int8e-4"), parse("int8e-6")))
    assert set(found) == {"input", *(op.name for op in graph.ops)}
    assert found.pop("input") == Integer(8, False, -8)
    assert set(found.values()) == {parse("int8e-4")}
    found = formats(branches(), named(a="int8", b="int8e-1", c="int8"))
    assert (found["input"], found["r"], found["x"], found["y"], found["z"]) == (None, parse("int8"), None, None, None)
    pool = Graph(shape=(1, 4, 4), ops=[Op("p", "max_pool", ("input",), NARROW)], output="p", unit=2.0)
    assert formats(pool, Assignment())["p"] == Integer(8, False, 1)


def test_pixels_have_the_format_of_their_unit():
    assert pixel_format(1 / 256) == Integer(8, False, -8) and pixel_format(1.0) == Integer(8, False, 0)
    assert pixel_format(1 / 255) is None


def test_missing_formats_are_listed():
    ops = [dense("a"), Op("r", "relu", ("a",)), Op("p", "add", ("a", "r"))]
    graph = Graph(shape=(3,), ops=ops, output="p")
    every = ["outputs of input", "weights of a", "biases of a", "outputs of a", "outputs of p"]
    assert Assignment().missing(graph) == every
    assert Assignment().missing(Graph(shape=(3,), ops=ops, output="p", unit=1.0)) == every[1:]
    whole = Assignment(dict.fromkeys(("input", "a", "p"), 0), {"a": 0}, {"a": 0})
    assert whole.missing(graph) == []


@pytest.mark.parametrize(
    "assignment, message",
    [
        (named(r="int8"), "outputs of 'r' cannot have a format; allowed: a, b, c, input, z"),
        (Assignment(weights={"z": parse("int8")}), "weights of 'z' cannot have a format; allowed: a, b, c"),
        (Assignment(biases={"input": parse("int8")}), "biases of 'input' cannot have a format; allowed: a, b, c"),
    ],
)
def test_formats_of_what_does_not_round_are_refused(assignment, message):
    with pytest.raises(InputError, match=message):
        assignment.check(branches())
    named(input="int8").check(branches())
    with pytest.raises(InputError, match="outputs of 'input' cannot have a format; allowed: a, b, c, z"):
        named(input="int8").check(branches(unit=1.0))


def test_concatenated_tensors_get_the_coarsest_unit_among_them():
    given = named(input="int8e-9", a="int8e-3", b="int8e-5", c="int8e1", z="int8e-6")
    outputs = unify(branches(), given).outputs
    assert {name: fmt.exponent for name, fmt in outputs.items()} == {"input": -9, "a": 1, "b": 1, "c": 1, "z": -6}
    assert unify(branches(), named(a="mini_e4m3", b="mini_e4m3", c="mini_e4m3")).outputs["a"] == parse("mini_e4m3")
    assert unify(branches(), Assignment()) == Assignment()


@pytest.mark.parametrize("other", [{"c": "int7"}, {"c": "uint8"}, {"c": "mini_e4m3"}, {}])
def test_formats_that_differ_in_more_than_the_unit_are_refused(other):
    with pytest.raises(InputError, match="a, b, c are concatenated; formats must differ in unit alone: "):
        unify(branches(), named(a="int8", b="int8e-2", **other))


def test_pixels_keep_their_format():
    graph = Graph(shape=(3,), ops=[dense("a"), Op("x", "concat", ("input", "a"))], output="x", unit=0.25)
    with pytest.raises(InputError, match="raw pixels cannot share a format with a"):
        unify(graph, named(a="int8"))
    assert unify(graph, named(a="uint8e-2")) == named(a="uint8e-2")
