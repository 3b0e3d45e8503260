"""One row an operation: what it adds to the C file, and the statements that run it."""

import math

import numpy as np

from golden.c99.text import ctype, literal
from golden.formats import Integer
from golden.mac import MacSpec
from golden.pool import denominator
from golden.window import Window

__all__ = ["ROWS"]

INT32, TOTAL = 1 << 31, 1 << 63  # what sums in int32 and totals stay below; wider ones, by their spec, below 2**105


def window(file, node, geometry, channels, height, width):
    """A pointer to how the window `geometry` slides over images of this size."""
    out_height, out_width = geometry.size(height, width)
    fields = {"channels": channels, "height": height, "width": width, "out_height": out_height, "out_width": out_width}
    for what in ("kernel", "stride"):
        fields |= zip((f"{what}_height", f"{what}_width"), getattr(geometry, what), strict=True)
    return file.constant("window", node, fields | dict(zip(("top", "left"), geometry.padding, strict=True)))


def call(file, node, template, words, before=(), after=()):
    """The statement that runs `template`, for its `words`, on the first input of `node`.

    Parameters
    ----------
    before, after : sequences of str
        Arguments before the input, and between it and the output.
    """
    words = {"x": file.type(node.inputs[0]), "y": file.type(node.output)} | words
    arguments = [*before, file.operand(node.inputs[0]), *after, file.operand(node.output)]
    return [f"{file.function(template, words)}({', '.join(map(str, arguments))});"]


def sums(file, node, operation, template, before, variable, words):
    """A convolution or dense layer with exact sums, of which `variable` is one; of a MAC, with bias and rounding."""
    after, result, then, more = [file.parameter(node, "weight")], variable, "", ""
    operands = operation.inputs[0].format.dtype, operation.w.dtype
    kind = "int32_t" if operation.bound < INT32 and np.result_type(*operands).itemsize <= 4 else "int64_t"
    if "bias" in node.parameters:
        units, long = scales(file, node, operation)
        finish = file.function("finish_wide" if long else "finish", {"format": file.rounding(operation.spec.y)})
        kind = "wide" if long else kind
        then, more = ", plus bias[m], rounded", f"const {ctype(operation.bias.dtype)} *bias, const units *u, "
        result = f"{finish}({variable}, bias[m], u)"
        after += [file.parameter(node, "bias"), units]
    words |= {"w": ctype(operation.w.dtype), "sum": kind, "operand": kind, "zero": "0", "then": then, "more": more}
    words |= {"plus": f"{variable} + weight * pixel", "result": result}
    if kind == "wide":
        plus = f"wide_add({variable}, wide_product(weight, pixel))"
        words |= {"operand": "int64_t", "zero": "wide_zero", "plus": plus}
    return call(file, node, template, words, before, after)


def scales(file, node, operation):
    """A pointer to the units of a MAC, and whether its totals need two limbs."""
    spec, most = operation.spec, max(abs(bias) for bias in operation.bias.tolist())
    up, bias_up = spec.up if operation.bound else 0, spec.bias_up if most else 0  # zeros are 0 in any unit
    total = (operation.bound << up) + (most << bias_up)
    fields = {"up": up, "bias_up": bias_up, "shift": spec.shift, "relu": int(spec.relu)}
    return file.constant("units", node, fields), total >= TOTAL


def in_floats(file, node, operation, geometry):
    """A MAC whose sums are those of FP32."""
    spec = operation.spec
    units = {"x_unit": spec.a, "w_unit": spec.w, "bias_unit": spec.bias}
    words = {word: f"{(2.0**format.exponent).hex()}f" for word, format in units.items()}
    words |= {"w": ctype(operation.w.dtype), "bias": ctype(operation.bias.dtype), "lanes": spec.rounded.lanes}
    finish = file.function("finish_float", {"format": file.rounding(spec.y)})
    units = file.constant("units", node, {"up": 0, "bias_up": 0, "shift": spec.y.exponent, "relu": int(spec.relu)})
    after = [file.parameter(node, "weight"), file.parameter(node, "bias"), units]
    return call(file, node, "float_conv", words | {"finish": finish}, [geometry, len(operation.w)], after)


def conv(file, node, operation):
    geometry = window(file, node, operation.window, *file.shape(node.inputs[0]))
    if is_float(operation):
        return in_floats(file, node, operation, geometry)
    if operation.fill and any(operation.window.padding):
        before, words = [geometry, len(operation.w)], {"fill": literal(operation.fill)}
        return sums(file, node, operation, "filled_conv", before, "sum", words)
    file.at_least("MOST_COLUMNS", operation.output.shape[2])
    file.at_least("MOST_KERNEL", operation.window.kernel[1])
    words = {"column": "j" if operation.window.stride[1] == 1 else "j * g->stride_width"}  # so that it is vectorised
    return sums(file, node, operation, "conv", [geometry, len(operation.w)], "sums[j]", words)


def dense(file, node, operation):
    if is_float(operation):  # as a convolution of images of one pixel
        geometry = window(file, node, Window(kernel=1), operation.k, 1, 1)
        return in_floats(file, node, operation, geometry)
    return sums(file, node, operation, "dense", [len(operation.w), operation.k], "sum", {})


def is_float(operation):
    """Whether the sums of a convolution or dense layer are those of FP32."""
    return isinstance(operation.spec, MacSpec) and operation.spec.rounded is not None


def pixels(file, name):
    """Channels of the tensor `name`, and pixels of one."""
    channels, *size = file.shape(name)
    return channels, math.prod(size)


def requant(file, node, operation):
    spec = operation.requantiser.spec
    types = {"m": spec.m.dtype, "b": Integer(spec.b_width, signed=True).dtype, "s": "uint8"}
    words = {role: ctype(dtype) for role, dtype in types.items()} | {"format": file.rounding(spec.y)}
    after = [file.parameter(node, role, dtype) for role, dtype in types.items()]
    return call(file, node, "requant", words, pixels(file, node.output), after)


def add(file, node, operation):
    spec = operation.adder.spec
    m, d = (Integer(width, signed=True).dtype for width in (spec.m_width, spec.d_width))
    other = node.inputs[1]
    words = {"b": file.type(other), "m": ctype(m), "d": ctype(d), "format": file.rounding(spec.y)}
    roles = {"m_a": m, "m_b": m, "d": d, "s": "uint8"}
    after = [file.operand(other), *(file.parameter(node, role, dtype) for role, dtype in roles.items())]
    return call(file, node, "add", words, pixels(file, node.output), after)


def max_pool(file, node, operation):
    geometry = window(file, node, operation.window, *file.shape(node.inputs[0]))
    return call(file, node, "max_pool", {}, [geometry])


def average_pool(file, node, operation):
    shape, divisor, slide = file.shape(node.inputs[0]), operation.attributes["divisor"], operation.window
    reach = [
        kernel + padding for kernel, padding in zip(slide.kernel, slide.padding, strict=True)
    ]  # no window's is more
    margins = {"window": reach, "padded": slide.padding, "image": (0, 0)}[divisor]
    unit = denominator(slide, shape[1:], divisor)
    return call(file, node, "average_pool", {}, [window(file, node, slide, *shape), *margins, unit])


def relu(file, node, operation):
    return call(file, node, "relu", {}, [math.prod(file.shape(node.output))])


def lrn(file, node, operation):
    spec, a, y = operation.spec, operation.inputs[0].format, operation.output.format
    words = {"format": file.rounding(y), "x_unit": (2.0**a.exponent).hex()}
    settings = [float(value).hex() for value in (spec.alpha / spec.size, spec.beta, spec.k)]
    before = [*pixels(file, node.output), spec.size, *settings, y.exponent]
    return call(file, node, "lrn", words, before)


def concat(file, node, operation):
    name, first, statements = file.function("copy", dict.fromkeys("xy", file.type(node.output))), 0, []
    for part in node.inputs:
        size = math.prod(file.shape(part))
        statements.append(f"{name}({size}, {file.operand(part)}, {file.operand(node.output)} + {first});")
        first += size
    return statements


def shortcut(file, node, operation):
    geometry = window(file, node, operation.window, *file.shape(node.inputs[0]))
    return call(file, node, "shortcut", {}, [geometry, operation.output.shape[0]])


def flatten(file, node, operation):
    return []  # its memory is that of its input: `golden.c99.buffers.VIEWS`


ROWS = {
    "conv": conv,
    "mac_conv": conv,
    "dense": dense,
    "mac_dense": dense,
    "requant": requant,
    "add": add,
    "max_pool": max_pool,
    "average_pool": average_pool,
    "relu": relu,
    "lrn": lrn,
    "concat": concat,
    "shortcut": shortcut,
    "flatten": flatten,
}
