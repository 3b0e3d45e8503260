"""Work for the grid of DLAC, as a list of steps: matrix products, each with pointwise operations on its sums.

Networks and training are written once, against what does the steps: `Steps` computes and records them, so that a
bench can send each to hardware; `golden.dlac_bounds` follows the errors of rounding through the same code.
"""

from dataclasses import dataclass

import numpy as np

from golden.dlac_program import ADD, MADD, SEL, SUB, operate
from golden.errors import InputError
from golden.float_arithmetic import add
from golden.float_gemm import FloatGemmSpec, float_gemm
from golden.formats import Float, Ternary
from golden.loss import cross_entropy

__all__ = ["OPERATIONS", "Y", "Step", "Steps", "pointwise", "scattered"]

Y = "y"  # as an operand: what was computed so far
OPERATIONS = {"add": (ADD, 2), "sub": (SUB, 2), "madd": (MADD, 3), "sel": (SEL, 4)}  # name → instruction, operands


def pointwise(fmt, op, *values):
    """The numbers of `fmt` that an operation makes of `values`, arrays of such numbers that broadcast.

    ``("add", v1, v2)``, ``("sub", v1, v2)``, ``("madd", v1, v2, v3)`` is ``v1 * v2 + v3``, and ``("sel", v1, v2, v3,
    limit)`` is v2 where ``v1 > limit``, else v3; see `golden.dlac_program`.

    Raises
    ------
    InputError
        If `op` is not in `OPERATIONS`, or takes another number of values.
    """
    if op not in OPERATIONS:
        raise InputError(f"a pointwise operation must be one of {', '.join(OPERATIONS)}, not {op!r}")
    instruction, count = OPERATIONS[op]
    if len(values) != count:
        raise InputError(f"{op} takes {count} values, not {len(values)}")
    v1, v2, v3, limit = (*values, None, None)[:4]
    return operate(fmt, instruction, v1, v2, v3, limit)


@dataclass(frozen=True, eq=False)
class Step:
    """Sums or given numbers, and pointwise operations on them, done.

    Parameters
    ----------
    name : str
        For a reader: layer and purpose.
    a, w : float64 arrays [M, K] and [K, N], or None
        What is multiplied: ``y = a @ w``, k ascending.
    x : float64 array [M, N], or None
        What y is without a product.
    ternary : bool
        Whether `w` holds -1, 0 and 1 alone, so that a product needs no multiplier.
    operations : tuple of tuples
        As `pointwise` takes them, one after the other. Each operand is `Y`, a number, a row [N] or a matrix [M, N].
    result : float64 array [M, N]
    """

    name: str
    a: np.ndarray | None
    w: np.ndarray | None
    x: np.ndarray | None
    ternary: bool
    operations: tuple
    result: np.ndarray

    @property
    def macs(self):
        """Products, those with zeros included."""
        return 0 if self.a is None else self.a.size * self.w.shape[1]

    @property
    def nonzero(self):
        """Products without a zero."""
        if self.a is None:
            return 0
        return int(np.count_nonzero(self.a, axis=0) @ np.count_nonzero(self.w, axis=1))


class Steps:
    """Does steps in the numbers of one format, and keeps them.

    Parameters
    ----------
    fmt : Float
        Of all operands, results and sums.

    Attributes
    ----------
    done : list of Step
    """

    def __init__(self, fmt):
        if not isinstance(fmt, Float):
            raise InputError(f"steps compute in floating point, not in {fmt}")
        self.format, self.done = fmt, []

    def rounded(self, x):
        """The numbers of the format nearest to the reals `x`: how data come in, and what the host computes."""
        return self.format.decode(self.format.encode(x))

    def product(self, name, a, w, *operations, ternary=False):
        """``a @ w``, [M, N], and `operations` on it: sums from +0, k ascending, one rounding a product."""
        weights = Ternary() if ternary else self.format
        spec = FloatGemmSpec(a=self.format, w=weights, k=a.shape[1], accumulate=self.format)
        y = self.operated(float_gemm(spec, a, w), operations)
        self.done.append(Step(name, a, w, None, ternary, operations, y))
        return y

    def pointwise(self, name, x, *operations):
        """`operations` on the numbers `x` [M, N]."""
        y = self.operated(x, operations)
        self.done.append(Step(name, None, None, x, False, operations, y))
        return y

    def operated(self, y, operations):
        """What is left of `y` behind `operations`."""
        for op, *values in operations:
            y = np.broadcast_to(pointwise(self.format, op, *(y if v is Y else v for v in values)), y.shape)
        return y

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
