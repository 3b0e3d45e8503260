"""Formats against NumPy's and ml_dtypes' integers and against exact rationals, on every code of at most 8 bits."""

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import Binary, Integer, Ternary, code_dtype, fitting, parse

NARROW = [f"uint{n}" for n in range(1, 9)] + [f"int{n}" for n in range(2, 9)] + ["ternary", "binary"]
UNITS = ["int8e-4", "uint8e3", "int4e-128", "int2e127", "uint1e-1"]
WIDE = [f"uint{n}" for n in range(9, 17)] + [f"int{n}" for n in range(9, 33)]
UNIT_ORACLES = {"ternary": {0: 0, 1: 1, 2: 0, 3: -1}, "binary": {0: -1, 1: 1}}


def oracle(format):
    """Code → integer, worked out in Python integers from the definition of two's complement."""
    if format.name in UNIT_ORACLES:
        return UNIT_ORACLES[format.name]
    top = 1 << (format.width - 1)
    return {c: c - 2 * top if format.signed and c >= top else c for c in range(1 << format.width)}


@pytest.mark.parametrize("name", NARROW + UNITS + WIDE)
def test_parse_inverts_the_name(name):
    assert parse(name).name == name and str(parse(name)) == name
    assert parse(name) == parse(name) and hash(parse(name)) == hash(parse(name))


@pytest.mark.parametrize(
    "name",
    ["", "uint", "int", "uint0", "uint17", "int1", "int0", "int65", "int08", "int8e0", "int8e-0", "int8e128"]
    + ["int8e-129"]
    + ["int8e", "uint8 ", "Int8", "INT8", "ternary2", "binary1", "bool", "float32", "int8\n", "int٨", None, 8],
)
def test_other_names_are_refused_in_one_line(name):
    with pytest.raises(InputError) as error:
        parse(name)
    assert "\n" not in str(error.value).replace(repr(name), "")
    assert "allowed" in str(error.value) or "must be" in str(error.value)


@pytest.mark.parametrize("name", NARROW + UNITS)
def test_every_code_decodes_to_its_number_and_back(name):
    format = parse(name)
    table = oracle(format)
    codes = np.arange(1 << format.width, dtype=np.uint8)
    integers = format.integers(codes)
    assert integers.tolist() == [table[c] for c in codes.tolist()]
    assert [Fraction(x) for x in format.decode(codes)] == [table[c] * Fraction(2) ** format.exponent for c in table]
    assert (min(table.values()), max(table.values())) == (format.lo, format.hi)
    assert format.signed == (min(table.values()) < 0)
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


@pytest.mark.parametrize("name", ["int32", "int31", "int17", "uint13", "int9"])
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


@pytest.mark.parametrize("name", NARROW + UNITS)
def test_encoding_rounds_to_even_and_saturates_at_every_boundary(name):
    format = parse(name)
    eighths = np.arange(8 * (format.lo - 3), 8 * (format.hi + 3) + 1)
    points = np.ldexp(eighths / 8.0, format.exponent)
    points = np.unique(np.concatenate([points, np.nextafter(points, np.inf), np.nextafter(points, -np.inf)]))
    expected = [nearest(format, Fraction(x)) for x in points.tolist()]
    assert format.nearest(points).tolist() == expected
    np.testing.assert_array_equal(format.encode(points), format.codes(np.array(expected)))
    numbers = np.ldexp(np.array(expected, float), format.exponent)
    np.testing.assert_array_equal(format.decode(format.encode(points)), numbers)


@given(st.sampled_from([*NARROW, *UNITS, *WIDE]), st.floats(allow_nan=False, allow_infinity=False))
def test_encoding_any_float_equals_exact_rationals(name, x):
    format = parse(name)
    assert int(format.nearest(x)) == nearest(format, Fraction(x))


@pytest.mark.parametrize("name", [*NARROW, *UNITS, "int32"])
def test_infinity_saturates_and_nan_is_refused(name):
    format = parse(name)
    assert format.nearest([-np.inf, np.inf]).tolist() == [format.lo, format.hi]
    with pytest.raises(InputError, match=f"NaN cannot be encoded as {name}"):
        format.encode([0.0, np.nan])


@pytest.mark.parametrize("name", NARROW)
def test_check_holds_exactly_the_representable_integers(name):
    format = parse(name)
    representable = set(oracle(format).values())
    for x in range(-300, 301):
        if x in representable:
            assert format.check(np.int64(x)) == x
        else:
            with pytest.raises(InputError, match=f"weights holds {x}, which {name} "):
                format.check(np.array([0 if 0 in representable else 1, x]), "weights")


def test_check_refuses_what_is_not_an_integer():
    for array in (np.zeros(2), np.zeros(2, bool), np.array(["1"]), np.array([1j]), np.array([None])):
        with pytest.raises(InputError, match="x must be an array of integers, not"):
            Integer(8, signed=True).check(array, "x")


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-(1 << 31), (1 << 31) - 1))
@settings(max_examples=200)
def test_fitting_is_the_narrowest(p, q):
    lo, hi = min(p, q), max(p, q)
    found = fitting(lo, hi)
    assert found.lo <= lo and hi <= found.hi
    if found.width > 2:
        narrower = Integer(found.width - 1, signed=True)
        assert lo < narrower.lo or narrower.hi < hi


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_dtype_is_the_smallest_that_holds_the_format(name):
    format = parse(name)
    info = np.iinfo(format.dtype)
    assert info.min <= format.lo and format.hi <= info.max and (info.min < 0) == format.signed
    if info.bits > 8:
        smaller = np.iinfo(f"{'' if format.signed else 'u'}int{info.bits // 2}")
        assert format.lo < smaller.min or smaller.max < format.hi


def test_a_unit_scales_the_numbers_but_not_the_integers():
    plain, scaled = parse("int8"), parse("int8e-4")
    assert plain != scaled
    assert scaled.nearest(1.0) == 16 and scaled.decode(np.uint8(16)) == 1.0
    assert Ternary().exponent == Binary().exponent == 0
