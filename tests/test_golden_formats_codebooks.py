"""Codebooks against their table, looked at entry by entry."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import Codebook, Integer, parse


@st.composite
def codebooks(draw):
    entry = Integer(draw(st.integers(2, 16)), draw(st.booleans()), draw(st.integers(-20, 20)))
    size = 1 << draw(st.integers(1, 8))
    return Codebook(entry, tuple(draw(st.lists(st.integers(entry.lo, entry.hi), min_size=size, max_size=size))))


@given(codebooks(), st.data())
@settings(max_examples=100)
def test_a_number_goes_to_the_nearest_entry_of_the_lowest_index(fmt, data):
    unit = Fraction(2) ** fmt.exponent
    ties = [(p + q) / 2 * float(unit) for p, q in zip(fmt.table, fmt.table[1:], strict=False)]
    near = st.sampled_from([*ties, *np.nextafter(ties, np.inf).tolist(), *np.nextafter(ties, -np.inf).tolist()])
    x = data.draw(st.lists(near | st.floats(-1e10, 1e10), min_size=1, max_size=20))
    expected = [min(range(len(fmt.table)), key=lambda i: (abs(fmt.table[i] * unit - Fraction(v)), i)) for v in x]
    codes = fmt.encode(x)
    assert codes.dtype == np.uint8 and codes.tolist() == expected
    assert fmt.nearest(x).tolist() == [fmt.table[i] for i in expected]


@given(codebooks())
@settings(max_examples=100)
def test_every_code_decodes_to_its_entry_and_the_name_holds_the_table(fmt):
    codes = np.arange(1 << fmt.width)
    assert len(codes) == len(fmt.table) and fmt.integers(codes).tolist() == list(fmt.table)
    assert fmt.decode(codes).tolist() == [float(v * Fraction(2) ** fmt.exponent) for v in fmt.table]
    assert fmt.codes(fmt.integers(codes)).tolist() == [fmt.table.index(v) for v in fmt.table]
    assert parse(fmt.name) == fmt


def test_names_are_codes_in_hexadecimal():
    fmt = parse("codebook_int8_00ff7f80")
    assert fmt == Codebook(parse("int8"), (0, -1, 127, -128)) and (fmt.width, fmt.lo, fmt.hi, fmt.signed) == (2, -128, 127, True)
    assert fmt.encode([0.0, 0.4, -0.5, -0.51, 63.0, 63.5, 64.0, -64.5, -64.6]).tolist() == [0, 0, 0, 1, 0, 0, 2, 1, 3]
    fine = Codebook(parse("int11e-9"), np.array([-1024, 1023]))
    assert fine.name == "codebook_int11e-9_4003ff" and fine.round([-3.0, -0.01, 3.0]).tolist() == [-2.0, -2.0, 1023 / 512]
    assert not parse("codebook_uint4_05").signed and hash(fine) == hash(parse(fine.name))


@pytest.mark.parametrize(
    ("entry", "table", "message"),
    [
        ("int8", (0, 128), r"a codebook holds 128, which int8 \(-128 to 127\) cannot represent"),
        ("int8", (0.5, 1.0), "a codebook must be an array of integers, not float64"),
        ("int8", ((0, 1), (2, 3)), r"a codebook must have 2, 4, .*, 256 entries, not \[2, 2\]"),
        ("ternary", (0, 1), "entries of a codebook must be integers of up to 16 bits, not ternary"),
    ],
)
def test_tables_that_do_not_suit_are_refused(entry, table, message):
    with pytest.raises(InputError, match=message):
        Codebook(parse(entry), table)
