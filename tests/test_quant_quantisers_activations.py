"""quant.quantisers_activations: ranges, units and gradients."""

import numpy as np
import pytest
import torch

from golden.errors import InputError
from golden.formats import Integer, PowerOfTwo, parse
from quant.quantisers_activations import Clipped, DynamicRange, LogRange, Observed, Sign, Static


def reals(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("format", [Integer(8, signed=False), Integer(8, signed=True)], ids=str)
def test_observed_rounds_as_its_format(format):
    quantiser, x = Observed(format), reals(500) * 3
    y = quantiser(x)
    unit = quantiser.unit.item()
    assert unit == pytest.approx((x.max() if format.lo == 0 else x.abs().max()).item() / format.hi)
    # float32 divides; leave out what lies within its precision of a tie
    exact = x.double().numpy() / unit
    clear = np.abs(exact - np.floor(exact) - 0.5) > 1e-4
    np.testing.assert_allclose(y.numpy()[clear], (format.nearest(exact) * unit)[clear], rtol=1e-6)


@pytest.mark.parametrize(
    "quantiser, top",
    [
        (Observed(Integer(8, signed=False)), 3.9),
        (DynamicRange(Integer(8, signed=False)), 255 / 64),
        (LogRange(PowerOfTwo(4, zero=True, signed=False)), 4.0),
    ],
)
def test_gradients_pass_inside_the_range_only(quantiser, top):
    quantiser.eval().peak.fill_(3.9)
    x = torch.tensor([-0.5, 1.0, 1.9, 9.0], requires_grad=True)
    y = quantiser(x)
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0] and y[0] == 0
    assert y[3].item() == pytest.approx(top, abs=0.01)


def test_peaks_are_averaged_in_training_alone():
    quantiser = Observed(Integer(8, signed=True), momentum=0.25)
    quantiser(torch.tensor([-4.0, 1.0]))
    assert quantiser.peak == 4
    quantiser(torch.tensor([8.0]))
    assert quantiser.peak == 5
    quantiser.eval()(torch.tensor([100.0]))
    assert quantiser.peak == 5


@pytest.mark.parametrize("peak", [3.0, 4.0])
def test_dynamic_fixed_point_saturates_in_the_upper_half_if_it_has_a_sign(peak):
    unit = 2.0**-6  # an integer length of ceil(log2 peak) = 2, sign included; without a sign the unit stays
    for signed, greatest in ((True, 2 - unit), (False, min(peak, 4 - unit))):
        quantiser = DynamicRange(Integer(8, signed=signed)).eval()
        quantiser.peak.fill_(peak)
        assert quantiser.unit == unit
        y = quantiser(torch.tensor([1.0, peak, 0.3]))
        assert y.tolist() == [1, greatest, round(0.3 / unit) * unit]


def test_powers_of_two_by_hand():
    quantiser = LogRange(PowerOfTwo(2, zero=True, signed=False)).eval()  # three powers
    quantiser.peak.fill_(3.0)
    x = torch.tensor([-1.0, 0.0, 0.6, 0.72, 1.3, 2.8, 2.9, 7.0])
    assert quantiser(x).tolist() == [0, 0, 0, 1, 1, 2, 4, 4]
    assert quantiser.unit == 0.5


@pytest.mark.parametrize("width", [1, 2, 8])
def test_clipped_is_its_formula(width):
    quantiser, x = Clipped(Integer(width, signed=False)), reals(200).requires_grad_()
    levels = 2**width - 1
    y = quantiser(x)
    expected = np.rint(np.clip(x.detach().numpy(), 0, 1) * levels) / levels
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-6)
    y.sum().backward()
    assert torch.equal(x.grad, ((x >= 0) & (x <= 1)).float())
    assert quantiser.unit == pytest.approx(1 / levels)
    signed = Clipped(Integer(4, signed=True))
    assert (signed(torch.tensor([-2.0, 0.5, 1.0])) * 7).tolist() == pytest.approx([-8, 4, 7])


def test_signs_of_zero_are_positive_and_gradients_end_at_one():
    x = torch.tensor([[0.0, -0.0, 1.0, -1.0, 1.1, -2.0]], requires_grad=True)
    y = Sign()(x)
    assert y.tolist() == [[1, 1, 1, -1, 1, -1]]
    y.sum().backward()
    assert x.grad.tolist() == [[1, 1, 1, 1, 0, 0]]


def test_scaled_signs_have_the_mean_magnitude_of_batches_in_training_as_in_evaluation():
    quantiser = Sign(scaled=True, momentum=0.25)
    assert quantiser.unit == 1
    x = torch.tensor([[[[1.0, -2.0]], [[-3.0, 0.0]]]], requires_grad=True)  # two channels, two positions
    y = quantiser(x)
    assert y.tolist() == [[[[1.5, -1.5]], [[-1.5, 1.5]]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[[1.5, 0]], [[0, 1.5]]]]
    quantiser(x.detach() + 2)  # magnitudes 3, 0, 1, 2
    assert quantiser.unit == 1.5
    quantiser(2 * x.detach())
    assert quantiser.unit == 1.5 + 0.25 * 1.5
    assert quantiser.eval()(x.detach()).tolist() == [[[[1.875, -1.875]], [[-1.875, 1.875]]]]


@pytest.mark.parametrize("name", ["int8e-4", "uint4e-2", "mini_e4m3"])
@pytest.mark.parametrize("relu", [True, False])
def test_static_formats_round_by_their_own_rule(name, relu):
    fmt, x = parse(name), reals(300) * 20
    y = Static(fmt, relu)(x)
    x = x.double().numpy()
    assert np.array_equal(y.double().numpy(), fmt.round(np.maximum(x, 0) if relu else x))


def test_formats_that_do_not_add_up_are_refused():
    with pytest.raises(InputError, match="activations need a format of integers or minifloats, not pow2_4"):
        Static(parse("pow2_4"), True)
