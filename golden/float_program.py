"""Work for a grid of floating-point units, as a list of steps: matrix products and pointwise operations.

Networks and training are written once, against what does the steps: `Program` computes and records them, so that a
bench can send each to hardware; `golden.float_bounds` follows the errors of rounding through the same code.
"""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.float_arithmetic import add, fma, subtract
from golden.float_gemm import FloatGemmSpec, float_gemm
from golden.formats import Float, Ternary
from golden.loss import cross_entropy

__all__ = ["POINTWISE", "Program", "Step", "pointwise"]

POINTWISE = {  # name → operands
    "add": 2,  # v1 + v2
    "sub": 2,  # v1 - v2
    "madd": 3,  # v1 * v2 + v3, rounded once
    "sel": 3,  # v2 where v1 > 0, else v3; NaN is not greater than 0
}


def pointwise(fmt, op, *values):
    """The numbers of `fmt` that `op` makes of `values`, arrays of such numbers that broadcast.

    Raises
    ------
    InputError
        If `op` is not in `POINTWISE`, or takes another number of values.
    """
    if op not in POINTWISE:
        raise InputError(f"a pointwise operation must be one of {', '.join(POINTWISE)}, not {op!r}")
    if len(values) != POINTWISE[op]:
        raise InputError(f"{op} takes {POINTWISE[op]} values, not {len(values)}")
    values = np.broadcast_arrays(*values)
    if op == "sel":
        return np.where(values[0] > 0, values[1], values[2])
    return {"add": add, "sub": subtract, "madd": fma}[op](fmt, *values)


@dataclass(frozen=True, eq=False)
class Step:
    """A matrix product or pointwise operation, done.

    Parameters
    ----------
    name : str
        For a reader: layer and purpose.
    op : str
        "mm", ``y = a @ w`` with k ascending, or one of `POINTWISE`.
    operands : tuple of float64 arrays
        Of "mm": a [M, K], w [K, N]. Of the others: v1, v2 and perhaps v3, each a number, a row [N] or a matrix [M, N].
    result : float64 array [M, N]
    ternary : bool
        Whether `w` of "mm" holds -1, 0 and 1 alone, so that a product needs no multiplier.
    """

    name: str
    op: str
    operands: tuple
    result: np.ndarray
    ternary: bool = False

    @property
    def macs(self):
        """Products, those with zeros included; 0 of a pointwise operation."""
        return self.operands[0].size * self.operands[1].shape[1] if self.op == "mm" else 0

    @property
    def nonzero(self):
        """Products without a zero."""
        if self.op != "mm":
            return 0
        a, w = self.operands
        return int(np.count_nonzero(a, axis=0) @ np.count_nonzero(w, axis=1))


class Program:
    """Does steps in the numbers of one format, and keeps them.

    Parameters
    ----------
    fmt : Float
        Of all operands, results and sums.

    Attributes
    ----------
    steps : list of Step
    """

    def __init__(self, fmt):
        if not isinstance(fmt, Float):
            raise InputError(f"a program computes in floating point, not in {fmt}")
        self.format, self.steps = fmt, []

    def rounded(self, x):
        """The numbers of the format nearest to the reals `x`: how data come in, and what the host computes."""
        return self.format.decode(self.format.encode(x))

    def product(self, name, a, w, ternary=False):
        """``a @ w``, [M, N]: sums from +0, k ascending, one rounding a product (of -1, 0, 1: a sum)."""
        weights = Ternary() if ternary else self.format
        spec = FloatGemmSpec(a=self.format, w=weights, k=a.shape[1], accumulate=self.format)
        return self.done(name, "mm", (a, w), float_gemm(spec, a, w), ternary)

    def pointwise(self, name, op, *values):
        """``op`` of `values`; see `POINTWISE`."""
        return self.done(name, op, values, pointwise(self.format, op, *values))

    def done(self, name, op, operands, result, ternary=False):
        """Keep the step."""
        self.steps.append(Step(name, op, tuple(np.asarray(x) for x in operands), result, ternary))
        return result

    def move(self, function, x):
        """``function(x)``, which moves, repeats and drops numbers and adds zeros: addresses, no arithmetic."""
        return function(x)

    def largest(self, window, x):
        """(greatest of each window of `x` [N, C, H, W], place of the first of them in the window): the host's."""
        views = window.views(x, -np.inf)
        flat = views.reshape(*views.shape[:4], -1)
        place = flat.argmax(axis=4)
        return np.take_along_axis(flat, place[..., None], axis=4)[..., 0], place

    def returned(self, window, place, dy, shape):
        """What comes back through `largest` to an `x` of `shape`: the host's.

        Where windows overlap, their numbers are added in the order of places in the window.
        """
        return scattered(window, place, dy, shape, lambda total, part: add(self.format, total, part))

    def ternarised(self, weight, factor=0.7):
        """(-1, 0 and 1 where ``|weight|`` exceeds `factor` times its mean, the mean of those that do): the host's.

        Source: Li, Zhang and Liu, Ternary Weight Networks.
        """
        magnitude = np.abs(weight)
        kept = magnitude > factor * magnitude.mean()
        scale = magnitude[kept].mean() if kept.any() else 0.0
        return np.where(kept, np.sign(weight), 0.0), self.rounded(scale)

    def loss(self, z, labels):
        """(`cross_entropy` of the logits `z`, its gradient in numbers of the format): the host's."""
        loss, gradient = cross_entropy(z, labels)
        return loss, self.rounded(gradient)


def scattered(window, place, dy, shape, plus):
    """[N, C, H, W] of `shape` to which ``plus`` has brought each `dy` at its `place` in its window."""
    (top, left), (kh, kw), (sy, sx) = window.padding, window.kernel, window.stride
    oh, ow = place.shape[2:]
    total = np.zeros((*shape[:2], max((oh - 1) * sy + kh, top + shape[2]), max((ow - 1) * sx + kw, left + shape[3])))
    for at in range(kh * kw):
        y, x = divmod(at, kw)
        part = total[:, :, y : y + (oh - 1) * sy + 1 : sy, x : x + (ow - 1) * sx + 1 : sx]
        part[...] = plus(part, np.where(place == at, dy, 0.0))
    return total[:, :, top : top + shape[2], left : left + shape[3]]
