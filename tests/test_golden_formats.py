"""What all formats have in common: names, checks, tables of numbers, neighbours, and survival in a file."""

import numpy as np
import pytest

from golden import artefact
from golden.builder import Builder
from golden.errors import InputError
from golden.formats import FAMILIES, Float, Integer, Minifloat, UnitFormat, code_dtype, parse

NARROW = (
    [f"uint{n}" for n in range(1, 9)]
    + [f"int{n}" for n in range(2, 9)]
    + ["int8e-4", "uint8e3", "int4e-128", "int2e127", "ternary", "binary"]
    + [f"mini_e{e}m{m}" for e in range(1, 6) for m in range(0, 8 - e)]
    + ["e5m2", "e4m3", "e3m2", "e2m3", "e2m1", "ieee_e2m1", "ieee_e5m2", "ieee_e3m4", "finite_e4m3", "finite_e1m1"]
    + [f"pow2{z}_{n}" for z in ("", "z") for n in range(2, 7)]
    + [f"upow2z_{n}" for n in range(1, 6)]
    + ["pow2_4e-3", "pow2z_5e-15", "pow2z_3e2", "pow2_2e127", "upow2z_4e-9", "upow2z_2e0", "upow2z_5e-128"]
    + ["codebook_int8_ff00017f", "codebook_int8e-6_a305f50b", "codebook_uint4e2_f0", "codebook_int3_07210366"]
    + ["codebook_int11e-9_40000137f73f0027550003ff", "codebook_int8_0202"]
)
WIDE = ["uint16", "int16e9", "int33", "int54e-60", "int64e-128", "fp16", "mini_e5m10", "mini_e5m23", "mini_e1m23"]
SIZES = "2, 4, 8, 16, 32, 64, 128, 256"
FLOATS = ["bf16", "fp32", "mini_e6m1", "mini_e7m0", "mini_e8m23", "ieee_e6m1", "finite_e8m23"]
FLOATS += ["fp16_ftz", "bf16_ftz", "fp32_ftz", "e5m2_ftz", "e3m2_ftz", "ieee_e2m1_ftz", "finite_e1m1_ftz", "ieee_e8m22_ftz"]


def samples(fmt, size=300):
    """Reals all over the range of `fmt` and beyond, and the numbers around zero."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-1.2, 1.2, size) * 2.0 ** rng.integers(-30, 1, size) * fmt.hi * 2.0**fmt.exponent
    unit = 2.0**fmt.exponent
    return np.concatenate([x, np.arange(-4, 4.5, 0.25) * unit, [0.0, -0.0, 5e-324, -5e-324, 1e308, np.inf, -np.inf]])


def table(fmt):
    """The integers of a narrow format, from its codes one by one."""
    top = getattr(fmt, "top", (1 << fmt.width) - 1)
    mask = (1 << (fmt.width - 1)) - 1 if isinstance(fmt, Float) else (1 << fmt.width) - 1
    return sorted({int(fmt.integers(np.uint8(c))) for c in range(1 << fmt.width) if c & mask <= top})


@pytest.mark.parametrize("name", [*NARROW, *WIDE, *FLOATS])
def test_parse_inverts_the_name(name):
    fmt = parse(name)
    assert fmt.name == name == str(fmt) and fmt == parse(name) and hash(fmt) == hash(parse(name))
    assert isinstance(fmt, UnitFormat) == (name not in FLOATS)


def test_exchanged_formats_are_what_their_names_say():
    assert {name: (parse(name).exponent_bits, parse(name).mantissa_bits) for name in ("fp16", "bf16", "fp32")} == {
        "fp16": (5, 10),
        "bf16": (8, 7),
        "fp32": (8, 23),
    }
    for name in ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1"):
        fmt = parse(name)
        assert f"e{fmt.exponent_bits}m{fmt.mantissa_bits}" == name and fmt.subnormals and type(fmt) is Minifloat
    assert not parse("mini_e4m3").subnormals and parse("mini_e4m3").bias == 7


@pytest.mark.parametrize(
    "name",
    ["", "uint", "int", "int08", "int8e0", "int8e-0", "int8e", "uint8 ", "Int8", "INT8", "int8\n", "int٨", None, 8]
    + ["ternary2", "binary1", "bool", "float32", "float16", "fp8", "fp64", "bf8", "e4m4", "e4m3fn", "e8m7", "E4M3"]
    + ["ieee_e5m10", "ieee_e8m23", "finite_e3m2", "ocp_e5m2", "fn_e4m3", "fp16_", "fp16_ft", "fp16ftz", "int8_ftz"]
    + ["mini", "mini_", "mini_e4", "mini_e4m", "mini_em3", "mini_e04m3", "mini_e4m03", "mini_e-4m3", "mini_e4m3 "]
    + ["mini_e٤m3", "pow2", "pow2_", "pow2_04", "pow2z", "pow2z_", "pow2z4", "pow_4", "pow2zz_4", "int" + "9" * 5000]
    + ["pow2_4e-8", "pow2_4e", "upow2z_4e-16", "pow2_4e-08", "zpow2_4", "codebook", "codebook_int8", "codebook_int8_"]
    + ["codebook_ternary_01", "codebook_int8_0001FF7F", "codebook_int8e0_0001", "codebook_int8_0001 ", "codebook_fp16_00"],
)
def test_other_names_are_refused_with_what_is_allowed(name):
    with pytest.raises(InputError) as error:
        parse(name)
    message = str(error.value)
    assert "\n" not in message and message.startswith(f"no number format is called {name!r}; allowed: uint1 to uint16")
    assert all(family.allowed in message for family in FAMILIES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("uint0", "width of unsigned integer must be 1 to 16, not 0"),
        ("uint17", "width of unsigned integer must be 1 to 16, not 17"),
        ("int0", "width of signed integer must be 1 to 64, not 0"),
        ("int65", "width of signed integer must be 1 to 64, not 65"),
        ("int1000", "width of signed integer must be 1 to 64, not 1000"),
        ("int8e128", "exponent of the unit must be -128 to 127, not 128"),
        ("int8e-129", "exponent of the unit must be -128 to 127, not -129"),
        ("mini_e0m3", "exponent bits of a float must be 1 to 8, not 0"),
        ("mini_e9m3", "exponent bits of a float must be 1 to 8, not 9"),
        ("mini_e4m24", "mantissa bits of a float must be 0 to 23, not 24"),
        ("mini_e8m24", "mantissa bits of a float must be 0 to 23, not 24"),
        ("pow2_1", "width of a power of two must be 2 to 6, not 1"),
        ("pow2z_7", "width of a power of two must be 2 to 6, not 7"),
        ("upow2z_0", "width of an unsigned power of two must be 1 to 5, not 0"),
        ("upow2z_6", "width of an unsigned power of two must be 1 to 5, not 6"),
        ("upow2_4", "powers of two without a sign must have a zero: upow2z, not upow2"),
        ("pow2_4e128", "exponent of the unit must be -128 to 127, not 128"),
        ("codebook_int17_0000000001", "entries of a codebook must be integers of up to 16 bits, not int17"),
        ("codebook_int8_01", f"a codebook must have {SIZES} entries, not [1]"),
        ("codebook_int8_010203", f"a codebook must have {SIZES} entries, not [3]"),
        ("codebook_int8_" + "00" * 512, f"a codebook must have {SIZES} entries, not [512]"),
        ("codebook_int8_01020", "entries of a codebook of int8 are 2 hexadecimal digits each, not '01020'"),
        ("codebook_int3_0f", "entries of a codebook of int3 are 1 hexadecimal digits each, not '0f'"),
        ("codebook_int0_01", "width of signed integer must be 1 to 64, not 0"),
    ],
)
def test_widths_out_of_range_are_refused_by_their_own_line(name, message):
    with pytest.raises(InputError) as error:
        parse(name)
    assert str(error.value) == message


@pytest.mark.parametrize("name", NARROW)
def test_values_are_the_numbers_of_all_codes_in_order(name):
    fmt = parse(name)
    values = fmt.values()
    assert values.tolist() == table(fmt) and (values[0], values[-1]) == (fmt.lo, fmt.hi)
    assert fmt.signed == (fmt.lo < 0)
    np.testing.assert_array_equal(fmt.integers(fmt.codes(values)), values)
    np.testing.assert_array_equal(fmt.decode(fmt.codes(values)), np.ldexp(values.astype(float), fmt.exponent))


def test_values_are_listed_up_to_16_bits():
    assert len(parse("fp16").values()) == 2 * (31 << 10) - 1
    assert len(parse("mini_e5m10").values()) == (1 << 16) - 1
    assert parse("uint16").values().tolist() == list(range(1 << 16))
    for name in ("int17", "mini_e5m11"):
        with pytest.raises(InputError, match=f"formats of at most 16 bits, not for {name}"):
            parse(name).values()


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_dtype_is_the_smallest_that_holds_the_integers(name):
    fmt = parse(name)
    info = np.iinfo(fmt.dtype)
    assert info.min <= fmt.lo and fmt.hi <= info.max and (info.min < 0) == fmt.signed
    if info.bits > 8:
        smaller = np.iinfo(f"{'' if fmt.signed else 'u'}int{info.bits // 2}")
        assert fmt.lo < smaller.min or smaller.max < fmt.hi
    assert fmt.check(np.array([fmt.lo, fmt.hi])).dtype == fmt.dtype


@pytest.mark.parametrize("name", NARROW)
def test_check_holds_exactly_the_representable_integers(name):
    fmt = parse(name)
    values = fmt.values()
    tried = np.unique(np.concatenate([np.arange(-300, 301), values, values + 1, values - 1, values // 2 * 3]))
    held = np.isin(tried, values)
    np.testing.assert_array_equal(fmt.holds(tried), held)
    np.testing.assert_array_equal(fmt.check(tried[held]), tried[held])
    for x in tried[~held][:20]:
        limits = "" if fmt.lo < x < fmt.hi else f" ({fmt.lo} to {fmt.hi})"
        with pytest.raises(InputError) as error:
            fmt.check(np.array([values[-1], x]), "weights")
        assert str(error.value) == f"weights holds {x}, which {name}{limits} cannot represent"


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_check_refuses_unsigned_integers_that_would_wrap(name):
    fmt = parse(name)
    for x in ((1 << 64) - 1, (1 << 64) - fmt.hi, 1 << 63):
        if x > fmt.hi:
            with pytest.raises(InputError, match=f"holds {x}, which {name} "):
                fmt.check(np.array([x], np.uint64))


def test_check_refuses_what_is_not_an_integer():
    for array in (np.zeros(2), np.zeros(2, bool), np.array(["1"]), np.array([1j]), np.array([None])):
        with pytest.raises(InputError, match="x must be an array of integers, not"):
            parse("int8").check(array, "x")


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_nearest_saturates_infinity_and_refuses_nan(name):
    fmt = parse(name)
    assert fmt.nearest([-np.inf, -1.7e308, 1.7e308, np.inf]).tolist() == [fmt.lo, fmt.lo, fmt.hi, fmt.hi]
    assert fmt.nearest(np.inf).dtype == np.int64
    for rounding in (fmt.nearest, fmt.round, fmt.neighbours):
        with pytest.raises(InputError, match=f"NaN cannot be encoded as {name}"):
            rounding([0.0, np.nan])


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_every_rounding_holds_and_round_gives_its_number(name):
    fmt = parse(name)
    x = samples(fmt)
    integers = fmt.nearest(x)
    assert integers.dtype == np.int64 and fmt.holds(integers).all()
    np.testing.assert_array_equal(fmt.round(x), np.ldexp(integers.astype(float), fmt.exponent))
    np.testing.assert_array_equal(fmt.nearest(fmt.round(x)), integers)
    np.testing.assert_array_equal(fmt.integers(fmt.codes(integers)), integers)
    assert fmt.codes(integers).max() < 1 << fmt.width


@pytest.mark.parametrize("name", [*NARROW, "uint16", "fp16", "mini_e5m10"])
def test_neighbours_enclose_the_number(name):
    fmt = parse(name)
    values, x = fmt.values(), samples(fmt)
    x = np.concatenate([x, np.ldexp((values[:-1] + 0.25 * np.diff(values))[:500], fmt.exponent)])
    below, above = fmt.neighbours(x)
    assert below.dtype == above.dtype == np.int64
    units = np.clip(x, *np.ldexp([fmt.lo, fmt.hi], fmt.exponent)) * 2.0**-fmt.exponent
    np.testing.assert_array_equal(below, [values[values <= u].max() for u in units])
    np.testing.assert_array_equal(above, [values[values >= u].min() for u in units])


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_shapes_dtypes_and_strides_of_what_comes_in_do_not_matter(name):
    fmt = parse(name)
    limits = np.ldexp(np.array([fmt.lo, fmt.hi], float), fmt.exponent)
    x = np.clip(samples(fmt)[:48], *limits).astype(np.float32)
    expected = [int(fmt.nearest(float(v))) for v in x]
    assert fmt.nearest(x).tolist() == expected
    assert fmt.nearest(x.reshape(4, 12).T).T.reshape(-1).tolist() == expected
    assert fmt.nearest(x[::-2]).tolist() == expected[::-2]
    assert fmt.nearest(np.float32(x[0])).shape == fmt.round(float(x[0])).shape == ()
    codes = fmt.encode(x.reshape(4, 3, 4))
    np.testing.assert_array_equal(fmt.decode(codes), fmt.round(x).reshape(4, 3, 4))
    assert fmt.decode(fmt.codes(fmt.integers(codes[1, 2, 3]))) == fmt.round(x[23])
    for made in (fmt.nearest([]), fmt.integers(np.zeros(0, codes.dtype)), fmt.codes(np.zeros(0, np.int64))):
        assert made.shape == (0,)


@pytest.mark.parametrize("name", [*NARROW, *WIDE])
def test_integers_of_every_format_survive_an_artefact(name, tmp_path):
    fmt = parse(name)
    bias = np.unique(np.concatenate([fmt.nearest(samples(fmt)), [fmt.lo, fmt.hi]]))
    builder = Builder(Integer(1, False, fmt.exponent), (2,), unit=2.0**fmt.exponent)
    parameters = {"weight": ("ternary", np.ones((len(bias), 2), int)), "bias": (name, bias)}
    builder.add("y", "mac_dense", parameters=parameters, attributes={"format": Integer(8, True, fmt.exponent).name})
    network = builder.build()
    artefact.save(tmp_path / "a", network)
    again = artefact.load(tmp_path / "a")
    assert again.parameters["y.bias"].format == fmt and artefact.digest(again) == artefact.digest(network)
    np.testing.assert_array_equal(again.parameters["y.bias"].values, bias)


@pytest.mark.parametrize(
    ("name", "code"), [("e4m3", 0x80), ("e4m3", 0x7F), ("fp16", 0x7C00), ("pow2z_4", 8), ("int33", 1 << 33)]
    + [("codebook_int8_fefe", 1), ("codebook_int8_ff00017f", 4)],
)
def test_an_artefact_with_codes_that_are_never_written_is_refused(name, code):
    with pytest.raises(InputError, match=f"codes that {name} does not have|codes of infinity or NaN of {name}"):
        artefact.integers("w", parse(name), np.array([0, code], code_dtype(parse(name).width)))
