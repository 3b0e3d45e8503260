"""studies.counts: bits and zeros of weights, and products that are not zero, counted by hand."""

import pytest
import torch

from golden.topology import Topology
from quant.models import Classifier, schemes
from studies.counts import products, weights, widths


def tiny(weights="float", activations=None):
    """A convolution of one filter and a dense layer, with weights that are easy to count."""
    net = Topology((1, 3, 3))
    net.conv("conv", 1, 2, norm=None, relu=True)
    net.logits("out", 2)
    model = Classifier(net, schemes(weights, net), activations)
    with torch.no_grad():
        model.stages[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, -1.0]])[None, None])
        model.stages[1].weight.copy_(torch.tensor([[1.0, 0.0, 2.0, 1.0], [0.0, 0.0, 1.0, 1.0]]))
    return model.eval()


def test_weights_of_floats():
    assert weights(tiny()) == {"weights": 12, "weight_bits": 12 * 32, "nonzero": pytest.approx(7 / 12)}


def test_weights_have_the_bits_that_are_exported():
    found = weights(tiny("ternary,out=int4"))
    assert found["weight_bits"] == 4 * 8 + 8 * 4  # the first layer is an edge, the last has a scheme of its own
    assert weights(tiny("ttq,edges=ttq"))["weight_bits"] == 12 * 2
    assert weights(tiny("binaryconnect,edges=binaryconnect"))["nonzero"] == 1.0


def test_widths_of_what_each_layer_multiplies():
    assert widths(tiny()) == [[32, 32], [32, 32]]
    assert widths(tiny("ternary,out=int4", "int5,edges=int5")) == [[8, 8], [4, 5]]  # pixels have 8 bits
    assert widths(tiny("ttq,edges=ttq", "float")) == [[2, 32], [2, 32]]
    assert widths(tiny("ternary", "int8,input=wrpn2")) == [[8, 2], [8, 8]]


def test_products_by_hand():
    images = torch.tensor([[[[0, 9, 0], [0, 5, 0], [0, 0, 0]]]], dtype=torch.uint8)
    # the filter sees (0,9,0,5), (9,0,5,0), (0,5,0,0), (5,0,0,0): of its nonzero weights at the corners, products with
    # 5; 9; none; 5. Sums -5, 9, 0, 5 leave 0, 9, 0, 5 behind the ReLU: in the dense layer 1 product of the second
    # column (weights 0, 0) is none, the fourth column gives 2.
    found = products(tiny(), images)
    assert found["macs"] == 24 and found["products"] == pytest.approx((3 + 2) / 24)
    assert found["activations"] == pytest.approx((2 + 2) / (9 + 4))


def test_a_network_of_integers_is_counted_as_its_layers_compute():
    model = tiny("ternary,edges=ternary", "int8")
    before = {name: x.clone() for name, x in model.state_dict().items()}
    found = products(model, torch.full((2, 1, 3, 3), 200, dtype=torch.uint8))
    assert 0 < found["products"] < 1 and not model.training and model.quantised
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
