"""Multipliers against the formats' own numbers: every pair of codes, the reserved ones included."""

from itertools import product as pairs

import numpy as np
import pytest
from amaranth import Cat, Signal, signed
from gateware import evaluate
from streaming import streamed

from golden.formats import Minifloat, parse
from rtl.mac import addend_width, carries, fixed_point, product


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
@pytest.mark.parametrize("activations", ["uint8", "int8", "uint1", "int1", "int2", "uint3", "int5"])
def test_every_pair_of_codes(activations, weights):
    a, w = parse(activations), parse(weights)
    check(a, w, list(pairs(range(1 << a.width), range(1 << w.width))))


@pytest.mark.parametrize("activations", ["uint8", "int8", "uint1", "uint2", "int1", "int2"])
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
    for activations in ("uint1", "uint2", "int1", "int2", "uint8", "int8", "int16"):
        a, w = parse(activations), parse(weights)
        corners = [x * y for x in (a.lo, a.hi) for y in (w.lo, w.hi)]
        least = 1 + max(max(corners).bit_length(), (~min(corners)).bit_length())
        assert products(a, w, [(0, 0)])[1] <= least


@pytest.mark.parametrize("weights", ["pow2_4", "pow2z_3", "pow2_2", "pow2z_5"])
@pytest.mark.parametrize("activations", ["int8", "uint5", "uint1", "int1", "int2"])
def test_every_pair_of_codes_of_a_shifter(activations, weights):
    a, w = parse(activations), parse(weights)
    check(a, w, list(pairs(range(1 << a.width), range(1 << w.width))))


# every split of 8 bits that has a name, mixed ones, other families beside a minifloat, and minifloats without mantissa
SCALED = [
    *((name, name) for name in ("e4m3", "e5m2", "mini_e5m2", "mini_e4m3", "mini_e3m4", "mini_e2m5", "mini_e1m6")),
    *(("e4m3", "e5m2"), ("e5m2", "mini_e3m4"), ("mini_e5m2", "mini_e4m3"), ("e3m2", "e2m3"), ("e2m1", "mini_e4m3")),
    *((name, name) for name in ("mini_e4m0", "mini_e3m0", "mini_e1m0", "mini_e1m4", "e2m1")),
    *(("mini_e4m3", "mini_e3m0"), ("mini_e4m0", "e5m2"), ("mini_e5m0", "int8")),
    *((name, weights) for name in ("e4m3", "mini_e3m4", "mini_e3m0") for weights in ("ternary", "binary", "pow2_4")),
    *(("int8", "e4m3"), ("uint5", "mini_e3m4"), ("e5m2", "int8"), ("mini_e4m3", "int4"), ("e4m3", "pow2z_3")),
]
LIMB = 32


def finite(fmt, codes):
    """Which codes mean numbers."""
    return codes & (fmt.sign - 1) <= fmt.top if isinstance(fmt, Minifloat) else np.full(len(codes), True)


def test_every_pair_of_codes_of_minifloats():
    formats = [tuple(map(parse, names)) for names in SCALED]
    limbs = [-(-(1 + addend_width(*both)) // LIMB) for both in formats]

    def unit(m, x, y):
        found = []
        for i, (a, w) in enumerate(formats):
            addend, carry = product(m, a, w, x[: a.width], y[: w.width])
            assert addend.shape() == signed(addend_width(a, w)) and len(carry) == 1
            total = Signal(signed(LIMB * limbs[i]), name=f"total_{i}")
            m.d.comb += total.eq(addend + carry)
            found.append(total)
        return Cat(found)

    x, y = (codes.ravel() for codes in np.meshgrid(np.arange(256), np.arange(256)))
    columns = streamed(unit, [8, 8], [LIMB] * sum(limbs), [x, y], copies=1)
    for (a, w), count in zip(formats, limbs, strict=True):
        parts, columns = columns[:count], columns[count:]
        known = finite(a, x & ((1 << a.width) - 1)) & finite(w, y & ((1 << w.width) - 1))
        numbers = sum(part[known].astype(object) << LIMB * i for i, part in enumerate(parts))
        found = np.where(numbers >> (LIMB * count - 1), numbers - (1 << LIMB * count), numbers)
        wanted = a.integers(x[known] & ((1 << a.width) - 1)).astype(object) * w.integers(y[known] & ((1 << w.width) - 1))
        assert known.sum() > 60_000 and np.array_equal(found, wanted), (a.name, w.name)


@pytest.mark.parametrize("names", [("fp16", "fp16"), ("mini_e5m10", "int16"), ("mini_e4m11", "mini_e4m11"), ("int16", "fp16")])
def test_wide_minifloats(names):
    a, w = map(parse, names)
    rng = np.random.default_rng(a.width)

    def some(fmt):
        least = fmt.codes(np.array([0, 1, 2, -1] if fmt.holds(np.array(1)) else [0, fmt.least, -fmt.least]))
        codes = np.concatenate([least, fmt.codes(np.array([fmt.lo, fmt.hi])), rng.integers(0, 1 << fmt.width, 50)])
        return codes[finite(fmt, codes)].tolist()

    x, y = (np.array(codes) for codes in zip(*pairs(some(a), some(w)), strict=True))
    wanted = a.integers(x).astype(object) * w.integers(y)
    assert products(a, w, list(zip(x.tolist(), y.tolist(), strict=True)))[0] == wanted.tolist()


@pytest.mark.parametrize("names", [*SCALED, ("fp16", "fp16"), ("int8", "pow2_4"), ("uint5", "pow2z_3")])
def test_addends_are_as_long_as_the_greatest_product_needs(names):
    a, w = map(parse, names)
    corners = [x * y for x in (a.lo, a.hi) for y in (w.lo, w.hi)]
    least = 1 + max(max(corners).bit_length(), (~min(corners)).bit_length())
    assert addend_width(a, w) <= least if carries(a, w) else addend_width(a, w) == least


@pytest.mark.parametrize("name", ["e4m3", "e5m2", "mini_e3m4", "mini_e4m0", "int8", "uint5", "fp16", "pow2_4", "pow2z_3"])
def test_a_code_in_fixed_point_is_its_integer(name):
    fmt = parse(name)
    codes = np.arange(1 << fmt.width)
    codes = codes[finite(fmt, codes)][:: 1 + (fmt.width > 8) * 96]
    widths = set()

    def unit(m, x):
        found = fixed_point(m, fmt, x, "number")
        widths.add(len(found))
        return found

    found = np.array(evaluate(unit, [fmt.width], [(code,) for code in codes.tolist()]), object)
    [width] = widths
    assert np.array_equal(np.where(found >> (width - 1), found - (1 << width), found), fmt.integers(codes))
    assert width == 1 + max(~fmt.lo, fmt.hi).bit_length()
