"""Rounding units against exact rationals: every code of small widths, ties and boundaries of large ones."""

import math
from fractions import Fraction

import numpy as np
import pytest
from exact import nearest, unit
from gateware import evaluate

from golden.formats import Float, parse
from rtl.rounding import narrowed, saturated, to_integer, to_minifloat, to_power

FP32 = Float(8, 23, "ieee")
INTEGERS = ["int4", "uint4", "int2", "uint1", "int8", "uint7", "int12"]
MINIFLOATS = [
    *("mini_e4m3", "mini_e5m2", "mini_e3m4", "mini_e4m0", "mini_e3m0", "mini_e1m0", "mini_e1m4", "mini_e2m1"),
    *("e4m3", "e5m2", "e3m2", "e2m3", "e2m1"),
]


def whole(fmt, number):
    """The integer nearest to a rational, ties to even (as Python rounds), saturated."""
    return min(max(round(number), fmt.lo), fmt.hi)


def code(fmt, integer, relu):
    """The code of an integer, of which a ReLU keeps no sign."""
    found = int(fmt.codes(np.array(max(integer, 0) if relu else integer)))
    return found & ((1 << (fmt.width - (fmt.signed and relu))) - 1)


def length(fmt, relu):
    """Bits of the code."""
    return fmt.width - (fmt.signed and relu)


def around(numbers):
    """`numbers`, one more and one less, without repeats."""
    return sorted({n + d for n in numbers for d in (-1, 0, 1)})


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", INTEGERS)
def test_every_number_to_an_integer(name, relu):
    fmt = parse(name)
    for bits, shift in ((9, 0), (9, 1), (9, 4), (9, 8), (9, 9), (9, 11), (3, 2), (1, 1)):

        def rounding(m, x, shift=shift):
            found = to_integer(m, x.as_signed(), shift, fmt, relu)
            assert len(found) == length(fmt, relu)
            return found

        numbers = range(-(1 << bits >> 1), 1 << bits >> 1)
        wanted = [code(fmt, whole(fmt, Fraction(x, 1 << shift)), relu) for x in numbers]
        assert evaluate(rounding, [bits], [(x,) for x in numbers]) == wanted, (bits, shift)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", ["int4", "uint4", "int2", "int8"])
def test_every_number_and_shift_to_an_integer(name, relu):
    fmt = parse(name)
    cases = [(x, shift) for x in range(-128, 128) for shift in range(16)]
    wanted = [code(fmt, whole(fmt, Fraction(x, 1 << shift)), relu) for x, shift in cases]
    assert evaluate(lambda m, x, s: to_integer(m, x.as_signed(), s, fmt, relu), [8, 4], cases) == wanted


@pytest.mark.parametrize("name", ["int8", "uint16", "int32", "uint1"])
@pytest.mark.parametrize("relu", [False, True])
def test_ties_and_boundaries_of_long_sums(name, relu):
    fmt, bits = parse(name), 45
    rng = np.random.default_rng(fmt.width)
    near = [*range(-3, 4), *range(fmt.lo - 2, fmt.lo + 3), *range(fmt.hi - 2, fmt.hi + 3), *rng.integers(fmt.lo, fmt.hi, 30)]
    every = []
    for shift in (0, 1, 7, 12, 40, 44, 50, 63):
        sums = around(int(n * (1 << shift)) + half for n in map(int, near) for half in (0, 1 << shift >> 1))
        sums += [int(x) >> int(s) for x, s in zip(rng.integers(-(1 << 44), 1 << 44, 50), rng.integers(0, 44, 50), strict=True)]
        sums = [x for x in sums + [-(1 << 44), (1 << 44) - 1] if -(1 << 44) <= x < 1 << 44]
        every += [(x, shift) for x in sums]
        if shift in (1, 12, 44, 50):
            wanted = [code(fmt, whole(fmt, Fraction(x, 1 << shift)), relu) for x in sums]

            def constant(m, x, shift=shift):
                return to_integer(m, x.as_signed(), shift, fmt, relu)

            assert evaluate(constant, [bits], [(x,) for x in sums]) == wanted, shift
    wanted = [code(fmt, whole(fmt, Fraction(x, 1 << shift)), relu) for x, shift in every]
    found = evaluate(lambda m, x, s: to_integer(m, x.as_signed(), s, fmt, relu), [bits, 6], every)
    assert found == wanted


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("bits", [1, 2, 4, 10])
def test_every_number_saturated(name, bits):
    fmt, numbers = parse(name), range(-(1 << bits >> 1), 1 << bits >> 1)
    for relu in (False, True):
        found = evaluate(lambda m, x, relu=relu: saturated(x.as_signed(), fmt, relu), [bits], [(x,) for x in numbers])
        assert found == [code(fmt, whole(fmt, Fraction(x)), relu) for x in numbers]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", MINIFLOATS)
def test_every_number_to_a_minifloat(name, relu):
    fmt = parse(name)
    for bits, shift in ((9, -3), (9, 0), (9, 1), (11, 4), (9, 12), (2, 1), (1, 0)):

        def rounding(m, x, shift=shift):
            found = to_minifloat(m, x.as_signed(), shift, fmt, relu)
            assert len(found) == length(fmt, relu)
            return found

        numbers = range(-(1 << bits >> 1), 1 << bits >> 1)
        worth = Fraction(2) ** -shift * unit(fmt)
        wanted = [code(fmt, nearest(fmt, x * worth), relu) for x in numbers]
        assert evaluate(rounding, [bits], [(x,) for x in numbers]) == wanted, (bits, shift)


def boundaries(fmt, rng, count):
    """Numbers of `fmt`, as rationals, where rounding changes: at, between and beyond some, the least and the greatest."""
    values = fmt.values() if fmt.width <= 16 else fmt.integers(rng.integers(0, fmt.top, 4 * count, endpoint=True))
    values = np.unique(np.abs(values))
    few = np.unique(np.concatenate([np.arange(min(9, len(values) - 1)), rng.integers(0, len(values) - 1, count), [len(values) - 2]]))
    found = {Fraction(0), 2 * int(values[-1]) * unit(fmt), Fraction(3 * int(values[-1]), 2) * unit(fmt)}
    for i in few:
        low, high = int(values[i]), int(values[i + 1])
        found |= {Fraction(n) * unit(fmt) for n in (low, high, Fraction(low + high, 2))}
    last = int(values[-1]) + Fraction(int(values[-1]) - int(values[-2]), 2)  # where the next number would round to
    return sorted(found | {last * unit(fmt), Fraction(2) ** -fmt.bias, Fraction(2) ** -fmt.bias / 2})


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", ["mini_e4m3", "mini_e5m2", "e4m3", "e5m2", "fp16", "mini_e5m10", "mini_e4m11", "mini_e5m0"])
def test_ties_and_boundaries_of_minifloats(name, relu):
    fmt = parse(name)
    rng = np.random.default_rng(fmt.width)
    for below in (3, 9, 30):  # bits of the sum below the unit of the format
        worth = unit(fmt) / (1 << below)
        magnitudes = [int(x / worth) for x in boundaries(fmt, rng, 25)]
        magnitudes = around(magnitudes + rng.integers(0, 1 << (below + 2), 20).tolist())
        cases = [(x,) for magnitude in magnitudes for x in (magnitude, -magnitude)]
        bits = 1 + max(max(magnitudes).bit_length(), below + 1)
        wanted = [code(fmt, nearest(fmt, x * worth), relu) for (x,) in cases]
        found = evaluate(lambda m, x, below=below: to_minifloat(m, x.as_signed(), below, fmt, relu), [bits], cases)
        assert found == wanted, below


def rational(wide, x):
    """The number of the code of a normal number or of 0."""
    mantissa, field = x & ((1 << wide.mantissa_bits) - 1), x >> wide.mantissa_bits & ((1 << wide.exponent_bits) - 1)
    assert field or not mantissa
    magnitude = Fraction(bool(field)) * (Fraction(mantissa, 1 << wide.mantissa_bits) + 1) * Fraction(2) ** (field - wide.bias)
    return -magnitude if x >> (wide.width - 1) else magnitude


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", MINIFLOATS)
def test_every_number_of_a_small_float_narrowed(name, relu):
    fmt = parse(name)
    wide = Float(6, fmt.mantissa_bits + 2)
    normal = range(1 << wide.mantissa_bits, 1 << (wide.width - 1))
    codes = [x | sign << (wide.width - 1) for sign in (0, 1) for x in (0, *normal)]

    def rounding(m, x):
        found = narrowed(m, x, wide, fmt, relu)
        assert len(found) == length(fmt, relu)
        return found

    wanted = [code(fmt, nearest(fmt, rational(wide, x)), relu) for x in codes]
    assert evaluate(rounding, [wide.width], [(x,) for x in codes]) == wanted


@pytest.mark.parametrize("name", ["mini_e4m3", "e5m2", "e2m1", "mini_e4m0", "fp16", "mini_e5m10", "mini_e5m8"])
def test_ties_and_boundaries_of_fp32_narrowed(name):
    fmt = parse(name)
    rng = np.random.default_rng(fmt.width)
    numbers = np.array([float(x) for x in boundaries(fmt, rng, 100)], np.float32)
    numbers = np.concatenate([numbers, np.nextafter(numbers, np.float32(np.inf)), np.nextafter(numbers, np.float32(0))])
    scale = np.exp2(rng.uniform(-30, 20, 300)).astype(np.float32)
    numbers = np.concatenate([numbers, scale, [2.0**-126, 2.0**-100, 2.0**127]]).astype(np.float32)
    numbers = numbers[(numbers == 0) | (numbers >= np.finfo(np.float32).tiny)]
    codes = np.concatenate([numbers, -numbers]).view(np.uint32).tolist()
    for relu in (False, True):
        wanted = [code(fmt, nearest(fmt, rational(FP32, x)), relu) for x in codes]
        found = evaluate(lambda m, x, relu=relu: narrowed(m, x, FP32, fmt, relu), [32], [(x,) for x in codes])
        assert found == wanted, relu


POWERS = ["upow2z_4", "upow2z_1e3", "upow2z_3", "pow2_4", "pow2z_3", "pow2_2e-9", "pow2z_5"]


@pytest.mark.parametrize("name", POWERS)
def test_every_number_and_shift_to_a_power_of_two(name):
    fmt = parse(name)
    for bits, shifts in ((9, 4), (6, 3), (2, 1)):
        cases = [(x, shift) for x in range(1 - (1 << bits >> 1), 1 << bits >> 1) for shift in range(1 << shifts)]
        wanted = [code(fmt, nearest(fmt, Fraction(x, 1 << s) * unit(fmt)), False) for x, s in cases]
        assert evaluate(lambda m, x, s: to_power(m, x.as_signed(), s, fmt), [bits, shifts], cases) == wanted, bits


@pytest.mark.parametrize("name", POWERS)
def test_both_sides_of_every_root_of_long_sums(name):
    fmt, bits, rng = parse(name), 54, np.random.default_rng(1)
    roots = [math.isqrt(2 << 2 * n) for n in range(bits - 2)]
    numbers = around([*roots, *(1 << n for n in range(bits - 1)), *rng.integers(0, 1 << 53, 50).tolist(), 0])
    numbers = [x for x in numbers if abs(x) < 1 << 53]
    cases = [(sign * x, int(shift)) for x in numbers for sign, shift in zip((1, -1), rng.integers(0, 55, 2), strict=True)]
    cases += [(x, max(0, abs(x).bit_length() - int(near))) for x, near in zip(numbers, rng.integers(-2, 19, len(numbers)), strict=True)]
    wanted = [code(fmt, nearest(fmt, Fraction(x, 1 << s) * unit(fmt)), False) for x, s in cases]
    assert evaluate(lambda m, x, s: to_power(m, x.as_signed(), s, fmt), [bits, 6], cases) == wanted
