"""Activation quantisers: what a layer's results become, and what the integer 1 of them is worth."""

import torch
from torch.nn import functional

from golden.errors import InputError
from golden.formats import Binary, Integer, Minifloat
from quant.quantisers import nearest, signs, within
from quant.quantisers_nonlinear import full_scale, powers
from quant.rules import dynamic
from quant.straight import straight

__all__ = ["ActivationQuantiser", "Clipped", "DynamicRange", "InRange", "LogRange", "Observed", "Sign", "Static"]


class ActivationQuantiser(torch.nn.Module):
    """Rounds activations to a format; without a gradient where they lie beyond its ends.

    Attributes
    ----------
    format : UnitFormat
    unit : scalar tensor
        Worth of the integer 1.
    """


class InRange(ActivationQuantiser):
    """A quantiser whose unit follows the greatest magnitude seen in training.

    That is a moving average, over training batches, of the greatest ``|x|`` that the format can show. A format without
    negative numbers makes the ReLU.

    Parameters
    ----------
    format : UnitFormat
    momentum : float
        Weight of the newest batch, 0 to 1; the first batch counts whole.

    Source: Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference.
    """

    def __init__(self, format, momentum=0.05):
        super().__init__()
        self.format, self.momentum = format, momentum
        self.register_buffer("peak", torch.zeros(()))

    @torch.no_grad()
    def observe(self, x):
        """Take the range of a batch into account."""
        greatest = x.max() if self.format.lo == 0 else torch.maximum(x.max(), -x.min())
        self.peak += (greatest.clamp(min=0) - self.peak) * torch.where(self.peak > 0, self.momentum, 1.0)

    def forward(self, x):
        if self.training:
            self.observe(x)
        return self.rounded(x)

    def rounded(self, x):
        """`x` in the format."""
        if self.format.lo == 0:
            x = functional.relu(x)
        with torch.no_grad():
            unit = self.unit
            values = self.nearest(x / unit) * unit
            inside = within(x, self.format.hi * unit)
        return straight(x, values, inside)


class Observed(InRange):
    """Evenly spaced: ``y = clip(rne(x / unit), lo, hi) * unit`` with ``unit = peak / hi``."""

    @property
    def unit(self):
        """Size of one step of the format; 1/hi before anything was seen."""
        return torch.where(self.peak > 0, self.peak, torch.ones_like(self.peak)) / self.format.hi

    def rounded(self, x):
        return torch.fake_quantize_per_tensor_affine(
            x, self.unit, torch.zeros((), dtype=torch.int32), self.format.lo, self.format.hi
        )


class DynamicRange(InRange):
    """Dynamic fixed point: evenly spaced, with a power of two as unit.

    Source: Gysel, Ristretto, section 5.2; the rule is `quant.rules.dynamic`.
    """

    @property
    def unit(self):
        return torch.tensor(2.0 ** dynamic(self.format.width, float(self.peak), outputs=True)[0].exponent)

    def nearest(self, x):
        """The integers nearest to `x`."""
        return nearest(self.format, x)


class LogRange(InRange):
    """Powers of two and 0, the greatest of them nearest to the peak; see `quant.quantisers_nonlinear.Logarithmic`.

    Parameters
    ----------
    format : PowerOfTwo
    """

    @property
    def unit(self):
        return full_scale(self.peak) * 2.0 ** (-1 - self.format.last)

    def nearest(self, x):
        """The powers nearest to `x`."""
        return powers(self.format, x)


class Static(ActivationQuantiser):
    """A format with a unit of its own: fixed point, minifloats.

    Parameters
    ----------
    format : Integer or Minifloat
    relu : bool

    Source: Gysel, Ristretto, sections 4 and 6.
    """

    def __init__(self, format, relu):
        super().__init__()
        if not isinstance(format, Integer | Minifloat):
            raise InputError(f"activations need a format of integers or minifloats, not {format}")
        self.format, self.relu = format, relu

    @property
    def unit(self):
        return torch.tensor(2.0**self.format.exponent)

    def forward(self, x):
        x = functional.relu(x) if self.relu else x
        with torch.no_grad():
            unit = 2.0**self.format.exponent
            values = nearest(self.format, x / unit) * unit
            inside = ((x >= self.format.lo * unit) & (x <= self.format.hi * unit)).to(x.dtype)
        return straight(x, values, inside)


class Clipped(ActivationQuantiser):
    """``round(L * clip(x, 0, 1)) / L`` with ``L = 2**width - 1``, the greatest integer of the format.

    With a sign L is ``2**(width - 1) - 1``, and x is clipped at the format's least integer, a step below -1.

    Source: Mishra et al., WRPN: Wide Reduced-Precision Networks, section 3, whose activations have no sign.

    Parameters
    ----------
    format : Integer
    """

    def __init__(self, format):
        super().__init__()
        self.format = format

    @property
    def unit(self):
        return torch.tensor(1.0 / self.format.hi)

    def forward(self, x):
        with torch.no_grad():
            clipped = x.clamp(self.format.lo / self.format.hi, 1)
            values = torch.round(clipped * self.format.hi) / self.format.hi
            inside = clipped.eq_(x)  # in place, as a detour over booleans takes longer
        return straight(x, values, inside)


class Sign(ActivationQuantiser):
    """``+-1``, +1 of 0; a gradient where ``|x| <= 1``. With `scaled` ``+-b``, and a gradient times b.

    The scale b is the mean of ``|x|``, a moving average over training batches. The paper multiplies each sum by K, the mean
    of ``|x|`` over channels and its window, so that K differs from place to place. Hardware that adds up signs alone has
    no such product, and the authors' released networks have none; one number for a layer goes into the scale of the layer
    behind. It is that number in training too, so that what is exported is what was trained.

    Parameters
    ----------
    scaled : bool
    momentum : float
        Weight of the newest batch in that mean, 0 to 1; the first batch counts whole.

    Source: Courbariaux et al., Binarized Neural Networks; Rastegari et al., XNOR-Net, section 3.2.
    """

    format = Binary()

    def __init__(self, scaled=False, momentum=0.05):
        super().__init__()
        self.scaled, self.momentum = scaled, momentum
        if scaled:
            self.register_buffer("level", torch.zeros(()))

    @property
    def unit(self):
        if not self.scaled:
            return torch.ones(())
        return torch.where(self.level > 0, self.level, torch.ones_like(self.level))

    def forward(self, x):
        with torch.no_grad():
            if self.scaled and self.training:
                self.level += (x.abs().mean() - self.level) * torch.where(self.level > 0, self.momentum, 1.0)
            values, inside = signs(x), within(x, 1)
            if self.scaled:
                values, inside = values * self.unit, inside * self.unit
        return straight(x, values, inside)
