"""Binary weights: -1 and +1, with a worth of their own or none."""

import torch

from golden.formats import Binary
from quant.quantisers import WeightQuantiser, glorot, per_filter, signs
from quant.straight import straight

__all__ = ["BinaryConnect", "BinaryWeight"]


class BinaryConnect(WeightQuantiser):
    """``+-reach``: by the sign of w, +1 of 0, or at random in training with ``P(+) = clip((w / reach + 1) / 2, 0, 1)``.

    Float weights are clipped to ``+-reach`` before every step, and gradients reach them unchanged. What is exported is
    the sign, also of a network that was trained at random. With a reach of 1 these are the weights of BinaryNet.

    Parameters
    ----------
    stochastic : bool
    reach : float, optional
        By default ``sqrt(1.5 / (in + out))``, half the bound of `glorot`, as in the authors' program.

    Source: Courbariaux, Bengio and David, BinaryConnect, sections 2.2 to 2.4; Courbariaux et al., Binarized Neural
    Networks. Their programs round (w / reach + 1) / 2, which by round-half-even would make -1 of 0.
    """

    format = Binary()

    def __init__(self, layer, stochastic=False, reach=None):
        super().__init__(layer)
        self.stochastic, self.reach = stochastic, glorot(layer) / 2 if reach is None else reach

    @torch.no_grad()
    def prepare(self, w):
        w.clamp_(-self.reach, self.reach)

    def integers(self, w):
        return signs(w), torch.tensor(self.reach, dtype=w.dtype)

    def forward(self, w):
        if not (self.stochastic and self.training):
            return super().forward(w)
        with torch.no_grad():
            positive = torch.rand_like(w) < (w / self.reach + 1) / 2  # random numbers are at least 0 and below 1
        return straight(w, torch.where(positive, self.reach, -self.reach).to(w.dtype))


class BinaryWeight(WeightQuantiser):
    """``a * sign(w)``, +1 of 0, with ``a = mean|w|`` of each filter, or of the layer.

    The mean over the input channels is taken off the float weights, which are then clipped to +-1: before every step,
    and before a network is measured or exported. Of a single input channel that mean is the weight itself, so there it
    stays. The gradient of a float weight is that of its position times ``(a * [|w| < 1] + 1/n) * (1 - 1/C) * n``, with
    n weights in a filter and C input channels; the factor with C, which is that of the mean, is left out with it.

    Parameters
    ----------
    filters : bool
        Whether each filter has its own worth.

    Source: Rastegari et al., XNOR-Net, sections 3.1 and 3.2, and their program: worths of filters, centring, clipping
    and the factors C and n are the program's.
    """

    format = Binary()

    def __init__(self, layer, filters=True):
        super().__init__(layer)
        self.filters = filters

    def prepared(self, w):
        """`w` without its mean, clipped."""
        return (w - w.mean(dim=1, keepdim=True) if w.shape[1] > 1 else w).clamp(-1, 1)

    @torch.no_grad()
    def prepare(self, w):
        w.copy_(self.prepared(w))

    def integers(self, w):
        w = self.prepared(w)
        return signs(w), per_filter(w.abs()) if self.filters else w.abs().mean()

    def forward(self, w):
        with torch.no_grad():
            integers, scale = self.integers(w)
            n, channels = w[0].numel(), w.shape[1]
            factor = (scale * (w.abs() < 1) + 1 / n) * n
            if channels > 1:
                factor = factor * (1 - 1 / channels)
        return straight(w, integers * scale, factor)
