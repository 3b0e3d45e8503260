"""The builder works out formats and shapes, and names the node that cannot be."""

import numpy as np
import pytest

from golden.builder import Builder
from golden.errors import InputError
from golden.graph import Tensor


def test_nodes_follow_one_another_unless_told_otherwise():
    builder = Builder("uint8", (2, 4, 4), unit=1 / 255)
    weight = {"weight": ("ternary", np.ones((3, 2, 1, 1), int))}
    assert builder.add("conv", "conv", parameters=weight, target="ternary_gemm", unit=0.01) == "conv"
    builder.add("pool", "max_pool", attributes={"kernel": 2})
    builder.add("both", "concat", "pool", "pool")
    network = builder.build(info={"seed": 3})
    assert network.tensors["conv"] == Tensor("int32", (3, 4, 4), 0.01)
    assert network.tensors["both"] == Tensor("int32", (6, 2, 2), 0.01)
    assert [node.inputs for node in network.nodes] == [("input",), ("conv",), ("pool", "pool")]
    assert network.nodes[0].target == "ternary_gemm" and network.info == {"seed": 3}
    assert network.parameters["conv.weight"].values.sum() == 6
    assert network.run(np.full((1, 2, 4, 4), 7, np.uint8)).tolist() == np.full((1, 6, 2, 2), 14).tolist()


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (("a", "softmax"), {}, "no operation is called 'softmax'"),
        (("input", "flatten"), {}, "there is a tensor 'input' already"),
        (("a", "flatten", "b"), {}, "node 'a': there is no tensor 'b'"),
        (("a", "max_pool"), {"attributes": {"kernel": 9}}, "node 'a': a kernel of 9 does not fit 4 pixels"),
        (("a", "dense"), {"parameters": {"weight": ("ternary", [[3]])}}, "node 'a': a parameter holds 3"),
    ],
)
def test_nodes_that_cannot_be_are_named(arguments, settings, message):
    with pytest.raises(InputError, match=message):
        Builder("uint8", (1, 4, 4)).add(*arguments, **settings)
