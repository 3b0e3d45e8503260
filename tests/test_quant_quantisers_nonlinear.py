"""quant.quantisers_nonlinear: powers of two against their format, and shared weights."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from golden.formats import PowerOfTwo
from golden.topology import Topology
from quant.quantisers_nonlinear import Logarithmic, Shared, full_scale, powers

FORMATS = [PowerOfTwo(4), PowerOfTwo(5, zero=True), PowerOfTwo(2, zero=True), PowerOfTwo(4, zero=True, signed=False)]


def row(n, m):
    net = Topology((1, 1, n))
    net.dense("d", m)
    return net.rows[0]


@given(arrays.arrays(np.float32, 50, elements=st.floats(-(2.0**20), 2.0**20, width=32)), st.sampled_from(FORMATS))
def test_powers_are_those_of_the_format(x, fmt):
    expected = fmt.nearest(x.astype(np.float64) * 2.0**fmt.exponent)
    assert np.array_equal(powers(fmt, torch.from_numpy(x)).numpy(), expected)
    assert np.array_equal(powers(fmt, torch.from_numpy(x).double()).numpy(), expected)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_powers_around_the_root_of_two(fmt):
    roots = np.sqrt(2.0) * 2.0 ** np.arange(-3, fmt.last + 1)
    near = np.float32(roots)
    near = np.concatenate([near, *(np.nextafter(near, np.float32(end)) for end in (0, np.inf))])
    expected = fmt.nearest(near.astype(np.float64) * 2.0**fmt.exponent)
    assert np.array_equal(powers(fmt, torch.from_numpy(near)).numpy(), expected)


def test_the_greatest_weight_is_nearest_to_half_the_full_scale():
    known = {1.0: 2.0, 1.4: 2.0, 1.42: 4.0, 0.75: 2.0, 0.70: 1.0, 2.0**-9: 2.0**-8, 0.0: 1.0}
    for peak, expected in known.items():
        assert full_scale(torch.tensor(peak)) == expected


def test_logarithmic_weights_by_hand():
    quantiser = Logarithmic(row(7, 1), 4)  # seven powers, 1 to 2**-6, and 0
    w = torch.tensor([1.0, -0.6, 0.7, 0.3, 2.0**-6, -0.01, 0.0])
    integers, scale = quantiser.integers(w)
    assert (integers * scale).tolist() == [1, -0.5, 0.5, 0.25, 2.0**-6, 0, 0]
    assert str(quantiser.format) == "pow2z_4"
    w = torch.tensor([2.0**-6 * 0.75, 1.0, 0.011])
    assert (quantiser.integers(w)[0] * quantiser.integers(w)[1]).tolist() == [2.0**-6, 1, 0]


def test_shared_weights_are_clustered_from_even_ones():
    quantiser = Shared(row(8, 1), 2)
    w = torch.nn.Parameter(torch.tensor([[-1.0, -0.9, 0.1, 0.3, 0.5, 0.6, 2.0, 1.8]]))
    quantiser.prepare(w)
    # even ones are -1, 0, 1, 2: the members of 1 are 0.6 alone, and then 0.5 moves over
    assert quantiser.codes.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    assert quantiser.centroids.tolist() == pytest.approx([-0.95, 0.2, 0.55, 1.9])
    y = quantiser(w)
    (y * torch.arange(8.0)).sum().backward()
    assert quantiser.centroids.grad.tolist() == [1, 5, 9, 13] and w.grad is None


def test_ties_go_to_the_lower_centroid_and_members_stay():
    quantiser = Shared(row(3, 1), 1)
    w = torch.tensor([[1.0, 2.0, 3.0]])
    quantiser.cluster(w)
    assert quantiser.codes.tolist() == [[0, 0, 1]]
    quantiser.prepare(torch.tensor([[9.0, 1.0, 9.0]]))
    assert quantiser.codes.tolist() == [[0, 0, 1]]


def test_pruned_weights_keep_code_zero_for_themselves():
    quantiser = Shared(row(6, 1), 2)
    w = torch.tensor([[0.0, 1.0, 0.0, -1.0, 3.0, 0.0]])
    quantiser.cluster(w)
    assert quantiser.codes.tolist() == [[0, 2, 0, 1, 3, 0]]
    with torch.no_grad():
        quantiser.centroids += 0.5
    assert quantiser(w).tolist() == [[0, 1.5, 0, -0.5, 3.5, 0]]
    (fmt, integers, scale), *_ = quantiser.terms(w)
    assert fmt.table == (0, -4681, 14043, 32767) and scale.tolist() == pytest.approx([3.5 / 32767])
    assert integers.tolist() == [[0, 14043, 0, -4681, 32767, 0]]


def test_clusters_come_back_with_the_state():
    first, second = Shared(row(50, 4), 3), Shared(row(50, 4), 3)
    w = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    first.cluster(w)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(w), second(torch.zeros(4, 50))) and len(first(w).unique()) == 8
    assert (first(w) - w).square().mean() < 0.05
