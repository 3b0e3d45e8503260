"""An exported network, computed by torch's own operations: what golden must compute too.

Sums of products are added in float64, where they stay below 2**53, and so is all that stands between operations; where
those of a rounding may be longer, they are int64. Thus each operation is exact. Only rounding to formats other than
integers is that of the format itself.
"""

import math

import numpy as np
import torch
from torch.nn import functional

from golden.errors import InputError
from golden.formats import Integer, fitting
from golden.wide import total
from golden.window import Window

__all__ = ["exact", "run"]

FLOAT64_EXACT = 2.0**53
IN_FLOATS = 54  # bits of sums that float64 holds with their sign
HALF = 31  # bits of the lower half of a sum of 62


def exact(sums, what):
    """`sums`, if each is so small that float64 has added it exactly."""
    greatest = float(sums.abs().max()) if sums.numel() else 0.0
    if not greatest < FLOAT64_EXACT:
        raise InputError(f"sums of {what} reach {greatest:.0f}; float64 is exact below 2^53")
    return sums


@torch.no_grad()
def run(network, pixels):
    """Yield (name, integers as float64) for every tensor that golden's `network` makes of `pixels`, but flattened ones.

    Raises
    ------
    InputError
        If a sum reaches 2**53.
    """
    values = {network.input: pixels.double()}
    for node in network.nodes:
        parameters = {role: integers(network.parameters[name].values) for role, name in node.parameters.items()}
        attributes = network.operations[node.name].attributes
        inputs = [values[name] for name in node.inputs]
        formats = [network.tensors[name].format for name in (*node.inputs, node.output)]
        y = OPERATIONS[node.op](inputs, parameters, attributes, formats, node.name)
        values[node.output] = exact(y, node.name)
        if node.op != "flatten":
            yield node.output, y


def integers(values):
    """A parameter as int64."""
    return torch.from_numpy(values.astype(np.int64))


def conv(inputs, parameters, attributes, formats, name):
    x, pad, fill = inputs[0], Window(kernel=1, padding=attributes["padding"]).padding, attributes["fill"]
    if fill is None:
        fill = 0 if formats[0].holds(0) else -1
    x = functional.pad(x, (pad[1], pad[1], pad[0], pad[0]), value=float(fill))
    return functional.conv2d(x, parameters["weight"].double(), stride=attributes["stride"])


def dense(inputs, parameters, attributes, formats, name):
    return functional.linear(inputs[0], parameters["weight"].double())


def rounded(terms, addend, s, y, bits):
    """The integers of format `y` nearest to ``(sum of x * m, + addend) * 2**-s``, whose sums have at most `bits` bits."""
    if isinstance(y, Integer) and bits <= IN_FLOATS:  # the same numbers, found faster
        (x, m), *rest = terms
        sums = (x * m.double()).add_(addend.double())
        for x, m in rest:
            sums += x * m.double()
        return sums.mul_(torch.exp2(-s.double())).round_().clamp_(y.lo, y.hi)
    sums = addend + sum(x.long() * m for x, m in terms)
    if isinstance(y, Integer):
        floor, half = sums >> s, (1 << s) >> 1
        rest = sums - (floor << s)
        up = (s > 0) & ((rest > half) | ((rest == half) & (floor % 2 == 1)))
        return (floor + up).clamp(y.lo, y.hi).double()
    halves = [((sums & ((1 << HALF) - 1)).numpy(), 0), ((sums >> HALF).numpy(), HALF)]
    return torch.from_numpy(y.nearest(np.ldexp(total(halves, 1 << 62), y.exponent - s.numpy()))).double()


def channels(parameters, x):
    """Parameters, one number a channel, in as many axes as `x` has."""
    return {role: p.reshape(1, -1, *(1,) * (x.ndim - 2)) for role, p in parameters.items()}


def operand(fmt):
    """Bits of the signed integers of a format."""
    return fitting(fmt.lo, fmt.hi).width


def requant(inputs, parameters, attributes, formats, name):
    p = channels(parameters, inputs[0])
    bits = max(operand(formats[0]) + attributes["m_width"], attributes["b_width"]) + 1
    return rounded([(inputs[0], p["m"])], p["b"], p["s"], formats[-1], bits)


def add(inputs, parameters, attributes, formats, name):
    p = channels(parameters, inputs[0])
    bits = max(max(map(operand, formats[:2])) + attributes["m_width"] + 1, attributes["d_width"]) + 1
    return rounded(list(zip(inputs, (p["m_a"], p["m_b"]), strict=True)), p["d"], p["s"], formats[-1], bits)


def pooling(attributes):
    """Arguments of torch's pooling."""
    kernel, stride = attributes["kernel"], attributes["stride"]
    return kernel, kernel if stride is None else stride, attributes["padding"], attributes["ceil_mode"]


def max_pool(inputs, parameters, attributes, formats, name):
    kernel, stride, padding, ceil_mode = pooling(attributes)
    return functional.max_pool2d(inputs[0], kernel, stride, padding, ceil_mode=ceil_mode)


def average_pool(inputs, parameters, attributes, formats, name):
    """Sums over windows, each times what makes its divisor the least common multiple of all."""
    arguments, ones = pooling(attributes), torch.ones_like(inputs[0][:1, :1])
    window, padded = attributes["divisor"] == "window", attributes["divisor"] == "padded"
    sums, inside = (functional.avg_pool2d(x, *arguments, divisor_override=1) for x in (inputs[0], ones))
    if window:
        return sums
    counts = torch.round(inside / functional.avg_pool2d(ones, *arguments, count_include_pad=True)) if padded else inside
    counts = counts.long()
    return sums * (math.lcm(*counts.unique().tolist()) // counts)


def shortcut(inputs, parameters, attributes, formats, name):
    down, right = Window(kernel=1, stride=attributes["stride"]).stride
    x = inputs[0][:, :, ::down, ::right]
    return torch.cat([x, x.new_zeros(len(x), attributes["channels"] - x.shape[1], *x.shape[2:])], 1)


OPERATIONS = {
    "conv": conv,
    "dense": dense,
    "requant": requant,
    "add": add,
    "relu": lambda inputs, *_: inputs[0].clamp(min=0),
    "max_pool": max_pool,
    "average_pool": average_pool,
    "concat": lambda inputs, *_: torch.cat(inputs, 1),
    "shortcut": shortcut,
    "flatten": lambda inputs, *_: inputs[0].flatten(1),
}
