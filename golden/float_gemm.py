"""Matrix multiplication in floating point, each sum in order of k: what an array of fused multiply-adders computes."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.float_arithmetic import add, fused
from golden.formats import Float, Ternary

__all__ = ["FloatGemmSpec", "float_gemm"]

ELEMENTS = 1 << 14  # sums at a time, so that they stay in the cache


@dataclass(frozen=True, kw_only=True)
class FloatGemmSpec:
    """``y[m, n] = s[K]``, where ``s[0]`` is +0 or given and ``s[k+1] = round(a[m, k] * w[k, n] + s[k])``, k ascending.

    With ternary weights ``s[k+1] = round(s[k] + a[m, k])`` or ``round(s[k] - a[m, k])``; a weight of 0 changes nothing,
    neither the sign of a zero nor with an activation that is infinite or NaN.

    Parameters
    ----------
    a : Float
    w : Float or Ternary
    k : int
        Products in a sum, at least 1.
    accumulate : Float
        Format of the sums, to which each is rounded.

    Raises
    ------
    InputError
        If a format is of another kind, or K less than 1.
    """

    a: Float
    w: Float | Ternary
    k: int
    accumulate: Float

    def __post_init__(self):
        for what, kinds in (("a", Float), ("w", (Float, Ternary)), ("accumulate", Float)):
            if not isinstance(getattr(self, what), kinds):
                or_ternary = " or ternary" if what == "w" else ""
                raise InputError(f"{what} must be a float{or_ternary}, not {getattr(self, what)}")
        if self.k < 1:
            raise InputError(f"K must be at least 1, not {self.k}")


def float_gemm(spec, a, w, start=None):
    """The sums of `spec`, float64 [M, N].

    Parameters
    ----------
    a : float64 array [M, K]
        Numbers of the format of `a`; infinities and NaN have IEEE 754's meaning (`golden.float_arithmetic`).
    w : array [K, N]
        Numbers of the format of `w`; ternary ones may be integers.
    start : float64 array [M, N], optional
        What the sums start at, numbers of the format of the sums.

    Raises
    ------
    InputError
        If the shapes do not agree with each other and with ``spec.k``.
    """
    a, w = np.asarray(a, np.float64), np.asarray(w, np.float64)
    if a.ndim != 2 or w.ndim != 2 or a.shape[1] != spec.k or w.shape[0] != spec.k:
        raise InputError(f"a and w must be [M, {spec.k}] and [{spec.k}, N], not {list(a.shape)} and {list(w.shape)}")
    shape = a.shape[0], w.shape[1]
    sums = np.zeros(shape) if start is None else np.array(start, np.float64)
    if sums.shape != shape:
        raise InputError(f"start must be {list(shape)}, not {list(sums.shape)}")
    step = ternary_step if isinstance(spec.w, Ternary) else fused_step
    cols = min(shape[1], ELEMENTS)
    rows = max(1, ELEMENTS // max(cols, 1))
    for i in range(0, shape[0], rows):
        for j in range(0, shape[1], cols):
            block = sums[i : i + rows, j : j + cols]
            for x, y in zip(a[i : i + rows].T[:, :, None], w[:, None, j : j + cols], strict=True):
                block[...] = step(spec.accumulate, x, y, block)
    return sums


def fused_step(fmt, x, y, sums):
    """``x * y + sums``."""
    with np.errstate(invalid="ignore"):
        return fused(fmt, x * y, sums)


def ternary_step(fmt, x, y, sums):
    """`sums` with `x` times the sign of the weight `y`, where there is one."""
    return np.where(y == 0, sums, add(fmt, sums, np.where(y < 0, -x, x)))
