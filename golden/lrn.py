"""Local response normalisation across channels: a float operation between integers."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError

__all__ = ["LrnSpec", "lrn"]


@dataclass(frozen=True, kw_only=True)
class LrnSpec:
    """``y[c] = x[c] / (k + alpha / size * sum of x[i]**2)**beta``, i from ``c - size // 2`` for `size` channels.

    In float64; channels that are not there count as 0.

    Parameters
    ----------
    size : int
        Channels in the sum, at least 1.
    alpha, beta, k : float

    Source: Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, section 3.3, with the
    sum's mean as in Caffe and torch. Gysel, Ristretto, section 2.2, keeps it in floating point.
    """

    size: int
    alpha: float
    beta: float
    k: float

    def __post_init__(self):
        if type(self.size) is not int or self.size < 1:
            raise InputError(f"size of a normalisation must be at least 1, not {self.size!r}")
        for what in ("alpha", "beta", "k"):
            value = getattr(self, what)
            if type(value) not in (int, float) or not np.isfinite(value) or value < 0:
                raise InputError(f"{what} of a normalisation must be a finite number of at least 0, not {value!r}")
        if self.k == 0:
            raise InputError("k of a normalisation must be above 0: a sum of 0 would divide by it")


def lrn(spec, x):
    """The normalised numbers of `x` [N, C, ...], float64."""
    x = np.asarray(x, dtype=np.float64)
    before = spec.size // 2
    pads = [(0, 0), (before, spec.size - 1 - before)] + [(0, 0)] * (x.ndim - 2)
    squares = np.pad(x * x, pads)
    sums = sum(squares[:, i : i + x.shape[1]] for i in range(spec.size))
    return x / (spec.k + spec.alpha / spec.size * sums) ** spec.beta
