"""Pooling against torch's, and against exact rationals where torch has no such rule."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.pool import DIVISORS, average_pool, counts, denominator, max_pool
from golden.window import Window

functional = torch.nn.functional


@st.composite
def cases(draw, halves=True):
    """A window and an image; with `halves`, padding of at most half the kernel, which is all that torch takes."""
    kernel = draw(st.tuples(*[st.integers(1, 4)] * 2))
    stride = draw(st.tuples(*[st.integers(1, 4)] * 2))
    padding = tuple(draw(st.integers(0, k // 2 if halves else k - 1)) for k in kernel)
    size = [draw(st.integers(max(1, k - 2 * p), 10)) for k, p in zip(kernel, padding, strict=True)]
    window = Window(kernel=kernel, stride=stride, padding=padding, ceil_mode=draw(st.booleans()))
    lo, dtype = draw(st.sampled_from([(0, np.uint8), (-128, np.int8), (-(1 << 31), np.int32)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(lo, np.iinfo(dtype).max, (2, 3, *size), endpoint=True, dtype=dtype)
    return window, np.where(rng.random(x.shape) < 0.2, dtype(lo), x)


def settings_of(window):
    return window.kernel, window.stride, window.padding, window.ceil_mode


@given(cases())
@settings(max_examples=300)
def test_max_pool_equals_torch(case):
    window, x = case
    y = max_pool(window, x)
    kernel, stride, padding, ceil_mode = settings_of(window)
    expected = functional.max_pool2d(torch.tensor(x).double(), kernel, stride, padding, ceil_mode=ceil_mode)
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, expected.numpy())


@given(cases())
@settings(max_examples=300)
def test_averages_equal_torch(case):
    window, x = case
    kernel, stride, padding, ceil_mode = settings_of(window)
    x = np.clip(x, -(1 << 20), 1 << 20)
    for divisor in ("padded", "image"):
        scale = denominator(window, x.shape[2:], divisor)
        expected = functional.avg_pool2d(
            torch.tensor(x).double(), kernel, stride, padding, ceil_mode, count_include_pad=divisor == "padded"
        )
        np.testing.assert_array_equal(average_pool(window, x, divisor), np.rint(expected.numpy() * scale))
    sums = functional.avg_pool2d(torch.tensor(x).double(), kernel, stride, padding, ceil_mode, divisor_override=1)
    np.testing.assert_array_equal(average_pool(window, x), sums.numpy())
    assert denominator(window, x.shape[2:], "window") == kernel[0] * kernel[1]


def inside(window, size, i, j):
    """Rows and columns of the padded plane that window (i, j) covers, and which pixels of them are in the image."""
    rows = [i * window.stride[0] - window.padding[0] + u for u in range(window.kernel[0])]
    cols = [j * window.stride[1] - window.padding[1] + v for v in range(window.kernel[1])]
    return [(r, c) for r in rows for c in cols if 0 <= r < size[0] and 0 <= c < size[1]]


@given(cases(halves=False))
@settings(max_examples=150)
def test_pools_of_any_padding_equal_exact_rationals(case):
    window, x = case
    size = x.shape[2:]
    greatest, averages = max_pool(window, x), average_pool(window, x, "image")
    scale = denominator(window, size, "image")
    for i, j in np.ndindex(*window.size(*size)):
        pixels = [int(x[1, 2, r, c]) for r, c in inside(window, size, i, j)]
        assert greatest[1, 2, i, j] == max(pixels)
        assert Fraction(int(averages[1, 2, i, j]), scale) == Fraction(sum(pixels), len(pixels))


def test_the_three_divisors_of_one_window():
    """A kernel of 3 in steps of 2 over 4 pixels padded with 1, rounded up: windows at -1, 1 and 3."""
    window = Window(kernel=3, stride=2, padding=1, ceil_mode=True)
    for divisor, along in {"window": [3, 3, 3], "padded": [3, 3, 2], "image": [2, 3, 1]}.items():
        np.testing.assert_array_equal(counts(window, (4, 4), divisor), np.multiply.outer(along, along))
    assert [denominator(window, (4, 4), divisor) for divisor in DIVISORS] == [9, 36, 36]


def test_sums_do_not_wrap_in_a_narrow_dtype():
    x = np.full((1, 1, 4, 4), 255, np.uint8)
    assert average_pool(Window(kernel=4), x).item() == 16 * 255


def test_wrong_settings_are_refused():
    x = np.zeros((1, 1, 4, 4), np.uint8)
    with pytest.raises(InputError, match="divisor must be one of window, padded, image, not 'inside'"):
        average_pool(Window(kernel=2), x, "inside")
    message = r"padding of a pool must be less than its kernel, not \(0, 2\) for \(3, 2\)"
    for pool in (max_pool, average_pool):
        with pytest.raises(InputError, match=message):
            pool(Window(kernel=(3, 2), padding=(0, 2)), x)
