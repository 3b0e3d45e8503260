"""Convolution and dense layers in floating point: forward, backward and update as matrix products and pointwise steps.

With patches A of the input, weights W and errors E of the sums:

- forward ``Y = A W``, then ``gain * y + bias``, rectifier and pooling;
- error of the input ``D = P(E) W'``: patches of E, spread out by the stride and padded, times the filters turned by half
  a turn, with the filters where the channels were. Every addition is inside the product, none is left for a scatter
  (col2im), and the zeros between spread errors are zeros to skip;
- gradient of the weights ``A^T E``, along K images, then rows, then columns; of the bias ``1 E``;
- update ``w - rate * g``, one multiply-add a weight.

Outside a step stand alone pooling (greatest of a window, and its way back, which adds up only where windows overlap),
softmax and loss, and ternarisation: the host's.

Source: Venkatesh, Nurvitadhi and Marr, section 3 (mmOp, ptWiseOp, training).
"""

from dataclasses import dataclass, replace

import numpy as np

from golden.conv import lower, lower_weights, raise_
from golden.errors import InputError
from golden.window import Window

__all__ = ["FloatLayer", "Parameters", "backward", "forward", "logits", "ternary", "training_step"]


@dataclass(frozen=True, kw_only=True)
class FloatLayer:
    """Convolution or dense layer, affine map, rectifier, pooling.

    Parameters
    ----------
    name : str
    window : Window, optional
        Of the convolution; its padding is less than its kernel. A layer without one is dense.
    threshold : float, optional
        Of the rectifier, which leaves y where ``y > threshold``, else 0; none without.
    pool : Window, optional
        Of a max pooling behind it.

    Raises
    ------
    InputError
        If padding reaches as far as the kernel.
    """

    name: str
    window: Window | None = None
    threshold: float | None = None
    pool: Window | None = None

    def __post_init__(self):
        if self.window is not None and any(
            p >= k for p, k in zip(self.window.padding, self.window.kernel, strict=True)
        ):
            raise InputError(
                f"padding of {self.name} must be less than its kernel, not {self.window.padding} for {self.window.kernel}"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Parameters:
    """Numbers of a layer.

    Parameters
    ----------
    weight : float64 array [M, C, KH, KW] or [M, N]
        That products are made with.
    bias, gain : float64 array [M], optional
        ``gain * sum + bias``; batch normalisation in inference is both.
    ternary : bool
        Whether `weight` holds -1, 0 and 1 alone.
    master : float64 array, optional
        The weights that are trained where `weight` is ternary, and made of them.
    """

    weight: np.ndarray
    bias: np.ndarray | None = None
    gain: np.ndarray | None = None
    ternary: bool = False
    master: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Saved:
    """What the way back needs of a layer's way forward."""

    shape: tuple  # of the input
    patches: object  # A
    size: tuple  # of the sums: () or (OH, OW)
    over: object  # y - threshold, None without a rectifier
    unpooled: tuple  # shape before pooling
    place: object  # of the greatest


def rows_of(x):
    """[N, M, OH, OW] as the rows [N * OH * OW, M] of a product."""
    return x if x.ndim == 2 else x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def images_of(y, size):
    """The rows of a product as [N, M, OH, OW], or as they are if `size` is ()."""
    return raise_(y, size) if size else y


def rectified(g, name, y, threshold):
    """(y where it exceeds `threshold`, else 0; y - threshold): steps SUB and SEL, the first left out for 0."""
    over = g.pointwise(f"{name} threshold", "sub", y, g.rounded(threshold)) if threshold else y
    return g.pointwise(f"{name} relu", "sel", over, y, g.rounded(0.0)), over


def forward(g, layer, parameters, x):
    """What `layer` makes of `x` [N, C, H, W] or [N, F], and its `Saved`.

    Parameters
    ----------
    g
        What does the steps: a `golden.float_program.Program` or a `golden.float_bounds.Bounds`.
    """
    name, window = layer.name, layer.window
    if window is None:
        size, shape = (), x.shape
        patches = g.move(lambda v: v.reshape(len(v), -1), x)
    else:
        size, shape = window.size(*x.shape[2:]), x.shape
        patches = g.move(lambda v: lower(window, v), x)
    y = g.product(f"{name} forward", patches, g.move(lower_weights, parameters.weight), parameters.ternary)
    if parameters.gain is not None:
        bias = g.rounded(0.0) if parameters.bias is None else parameters.bias
        y = g.pointwise(f"{name} affine", "madd", y, parameters.gain, bias)
    elif parameters.bias is not None:
        y = g.pointwise(f"{name} bias", "add", y, parameters.bias)
    over = place = None
    if layer.threshold is not None:
        y, over = rectified(g, name, y, layer.threshold)
    y = g.move(lambda v: images_of(v, size), y)
    unpooled = y.shape
    if layer.pool is not None:
        y, place = g.largest(layer.pool, y)
    return y, Saved(shape, patches, size, over, unpooled, place)


def spread(window, shape, e):
    """Patches [N * H * W, M * KH * KW] of errors `e` [N, M, OH, OW], of which those of an input of `shape` are made."""
    (kh, kw), (sy, sx), (top, left) = window.kernel, window.stride, window.padding
    (n, m, oh, ow), (height, width) = e.shape, shape[2:]
    padded = np.zeros((n, m, height + kh - 1, width + kw - 1))
    first = kh - 1 - top, kw - 1 - left
    padded[:, :, first[0] : first[0] + (oh - 1) * sy + 1 : sy, first[1] : first[1] + (ow - 1) * sx + 1 : sx] = e
    return lower(Window(kernel=window.kernel), padded)


def turned(w):
    """Filters [M, C, KH, KW] as the matrix [M * KH * KW, C] by which spread errors are multiplied."""
    return w[:, :, ::-1, ::-1].transpose(0, 2, 3, 1).reshape(-1, w.shape[1])


def backward(g, layer, parameters, saved, e, first=False):
    """(error of the input, None if it is the `first` layer; {"weight": gradient, "bias": gradient}) for the error `e`.

    The gradient of ternary weights is given to those that they are made of, as if they were these times `gain`.
    """
    name, window = layer.name, layer.window
    if saved.place is not None:
        e = g.returned(layer.pool, saved.place, e, saved.unpooled)
    e = g.move(rows_of, e)
    if saved.over is not None:
        e = g.pointwise(f"{name} relu back", "sel", saved.over, e, g.rounded(0.0))
    at_sums = e
    if parameters.gain is not None and not (first and parameters.ternary):
        at_sums = g.pointwise(f"{name} affine back", "madd", e, parameters.gain, g.rounded(0.0))
    transposed = g.move(lambda v: v.T, saved.patches)
    slope = g.product(f"{name} weight gradient", transposed, e if parameters.ternary else at_sums)
    shape = parameters.weight.shape
    gradients = {"weight": g.move(lambda v: v.T.reshape(shape), slope)}
    if parameters.bias is not None:
        ones = g.rounded(np.ones((1, e.shape[0])))
        gradients["bias"] = g.move(lambda v: v[0], g.product(f"{name} bias gradient", ones, e))
    if first:
        return None, gradients
    if window is None:
        d = g.product(f"{name} input error", at_sums, parameters.weight, parameters.ternary)
        return g.move(lambda v: v.reshape(saved.shape), d), gradients
    patches = g.move(lambda v: spread(window, saved.shape, images_of(v, saved.size)), at_sums)
    d = g.product(f"{name} input error", patches, g.move(turned, parameters.weight), parameters.ternary)
    return g.move(lambda v: raise_(v, saved.shape[2:]), d), gradients


def updated(g, name, parameters, gradients, rate):
    """`parameters` after a step against `gradients`: the weights are rounded to ternary ones again, if they were."""
    scale = g.rounded(-rate)

    def moved(what, value):
        flat = g.move(lambda v: v.reshape(len(v), -1), value)
        slope = g.move(lambda v: v.reshape(len(v), -1), gradients[what])
        new = g.pointwise(f"{name} {what} update", "madd", slope, scale, flat)
        return g.move(lambda v: v.reshape(value.shape), new)

    bias = None if parameters.bias is None else moved("bias", parameters.bias)
    if not parameters.ternary:
        return replace(parameters, weight=moved("weight", parameters.weight), bias=bias)
    return ternary(g, moved("weight", parameters.master), bias)


def ternary(g, master, bias=None):
    """`Parameters` with the ternary weights of `master`, and their scale as the gain."""
    weight, scale = g.ternarised(master)
    return Parameters(weight=weight, bias=bias, gain=np.full(len(weight), scale), ternary=True, master=master)


def logits(g, layers, parameters, x):
    """(logits, [Saved]) of a chain of `layers` with `parameters` {name: Parameters} for the numbers `x`."""
    kept = []
    for layer in layers:
        x, saved = forward(g, layer, parameters[layer.name], x)
        kept.append(saved)
    return x, kept


def training_step(g, layers, parameters, x, labels, rate):
    """One step of gradient descent: (loss before it, parameters after it).

    Parameters
    ----------
    g
        See `forward`.
    layers : sequence of FloatLayer
        The last makes the logits.
    parameters : dict
        Name of a layer → Parameters.
    x : float64 array [N, C, H, W] or [N, F]
        Numbers of the format.
    labels : int array [N]
    rate : float
        Learning rate.
    """
    z, kept = logits(g, layers, parameters, x)
    loss, e = g.loss(z, labels)
    after = dict(parameters)
    for i, (layer, saved) in reversed(list(enumerate(zip(layers, kept, strict=True)))):
        e, gradients = backward(g, layer, parameters[layer.name], saved, e, first=i == 0)
        after[layer.name] = updated(g, layer.name, parameters[layer.name], gradients, rate)
    return loss, after
