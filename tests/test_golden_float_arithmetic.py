"""Arithmetic in floating point: small formats whole against exact rationals, FP16 and FP32 against NumPy and rationals."""

from fractions import Fraction

import numpy as np
import pytest
from float_oracle import Oracle

from golden.float_arithmetic import EQUAL, GREATER, LESS, add, compare, fma, multiply, rounded, subtract
from golden.formats import parse
from rtl.float_stimulus import boundary_tuples, random_codes

EIGHT = ["ieee_e5m2", "ieee_e4m3", "finite_e4m3", "ieee_e4m3_ftz", "finite_e5m2_ftz", "ieee_e2m5"]
FIVE = [f"{rules}_{fields}{ftz}" for rules in ("ieee", "finite") for fields in ("e2m2", "e3m1") for ftz in ("", "_ftz")]
NATIVE = {"fp16": (np.float16, np.uint16), "fp32": (np.float32, np.uint32)}


def every(fmt, columns):
    """All tuples of codes, a column each."""
    codes = np.arange(1 << fmt.width)
    return [axis.ravel() for axis in np.meshgrid(*[codes] * columns, indexing="ij")]


def computed(operation, fmt, codes):
    """The codes that `operation` gives of codes."""
    return fmt.encode(operation(fmt, *map(fmt.decode, codes)))


@pytest.mark.parametrize("name", EIGHT)
def test_every_pair_of_eight_bits(name):
    fmt, oracle = parse(name), Oracle.of(parse(name))
    x, y = every(fmt, 2)
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    assert computed(add, fmt, (x, y)).tolist() == [oracle.add(*pair) for pair in pairs]
    assert computed(multiply, fmt, (x, y)).tolist() == [oracle.multiply(*pair) for pair in pairs]
    assert compare(fmt, fmt.decode(x), fmt.decode(y)).tolist() == [oracle.compare(*pair) for pair in pairs]
    finite = (x & (fmt.sign - 1) <= fmt.top) & (y & (fmt.sign - 1) <= fmt.top)
    less, sums = computed(subtract, fmt, (x, y)), computed(add, fmt, (x, y ^ fmt.sign))
    np.testing.assert_array_equal(less[finite], sums[finite])


@pytest.mark.parametrize("name", FIVE)
def test_every_triple_of_five_bits(name):
    fmt, oracle = parse(name), Oracle.of(parse(name))
    columns = every(fmt, 3)
    triples = zip(*(column.tolist() for column in columns), strict=True)
    assert computed(fma, fmt, columns).tolist() == [oracle.fma(*triple) for triple in triples]


def test_minifloats_after_ristretto_have_no_negative_zero():
    fmt = parse("mini_e4m3")
    assert np.signbit(multiply(fmt, np.array([-1.0, -0.01, 2.0]), np.array([0.0, 0.02, -3.0]))).tolist() == [False, False, True]
    assert add(fmt, np.array([400.0]), np.array([400.0])).tolist() == [480]


def same(found, expected):
    """Equal in value and sign, NaN as NaN."""
    np.testing.assert_array_equal(found, expected)
    kept = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found)[kept], np.signbit(expected)[kept])


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("kind", ["random", "directed"])
def test_sums_products_and_comparisons_are_numpys(name, kind):
    """A million random pairs, and all pairs of boundary cases."""
    fmt, (dtype, unsigned) = parse(name), NATIVE[name]
    x, y = random_codes(fmt, np.random.default_rng(0), 1_000_000, 2) if kind == "random" else boundary_tuples(fmt)
    p, q = (codes.astype(unsigned).view(dtype) for codes in (x, y))
    x, y = fmt.decode(x), fmt.decode(y)
    with np.errstate(all="ignore"):  # a signalling NaN is invalid
        same(add(fmt, x, y), (p + q).astype(np.float64))
        same(subtract(fmt, x, y), (p - q).astype(np.float64))
        same(multiply(fmt, x, y), (p * q).astype(np.float64))
        expected = LESS * (p < q) + EQUAL * (p == q) + GREATER * (p > q)
    np.testing.assert_array_equal(compare(fmt, x, y), expected)


def fused_exactly(fmt, x, y, z):
    """Codes of ``x * y + z`` of finite codes, from integers of any length."""
    unit, bits = -fmt.exponent, fmt.mantissa_bits
    found = []
    for codes in zip(x.tolist(), y.tolist(), z.tolist(), strict=True):
        numbers = []
        for code in codes:
            field, m = code >> bits & ((1 << fmt.exponent_bits) - 1), code & ((1 << bits) - 1)
            subnormal = 0 if fmt.flush else m
            magnitude = subnormal if field == 0 else (m | 1 << bits) << (field - 1)  # in units of 2**-unit
            numbers.append(-magnitude if code & fmt.sign else magnitude)
        total = numbers[0] * numbers[1] + (numbers[2] << unit)  # in units of 2**-2unit
        product_sign = (codes[0] ^ codes[1]) & fmt.sign
        if total == 0:
            both = product_sign & codes[2] & fmt.sign if numbers[2] == 0 and 0 in numbers[:2] else 0
            found.append(both)
            continue
        magnitude = abs(total)
        step = max(magnitude.bit_length() - 1 - bits, unit)
        mantissa = round(Fraction(magnitude, 1 << step))
        code = (step - unit << bits) + mantissa if step > unit else mantissa
        if fmt.flush and magnitude < 1 << unit + bits:  # less than the least normal number
            code = 0
        found.append(min(code, fmt.top + 1) | (fmt.sign if total < 0 else 0))
    return found


@pytest.mark.parametrize("name", [*NATIVE, "fp16_ftz", "fp32_ftz"])
@pytest.mark.parametrize("count", [60_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_fused_results_are_exact_rationals_rounded_once(name, count):
    fmt = parse(name)
    random = random_codes(fmt, np.random.default_rng(1), count, 3)
    directed = [column[:: 1 if count > 60_000 else 11] for column in boundary_tuples(fmt, 3)]
    columns = [np.concatenate(pair) for pair in zip(random, directed, strict=True)]
    finite = np.all([(codes & (fmt.sign - 1)) <= fmt.top for codes in columns], axis=0)
    assert count * 0.8 < np.count_nonzero(finite) < 0.99 * len(finite)
    found = computed(fma, fmt, columns)
    assert found[finite].tolist() == fused_exactly(fmt, *(codes[finite] for codes in columns))
    x, y, z = (fmt.decode(codes[~finite]) for codes in columns)
    with np.errstate(invalid="ignore"):
        others = x * y + z  # nothing is rounded: infinities and NaN alone, products of numbers are far from overflow
    assert not np.isfinite(others).any()
    np.testing.assert_array_equal(found[~finite], fmt.encode(others))


@pytest.mark.parametrize("name", ["fp32", "fp16_ftz"])
def test_what_is_not_finite_in_a_fused_result(name):
    fmt, inf, nan = parse(name), np.inf, np.nan
    table = [
        *((inf, 0.0, 1.0, nan), (0.0, -inf, 1.0, nan), (inf, 1.0, -inf, nan), (-inf, -2.0, inf, inf), (nan, 0.0, 0.0, nan)),
        *((1.0, 1.0, nan, nan), (2.0, -3.0, inf, inf), (-inf, 2.0, 5.0, -inf), (inf, 0.0, nan, nan), (2.0, 2.0, -inf, -inf)),
    ]
    x, y, z, expected = np.array(table).T
    np.testing.assert_array_equal(fma(fmt, x, y, z), expected)


def test_signs_of_zero():
    fmt = parse("fp32")
    zeros = np.array([0.0, 0.0, -0.0, -0.0]), np.array([0.0, -0.0, 0.0, -0.0])
    assert np.signbit(add(fmt, *zeros)).tolist() == [False, False, False, True]
    assert np.signbit(multiply(fmt, *zeros)).tolist() == [False, True, True, False]
    assert not np.signbit(add(fmt, np.array([-1.5]), np.array([1.5])))[0]
    assert np.signbit(multiply(fmt, np.array([-1e-30]), np.array([1e-30])))[0]  # rounded to it
    assert np.signbit(fma(fmt, np.array([-1.0]), np.array([0.0]), np.array([-0.0])))[0]


def test_flushing_is_of_what_is_not_yet_rounded():
    fmt = parse("fp32_ftz")
    least, below = 2.0**-126, np.array([2.0**-126 * (1 - 2.0**-30)])
    assert rounded(parse("fp32"), below)[0] == least and rounded(fmt, below)[0] == 0
    assert rounded(fmt, np.array([least]))[0] == least and np.signbit(rounded(fmt, -below))[0]
    x = np.array([least * (1 + 2.0**-23)])
    assert multiply(fmt, x, np.array([1 - 2.0**-24])).tolist() == [least] and subtract(fmt, x, np.array([least])).tolist() == [0]
