"""Integers and fixed point against NumPy's and ml_dtypes' types and exact rationals, on every code up to 8 bits."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import Binary, Integer, Ternary, code_dtype, fitting, fixed, parse

NARROW = [f"uint{n}" for n in range(1, 9)] + [f"int{n}" for n in range(1, 9)] + ["ternary", "binary"]
UNITS = ["int8e-4", "uint8e3", "int4e-128", "int2e127", "uint1e-1"]
WIDE = [f"uint{n}" for n in range(9, 17)] + [f"int{n}" for n in range(9, 65)] + ["int64e-128", "int54e9"]
UNIT_ORACLES = {"ternary": {0: 0, 1: 1, 2: 0, 3: -1}, "binary": {0: -1, 1: 1}}


def oracle(format):
    """Code → integer, worked out in Python integers from the definition of two's complement."""
    if format.name in UNIT_ORACLES:
        return UNIT_ORACLES[format.name]
    top = 1 << (format.width - 1)
    return {c: c - 2 * top if format.signed and c >= top else c for c in range(1 << format.width)}


@pytest.mark.parametrize("name", NARROW + UNITS)
def test_every_code_decodes_to_its_number_and_back(name):
    format = parse(name)
    table = oracle(format)
    codes = np.arange(1 << format.width, dtype=np.uint8)
    integers = format.integers(codes)
    assert integers.tolist() == [table[c] for c in codes.tolist()]
    assert [Fraction(x) for x in format.decode(codes)] == [table[c] * Fraction(2) ** format.exponent for c in table]
    assert (min(table.values()), max(table.values())) == (format.lo, format.hi)
    back = format.codes(integers)
    assert back.dtype == np.uint8
    reserved = codes == 2 if name == "ternary" else np.zeros(codes.shape, bool)
    np.testing.assert_array_equal(back, np.where(reserved, 0, codes))
    assert format.dtype == (np.int8 if format.signed else np.uint8)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("int8", np.int8), ("uint8", np.uint8), ("int16", np.int16), ("uint16", np.uint16)]
    + [("int4", ml_dtypes.int4), ("uint4", ml_dtypes.uint4), ("int2", ml_dtypes.int2), ("uint2", ml_dtypes.uint2)],
)
def test_every_code_equals_an_integer_type_made_elsewhere(name, dtype):
    format = parse(name)
    codes = np.arange(1 << format.width, dtype=code_dtype(format.width))
    foreign = codes.view(dtype).astype(np.int64)
    np.testing.assert_array_equal(format.integers(codes), foreign)
    np.testing.assert_array_equal(format.codes(foreign), codes)
    np.testing.assert_array_equal(format.codes(codes.view(dtype).astype(format.dtype)), codes)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_wide_codes_equal_numpys(dtype):
    bits = np.iinfo(dtype).bits
    format = parse(f"int{bits}")
    codes = np.random.default_rng(0).integers(0, 1 << bits, 100_000, dtype=code_dtype(bits), endpoint=False)
    np.testing.assert_array_equal(format.integers(codes), codes.view(dtype))
    np.testing.assert_array_equal(format.codes(codes.view(dtype)), codes)


@pytest.mark.parametrize("name", WIDE)
def test_wide_codes_wrap_as_two_s_complement(name):
    format = parse(name)
    integers = np.array([format.lo, format.lo + 1, 0, 1, format.hi - 1, format.hi, min(format.hi, 12345)])
    codes = format.codes(integers)
    assert codes.dtype == code_dtype(format.width)
    assert codes.tolist() == [x % (1 << format.width) for x in integers.tolist()]
    np.testing.assert_array_equal(format.integers(codes), integers)


def nearest(format, x):
    """The representable integer nearest to the Fraction `x`, ties to even, in exact arithmetic."""
    units = x / Fraction(2) ** format.exponent
    if format.name == "binary":
        return -1 if units < 0 else 1
    return min(max(round(units), format.lo), format.hi)  # Python's round is to even


def around(points):
    """`points` and their neighbours in float64."""
    return np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)])


@pytest.mark.parametrize("name", NARROW + UNITS)
def test_encoding_rounds_to_even_and_saturates_at_every_boundary(name):
    format = parse(name)
    eighths = np.arange(8 * (format.lo - 3), 8 * (format.hi + 3) + 1)
    points = np.unique(around(np.ldexp(eighths / 8.0, format.exponent)))
    expected = [nearest(format, Fraction(x)) for x in points.tolist()]
    assert format.nearest(points).tolist() == expected
    np.testing.assert_array_equal(format.encode(points), format.codes(np.array(expected)))
    numbers = np.ldexp(np.array(expected, float), format.exponent)
    np.testing.assert_array_equal(format.decode(format.encode(points)), numbers)


@pytest.mark.parametrize("name", WIDE)
def test_the_ends_of_wide_integers_are_exact(name):
    format = parse(name)
    ends = np.ldexp([float(format.lo), float(format.hi), float(format.hi) / 2, 2.0**52 + 0.5, 1.5], format.exponent)
    points = np.concatenate([around(ends), -ends])
    assert format.nearest(points).tolist() == [nearest(format, Fraction(x)) for x in points.tolist()]


def check_against_numpy(format, units):
    """`format` rounds numbers that are `units` of its own as NumPy rounds and clips float64."""
    expected = np.clip(np.rint(units), format.lo, format.hi).astype(np.int64)
    points = np.ldexp(units, format.exponent)  # exact, but for the neighbours of 0, which may become 0
    np.testing.assert_array_equal(format.nearest(points), expected)
    codes = format.encode(points)
    np.testing.assert_array_equal(codes, expected.astype(np.uint64) & np.uint64((1 << format.width) - 1))
    np.testing.assert_array_equal(format.decode(codes), np.ldexp(expected.astype(float), format.exponent))


@pytest.mark.parametrize("name", ["int16", "uint16", "int16e-7"])
def test_every_number_of_16_bits_and_every_tie_is_rounded_as_numpy_does(name):
    format = parse(name)
    check_against_numpy(format, around(np.arange(2 * (format.lo - 3), 2 * (format.hi + 3) + 1) / 2))


@pytest.mark.parametrize("name", ["int32", "int32e-20"])
def test_numbers_of_32_bits_and_ties_are_rounded_as_numpy_does(name):
    format, rng = parse(name), np.random.default_rng(0)
    spread = rng.integers(format.lo - 1000, format.hi + 1000, 100_000)
    small = np.ldexp(1.0, rng.integers(0, 32, 100_000)) * rng.uniform(-1, 1, 100_000)
    ends = np.concatenate([end + np.arange(-1000, 1000) for end in (format.lo, 0, format.hi)])
    integers = np.concatenate([spread, np.rint(small), ends]).astype(float)
    ties = integers + 0.5
    assert np.array_equal(ties - integers, np.full(len(ties), 0.5))  # exact: none was rounded away
    check_against_numpy(format, np.concatenate([small, around(integers), around(ties)]))


@given(st.sampled_from([*NARROW, *UNITS, *WIDE]), st.floats(allow_nan=False, allow_infinity=False))
@example("int8", 5e-324)
@settings(max_examples=300)
def test_encoding_any_float_equals_exact_rationals(name, x):
    format = parse(name)
    assert int(format.nearest(x)) == nearest(format, Fraction(x))


@pytest.mark.parametrize(
    ("il", "fl", "name", "least", "greatest"),
    [
        (4, 4, "int8e-4", -8, 8 - Fraction(1, 16)),
        (9, 7, "int16e-7", -256, 256 - Fraction(1, 128)),
        (1, 7, "int8e-7", -1, 1 - Fraction(1, 128)),
        (-3, 11, "int8e-11", -Fraction(1, 16), Fraction(1, 16) - Fraction(1, 2048)),  # fraction longer than the whole
        (10, -2, "int8e2", -512, 508),
        (8, 0, "int8", -128, 127),
        (1, 1, "int2e-1", -1, Fraction(1, 2)),
    ],
)
def test_fixed_point_has_the_range_of_its_lengths(il, fl, name, least, greatest):
    format = fixed(il, fl)
    assert format.name == name and format == parse(name)
    unit = Fraction(2) ** format.exponent
    assert (format.lo * unit, format.hi * unit) == (least, greatest)
    assert greatest == Fraction(2) ** (il - 1) - Fraction(2) ** -fl  # Gysel, equation 4.1
    assert format.round([1e9, -1e9]).tolist() == [greatest, least]


def test_fixed_point_out_of_range_is_refused():
    with pytest.raises(InputError, match="width of signed integer must be 1 to 64, not 65"):
        fixed(33, 32)
    with pytest.raises(InputError, match="width of signed integer must be 1 to 64, not 0"):
        fixed(-4, 4)
    with pytest.raises(InputError, match="exponent of the unit must be -128 to 127, not -129"):
        fixed(-121, 129)


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(-(1 << 63), (1 << 63) - 1))
@settings(max_examples=200)
def test_fitting_is_the_narrowest(p, q):
    lo, hi = min(p, q), max(p, q)
    found = fitting(lo, hi)
    assert found.lo <= lo and hi <= found.hi
    if found.width > 2:
        narrower = Integer(found.width - 1, signed=True)
        assert lo < narrower.lo or narrower.hi < hi


def test_fitting_ends_at_64_bits():
    with pytest.raises(InputError, match="width of signed integer must be 1 to 64, not 65"):
        fitting(0, 1 << 63)


def test_a_unit_scales_the_numbers_but_not_the_integers():
    plain, scaled = parse("int8"), parse("int8e-4")
    assert plain != scaled
    assert scaled.nearest(1.0) == 16 and scaled.decode(np.uint8(16)) == 1.0
    assert Ternary().exponent == Binary().exponent == 0


@pytest.mark.parametrize("name", ["int4e-3", "int8", "uint4e2", "int16e-20", "int2e1", "uint16e-100", "int25", "int26", "int8e90"])
def test_float32_numbers_are_rounded_in_float32_to_the_same(name):
    fmt, rng = parse(name), np.random.default_rng(0)
    unit = 2.0**fmt.exponent
    parts = [rng.normal(size=2000) * unit * factor for factor in (1, 10, 1e5)]
    x = np.concatenate([*parts, np.arange(-300, 300) / 2 * unit, [np.inf, -np.inf, 0.0, -0.0, 1e-45, 3e38]]).astype(np.float32)
    expected = fmt.round(x.astype(np.float64))
    np.testing.assert_array_equal(fmt.round(x), expected)
    assert fmt.round(x).dtype == (np.float64 if name == "int26" else np.float32)  # whose greatest is no float32
    with pytest.raises(InputError, match=f"NaN cannot be encoded as {name}"):
        fmt.round(np.float32([0, np.nan]))
