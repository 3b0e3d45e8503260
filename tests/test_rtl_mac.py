"""Multipliers against the formats' own numbers: every pair of codes, the reserved ones included."""

from itertools import product as pairs

import numpy as np
import pytest
from amaranth import Cat
from gateware import evaluate

from golden.formats import parse
from rtl.mac import product


def products(a, w, cases):
    """What the hardware makes of pairs of codes, ``addend + carry``, and the bits of its addend."""
    widths = set()

    def unit(m, x, y):
        addend, carry = product(m, a, w, x, y)
        assert addend.shape().signed and len(carry) == 1
        widths.add(len(addend))
        return Cat(carry, addend)

    codes = evaluate(unit, [a.width, w.width], cases)
    [width] = widths
    return [(code >> 1) - (code >> width << width) + (code & 1) for code in codes], width


def check(a, w, cases):
    x, y = (np.array(codes) for codes in zip(*cases, strict=True))
    assert products(a, w, cases)[0] == (a.integers(x) * w.integers(y)).tolist()


@pytest.mark.parametrize("weights", ["ternary", "binary"])
@pytest.mark.parametrize("activations", ["uint8", "int8", "uint1", "int2", "uint3", "int5"])
def test_every_pair_of_codes(activations, weights):
    a, w = parse(activations), parse(weights)
    check(a, w, list(pairs(range(1 << a.width), range(1 << w.width))))


@pytest.mark.parametrize("activations", ["uint8", "int8", "uint1", "uint2", "int2"])
def test_every_pair_of_codes_of_a_full_multiplier(activations):
    a, w = parse(activations), parse("int8")
    check(a, w, list(pairs(range(1 << a.width), range(1 << w.width))))


@pytest.mark.parametrize("weights", ["ternary", "binary", "int8"])
@pytest.mark.parametrize("activations", ["uint16", "int16"])
def test_wide_activations(activations, weights):
    a, w = parse(activations), parse(weights)
    rng = np.random.default_rng(a.width)
    codes = [0, 1, (1 << 15) - 1, 1 << 15, (1 << 16) - 1, *rng.integers(0, 1 << 16, 60).tolist()]
    few = range(1 << w.width) if w.width < 8 else [0, 1, 127, 128, 129, 255, *rng.integers(0, 256, 20).tolist()]
    check(a, w, list(pairs(codes, few)))


@pytest.mark.parametrize("weights", ["ternary", "binary", "int8"])
def test_an_addend_is_no_longer_than_the_sum_of_one_product(weights):
    """So that an accumulator of the least width that a spec allows still takes it."""
    for activations in ("uint1", "uint2", "int2", "uint8", "int8", "int16"):
        a, w = parse(activations), parse(weights)
        corners = [x * y for x in (a.lo, a.hi) for y in (w.lo, w.hi)]
        least = 1 + max(max(corners).bit_length(), (~min(corners)).bit_length())
        assert products(a, w, [(0, 0)])[1] <= least
