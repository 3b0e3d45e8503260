"""golden.topology: shapes of a graph by hand, and what is refused."""

import pytest

from golden.errors import InputError
from golden.topology import Layer, Row, Topology
from golden.window import Window


def test_rows_by_hand():
    row = Row(name="c", kind="conv", n=4, m=8, k=3, s=2, pad=1, h=9, w=6, groups=2)
    assert row.out == (5, 3) and row.gemm == (15, 18, 4)
    assert (row.weights, row.inputs, row.macs) == (144, 216, 2160)


def test_a_graph_by_hand():
    net = Topology((3, 9, 9))
    trunk = net.conv("a", 4, 3, s=2, pad=1, pool=Window(kernel=2, stride=1))
    left = net.conv("b", 6, 1, linear=True)
    net.shortcut("c", 6, 1, source=trunk)
    net.add("d", left, "c")
    net.max_pool("e", Window(kernel=3, stride=2, ceil_mode=True))
    net.average_pool("f", source="d")
    net.concat("g", "d", trunk)
    net.logits("h", 5, source="e")
    shapes = [(3, 9, 9), (4, 4, 4), (6, 4, 4), (6, 4, 4), (6, 4, 4), (6, 2, 2), (6, 1, 1), (10, 4, 4), (5,)]
    assert list(net.shapes.values()) == shapes and net.output == "h"
    a, b, h = net.rows
    assert (a.relu, a.linear, a.norm, a.shape) == (True, False, "batch", (4, 3, 3, 3))
    assert (b.relu, b.linear, b.sources) == (False, True, ("a",))
    assert (h.norm, h.linear, h.n, h.shape) == (None, True, 24, (5, 24))
    assert net.weights == 108 + 24 + 120 and net.macs == 108 * 25 + 24 * 16 + 120
    assert [node.name for node in net.users("a")] == ["b", "c", "g"]
    assert [node.name for node in net.nodes if isinstance(node, Layer)] == ["a", "b", "h"]


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda net: net.conv("a", 4, 3), "there is a node 'a' already"),
        (lambda net: net.dense("b", 4, source="z"), "nothing is called 'z'; allowed: input, a"),
        (lambda net: net.add("b", "a", "input"), r"b adds tensors of \(4, 6, 6\) and \(2, 8, 8\)"),
        (lambda net: net.concat("b", "a", "input"), r"b joins images of \(4, 6, 6\), \(2, 8, 8\)"),
        (lambda net: net.shortcut("b", 3, 1, source="a"), "a shortcut of 4 channels cannot have 3"),
        (lambda net: net.conv("b", 6, 1, groups=4), "b has 4 channels and 6 filters, which 4 groups do not divide"),
        (lambda net: net.conv("b", 6, 1, norm="layer"), "norm must be one of batch, bias or None, not 'layer'"),
        (lambda net: Topology((3, 8)), r"shape of an image must be \(channels, height, width\), not \(3, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(build, message):
    net = Topology((2, 8, 8))
    net.conv("a", 4, 3)
    with pytest.raises(InputError, match=message):
        build(net)
