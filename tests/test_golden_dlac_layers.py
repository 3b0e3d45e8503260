"""Programs for layers against what they say, in NumPy's float32."""

import numpy as np
import pytest

from golden import dlac_layers as layers
from golden.dlac import run
from golden.dlac_grid import GridShape
from golden.dlac_program import check_program
from golden.formats import parse

FP32 = parse("fp32")
SHAPE = GridShape(rows=2, cols=2, pixels=2, filters=2)


def behind(program, a, w):
    m, n = len(a), w.shape[1]
    rows = check_program(SHAPE, FP32, program.rows)
    return run(SHAPE, FP32, a, w, rows, program.words(SHAPE, m, n))[0]


@pytest.fixture
def layer():
    rng = np.random.default_rng(7)
    a, w = rng.integers(-4, 5, (7, 6)).astype(np.float64), rng.integers(-1, 2, (6, 5))
    gamma, beta, x = (rng.normal(size=size).astype(np.float32) for size in (5, 5, (7, 5)))
    return a, w, (a @ w).astype(np.float32), gamma, beta, x


def test_layers(layer):
    a, w, y, gamma, beta, x = layer
    assert np.array_equal(behind(layers.Program(), a, w), y)
    assert np.array_equal(behind(layers.bias(SHAPE, beta), a, w), y + beta)
    assert np.array_equal(behind(layers.residual(SHAPE, x), a, w), y + x)
    assert np.array_equal(behind(layers.rectify(SHAPE, FP32), a, w), np.maximum(y, 0))
    assert np.array_equal(behind(layers.rectify(SHAPE, FP32, 2), a, w), np.where(y > 2, y, 0))
    assert np.array_equal(behind(layers.rectify_backward(SHAPE, FP32, x), a, w), np.where(x > 0, y, 0))
    assert np.array_equal(behind(layers.scale(SHAPE, FP32, 0.1), a, w), y * np.float32(0.1))
    exact = np.longdouble(y) * gamma + beta  # of so small integers
    assert np.array_equal(behind(layers.batch_norm(SHAPE, gamma, beta), a, w), exact.astype(np.float32))
    exact = np.longdouble(y) * np.float32(-0.01) + x
    assert np.array_equal(behind(layers.combine(SHAPE, FP32, -0.01, x), a, w), exact.astype(np.float32))


def test_programs_are_executed_one_after_the_other(layer):
    a, w, y, gamma, beta, x = layer
    program = layers.batch_norm(SHAPE, gamma, beta) + layers.residual(SHAPE, x) + layers.rectify(SHAPE, FP32)
    normal = (np.longdouble(y) * gamma + beta).astype(np.float32)
    assert np.array_equal(behind(program, a, w), np.maximum(normal + x, 0))
