"""quant.quantisers: evenly spaced weights, and what every weight quantiser promises."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from golden.errors import InputError
from golden.formats import Integer, parse
from golden.topology import Topology
from quant.quantisers import Dynamic, InFormat, Nearest, Wrpn, above, glorot, nearest, signs, within
from quant.rules import dynamic
from quant.schemes import WEIGHTS, weight_quantiser
from quant.straight import straight

values = arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(-10, 10, width=32))


def row(n=4, m=6, k=3):
    """A convolution of n channels and m filters."""
    net = Topology((n, 8, 8))
    net.conv("c", m, k)
    return net.rows[0]


def every_scheme():
    for name, scheme in WEIGHTS.items():
        yield name if scheme.widths is None else f"{name}{scheme.widths[-1]}"
        if scheme.widths is not None:
            yield f"{name}{scheme.widths[0]}"
    yield from ("int8e-5", "mini_e4m3", "pow2_4", "binary")


SCHEMES = list(every_scheme())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_integers_are_of_the_format_and_stand_for_the_reals_of_training(scheme):
    layer = row()
    quantiser = weight_quantiser(scheme, layer)
    w = torch.nn.Parameter(torch.randn(layer.shape, generator=torch.Generator().manual_seed(0)) * 0.2)
    quantiser.prepare(w)
    quantiser.eval()  # without chance
    y, reals = quantiser(w), torch.zeros(layer.shape, dtype=torch.float64)
    for fmt, integers, scale in quantiser.terms(w):
        assert integers.dtype == torch.int64 and scale.dtype == torch.float64 and scale.shape == (6,)
        fmt.check(integers.numpy())
        reals += integers * scale.reshape(-1, 1, 1, 1)
    torch.testing.assert_close(y.double(), reals, rtol=1e-4, atol=1e-5)
    y.sum().backward()
    trained = [p.grad for p in (w, *quantiser.parameters()) if p.grad is not None]
    assert trained and all(gradient.isfinite().all() and gradient.any() for gradient in trained)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("n", [1, 3])
def test_weights_that_are_all_zero_stay_finite(scheme, n):
    layer = row(n, 2)
    quantiser = weight_quantiser(scheme, layer)
    w = torch.nn.Parameter(torch.zeros(layer.shape))
    quantiser.prepare(w)
    assert quantiser(w).isfinite().all()
    for fmt, integers, scale in quantiser.terms(w):
        fmt.check(integers.numpy())
        assert scale.isfinite().all()


@given(values)
def test_nearest_is_the_nearest_of_its_format(w):
    integers, scale = (part.numpy() for part in Nearest(row(), 8).integers(torch.from_numpy(w)))
    assert np.array_equal(integers, Integer(8, signed=True).nearest(w / scale))
    assert np.abs(integers).max() == (127 if w.any() else 0)
    assert (np.abs(w - integers * scale) <= scale * (0.5 + 1e-9)).all()


def test_nearest_takes_ties_to_even():
    integers, scale = Nearest(row(), 8).integers(torch.tensor([127.0, 0.5, 1.5, -2.5]))
    assert scale == 1 and integers.tolist() == [127, 0, 2, -2]


@given(values, st.integers(2, 8))
def test_wrpn_is_its_formula(w, width):
    integers, scale = Wrpn(row(), width, reach=1.0).integers(torch.from_numpy(w))
    levels = 2 ** (width - 1) - 1
    assert np.array_equal(integers.numpy(), np.rint(np.clip(w, -1, 1) * levels))
    assert scale.item() == pytest.approx(1 / levels)


def test_wrpn_of_two_bits_is_ternary_with_a_threshold_of_half_its_reach():
    quantiser = Wrpn(row(), 2, reach=2.0)
    integers, scale = quantiser.integers(torch.tensor([1.0, 1.001, -1.0, -1.001, 5.0, 0.0]))
    assert integers.tolist() == [0, 1, 0, -1, 1, 0] and scale == 2
    assert str(quantiser.format) == "ternary" and str(Wrpn(row(), 4).format) == "int4"


def test_wrpn_of_one_bit_is_the_sign_times_the_mean():
    quantiser = Wrpn(row(), 1)
    integers, scale = quantiser.integers(torch.tensor([0.5, -0.25, 0.0, -0.0]))
    assert integers.tolist() == [1, -1, 1, 1] and scale.item() == 0.1875 and str(quantiser.format) == "binary"


def test_wrpn_starts_with_weights_that_are_not_all_zero():
    layer = row(64, 64)
    w = torch.empty(layer.shape)
    torch.manual_seed(0)
    torch.nn.init.xavier_uniform_(w)
    assert w.abs().max() == pytest.approx(glorot(layer), rel=1e-3) and w.abs().max() < 0.5
    integers, _ = Wrpn(layer, 2).integers(w)
    assert integers.abs().mean() == pytest.approx(0.5, abs=0.01)  # of uniform numbers, half are beyond half the reach
    assert not Wrpn(layer, 2, reach=1.0).integers(w)[0].any()


def test_no_gradient_reaches_clipped_weights_of_wrpn():
    w = torch.tensor([[0.2, -3.0], [1.0, 0.9]], requires_grad=True)
    Wrpn(row(), 4, reach=1.0)(w).sum().backward()
    assert w.grad.tolist() == [[1, 0], [1, 1]]


@given(values, st.sampled_from(["int8e-4", "int4e-1", "mini_e4m3", "mini_e5m2", "pow2_4", "pow2z_3", "e4m3", "binary"]))
def test_formats_round_by_their_own_rule(w, name):
    fmt = parse(name)
    integers, scale = InFormat(row(), fmt).integers(torch.from_numpy(w))
    assert np.array_equal(integers.numpy(), fmt.nearest(w)) and scale == 2.0**fmt.exponent


@given(values, st.integers(2, 8))
@example(np.array([1e-45, 2.0**-130]), 2)
def test_dynamic_fixed_point_has_the_unit_of_its_rule_or_of_few_bits_the_best_of_three(w, width):
    integers, scale = Dynamic(row(), width).integers(torch.from_numpy(w))
    units = [2.0**fmt.exponent for fmt in dynamic(width, float(np.abs(w).max()))]
    assert len(units) == (3 if width < 5 else 1) and scale.item() in units
    exact = w.astype(np.float64)
    rounded = [Integer(width, True).nearest(exact / unit) for unit in units]
    assert np.array_equal(integers.numpy(), rounded[units.index(scale.item())])
    errors = [((r * unit - exact) ** 2).sum() for r, unit in zip(rounded, units, strict=True)]
    # float32 adds up the squares of the library
    assert errors[units.index(scale.item())] <= min(errors) * (1 + 1e-4)


def test_of_two_bits_dynamic_fixed_point_leaves_the_unit_of_its_rule():
    w = torch.randn(2000, generator=torch.Generator().manual_seed(0))
    rule = dynamic(2, float(w.abs().max()))[0]
    integers, scale = Dynamic(row(), 2).integers(w)
    assert scale < 2.0**rule.exponent and len(integers.unique()) == 4


def test_signs_of_zeros_are_positive():
    assert signs(torch.tensor([0.0, -0.0, 1e-30, -1e-30])).tolist() == [1, 1, 1, -1]


@given(values, st.floats(0, 10, width=32))
def test_factors_are_1_where_the_numbers_are(x, limit):
    for dtype in (np.float32, np.float64):
        w = torch.from_numpy(x.astype(dtype)).requires_grad_()
        for found, expected in ((above(w, limit), x > limit), (within(w, limit), np.abs(x) <= limit)):
            assert not found.requires_grad and found.numpy().dtype == dtype
            assert np.array_equal(found.numpy(), expected)
        assert np.array_equal(w.detach().numpy(), x.astype(dtype))  # they stay as they were


def test_straight_through_changes_values_and_not_gradients():
    x = torch.tensor([2.0, -1.0, 0.1], requires_grad=True)
    y = straight(x, torch.tensor([1.0, -1.0, 0.0]))
    assert y.tolist() == [1, -1, 0]
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1, 2, 3]
    x.grad = None
    straight(x, torch.zeros(3), torch.tensor([1.0, 0.0, 2.0])).sum().backward()
    assert x.grad.tolist() == [1, 0, 2]


def test_integers_of_a_format_are_found_in_any_precision():
    x = torch.tensor([0.5, 1.5, 300.0, -300.0])
    assert nearest(Integer(8, signed=True), x).tolist() == [0, 2, 127, -128]
    assert nearest(parse("mini_e4m3"), x).dtype == torch.float32


def test_unsigned_formats_are_refused():
    with pytest.raises(InputError, match="weights need a signed format, not uint8"):
        InFormat(row(), Integer(8, signed=False))
