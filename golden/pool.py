"""Pooling of integers: the greatest of a window, or its sum over a common denominator."""

import math

import numpy as np

from golden.errors import InputError

__all__ = ["DIVISORS", "max_pool", "average_pool", "counts", "denominator"]

# What an average divides by where a window reaches over the edge of the image: always the size of the kernel; the
# pixels inside the padded image (Caffe, and torch's count_include_pad); the pixels inside the image itself (ONNX).
DIVISORS = ("window", "padded", "image")


def check_pooling(window):
    """Refuse windows that could lie in the padding alone."""
    if any(padding >= kernel for padding, kernel in zip(window.padding, window.kernel, strict=True)):
        raise InputError(f"padding of a pool must be less than its kernel, not {window.padding} for {window.kernel}")


def max_pool(window, x):
    """The greatest integer in each window of `x` [N, C, H, W]; padding is never it."""
    check_pooling(window)
    return window.reduce(np.maximum, x, fill=np.iinfo(x.dtype).min)


def counts(window, size, divisor):
    """What the sum of each window is divided by, int64 [OH, OW], on an image of `size` (H, W).

    Raises
    ------
    InputError
        If `divisor` is none of `DIVISORS`.
    """
    if divisor not in DIVISORS:
        raise InputError(f"divisor must be one of {', '.join(DIVISORS)}, not {divisor!r}")
    margins = {"window": math.inf, "padded": None, "image": 0}
    axes = []
    for n, out, kernel, stride, padding in zip(
        size, window.size(*size), window.kernel, window.stride, window.padding, strict=True
    ):
        margin = padding if margins[divisor] is None else margins[divisor]
        first = np.arange(out) * stride - padding
        axes.append(np.minimum(first + kernel, n + margin) - np.maximum(first, -margin))
    return np.multiply.outer(*axes).astype(np.int64)


def denominator(window, size, divisor):
    """The least number that every one of `counts` divides: averages are integers over it."""
    return math.lcm(*np.unique(counts(window, size, divisor)).tolist())


def average_pool(window, x, divisor="window"):
    """Averages of the windows of the integers `x` [N, C, H, W], times `denominator`: int64 [N, C, OH, OW].

    Padding is zero. The division is left to the requantisation that follows, so that it is rounded once.
    """
    check_pooling(window)
    factors = denominator(window, x.shape[2:], divisor) // counts(window, x.shape[2:], divisor)
    return window.reduce(np.add, x.astype(np.int64)) * factors
