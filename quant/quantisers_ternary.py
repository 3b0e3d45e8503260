"""Ternary weights: with one scale, and with two that are trained."""

import torch

from golden.formats import Integer, Ternary
from quant.quantisers import WeightQuantiser, above, of_each

__all__ = ["Ttq", "Twn"]


class Twn(WeightQuantiser):
    """Ternary weights: +1 where ``w > d``, -1 where ``w < -d``, else 0, with ``d = threshold * mean|w|``.

    Both comparisons are strict. The scale is the mean of ``|w|`` over the nonzero positions, 0 if there are none. One
    threshold and one scale a layer. Gradients reach the float weights unchanged.

    Source: Li et al., Ternary Weight Networks; the threshold per layer as in their Caffe code.
    """

    format = Ternary()

    def __init__(self, layer, threshold=0.7):
        super().__init__(layer)
        self.threshold = threshold

    def integers(self, w):
        limit = self.threshold * w.abs().mean()
        integers = above(w, limit) - above(-w, limit)
        return integers, (integers * w).sum() / integers.abs().sum().clamp(min=1)


class TwoScales(torch.autograd.Function):
    """``+up`` at the positive and ``-down`` at the negative positions, with the gradients of `Ttq`."""

    @staticmethod
    def forward(ctx, w, up, down, positive, negative):
        ctx.save_for_backward(up, down, positive, negative)
        return positive * up - negative * down

    @staticmethod
    def backward(ctx, gradient):
        up, down, positive, negative = ctx.saved_tensors
        factor = positive * up + negative * down + (1 - positive - negative)
        return gradient * factor, (gradient * positive).sum(), -(gradient * negative).sum(), None, None


class Ttq(WeightQuantiser):
    """Trained ternary quantisation: ``+up`` where ``w > d``, ``-down`` where ``w < -d``, else 0; ``d = t * max|w|``.

    `up` and `down` are trained: their gradients are the sums of those of the positions that hold them, with the sign
    of the position. The gradient of a float weight is that of its position times `up`, `down` or, where it is 0, 1.

    The layer's sums are exported as two, of the positive and of the negative positions, with weights of 0 and 1.

    Parameters
    ----------
    threshold : float
        t.

    Source: Zhu et al., Trained Ternary Quantization, sections 3 and 4. Their program makes a magnitude of exactly d
    nonzero and the paper does not say; here comparisons are strict, as in `Twn`, and weights that are all 0 stay so.
    """

    format = Integer(1, signed=False)

    def __init__(self, layer, threshold=0.05):
        super().__init__(layer)
        self.threshold = threshold
        self.up, self.down = (torch.nn.Parameter(torch.ones(())) for _ in range(2))

    def positions(self, w):
        """The positive and the negative positions, 1.0 there and 0.0 elsewhere."""
        limit = self.threshold * w.abs().max()
        return above(w, limit), above(-w, limit)

    def integers(self, w):
        positive, negative = self.positions(w)
        return positive - negative, torch.where(positive > 0, self.up, self.down)

    def forward(self, w):
        with torch.no_grad():
            positions = self.positions(w)
        return TwoScales.apply(w, self.up, self.down, *positions)

    @torch.no_grad()
    def terms(self, w):
        scales = (self.up, -self.down)
        found = zip(self.positions(w), scales, strict=True)
        return [(self.format, integers.long(), of_each(scale, len(w))) for integers, scale in found]
