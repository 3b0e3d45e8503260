"""A graph without batch normalisation, whose pixels have a unit that is a power of two."""

import math
from dataclasses import replace

import torch

from golden.errors import InputError

__all__ = ["fold"]

HOMOGENEOUS = ("relu", "max_pool", "average_pool", "flatten", "add", "concat")  # f(c x) = c f(x) for c > 0
ALLOWED = "behind conv or dense, or before them, unpadded, with nothing but flatten between"


def fold(graph):
    """`graph`, computing the same, in a form that formats can be assigned to.

    Batch normalisation ``y = g x + h``, per channel with ``g = gamma / sqrt(var + eps)`` and ``h = beta - g mean``,
    becomes part of the conv or dense before it, ``(g w) x + (g b + h)``, or of all those behind it, ``(w g) x + (b +
    sum of w h)``; padding is 0 and would have to be ``-h / g``, so that those behind it must have none, unless h is 0.
    A unit of the pixels that is no power of two becomes the nearest one, and the quotient part of the first layers'
    weights. All in float64, rounded once to the precision of the weights.

    Raises
    ------
    InputError
        If a batch normalisation stands where it cannot be folded, or a unit that is no power of two reaches an
        operation that is neither linear nor homogeneous.
    """
    while norms := [op for op in graph.ops if op.op == "batch_norm"]:
        graph = without(graph, norms[0])
    return graph if graph.unit is None else scaled(graph)


def affine(op):
    """g and h of a batch normalisation, float64."""
    mean, var, gamma, beta = (op.attributes[name].double() for name in ("mean", "var", "gamma", "beta"))
    gain = gamma / torch.sqrt(var + op.attributes["eps"])
    return gain, beta - gain * mean


def layer(op, weight, bias):
    """`op` with a float64 weight and bias in the precision of its own weight."""
    return replace(op, weight=weight.to(op.weight.dtype), bias=bias.to(op.weight.dtype))


def without(graph, norm):
    """`graph` without the batch normalisation `norm`."""
    changed = backward(graph, norm)
    if changed is None:
        changed = forward(graph, norm)
    if changed is None:
        raise InputError(f"batch_norm {norm.name!r} cannot be folded: it must stand {ALLOWED}")
    (source,) = norm.inputs
    ops = [changed.get(op.name, op) for op in graph.ops if op is not norm]
    for index, op in enumerate(ops):
        ops[index] = replace(op, inputs=tuple(source if name == norm.name else name for name in op.inputs))
    return replace(graph, ops=ops, output=source if graph.output == norm.name else graph.output)


def backward(graph, norm):
    """{name: the layer before `norm` with it folded in}; None if there is none, or others use its sums."""
    (source,) = norm.inputs
    before = [op for op in graph.ops if op.name == source and op.weight is not None]
    if not before or graph.users(source) != [norm] or graph.output == source:
        return None
    gain, offset = affine(norm)
    weight = before[0].weight.double() * gain.reshape(-1, *[1] * (before[0].weight.ndim - 1))
    bias = 0 if before[0].bias is None else before[0].bias.double()
    return {source: layer(before[0], weight, gain * bias + offset)}


def forward(graph, norm):
    """{name: a layer behind `norm` with it folded in}, for all uses of `norm`; None if one of them is no layer."""
    gain, offset = affine(norm)
    shape = graph.shapes()[norm.name]
    pending, found = [(op, 1) for op in graph.users(norm.name)], {}
    if graph.output == norm.name:
        return None
    while pending:
        op, repeats = pending.pop()
        if op.op == "flatten" and op.name != graph.output:
            pending += [(use, math.prod(shape[1:])) for use in graph.users(op.name)]
            continue
        padded = any(op.attributes.get("padding", ())) and bool(offset.any())
        if op.weight is None or padded:
            return None
        weight, axes = op.weight.double(), (1,) * (op.weight.ndim - 2)
        bias = 0 if op.bias is None else op.bias.double()
        g, h = (x.repeat_interleave(repeats).reshape(1, -1, *axes) for x in (gain, offset))
        found[op.name] = layer(op, weight * g, bias + (weight * h).flatten(1).sum(1))
    return found


def scaled(graph):
    """`graph` with a unit of the pixels that is a power of two."""
    unit = 2.0 ** round(math.log2(graph.unit))
    factor = graph.unit / unit
    if factor == 1:
        return graph
    waiting, ops = {graph.input}, []  # tensors that are now 1 / factor of what they were
    for op in graph.ops:
        if op.weight is not None and op.inputs[0] in waiting:
            op = replace(op, weight=(op.weight.double() * factor).to(op.weight.dtype))
        elif waiting.issuperset(op.inputs) and op.op in HOMOGENEOUS:
            waiting.add(op.name)
        elif waiting.intersection(op.inputs):
            raise InputError(
                f"{op.op} {op.name!r} takes pixels in units of {graph.unit:.6g}, which is no power of two; "
                f"allowed before the first conv or dense: {', '.join(HOMOGENEOUS)}"
            )
        ops.append(op)
    if graph.output in waiting:
        raise InputError(f"no conv or dense takes in the unit of the pixels, {graph.unit:.6g}; it must be 2**-k")
    return replace(graph, ops=ops, unit=unit)
