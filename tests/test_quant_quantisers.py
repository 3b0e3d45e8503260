import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from golden.errors import InputError
from golden.formats import Integer
from quant.quantisers import WEIGHTS, Nearest, Observed, Twn, straight_through, weight_quantiser

values = arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(-10, 10, width=32))


def test_twn_by_hand():
    # mean |w| = 1, threshold 0.5, so 0.5 itself is 0; the scale is (2 + 1 + 0.75 + 0.75) / 4
    w = torch.tensor([2.0, -1.0, 0.5, -0.75, 0.75])
    integers, scale = Twn(threshold=0.5)(w)
    assert integers.tolist() == [1, -1, 0, -1, 1]
    assert scale.item() == 1.125


def test_twn_compares_strictly_and_survives_zeros():
    integers, scale = Twn(threshold=1.0)(torch.tensor([1.0, -1.0, 1.0]))
    assert integers.tolist() == [0, 0, 0] and scale.item() == 0
    integers, scale = Twn()(torch.zeros(4))
    assert integers.tolist() == [0] * 4 and scale.item() == 0


@given(values)
def test_twn_is_its_formula(w):
    integers, scale = (part.numpy() for part in Twn()(torch.from_numpy(w)))
    large = np.abs(w) > 0.7 * torch.from_numpy(w).abs().mean().item()
    assert np.array_equal(integers, np.where(large, np.sign(w), 0))
    np.testing.assert_allclose(scale, np.abs(w[large]).mean() if large.any() else 0, rtol=1e-12)


@given(values)
def test_nearest_is_the_nearest_of_its_format(w):
    integers, scale = (part.numpy() for part in Nearest(Integer(8, signed=True))(torch.from_numpy(w)))
    assert np.array_equal(integers, Integer(8, signed=True).nearest(w / scale))
    assert np.abs(integers).max() == (127 if w.any() else 0)
    assert (np.abs(w - integers * scale) <= scale * (0.5 + 1e-9)).all()


def test_nearest_takes_ties_to_even():
    integers, scale = Nearest(Integer(8, signed=True))(torch.tensor([127.0, 0.5, 1.5, -2.5]))
    assert scale == 1 and integers.tolist() == [127, 0, 2, -2]


@pytest.mark.parametrize("scheme", WEIGHTS)
def test_every_scheme_gives_integers_of_its_format(scheme):
    w = torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
    integers, scale = WEIGHTS[scheme](w)
    WEIGHTS[scheme].format.check(integers.long().numpy())
    assert torch.equal(integers, integers.round()) and scale.ndim == 0 and scale > 0


def test_straight_through_quantises_forward_and_nothing_backward():
    w = torch.tensor([2.0, -1.0, 0.1], requires_grad=True)
    y = straight_through(Twn(), w)
    torch.testing.assert_close(y, torch.tensor([1.5, -1.5, 0.0]))
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert w.grad.tolist() == [1, 2, 3]


@pytest.mark.parametrize("format", [Integer(8, signed=False), Integer(8, signed=True)], ids=str)
def test_observed_rounds_as_its_format(format):
    quantiser = Observed(format)
    x = torch.randn(500, generator=torch.Generator().manual_seed(1)) * 3
    y = quantiser(x)
    unit = quantiser.unit.item()
    assert unit == pytest.approx((x.max() if format.lo == 0 else x.abs().max()).item() / format.hi)
    # float32 divides; leave out what lies within its precision of a tie
    exact = x.double().numpy() / unit
    clear = np.abs(exact - np.floor(exact) - 0.5) > 1e-4
    np.testing.assert_allclose(y.numpy()[clear], (format.nearest(exact) * unit)[clear], rtol=1e-6)


def test_observed_passes_gradient_only_inside_its_range():
    quantiser = Observed(Integer(8, signed=False)).eval()
    quantiser.peak.fill_(2.55)
    x = torch.tensor([-0.5, 0.0, 1.0, 2.55, 3.0], requires_grad=True)
    y = quantiser(x)
    torch.testing.assert_close(y, torch.tensor([0.0, 0.0, 1.0, 2.55, 2.55]))
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]


def test_observed_averages_peaks_in_training_alone():
    quantiser = Observed(Integer(8, signed=True), momentum=0.25)
    quantiser(torch.tensor([-4.0, 1.0]))
    assert quantiser.peak == 4
    quantiser(torch.tensor([8.0]))
    assert quantiser.peak == 5
    quantiser.eval()(torch.tensor([100.0]))
    assert quantiser.peak == 5


def test_wrong_schemes_are_refused():
    with pytest.raises(InputError, match="no weight scheme is called 'int9'; allowed: float, ternary, int8"):
        weight_quantiser("int9")
    with pytest.raises(InputError, match="weights need a signed format, not uint8"):
        Nearest(Integer(8, signed=False))
