from dataclasses import replace

import numpy as np
import pytest
import torch
from small_mnist import small_mnist

from golden.graph import Parameter
from golden.layer_tables import topology
from quant.evaluate import Comparison, compare
from quant.export import export
from quant.models import Classifier


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    made = Classifier(topology("lenet"), ("ternary",) * 4)
    with torch.no_grad():
        made.train()(small_mnist().train.images[:64])
    return made.eval()


@pytest.mark.parametrize(
    "name, change, first",
    [
        ("conv1.weight", lambda p: -p, "conv1"),
        ("conv2_requant.b", lambda p: p + (1 << 30), "conv2_requant"),
        ("ip2.weight", lambda p: p * (np.arange(500) > 0), "ip2"),
    ],
)
def test_a_changed_parameter_shows_where_it_acts(model, name, change, first):
    network = export(model)
    parameter = network.parameters[name]
    changed = {name: Parameter(parameter.format, change(parameter.values))}
    network = replace(network, parameters=network.parameters | changed)
    found = compare(model, network, small_mnist().test.images[:20])
    assert not found.equal
    assert next(tensor for tensor, count in found.differing.items() if count) == first


def test_a_tensor_that_one_side_lacks_differs():
    found = Comparison()
    found.add("x", np.zeros((2, 3)), np.empty((0,)))
    assert not found.equal and found.differing == {"x": 6}
    assert Comparison().equal
