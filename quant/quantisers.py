"""Weight quantisers: what all have in common, and the evenly spaced ones.

A weight quantiser maps the float weights of a layer to integers of a format and to their worth, ``w ~ integers *
scale``. In training it works on reals; how gradients reach the float weights is part of it.
"""

from abc import ABC, abstractmethod

import torch

from golden.errors import InputError
from golden.formats import Binary, Integer, Ternary
from quant.rules import dynamic
from quant.straight import straight

__all__ = [
    "Dynamic",
    "InFormat",
    "Nearest",
    "WeightQuantiser",
    "Wrpn",
    "above",
    "glorot",
    "nearest",
    "of_each",
    "per_filter",
    "signs",
    "within",
]


def signs(x):
    """+1 where x is at least 0, so also of both zeros, else -1."""
    return torch.sign(torch.sign(x) + 0.5)  # 15 times as fast as `torch.where` of a million numbers in no order


def above(x, limit):
    """1.0 where ``x > limit``, else 0.0, in the dtype of `x`."""
    return x.detach().clone().gt_(limit)  # in place, as a detour over booleans takes four times as long


def within(x, limit):
    """1.0 where ``|x| <= limit``, else 0.0, in the dtype of `x`."""
    return x.detach().abs().le_(limit)


def per_filter(x):
    """The mean of each filter of `x` [M, ...], of as many axes."""
    return x.mean(dim=tuple(range(1, x.ndim)), keepdim=True)


def glorot(layer):
    """``sqrt(6 / (in + out))`` of a layer's weights: the bound of the uniform numbers that they start from.

    Source: Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural Networks.
    """
    patch = layer.k**2
    return (6 / ((layer.n // layer.groups + layer.m) * patch)) ** 0.5


def nearest(fmt, x):
    """The integers of `fmt` nearest to `x` in units of the format, by its own rule, in the dtype of `x`."""
    if isinstance(fmt, Integer):
        return torch.round(x).clamp_min(fmt.lo).clamp_max(fmt.hi)  # in clamp, `quant.rectify` would see a rectifier
    units = x.detach().double().numpy() * 2.0**fmt.exponent
    return torch.from_numpy(fmt.nearest(units)).to(x.dtype)


class WeightQuantiser(torch.nn.Module, ABC):
    """Integers and scales of a layer's weights.

    Parameters
    ----------
    layer : golden.topology.Layer

    Attributes
    ----------
    format : UnitFormat
        What the integers are exported in.
    """

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    @abstractmethod
    def integers(self, w):
        """(integers, in the dtype of `w`, and their worth: a scalar tensor, or one of each filter that fits `w`)."""

    def prepare(self, w):
        """What is done to the float weights, in place, before a forward pass in training: nothing, as a rule."""

    def forward(self, w):
        """The reals that the integers stand for; the gradient passes as if they were `w`."""
        with torch.no_grad():
            integers, scale = self.integers(w)
            values = integers * scale
        return straight(w, values)

    @torch.no_grad()
    def terms(self, w):
        """What the sums of the exported layer are made of: (format, integers, worth of each filter [M], float64)."""
        integers, scale = self.integers(w)
        return [(self.format, integers.long(), of_each(scale, len(w)))]


def of_each(scale, filters):
    """A worth as float64 [M]."""
    return scale.detach().double().flatten().expand(filters).clone()


class Nearest(WeightQuantiser):
    """The nearest integers, ties to even, in units of ``max|w| / hi``: symmetric, zero is exact.

    Parameters
    ----------
    width : int
        2 to 16 bits.
    """

    def __init__(self, layer, width):
        super().__init__(layer)
        self.format = Integer(width, signed=True)

    def integers(self, w):
        peak = w.abs().max()
        scale = torch.where(peak > 0, peak, torch.ones_like(peak)) / self.format.hi
        return torch.round(w / scale).clamp(-self.format.hi, self.format.hi), scale


class Wrpn(WeightQuantiser):
    """``round(L * clip(w / reach, -1, 1)) * reach / L`` with ``L = 2**(width - 1) - 1``, ties to even.

    2 bits are ternary with a threshold of half the reach. The formula has no value at 1 bit: there weights are their
    sign times the mean of ``|w|`` of the layer. No gradient reaches weights that are clipped.

    The paper's reach is 1, and with the small numbers that weights usually start from all would be 0. Here weights are
    uniform in +-reach at the start, and reach is their bound after Glorot; where batch normalisation follows, that is
    the same as numbers in +-1 and a reach of 1.

    Parameters
    ----------
    width : int
        1 to 16 bits.
    reach : float, optional

    Source: Mishra et al., WRPN: Wide Reduced-Precision Networks, section 3; 1 bit after Rastegari et al., XNOR-Net.
    """

    def __init__(self, layer, width, reach=None):
        super().__init__(layer)
        self.levels, self.reach = 2 ** (width - 1) - 1, glorot(layer) if reach is None else reach
        self.format = {1: Binary(), 2: Ternary()}.get(width) or Integer(width, signed=True)

    def integers(self, w):
        if self.levels == 0:
            return signs(w), w.abs().mean()
        scale = torch.tensor(self.reach / self.levels, dtype=w.dtype)
        return torch.round((w / self.reach).clamp(-1, 1) * self.levels), scale

    def forward(self, w):
        with torch.no_grad():
            integers, scale = self.integers(w)
        return straight(w, integers * scale, within(w, self.reach))


class InFormat(WeightQuantiser):
    """The nearest numbers of a format, by its own rule: fixed point, minifloats, powers of two.

    Parameters
    ----------
    format : UnitFormat
        Signed.

    Raises
    ------
    InputError
        If the format is not signed.

    Source: Gysel, Ristretto, sections 4, 6 and 7.
    """

    def __init__(self, layer, format):
        super().__init__(layer)
        if not format.signed:
            raise InputError(f"weights need a signed format, not {format}")
        self.format = format

    def integers(self, w):
        scale = torch.tensor(2.0**self.format.exponent, dtype=w.dtype)
        return nearest(self.format, w / scale), scale


class Dynamic(WeightQuantiser):
    """Dynamic fixed point: the nearest integers in the power of two of a unit that the greatest weight asks for.

    With 4 bits and less, of the units that `quant.rules.dynamic` names the one with the least sum of squared errors.

    Parameters
    ----------
    width : int
        2 to 16 bits.

    Source: Gysel, Ristretto, section 5.2; the rule is `quant.rules.dynamic`, the choice is beyond it.
    """

    def __init__(self, layer, width):
        super().__init__(layer)
        self.format = Integer(width, signed=True)

    def integers(self, w):
        tried = []
        for fmt in dynamic(self.format.width, float(w.abs().max())):
            scale = torch.tensor(2.0**fmt.exponent, dtype=w.dtype)
            tried.append((nearest(self.format, w / scale), scale))
        return min(tried, key=lambda pair: float((pair[0] * pair[1] - w).square().sum()))
