"""The operations whose work is one matrix multiplication: convolution and dense layer, as sums or rounded."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from golden import conv
from golden.errors import InputError
from golden.formats import Binary, UnitFormat, parse
from golden.gemm import Exact, GemmSpec, bound, product
from golden.graph import Tensor
from golden.mac import MacSpec, finish, ordered, parts
from golden.operation import REQUIRED, Operation, image
from golden.window import Window

__all__ = ["Conv", "Dense", "GemmCall", "GemmOperation", "MacConv", "MacDense"]

LOWERED = 1 << 22  # elements of a matrix of patches at a time


@dataclass(frozen=True, eq=False)
class GemmCall:
    """A matrix multiplication: its spec, `a` [M, K] and `w` [K, N]; if the spec is a `MacSpec`, `bias` [N]."""

    spec: GemmSpec | MacSpec
    a: np.ndarray
    w: np.ndarray
    bias: np.ndarray | None = None


class GemmOperation(Operation):
    """An operation whose work is one matrix multiplication: a geometry, and what becomes of the sums.

    Attributes
    ----------
    spec : GemmSpec or MacSpec
    """

    axes: int  # of the weights; K is all of them but the first

    def weights(self):
        """Keep the weights and return their format."""
        weight = self.parameters["weight"]
        if weight.format is None or weight.values.ndim != self.axes or not weight.values.size:
            found = f"{weight.format} {list(weight.values.shape)}"
            raise InputError(f"weight of {self.name} must have a format and {self.axes} axes, not {found}")
        self.w = weight.values
        self.k = self.w[0].size
        return weight.format

    @abstractmethod
    def place(self):
        """Check that the weights suit the input; the shape of the result."""

    @abstractmethod
    def multiply(self, x, w, bound):
        """The sums of the input array `x` and weights `w`, of whose products no sum of magnitudes exceeds `bound`."""

    @abstractmethod
    def matrices(self, x):
        """`a` [M, K] and `w` [K, N] for the input `x`."""

    @abstractmethod
    def raised(self, y):
        """The result whose matrix is `y` [M, N]."""

    @abstractmethod
    def lower_output(self, y):
        """The matrix [M, N] of the result `y`."""

    @abstractmethod
    def lower(self, x):
        """The `GemmCall` for the input `x`."""


class Convolution(GemmOperation):
    """Convolution of images with filters [M, C, KH, KW], padded with `fill`: zero, unless an operation says more."""

    axes = 4
    geometry = {"stride": 1, "padding": 0}

    def place(self):
        channels, height, width = image(self.inputs[0])
        if self.w.shape[1] != channels:
            raise InputError(f"input has {channels} channels, the filters have {self.w.shape[1]}")
        self.window = Window(
            kernel=self.w.shape[2:], stride=self.attributes["stride"], padding=self.attributes["padding"]
        )
        self.fill = self.filling()
        if any(self.window.padding) and not self.inputs[0].format.holds(np.int64(self.fill)):
            raise InputError(f"images of {self.inputs[0].format} cannot be padded, they have no zero")
        self.size = self.window.size(height, width)
        return (len(self.w), *self.size)

    def filling(self):
        """The integer that pads."""
        return 0

    def multiply(self, x, w, bound):
        return conv.convolve(self.window, x, w, bound, self.fill)

    def matrices(self, x):
        return conv.lower(self.window, x, self.fill), conv.lower_weights(self.w)

    def raised(self, y):
        return conv.raise_(y, self.size)

    def lower_output(self, y):
        return y.transpose(0, 2, 3, 1).reshape(-1, y.shape[1])


class FullyConnected(GemmOperation):
    """Fully connected layer with weights [out, in]."""

    axes = 2
    geometry = {}

    def place(self):
        if self.inputs[0].shape != self.w.shape[1:]:
            raise InputError(f"input must be {list(self.w.shape[1:])} features, not {list(self.inputs[0].shape)}")
        return (len(self.w),)

    def multiply(self, x, w, bound):
        return product(w, x.T, bound).T

    def matrices(self, x):
        return x, self.w.T

    def raised(self, y):
        return y

    def lower_output(self, y):
        return y


class Sums(GemmOperation):
    """The sums themselves, exact, without bias: that is the requantisation's."""

    roles = ("weight",)
    own = {"accumulate": 32}

    def prepare(self):
        w, accumulate = self.weights(), self.attributes["accumulate"]
        if type(accumulate) is not int:
            raise InputError(f"accumulate must be a number of bits, not {accumulate!r}")
        self.spec = GemmSpec(a=self.inputs[0].format, w=w, k=self.k, accumulate=Exact(accumulate))
        self.bound = bound(self.spec, self.w.reshape(len(self.w), self.k), axis=1)
        return Tensor(self.spec.y, self.place())

    def run(self, x):
        return self.multiply(x, self.w, self.bound).astype(self.output.format.dtype, copy=False)

    def lower(self, x):
        return GemmCall(self.spec, *self.matrices(x))


class Mac(GemmOperation):
    """Sum, bias and one rounding, to the attribute `format`, in numbers: see `golden.mac.MacSpec`.

    A result is worth what its format says, whatever the units of tensors are.
    """

    roles = ("weight", "bias")
    own = {"format": REQUIRED, "relu": False, "accumulate": "exact"}

    def prepare(self):
        w, bias = self.weights(), self.parameters["bias"]
        shape = self.place()
        if not isinstance(bias.format, UnitFormat) or bias.values.shape != shape[:1]:
            found = f"{bias.format} {list(bias.values.shape)}"
            raise InputError(f"bias of {self.name} must have a format and {shape[0]} elements, not {found}")
        settings = {key: self.attributes[key] for key in ("relu", "accumulate")}
        y = parse(self.attributes["format"])
        if not isinstance(y, UnitFormat):
            raise InputError(f"results of {self.name} need a format of integers, not {y}")
        self.spec = MacSpec(a=self.inputs[0].format, w=w, bias=bias.format, y=y, k=self.k, **settings)
        self.bias = bias.values
        self.bound = bound(self.spec, self.w.reshape(len(self.w), self.k), axis=1)
        return Tensor(y, shape, 2.0**y.exponent)

    def run(self, x):
        y = self.run_exact(x) if self.spec.rounded is None else self.run_rounded(x)
        return y.astype(self.output.format.dtype, copy=False)

    def run_exact(self, x):
        """The results of exact sums."""
        bias = self.bias.reshape(-1, *(1,) * (len(self.output.shape) - 1))
        return finish(self.spec, parts(self.spec, x, self.w, self.bound, self.multiply), bias, self.bound)

    def run_rounded(self, x):
        """The results of sums in FP32; a few samples at a time, as each is lowered to a matrix."""
        outputs = self.output.shape
        y = np.empty((len(x), *outputs), self.output.format.dtype)
        samples = max(1, LOWERED // (self.k * math.prod(outputs[1:])))
        for start in range(0, len(x), samples):
            part = slice(start, start + samples)
            y[part] = self.raised(ordered(self.spec, *self.matrices(x[part]), self.bias))
        return y

    def lower(self, x):
        return GemmCall(self.spec, *self.matrices(x), self.bias)


class Conv(Convolution, Sums):
    """Convolution, as sums. The attribute `fill` pads: where it is left out, 0, and -1 of binary images."""

    name = "conv"
    settings = Sums.own | Convolution.geometry | {"fill": None}

    def filling(self):
        fill, a = self.attributes["fill"], self.inputs[0].format
        if fill is None:
            return -1 if isinstance(a, Binary) else 0
        if type(fill) is not int or not -(1 << 63) <= fill < 1 << 63 or not a.holds(np.int64(fill)):
            raise InputError(f"fill must be an integer of {a} or null, not {fill!r}")
        return fill


class Dense(FullyConnected, Sums):
    """Fully connected layer, as sums."""

    name = "dense"
    settings = Sums.own | FullyConnected.geometry


class MacConv(Convolution, Mac):
    """Convolution with bias, rounded."""

    name = "mac_conv"
    settings = Mac.own | Convolution.geometry


class MacDense(FullyConnected, Mac):
    """Fully connected layer with bias, rounded."""

    name = "mac_dense"
    settings = Mac.own | FullyConnected.geometry
