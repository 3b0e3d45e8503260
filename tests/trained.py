"""Small networks of every kind of node after a few steps of training, for tests."""

import torch
from torch.nn import functional

from golden.residual import block
from golden.topology import Topology
from golden.window import Window
from quant.models import Classifier, schemes

__all__ = ["chain", "images", "residual", "trained"]

CLASSES = 5
HALF = Window(kernel=2, stride=2)


def chain():
    """Convolutions with pooling, padding and strides, biases, and dense layers."""
    net = Topology((1, 10, 10))
    net.conv("conv1", 4, 3, pad=1, pool=HALF)
    net.conv("conv2", 6, 3, pad=1, pool=Window(kernel=3, stride=2, ceil_mode=True))
    net.conv("conv3", 5, 2, pad=1, s=2, norm="bias")
    net.dense("fc1", 12)
    net.logits("fc2", CLASSES)
    return net


def residual():
    """Blocks with each kind of shortcut, a concatenation, and both poolings."""
    net = Topology((1, 8, 8))
    net.conv("conv1", 4, 3, pad=1)
    block(net, "b1", ((4, 3), (4, 3)), 1, False, "ab")
    block(net, "b2", ((6, 3), (6, 3)), 2, False, "ab")
    source = net.max_pool("pool", Window(kernel=2, stride=1, padding=1))
    block(net, "b3", ((8, 3), (7, 1)), 2, True, "ab")
    left = net.conv("left", 3, 1, linear=True)
    right = net.conv("right", 4, 3, pad=1, s=2, source=source, linear=True)
    net.concat("cat", left, right, pool=Window(kernel=2, stride=1))
    net.average_pool("average")
    net.logits("fc", CLASSES)
    return net


def images(net, count):
    """Pixels, the same ones every time: soft shapes on grounds of any brightness."""
    generator, (channels, *size) = torch.Generator().manual_seed(1), net.shapes["input"]
    shapes = functional.interpolate(torch.rand(count, channels, 4, 4, generator=generator), size=size, mode="bilinear")
    return (255 * shapes * torch.rand(count, 1, 1, 1, generator=generator)).round().to(torch.uint8)


def trained(net, weights, activations=None, steps=2):
    """A `Classifier` after a few steps; some gains of batch normalisation are negative, and one is zero."""
    torch.manual_seed(0)
    model = Classifier(net, schemes(weights, net), activations)
    with torch.no_grad():
        for stage in model.stages:
            if stage.norm is not None:
                stage.norm.weight.copy_(torch.linspace(-0.6, 1.4, stage.layer.m))
                stage.norm.weight[1] = 0
                stage.norm.bias.normal_(std=0.3)
                stage.norm.momentum = 0.5  # so that a few batches set the statistics
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    x = images(net, 10)
    for _ in range(steps):
        loss = functional.cross_entropy(model.train()(x), torch.arange(len(x)) % CLASSES)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()
