"""golden.costs: costs that were published, and sums by hand."""

import pytest

from golden.costs import Memory, compute_cost, memory
from golden.errors import InputError
from golden.layer_tables import topology
from golden.topology import Topology
from golden.window import Window


@pytest.mark.parametrize("name, products", [("resnet44", 97_174_144), ("resnet56", 125_485_696)])
def test_widened_networks_of_few_bits_cost_less_than_the_float_one(name, products):
    base = compute_cost(topology(name), (32, 32))
    assert base == products * 64
    assert compute_cost(topology(f"{name}:width=2"), (2, 8)) / base == pytest.approx(0.62, abs=0.005)
    assert compute_cost(topology(f"{name}:first=2"), (2, 8)) / base == pytest.approx(0.32, abs=0.005)


def test_memory_by_hand():
    net = Topology((1, 4, 4))
    trunk = net.conv("a", 2, 3, pad=1)
    net.conv("b", 2, 3, pad=1, linear=True)
    net.add("c", net.output, trunk)
    net.logits("d", 5)
    weights = 18 + 36 + 160
    # 16 pixels, then three tensors of 32 values, then 5 logits; a, b and c are there together
    assert memory(net, 3, training=True) == Memory(weights * 4, (16 + 32 * 3 + 5) * 3 * 4)
    assert memory(net, 3) == Memory(weights * 4, 96 * 3 * 4)
    assert memory(net, 3, weight_bits=2, activation_bits=8) == Memory(weights / 4, 96 * 3)


def test_what_is_pooled_needs_memory_too():
    net = Topology((1, 4, 4))
    net.conv("a", 2, 3, pad=1, pool=Window(kernel=2, stride=2))
    net.logits("b", 5)
    # 16 pixels, 32 values and their 8 maxima, 5 logits; the first three are there together
    assert memory(net, 3, training=True).activations == (16 + 32 + 8 + 5) * 3 * 4
    assert memory(net, 3).activations == (16 + 32 + 8) * 3 * 4


@pytest.mark.parametrize("name", ["alexnet", "resnet50", "resnet101"])
def test_activations_outweigh_weights_in_large_batches_alone(name):
    net = topology(name)
    single, large = memory(net, 1), memory(net, 32, training=True)
    assert single.activations < single.weights == large.weights
    assert large.activations == 32 * memory(net, 1, training=True).activations
    assert (large.activations > large.weights) == (name != "alexnet")


def test_less_than_a_bit_or_an_image_is_refused():
    with pytest.raises(InputError, match="batch must be at least 1, not 0"):
        memory(topology("lenet"), 0)
    with pytest.raises(InputError, match="weight_bits must be at least 1, not 0"):
        compute_cost(topology("lenet"), (0, 8))
    with pytest.raises(InputError, match="4 layers need one pair of widths or as many, not 2"):
        compute_cost(topology("lenet"), (8, 8), (2, 8))


def test_layers_may_have_widths_of_their_own():
    net = topology("lenet")
    macs = [row.macs for row in net.rows]
    found = compute_cost(net, (8, 8), (2, 8), (2, 4), (8, 8))
    assert found == 16 * macs[0] + 10 * macs[1] + 6 * macs[2] + 16 * macs[3]
