"""What the operations of a graph take and do: one row each."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from golden.errors import InputError
from golden.pool import DIVISORS, check_pooling
from golden.window import Window

__all__ = ["KINDS", "compute"]


@dataclass(frozen=True)
class Kind:
    """What an operation takes and does.

    Parameters
    ----------
    attributes : tuple of str
    shape : callable
        (op, shapes of a sample of the inputs) → shape of a sample of the result.
    compute : callable
        (attributes, inputs [N, ...], weight, bias) → result [N, ...].
    arity : int or None
        Inputs; None: two or more.
    axes : int
        Of the weight; 0 if there is none.
    """

    attributes: tuple
    shape: Callable
    compute: Callable
    arity: int | None = 1
    axes: int = 0


def image(shape):
    """`shape`, if it is that of an image."""
    if len(shape) != 3:
        raise InputError(f"its input must be [channels, height, width], not {list(shape)}")
    return shape


def conv_shape(op, shape):
    channels, height, width = image(shape)
    if op.weight.shape[1] != channels:
        raise InputError(f"its input has {channels} channels, the filters have {op.weight.shape[1]}")
    window = Window(kernel=tuple(op.weight.shape[2:]), **op.attributes)
    return (len(op.weight), *window.size(height, width))


def dense_shape(op, shape):
    if shape != tuple(op.weight.shape[1:]):
        raise InputError(f"its input must be [{op.weight.shape[1]}] features, not {list(shape)}")
    return (len(op.weight),)


def norm_shape(op, shape):
    for name in ("mean", "var", "gamma", "beta"):
        if tuple(op.attributes[name].shape) != shape[:1]:
            raise InputError(f"{name} must be [{shape[0]}], not {list(op.attributes[name].shape)}")
    return shape


def pool_shape(op, shape):
    channels, height, width = image(shape)
    window = Window(**{name: op.attributes[name] for name in ("kernel", "stride", "padding", "ceil_mode")})
    check_pooling(window)
    if any(2 * padding > kernel for padding, kernel in zip(window.padding, window.kernel, strict=True)):
        raise InputError(f"padding of a pool must be at most half its kernel, not {window.padding} for {window.kernel}")
    if op.attributes.get("divisor", DIVISORS[0]) not in DIVISORS:
        raise InputError(f"divisor must be one of {', '.join(DIVISORS)}, not {op.attributes['divisor']!r}")
    return (channels, *window.size(height, width))


def add_shape(op, a, b):
    if a != b:
        raise InputError(f"its inputs must have one shape, not {list(a)} and {list(b)}")
    return a


def concat_shape(op, *shapes):
    for shape in shapes:
        if shape[1:] != shapes[0][1:]:
            raise InputError(f"its inputs must agree but for channels, not {list(shapes[0])} and {list(shape)}")
    return (sum(shape[0] for shape in shapes), *shapes[0][1:])


def lrn_shape(op, shape):
    size = op.attributes["size"]
    if type(size) is not int or size < 1:
        raise InputError(f"size must be an integer of at least 1, not {size!r}")
    return image(shape)


def norm(attributes, x, weight, bias):
    mean, var, gamma, beta = (attributes[name].to(x) for name in ("mean", "var", "gamma", "beta"))
    return functional.batch_norm(x, mean, var, gamma, beta, eps=attributes["eps"])


def average_pool(attributes, x, weight, bias):
    kernel, divisor = attributes["kernel"], attributes["divisor"]
    arguments = (kernel, attributes["stride"], attributes["padding"], attributes["ceil_mode"], divisor == "padded")
    return functional.avg_pool2d(x, *arguments, math.prod(kernel) if divisor == "window" else None)


def max_pool(attributes, x, weight, bias):
    return functional.max_pool2d(x, **{("kernel_size" if k == "kernel" else k): v for k, v in attributes.items()})


KINDS = {
    "conv": Kind(("stride", "padding"), conv_shape, lambda a, x, w, b: functional.conv2d(x, w, b, **a), axes=4),
    "dense": Kind((), dense_shape, lambda a, x, w, b: functional.linear(x, w, b), axes=2),
    "batch_norm": Kind(("mean", "var", "gamma", "beta", "eps"), norm_shape, norm),
    "relu": Kind((), lambda op, shape: shape, lambda a, x, w, b: functional.relu(x)),
    "max_pool": Kind(("kernel", "stride", "padding", "ceil_mode"), pool_shape, max_pool),
    "average_pool": Kind(("kernel", "stride", "padding", "ceil_mode", "divisor"), pool_shape, average_pool),
    "add": Kind((), add_shape, lambda a, x, w, b: x[0] + x[1], arity=2),
    "concat": Kind((), concat_shape, lambda a, x, w, b: torch.cat(x, 1), arity=None),
    "flatten": Kind((), lambda op, shape: (math.prod(image(shape)),), lambda a, x, w, b: x.flatten(1)),
    "lrn": Kind(("size", "alpha", "beta", "k"), lrn_shape, lambda a, x, w, b: functional.local_response_norm(x, **a)),
}


def compute(op, inputs, weight=None, bias=None):
    """What `op` makes of the tensors `inputs` [N, ...], with `weight` and `bias` in place of its own."""
    kind = KINDS[op.op]
    return kind.compute(op.attributes, inputs[0] if kind.arity == 1 else inputs, weight, bias)
