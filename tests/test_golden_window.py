"""Window geometry against torch's output sizes and against indexing one pixel at a time."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.window import Window

axes = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.booleans())


def fits(n, kernel, padding):
    return n + 2 * padding >= kernel and 2 * padding <= kernel


@given(axes, axes)
@settings(max_examples=300)
def test_size_equals_torch(vertical, horizontal):
    (h, kh, sh, ph, ceil_mode), (w, kw, sw, pw, _) = vertical, horizontal
    if not (fits(h, kh, ph) and fits(w, kw, pw)):
        return
    window = Window(kernel=(kh, kw), stride=(sh, sw), padding=(ph, pw), ceil_mode=ceil_mode)
    x = torch.zeros(1, 1, h, w)
    pooled = torch.nn.functional.max_pool2d(x, (kh, kw), (sh, sw), (ph, pw), ceil_mode=ceil_mode)
    assert window.size(h, w) == tuple(pooled.shape[2:])


def pixel(x, n, c, row, col, fill):
    inside = 0 <= row < x.shape[2] and 0 <= col < x.shape[3]
    return x[n, c, row, col] if inside else fill


@given(axes, axes, st.integers(0, 1000))
@settings(max_examples=100)
def test_views_are_the_pixels_under_the_window(vertical, horizontal, seed):
    (h, kh, sh, ph, ceil_mode), (w, kw, sw, pw, _) = vertical, horizontal
    if h + 2 * ph < kh or w + 2 * pw < kw:
        return
    window = Window(kernel=(kh, kw), stride=(sh, sw), padding=(ph, pw), ceil_mode=ceil_mode)
    oh, ow = window.size(h, w)
    x = np.random.default_rng(seed).integers(0, 100, (2, 1, h, w))
    views = window.views(x, fill=-7)
    assert views.shape == (2, 1, oh, ow, kh, kw)
    expected = [
        pixel(x, n, c, i * sh - ph + u, j * sw - pw + v, -7) for n, c, i, j, u, v in np.ndindex(2, 1, oh, ow, kh, kw)
    ]
    assert views.reshape(-1).tolist() == expected
    np.testing.assert_array_equal(window.reduce(np.add, x, fill=-7), views.sum(axis=(4, 5)))
    np.testing.assert_array_equal(window.reduce(np.minimum, x, fill=-7), views.min(axis=(4, 5)))


def test_reduce_does_not_change_its_operand_nor_share_its_memory():
    x = np.arange(16).reshape(1, 1, 4, 4)
    for kernel in (1, (1, 3), (3, 1), 3):
        y = Window(kernel=kernel).reduce(np.maximum, x)
        assert not np.shares_memory(x, y)
    assert x.reshape(-1).tolist() == list(range(16))


def test_an_integer_stands_for_both_axes():
    assert Window(kernel=3, stride=2, padding=1) == Window(kernel=(3, 3), stride=[2, 2], padding=(1, 1))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel": 0}, "kernel must be an integer of at least 1 or a pair of them, not 0"),
        ({"kernel": (3, 3, 3)}, r"not \(3, 3, 3\)"),
        ({"kernel": 2.0}, "kernel must be .* not 2.0"),
        ({"kernel": True}, "kernel must be .* not True"),
        ({"kernel": "3"}, "kernel must be .* not '3'"),
        ({"kernel": None}, "kernel must be .* not None"),
        ({"kernel": 3, "stride": 0}, "stride must be an integer of at least 1"),
        ({"kernel": 3, "padding": (0, -1)}, r"padding must be an integer of at least 0 .* not \(0, -1\)"),
        ({"kernel": 3, "ceil_mode": 1}, "ceil_mode must be true or false, not 1"),
    ],
)
def test_other_settings_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        Window(**settings)


def test_an_image_smaller_than_the_kernel_is_refused():
    with pytest.raises(InputError, match="a kernel of 5 does not fit 2 pixels padded with 1 on both sides"):
        Window(kernel=5, padding=1).size(9, 2)
