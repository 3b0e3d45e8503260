"""Weights that are not evenly spaced: powers of two, and a few numbers that all share."""

import torch

from golden.formats import Codebook, Integer, PowerOfTwo
from quant.clusters import coded
from quant.quantisers import WeightQuantiser

__all__ = ["Logarithmic", "Shared", "full_scale", "powers"]

BELOW_SQRT_HALF = 0.7071067811865475  # the greatest float64 below it; float32's greatest is what it rounds to


def powers(fmt, x):
    """The integers of a `PowerOfTwo` nearest to `x` in its units, as the format itself finds them, but faster."""
    fraction, power = torch.frexp(x.abs().clamp(0.75, float(fmt.hi)))  # 0.75, as all that is less, goes to 1
    field = power - 1 + (fraction > BELOW_SQRT_HALF)
    magnitude = torch.exp2(field.to(x.dtype))
    if fmt.zero:
        magnitude = magnitude * (field > 0)
    if not fmt.signed:
        return torch.where(x > 0, magnitude, torch.zeros_like(x))
    return torch.where(x < 0, -magnitude, magnitude)


def full_scale(peak):
    """``2**(round(log2 peak) + 1)``, whose half is the power nearest to `peak`, a scalar tensor; 1 of 0."""
    fraction, power = torch.frexp(peak)
    found = torch.exp2((power + (fraction > BELOW_SQRT_HALF)).to(peak.dtype))
    return torch.where(peak > 0, found, torch.ones_like(peak))


class Logarithmic(WeightQuantiser):
    """Powers of two and 0: the logarithm of ``|w|`` is rounded, and what is below the least power is 0.

    The greatest power is the one nearest to ``max|w|``: the full-scale range of a layer is twice that.

    Parameters
    ----------
    width : int
        2 to 6 bits, sign included.

    Source: Miyashita, Lee and Murmann, Convolutional Neural Networks using Logarithmic Data Representation; the rule of
    rounding and clipping is that of `golden.formats.PowerOfTwo` with a zero.
    """

    def __init__(self, layer, width):
        super().__init__(layer)
        self.format = PowerOfTwo(width, zero=True)

    def integers(self, w):
        scale = full_scale(w.abs().max()) * 2.0**self.format.exponent
        return powers(self.format, w / scale), scale


class Shared(WeightQuantiser):
    """Weight sharing: each weight is one of a few numbers, which are trained; which one it is stays.

    The numbers are the centroids that k-means finds from evenly spaced ones between the least and the greatest weight,
    when the first batch of training passes; a weight belongs to the nearest, of two as near to the lower. The gradient
    of a centroid is the sum of those of its members. Where weights are 0, as behind pruning, they stay 0: code 0 is
    then kept for them. The entries that are exported are integers of 16 bits.

    Parameters
    ----------
    width : int
        1 to 8 bits of a code.

    Source: Han, Mao and Dally, Deep Compression, section 3.
    """

    entry = Integer(16, signed=True)

    def __init__(self, layer, width):
        super().__init__(layer)
        self.centroids = torch.nn.Parameter(torch.zeros(1 << width))
        self.register_buffer("codes", torch.zeros(layer.shape, dtype=torch.uint8))
        self.register_buffer("found", torch.tensor(False))
        self.register_buffer("zero", torch.tensor(False))  # whether code 0 is 0

    @torch.no_grad()
    def prepare(self, w):
        if not self.found:
            self.cluster(w)

    @torch.no_grad()
    def cluster(self, w):
        """Let k-means find the centroids of `w`, and the code of each weight."""
        self.zero.fill_(not bool(w.all()))
        codes, centroids = coded(w, len(self.centroids), bool(self.zero))
        self.centroids.copy_(centroids)
        self.codes.copy_(codes)
        self.found.fill_(True)

    def values(self):
        """The numbers of the codes, with 0 where it is kept."""
        if not self.zero:
            return self.centroids
        return torch.cat([self.centroids.new_zeros(1), self.centroids[1:]])

    @property
    def scale(self):
        """Worth of the integer 1 of an entry."""
        peak = self.values().detach().abs().max()
        return torch.where(peak > 0, peak, torch.ones_like(peak)) / self.entry.hi

    @property
    def entries(self):
        """The entries, integers."""
        return torch.round(self.values().detach() / self.scale)

    @property
    def format(self):
        return Codebook(self.entry, tuple(self.entries.long().tolist()))

    def integers(self, w):
        return self.entries[self.codes.long()], self.scale

    def forward(self, w):
        if not self.found:
            self.cluster(w.detach())
        return self.values()[self.codes.long()]
