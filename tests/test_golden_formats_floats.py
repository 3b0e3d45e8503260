"""Floats against exact rationals, NumPy and ml_dtypes: every code up to 16 bits, every tie, every boundary."""

import bisect
import math
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import Float, Minifloat, code_dtype, parse

MINI = [f"mini_e{e}m{m}" for e in range(1, 8) for m in range(0, 8 - e)]  # at most 8 bits
OCP = {
    "e5m2": ("ieee", ml_dtypes.float8_e5m2),
    "e4m3": ("fn", ml_dtypes.float8_e4m3fn),
    "e3m2": ("finite", ml_dtypes.float6_e3m2fn),
    "e2m3": ("finite", ml_dtypes.float6_e2m3fn),
    "e2m1": ("finite", ml_dtypes.float4_e2m1fn),
}
ANY = [f"{rules}_e{e}m{m}" for rules in ("ieee", "finite") for e in (2, 3, 4) for m in (1, 6 - e)] + ["ieee_e5m2"]
ANY += ["finite_e1m1", "finite_e1m4"]
ANY.remove("finite_e2m1")  # OCP's
NARROW = [*MINI, *OCP, *ANY]
WIDE = ["fp16", "bf16", "fp32", "ieee_e6m5", "ieee_e8m22", "finite_e8m23", "finite_e5m10", "mini_e5m10", "mini_e1m23", "mini_e5m23", "mini_e8m0", "mini_e6m9", "mini_e8m23"]
RULES = {name: rules for name, (rules, _) in OCP.items()} | dict.fromkeys(["fp16", "bf16", "fp32"], "ieee")
RULES |= {name: name.partition("_")[0] for name in [*NARROW, *WIDE] if "_" in name}


def number(fmt, code):
    """The number of a code, a Fraction or a float that is none, from the definition."""
    rules, bits, bias = RULES.get(fmt.name, "mini"), fmt.exponent_bits, 2 ** (fmt.exponent_bits - 1) - 1
    m, e, s = code % 2**fmt.mantissa_bits, code >> fmt.mantissa_bits & (2**bits - 1), code >> (fmt.width - 1)
    fraction = Fraction(m, 2**fmt.mantissa_bits)
    if rules == "ieee" and e == 2**bits - 1:
        return math.nan if m else (-math.inf if s else math.inf)
    if rules == "fn" and e == 2**bits - 1 and m == 2**fmt.mantissa_bits - 1:
        return math.nan
    if e == 0 and (rules != "mini" or m == 0):
        magnitude = 0 if rules == "mini" else fraction * Fraction(2) ** (1 - bias)
    else:
        magnitude = (1 + fraction) * Fraction(2) ** (e - bias)
    return -magnitude if s else magnitude


def greatest(fmt):
    """The greatest number, by formula."""
    rules, bits, m = RULES.get(fmt.name, "mini"), fmt.exponent_bits, fmt.mantissa_bits
    bias = 2 ** (bits - 1) - 1
    top = bias if rules == "ieee" else 2**bits - 1 - bias
    return (2 - Fraction(1, 2**m) * (2 if rules == "fn" else 1)) * Fraction(2) ** top


def floor_log2(x):
    """``floor(log2 x)`` of a positive Fraction."""
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess - (Fraction(2) ** guess > x)


def rounded(fmt, x):
    """What the float x, no NaN, is rounded to: a Fraction, or infinity; worked out with exact rationals."""
    rules, bias = RULES.get(fmt.name, "mini"), 2 ** (fmt.exponent_bits - 1) - 1
    end = greatest(fmt)
    if math.isinf(x):
        magnitude = math.inf
    else:
        exact, least = abs(Fraction(x)), Fraction(2) ** -bias
        if exact == 0 or (rules == "mini" and exact < least):
            return Fraction(0)
        ulp = Fraction(2) ** (max(floor_log2(exact), 1 - bias if rules != "mini" else -bias) - fmt.mantissa_bits)
        magnitude = round(exact / ulp) * ulp  # Python's round is to even
        if rules == "mini" and magnitude == least:
            magnitude = least * (1 + Fraction(1, 2**fmt.mantissa_bits))
    if magnitude > end:
        magnitude = math.inf if fmt.name in ("fp16", "bf16", "fp32") or fmt.name.startswith("ieee") else end
    return -magnitude if x < 0 else magnitude


def exact(x):
    """A float as a Fraction where it is finite."""
    return Fraction(x) if math.isfinite(x) else x


def around(x):
    """The floats `x`, both of their neighbours, and the same with the other sign."""
    x = np.concatenate([x, np.nextafter(x, np.inf), np.nextafter(x, -np.inf)])
    return np.concatenate([x, -x])


def finite_codes(fmt):
    """All codes without sign of finite numbers."""
    return np.arange(fmt.top + 1, dtype=code_dtype(fmt.width))


def boundaries(fmt, numbers):
    """All `numbers` and ties, the ends, the threshold of flushing and what lies far beyond, and their neighbours."""
    ties = (numbers[1:] + numbers[:-1]) / 2
    last = numbers[-1] + (numbers[-1] - numbers[-2]) / 2
    flush = 2.0 ** -(2 ** (fmt.exponent_bits - 1) - 1)
    return around(np.concatenate([numbers, ties, [last, 2 * last, 1e300, flush, flush / 2, 5e-324]]))


@pytest.mark.parametrize("name", NARROW)
def test_every_code_decodes_to_its_number_and_back(name):
    fmt = parse(name)
    codes = np.arange(1 << fmt.width, dtype=np.uint8)
    expected = [number(fmt, c) for c in codes.tolist()]
    found = fmt.decode(codes)
    assert found.dtype == np.float64
    assert all(
        exact(x) == y or (math.isnan(x) and math.isnan(y)) for x, y in zip(found.tolist(), expected, strict=True)
    )
    back = fmt.encode(np.where(np.isnan(found), 0.0, found))
    assert back.dtype == np.uint8
    kept = np.isfinite(found)
    if fmt.rules == "mini":
        kept &= codes != 1 << (fmt.width - 1)  # zero has one code that is written
        assert back[1 << (fmt.width - 1)] == 0 and not np.signbit(found[1 << (fmt.width - 1)])
    np.testing.assert_array_equal(back[kept], codes[kept])


@pytest.mark.parametrize("name", NARROW)
def test_the_numbers_are_those_of_the_formulas(name):
    fmt = parse(name)
    numbers = sorted({abs(number(fmt, c)) for c in finite_codes(fmt).tolist()})
    assert numbers[-1] == greatest(fmt) and len(numbers) == fmt.top + 1
    unit = Fraction(2) ** fmt.exponent
    assert (fmt.lo * unit, fmt.hi * unit) == (-greatest(fmt), greatest(fmt))
    assert all((x / unit).denominator == 1 for x in numbers)


def nearest_code(fmt, table, magnitude):
    """The code whose number in the ascending `table`, by code, is nearest to a magnitude below the greatest number."""
    if fmt.rules == "mini":
        if magnitude < Fraction(2) ** -fmt.bias:
            return 0
        magnitude = max(magnitude, table[1])
    above = bisect.bisect_left(table, magnitude)
    below = above - (table[above] > magnitude)
    down, up = magnitude - table[below], table[above] - magnitude
    if down == up > 0:
        return above if fmt.mantissa_bits == 0 else below + below % 2
    return below if down < up else above


@pytest.mark.parametrize("name", NARROW)
def test_encoding_takes_the_nearest_code_at_every_boundary(name):
    fmt = parse(name)
    table = [number(fmt, c) for c in finite_codes(fmt).tolist()]
    points = boundaries(fmt, np.array([float(x) for x in table]))
    best = [nearest_code(fmt, table, min(abs(Fraction(x)), table[-1])) for x in points.tolist()]
    if fmt.name.startswith("ieee"):
        infinite = table[-1] + (table[-1] - table[-2]) / 2
        best = [fmt.top + 1 if abs(x) >= infinite else code for x, code in zip(points.tolist(), best, strict=True)]
    negative = np.signbit(points) & ((fmt.rules != "mini") | (np.array(best) > 0))
    np.testing.assert_array_equal(fmt.encode(points), np.array(best) + np.where(negative, fmt.sign, 0))
    if isinstance(fmt, Minifloat):
        numbers = [math.copysign(1, x) * table[min(code, fmt.top)] for x, code in zip(points.tolist(), best, strict=True)]
        assert [int(i) * Fraction(2) ** fmt.exponent for i in fmt.nearest(points)] == numbers


@pytest.mark.parametrize("name", OCP)
def test_exchanged_codes_equal_a_type_made_elsewhere(name):
    fmt, dtype = parse(name), OCP[name][1]
    codes = np.arange(1 << fmt.width, dtype=np.uint8)
    np.testing.assert_array_equal(fmt.decode(codes), codes.view(dtype).astype(np.float64))
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
    x = x[np.abs(x) <= float(greatest(fmt))]  # beyond, types differ in what overflow is
    x = np.concatenate([x, np.linspace(-1, 1, 99_999) * float(greatest(fmt))]).astype(np.float32)
    foreign = x.astype(dtype)
    np.testing.assert_array_equal(fmt.encode(x), foreign.view(np.uint8))
    np.testing.assert_array_equal(fmt.round(x), foreign.astype(np.float64))


@pytest.mark.parametrize("name", OCP)
def test_ocp_formats_saturate(name):
    fmt = parse(name)
    codes = fmt.encode([np.inf, -np.inf, 1e30, -1e30])
    assert codes.tolist() == [fmt.top, fmt.top + fmt.sign] * 2
    assert exact(float(fmt.decode(codes[0]))) == greatest(fmt)


@pytest.mark.parametrize(("name", "code"), [("fp16", 0x7E00), ("bf16", 0x7FC0), ("fp32", 0x7FC00000)])
def test_nan_has_one_canonical_code(name, code):
    fmt = parse(name)
    assert fmt.encode([np.nan, -np.nan, 1.0, np.inf])[[0, 1]].tolist() == [code, code]
    assert np.isnan(fmt.decode(fmt.encode([np.nan]))).all()
    assert parse("e5m2").encode(np.nan) == 0x7E and parse("e4m3").encode(-np.nan) == 0x7F


@pytest.mark.parametrize("name", ["e3m2", "e2m3", "e2m1", "mini_e4m3", "mini_e8m7"])
def test_formats_without_nan_refuse_it(name):
    with pytest.raises(InputError, match=f"NaN cannot be encoded as {name}"):
        parse(name).encode([1.0, np.nan])


def test_all_codes_and_ties_of_fp16_equal_numpys():
    fmt, codes = parse("fp16"), np.arange(1 << 16, dtype=np.uint16)
    numbers = codes.view(np.float16).astype(np.float64)
    np.testing.assert_array_equal(fmt.decode(codes), numbers)
    np.testing.assert_array_equal(np.signbit(fmt.decode(codes[[0, 1 << 15]])), [False, True])
    points = boundaries(fmt, numbers[: 31 << 10])
    with np.errstate(over="ignore"):
        expected = points.astype(np.float16)
    np.testing.assert_array_equal(fmt.encode(points), expected.view(np.uint16))
    finite = np.clip(points, -65504, 65504)
    np.testing.assert_array_equal(fmt.round(points), finite.astype(np.float16).astype(np.float64))


def test_all_codes_and_ties_of_bf16_equal_a_type_made_elsewhere():
    fmt, codes = parse("bf16"), np.arange(1 << 16, dtype=np.uint16)
    with np.errstate(invalid="ignore"):  # signalling NaN
        numbers = codes.view(ml_dtypes.bfloat16).astype(np.float64)
    np.testing.assert_array_equal(fmt.decode(codes), numbers)
    points = np.arange(0, 1 << 31, 1 << 15, dtype=np.uint32).view(np.float32)  # every number and every tie
    points = around(points[np.isfinite(points)])
    assert points.dtype == np.float32
    np.testing.assert_array_equal(fmt.encode(points), points.astype(ml_dtypes.bfloat16).view(np.uint16))


def test_fp32_equals_numpys():
    fmt, rng = parse("fp32"), np.random.default_rng(0)
    codes = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32)
    directed = [0, 1, 2, 0x7FFFFF, 0x800000, 0x800001, 0x7F7FFFFF, 0x7F800000, 0x3F800000, 0x3F7FFFFF]
    codes = np.concatenate([codes, np.array(directed, np.uint32)])
    codes = np.concatenate([codes, codes | np.uint32(1 << 31)])
    codes = codes[~np.isnan(codes.view(np.float32))]
    numbers = codes.view(np.float32)
    np.testing.assert_array_equal(fmt.decode(codes), numbers)
    np.testing.assert_array_equal(fmt.encode(numbers), codes)
    low = numbers[np.isfinite(numbers)]
    ties = (low.astype(np.float64) + np.nextafter(low, np.float32(0)).astype(np.float64)) / 2
    ends = np.array([2.0**128 - 2.0**103, 2.0**128, 2.0**-150, 2.0**-149, 2.0**-126, 1e300])
    points = around(np.concatenate([ties, ends]))
    with np.errstate(over="ignore", under="ignore"):
        expected = points.astype(np.float32)
    np.testing.assert_array_equal(fmt.encode(points), expected.view(np.uint32))


@pytest.mark.parametrize("name", ["mini_e5m10", "mini_e8m7", "mini_e5m11", "mini_e2m13"])
def test_all_codes_of_wide_minifloats(name):
    fmt = parse(name)
    codes = finite_codes(fmt)
    numbers = fmt.decode(codes)
    assert (np.diff(numbers) > 0).all() and exact(float(numbers[-1])) == greatest(fmt)
    sample = np.random.default_rng(0).choice(codes, 500)
    assert [exact(x) for x in fmt.decode(sample).tolist()] == [number(fmt, c) for c in sample.tolist()]
    np.testing.assert_array_equal(fmt.encode(numbers), codes)
    np.testing.assert_array_equal(fmt.encode(-numbers)[1:], codes[1:] + (1 << (fmt.width - 1)))
    points = np.random.default_rng(1).choice(boundaries(fmt, numbers), 2000)
    assert [exact(x) for x in fmt.decode(fmt.encode(points)).tolist()] == [rounded(fmt, x) for x in points.tolist()]


@given(st.sampled_from(NARROW + WIDE), st.floats(allow_nan=False) | st.floats(-8, 8) | st.floats(-1e-3, 1e-3))
@example("fp16", 1 + 2**-11 + 2**-40)  # by way of FP32, it would round twice and become 1
@example("bf16", 1 + 2**-8 + 2**-40)
@example("mini_e4m3", math.nextafter(2**-7, 0))
@example("mini_e4m3", 2**-7)
@example("mini_e5m23", 1.7e308)
@settings(max_examples=1500)
def test_any_float_equals_exact_rationals(name, x):
    fmt = parse(name)
    assert exact(float(fmt.decode(fmt.encode(x)))) == rounded(fmt, x)
    if isinstance(fmt, Minifloat):
        number = int(fmt.nearest(x)) * Fraction(2) ** fmt.exponent
        assert number == (rounded(fmt, x) if math.isfinite(rounded(fmt, x)) else math.copysign(greatest(fmt), x))


@pytest.mark.parametrize("name", [n for n in [*NARROW, "fp16", "mini_e5m10"] if isinstance(parse(n), Minifloat)])
def test_integers_are_the_numbers_in_units(name):
    fmt = parse(name)
    codes = np.concatenate([finite_codes(fmt), finite_codes(fmt) + fmt.sign]).astype(code_dtype(fmt.width))
    integers = fmt.integers(codes)
    assert integers.dtype == np.int64
    np.testing.assert_array_equal(np.ldexp(integers.astype(float), fmt.exponent), fmt.decode(codes))
    assert fmt.holds(integers).all()
    minus_zero = codes == fmt.sign
    np.testing.assert_array_equal(fmt.codes(integers), np.where(minus_zero, 0, codes))


@pytest.mark.parametrize("name", ["mini_e4m3", "e4m3", "mini_e5m23", "mini_e1m23"])
def test_integers_between_the_numbers_are_not_held(name):
    fmt = parse(name)
    tried = np.concatenate([np.arange(-1100, 1100), fmt.hi - np.arange(2000), fmt.lo + np.arange(-9, 2000)])
    tried = np.concatenate([tried, [(1 << 54) - 1, (1 << 53) + 1, 1 << 54, (1 << 62) + 1, -(1 << 63), (1 << 63) - 1]])
    held = [
        Fraction(x) == rounded(fmt, float(x * 2.0**fmt.exponent)) / Fraction(2) ** fmt.exponent for x in tried.tolist()
    ]
    assert 0 < sum(held) < len(held)
    np.testing.assert_array_equal(fmt.holds(tried), held)


@pytest.mark.parametrize(
    ("name", "codes"), [("fp16", [0, 0x7C00]), ("e5m2", [0xFF]), ("e4m3", [0x7F]), ("e4m3", [0xFF])]
)
def test_codes_without_a_number_have_no_integer(name, codes):
    with pytest.raises(InputError, match=f"codes of infinity or NaN of {name} have no integer"):
        parse(name).integers(np.array(codes))


def test_ristrettos_rules_by_example():
    fmt = parse("mini_e4m3")
    assert (fmt.exponent, fmt.hi * 2.0**fmt.exponent, fmt.least * 2.0**fmt.exponent) == (-10, 480, 9 / 8 / 128)
    assert fmt.round([500.0, -np.inf, 0.0078, 2**-7, 9 / 1024, 1.0624, 1.0625, 1.1875]).tolist() == [
        *(480, -480, 0, 9 / 1024, 9 / 1024, 1, 1, 1.25)
    ]
    assert fmt.encode([0.0, -0.0, -0.001, 9 / 1024, -9 / 1024, 480, -480]).tolist() == [0, 0, 0, 1, 0x81, 0x7F, 0xFF]


def test_out_of_range_fields_are_refused():
    with pytest.raises(InputError, match="exponent bits of a minifloat must be 1 to 5, not 6"):
        Minifloat(6, 1)
    with pytest.raises(InputError, match="mantissa bits of a float must be 0 to 23, not -1"):
        Float(6, -1)
    with pytest.raises(InputError, match="must be mini, finite, ieee or those of an exchanged format, not 'fn'"):
        Float(5, 2, "fn")
    for name, least in (("ieee_e1m3", 2), ("ieee_e4m0", 2), ("finite_e4m0", 1)):
        with pytest.raises(InputError, match=f"{name} must have at least {least} exponent bits and 1 mantissa bit"):
            parse(name)
    with pytest.raises(InputError, match="mini_e4m3 has no subnormal numbers to flush"):
        Float(4, 3, flush=True)
    with pytest.raises(InputError, match="a minifloat must keep its subnormal numbers"):
        Minifloat(4, 3, "ieee", flush=True)


@pytest.mark.parametrize("name", ["ieee_e4m3", "finite_e4m3", "ieee_e2m2", "fp16", "bf16", "fp32", "e4m3", "e5m2", "e2m1"])
def test_flushing_changes_subnormal_numbers_alone(name):
    kept, fmt = parse(name), parse(f"{name}_ftz")
    assert fmt.name == f"{name}_ftz" and type(fmt) is Float and fmt.width == kept.width
    first = 2.0 ** (1 - fmt.bias)
    codes = np.random.default_rng(0).integers(0, 1 << fmt.width, 5000)
    codes = np.concatenate([codes, np.arange(1 << min(fmt.width, 12)), fmt.sign + np.arange(1 << min(fmt.mantissa_bits, 12))])
    numbers = kept.decode(codes)
    small = np.abs(numbers) < first
    assert small[codes & (fmt.sign - 1) > 0].any() and not small.all()
    expected = np.where(small, np.copysign(0, numbers), numbers)
    found = fmt.decode(codes)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
    points = around(np.concatenate([numbers[~np.isnan(numbers)], [first, first / 2, first * 0.75, 0.0]]))
    points = np.concatenate([points, [np.nan] if fmt.nan is not None else []])
    small = np.abs(points) < first  # before they are rounded
    assert kept.encode(np.nextafter(first, 0)) == 1 << fmt.mantissa_bits  # as it would be rounded
    np.testing.assert_array_equal(fmt.encode(points), np.where(small, fmt.sign * np.signbit(points), kept.encode(points)))


@pytest.mark.parametrize("name", [*NARROW, *WIDE, "fp32_ftz", "ieee_e5m2_ftz"])
def test_rounded_numbers_are_those_of_the_rounded_codes(name):
    fmt, rng = parse(name), np.random.default_rng(0)
    codes = rng.integers(0, 1 << fmt.width, 500)
    x = fmt.decode(codes) * rng.choice([1, 1, 1.03, -3, 1 / 3], 500)
    x = np.concatenate([x, [0.0, -0.0, 1e30, -1e30, np.inf, -np.inf, 1e-30, -1e-30]])
    found = fmt.numbers(x)
    np.testing.assert_array_equal(found, fmt.decode(fmt.encode(x)))
    np.testing.assert_array_equal(np.signbit(found), np.signbit(fmt.decode(fmt.encode(x))))
