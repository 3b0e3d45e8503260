"""A small residual network with ternary weights, as the study of DLAC trains it."""

import torch
from torch.nn import functional

from quant.models import PIXEL_UNIT
from quant.quantisers import Twn, straight_through

__all__ = ["Ternary", "ResNet", "threshold"]

TWN = Twn()


class Ternary(torch.nn.Conv2d):
    """A convolution with ternary weights, straight-through gradients and no bias."""

    def forward(self, x):
        return functional.conv2d(x, straight_through(TWN, self.weight), None, self.stride, self.padding)


def threshold(x, limit):
    """`x` where it exceeds `limit`, else 0."""
    return torch.where(x > limit, x, 0.0)


class Block(torch.nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is a 1 x 1 convolution where the shape changes."""

    def __init__(self, n, m, limit):
        super().__init__()
        stride, self.limit = 1 if n == m else 2, limit
        self.a, self.norm_a = Ternary(n, m, 3, stride, 1, bias=False), torch.nn.BatchNorm2d(m)
        self.b, self.norm_b = Ternary(m, m, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(m)
        self.short = None
        if stride > 1:
            self.short = torch.nn.Sequential(Ternary(n, m, 1, stride, bias=False), torch.nn.BatchNorm2d(m))

    def forward(self, x):
        y = self.norm_b(self.b(threshold(self.norm_a(self.a(x)), self.limit)))
        return threshold(y + (x if self.short is None else self.short(x)), self.limit)


class ResNet(torch.nn.Module):
    """He et al.'s network for small images: ternary but for its first convolution and its last layer.

    Parameters
    ----------
    widths : sequence of int
        Filters of each stage; all but the first halve height and width.
    blocks : int
        Blocks of a stage.
    limit : float
        Threshold of the rectifiers.
    """

    def __init__(self, widths=(16, 32, 64), blocks=2, limit=0.01):
        super().__init__()
        self.limit = limit
        self.first = torch.nn.Conv2d(1, widths[0], 3, 1, 1, bias=False)
        self.norm = torch.nn.BatchNorm2d(widths[0])
        inner = [widths[0], *(m for m in widths for _ in range(blocks))]
        self.blocks = torch.nn.Sequential(*(Block(n, m, limit) for n, m in zip(inner, inner[1:], strict=False)))
        self.out = torch.nn.Linear(widths[-1], 10)

    def forward(self, pixels):
        x = threshold(self.norm(self.first(pixels.float() * PIXEL_UNIT)), self.limit)
        return self.out(self.blocks(x).mean(dim=(2, 3)))
