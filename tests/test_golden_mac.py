"""The datapath against exact rationals."""

from fractions import Fraction

import numpy as np
import pytest
from exact import dot_products
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import Integer, fixed, parse
from golden.mac import MacSpec, mac

# a, w, bias, y
FORMATS = [
    ("int8e-4", "int8e-4", "int8e-4", "int8e-4"),
    ("uint8e-8", "int4e-3", "int16e-20", "int4e2"),
    ("int8e-3", "int8e-9", "int12e-2", "uint8e-5"),
    ("int16e-9", "int16", "int16e-30", "int16e3"),
    ("ternary", "binary", "int4", "ternary"),
    ("int8e-3", "pow2_4", "int16e-12", "int8e-2"),
    ("int8e-3", "pow2z_4", "int8e-3", "pow2_5"),
    ("mini_e4m3",) * 4,
    ("e4m3",) * 4,
    ("mini_e5m2",) * 4,
    ("e5m2", "e5m2", "fp16", "e4m3"),
    ("mini_e4m11",) * 4,
    ("mini_e5m10",) * 4,
    ("fp16",) * 4,
    ("fp16", "int8e-7", "fp16", "int16e-8"),
]


def spec_of(names, k, **settings):
    return MacSpec(**dict(zip(("a", "w", "bias", "y"), map(parse, names), strict=True)), k=k, **settings)


def operands(rng, spec, m, n, kind):
    """Operands from all numbers, the least ones, the ends, or products that nearly cancel."""

    def draw(fmt, shape):
        v = fmt.values()
        middle = len(v) // 2
        kept = {"least": v[max(middle - 9, 0) : middle + 9], "ends": np.concatenate([v[:3], v[-3:]])}.get(kind, v)
        return rng.choice(kept, shape)

    a, w, bias = draw(spec.a, (m, spec.k)), draw(spec.w, (spec.k, n)), draw(spec.bias, n)
    if kind == "cancel" and spec.k > 1 and spec.w.lo == -spec.w.hi:
        half = spec.k // 2
        a[:, half : 2 * half] = a[:, :half]
        w[half : 2 * half] = -w[:half]
        bias = rng.choice(spec.bias.values()[np.argsort(np.abs(spec.bias.values()))[:5]], n)
    return a, w, bias


@pytest.mark.parametrize("kind", ["all", "least", "ends", "cancel"])
@pytest.mark.parametrize("names", FORMATS, ids="-".join)
def test_the_datapath_equals_exact_rationals(names, kind):
    for k in (1, 2, 5, 33):
        spec = spec_of(names, k, relu=k == 5 and bool(parse(names[3]).holds(0)))
        a, w, bias = operands(np.random.default_rng([k, *kind.encode()]), spec, 5, 4, kind)
        y = mac(spec, a, w, bias)
        assert y.dtype == np.int64 and spec.y.check(y).shape == (5, 4)
        assert y.tolist() == dot_products(spec, a, w, bias)


@given(st.integers(-8, 8), st.integers(-8, 8), st.integers(-20, 20), st.integers(-8, 8), st.integers(1, 40), st.data())
@settings(max_examples=200)
def test_dynamic_fixed_point_equals_shifts_of_integers(a, w, bias, y, k, data):
    """`up`, `bias_up` and `shift` are all that hardware needs."""
    spec = MacSpec(
        a=Integer(8, True, a), w=Integer(8, True, w), bias=Integer(12, True, bias), y=Integer(8, True, y), k=k
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    operand, weight, b = (rng.integers(lo, -lo, s) for lo, s in ((-128, (3, k)), (-128, (k, 3)), (-2048, 3)))
    totals = ((operand @ weight) << spec.up) + (b << spec.bias_up)
    assert min(spec.up, spec.bias_up, spec.shift) == 0
    expected = [[min(max(round(Fraction(t, 1 << spec.shift)), -128), 127) for t in row] for row in totals.tolist()]
    assert mac(spec, operand, weight, b).tolist() == expected


def test_one_rounding():
    """3/4 * 3/4 + 3/16 = 3/4: rounded to quarters before the bias is added, it would be 1/2 + 1/4 or 1/2 + 0."""
    names = "int8e-2", "int8e-2", "int8e-4", "int8e-1"
    spec = spec_of(names, 1)
    assert (spec.up, spec.bias_up, spec.shift) == (0, 0, 3)
    assert mac(spec, *map(np.array, ([[3]], [[3]], [3]))).item() == 2  # 1.5 halves, a tie
    assert mac(spec, *map(np.array, ([[3]], [[3]], [2]))).item() == 1


@pytest.mark.parametrize(
    ("names", "k", "shifts", "widths"),
    [
        (("int8e-4",) * 4, 1, (0, 4, 4), (16, 16)),
        (("int8e-4",) * 4, 4, (0, 4, 4), (18, 18)),
        (("uint8e-8", "int4e-3", "int16e-20", "int4e2"), 10, (9, 0, 22), (16, 25)),
        (("int8e-3", "pow2_4", "int8e-2", "int8e-2"), 1, (0, 9, 9), (16, 18)),
        (("ternary", "ternary", "int4", "int8"), 7, (0, 0, 0), (4, 5)),
        (("mini_e4m3", "mini_e4m3", "mini_e4m3", "mini_e4m3"), 1, (0, 10, 10), (39, 39)),
    ],
)
def test_shifts_and_widths(names, k, shifts, widths):
    spec = spec_of(names, k)
    assert (spec.up, spec.bias_up, spec.shift) == shifts
    assert (spec.acc_width, spec.total_width) == widths


@pytest.mark.parametrize("names", FORMATS, ids="-".join)
def test_the_widths_hold_the_greatest_sums_and_no_fewer_do(names):
    spec = spec_of(names, 3)
    products = [int(x) * int(y) for x in (spec.a.lo, spec.a.hi) for y in (spec.w.lo, spec.w.hi)]
    assert spec.products == (min(products), max(products))
    totals = [(3 * p << spec.up) + (b << spec.bias_up) for p in products for b in (spec.bias.lo, spec.bias.hi)]
    assert spec.total_lo == min(totals) and spec.total_hi == max(totals)
    for width, values in ((spec.acc_width, [3 * p for p in products]), (spec.total_width, totals)):
        assert all(-(1 << (width - 1)) <= v < 1 << (width - 1) for v in values)
        assert not all(-(1 << (width - 2)) <= v < 1 << (width - 2) for v in values)


def test_biases_of_64_bits_keep_their_last_bit():
    """A tie that only the 63rd bit of the bias breaks."""
    spec = MacSpec(a=parse("int8"), w=parse("int8"), bias=parse("int64e-50"), y=parse("int16"), k=1)
    zero = np.zeros((1, 1), int)
    for bias, expected in ((2**62 + 2**49, 4096), (2**62 + 2**49 + 1, 4097), (-(2**63), -8192), (3 << 49, 2)):
        assert mac(spec, zero, zero, np.array([bias])).item() == expected
    assert mac(spec, zero + 1, zero + 1, np.array([2**62 + 2**49 - (1 << 50)])).item() == 4096


def test_long_sums_of_wide_minifloats():
    """Three limbs: sums of 9216 products of 84 bits, fully connected layers of CaffeNet in 16-bit minifloats."""
    spec = spec_of(("mini_e5m10",) * 4, 9216)
    rng = np.random.default_rng(6)
    a, w = (rng.choice(spec.a.values(), s) for s in ((2, spec.k), (spec.k, 2)))
    a[:, 1::2], w[1::2] = a[:, ::2], -w[::2]  # all cancels but for the last pair
    w[-1] = [5000, -3000]
    bias = rng.choice(spec.bias.values()[:9], 2)
    assert mac(spec, a, w, bias).tolist() == dot_products(spec, a, w, bias)


@pytest.mark.parametrize("names", [("mini_e4m3",) * 4, ("int8e-4",) * 4, ("int8e-3", "pow2_4", "int8e-2", "int8e-2")])
def test_sums_in_fp32_that_need_no_rounding_are_exact(names):
    """Sums below 2**24 units of 2**-8 and the like."""
    exact_spec, spec = (spec_of(names, 40, accumulate=name, relu=True) for name in ("exact", "fp32"))
    rng = np.random.default_rng(7)
    near = [fmt.values()[np.abs(fmt.values()) < 64] for fmt in (spec.a, spec.w, spec.bias)]
    a, w, bias = (rng.choice(v, s) for v, s in zip(near, ((6, 40), (40, 5), 5), strict=True))
    np.testing.assert_array_equal(mac(spec, a, w, bias), mac(exact_spec, a, w, bias))


def test_operands_beyond_fp32_have_products_within():
    spec = spec_of(("int8e127", "int8e-128", "int8e-3", "int16e-3"), 2, accumulate="fp32")
    y = mac(spec, np.array([[127, -128]]), np.array([[127], [100]]), np.array([5]))
    assert y.item() == (127 * 127 - 12800) * 4 + 5


def test_sums_in_fp32_lose_what_falls_off():
    """480**2 + 2**-14 * 2.25 - 480**2: the product in the middle is lost in FP32, but not in exact sums."""
    small, great = 12, 491520  # in units of 2**-10
    a, w, bias = np.array([[great, small, great]]), np.array([[great], [small], [-great]]), np.array([0])
    names = "mini_e4m3", "mini_e4m3", "mini_e4m3", "mini_e5m2"
    y = parse("mini_e5m2").nearest(np.array(144 * 2.0**-20)).item()
    for accumulate, expected in (("exact", y), ("fp32", 0), ("fp32x1", 0), ("fp32x2", 0)):
        assert mac(spec_of(names, 3, accumulate=accumulate), a, w, bias).item() == expected
    assert y > 0


def test_ristretto_fixed_point():
    """8-bit weights [4.4] times activations [4.4], a 16-bit product [8.8], and results that saturate."""
    q = fixed(4, 4)
    spec = MacSpec(a=q, w=q, bias=q, y=q, k=2)
    assert (spec.sum_exponent, spec.shift) == (-8, 4)
    y = mac(spec, np.array([[16, 32], [-128, 127]]), np.array([[8, 127], [8, -128]]), np.array([1, 0]))
    # 1 * .5 + 2 * .5 + 1/16 = 25/16; 1 * 127/16 - 2 * 8 = -129/16; (-8 + 127/16) / 2 + 1/16 = 1/32, a tie
    assert y.tolist() == [[25, -128], [0, -128]]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "K must be at least 1, not 0"),
        ({"relu": 1}, "relu must be true or false, not 1"),
        ({"relu": True, "y": "pow2_4"}, "relu needs results with a zero, not pow2_4"),
        ({"accumulate": "fp16"}, "accumulate must be exact, fp32 .* not 'fp16'"),
        (
            {"a": "int16", "w": "int16", "accumulate": "fp32"},
            "products of int16 and int16 have 30 significant bits; sums in FP32 allow 24",
        ),
        ({"bias": "int26", "accumulate": "fp32"}, "biases of int26 have 25 significant bits; sums in FP32 allow 24"),
        (
            {"a": "int8e-70", "w": "int8e-60", "accumulate": "fp32"},
            r"sums in FP32 must be from units of 2\*\*-126 to 2\*\*127, not from 2\*\*-130 to",
        ),
        ({"a": "int8e60", "w": "int8e60", "accumulate": "fp32"}, r"sums in FP32 must be .* to 2\*\*138"),
        (
            {"a": "int64", "w": "int64"},
            r"sums of 9 products of int64 and int64 and biases of int8 in units of 2\*\*0 need 131 bits; allowed: 103",
        ),
        ({"y": "int8e-120"}, r"in units of 2\*\*-120 need 139 bits; allowed: 103"),
        (
            {"a": "fp16", "w": "fp16", "bias": "fp16", "y": "int56"},
            "sums of .* bits cannot be rounded to int56; allowed: 54, or integers of at most 51",
        ),
        ({"a": "fp16", "w": "fp16", "bias": "fp16", "y": "pow2_4"}, "sums of .* bits cannot be rounded to pow2_4"),
        (
            {"a": "fp16", "w": "fp16", "k": 1 << 30},
            "sums of 1073741824 products are too long for golden; allowed: K up to",
        ),
    ],
)
def test_specs_golden_cannot_compute_are_refused(settings, message):
    fields = {"a": "int8", "w": "int8", "bias": "int8", "y": "int8", "k": 9} | settings
    fields |= {role: parse(fields[role]) for role in ("a", "w", "bias", "y")}
    with pytest.raises(InputError, match=message) as refusal:
        MacSpec(**fields)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"a": np.zeros((2, 4), int)},
            r"a, w and bias must be \[M, 3\], \[3, N\] and \[N\], not \[2, 4\], \[3, 2\], \[2\]",
        ),
        ({"bias": np.zeros(3, int)}, r"not \[2, 3\], \[3, 2\], \[3\]"),
        ({"bias": np.zeros((1, 2), int)}, r"not \[2, 3\], \[3, 2\], \[1, 2\]"),
        ({"a": np.zeros(3, int)}, r"not \[3\]"),
        ({"a": np.full((2, 3), 1)}, "a holds 1, which mini_e4m3 cannot represent"),
        ({"w": np.full((3, 2), 3)}, "w holds 3, which pow2_4 cannot represent"),
        ({"bias": np.full(2, 128)}, r"bias holds 128, which int8 \(-128 to 127\)"),
        ({"bias": np.zeros(2)}, "bias must be an array of integers, not float64"),
    ],
)
def test_operands_that_do_not_fit_are_refused(change, message):
    spec = spec_of(("mini_e4m3", "pow2_4", "int8", "int8"), 3)
    arrays = {"a": np.zeros((2, 3), int), "w": np.ones((3, 2), int), "bias": np.zeros(2, int)} | change
    with pytest.raises(InputError, match=message):
        mac(spec, **arrays)
