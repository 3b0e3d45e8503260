"""The residual addition against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest
from exact import nearest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.elementwise import AddSpec, add
from golden.errors import InputError
from golden.formats import Integer, parse


def limits(lo, hi):
    return st.integers(lo, hi) | st.sampled_from([lo, hi])


@st.composite
def cases(draw):
    narrow = st.builds(Integer, st.integers(2, 16), st.booleans())
    a, b = (draw(narrow | st.just(Integer(24, signed=True))) for _ in range(2))
    y = draw(narrow)
    spec = AddSpec(a=a, b=b, y=y, m_width=draw(st.integers(2, 32)), d_width=draw(st.integers(2, 61)))
    m = limits(-(1 << (spec.m_width - 1)), (1 << (spec.m_width - 1)) - 1)
    d = limits(-(1 << (spec.d_width - 1)), (1 << (spec.d_width - 1)) - 1)
    rows = st.tuples(limits(a.lo, a.hi), limits(b.lo, b.hi), m, m, d, st.integers(0, spec.s_limit))
    return spec, draw(st.lists(rows, min_size=1, max_size=8))


def exact(spec, a, b, m_a, m_b, d, s):
    return min(max(round(Fraction(a * m_a + b * m_b + d, 1 << s)), spec.y.lo), spec.y.hi)


@given(cases())
@settings(max_examples=500)
def test_add_equals_exact_rationals(case):
    spec, rows = case
    a, b, *parameters = (np.array(column) for column in zip(*rows, strict=True))
    expected = [exact(spec, *row) for row in rows]
    assert add(spec, a[None], b[None], *parameters).tolist() == [expected]
    narrow = add(spec, a.astype(spec.a.dtype)[:, None], b.astype(spec.b.dtype)[:, None], *parameters, axis=0)
    assert narrow[:, 0].tolist() == expected and narrow.dtype == np.int64


@given(cases())
def test_the_greatest_shift_leaves_nothing(case):
    spec, rows = case
    a, b, m_a, m_b, d, _ = (np.array(column) for column in zip(*rows, strict=True))
    y = add(spec, a[None], b[None], m_a, m_b, d, np.full(len(rows), spec.s_limit))
    assert not y.any()


def test_operands_of_two_units_are_rounded_once():
    """3/4 + 3/8 in units of 1/2: 2.25 units, though 1.5 and 0.75 rounded apart would make 3."""
    spec = AddSpec(a=parse("uint4e-2"), b=parse("uint4e-3"), y=parse("uint4e-1"))
    y = add(spec, *(np.array([[3]]),) * 2, np.array([2]), np.array([1]), np.array([0]), np.array([2]))
    assert y.item() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m_a": np.array([0, 1 << 15])}, "m_a must be -32768 to 32767, not 0 to 32768"),
        ({"m_b": np.array([-40000, 0])}, "m_b must be -32768 to 32767"),
        ({"d": np.array([0, 1 << 47])}, "d must be"),
        ({"d": np.array([0.5, 0])}, "d must be an array of integers, not float64"),
        ({"s": np.array([0, 50])}, "s must be 0 to 49, not 0 to 50"),
        ({"s": np.array([1])}, r"m_a, m_b, d and s must be vectors of one length, not \[2\], \[2\], \[2\], \[1\]"),
        ({"a": np.zeros((3, 3), int)}, r"must have one shape, not \[3, 3\] and \[3, 2\]"),
        ({"a": np.zeros((3, 1), int), "b": np.zeros((3, 1), int)}, "operands have 1 channels, their parameters have 2"),
        ({"a": np.full((3, 2), 256)}, "a holds 256, which uint8"),
        ({"b": np.full((3, 2), 128)}, "b holds 128, which int8"),
    ],
)
def test_operands_out_of_range_are_refused(change, message):
    operands = {role: np.zeros((3, 2), int) for role in "ab"}
    operands |= {role: np.array([0, 1]) for role in ("m_a", "m_b", "d", "s")} | change
    with pytest.raises(InputError, match=message):
        add(AddSpec(a=parse("uint8"), b=parse("int8"), y=parse("uint8")), **operands)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"m_width": 1}, "m_width must be 2 to 32, not 1"),
        ({"d_width": 62}, "d_width must be 2 to 61, not 62"),
        ({"a": parse("int32"), "m_width": 30}, r"a \* m_a .* needs 64 bits; allowed: up to 62"),
        ({"a": parse("fp16"), "m_width": 20}, r"a \* m_a .* needs 63 bits; allowed: up to 62"),
    ],
)
def test_specs_out_of_range_are_refused(settings, message):
    formats = {role: parse("uint8") for role in "aby"}
    with pytest.raises(InputError, match=message):
        AddSpec(**formats | settings)


@pytest.mark.parametrize("names", [("mini_e4m3",) * 3, ("fp16", "fp16", "e5m2"), ("int8", "e4m3", "fp16")])
def test_minifloats_are_added_and_rounded_once(names):
    a, b, y = map(parse, names)
    spec = AddSpec(a=a, b=b, y=y, m_width=17, d_width=61)
    rng = np.random.default_rng(12)
    count = 400
    x, z = rng.choice(a.values(), count), rng.choice(b.values(), count)
    z[::4] = b.nearest(-x[::4] * 2.0**b.exponent)  # what nearly cancels
    m_a, m_b = rng.choice([1, -1, 1 << 15, 3, -(1 << 16)], (2, count))
    d, s = rng.integers(-3, 4, count) << rng.integers(0, 50, count), rng.integers(0, 30, count)
    rows = zip(*(v.tolist() for v in (x, z, m_a, m_b, d, s)), strict=True)
    sums = [Fraction(p * q + r * t + u, 1 << v) for p, r, q, t, u, v in rows]
    found = add(spec, x[None], z[None], m_a, m_b, d, s)[0]
    assert found.tolist() == [nearest(y, v * Fraction(2) ** y.exponent) for v in sums]
    assert len(set(found.tolist())) > 50
