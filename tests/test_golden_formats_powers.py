"""Powers of two against exact rationals, on every code and on both sides of every threshold."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import PowerOfTwo, parse

FORMATS = [PowerOfTwo(width, zero) for width in range(2, 7) for zero in (False, True)]
FORMATS += [PowerOfTwo(width, True, signed=False) for width in range(1, 6)]
FORMATS += map(parse, ("pow2_4e-3", "pow2z_5e-15", "pow2_2e9", "upow2z_4e-9", "upow2z_3e2", "upow2z_1e-1"))


def field_bits(fmt):
    return fmt.width - (not fmt.name.startswith("u"))


def ends(fmt):
    """The least and the greatest exponent: numbers are below 1 unless the name says otherwise."""
    unit = fmt.name.partition("e")[2]
    least = int(unit) if unit else -(2 ** field_bits(fmt))
    return least, least + 2 ** field_bits(fmt) - 1


def number(fmt, code):
    """The number of a code: sign in the top bit, then the exponent less the least."""
    negative, field = divmod(code, 1 << field_bits(fmt))
    magnitude = 0 if fmt.zero and field == 0 else Fraction(2) ** (field + ends(fmt)[0])
    return -magnitude if negative else magnitude


def rounded(fmt, x):
    """``+-2**round(log2 |x|)``, clamped, of a Fraction: twice ``log2 |x|`` against odd numbers, by squares."""
    least, greatest = ends(fmt)
    exponent = least
    while exponent < greatest and x * x > Fraction(2) ** (2 * exponent + 1):
        exponent += 1
    if (fmt.zero and exponent == least) or (x < 0 and fmt.name.startswith("u")):
        return Fraction(0)
    return (-1 if x < 0 else 1) * Fraction(2) ** exponent


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_code_decodes_to_its_number_and_back(fmt):
    codes = np.arange(1 << fmt.width, dtype=np.uint8)
    numbers = [number(fmt, c) for c in codes.tolist()]
    assert [Fraction(x) for x in fmt.decode(codes)] == numbers
    assert [int(i) * Fraction(2) ** fmt.exponent for i in fmt.integers(codes)] == numbers
    assert not np.signbit(fmt.decode(codes)[np.array(numbers) == 0]).any()
    unwritten = fmt.zero & fmt.signed & (codes == 1 << (fmt.width - 1))
    back = fmt.codes(fmt.integers(codes))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, np.where(unwritten, 0, codes))


def test_the_format_of_the_thesis():
    fmt = parse("pow2_4")
    assert (fmt.exponent, fmt.lo, fmt.hi, fmt.dtype) == (-8, -128, 128, np.int16)
    assert fmt.values().tolist() == [*(-(2**f) for f in range(7, -1, -1)), *(2**f for f in range(8))]
    assert [hex(int(c)) for c in fmt.encode([0.5, -0.5, 2**-8, -(2**-8), 0.0, -0.0, 1e-9, -1e-9, 3.0, -3.0])] == [
        *("0x7", "0xf", "0x0", "0x8", "0x0", "0x0", "0x0", "0x8", "0x7", "0xf")
    ]


def test_the_variant_with_a_zero():
    fmt = parse("pow2z_4")
    assert (fmt.exponent, fmt.lo, fmt.hi) == (-8, -128, 128)
    assert fmt.values().tolist() == [*(-(2**f) for f in range(7, 0, -1)), 0, *(2**f for f in range(1, 8))]
    assert fmt.round([0.0, 2**-8, -1.4 * 2**-8, 1.5 * 2**-8, -0.3, 9.0]).tolist() == [0, 0, 0, 2**-7, -0.25, 0.5]
    assert fmt.encode([-(2**-9), -0.0]).tolist() == [0, 0]


def lognet(x, full, bits):
    """LogQuant of Miyashita and others: ``2**clip(round(log2 |x|))``, whose clip is 0 at the low end and below."""
    if x == 0:
        return 0.0
    exponent = round(float(np.log2(abs(x))))
    low = full - 2**bits
    return 0.0 if exponent <= low else np.sign(x) * 2.0 ** min(exponent, full - 1)


@pytest.mark.parametrize(("name", "full", "bits"), [("upow2z_4e-11", 5, 4), ("pow2z_5e-15", 1, 4), ("pow2z_4e-8", 0, 3)])
def test_formats_with_a_zero_are_lognets(name, full, bits):
    """Apart from the threshold between two powers itself, where this logarithm is not exact."""
    fmt = PowerOfTwo(bits + (name[0] == "p"), True, signed=name[0] == "p", exponent=full - 2**bits)
    assert fmt.name == name.removesuffix("e-8") and fmt.exponent + (1 << fmt.fields) == full
    x = np.concatenate([np.random.default_rng(0).uniform(-1, 1, 500) * 2.0 ** (full + 1), [0.0], 2.0 ** np.arange(-20, 8)])
    x = np.concatenate([x, 2.0 ** -np.arange(24) * 1.3, 2.0 ** -np.arange(24) * -1.5])
    x = x if fmt.signed else np.maximum(x, 0)
    assert fmt.round(x).tolist() == [lognet(v, full, bits) for v in x.tolist()]


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_thresholds_are_exact(fmt):
    exponents = np.arange(fmt.exponent - 3, fmt.exponent + (1 << fmt.fields) + 3)
    points = np.concatenate([2.0**exponents, 1.5 * 2.0**exponents, np.sqrt(2.0) * 2.0**exponents])
    points = np.concatenate([points, np.nextafter(points, 0), np.nextafter(points, np.inf)])
    points = np.concatenate([points, -points, [0.0]])
    assert [Fraction(x) for x in fmt.round(points)] == [rounded(fmt, Fraction(x)) for x in points.tolist()]
    assert [Fraction(x) for x in fmt.decode(fmt.encode(points))] == [rounded(fmt, Fraction(x)) for x in points.tolist()]


@given(st.sampled_from(FORMATS), st.floats(-2, 2) | st.floats(allow_nan=False, allow_infinity=False))
@settings(max_examples=300)
def test_any_float_equals_exact_rationals(fmt, x):
    assert Fraction(float(fmt.round(x))) == rounded(fmt, Fraction(x))


def test_widths_out_of_range_are_refused():
    for width in (1, 7):
        with pytest.raises(InputError, match=f"width of a power of two must be 2 to 6, not {width}"):
            PowerOfTwo(width)
