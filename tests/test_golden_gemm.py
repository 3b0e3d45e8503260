"""Matrix multiplication against Python's integers, up to the greatest sums a spec allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import parse
from golden.gemm import EXACT_BELOW, Exact, GemmSpec, bound, gemm, product

FORMATS = ["uint1", "uint4", "uint8", "uint16", "int1", "int2", "int5", "int8", "int16", "int32", "ternary", "binary"]


def python_matmul(a, w):
    """``a @ w`` in Python's integers."""
    columns = list(zip(*w.tolist(), strict=True))
    return [[sum(p * q for p, q in zip(row, column, strict=True)) for column in columns] for row in a.tolist()]


def drawn(format, shape, rng, extreme):
    """Integers of `format`; with `extreme`, only its limits."""
    if extreme or format.name == "binary":
        return rng.choice([format.lo, format.hi], shape)
    return rng.integers(format.lo, format.hi, shape, endpoint=True)


@given(
    st.sampled_from(FORMATS),
    st.sampled_from(FORMATS),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=300)
def test_gemm_equals_python_integers(a_name, w_name, sizes, extreme, seed):
    m, k, n = sizes
    a_format, w_format, rng = parse(a_name), parse(w_name), np.random.default_rng(seed)
    accumulate = Exact(64)
    k = min(k, GemmSpec(a=a_format, w=w_format, k=1, accumulate=accumulate).longest)
    spec = GemmSpec(a=a_format, w=w_format, k=k, accumulate=accumulate)
    a, w = drawn(a_format, (m, k), rng, extreme), drawn(w_format, (k, n), rng, extreme)
    y = gemm(spec, a, w)
    assert y.dtype == np.int64 and y.tolist() == python_matmul(a, w)
    narrow = gemm(spec, a.astype(a_format.dtype), w.astype(w_format.dtype))
    np.testing.assert_array_equal(narrow, y)


@pytest.mark.parametrize(
    ("a_name", "w_name", "width"),
    [("uint8", "ternary", 20), ("uint8", "int8", 24), ("int8", "int8", 24), ("int8", "binary", 18)]
    + [("uint4", "int2", 13)]
    + [("uint16", "ternary", 26), ("int16", "int16", 40), ("uint1", "ternary", 12), ("binary", "binary", 12)]
    + [("uint8", "int8", 27), ("int32", "int16", 56), ("int32", "int32", 64)],
)
def test_the_longest_sums_reach_the_accumulator_s_limit_and_no_further(a_name, w_name, width):
    a_format, w_format, accumulate = parse(a_name), parse(w_name), Exact(width)
    k = GemmSpec(a=a_format, w=w_format, k=1, accumulate=accumulate).longest
    spec = GemmSpec(a=a_format, w=w_format, k=k, accumulate=accumulate)
    with pytest.raises(InputError, match=f"sums of {k + 1} products .* allowed: K up to {k}$"):
        GemmSpec(a=a_format, w=w_format, k=k + 1, accumulate=accumulate)
    limits = [(x, y) for x in (a_format.lo, a_format.hi) for y in (w_format.lo, w_format.hi)]
    reached = []
    for x, y in limits:
        (found,) = gemm(spec, np.full((1, k), x), np.full((k, 1), y)).tolist()
        assert found == [k * x * y]
        reached += found
    assert (min(reached), max(reached)) == (spec.lo, spec.hi)
    assert accumulate.lo <= spec.lo and spec.hi <= accumulate.hi
    assert spec.lo + min(0, spec.products[0]) < accumulate.lo or spec.hi + spec.products[1] > accumulate.hi


@pytest.mark.parametrize("limit", [*EXACT_BELOW.values(), 1 << 31])
def test_sums_on_both_sides_of_each_change_of_arithmetic(limit):
    """Odd sums next to a limit need every bit of the float below it, and one more above it."""
    for total in (limit - 1, limit, limit + 1, limit + 3):
        a, w = np.array([[total - 2, 1, 1]]), np.array([[1, -1], [1, 0], [1, 0]])
        assert product(a, w, total).tolist() == [[total, 2 - total]]
        assert product(a.T, w[:1, :], total).tolist() == [[total - 2, 2 - total], [1, -1], [1, -1]]
        assert product(a, w, total).dtype == (np.int32 if total < 1 << 31 else np.int64)


def test_a_product_long_enough_for_all_of_blas_s_threads():
    rng = np.random.default_rng(4)
    a, w = rng.integers(0, 256, (512, 1024), dtype=np.uint8), rng.integers(-1, 2, (1024, 512), dtype=np.int8)
    y = product(a, w, 255 * 1024)
    rows, columns = rng.integers(0, 512, 20), rng.integers(0, 512, 20)
    np.testing.assert_array_equal(y[rows, columns], (a[rows].astype(int) * w.T[columns]).sum(axis=1))


def test_bound_is_the_greatest_column_of_magnitudes():
    spec = GemmSpec(a=parse("int8"), w=parse("ternary"), k=3)
    w = np.array([[1, 0, -1], [-1, 0, -1], [0, 0, -1]], dtype=np.int8)
    assert bound(spec, w) == 3 * 128 and bound(spec, w, axis=1) == 2 * 128
    assert bound(GemmSpec(a=parse("uint8"), w=parse("int8"), k=2), np.full((2, 1), -128, np.int8)) == 2 * 128 * 255


def test_lenet_fits_32_bits_and_the_refusal_says_what_does():
    spec = GemmSpec(a=parse("uint8"), w=parse("ternary"), k=800)
    assert (spec.lo, spec.hi, spec.y.name) == (-204000, 204000, "int32")
    assert spec.longest == (2**31 - 1) // 255
    units = GemmSpec(a=parse("uint8e-8"), w=parse("int8e-3"), k=1)
    assert units.y.name == "int32e-11"


@pytest.mark.parametrize("width", [1, 65, 0, -3])
def test_accumulators_of_other_widths_are_refused(width):
    with pytest.raises(InputError, match=f"accumulator width must be 2 to 64, not {width}"):
        Exact(width)


@pytest.mark.parametrize(
    ("a", "w", "message"),
    [
        (np.ones((2, 4), int), np.ones((3, 2), int), r"must be \[M, 3\] and \[3, N\], not \[2, 4\] and \[3, 2\]"),
        (np.ones((2, 3), int), np.ones((4, 2), int), r"not \[2, 3\] and \[4, 2\]"),
        (np.ones(3, int), np.ones((3, 2), int), r"not \[3\] and \[3, 2\]"),
        (np.ones((2, 3)), np.ones((3, 2), int), "a must be an array of integers, not float64"),
        (np.full((2, 3), 256), np.ones((3, 2), int), "a holds 256, which uint8 "),
        (np.ones((2, 3), int), np.full((3, 2), -2), "w holds -2, which ternary "),
    ],
)
def test_wrong_operands_are_refused(a, w, message):
    with pytest.raises(InputError, match=message):
        gemm(GemmSpec(a=parse("uint8"), w=parse("ternary"), k=3), a, w)


def test_k_must_be_positive():
    with pytest.raises(InputError, match="K must be at least 1, not 0"):
        GemmSpec(a=parse("uint8"), w=parse("ternary"), k=0)
