"""One layer as torch trains it and as hardware computes it."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from golden.errors import InputError
from golden.formats import Integer
from golden.requant import RequantSpec, fold_affine
from quant.quantisers import ACTIVATIONS, Observed, straight_through

__all__ = ["Exported", "Layer", "Stage"]

FLOAT64_EXACT = 2.0**53


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Shape of a layer, as the layer tables write it: convolution or dense, affine map, ReLU, pooling.

    Parameters
    ----------
    name, kind : str
        `kind` is "conv" or "fc".
    n, m : int
        Input channels, filters.
    k, s, pad : int
        Square kernel, stride, zero padding.
    h : int
        Height and width of the input.
    norm : bool
        Batch normalisation after the sums; a bias per channel otherwise.
    relu : bool
    pool : int
        Kernel and stride of the max pooling behind it, 1 for none.
    last : bool
        The sums are the logits: no affine map, no activation.
    """

    name: str
    kind: str
    n: int
    m: int
    k: int = 1
    s: int = 1
    pad: int = 0
    h: int = 1
    norm: bool = True
    relu: bool = True
    pool: int = 1
    last: bool = False

    @property
    def out(self):
        """Height and width of the sums."""
        return (self.h + 2 * self.pad - self.k) // self.s + 1

    @property
    def weights(self):
        """Number of weights."""
        return self.m * self.n * self.k**2

    @property
    def macs(self):
        """Products for one image."""
        return self.weights * self.out**2

    @property
    def shape(self):
        """Shape of the weights: [M, N, K, K] or [M, N]."""
        return (self.m, self.n, self.k, self.k) if self.kind == "conv" else (self.m, self.n)


@dataclass(frozen=True)
class Exported:
    """Integers of a quantised layer.

    Parameters
    ----------
    weights : int64 tensor [M, N, K, K] or [M, N]
    unit : float
        What the integer 1 of a sum is worth.
    requant : (RequantSpec, m, b, s), or None for the layer whose sums are the logits
        The vectors are int64 arrays [M].
    """

    weights: torch.Tensor
    unit: float
    requant: tuple | None


class Stage(torch.nn.Module):
    """A layer with its quantisers: ``y = pool(activation(affine(sum(weights(w) * x))))``.

    `forward` computes reals, for training; `steps` computes the exported integers, in float64, and is exact.

    Parameters
    ----------
    layer : Layer
    weights : WeightQuantiser, optional
        Without one the stage is float throughout.
    """

    def __init__(self, layer, weights=None):
        super().__init__()
        self.layer, self.weights = layer, weights
        self.weight = torch.nn.Parameter(torch.empty(layer.shape))
        torch.nn.init.xavier_uniform_(self.weight)
        self.norm = self.bias = self.activation = None
        if not layer.last:
            if layer.norm:
                self.norm = (torch.nn.BatchNorm2d if layer.kind == "conv" else torch.nn.BatchNorm1d)(layer.m)
            else:
                self.bias = torch.nn.Parameter(torch.zeros(layer.m))
            if weights is not None:
                self.activation = Observed(ACTIVATIONS[layer.relu])

    def sums(self, x, weight, bias=None):
        """The GEMM of the layer, on any dtype."""
        if self.layer.kind == "conv":
            return functional.conv2d(x, weight, bias, stride=self.layer.s, padding=self.layer.pad)
        return functional.linear(x.flatten(1), weight, bias)

    def pooled(self, x):
        """Max pooling, if the layer has it."""
        return x if self.layer.pool == 1 else functional.max_pool2d(x, self.layer.pool)

    def forward(self, x):
        weight = self.weight if self.weights is None else straight_through(self.weights, self.weight)
        y = self.sums(x, weight, self.bias)
        if self.norm is not None:
            y = self.norm(y)
        if self.activation is not None:
            y = self.activation(y)
        elif self.layer.relu and not self.layer.last:
            y = functional.relu(y)
        return self.pooled(y)

    @property
    def format(self):
        """Format of the results, None for logits."""
        return None if self.activation is None else self.activation.format

    @property
    def unit(self):
        """Unit of the results, a float; None for logits."""
        return None if self.activation is None else float(self.activation.unit)

    @torch.no_grad()
    def exported(self, unit):
        """The integers of the layer when its input comes in units of `unit`.

        Batch normalisation or bias, the scale of the weights and both units fold into m, b and s.

        Raises
        ------
        InputError
            If the layer has no quantiser, or its affine map does not fit m, b and s.
        """
        if self.weights is None:
            raise InputError(f"layer {self.layer.name} is float and cannot be exported")
        integers, scale = self.weights(self.weight)
        integers, unit = integers.long(), float(scale) * unit
        if self.layer.last:
            return Exported(integers, unit, None)
        gain, offset = torch.ones(self.layer.m, dtype=torch.float64), torch.zeros(self.layer.m, dtype=torch.float64)
        if self.bias is not None:
            offset = self.bias.double()
        else:
            gain = self.norm.weight.double() / torch.sqrt(self.norm.running_var.double() + self.norm.eps)
            offset = self.norm.bias.double() - self.norm.running_mean.double() * gain
        spec = RequantSpec(x=Integer(32, signed=True), y=self.format)
        affine = fold_affine(spec, (gain * unit / self.unit).numpy(), (offset / self.unit).numpy())
        return Exported(integers, unit, (spec, *affine))

    @torch.no_grad()
    def steps(self, x, unit):
        """Yield (name, integers as float64) for every tensor that the layer makes of the integers `x`."""
        exported, name = self.exported(unit), self.layer.name
        x = self.sums(x, exported.weights.double())
        yield name, exact(x, name)
        if exported.requant is None:
            return
        spec, m, b, s = exported.requant
        shape = (1, -1) + (1,) * (x.ndim - 2)
        m, b, s = (torch.from_numpy(p).double().reshape(shape) for p in (m, b, s))
        x = exact(x * m + b, f"{name}_requant") * torch.exp2(-s)  # a power of two: exact
        x = torch.round(x).clamp(spec.y.lo, spec.y.hi)
        yield f"{name}_requant", x
        if self.layer.pool > 1:
            yield f"{name}_pool", self.pooled(x)


def exact(sums, what):
    """`sums`, if each is so small that float64 has added it exactly."""
    greatest = float(sums.abs().max()) if sums.numel() else 0.0
    if not greatest < FLOAT64_EXACT:
        raise InputError(f"sums of {what} reach {greatest:.0f}; float64 is exact below 2^53")
    return sums
