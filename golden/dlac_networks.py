"""Convolution and dense layers on the grid of DLAC: forward, backward and update as products and what follows them.

With patches A of the input, weights W and errors E of the sums:

- forward ``Y = A W``, then ``gain * y + bias`` and the rectifier;
- error of the input ``D = P(E) W'``: patches of E, spread out by the stride and padded, times the filters turned by
  half a turn, with the filters where the channels were. Every addition is inside the product, none is left for a scatter
  (col2im), and the zeros between spread errors are zeros to skip;
- gradient of the weights ``A^T E``, along K images, then rows, then columns; of the bias ``1 E``; on each sum the
  update ``w - rate * y`` follows, one multiply-add.

Outside a step stand alone pooling (greatest of a window, and its way back, which adds up only where windows overlap),
softmax and loss, and ternarisation: the host's.

Source: Venkatesh, Nurvitadhi and Marr, Accelerating Deep Convolutional Networks Using Low-Precision and Sparsity,
section 3 (mmOp, ptWiseOp, training).
"""

from dataclasses import dataclass, replace

import numpy as np

from golden.conv import lower, lower_weights, raise_
from golden.dlac_steps import Y
from golden.errors import InputError
from golden.window import Window

__all__ = ["Parameters", "Shape", "Saved", "backward", "forward", "logits", "ternary", "training_step"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A layer without its numbers: convolution or dense, affine map, rectifier, pooling.

    Parameters
    ----------
    name : str
    window : Window, optional
        Of the convolution; its padding is less than its kernel. A layer without one is dense.
    threshold : float, optional
        Of the rectifier, at least 0, which leaves y where ``y > threshold``, else 0; none without.
    pool : Window, optional
        Of a max pooling behind it.

    Raises
    ------
    InputError
        If padding reaches as far as the kernel, or the threshold is below 0.
    """

    name: str
    window: Window | None = None
    threshold: float | None = None
    pool: Window | None = None

    def __post_init__(self):
        of = self.window
        if of is not None and any(p >= k for p, k in zip(of.padding, of.kernel, strict=True)):
            raise InputError(f"padding of {self.name} must be less than its kernel, not {of.padding} for {of.kernel}")
        if self.threshold is not None and not self.threshold >= 0:
            raise InputError(f"the threshold of {self.name} must be at least 0, not {self.threshold}")


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
    y: object  # rows of results before pooling
    unpooled: tuple  # their shape
    place: object  # of the greatest


def rows_of(x):
    """[N, M, OH, OW] as the rows [N * OH * OW, M] of a product."""
    return x if x.ndim == 2 else x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def images_of(y, size):
    """The rows of a product as [N, M, OH, OW], or as they are if `size` is ()."""
    return raise_(y, size) if size else y


def forward(g, layer, parameters, x):
    """What a layer makes of `x` [N, C, H, W] or [N, F], and its `Saved`.

    Parameters
    ----------
    g
        What does the steps: a `golden.dlac_steps.Steps` or a `golden.dlac_bounds.Bounds`.
    layer : Shape
    parameters : Parameters
    """
    size = () if layer.window is None else layer.window.size(*x.shape[2:])
    patches = g.move(lambda v: lower(layer.window, v) if size else v.reshape(len(v), -1), x)
    follows = []
    if parameters.gain is not None:
        bias = g.rounded(0.0) if parameters.bias is None else parameters.bias
        follows.append(("madd", Y, parameters.gain, bias))
    elif parameters.bias is not None:
        follows.append(("add", Y, parameters.bias))
    if layer.threshold is not None:
        follows.append(("sel", Y, Y, g.rounded(0.0), g.rounded(layer.threshold)))
    weights = g.move(lower_weights, parameters.weight)
    rows = g.product(f"{layer.name} forward", patches, weights, *follows, ternary=parameters.ternary)
    y, place = g.move(lambda v: images_of(v, size), rows), None
    unpooled = y.shape
    if layer.pool is not None:
        y, place = g.largest(layer.pool, y)
    return y, Saved(x.shape, patches, size, rows, unpooled, place)


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


def backward(g, layer, parameters, saved, e, rate, first=False):
    """(error of the input for the error `e` of the result, `Parameters` after a step of `rate` against the gradient).

    The `first` layer makes no error of its input: None. The gradient of ternary weights is given to those that they are
    made of, as if they were these times `gain`.
    """
    name, window, zero = layer.name, layer.window, g.rounded(0.0)
    if saved.place is not None:
        e = g.returned(layer.pool, saved.place, e, saved.unpooled)
    e = g.move(rows_of, e)
    if layer.threshold is not None:
        e = g.pointwise(f"{name} relu back", e, ("sel", saved.y, Y, zero, g.rounded(layer.threshold)))
    at_sums = e
    if parameters.gain is not None and not (first and parameters.ternary):
        at_sums = g.pointwise(f"{name} affine back", e, ("madd", Y, parameters.gain, zero))
    trained = parameters.master if parameters.ternary else parameters.weight
    new = {"bias": parameters.bias, "weight": trained}
    scale = g.rounded(-rate)
    sources = {"weight": (g.move(lambda v: v.T, saved.patches), e if parameters.ternary else at_sums)}
    if parameters.bias is not None:
        sources["bias"] = g.rounded(np.ones((1, e.shape[0]))), e
    for what, (a, w) in sources.items():
        old = g.move(lower_weights if what == "weight" else lambda v: v[None], new[what])
        moved = g.product(f"{name} {what} update", a, w, ("madd", Y, scale, old))
        new[what] = g.move(lambda v, shape=new[what].shape: v.T.reshape(shape), moved)
    if parameters.ternary:
        after = ternary(g, new["weight"], new["bias"])
    else:
        after = replace(parameters, **new)
    if first:
        return None, after
    if window is None:
        d = g.product(f"{name} input error", at_sums, parameters.weight, ternary=parameters.ternary)
        return g.move(lambda v: v.reshape(saved.shape), d), after
    patches = g.move(lambda v: spread(window, saved.shape, images_of(v, saved.size)), at_sums)
    filters = g.move(turned, parameters.weight)
    d = g.product(f"{name} input error", patches, filters, ternary=parameters.ternary)
    return g.move(lambda v: raise_(v, saved.shape[2:]), d), after


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
    layers : sequence of Shape
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
        e, after[layer.name] = backward(g, layer, parameters[layer.name], saved, e, rate, first=i == 0)
    return loss, after
