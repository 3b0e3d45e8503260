"""Which numbers of a graph share a format, and how great they become."""

import math
from dataclasses import dataclass

import torch

from golden.errors import InputError
from quant.assignment import ROUNDING
from quant.space import Part

__all__ = ["CALIBRATION_IMAGES", "Ranges", "parts", "ranges", "rectified"]

CALIBRATION_IMAGES = 10_000
BATCH = 250


def rectified(graph):
    """The tensors that matter above zero alone: a ReLU is all that uses them, at once or behind max pooling."""
    found = set()
    for op in reversed(graph.ops):
        uses = graph.users(op.name)
        if uses and op.name != graph.output:
            if all(use.op == "relu" or (use.op == "max_pool" and use.name in found) for use in uses):
                found.add(op.name)
    return found


def parts(graph):
    """The `Part`s of a graph: each layer's weights, each tensor that rounds; tensors that are concatenated are one.

    Raw pixels are no part: they are as they are.
    """
    found = [Part(op.op, (op.name,), op.weights.numel()) for op in graph.ops if op.weight is not None]
    tensors = [op.name for op in graph.ops if op.op in ROUNDING]
    if graph.unit is None:
        tensors.insert(0, graph.input)
    together = {name: {name} for name in tensors}  # name → all that share its format
    sources = {graph.input: {graph.input}}  # tensor → those whose format it carries
    for op in graph.ops:
        sources[op.name] = {op.name} if op.op in ROUNDING else set().union(*(sources[name] for name in op.inputs))
        if op.op == "concat":
            one = set().union(*(together.get(name, set()) for name in sources[op.name]))
            together |= dict.fromkeys(one, one)
    shapes = graph.shapes()
    for name in tensors:
        names = tuple(other for other in tensors if other in together[name])
        if name == names[0]:
            found.append(Part("outputs", names, sum(math.prod(shapes[other]) for other in names)))
    return tuple(found)


@dataclass(frozen=True)
class Ranges:
    """How great numbers become.

    Parameters
    ----------
    greatest : dict
        Part → greatest magnitude; of tensors that matter above zero alone, greatest value.
    biases : dict
        Operation → greatest magnitude of its bias, for those that have one.
    images : int
        How many the layer outputs were seen on.
    """

    greatest: dict
    biases: dict
    images: int


def finite(x, what):
    """The greatest magnitude in `x`.

    Raises
    ------
    InputError
        If there is a NaN or an infinity.
    """
    greatest = float(x.abs().max()) if x.numel() else 0.0
    if not math.isfinite(greatest):
        raise InputError(f"{what} must be finite; NaN or infinity is among them")
    return greatest


@torch.no_grad()
def ranges(graph, images):
    """The `Ranges` of weights, biases and, for `images` [N, ...] of the training set, layer outputs.

    Several thousand images are enough. Biases do not count among the weights, as in Ristretto.

    Raises
    ------
    InputError
        If a number is NaN or infinite, or there is no image.

    Source: Gysel, Ristretto, section 9.2.
    """
    if len(images) == 0:
        raise InputError("calibration needs at least one image")
    biases, weights = {}, {}
    for op in graph.ops:
        if op.weight is not None:
            weights[op.name] = finite(op.weight, f"weights of {op.name}")
            if op.bias is not None:
                biases[op.name] = finite(op.bias, f"biases of {op.name}")
    all_parts, above_zero = parts(graph), rectified(graph)
    outputs = {name: 0.0 for part in all_parts if part.kind == "outputs" for name in part.names}
    for batch in images.split(BATCH):
        values = graph.run(batch)
        for name, greatest in outputs.items():
            x = values[name]
            most = finite(x, f"values of {name} on the calibration images")
            outputs[name] = max(greatest, max(float(x.max()), 0.0) if name in above_zero else most)
    greatest = {
        part: max((outputs if part.kind == "outputs" else weights)[name] for name in part.names) for part in all_parts
    }
    return Ranges(greatest, biases, len(images))
