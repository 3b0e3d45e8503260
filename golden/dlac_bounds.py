"""How far the losses of two computations of one program in floating point may lie apart.

Another computation may sum in any order, with or without fused multiply-adds. Each of its results y, like each of
golden's, then lies within some delta(y) of what real numbers would give for the same operands, with
``u = 2**-(M + 1)`` for M bits of mantissa and ``gamma(n) = n u / (1 - n u)``:

- ``A W``, with K products that are not exactly 0: ``gamma(K) |A| |W|``;
- ``x + y``: ``u |x + y|``, 0 where either is exactly 0;
- ``x y + z``: ``u |x y| + u |x y + z|``, 0 where the product is exactly 0;
- softmax and loss: their operations, with exp and log within 4 units in the last place.

To first order in u, what every delta does to the loss is its size times the derivative of the loss in y, and two
computations differ by at most ``2 sum |dL/dy| delta(y)``. The derivatives run back through all steps, those of
the way back and of the update included, so that the loss after a training step has a bound too. Results below the
normal numbers err by up to half the least subnormal number more, which is left out like all of second order. The bound
is for computations that choose alike at every rectifier and every maximum: `choices` are golden's.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, sections 3.1 and 3.8.
"""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.dlac_steps import Steps, Y, scattered
from golden.loss import cross_entropy

__all__ = ["Bounds", "Traced", "choices"]

FUNCTIONS = 12  # roundings that stand for those of exp and log and of the subtraction and division around them


@dataclass(frozen=True, eq=False)
class Traced:
    """Numbers of a program, their deltas, and what a derivative in them means for what they were made of.

    Parameters
    ----------
    value : float64 array or float
    delta : float64 array or float
    sources : tuple of (Traced, function)
        The function turns a derivative in `value` into one in that source.
    """

    value: np.ndarray
    delta: np.ndarray = 0.0
    sources: tuple = ()

    @property
    def shape(self):
        """Of the numbers."""
        return np.shape(self.value)


def summed(derivative, shape):
    """A derivative in what was broadcast from `shape`."""
    extra = derivative.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(extra + i for i, n in enumerate(shape) if n == 1)
    return derivative.sum(axis=axes, keepdims=True).reshape(shape)


class Bounds:
    """Does the steps of a program, and remembers how each result depends on others; its numbers are `Traced`.

    Parameters
    ----------
    fmt : Float
    """

    def __init__(self, fmt):
        self.steps, self.made = Steps(fmt), []
        self.unit = 2.0 ** -(fmt.mantissa_bits + 1)

    def keep(self, *fields):
        """A `Traced`, remembered in the order in which they are made."""
        self.made.append(Traced(*fields))
        return self.made[-1]

    def gamma(self, n):
        """Of n roundings."""
        return n * self.unit / (1 - n * self.unit)

    def bound(self, loss):
        """What two computations of `loss`, made by this, differ by at the most, to first order."""
        derivatives, total = {id(loss): np.ones(())}, 0.0
        for node in reversed(self.made):
            if (derivative := derivatives.pop(id(node), None)) is None:
                continue
            total += float((np.abs(derivative) * node.delta).sum())
            for source, function in node.sources:
                derivatives[id(source)] = derivatives.get(id(source), 0.0) + function(derivative)
        return 2 * total

    def product(self, name, a, w, *operations, ternary=False):
        """See the module."""
        count = (a.value != 0).astype(float) @ (w.value != 0)
        delta = self.gamma(count) * (np.abs(a.value) @ np.abs(w.value))
        sources = (a, lambda d: d @ w.value.T), (w, lambda d: a.value.T @ d)
        y = self.keep(self.steps.product(name, a.value, w.value, ternary=ternary), delta, sources)
        return self.pointwise(name, y, *operations)

    def pointwise(self, name, y, *operations):
        """See the module."""
        for op, *values in operations:
            y = self.operation(name, y.shape, op, *(y if v is Y else v for v in values))
        return y

    def operation(self, name, shape, op, *values):
        """A pointwise operation whose result has a `shape`."""
        plain = [np.broadcast_to(v.value, shape) for v in values]
        result = self.steps.pointwise(name, plain[0], (op, *plain))
        x, y, *_ = plain
        if op == "sel":
            chosen = x > plain[3]
            delta, slopes = 0.0, (0.0, chosen, ~chosen, 0.0)
        elif op == "madd":
            delta = self.unit * (np.abs(x * y) + np.abs(result)) * (x * y != 0)
            slopes = (y, x, 1.0)
        else:
            delta = self.unit * np.abs(result) * ((x != 0) & (y != 0))
            slopes = (1.0, 1.0 if op == "add" else -1.0)
        sources = tuple(
            (value, lambda d, slope=slope, shape=value.shape: summed(d * slope, shape))
            for value, slope in zip(values, slopes, strict=True)
        )
        return self.keep(result, delta, sources)

    def move(self, function, x):
        """Derivatives go back where numbers came from."""
        size = np.prod(x.shape, dtype=int)
        origin = function(np.arange(1, size + 1).reshape(x.shape)).astype(int)  # 0: a zero that was put in
        back = (lambda d: np.bincount(origin.ravel(), d.ravel(), size + 1)[1:].reshape(x.shape),)
        return self.keep(function(x.value), 0.0, ((x, *back),))

    def largest(self, window, x):
        """A move, of the numbers that are the greatest."""
        value, place = self.steps.largest(window, x.value)
        return self.keep(value, 0.0, ((x, lambda d: scattered(window, place, d, x.shape, np.add)),)), place

    def returned(self, window, place, dy, shape):
        """A move, where windows do not overlap.

        Raises
        ------
        InputError
            If they do.
        """
        if any(s < k for s, k in zip(window.stride, window.kernel, strict=True)):
            raise InputError(f"bounds follow pools that do not overlap, not {window.kernel} in steps of {window.stride}")
        value = self.steps.returned(window, place, dy.value, shape)

        def back(d):
            views = window.views(d).reshape(*place.shape, -1)
            return np.take_along_axis(views, place[..., None], axis=4)[..., 0]

        return self.keep(value, 0.0, ((dy, back),))

    def rounded(self, x):
        """What all computations begin with."""
        return self.keep(self.steps.rounded(x))

    def ternarised(self, weight):
        """Refused: where a weight passes its threshold there is no derivative."""
        raise InputError("bounds follow weights in floating point, not ternary ones")

    def loss(self, z, labels):
        """Of the loss, and of its gradient."""
        loss, gradient = cross_entropy(z.value, labels)
        n, classes = z.shape
        one_hot = np.eye(classes)[labels]
        share = gradient * n + one_hot
        log = self.gamma(classes + FUNCTIONS) * (1 + np.log(classes) + np.ptp(z.value, axis=1, keepdims=True))
        own = float(log.mean()) + self.gamma(n) * loss
        delta = (share * log + self.gamma(2) * (share + one_hot)) / n

        def back(d):
            return share * (d - (share * d).sum(axis=1, keepdims=True)) / n

        made = self.keep(self.steps.rounded(gradient), delta, ((z, back),))
        return self.keep(loss, own, ((z, lambda d: d * gradient),)), made


def choices(layers, kept):
    """What decides at each rectifier and each maximum on the way forward, in order, as torch would say it.

    Of a rectifier that is, for every result [N, M, ...], whether it passes; of a maximum [N, M, OH, OW] the index of the
    greatest in its image, row by row.

    Parameters
    ----------
    layers : sequence of golden.dlac_networks.Shape
    kept : sequence of golden.dlac_networks.Saved
        Of `golden.dlac_networks.logits`, with the numbers of a `Steps`.
    """
    found = []
    for layer, saved in zip(layers, kept, strict=True):
        if layer.threshold is not None:
            found.append(np.moveaxis((saved.y > 0).reshape(saved.shape[0], *saved.size, -1), -1, 1))
        if saved.place is not None:
            (top, left), (sy, sx), (oh, ow) = layer.pool.padding, layer.pool.stride, saved.place.shape[2:]
            y, x = divmod(saved.place, layer.pool.kernel[1])
            y, x = y + sy * np.arange(oh)[:, None] - top, x + sx * np.arange(ow) - left
            found.append(y * saved.size[1] + x)
    return found
