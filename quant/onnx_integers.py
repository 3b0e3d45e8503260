"""What the operations of a graph are in golden's network: sums of integers, which the next quantiser rounds."""

from dataclasses import replace

import numpy as np

from golden import pool
from golden.errors import InputError
from golden.formats import Binary, Ternary, fitting
from golden.gemm import Exact, GemmSpec
from golden.window import Window
from quant.affine import Value

__all__ = ["OPERATIONS"]

ACCUMULATOR = 32  # bits, of every engine; more where sums need more


def plain(walk, node, op, values, attributes=None):
    """Add golden's node `op` on values of one term; the name of its tensor."""
    if any(value.tensor is None for value in values):
        raise InputError("must have a quantiser between an addition and itself")
    return walk.builder.add(walk.named(node), op, *(value.tensor for value in values), attributes=attributes)


def worth(value):
    """What the integers of `value` are worth, if it is quantised."""
    if not value.quantised or value.unit is None:
        raise InputError("must take numbers that are quantised; a quantiser is missing before it")
    return value.unit


def layer(walk, node, values, attributes, weight, bias):
    """conv and dense: sums of products; their scales and bias are left to the next quantiser."""
    (x,), unit = values, worth(values[0])
    scale = weight.scale.flatten(1)
    if (scale != scale[:, :1]).any():
        raise InputError("must have weights of one scale, or of one for each output")
    scale, integers = unit * scale[:, 0].numpy(), weight.values.numpy()
    fmt = weight.format
    if isinstance(fmt, Binary) and weight.present is not None:
        fmt = Ternary()
    spec = GemmSpec(a=walk.builder.tensors[x.tensor].format, w=fmt, k=integers[0].size, accumulate=Exact(64))
    width = max(ACCUMULATOR, fitting(spec.lo, spec.hi).width)
    name = walk.builder.add(
        walk.named(node),
        "dense" if integers.ndim == 2 else "conv",
        x.tensor,
        parameters={"weight": (fmt, integers)},
        attributes={key: list(pair) for key, pair in attributes.items()} | {"accumulate": width},
        unit=float(scale[0]) if scale[0] > 0 and (scale == scale[0]).all() else None,
    )
    if weight.present is not None:
        walk.absent[name] = int((~weight.present).sum())
    offset = np.zeros(len(scale)) if bias is None else bias.double().numpy()
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise InputError("must have finite scales and biases")
    return Value(((name, scale),), offset)


def relu(walk, node, values, *_):
    (value,) = values
    if not value.quantised or value.unit is None:
        return replace(value, relu=True)
    if walk.builder.tensors[value.tensor].format.lo >= 0:
        return value
    return Value.of(plain(walk, node, "relu", values), value.unit, len(value.offset))


def max_pool(walk, node, values, attributes, *_):
    """Commutes with everything that does not fall."""
    (value,) = values
    if any((scale < 0).any() for _, scale in value.terms):
        raise InputError("must have a quantiser between a negative scale and itself")
    name = plain(walk, node, "max_pool", values, listed(attributes))
    return replace(value, terms=((name, value.terms[0][1]),))


def average_pool(walk, node, values, attributes, *_):
    (value,), unit = values, worth(values[0])
    shape = walk.builder.tensors[value.tensor].shape
    window = Window(**{key: attributes[key] for key in ("kernel", "stride", "padding", "ceil_mode")})
    scale = unit / pool.denominator(window, shape[1:], attributes["divisor"])
    return Value.of(plain(walk, node, "average_pool", values, listed(attributes)), scale, shape[0], quantised=False)


def total(walk, node, values, *_):
    """Left to the next quantiser, which adds and rounds at once."""
    if any(value.relu or value.tensor is None for value in values):
        raise InputError("must have a quantiser between a Relu or an addition and itself")
    shapes = [list(walk.builder.tensors[value.tensor].shape) for value in values]
    if shapes[0] != shapes[1]:
        raise InputError(f"must add tensors of one shape, not {shapes[0]} and {shapes[1]}")
    return Value(values[0].terms + values[1].terms, values[0].offset + values[1].offset)


def concat(walk, node, values, *_):
    units = {worth(value) for value in values}
    if len(units) > 1:
        raise InputError(f"must join numbers of one scale, not {', '.join(f'{u:.6g}' for u in sorted(units))}")
    name = plain(walk, node, "concat", values)
    return Value.of(name, units.pop(), walk.builder.tensors[name].shape[0])


def flatten(walk, node, values, *_):
    (value,) = values
    name = plain(walk, node, "flatten", values)
    repeats = walk.builder.tensors[name].shape[0] // len(value.offset)
    terms = tuple((name, scale.repeat(repeats)) for _, scale in value.terms)
    return replace(value, terms=terms, offset=value.offset.repeat(repeats))


def batch_norm(walk, node, values, attributes, *_):
    mean, var, gamma, beta = (attributes[role].double().numpy() for role in ("mean", "var", "gamma", "beta"))
    if values[0].relu:
        raise InputError("must have a quantiser between a Relu and itself")
    gain = gamma / np.sqrt(var + attributes["eps"])
    return values[0].affine(gain, beta - mean * gain)


def listed(attributes):
    """Attributes of a pool, as JSON has them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in attributes.items()}


OPERATIONS = {
    "add": total,
    "average_pool": average_pool,
    "batch_norm": batch_norm,
    "concat": concat,
    "conv": layer,
    "dense": layer,
    "flatten": flatten,
    "max_pool": max_pool,
    "relu": relu,
}
