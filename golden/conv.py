"""Convolution as a matrix multiplication: ``y = A W``, a row of A for each output pixel, a column of W for each filter.

Along K, patches and filters run through input channel, then kernel row, then kernel column. `fill` is what pads.
"""

from golden.gemm import product

__all__ = ["lower", "lower_weights", "raise_", "convolve"]


def lower(window, x, fill=0):
    """A [N * OH * OW, C * KH * KW]: the patches of `x` [N, C, H, W], images first, then rows, then columns."""
    patches = window.views(x, fill).transpose(0, 2, 3, 1, 4, 5)
    n, oh, ow, c, kh, kw = patches.shape
    return patches.reshape(n * oh * ow, c * kh * kw)


def lower_weights(w):
    """W [C * KH * KW, M] of the filters `w` [M, C, KH, KW]."""
    return w.reshape(w.shape[0], -1).T


def raise_(y, size):
    """The images [N, M, OH, OW] whose pixels are the rows of `y` [N * OH * OW, M]; `size` is (OH, OW)."""
    oh, ow = size
    return y.reshape(len(y) // (oh * ow), oh, ow, y.shape[1]).transpose(0, 3, 1, 2)


def convolve(window, x, w, bound, fill=0):
    """What `lower`, an exact GEMM and `raise_` give, [N, M, OH, OW], at the speed of BLAS.

    The patches are laid out with the image number innermost, so that they are copied in long runs when `x` lies in
    memory in that order too; the result does.

    Parameters
    ----------
    x : array [N, C, H, W]
    w : array [M, C, KH, KW]
    bound : int
        No sum of magnitudes of products exceeds it.
    """
    patches = window.views(x, fill).transpose(1, 4, 5, 2, 3, 0)
    c, kh, kw, oh, ow, n = patches.shape
    y = product(w.reshape(len(w), c * kh * kw), patches.reshape(c * kh * kw, oh * ow * n), bound)
    return y.reshape(len(w), oh, ow, n).transpose(3, 0, 1, 2)
