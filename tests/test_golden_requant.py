"""Requantisation against exact rationals, for every width a spec allows."""

import math
from fractions import Fraction

import numpy as np
import pytest
from exact import nearest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import Integer, parse
from golden.requant import RequantSpec, fold_affine, fold_sign, requant, shift_rne


def exact(spec, x, m, b, s):
    """``sat(rne((x * m + b) * 2**-s))`` in exact arithmetic; Python rounds Fractions to even."""
    return min(max(round(Fraction(x * m + b, 1 << s)), spec.y.lo), spec.y.hi)


def signed(width):
    """Integers of `width` bits, their limits often."""
    lo, hi = -(1 << (width - 1)), (1 << (width - 1)) - 1
    return st.integers(lo, hi) | st.sampled_from([lo, lo + 1, -1, 0, 1, hi - 1, hi])


@st.composite
def specs(draw):
    x = Integer(draw(st.integers(2, 32)), signed=True)
    y = draw(st.builds(Integer, st.integers(2, 16), st.booleans()) | st.just(Integer(32, signed=True)))
    m_width, b_width = draw(st.integers(2, min(32, 61 - x.width))), draw(st.integers(2, 61))
    return RequantSpec(x=x, y=y, m_width=m_width, b_width=b_width)


@st.composite
def cases(draw):
    spec = draw(specs())
    channels = draw(st.integers(1, 4))
    parameters = [(draw(signed(spec.m_width)), draw(signed(spec.b_width)), draw(st.integers(0, spec.s_limit)))
                  for _ in range(channels)]
    x = draw(st.lists(st.lists(signed(spec.x.width), min_size=channels, max_size=channels), min_size=1, max_size=6))
    return spec, x, parameters


@given(cases())
@settings(max_examples=500)
def test_requant_equals_exact_rationals(case):
    spec, x, parameters = case
    m, b, s = (np.array(p) for p in zip(*parameters, strict=True))
    expected = [[exact(spec, v, *p) for v, p in zip(row, parameters, strict=True)] for row in x]
    y = requant(spec, np.array(x), m, b, s)
    assert y.dtype == np.int64 and y.tolist() == expected
    assert requant(spec, np.array(x).T, m, b, s, axis=0).T.tolist() == expected
    assert requant(spec, np.array(x, spec.x.dtype), m, b, s).tolist() == expected


RESULTS = ["binary", "upow2z_4", "upow2z_4e3", "upow2z_1", "pow2z_5e-15", "pow2_4", "pow2_6", "mini_e4m3"]


@given(st.sampled_from(RESULTS), cases(), st.integers(0, 30))
@settings(max_examples=300)
def test_signs_powers_and_floats_equal_exact_rationals(name, case, near):
    """`near` puts some sums beside the square root of 2 times a power."""
    _, x, parameters = case
    spec = RequantSpec(x=parse("int32"), y=parse(name), m_width=16, b_width=52)
    parameters = [(max(-(1 << 15), min(m, (1 << 15) - 1)), b >> 10, s) for m, b, s in parameters]
    root = math.isqrt(2 << 2 * near)
    parameters = [*parameters, (0, root, near // 2), (0, root + 1, near // 2), (0, -root, 0), (0, -1, 3), (0, 0, near)]
    parameters = [(m, b, min(s, spec.s_limit)) for m, b, s in parameters]
    x = [[*row, 1, 1, 1, 1, 1] for row in x]
    m, b, s = (np.array(p) for p in zip(*parameters, strict=True))
    unit = Fraction(2) ** spec.y.exponent
    expected = [
        [nearest(spec.y, Fraction(v * m + b, 1 << s) * unit) for v, (m, b, s) in zip(row, parameters, strict=True)]
        for row in x
    ]
    assert requant(spec, np.array(x), m, b, s).tolist() == expected


def test_sums_too_long_to_round_to_a_power_are_refused():
    RequantSpec(y=parse("pow2_4"), b_width=53)
    with pytest.raises(InputError, match="x . m . b needs 55 bits; allowed: up to 54"):
        RequantSpec(y=parse("pow2_4"), b_width=54)
    assert RequantSpec(y=parse("binary"), b_width=61).sum_width == 62


def test_the_sign_of_the_longest_sums():
    spec = RequantSpec(y=parse("binary"), b_width=61)
    x, m, s = np.array([[-(1 << 31)], [0], [(1 << 31) - 1]]), np.array([-(1 << 15)]), np.array([0])
    for b, signs in ((-(1 << 46), [1, -1, -1]), (-(1 << 46) - 1, [-1, -1, -1]), ((1 << 46) - (1 << 15), [1, 1, 1])):
        assert requant(spec, x, m, np.array([b]), s).ravel().tolist() == signs
    spec = RequantSpec(y=parse("binary"), b_width=61, m_width=29)
    for b, sign in ((1 << 58) + 1, 1), (1 << 58, 1), ((1 << 58) - 1, -1):
        assert requant(spec, x[:1], np.array([1 << 27]), np.array([b]), s).item() == sign


@given(st.integers(2, 32), st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 5e-324]), st.integers(-40, 40), st.data())
@settings(max_examples=300)
def test_a_folded_sign_is_that_of_the_exact_sum(width, scale, zero, data):
    """Of accumulators around the threshold, which is sometimes an accumulator, and at their limits."""
    offset = data.draw(st.floats(-1e9, 1e9) | st.just(-scale * zero) | st.sampled_from([0.0, -0.0, 1e300, -1e300]))
    spec = RequantSpec(x=Integer(width, signed=True), y=parse("binary"), m_width=2, b_width=width + 1)
    m, b, s = fold_sign(spec, [scale], [offset])
    assert m.item() in (-1, 0, 1) and s.item() == 0
    x = np.arange(zero - 3, zero + 4)
    if scale:
        x = np.concatenate([x, np.clip(-offset / abs(scale), -1e12, 1e12).astype(np.int64) * np.sign(scale).astype(int) + np.arange(-3, 4)])
    x = np.unique(np.clip(np.concatenate([x, [spec.x.lo, spec.x.hi]]), spec.x.lo, spec.x.hi))
    expected = [-1 if int(v) * Fraction(scale) + Fraction(offset) < 0 else 1 for v in x]
    assert requant(spec, x[:, None], m, b, s).ravel().tolist() == expected


def test_thresholds_of_the_batch_normalisations_that_matter():
    """Scales of either sign and 0; a sum of exactly 0 is +1."""
    spec = RequantSpec(y=parse("binary"), m_width=2)
    m, b, s = fold_sign(spec, [0.5, -0.5, 0, 0, 0, 2, 1e-9], [-1.75, -1.75, 0.25, 0, -0.25, -6, 1e9])
    assert (m.tolist(), (-b).tolist()) == ([1, -1, 0, 0, 0, 1, 1], [4, 4, 0, 0, 1, 3, -(1 << 31)])  # direction, threshold
    y = requant(spec, np.repeat([[2], [3], [4], [-4], [-3]], 7, axis=1), m, b, s)
    assert y[:, 0].tolist() == [-1, -1, 1, -1, -1] and y[:, 1].tolist() == [-1, -1, -1, 1, -1]
    assert y[0, 2:].tolist() == [1, 1, -1, -1, 1] and y[1, 5] == 1


def test_thresholds_need_a_bit_more_than_accumulators():
    spec = RequantSpec(x=parse("int20"), y=parse("binary"), b_width=20)
    with pytest.raises(InputError, match="thresholds of int20 need a b_width of 21 or more, not 20"):
        fold_sign(spec, [1], [1])
    with pytest.raises(InputError, match="scale and offset must be finite"):
        fold_sign(spec, [np.inf], [1])


@given(st.integers(0, 49), st.integers(-40, 40), st.integers(-2, 2), st.integers(2, 16), st.booleans())
@settings(max_examples=500)
def test_ties_and_their_neighbours_go_where_exact_rationals_go(s, whole, off, width, signed_y):
    """Sums of exactly n + 1/2, and one unit to either side of it, in the default spec."""
    spec = RequantSpec(y=Integer(width, signed_y))
    b = (whole << s) + ((1 << s) >> 1) + off
    b = min(max(b, -spec.b_limit - 1), spec.b_limit)
    y = requant(spec, np.array([[0]]), np.array([1]), np.array([b]), np.array([s])).item()
    assert y == exact(spec, 0, 1, b, s)


@pytest.mark.parametrize("widths", [(16, 48), (21, 53), (22, 54), (29, 61)])
def test_the_greatest_sums_of_a_spec(widths):
    """Both sides of the change from floats to integers: sums of 54 and 55 bits among them."""
    spec = RequantSpec(y=parse("int16"), m_width=widths[0], b_width=widths[1])
    rng = np.random.default_rng(spec.sum_width)
    x = rng.choice([spec.x.lo, spec.x.lo + 1, spec.x.hi, -1, 0, 1], (50, 40))
    m = rng.choice([spec.m.lo, spec.m.hi, spec.m.hi - 1], 40)
    b = rng.choice([-spec.b_limit - 1, spec.b_limit, -1, 0, 1], 40)
    s = rng.integers(spec.s_limit - 25, spec.s_limit, 40, endpoint=True)
    parameters = list(zip(m.tolist(), b.tolist(), s.tolist(), strict=True))
    expected = [[exact(spec, v, *p) for v, p in zip(row, parameters, strict=True)] for row in x.tolist()]
    assert requant(spec, x, m, b, s).tolist() == expected


@pytest.mark.parametrize("b_width", range(50, 59))
def test_one_unit_beside_a_tie_decides_at_every_length_of_sum(b_width):
    """The last bit of a sum that only a float64 of more than 53 bits would keep."""
    spec = RequantSpec(y=parse("int16"), b_width=b_width)
    s = b_width - 10
    tie = (300 << s) + (1 << (s - 1))
    x, m, b = np.array([[-1], [0], [1]]), np.array([1]), np.array([tie])
    assert requant(spec, x, m, b, np.array([s])).tolist() == [[300], [300], [301]]
    assert requant(spec, x, m, -b, np.array([s])).tolist() == [[-301], [-300], [-300]]


def test_a_sum_of_55_bits_whose_terms_are_shorter():
    """2**53 + 2**39 + 1: one unit past the tie between 8192 and 8193, where float64 holds only even numbers."""
    spec = RequantSpec(y=parse("int16"), b_width=54)
    b = 2**53 + 2**39 + 1 - 2**40
    assert spec.sum_width == 55 and b <= spec.b_limit
    assert requant(spec, np.array([[2**27]]), *map(np.array, ([2**13], [b], [40]))).item() == 8193


def test_the_greatest_shift_leaves_nothing():
    spec = RequantSpec(y=parse("int8"))
    x = np.array([[spec.x.lo], [spec.x.hi]])
    for m, b in ((spec.m.lo, spec.b_limit), (spec.m.lo, -spec.b_limit - 1), (spec.m.hi, spec.b_limit)):
        assert requant(spec, x, np.array([m]), np.array([b]), np.array([spec.s_limit])).tolist() == [[0], [0]]
    assert spec.s_limit == 49 and spec.s_width == 6


@given(st.integers(-(1 << 61), 1 << 61), st.integers(0, 62))
def test_shift_rounds_to_even(x, s):
    assert int(shift_rne(x, s)) == round(Fraction(x, 1 << s))


@given(specs(), st.floats(-4e4, 4e4), st.floats(-4e6, 4e6))
@settings(max_examples=300)
def test_folding_takes_the_greatest_shift_that_fits(spec, scale, offset):
    def rounded(s):
        m, b = round(Fraction(scale) * (1 << s)), round(Fraction(offset) * (1 << s))
        return (m, b) if spec.m.lo <= m <= spec.m.hi and abs(b) <= spec.b_limit else None

    shifts = [s for s in range(spec.s_limit + 1) if rounded(s) is not None]
    if not shifts:
        with pytest.raises(InputError, match="no shift lets scale and offset fit"):
            fold_affine(spec, scale, offset)
        return
    m, b, s = fold_affine(spec, scale, offset)
    assert (s.tolist(), (m.item(), b.item())) == ([shifts[-1]], rounded(shifts[-1]))
    spec.check_parameters(m, b, s)


def test_folded_batch_normalisation_stays_close_to_the_reals():
    rng = np.random.default_rng(2)
    spec = RequantSpec(y=parse("int16"))
    scale, offset = rng.normal(size=64) * 10.0 ** rng.integers(-4, 1, 64), rng.normal(size=64) * 100
    x = rng.integers(-20000, 20000, (100, 64))
    y = requant(spec, x, *fold_affine(spec, scale, offset))
    error = np.abs(y - np.clip(x * scale + offset, spec.y.lo, spec.y.hi))
    assert error.max() <= 0.5 + 20000 * np.abs(scale).max() * 2.0**-15


@pytest.mark.parametrize(
    ("scale", "offset", "message"),
    [
        (np.nan, 0, "scale and offset must be finite"),
        (1, np.inf, "scale and offset must be finite"),
        (1e300, 0, "no shift lets scale and offset fit 16 and 48 bits"),
        ([1, 40000], [0, 0], "no shift lets"),
        ([1, 1], [0, 1e15], "no shift lets"),
        ([1, 1], [0], "scale and offset must be vectors of one length"),
    ],
)
def test_what_cannot_be_folded_is_refused(scale, offset, message):
    with pytest.raises(InputError, match=message):
        fold_affine(RequantSpec(y=parse("uint8")), scale, offset)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x": parse("uint8")}, "accumulators to requantise must be signed, not uint8"),
        ({"m_width": 1}, "m_width must be 2 to 32, not 1"),
        ({"m_width": 33}, "m_width must be 2 to 32, not 33"),
        ({"b_width": 62}, "b_width must be 2 to 61, not 62"),
        ({"m_width": 30}, "x .* needs 63 bits; allowed: up to 62"),
    ],
)
def test_specs_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        RequantSpec(y=parse("uint8"), **settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m": np.array([1, 1 << 15])}, "m must be -32768 to 32767, not 1 to 32768"),
        ({"m": np.array([1.0, 2.0])}, "m must be an array of integers, not float64"),
        ({"b": np.array([0, 1 << 47])}, "b must be -140737488355328 to 140737488355327"),
        ({"b": np.array([0.5, 0])}, "b must be an array of integers, not float64"),
        ({"s": np.array([-1, 0])}, "s must be 0 to 49, not -1 to 0"),
        ({"s": np.array([0, 50])}, "s must be 0 to 49, not 0 to 50"),
        ({"s": np.array([0])}, r"m, b and s must be vectors of one length, not \[2\], \[2\], \[1\]"),
        ({"x": np.zeros((3, 4), int)}, "x has 4 channels, its parameters have 2"),
        ({"x": np.full((3, 2), 1 << 31)}, "x holds 2147483648, which int32"),
    ],
)
def test_operands_out_of_range_are_refused(change, message):
    operands = {"x": np.zeros((3, 2), int)} | {role: np.array([0, 1]) for role in "mbs"} | change
    with pytest.raises(InputError, match=message):
        requant(RequantSpec(y=parse("uint8")), **operands)


def test_accumulators_of_any_integer_type_round_alike():
    """Sums beyond 53 bits stay integers, whatever the type that a caller brings."""
    spec = RequantSpec(y=parse("int32"), m_width=24)
    parameters = np.array([8388607]), np.array([8388601]), np.array([24])
    for dtype in (np.int64, np.uint64, np.uint32):
        assert requant(spec, np.array([[2147483642]], dtype), *parameters).tolist() == [[1073741693]]


MINIFLOATS = ["mini_e4m3", "mini_e5m2", "mini_e3m4", "e4m3", "e5m2", "e2m1", "fp16", "mini_e5m10"]


@given(st.sampled_from(MINIFLOATS).map(parse), st.integers(2, 44), st.data())
@settings(max_examples=500)
def test_results_that_are_minifloats_are_rounded_once(y, width, data):
    """Of sums up to 62 bits, and of those around every tie."""
    m_width = data.draw(st.integers(2, min(32, 61 - width)))
    spec = RequantSpec(x=Integer(width, signed=True), y=y, m_width=m_width, b_width=data.draw(st.integers(2, 61)))
    x, m, s = data.draw(signed(width)), data.draw(signed(m_width)), data.draw(st.integers(0, spec.s_limit))
    b = data.draw(signed(spec.b_width))
    if data.draw(st.booleans()):
        left, right = sorted(data.draw(st.lists(st.sampled_from(y.values().tolist()), min_size=2, max_size=2)))
        tie = ((left + right) << s >> 1) - x * m + data.draw(st.integers(-1, 1))
        b = min(max(tie, -spec.b_limit - 1), spec.b_limit)
    found = requant(spec, np.array([[x]]), *(np.array([p]) for p in (m, b, s)))
    assert found.dtype == np.int64
    assert found.item() == nearest(y, Fraction(x * m + b, 1 << s) * Fraction(2) ** y.exponent)


def test_one_unit_beside_a_tie_decides_for_minifloats():
    """A sum of 61 bits between two numbers of fp16: float64 alone would call its neighbours ties."""
    y = parse("fp16")
    spec = RequantSpec(y=y, b_width=61)
    s = 40
    tie = (3 << (s + 18)) + (1 << (s + 8))  # 3 * 2**18 units, whose distance is 2**9
    for off, expected in ((-1, 3 << 18), (0, 3 << 18), (1, (3 << 18) + 512)):
        x, parameters = np.array([[off]]), [np.array([p]) for p in (1, tie, s)]
        assert requant(spec, x, *parameters).item() == expected
        assert requant(spec, -x, parameters[0], -parameters[1], parameters[2]).item() == -expected
