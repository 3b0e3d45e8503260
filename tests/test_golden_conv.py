"""Convolution against torch's, in float64 that holds every sum."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.conv import convolve, lower, lower_weights, raise_
from golden.formats import parse
from golden.gemm import Exact, GemmSpec, bound, gemm
from golden.window import Window


def torch_conv(x, w, window):
    x, w = torch.tensor(x.astype(np.float64)), torch.tensor(w.astype(np.float64))
    return torch.nn.functional.conv2d(x, w, stride=window.stride, padding=window.padding).numpy()


@st.composite
def cases(draw):
    kernel, stride, padding = (draw(st.tuples(*[st.integers(lo, hi)] * 2)) for lo, hi in ((1, 4), (1, 9), (0, 4)))
    size = [draw(st.integers(max(1, k - 2 * p), 9)) for k, p in zip(kernel, padding, strict=True)]
    n, c, m = draw(st.integers(1, 3)), draw(st.integers(1, 4)), draw(st.integers(1, 5))
    names = draw(st.tuples(st.sampled_from(["uint8", "int8", "uint4"]), st.sampled_from(["ternary", "int8", "binary"])))
    extreme, seed = draw(st.booleans()), draw(st.integers(0, 2**32 - 1))
    return Window(kernel=kernel, stride=stride, padding=padding), (n, c, *size), (m, c, *kernel), names, extreme, seed


@given(cases())
@settings(max_examples=200)
def test_convolution_equals_torch_whichever_way_it_is_computed(case):
    window, x_shape, w_shape, names, extreme, seed = case
    rng, (a, w_format) = np.random.default_rng(seed), (parse(name) for name in names)
    draw = (lambda f, s: rng.choice([f.lo, f.hi], s)) if extreme else (lambda f, s: rng.integers(f.lo, f.hi + 1, s))
    x = draw(a, x_shape).astype(a.dtype)
    w = (rng.choice([-1, 1], w_shape) if w_format.name == "binary" else draw(w_format, w_shape)).astype(w_format.dtype)
    spec = GemmSpec(a=a, w=w_format, k=w[0].size, accumulate=Exact(32))
    expected = torch_conv(x, w, window)

    sums = gemm(spec, lower(window, x), lower_weights(w))
    np.testing.assert_array_equal(raise_(sums, window.size(*x_shape[2:])), expected)

    limit = bound(spec, lower_weights(w))
    np.testing.assert_array_equal(convolve(window, x, w, limit), expected)
    images_innermost = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
    np.testing.assert_array_equal(convolve(window, images_innermost, w, limit), expected)


@given(cases(), st.integers(0, 15))
@settings(max_examples=60)
def test_what_pads_may_be_any_number(case, fill):
    window, x_shape, w_shape, _, _, seed = case
    rng = np.random.default_rng(seed)
    x, w = rng.integers(0, 16, x_shape, dtype=np.uint8), rng.integers(-8, 8, w_shape, dtype=np.int8)
    down, across = window.padding
    padded = torch.nn.functional.pad(torch.tensor(x.astype(float)), (across, across, down, down), value=fill)
    expected = torch.nn.functional.conv2d(padded, torch.tensor(w.astype(float)), stride=window.stride).numpy()
    np.testing.assert_array_equal(convolve(window, x, w, 15 * 8 * w[0].size, fill), expected)
    sums = lower(window, x, fill).astype(int) @ lower_weights(w)
    np.testing.assert_array_equal(raise_(sums, window.size(*x_shape[2:])), expected)


def test_patches_run_through_channel_then_row_then_column():
    x = np.arange(2 * 2 * 3 * 3).reshape(2, 2, 3, 3)
    patches = lower(Window(kernel=2), x)
    assert patches.shape == (8, 8)
    assert patches[0].tolist() == [0, 1, 3, 4, 9, 10, 12, 13]  # image 0, top left
    assert patches[1].tolist() == [1, 2, 4, 5, 10, 11, 13, 14]  # one column right
    assert patches[4].tolist() == [18, 19, 21, 22, 27, 28, 30, 31]  # image 1


def test_sums_past_float32_are_exact():
    """255 * 127 * 800 exceeds 2^24: torch's float32 is not enough, golden's sums are."""
    x, w = np.full((1, 32, 5, 5), 255, np.uint8), np.full((1, 32, 5, 5), 127, np.int8)
    x[0, 0, 0, 0] = 254
    spec = GemmSpec(a=parse("uint8"), w=parse("int8"), k=800)
    assert convolve(Window(kernel=5), x, w, bound(spec, lower_weights(w))).item() == 255 * 127 * 800 - 127
