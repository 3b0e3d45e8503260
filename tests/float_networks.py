"""Networks in floating point for tests: drawn, and computed by torch."""

import numpy as np
import torch
from torch.nn import functional

from golden.dlac_networks import Parameters, Shape
from golden.window import Window

SMALL = (  # on 2 x 9 x 9 pixels
    Shape(name="conv", window=Window(kernel=3, stride=2, padding=1), threshold=0.0, pool=Window(kernel=2, stride=2)),
    Shape(name="hidden", threshold=0.125),
    Shape(name="out"),
)
SHAPES = {"conv": (4, 2, 3, 3), "hidden": (6, 16), "out": (3, 6)}


def drawn(fmt, rng, shapes=SHAPES):
    """{name: Parameters} with biases of all but the last layer."""
    found = {}
    for name, shape in shapes.items():
        limit = np.prod(shape[1:]) ** -0.5
        weight, bias = (fmt.decode(fmt.encode(rng.uniform(-limit, limit, s))) for s in (shape, shape[:1]))
        found[name] = Parameters(weight=weight, bias=None if name == list(shapes)[-1] else bias)
    return found


class TorchNetwork:
    """The same network in torch's numbers of `dtype`, with its own gradients."""

    def __init__(self, layers, parameters, dtype=torch.float32):
        self.layers, self.dtype = layers, dtype
        self.numbers = {}
        for name, of in parameters.items():
            values = {"weight": of.weight, "bias": of.bias, "gain": of.gain}
            self.numbers[name] = {k: self.tensor(v) for k, v in values.items() if v is not None}

    def tensor(self, x):
        return torch.tensor(x, dtype=self.dtype, requires_grad=True)

    def forward(self, x):
        """(logits, what decides at each rectifier and maximum)."""
        choices = []
        for layer in self.layers:
            of = self.numbers[layer.name]
            if layer.window is None:
                x = functional.linear(x.flatten(1), of["weight"])
            else:
                x = functional.conv2d(x, of["weight"], stride=layer.window.stride, padding=layer.window.padding)
            ends = (1, -1) + (1,) * (x.ndim - 2)
            x = x * of["gain"].reshape(ends) if "gain" in of else x
            x = x + of["bias"].reshape(ends) if "bias" in of else x
            if layer.threshold is not None:
                choices.append((x > layer.threshold).numpy())
                x = torch.where(x > layer.threshold, x, 0.0)
            if layer.pool is not None:
                pool = (layer.pool.kernel, layer.pool.stride, layer.pool.padding)
                x, at = functional.max_pool2d(x, *pool, return_indices=True)
                choices.append(at.numpy())
        return x, choices

    def step(self, x, labels, rate):
        """(loss, choices) before a step of gradient descent, which is made."""
        z, choices = self.forward(torch.tensor(x, dtype=self.dtype))
        loss = functional.cross_entropy(z, torch.tensor(labels))
        loss.backward()
        with torch.no_grad():
            for of in self.numbers.values():
                for value in of.values():
                    value -= rate * value.grad
                    value.grad = None
        return loss.item(), choices
