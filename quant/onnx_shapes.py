"""ONNX operators that change no number: handlers that every walk has, and what windows pad and how often they fit."""

import math

import numpy as np

from golden.errors import InputError
from golden.window import Window
from quant.graph import expand

__all__ = ["SHAPES", "filters", "mean_window", "pool_window"]


def same(walk, node):
    walk.alias(node)


def dropout(walk, node):
    training = walk.constant(node, 2, "training_mode")
    if training is not None and np.any(training):
        walk.refuse(node, "works on training alone")
    walk.alias(node)


def flatten(walk, node):
    sample = walk.sample(node)
    axis = node.attributes.get("axis", 1)
    if axis % (1 + len(sample)) != 1:
        walk.refuse(node, f"must keep the batch: axis 1, not {axis}")
    reshaped(walk, node, (math.prod(sample),))


def reshape(walk, node):
    before, wanted = (walk.batch, *walk.sample(node)), walk.constant(node, 1, "shape")
    if wanted is None or not node.attributes.get("allowzero", 0):
        wanted = [before[i] if n == 0 and i < len(before) else int(n) for i, n in enumerate(wanted)]
    known = math.prod(n for n in wanted if n != -1)
    after = [math.prod(before) // known if n == -1 and known else int(n) for n in wanted]
    if len(after) < 2 or after[0] != walk.batch or math.prod(after) != math.prod(before):
        walk.refuse(node, f"must keep the batch, not make {list(map(int, wanted))} of [N, {numbers(before[1:])}]")
    reshaped(walk, node, tuple(after[1:]))


def squeeze(walk, node):
    sample = walk.sample(node)
    axes = walk.constant(node, 1, "axes") if node.input(1) else node.attributes.get("axes")
    if axes is None:
        axes = [i for i, n in enumerate((walk.batch, *sample)) if n == 1]
    gone = {int(axis) % (1 + len(sample)) for axis in axes}
    reshaped(walk, node, tuple(n for i, n in enumerate(sample, 1) if i not in gone), kept=0 not in gone)


def reshaped(walk, node, after, kept=True):
    """Samples of shape `after`: flattened, or as they were; `kept` says whether the batch is still the first axis."""
    before = walk.sample(node)
    if after == before and kept:
        walk.alias(node)
    elif after == (math.prod(before),) and kept:
        walk.add(node, "flatten")
    else:
        walk.refuse(node, f"must make features [N, {math.prod(before)}] of [N, {numbers(before)}], not {list(after)}")


def numbers(shape):
    """A shape for a message."""
    return ", ".join(map(str, shape))


SHAPES = {"Dropout": dropout, "Flatten": flatten, "Identity": same, "Reshape": reshape, "Squeeze": squeeze}


def pair(walk, node, name, default=1):
    """A spatial attribute, if it has two positive elements."""
    found = tuple(node.attributes.get(name) or (default, default))
    if len(found) != 2 or min(found) < 1:
        walk.refuse(node, f"must have two {name} of at least 1, not {list(found)}")
    return found


def margins(walk, node, size, span, stride):
    """Padding ((top, bottom), (left, right)) for windows that span `span` pixels."""
    auto = node.attributes.get("auto_pad", "NOTSET")
    if auto == "NOTSET":
        pads = node.attributes.get("pads") or [0, 0, 0, 0]
        if len(pads) != 4 or min(pads) < 0:
            walk.refuse(node, f"must have four pads of at least 0, not {list(pads)}")
        return (pads[0], pads[2]), (pads[1], pads[3])
    if auto not in ("VALID", "SAME_UPPER", "SAME_LOWER"):
        walk.refuse(node, f"has an unknown auto_pad, {auto}; allowed: NOTSET, VALID, SAME_UPPER, SAME_LOWER")
    if auto == "VALID":
        return (0, 0), (0, 0)
    found = []
    for n, wide, step in zip(size, span, stride, strict=True):
        total = max((-(-n // step) - 1) * step + wide - n, 0)
        less, more = total // 2, total - total // 2
        found.append((less, more) if auto == "SAME_UPPER" else (more, less))
    return tuple(found)


def filters(walk, node, weight, size):
    """The filters of a Conv on images of `size` (H, W), which of their elements are weights, stride and padding.

    Filters are as of `quant.graph.expand`: by as much as padding differs from side to side, they grow on the side where
    there is less of it.

    Parameters
    ----------
    weight : tensor [M, C / groups, KH, KW]
    """
    if weight.ndim != 4 or tuple(node.attributes.get("kernel_shape") or weight.shape[2:]) != tuple(weight.shape[2:]):
        walk.refuse(node, f"must be one of images, with filters as its kernel_shape says, not {list(weight.shape)}")
    groups, stride, dilation = (
        node.attributes.get("group", 1),
        pair(walk, node, "strides"),
        pair(walk, node, "dilations"),
    )
    channels = walk.sample(node)[0]
    if groups < 1 or len(weight) % groups or weight.shape[1] * groups != channels:
        found = f"{list(weight.shape)} in {groups} groups"
        walk.refuse(node, f"must have filters for the {channels} channels of its input, not {found}")
    span = [(n - 1) * step + 1 for n, step in zip(weight.shape[2:], dilation, strict=True)]
    (top, bottom), (left, right) = margins(walk, node, size, span, stride)
    grown = (max(right - left, 0), max(left - right, 0), max(bottom - top, 0), max(top - bottom, 0))
    return *expand(weight, groups, dilation, grown), stride, (max(top, bottom), max(left, right))


def pool_window(walk, node, average=False):
    """The attributes of a pool of `quant.graph`, which are golden's, of the node of a pool.

    Windows may reach over the right and lower edge; that is how padding is had that is greater there.
    """
    size, kernel, stride = walk.sample(node)[1:], pair(walk, node, "kernel_shape", 0), pair(walk, node, "strides")
    if pair(walk, node, "dilations") != (1, 1):
        walk.refuse(node, "must have no dilations")
    ceil = bool(node.attributes.get("ceil_mode", 0))
    if ceil and node.attributes.get("auto_pad", "NOTSET") != "NOTSET":
        walk.refuse(node, "must have pads, not auto_pad, together with ceil_mode")
    pads = margins(walk, node, size, kernel, stride)
    axes = list(zip(size, kernel, stride, pads, strict=True))
    count = tuple(fitting(*axis, ceil) for axis in axes)
    for mode in (False, True):
        try:
            window = Window(kernel=kernel, stride=stride, padding=tuple(first for first, _ in pads), ceil_mode=mode)
            if window.size(*size) == count:
                break
        except InputError as error:
            walk.refuse(node, f"cannot pool: {error}")
    else:
        walk.refuse(node, f"must pad both ends of an image alike, or its end by less than a stride more, not by {pads}")
    found = {"kernel": kernel, "stride": stride, "padding": window.padding, "ceil_mode": mode}
    return found | {"divisor": divisor(walk, node, axes, count)} if average else found


def fitting(size, kernel, stride, pads, ceil):
    """Windows along an axis; if `ceil`, one more may begin in image or padding before it and reach over the end."""
    room = size + sum(pads) - kernel
    count = (-(-room // stride) if ceil else room // stride) + 1
    return count - (ceil and (count - 1) * stride >= size + pads[0])


def divisor(walk, node, axes, count):
    """What averages are divided by: a row of `golden.pool.DIVISORS`."""
    padded = any(any(pads) for *_, pads in axes)
    inside = all((n - 1) * stride + kernel <= size + sum(pads) for n, (size, kernel, stride, pads) in zip(count, axes))
    included = bool(node.attributes.get("count_include_pad", 0))
    if inside and (included or not padded):
        return "window"
    if included and any(first != last for *_, (first, last) in axes):
        walk.refuse(node, "must pad all sides alike where it counts padding and windows reach over it")
    return "padded" if included else "image"


def mean_window(walk, node):
    """The attributes of a pool that averages whole images."""
    size = walk.sample(node)[1:]
    if len(size) != 2:
        walk.refuse(node, f"must work on images, not on [N, {numbers(walk.sample(node))}]")
    return {"kernel": size, "stride": size, "padding": (0, 0), "ceil_mode": False, "divisor": "window"}
