"""Floating-point matrix products, step by step: order of the sums, ternary weights, what is not finite."""

import numpy as np
import pytest
from float_oracle import Oracle

from golden.errors import InputError
from golden.float_gemm import FloatGemmSpec, float_gemm
from golden.formats import parse


def codes_of(fmt, rng, shape):
    return rng.integers(0, 1 << fmt.width, shape)


@pytest.mark.parametrize("name", ["ieee_e4m3", "finite_e5m2_ftz", "ieee_e3m1"])
def test_small_formats_step_by_step(name):
    fmt, rng = parse(name), np.random.default_rng(0)
    oracle, spec = Oracle.of(fmt), FloatGemmSpec(a=fmt, w=fmt, k=6, accumulate=fmt)
    a, w, start = codes_of(fmt, rng, (40, 6)), codes_of(fmt, rng, (6, 30)), codes_of(fmt, rng, (40, 30))
    for given in (None, start):
        found = fmt.encode(float_gemm(spec, fmt.decode(a), fmt.decode(w), None if given is None else fmt.decode(given)))
        for i in range(40):
            for j in range(30):
                total = 0 if given is None else int(given[i, j])
                for k in range(6):
                    total = oracle.fma(int(a[i, k]), int(w[k, j]), total)
                assert oracle.nan in (found[i, j], total) or found[i, j] == total
                assert (found[i, j] == oracle.nan) == (total == oracle.nan)


def test_each_sum_is_rounded_in_order():
    fp16 = parse("fp16")
    spec = FloatGemmSpec(a=fp16, w=fp16, k=3, accumulate=fp16)
    a = np.array([[2048.0, 1.0, 1.0], [1.0, 1.0, 2048.0]])
    assert float_gemm(spec, a, np.ones((3, 1))).tolist() == [[2048.0], [2050.0]]
    wide = FloatGemmSpec(a=fp16, w=fp16, k=3, accumulate=parse("fp32"))
    assert float_gemm(wide, a, np.ones((3, 1))).tolist() == [[2050.0], [2050.0]]


@pytest.mark.parametrize(("m", "n"), [(300, 200), (1, 40_000), (40_000, 1), (0, 3)])
def test_blocks_make_no_difference(m, n):
    """fp32 sums of fp32 products, that round: equal to a plain loop whatever the shape."""
    fp16, fp32, rng = parse("fp16"), parse("fp32"), np.random.default_rng(1)
    a, w = (fp16.numbers(rng.standard_normal(shape)) for shape in ((m, 5), (5, n)))
    found = float_gemm(FloatGemmSpec(a=fp16, w=fp16, k=5, accumulate=fp32), a, w)
    expected = np.zeros((m, n), np.float32)
    for k in range(5):  # products of fp16 are exact in fp32
        expected += a[:, k : k + 1].astype(np.float32) * w[k].astype(np.float32)
    np.testing.assert_array_equal(found, expected)


def test_ternary_weights_add_subtract_or_do_nothing():
    fp16, rng = parse("fp16"), np.random.default_rng(2)
    spec = FloatGemmSpec(a=fp16, w=parse("ternary"), k=9, accumulate=fp16)
    a, w = fp16.numbers(rng.standard_normal((20, 9)) * 100), rng.integers(-1, 2, (9, 10))
    a[3, 4] = np.inf
    a[7, 2] = np.nan
    found = float_gemm(spec, a, w)
    expected = np.zeros((20, 10), np.float16)
    for k in range(9):
        for j in range(10):
            if w[k, j]:
                expected[:, j] += np.float16(w[k, j]) * a[:, k].astype(np.float16)
    np.testing.assert_array_equal(found, expected)
    assert np.isnan(found[7]).any() and np.isfinite(found[7, w[2] == 0]).all()
    minus = np.full((1, 1), -0.0)
    one = FloatGemmSpec(a=fp16, w=parse("ternary"), k=1, accumulate=fp16)
    assert np.signbit(float_gemm(one, np.zeros((1, 1)), np.zeros((1, 1), int), minus))[0, 0]  # changes nothing
    assert not np.signbit(float_gemm(one, np.zeros((1, 1)), np.ones((1, 1), int), minus))[0, 0]


def test_what_cannot_be_computed_is_refused():
    fp32 = parse("fp32")
    with pytest.raises(InputError, match="w must be a float or ternary, not int8"):
        FloatGemmSpec(a=fp32, w=parse("int8"), k=1, accumulate=fp32)
    with pytest.raises(InputError, match="a must be a float, not ternary"):
        FloatGemmSpec(a=parse("ternary"), w=fp32, k=1, accumulate=fp32)
    with pytest.raises(InputError, match="K must be at least 1, not 0"):
        FloatGemmSpec(a=fp32, w=fp32, k=0, accumulate=fp32)
    spec = FloatGemmSpec(a=fp32, w=fp32, k=2, accumulate=fp32)
    with pytest.raises(InputError, match=r"a and w must be \[M, 2\] and \[2, N\], not \[3, 1\] and \[2, 4\]"):
        float_gemm(spec, np.zeros((3, 1)), np.zeros((2, 4)))
    with pytest.raises(InputError, match=r"start must be \[3, 4\], not \[3, 1\]"):
        float_gemm(spec, np.zeros((3, 2)), np.zeros((2, 4)), np.zeros((3, 1)))
