"""What torch's ATen operations are in a graph: one row each."""

import math

import torch

from quant.graph import expand
from quant.trace_lrn import VIEWS, normalisation

__all__ = ["HANDLERS", "SUPPORTED", "place", "sample"]

SUPPORTED = (
    "conv2d, linear, relu, max_pool2d, avg_pool2d, adaptive_avg_pool2d and mean over images, batch_norm in evaluation, "
    "add, cat of channels, flatten, dropout in evaluation, local_response_norm, a scale of uint8 pixels"
)


def place(node, leaf=False):
    """The path of the submodule that made `node`, "" if there is none; if `leaf`, only of one of torch's own."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    if not stack:
        return ""
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    if leaf and (not kind.startswith("torch.nn.modules.") or ".container." in kind):
        return ""
    return path.partition("@")[0]


def sample(node):
    """The shape of one sample of the tensor, or the first of several, that `node` makes."""
    value = node.meta["val"]
    return tuple(int(n) for n in (value[0] if isinstance(value, (list, tuple)) else value).shape[1:])


def pair(value):
    """One or two integers as two."""
    value = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return value * 2 if len(value) == 1 else value


def conv(walk, node, a):
    weight = walk.constant(a["weight"], node, "weight")
    if a.get("transposed") or weight.ndim != 4:
        walk.refuse(node, "is no convolution of images")
    padding, dilation = a["padding"], pair(a["dilation"])
    if isinstance(padding, str):
        reach = [step * (size - 1) for step, size in zip(dilation, weight.shape[2:], strict=True)]
        if padding == "same" and any(n % 2 for n in reach):
            walk.refuse(node, "pads more on one side than on the other")
        padding = [n // 2 if padding == "same" else 0 for n in reach]
    weight, present = expand(weight, a["groups"], dilation)
    walk.add(
        node,
        "conv",
        [a["input"]],
        {"stride": pair(a["stride"]), "padding": pair(padding)},
        weight=weight,
        present=present,
        bias=walk.constant(a["bias"], node, "bias"),
        parameter=a["weight"],
    )


def dense(walk, node, x, weight, bias, parameter):
    """A dense layer, whose weight is [out, in]."""
    bias = walk.constant(bias, node, "bias")
    walk.add(node, "dense", [x], weight=weight, bias=bias, parameter=parameter)


def linear(walk, node, a):
    dense(walk, node, a["input"], walk.constant(a["weight"], node, "weight"), a["bias"], a["weight"])


def addmm(walk, node, a):
    if (a["beta"], a["alpha"]) != (1, 1):
        walk.refuse(node, "has factors other than 1")
    dense(walk, node, a["mat1"], walk.constant(a["mat2"], node, "weight").T.contiguous(), a["self"], a["mat2"])


def mm(walk, node, a):
    dense(walk, node, a["self"], walk.constant(a["mat2"], node, "weight").T.contiguous(), None, a["mat2"])


def batch_norm(walk, node, a):
    if a.get("training") or a["running_mean"] is None:
        walk.refuse(node, "normalises with the batch's own mean")
    mean, var = (walk.constant(a[role], node, role) for role in ("running_mean", "running_var"))
    gamma, beta = (walk.constant(a[role], node, role) for role in ("weight", "bias"))
    attributes = {
        "mean": mean,
        "var": var,
        "gamma": torch.ones_like(mean) if gamma is None else gamma,
        "beta": torch.zeros_like(mean) if beta is None else beta,
        "eps": float(a["eps"]),
    }
    walk.add(node, "batch_norm", [a["input"]], attributes, parameter=a["running_mean"])


def pooling(a):
    """The attributes that both kinds of pooling have."""
    kernel = pair(a["kernel_size"])
    stride = pair(a["stride"]) if a["stride"] else kernel
    return {"kernel": kernel, "stride": stride, "padding": pair(a["padding"]), "ceil_mode": bool(a["ceil_mode"])}


def max_pool(walk, node, a):
    if pair(a["dilation"]) != (1, 1):
        walk.refuse(node, "is dilated")
    walk.add(node, "max_pool", [a["self"]], pooling(a))


def avg_pool(walk, node, a):
    attributes = pooling(a)
    divisor = "padded" if a["count_include_pad"] else "image"
    if a["divisor_override"] is not None:
        if a["divisor_override"] != math.prod(attributes["kernel"]):
            walk.refuse(node, f"divides by {a['divisor_override']}, which is not the size of its kernel")
        divisor = "window"
    walk.add(node, "average_pool", [a["self"]], attributes | {"divisor": divisor})


def average(walk, node, x, kernel):
    """Averages of windows that lie side by side."""
    whole = {"kernel": kernel, "stride": kernel, "padding": (0, 0), "ceil_mode": False, "divisor": "window"}
    channels, *size = sample(x)
    made = (channels, *(n // m for n, m in zip(size, kernel, strict=True)))
    walk.add(node, "average_pool", [x], whole, shape=made)


def adaptive(walk, node, a):
    size, wanted = sample(a["self"])[1:], pair(a["output_size"])
    if any(n % m for n, m in zip(size, wanted, strict=True)):
        walk.refuse(node, f"makes {list(wanted)} of {list(size)} pixels, in windows of several sizes")
    average(walk, node, a["self"], tuple(n // m for n, m in zip(size, wanted, strict=True)))


def mean(walk, node, a):
    shape = sample(a["self"])
    if len(shape) != 3 or {d % 4 for d in a["dim"] or ()} != {2, 3} or a["dtype"] is not None:
        walk.refuse(node, "is no mean over the rows and columns of images")
    average(walk, node, a["self"], shape[1:])


def add(walk, node, a):
    if a["alpha"] != 1:
        walk.refuse(node, "has a factor other than 1")
    walk.add(node, "add", [a["self"], a["other"]])


def concat(walk, node, a):
    if a["dim"] % (1 + len(sample(node))) != 1:
        walk.refuse(node, "joins along another axis than the channels")
    walk.add(node, "concat", a["tensors"])


def relu(walk, node, a):
    walk.add(node, "relu", [a["self"]])


def reshape(walk, node, a):
    if str(a["self"].meta["val"].shape[0]) != str(node.meta["val"].shape[0]):
        found = [list(x.meta["val"].shape) for x in (a["self"], node)]
        walk.refuse(node, f"makes {found[1]} of {found[0]}, of other samples")
    walk.alias(node, a["self"])


def same(walk, node, a):
    x = a.get("self", a.get("input"))
    if a.get("train"):
        walk.refuse(node, "works on training alone")
    if x.meta["val"].dtype.is_floating_point and not node.meta["val"].dtype.is_floating_point:
        walk.refuse(node, f"makes {node.meta['val'].dtype}")
    walk.alias(node, x)


def scale(walk, node, a):
    """Pixels times or divided by a number."""
    x, factor, divides = a["self"], a["other"], node.target in DIVISIONS
    if factor in walk.values and not divides:
        x, factor = factor, x
    value = walk.constants.get(factor, factor)
    number = isinstance(value, (int, float)) or (isinstance(value, torch.Tensor) and value.numel() == 1)
    if x not in walk.values or walk.values[x].unit is None or not number:
        walk.refuse(node, "scales what is not uint8 pixels, or not by one number")
    walk.alias(node, x, 1 / float(value) if divides else float(value))


def divide(walk, node, a):
    found = normalisation(node)
    if found is None:
        scale(walk, node, a)
    else:
        walk.add(node, "lrn", [a["self"]], found[1], kind="lrn")


SAME = [
    f"aten.{name}.default"
    for name in ("clone", "contiguous", "alias", "detach", "dropout", "feature_dropout", "_to_copy", "lift_fresh_copy")
] + ["aten.to.dtype", "aten.to.device", "aten.to.dtype_layout"]
DIVISIONS = (torch.ops.aten.div.Tensor, torch.ops.aten.div.Scalar)

HANDLERS = {
    "aten.conv2d.default": conv,
    "aten.conv2d.padding": conv,
    "aten.convolution.default": conv,
    "aten.linear.default": linear,
    "aten.addmm.default": addmm,
    "aten.mm.default": mm,
    "aten.batch_norm.default": batch_norm,
    "aten._native_batch_norm_legit_no_training.default": batch_norm,
    "aten.relu.default": relu,
    "aten.max_pool2d.default": max_pool,
    "aten.max_pool2d_with_indices.default": max_pool,
    "aten.avg_pool2d.default": avg_pool,
    "aten.adaptive_avg_pool2d.default": adaptive,
    "aten._adaptive_avg_pool2d.default": adaptive,
    "aten.mean.dim": mean,
    "aten.add.Tensor": add,
    "aten.cat.default": concat,
    "aten.mul.Tensor": scale,
    "aten.mul.Scalar": scale,
    "aten.div.Tensor": divide,
    "aten.div.Scalar": divide,
    **dict.fromkeys(VIEWS, reshape),
    **dict.fromkeys(SAME, same),
}
