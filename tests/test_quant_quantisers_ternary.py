"""quant.quantisers_ternary: thresholds, scales and gradients of ternary weights."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from golden.topology import Topology
from quant.quantisers_ternary import Ttq, Twn

values = arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(-10, 10, width=32))


def row():
    net = Topology((1, 1, 5))
    net.dense("d", 1)
    return net.rows[0]


def test_twn_by_hand():
    # mean |w| = 1, threshold 0.5, so 0.5 itself is 0; the scale is (2 + 1 + 0.75 + 0.75) / 4
    integers, scale = Twn(row(), threshold=0.5).integers(torch.tensor([2.0, -1.0, 0.5, -0.75, 0.75]))
    assert integers.tolist() == [1, -1, 0, -1, 1]
    assert scale.item() == 1.125


def test_twn_compares_strictly_and_survives_zeros():
    integers, scale = Twn(row(), threshold=1.0).integers(torch.tensor([1.0, -1.0, 1.0]))
    assert integers.tolist() == [0, 0, 0] and scale.item() == 0
    integers, scale = Twn(row()).integers(torch.zeros(4))
    assert integers.tolist() == [0] * 4 and scale.item() == 0


@given(values)
def test_twn_is_its_formula(w):
    integers, scale = (part.numpy() for part in Twn(row()).integers(torch.from_numpy(w)))
    large = np.abs(w) > 0.7 * torch.from_numpy(w).abs().mean().item()
    assert np.array_equal(integers, np.where(large, np.sign(w), 0))
    np.testing.assert_allclose(scale, np.abs(w[large]).mean() if large.any() else 0, rtol=1e-12)


def test_ttq_by_hand():
    quantiser = Ttq(row(), threshold=0.25)
    with torch.no_grad():
        quantiser.up.fill_(3)
        quantiser.down.fill_(0.5)
    # the threshold is 0.25 * 4 = 1, and 1 itself is 0
    w = torch.tensor([[4.0, -2.0, 1.0, -1.0, 1.5]], requires_grad=True)
    y = quantiser(w)
    assert y.tolist() == [[3, -0.5, 0, 0, 3]]
    (y * torch.tensor([[1.0, 10, 100, 1000, 10000]])).sum().backward()
    assert quantiser.up.grad == 10001 and quantiser.down.grad == -10
    assert w.grad.tolist() == [[3, 5, 100, 1000, 30000]]
    (_, positive, up), (_, negative, down) = quantiser.terms(w)
    assert positive.tolist() == [[1, 0, 0, 0, 1]] and negative.tolist() == [[0, 1, 0, 0, 0]]
    assert up.tolist() == [3] and down.tolist() == [-0.5]


def test_ttq_starts_with_scales_of_one_and_keeps_zeros():
    quantiser = Ttq(row())
    assert quantiser.threshold == 0.05 and quantiser.up == quantiser.down == 1
    assert not quantiser(torch.zeros(1, 5)).any()
