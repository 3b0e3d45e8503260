"""The operations a network is made of: one class each, one row each in `OPERATIONS`."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from golden import conv, pool
from golden.elementwise import Adder, AddSpec
from golden.errors import InputError
from golden.formats import Integer, fitting, parse
from golden.gemm import Exact, GemmSpec, bound, product
from golden.graph import Tensor
from golden.operation import REQUIRED, Operation, check_channels, image, integers, vectors, widths
from golden.requant import Requantiser, RequantSpec
from golden.window import Window

__all__ = ["OPERATIONS", "GemmOperation", "GemmCall"]

CHANNELS = 1  # axis


@dataclass(frozen=True, eq=False)
class GemmCall:
    """A matrix multiplication: its spec, `a` [M, K] and `w` [K, N]."""

    spec: GemmSpec
    a: np.ndarray
    w: np.ndarray


class GemmOperation(Operation):
    """An operation whose work is one matrix multiplication.

    Attributes
    ----------
    spec : GemmSpec
    """

    roles = ("weight",)
    settings = {"accumulate": 32}

    def weights(self, ndim):
        """Keep the weights and their spec; K is all of their axes but the first."""
        weight = self.parameters["weight"]
        if weight.format is None or weight.values.ndim != ndim or not weight.values.size:
            found = f"{weight.format} {list(weight.values.shape)}"
            raise InputError(f"weight of {self.name} must have a format and {ndim} axes, not {found}")
        self.w = weight.values
        k = self.w[0].size
        if type(self.attributes["accumulate"]) is not int:
            raise InputError(f"accumulate must be a number of bits, not {self.attributes['accumulate']!r}")
        accumulate = Exact(self.attributes["accumulate"])
        self.spec = GemmSpec(a=self.inputs[0].format, w=weight.format, k=k, accumulate=accumulate)
        self.bound = bound(self.spec, self.w.reshape(len(self.w), k), axis=1)

    @abstractmethod
    def lower(self, x):
        """The `GemmCall` for the input `x`."""

    @abstractmethod
    def lower_output(self, y):
        """The result [M, N] of that call, from what `run` returned."""


class Conv(GemmOperation):
    """Convolution of images with filters [M, C, KH, KW], zero-padded, without bias: that is the requantisation's."""

    name = "conv"
    settings = GemmOperation.settings | {"stride": 1, "padding": 0}

    def prepare(self):
        self.weights(4)
        channels, height, width = image(self.inputs[0])
        if self.w.shape[1] != channels:
            raise InputError(f"input has {channels} channels, the filters have {self.w.shape[1]}")
        self.window = Window(
            kernel=self.w.shape[2:], stride=self.attributes["stride"], padding=self.attributes["padding"]
        )
        if any(self.window.padding) and not self.spec.a.holds(np.int64(0)):
            raise InputError(f"images of {self.spec.a} cannot be padded, they have no zero")
        return Tensor(self.spec.y, (len(self.w), *self.window.size(height, width)))

    def run(self, x):
        return conv.convolve(self.window, x, self.w, self.bound).astype(self.output.format.dtype, copy=False)

    def lower(self, x):
        return GemmCall(self.spec, conv.lower(self.window, x), conv.lower_weights(self.w))

    def lower_output(self, y):
        return y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1])


class Dense(GemmOperation):
    """Fully connected layer with weights [out, in], without bias."""

    name = "dense"

    def prepare(self):
        self.weights(2)
        if self.inputs[0].shape != self.w.shape[1:]:
            raise InputError(f"input must be {list(self.w.shape[1:])} features, not {list(self.inputs[0].shape)}")
        return Tensor(self.spec.y, (len(self.w),))

    def run(self, x):
        return product(self.w, x.T, self.bound).T.astype(self.output.format.dtype, copy=False)

    def lower(self, x):
        return GemmCall(self.spec, x, self.w.T)

    def lower_output(self, y):
        return y


class Requant(Operation):
    """`golden.requant` with m, b and s of each channel, to the attribute `format`."""

    name = "requant"
    roles = ("m", "b", "s")
    settings = {"format": REQUIRED, "m_width": 16, "b_width": 48}

    def prepare(self):
        (x,) = self.inputs
        y = integers(parse(self.attributes["format"]), "results of requant")
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
        y = integers(parse(self.attributes["format"]), "results of add")
        formats = {"a": integers(a.format, "operands of add"), "b": integers(b.format, "operands of add")}
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
        x = integers(self.inputs[0].format, "operands of average_pool")
        scale = pool.denominator(self.window, self.inputs[0].shape[1:], self.attributes["divisor"])
        sums = fitting(scale * x.lo, scale * x.hi)
        return Tensor(
            Integer(sums.width, signed=True, exponent=x.exponent), pooled.shape, pooled.unit and pooled.unit / scale
        )

    def run(self, x):
        return pool.average_pool(self.window, x, self.attributes["divisor"]).astype(self.output.format.dtype)


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
    operation.name: operation for operation in (Conv, Dense, Requant, Add, MaxPool, AveragePool, Concat, Flatten)
}
