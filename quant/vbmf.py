"""How many singular values of a matrix stand out of noise: the rank of empirical variational Bayes factorisation."""

import numpy as np

from golden.errors import InputError

__all__ = ["TAU", "vbmf_rank"]

TAU = 2.5129  # of the threshold of a large matrix: root of the authors' equation, times the root of its aspect
GOLDEN = (5**0.5 - 1) / 2
STEPS = 100  # of the search for the variance: an interval 1e-20 as wide


def tau(x, aspect):
    """The greater root of ``t + aspect / t + 1 + aspect = x``."""
    half = x - (1 + aspect)
    return (half + np.sqrt(np.maximum(half**2 - 4 * aspect, 0))) / 2


def free_energy(variance, squares, rows, columns, limit):
    """The part of the free energy that depends on the variance of the noise, over the number of columns."""
    aspect, x = rows / columns, squares / (columns * variance)
    low, high = x[x <= limit], x[x > limit]
    t = tau(high, aspect)
    found = np.sum(low - np.log(low)) + np.sum(high - t) + np.sum(np.log((t + 1) / high))
    return found + aspect * np.sum(np.log(t / aspect + 1))


def minimum(function, low, high):
    """Where `function` is least between two numbers, by golden sections."""
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(STEPS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = function(right)
    return (low + high) / 2


def vbmf_rank(matrix):
    """The rank, at least 1, that the global solution of empirical variational Bayes matrix factorisation keeps.

    Singular values g stay where ``g^2 > L v (1 + t) (1 + M / (L t))`` for M rows and L columns, M <= L, and
    ``t = 2.5129 (M / L)^0.5``; the variance v of the noise is where the free energy is least.

    Parameters
    ----------
    matrix : array [rows, columns]

    Raises
    ------
    InputError
        If it is no matrix of finite numbers, or all are 0.

    Source: Nakajima, Sugiyama, Babacan and Tomioka, Global Analytic Solution of Fully-observed Variational Bayesian
    Matrix Factorization, JMLR 14, 2013; taken for ranks of convolutions by Kim et al., arXiv:1511.06530.
    """
    matrix = np.asarray(matrix, np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all() or not matrix.any():
        raise InputError(f"a rank is found of a finite matrix that is not 0, not of {list(matrix.shape)}")
    rows, columns = sorted(matrix.shape)
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    squares = np.maximum(squares, squares[0] * 1e-20)  # logarithms of those that rounding alone made
    aspect = rows / columns
    t = TAU * aspect**0.5
    limit = (1 + t) * (1 + aspect / t)
    most = squares.sum() / (rows * columns)
    beyond = min(int(np.ceil(rows / (1 + aspect))) - 1, rows) - 1  # the greatest rank that can be, counted from 0
    rest = squares[max(beyond + 1, 0) :]
    least = max(rest[0] / (columns * limit), rest.mean() / columns)
    variance = minimum(lambda v: free_energy(v, squares, rows, columns, limit), min(least, most), most)
    return max(1, int(np.sum(squares > columns * variance * limit)))
