"""Quantisers: each formula in one place, each with the golden format that its integers are exported in.

A weight quantiser maps a float tensor to integers of its format and one scale, ``w ~ integers * scale``. An activation
quantiser fixes the unit of a layer's results. In training both work on reals, with straight-through gradients.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch

from golden.errors import InputError
from golden.formats import Integer, Ternary, UnitFormat

__all__ = [
    "ACTIVATIONS",
    "WEIGHTS",
    "Nearest",
    "Observed",
    "Twn",
    "WeightQuantiser",
    "straight_through",
    "weight_quantiser",
]


class WeightQuantiser(ABC):
    """Integers and scale of a layer's weights.

    Attributes
    ----------
    format : UnitFormat
        What the integers are exported in.
    """

    format: UnitFormat

    @abstractmethod
    def __call__(self, w):
        """(integers as a tensor of the dtype of `w`, scale as a scalar tensor)."""


@dataclass(frozen=True)
class Twn(WeightQuantiser):
    """Ternary weights: +1 where ``w > d``, -1 where ``w < -d``, else 0, with ``d = threshold * mean|w|``.

    Both comparisons are strict. The scale is the mean of ``|w|`` over the nonzero positions, 0 if there are none. One
    threshold and one scale a layer. Gradients reach the float weights unchanged.

    Source: Li et al., Ternary Weight Networks; the threshold per layer as in their Caffe code.
    """

    threshold: float = 0.7
    format = Ternary()

    def __call__(self, w):
        limit = self.threshold * w.abs().mean()
        integers = (w > limit).to(w.dtype) - (w < -limit).to(w.dtype)
        return integers, (integers * w).sum() / integers.abs().sum().clamp(min=1)


@dataclass(frozen=True)
class Nearest(WeightQuantiser):
    """The nearest integers, ties to even, in units of ``max|w| / format.hi``: symmetric, zero is exact.

    Parameters
    ----------
    format : Integer
        Signed.
    """

    format: Integer

    def __post_init__(self):
        if not self.format.signed:
            raise InputError(f"weights need a signed format, not {self.format}")

    def __call__(self, w):
        peak = w.abs().max()
        scale = torch.where(peak > 0, peak, torch.ones_like(peak)) / self.format.hi
        return torch.round(w / scale).clamp(self.format.lo, self.format.hi), scale


WEIGHTS = {"ternary": Twn(), "int8": Nearest(Integer(8, signed=True))}  # a scheme of weights is a row here
ACTIVATIONS = {True: Integer(8, signed=False), False: Integer(8, signed=True)}  # with a ReLU, without


def weight_quantiser(scheme):
    """The weight quantiser that `scheme` names.

    Raises
    ------
    InputError
        If there is none.
    """
    if scheme not in WEIGHTS:
        raise InputError(f"no weight scheme is called {scheme!r}; allowed: float, {', '.join(WEIGHTS)}")
    return WEIGHTS[scheme]


def straight_through(quantiser, w):
    """The reals that `quantiser` makes of `w`; the gradient passes as if it had changed nothing."""
    with torch.no_grad():
        integers, scale = quantiser(w)
        change = integers * scale - w
    return w + change


class Observed(torch.nn.Module):
    """An activation quantiser whose unit follows the greatest magnitude seen in training.

    ``y = clip(rne(x / unit), lo, hi) * unit`` with ``unit = peak / hi``; peak is a moving average, over training
    batches, of the greatest ``|x|`` that the format can show. The gradient is 1 where x is not clipped, else 0. An
    unsigned format makes the ReLU.

    Parameters
    ----------
    format : Integer
    momentum : float
        Weight of the newest batch, 0 to 1; the first batch counts whole.

    Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference.
    """

    def __init__(self, format, momentum=0.05):
        super().__init__()
        self.format, self.momentum = format, momentum
        self.register_buffer("peak", torch.zeros(()))

    @property
    def unit(self):
        """Size of one step of the format; 1/hi before anything was seen."""
        return torch.where(self.peak > 0, self.peak, torch.ones_like(self.peak)) / self.format.hi

    @torch.no_grad()
    def observe(self, x):
        """Take the range of a batch into account."""
        greatest = x.max() if self.format.lo == 0 else torch.maximum(x.max(), -x.min())
        self.peak += (greatest.clamp(min=0) - self.peak) * torch.where(self.peak > 0, self.momentum, 1.0)

    def forward(self, x):
        if self.training:
            self.observe(x)
        return torch.fake_quantize_per_tensor_affine(
            x, self.unit, torch.zeros((), dtype=torch.int32), self.format.lo, self.format.hi
        )
