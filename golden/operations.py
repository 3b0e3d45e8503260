"""The operations a network is made of: one class each, one row each in `OPERATIONS`."""

import numpy as np

from golden import pool
from golden.elementwise import Adder, AddSpec
from golden.errors import InputError
from golden.formats import Integer, fitting
from golden.gemm_operations import Conv, Dense, GemmCall, GemmOperation, MacConv, MacDense
from golden.graph import Tensor
from golden.lrn import LrnSpec, lrn
from golden.operation import (
    REQUIRED,
    Operation,
    check_channels,
    image,
    integers,
    result_format,
    roundable,
    vectors,
    widths,
)
from golden.requant import Requantiser, RequantSpec
from golden.window import Window

__all__ = ["OPERATIONS", "GemmOperation", "GemmCall"]

CHANNELS = 1  # axis


class Requant(Operation):
    """`golden.requant` with m, b and s of each channel, to the attribute `format`."""

    name = "requant"
    roles = ("m", "b", "s")
    settings = {"format": REQUIRED, "m_width": 16, "b_width": 48}

    def prepare(self):
        (x,) = self.inputs
        y = result_format(self)
        x_format = integers(x.format, "accumulators of requant")
        spec = RequantSpec(x=x_format, y=y, **widths(self.attributes, "m_width", "b_width"))
        self.requantiser = Requantiser(spec, *vectors(self.parameters, self.roles))
        check_channels(self.requantiser.m, x)
        return Tensor(y, x.shape)

    def run(self, x):
        return self.requantiser(x, CHANNELS)


class Add(Operation):
    """`golden.elementwise.add` with m_a, m_b, d and s of each channel, to the attribute `format`."""

    name = "add"
    arity = 2
    roles = ("m_a", "m_b", "d", "s")
    settings = {"format": REQUIRED, "m_width": 16, "d_width": 48}

    def prepare(self):
        a, b = self.inputs
        if a.shape != b.shape:
            raise InputError(f"operands of add must have one shape, not {list(a.shape)} and {list(b.shape)}")
        y = result_format(self)
        formats = {"a": roundable(a.format, "operands of add"), "b": roundable(b.format, "operands of add")}
        spec = AddSpec(**formats, y=y, **widths(self.attributes, "m_width", "d_width"))
        self.adder = Adder(spec, *vectors(self.parameters, self.roles))
        check_channels(self.adder.m_a, a)
        return Tensor(y, a.shape)

    def run(self, a, b):
        return self.adder(a, b, CHANNELS)


class Pool(Operation):
    """An operation on the windows of an image; a stride left out is the kernel."""

    settings = {"kernel": REQUIRED, "stride": None, "padding": 0, "ceil_mode": False}

    def prepare(self):
        channels, *size = image(self.inputs[0])
        kernel, stride, padding, ceil_mode = (self.attributes[key] for key in Pool.settings)
        stride = kernel if stride is None else stride
        self.window = Window(kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode)
        pool.check_pooling(self.window)
        return Tensor(self.inputs[0].format, (channels, *self.window.size(*size)), self.inputs[0].unit)


class MaxPool(Pool):
    """The greatest integer in each window."""

    name = "max_pool"

    def run(self, x):
        return pool.max_pool(self.window, x)


class AveragePool(Pool):
    """The average of each window, in units of the input's over `golden.pool.denominator`: integers, not yet rounded."""

    name = "average_pool"
    settings = Pool.settings | {"divisor": "window"}

    def prepare(self):
        pooled = super().prepare()
        x = roundable(self.inputs[0].format, "operands of average_pool")
        scale = pool.denominator(self.window, self.inputs[0].shape[1:], self.attributes["divisor"])
        sums = fitting(scale * x.lo, scale * x.hi)
        return Tensor(
            Integer(sums.width, signed=True, exponent=x.exponent), pooled.shape, pooled.unit and pooled.unit / scale
        )

    def run(self, x):
        return pool.average_pool(self.window, x, self.attributes["divisor"]).astype(self.output.format.dtype)


class Relu(Operation):
    """``max(x, 0)``."""

    name = "relu"

    def prepare(self):
        x = self.inputs[0]
        roundable(x.format, "operands of relu")
        return Tensor(x.format, x.shape, x.unit)

    def run(self, x):
        return np.maximum(x, x.dtype.type(0))


class Lrn(Operation):
    """`golden.lrn`, of numbers in float64, rounded to the attribute `format`: an operation that is not exact.

    A result is worth what its format says; so is the input.
    """

    name = "lrn"
    exact = False
    settings = {"format": REQUIRED, "size": REQUIRED, "alpha": 1e-4, "beta": 0.75, "k": 1.0}

    def prepare(self):
        x = self.inputs[0]
        image(x)
        roundable(x.format, "operands of lrn")
        y = result_format(self)
        self.spec = LrnSpec(**{key: self.attributes[key] for key in ("size", "alpha", "beta", "k")})
        return Tensor(y, x.shape, 2.0**y.exponent)

    def run(self, x):
        y = self.output.format
        return y.nearest(lrn(self.spec, np.ldexp(x.astype(np.float64), self.inputs[0].format.exponent))).astype(y.dtype)


class Concat(Operation):
    """Inputs of one format and one unit, one after another along the channels."""

    name = "concat"
    arity = None

    def prepare(self):
        first = self.inputs[0]
        for other in self.inputs[1:]:
            if (other.format, other.unit) != (first.format, first.unit):
                found = " and ".join(f"{x.format} of {x.unit}" for x in (first, other))
                raise InputError(f"inputs of concat must share format and unit, not {found}")
            if other.shape[1:] != first.shape[1:]:
                raise InputError(f"inputs of concat must agree but for channels, not {first} and {other}")
        channels = sum(x.shape[0] for x in self.inputs)
        return Tensor(first.format, (channels, *first.shape[1:]), first.unit)

    def run(self, *inputs):
        return np.concatenate(inputs, axis=CHANNELS)


class Shortcut(Operation):
    """Every `stride`-th pixel of an image, and channels of zeros behind its own, up to `channels` in all.

    Source: He et al., Deep Residual Learning for Image Recognition, section 3.3, option A.
    """

    name = "shortcut"
    settings = {"channels": REQUIRED, "stride": 1}

    def prepare(self):
        (x,) = self.inputs
        found, height, width = image(x)
        self.window = Window(kernel=1, stride=self.attributes["stride"])
        channels = self.attributes["channels"]
        if type(channels) is not int or channels < found:
            raise InputError(f"channels must be an integer of at least the {found} of the input, not {channels!r}")
        if channels > found and not x.format.holds(np.int64(0)):
            raise InputError(f"images of {x.format} cannot get channels of zeros, they have no zero")
        return Tensor(x.format, (channels, *self.window.size(height, width)), x.unit)

    def run(self, x):
        down, right = self.window.stride
        y = np.zeros_like(x, shape=(len(x), *self.output.shape))
        y[:, : x.shape[1]] = x[:, :, ::down, ::right]
        return y


class Flatten(Operation):
    """An image as features: channel, then row, then column."""

    name = "flatten"

    def prepare(self):
        (x,) = self.inputs
        channels, height, width = image(x)
        return Tensor(x.format, (channels * height * width,), x.unit)

    def run(self, x):
        return x.transpose(1, 2, 3, 0).reshape(self.output.shape[0], len(x)).T


OPERATIONS = {
    operation.name: operation
    for operation in (
        Conv,
        Dense,
        MacConv,
        MacDense,
        Requant,
        Add,
        Relu,
        MaxPool,
        AveragePool,
        Lrn,
        Concat,
        Shortcut,
        Flatten,
    )
}
