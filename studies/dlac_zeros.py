"""Which products of a training step have no zero in them: forward, and backward for both operands of the gradients."""

from dataclasses import dataclass, field

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["OPERANDS", "Captured", "Counting", "Product", "Watched", "operand_shares", "shares"]

IMAGES = 32  # of a batch, whose products are counted
OPERANDS = ("activations", "weights", "errors")


@dataclass
class Product:
    """Products of a layer in one step, dense and without zeros.

    Parameters
    ----------
    macs : int
        Products of activations and weights, those with padding included; as many make the error of the input, and as
        many the gradient of the weights.
    forward : int
        Of them, those of two numbers that are not 0.
    input_error, weight_gradient : int, optional
        Likewise; `input_error` is None in the first layer, whose input needs none, and both before the way back.
    activations, weights, errors : float
        Shares of the operands that are not 0; of activations as they are used, padding among them.
    """

    macs: int
    forward: int
    activations: float
    weights: float
    input_error: int | None = None
    weight_gradient: int | None = None
    errors: float | None = None


class Layers(TorchFunctionMode):
    """Calls `seen` for every convolution and dense layer that torch computes in this context."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        y = function(*args, **(kwargs or {}))
        if function in (functional.conv2d, functional.linear):
            with torch._C.DisableTorchFunctionSubclass(), torch.no_grad():
                self.seen(y, *args, **(kwargs or {}))
        return y


def operands(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Which operands of a convolution or dense layer are not 0: float [N, K, windows], [M, K]."""
    x = (x != 0).float()
    if weight.ndim == 4:
        x = functional.unfold(x, weight.shape[2:], stride=stride, padding=padding)
    else:
        x = x.reshape(-1, x.shape[-1])[..., None]
    return x, (weight != 0).float().flatten(1)


class Counting(Layers):
    """Counts products, and counts on when the derivative in each layer's sums is known.

    Attributes
    ----------
    products : list of Product
        In order.
    """

    def __init__(self):
        super().__init__()
        self.products = []

    def seen(self, y, x, *rest, **named):
        """Keep the `Product` of a layer."""
        first = not x.requires_grad
        x, w = operands(x[:IMAGES], *rest, **named)
        of_filter, of_k = w.double().sum(dim=1), w.double().sum(dim=0)
        made = Product(
            macs=x.shape[0] * x.shape[2] * w.numel(),
            forward=int(x.double().sum(dim=(0, 2)) @ of_k),
            activations=float(x.mean()),
            weights=float(w.mean()),
        )
        self.products.append(made)

        def back(e):
            e = (e[:IMAGES] != 0).double().reshape(x.shape[0], len(w), -1)
            made.errors = float(e.mean())
            made.weight_gradient = int((x.sum(dim=1) * e.sum(dim=1)).sum())
            if not first:
                made.input_error = int(e.sum(dim=(0, 2)) @ of_filter)

        if y.requires_grad:
            y.register_hook(back)


class Captured(Layers):
    """Keeps which operands of each layer are not 0.

    Attributes
    ----------
    layers : list of (a, w)
        bool arrays [windows of all images, K] and [K, filters].
    """

    def __init__(self):
        super().__init__()
        self.layers = []

    def seen(self, y, *given, **named):
        """Keep those of a layer."""
        x, w = operands(*given, **named)
        self.layers.append((x.transpose(1, 2).flatten(0, 1).bool().numpy(), w.T.bool().numpy()))


@dataclass
class Row:
    """A step that was watched."""

    step: int
    products: list = field(default_factory=list)


class Watched(torch.nn.Module):
    """A model whose every `every`-th training step is counted.

    Parameters
    ----------
    model : torch.nn.Module
        From images to logits.
    every : int
    only_wrong : bool
        Whether images that are classified as they should be send no error back (S0's "GradUpdate").

    Attributes
    ----------
    rows : list of Row
    """

    def __init__(self, model, every, only_wrong=False):
        super().__init__()
        self.model, self.every, self.only_wrong = model, every, only_wrong
        self.step, self.rows = 0, []

    def forward(self, images):
        if not self.training:
            return self.model(images)
        if self.step % self.every == 0:
            with Counting() as counting:
                z = self.model(images)
            self.rows.append(Row(self.step, counting.products))
        else:
            z = self.model(images)
        self.step += 1
        if self.only_wrong:
            chosen = z.argmax(dim=1)
            z.register_hook(lambda e: wrong(chosen, e))
        return z


def wrong(chosen, e):
    """The derivatives `e` of a cross-entropy in logits, 0 for images of which their class was `chosen`.

    A derivative is below 0 for the class of an image alone.
    """
    return e * (chosen != e.argmin(dim=1))[:, None]


def shares(products):
    """(share of products forward, share backward) that have no zero, of all layers of a step together."""
    forward = sum(p.forward for p in products) / sum(p.macs for p in products)
    back = [(p.macs, count) for p in products for count in (p.input_error, p.weight_gradient) if count is not None]
    return forward, sum(count for _, count in back) / sum(macs for macs, _ in back)


def operand_shares(products):
    """{name: share} of the `OPERANDS` of a step that are not 0: of all its layers, weighted by their products."""
    macs = sum(p.macs for p in products)
    return {name: sum(p.macs * getattr(p, name) for p in products) / macs for name in OPERANDS}
