"""A network that nothing in the project was written for, with random weights, for tests."""

import functools

import numpy as np
import torch
from torch import nn

from quant.assignment import ROUNDING, Assignment, unify
from quant.fold import fold
from quant.from_torch import from_module

__all__ = ["SHAPE", "Unseen", "assigned", "unseen", "unseen_graph", "unseen_images"]

SHAPE = (2, 13, 11)


class Unseen(nn.Module):
    """Batch normalisation before and behind convolutions, groups, dilation, a residual, a concatenation, average pools
    at borders and a local response normalisation of even size."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.pool = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        self.lrn = nn.LocalResponseNorm(4, alpha=0.5, beta=0.6, k=1.5)
        self.left = nn.Sequential(nn.Conv2d(6, 4, 1), nn.BatchNorm2d(4))
        self.deep = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6)
        self.norm = nn.BatchNorm2d(6)
        self.flat = nn.Conv2d(6, 6, (1, 3), padding="same")
        self.mean = nn.AvgPool2d(3, 2, padding=1, ceil_mode=True, count_include_pad=False)
        self.between = nn.BatchNorm2d(10)
        self.head = nn.Conv2d(10, 8, 1)
        self.drop = nn.Dropout()
        self.last = nn.Linear(8, 5)

    def forward(self, pixels):
        x = self.lrn(self.pool(self.stem(pixels.float() / 255)))
        deep = self.flat(torch.relu(self.norm(self.deep(x))))
        x = torch.cat([self.left(x), (x + deep).relu_()], dim=1)
        x = self.head(self.between(self.mean(x))).relu().mean((2, 3))
        return self.last(self.drop(x))


@functools.cache
def unseen():
    """The network in evaluation mode; gains of both signs, statistics of a few random images."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        made = Unseen()
        for part in made.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 0.5
                nn.init.normal_(part.weight)
                nn.init.normal_(part.bias, std=0.5)
        nn.init.normal_(made.head.weight, std=1.0)
        nn.init.normal_(made.last.weight, std=1.0)
        for seed in range(8):
            made(unseen_images(32, seed))
    return made.eval()


@functools.cache
def unseen_graph():
    """Its graph, folded."""
    return fold(from_module(unseen(), SHAPE))


def unseen_images(count, seed=0):
    """uint8 pixels, each channel of an image of a brightness of its own."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (count, *SHAPE)) * rng.random((count, SHAPE[0], 1, 1))
    return torch.from_numpy(pixels.astype(np.uint8))


def assigned(graph, outputs, weights, biases=None):
    """An `Assignment` of one format, or a function of names, for outputs, for weights and, if they differ, biases."""

    def picked(choice, names):
        return {name: choice(name) if callable(choice) else choice for name in names}

    biases = weights if biases is None else biases
    found = Assignment(
        outputs=picked(outputs, [op.name for op in graph.ops if op.op in ROUNDING]),
        weights=picked(weights, [op.name for op in graph.ops if op.weight is not None]),
        biases=picked(biases, [op.name for op in graph.ops if op.bias is not None]),
    )
    return unify(graph, found)
