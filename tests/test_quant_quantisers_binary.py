"""quant.quantisers_binary: signs, scales and gradients of binary weights."""

import pytest
import torch

from golden.topology import Topology
from quant.quantisers import glorot
from quant.quantisers_binary import BinaryConnect, BinaryWeight
from quant.schemes import weight_quantiser


def row(n, m, k=1):
    net = Topology((n, 4, 4))
    net.conv("c", m, k)
    return net.rows[0]


def test_binaryconnect_is_the_sign_times_its_reach():
    quantiser = BinaryConnect(row(2, 2))
    assert quantiser.reach == pytest.approx((1.5 / 4) ** 0.5) == glorot(row(2, 2)) / 2
    w = torch.nn.Parameter(torch.tensor([0.0, -0.0, 2.0, -0.1]))
    quantiser.prepare(w)
    assert w.tolist() == pytest.approx([0, 0, quantiser.reach, -0.1])
    y = quantiser(w)
    assert y.tolist() == pytest.approx([quantiser.reach] * 3 + [-quantiser.reach])
    y.sum().backward()
    assert w.grad.tolist() == [1, 1, 1, 1]
    assert weight_quantiser("bnn", row(2, 2)).reach == 1


def test_stochastic_binaryconnect_is_right_on_average_and_takes_signs_in_evaluation():
    quantiser, w = BinaryConnect(row(1, 1), stochastic=True, reach=2.0), torch.tensor([-2.0, -1.0, 0.0, 1.5, 2.0])
    torch.manual_seed(0)
    draws = torch.stack([quantiser(w) for _ in range(4000)])
    assert set(draws.unique().tolist()) == {-2, 2}
    torch.testing.assert_close(draws.mean(0), w, rtol=0, atol=0.1)
    assert (draws[:, 0] == -2).all() and (draws[:, 4] == 2).all()
    assert quantiser.eval()(w).tolist() == [-2, -2, 2, 2, 2]
    assert quantiser.terms(w)[0][1].tolist() == [-1, -1, 1, 1, 1]


def test_binary_weights_have_the_mean_of_their_filter_or_of_the_layer():
    w = torch.tensor([[1.0, -0.5], [0.0, -0.25]])[:, :, None, None]
    integers, scale = BinaryWeight(row(2, 2)).integers(w)
    assert integers.flatten().tolist() == [1, -1, 1, -1] and scale.flatten().tolist() == [0.75, 0.125]
    _, scale = BinaryWeight(row(2, 2), filters=False).integers(w)
    assert scale == 0.4375
    _, _, each = weight_quantiser("bwn_layer", row(2, 2)).terms(w)[0]
    assert each.tolist() == [0.4375, 0.4375]


def test_float_weights_are_centred_over_channels_and_clipped():
    w = torch.nn.Parameter(torch.tensor([[4.0, -1.0], [0.5, 0.25]])[:, :, None, None])
    BinaryWeight(row(2, 2)).prepare(w)
    assert w.flatten().tolist() == [1, -1, 0.125, -0.125]


def test_what_is_exported_is_centred_too():
    w = torch.tensor([[4.0, -1.0], [0.5, 0.25]])[:, :, None, None]
    _, integers, scale = BinaryWeight(row(2, 2)).terms(w)[0]
    assert integers.flatten().tolist() == [1, -1, 1, -1] and scale.tolist() == [1, 0.125]
    assert w.flatten().tolist() == [4, -1, 0.5, 0.25]


def test_a_single_channel_is_not_centred_and_keeps_its_gradient():
    w = torch.nn.Parameter(torch.tensor([[0.5, -0.25], [2.0, 0.0]]).reshape(2, 1, 1, 2))
    quantiser = BinaryWeight(row(1, 2))
    quantiser.prepare(w)
    assert w.flatten().tolist() == [0.5, -0.25, 1, 0]
    quantiser(w).sum().backward()
    assert w.grad.flatten().tolist() == [1.75, 1.75, 1, 2]  # (a [|w| < 1] + 1/2) * 2, with a of 0.375 and 0.5


def test_gradient_of_binary_weights_by_hand():
    w = torch.nn.Parameter(torch.tensor([[0.5, -0.75, 1.0, -0.75]])[:, :, None, None])
    y = BinaryWeight(row(4, 1))(w)
    assert y.flatten().tolist() == [0.75, -0.75, 0.75, -0.75]
    (y.flatten() * torch.tensor([1.0, 2.0, 4.0, 8.0])).sum().backward()
    inside, outside = (0.75 + 1 / 4) * (1 - 1 / 4) * 4, 1 / 4 * (1 - 1 / 4) * 4
    assert w.grad.flatten().tolist() == pytest.approx([inside, 2 * inside, 4 * outside, 8 * inside])
