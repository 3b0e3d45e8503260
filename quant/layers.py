"""The nodes of a network as torch trains them: layers with weights, and what joins them."""

import torch
from torch.nn import functional

from golden.formats import Binary, Integer, Minifloat

__all__ = ["Joint", "Stage", "adds_up"]


def adds_up(quantiser):
    """Whether activations of a quantiser can be added up, as joints do: of none, or of integers or minifloats."""
    return quantiser is None or isinstance(quantiser.format, Integer | Minifloat)


class Closing(torch.nn.Module):
    """A node of a topology, whose results become activations unless they stay as they are.

    Parameters
    ----------
    node : golden.topology.Node
    activation : ActivationQuantiser or None
        Of what layers read; None: floats.
    stream : ActivationQuantiser or None
        Of what joints read, where it is another: signs and powers of two do not add up.
    """

    def __init__(self, node, activation=None, stream=None):
        super().__init__()
        self.node, self.activation, self.stream = node, activation, stream

    def pooled(self, x):
        """Max pooling, if the node has it."""
        return x if self.node.pool is None else max_pool(x, self.node.pool)

    def closed(self, y, pooled=False):
        """The results behind activation and pooling: a tensor, or with a stream two, for layers and for joints."""
        if self.node.linear:
            return y
        if self.activation is None:
            return self.pooled(functional.relu(y) if self.node.relu else y)
        found = tuple(part(y) for part in (self.activation, self.stream) if part is not None)
        if not pooled:
            found = tuple(self.pooled(x) for x in found)
        return found if len(found) > 1 else found[0]


def max_pool(x, window):
    """Max pooling of images."""
    return functional.max_pool2d(x, window.kernel, window.stride, window.padding, ceil_mode=window.ceil_mode)


class Stage(Closing):
    """A layer with its quantisers: ``y = pool(activation(affine(sum(weights(w) * x))))``.

    Where activations are signs, sums are pooled: ``y = activation(affine(pool(sum(weights(w) * x))))``. Images of signs
    are padded with -1.

    Parameters
    ----------
    layer : golden.topology.Layer
    weights : WeightQuantiser or None
    activation, stream
        As of `Closing`.
    source : ActivationQuantiser or None
        That of the input.
    """

    def __init__(self, layer, weights=None, activation=None, stream=None, source=None):
        super().__init__(layer, activation, stream)
        self.weights, self.source = weights, (source,)  # in a tuple it is no part of this module
        self.weight = torch.nn.Parameter(torch.empty(layer.shape))
        torch.nn.init.xavier_uniform_(self.weight)
        self.norm = self.bias = None
        if layer.norm == "batch":
            self.norm = (torch.nn.BatchNorm2d if layer.kind == "conv" else torch.nn.BatchNorm1d)(layer.m)
        elif layer.norm == "bias":
            self.bias = torch.nn.Parameter(torch.zeros(layer.m))

    @property
    def layer(self):
        """The node."""
        return self.node

    @property
    def pools_sums(self):
        """Whether max pooling comes before the affine map."""
        signs = self.activation is not None and isinstance(self.activation.format, Binary)
        return signs and self.node.pool is not None

    def sums(self, x, weight, bias=None):
        """The GEMM of the layer."""
        if self.layer.kind == "dense":
            return functional.linear(x.flatten(1), weight, bias)
        pad, [source] = self.layer.pad, self.source
        if pad and source is not None and isinstance(source.format, Binary):
            x, pad = functional.pad(x, (pad,) * 4, value=-float(source.unit)), 0
        return functional.conv2d(x, weight, bias, stride=self.layer.s, padding=pad, groups=self.layer.groups)

    def forward(self, x):
        if self.weights is None:
            weight = self.weight
        else:
            if self.training:
                self.weights.prepare(self.weight)
            weight = self.weights(self.weight)
        y = self.sums(x, weight, self.bias)
        if self.pools_sums:
            y = self.pooled(y)
        if self.norm is not None:
            y = self.norm(y)
        return self.closed(y, pooled=self.pools_sums)

    def affine(self):
        """(gain, offset) of each channel, float64 [M]: batch normalisation as it is in evaluation, or the bias."""
        gain, offset = torch.ones(self.layer.m, dtype=torch.float64), torch.zeros(self.layer.m, dtype=torch.float64)
        if self.bias is not None:
            offset = self.bias.detach().double()
        elif self.norm is not None:
            gain = self.norm.weight.detach().double() / torch.sqrt(self.norm.running_var.double() + self.norm.eps)
            offset = self.norm.bias.detach().double() - self.norm.running_mean.double() * gain
        return gain.numpy(), offset.numpy()


class Joint(Closing):
    """A node without weights: see `golden.topology.Node` for the kinds. An average divides by its whole window."""

    def forward(self, *inputs):
        return JOINTS[self.node.kind](self, *inputs)

    def add(self, a, b):
        return self.closed(a + b)

    def concat(self, *inputs):
        return self.closed(torch.cat(inputs, 1))

    def average_pool(self, x):
        (height, width), window = self.node.window.kernel, self.node.window
        settings = {"ceil_mode": window.ceil_mode, "divisor_override": height * width}
        return self.closed(functional.avg_pool2d(x, window.kernel, window.stride, window.padding, **settings))

    def max_pool(self, x):
        return max_pool(x, self.node.window)

    def shortcut(self, x):
        down, right = self.node.window.stride
        x = x[:, :, ::down, ::right]
        return functional.pad(x, (0, 0, 0, 0, 0, self.node.channels - x.shape[1]))


JOINTS = {
    "add": Joint.add,
    "concat": Joint.concat,
    "average_pool": Joint.average_pool,
    "max_pool": Joint.max_pool,
    "shortcut": Joint.shortcut,
}
