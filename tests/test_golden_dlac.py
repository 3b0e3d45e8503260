"""What the grid computes against dense products, plain loops and NumPy's float32."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden.dlac import NOT_FINITE, Tiling, cycles, products, run
from golden.dlac_grid import SKIPS, GridShape
from golden.dlac_program import ADD, BUFFER, IMMEDIATE, Instruction
from golden.float_gemm import FloatGemmSpec, float_gemm
from golden.formats import parse

FP32 = parse("fp32")
SMALL = {"rows": 2, "cols": 1, "pixels": 2, "filters": 3, "depth": 2}


def numbers(rng, fmt, shape, zeros=0.4):
    """Random numbers of all magnitudes near 1, some of them zeros of both signs."""
    x = rng.normal(size=shape) * 2.0 ** rng.integers(-4, 5, shape)
    return fmt.decode(fmt.encode(np.where(rng.random(shape) < zeros, rng.choice([0.0, -0.0], shape), x)))


def same(x, y):
    return np.array_equal(x, y) and np.array_equal(np.signbit(x), np.signbit(y))


@pytest.mark.parametrize("skip", SKIPS)
@pytest.mark.parametrize("name", ["fp32", "fp16", "ieee_e4m3"])
@pytest.mark.parametrize("ternary", [False, True])
def test_skipping_changes_no_bit(name, skip, ternary):
    fmt, rng = parse(name), np.random.default_rng(3)
    a = numbers(rng, fmt, (7, 30))
    w = rng.integers(-1, 2, (30, 5)) if ternary else numbers(rng, fmt, (30, 5))
    spec = FloatGemmSpec(a=fmt, w=parse("ternary") if ternary else fmt, k=30, accumulate=fmt)
    dense = float_gemm(spec, a, w)
    found = products(GridShape(skip=skip, ternary=ternary), fmt, a, w)
    assert dense.all()  # the sign of a sum of 0 is another matter, see below
    assert same(found, dense) and len(np.unique(found)) >= 29


def test_sums_are_rounded_behind_every_product_in_order():
    rng = np.random.default_rng(4)
    a, w = rng.normal(size=(3, 50)).astype(np.float32), rng.integers(-1, 2, (50, 4))
    expected = np.zeros((3, 4), np.float32)
    for k in range(50):
        expected += a[:, k, None] * w[k].astype(np.float32)
    assert same(products(GridShape(), FP32, a, w), expected)
    assert not np.array_equal(expected, a[:, ::-1] @ w[::-1].astype(np.float32))


def test_a_product_of_a_skipped_zero_is_left_out_and_others_are_not():
    a, w = np.array([[np.inf, 2.0]]), np.array([[0.0, 1.0], [3.0, 0.0]])
    for skip, expected in zip(SKIPS, ([np.nan, np.inf], [np.nan, np.inf], [6, np.inf], [6, np.inf])):
        shape = GridShape(**SMALL, skip=skip, ternary=False)
        y, flags = run(shape, FP32, a, w)
        assert np.array_equal(y[0], expected, equal_nan=True) and flags.tolist() == [NOT_FINITE]
    y, flags = run(GridShape(**SMALL, ternary=False), FP32, np.array([[0.0]]), np.array([[-np.inf]]))
    assert y.tolist() == [[0]] and flags.tolist() == [NOT_FINITE]
    y, flags = run(GridShape(**SMALL, skip="none"), FP32, np.array([[np.nan, 1.0]]), np.array([[0], [-1]]))
    assert y.tolist() == [[-1]] and flags.tolist() == [NOT_FINITE]


def test_flags_are_of_the_tile_that_the_operand_comes_to():
    a, w = np.ones((5, 2)), np.ones((2, 4))
    a[4, 1], shape = np.inf, GridShape(**SMALL, ternary=False)
    assert run(shape, FP32, a, w)[1].tolist() == [0, 0, 1, 1]
    w[0, 3] = np.nan
    assert run(shape, FP32, np.ones((5, 2)), w)[1].tolist() == [0, 1, 0, 1]


def test_a_sum_that_is_minus_0_stays_where_zeros_are_skipped():
    tiny = float(parse("fp16").decode(np.array([1]))[0])
    a, w = np.array([[tiny, 0.0]]), np.array([[-tiny], [1.0]])
    for skip, negative in zip(SKIPS, (False, True, False, True)):
        found = products(GridShape(skip=skip, ternary=False), parse("fp16"), a, w)
        assert found[0, 0] == 0 and np.signbit(found[0, 0]) == negative


@given(st.integers(1, 9), st.integers(1, 7))
def test_tiles_are_split_and_joined(m, n):
    shape = GridShape(**SMALL)
    tiling, y = Tiling(shape, m, n), np.arange(1.0, m * n + 1).reshape(m, n)
    tiles = tiling.split(y)
    assert tiles.shape == (tiling.count, 2, 2, 3) and np.array_equal(tiling.join(tiles), y)
    assert tiles.sum() == y.sum()
    if m > 4 and n > 3:
        assert tiles[tiling.grid[1] + 1, 0, 0, 0] == y[4, 3]


def test_blocks_of_sums_are_independent(monkeypatch):
    rng = np.random.default_rng(5)
    a, w = numbers(rng, FP32, (9, 8)), rng.integers(-1, 2, (8, 10))
    whole = products(GridShape(), FP32, a, w)
    monkeypatch.setattr("golden.dlac.ELEMENTS", 6)
    assert same(products(GridShape(), FP32, a, w), whole)


def test_a_program_works_on_the_sums_of_every_tile():
    shape = GridShape(**SMALL)
    program = [Instruction(op=ADD, v1=BUFFER, v2=IMMEDIATE, d=d, immediate=0x3F800000).fields for d in (0, 1)]
    a, w = np.ones((5, 3)), np.ones((3, 4), int)
    y, _ = run(shape, FP32, a, w, program)
    assert np.array_equal(y, np.full((5, 4), 4))
    # a tile: products, two instructions of two steps each, two cycles until the last is written, four rows of results
    assert np.array_equal(cycles(shape, a, w, program) - cycles(shape, a, w), np.full((2, 2), 5))
