"""A small residual network with ternary weights, as the study of DLAC trains it."""

import torch
from torch.nn import functional

from quant.models import PIXEL_UNIT
from quant.quantisers_ternary import Twn

__all__ = ["TWN", "ResNet", "Rectifier", "Ternary"]

TWN = Twn(layer=None)  # whose rule looks at weights alone


class Ternary(torch.nn.Conv2d):
    """A convolution with ternary weights, straight-through gradients and no bias."""

    def forward(self, x):
        return functional.conv2d(x, TWN(self.weight), None, self.stride, self.padding)


class Rectifier(torch.nn.Module):
    """``x`` where it exceeds a limit, else 0; the loss grows by `penalty` times the mean over images of what is left.

    Parameters
    ----------
    limit, penalty : float
    """

    def __init__(self, limit, penalty=0.0):
        super().__init__()
        self.limit, self.penalty = limit, penalty

    def forward(self, x):
        kept = x > self.limit
        y = torch.where(kept, x, 0.0)
        if self.penalty and y.requires_grad:  # the hook must not know y, which knows the hook
            slope = self.penalty / len(x)
            y.register_hook(lambda e: e + slope * kept)
        return y


class Block(torch.nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, which is a 1 x 1 convolution where the shape changes."""

    def __init__(self, n, m, rectifier):
        super().__init__()
        stride, self.rectifier = 1 if n == m else 2, rectifier
        self.a, self.norm_a = Ternary(n, m, 3, stride, 1, bias=False), torch.nn.BatchNorm2d(m)
        self.b, self.norm_b = Ternary(m, m, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(m)
        self.proj = self.norm_proj = None
        if stride > 1:
            self.proj, self.norm_proj = Ternary(n, m, 1, stride, bias=False), torch.nn.BatchNorm2d(m)

    def forward(self, x):
        y = self.norm_b(self.b(self.rectifier(self.norm_a(self.a(x)))))
        return self.rectifier(y + (x if self.proj is None else self.norm_proj(self.proj(x))))


class ResNet(torch.nn.Module):
    """He et al.'s network for small images: ternary but for its first convolution and its last layer.

    Parameters
    ----------
    widths : sequence of int
        Filters of each stage; all but the first halve height and width.
    blocks : int
        Blocks of a stage.
    limit, penalty : float
        Of its `Rectifier`.
    """

    def __init__(self, widths=(16, 32, 64, 128), blocks=2, limit=0.01, penalty=0.0):
        super().__init__()
        self.rectifier = Rectifier(limit, penalty)
        self.first = torch.nn.Conv2d(1, widths[0], 3, 1, 1, bias=False)
        self.norm = torch.nn.BatchNorm2d(widths[0])
        inner = [widths[0], *(m for m in widths for _ in range(blocks))]
        made = [Block(n, m, self.rectifier) for n, m in zip(inner, inner[1:], strict=False)]
        self.blocks = torch.nn.Sequential(*made)
        self.out = torch.nn.Linear(widths[-1], 10)

    def forward(self, pixels):
        x = self.rectifier(self.norm(self.first(pixels.float() * PIXEL_UNIT)))
        return self.out(self.blocks(x).mean(dim=(2, 3)))
