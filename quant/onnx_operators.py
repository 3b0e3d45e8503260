"""What ONNX's operators are in terms of `quant.graph.KINDS`: one row each, for floats and for integers."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from golden.formats import UnitFormat
from quant.onnx_model import typename
from quant.onnx_shapes import SHAPES, filters, mean_window, pool_window
from quant.onnx_walk import FLOATS

__all__ = ["HANDLERS", "Weight", "parameter"]


@dataclass(frozen=True, eq=False)
class Weight:
    """The weights of a layer: floats, or integers in a format.

    Parameters
    ----------
    values : tensor
        float32, or int64.
    scale : float64 tensor or None
        Of the shape of the weights: what each integer is worth times itself; None of floats.
    format : UnitFormat or None
    present : bool tensor or None
        Which of `values` are weights; see `quant.graph.Op`.
    """

    values: torch.Tensor
    scale: torch.Tensor | None = None
    format: UnitFormat | None = None
    present: torch.Tensor | None = None

    @property
    def transposed(self):
        """The same with its two axes exchanged."""
        return replace(self, values=self.values.T, scale=None if self.scale is None else self.scale.T)

    def times(self, factor):
        """These weights times a number."""
        return (
            replace(self, values=self.values * factor)
            if self.scale is None
            else replace(self, scale=self.scale * factor)
        )


def parameter(values):
    """An array as a float32 tensor."""
    return torch.from_numpy(np.array(values, np.float32, order="C"))


def vector(walk, node, index, role, count):
    """A constant as a float32 tensor of `count` numbers."""
    values = walk.constant(node, index, role)
    if np.shape(values) != (count,):
        walk.refuse(node, f"must have {count} numbers as {role}, not {list(np.shape(values))}")
    return parameter(values)


def conv(walk, node):
    sample, weight = walk.sample(node), walk.weight(node, 1)
    if len(sample) != 3:
        walk.refuse(node, f"must work on images, not on {list(sample)}")
    values, present, stride, padding = filters(walk, node, weight.values, sample[1:])
    bias = vector(walk, node, 2, "bias", len(values)) if node.input(2) else None
    weight = replace(weight, values=values, present=present)
    walk.add(node, "conv", {"stride": stride, "padding": padding}, weight=weight, bias=bias)


def gemm(walk, node):
    if node.attributes.get("transA", 0):
        walk.refuse(node, "must not transpose its first input, whose rows are samples")
    weight = matrix(walk, node).times(node.attributes.get("alpha", 1.0))
    weight = weight if node.attributes.get("transB", 0) else weight.transposed
    bias = walk.constant(node, 2, "bias")
    if bias is not None:
        bias = parameter(walk.channels(node, bias, weight.values.shape[:1])) * node.attributes.get("beta", 1.0)
    walk.add(node, "dense", weight=weight, bias=bias)


def matmul(walk, node):
    walk.add(node, "dense", weight=matrix(walk, node).transposed)


def matrix(walk, node):
    """The weights of a layer, if they have two axes."""
    weight = walk.weight(node, 1)
    if weight.values.ndim != 2:
        walk.refuse(node, f"must have weights of 2 axes, not {list(weight.values.shape)}")
    return weight


def relu(walk, node):
    walk.add(node, "relu")


def clip(walk, node):
    limits = []
    for index, (role, default) in enumerate((("min", -math.inf), ("max", math.inf)), 1):
        given = walk.constant(node, index, role)
        limits.append(float(node.attributes.get(role, default) if given is None else given))
    if limits[0] != 0 or limits[1] < np.finfo(np.float32).max:
        walk.refuse(node, f"must clip to 0 and infinity, not to {limits[0]:.6g} and {limits[1]:.6g}")
    relu(walk, node)


def max_pool(walk, node):
    walk.add(node, "max_pool", pool_window(walk, node))


def average_pool(walk, node):
    walk.add(node, "average_pool", pool_window(walk, node, average=True))


def global_average(walk, node):
    walk.add(node, "average_pool", mean_window(walk, node))


def global_max(walk, node):
    whole = mean_window(walk, node)
    del whole["divisor"]
    walk.add(node, "max_pool", whole)


def reduce_mean(walk, node):
    axes = walk.constant(node, 1, "axes") if node.input(1) else node.attributes.get("axes", ())
    sample = walk.sample(node)
    if len(sample) != 3 or sorted(int(axis) % 4 for axis in axes) != [2, 3]:
        found = list(map(int, axes))
        walk.refuse(node, f"must work on axes 2 and 3 of images, not on {found} of [N, {', '.join(map(str, sample))}]")
    walk.add(node, "average_pool", mean_window(walk, node))
    if not node.attributes.get("keepdims", 1):
        walk.add(node, "flatten", inputs=(walk.tensors[node.output],))


def batch_norm(walk, node):
    if node.attributes.get("training_mode", 0) or not node.attributes.get("spatial", 1):
        walk.refuse(node, "must normalise channels, by constants")
    count = walk.sample(node)[0]
    roles = {"gamma": 1, "beta": 2, "mean": 3, "var": 4}
    attributes = {role: vector(walk, node, index, role, count) for role, index in roles.items()}
    walk.add(node, "batch_norm", attributes | {"eps": node.attributes.get("epsilon", 1e-5)})


def add(walk, node):
    index, constant = walk.split(node)
    if constant is None:
        walk.add(node, "add", inputs=(walk.tensor(node, 0), walk.tensor(node, 1)))
    else:
        walk.affine(node, index, 1.0, constant)


def subtract(walk, node):
    index, constant = walk.split(node)
    if constant is None:
        walk.refuse(node, "must have a constant")
    walk.affine(node, index, 1.0 - 2 * index, constant if index else -constant)


def multiply(walk, node):
    """By a constant."""
    index, constant = walk.split(node)
    divides = node.op == "Div"
    if constant is None or (divides and index):
        walk.refuse(node, "must have a constant" + " divisor" * divides)
    gain = np.asarray(constant, np.float64)
    if divides:
        with np.errstate(divide="ignore"):  # an infinity is refused where it is used
            gain = 1 / gain
    walk.affine(node, index, gain, 0.0)


def cast(walk, node):
    to = typename(node.attributes["to"])
    if to not in FLOATS:
        walk.refuse(node, f"must make one of {', '.join(FLOATS)}, not {to}")
    walk.cast(node)


def concat(walk, node):
    sample = walk.sample(node)
    if node.attributes["axis"] % (1 + len(sample)) != 1:
        walk.refuse(node, f"must join channels, axis 1, not axis {node.attributes['axis']}")
    if len(node.inputs) == 1:
        walk.alias(node)
    else:
        walk.add(node, "concat", inputs=tuple(walk.tensor(node, index) for index in range(len(node.inputs))))


def lrn(walk, node):
    size = node.attributes["size"]
    if size % 2 == 0:
        walk.refuse(node, f"must have an odd size, not {size}: of even ones, ONNX and graphs have other neighbours")
    defaults = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    alpha, beta, k = (float(node.attributes.get(role, default)) for role, default in defaults.items())
    walk.add(node, "lrn", {"size": size, "alpha": alpha, "beta": beta, "k": k})


HANDLERS = SHAPES | {
    "Add": add,
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Cast": cast,
    "Clip": clip,
    "Concat": concat,
    "Conv": conv,
    "Div": multiply,
    "Gemm": gemm,
    "GlobalAveragePool": global_average,
    "GlobalMaxPool": global_max,
    "LRN": lrn,
    "MatMul": matmul,
    "MaxPool": max_pool,
    "Mul": multiply,
    "ReduceMean": reduce_mean,
    "Relu": relu,
    "Sub": subtract,
}
