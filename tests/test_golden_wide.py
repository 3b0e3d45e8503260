"""Sums beyond 53 bits, against Python's integers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.wide import WIDEST, limbs, split, total

BIG = 1 << 53


def to_odd(x):
    """The integer `x`, rounded to odd at 53 bits, as a rational."""
    drop = max(0, abs(x).bit_length() - 53)
    kept = abs(x) >> drop
    kept |= kept << drop != abs(x)
    return Fraction(kept << drop) * (-1 if x < 0 else 1)


terms = st.lists(
    st.tuples(st.integers(-BIG, BIG) | st.sampled_from([-BIG, -1, 0, 1, BIG]), st.integers(0, 44)),
    min_size=1,
    max_size=16,
)


@given(terms)
@settings(max_examples=500)
def test_a_total_is_rounded_to_odd(pairs):
    exact = sum(x << s for x, s in pairs)
    bound = sum(abs(x) << s for x, s in pairs)
    found = total([(np.array([x]), s) for x, s in pairs], bound).item()
    assert Fraction(found) == (exact if bound < BIG else to_odd(exact))


@given(st.integers(-(1 << 101), 1 << 101), st.integers(54, 100), st.integers(-2, 2), st.booleans())
@settings(max_examples=300)
def test_what_cancels_leaves_what_is_left(x, at, off, negative):
    """Numbers that nearly cancel, and ties of a coarser format with a unit beside them."""
    y = -x + (off if negative else (1 << at) + off)
    pieces = [(v >> s & (BIG - 1) if s < 53 else v >> s, s) for v in (x, y) for s in (0, 53)]
    found = total([(np.array([p]), s) for p, s in pieces], abs(x) + abs(y) + 4 * BIG).item()
    assert Fraction(found) == to_odd(x + y)


def test_a_tie_rounds_as_the_number_does():
    """2**60 + 2**52 is half way between two multiples of 2**53; one more is not, though no float64 says so."""
    for more, expected in ((-1, 2**60), (0, 2**60), (1, 2**60 + 2**53)):
        x = total([(np.array([2**30]), 30), (np.array([2**52]), 0), (np.array([more]), 0)], 1 << 61)
        assert np.rint(x / 2**53).item() * 2**53 == expected


@given(st.integers(1, 62), st.data())
def test_limbs_add_up(width, data):
    top = (1 << width) - 1
    integers = np.array(data.draw(st.lists(st.integers(-top, top), min_size=1)))
    (count, bits), (_, other), greatest = split(1, top, 1)
    parts = limbs(integers, count, bits)
    assert sum(part.astype(object) << shift for part, shift in parts).tolist() == integers.tolist()
    assert all(np.abs(part).max() <= 1 << bits for part, _ in parts)
    assert greatest == 1 << (bits + other) < BIG


@pytest.mark.parametrize(
    ("k", "bits", "count"), [(1, (20, 20), 2), (1 << 12, (40, 40), 2), (1 << 13, (40, 40), 3), (1 << 17, (42, 42), 3)]
)
def test_three_limbs_where_two_would_not_be_exact(k, bits, count):
    (first, of_a), (second, of_w), greatest = split(k, *((1 << b) - 1 for b in bits))
    assert first == second == count
    assert greatest == k << (of_a + of_w) < BIG


def test_too_many_products_are_refused():
    with pytest.raises(InputError, match="sums of 33554432 products are too long for golden; allowed: K up to 8388607"):
        split(1 << 25, (1 << 43) - 1, (1 << 43) - 1)


def test_sixteen_of_the_longest_terms():
    """The rests of as many additions as are allowed stay exact."""
    rng = np.random.default_rng(3)
    values = rng.integers(BIG // 2, BIG, (16, 200)) * rng.choice([-1, 1], (16, 200))
    shifts = [45, 0, 43, 44, 17, 45, 44, 1, 30, 45, 45, 42, 2, 45, 33, 45]
    bound = sum(BIG << s for s in shifts)
    assert bound < WIDEST
    found = total(list(zip(values, shifts, strict=True)), bound)
    assert [Fraction(v) for v in found.tolist()] == [
        to_odd(sum(v << s for v, s in zip(column, shifts, strict=True))) for column in values.T.tolist()
    ]
