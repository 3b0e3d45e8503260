"""A task that a network of a few hundred weights learns in a second: which quadrant of an image is bright."""

import functools

import torch
from torch import nn

from quant.data import Dataset, Split
from quant.graph import Graph, Op

__all__ = ["Quadrants", "graph", "quadrants", "trained"]


def split(n, generator):
    """`n` images [1, 8, 8]: dim noise, and one quadrant brighter."""
    labels = torch.randint(4, (n,), generator=generator)
    images = torch.randint(200, (n, 1, 8, 8), generator=generator)
    rows, columns = torch.arange(8).reshape(8, 1) // 4, torch.arange(8) // 4
    bright = (2 * rows + columns)[None, None] == labels[:, None, None, None]
    return Split((images + 45 * bright).to(torch.uint8), labels)


@functools.cache
def quadrants():
    """The data: 400 images to train, 200 held out, 200 to test."""
    generator = torch.Generator().manual_seed(0)
    return Dataset(*(split(n, generator) for n in (400, 200, 200)), "quadrants")


class Quadrants(nn.Module):
    """Convolution, ReLU, pooling, two dense layers; from uint8 pixels."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(64, 12)
        self.out = nn.Linear(12, 4)

    def forward(self, x):
        x = self.pool(self.conv(x.float() / 256).relu())
        return self.out(self.hidden(x.flatten(1)).relu())


@functools.cache
def trained():
    """The module, trained."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module, data = Quadrants(), quadrants().train
        optimiser = torch.optim.Adam(module.parameters(), lr=1e-2)
        for _ in range(40):
            for start in range(0, len(data), 100):
                part = data[start : start + 100]
                loss = nn.functional.cross_entropy(module(part.images), part.labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return module.eval()


@functools.cache
def graph():
    """The trained module as a graph; do not change it."""
    parts = dict(trained().named_children())

    def layer(name, kind, source, **attributes):
        weight, bias = (x.detach().clone() for x in parts[name].parameters())
        return Op(name, kind, (source,), attributes, weight, bias)

    pool = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    ops = [
        layer("conv", "conv", "input", stride=(1, 1), padding=(1, 1)),
        Op("conv_relu", "relu", ("conv",)),
        Op("pool", "max_pool", ("conv_relu",), pool),
        Op("flat", "flatten", ("pool",)),
        layer("hidden", "dense", "flat"),
        Op("hidden_relu", "relu", ("hidden",)),
        layer("out", "dense", "hidden_relu"),
    ]
    return Graph((1, 8, 8), ops, "out", unit=1 / 256)
