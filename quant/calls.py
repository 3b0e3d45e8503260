"""The matrix products that a torch model computes: seen as it calls them, whatever its modules look like."""

from dataclasses import dataclass

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from golden.errors import InputError
from golden.layer_tables import Row
from quant.masks import layers

__all__ = ["Call", "calls"]

CONV = {torch.conv2d, functional.conv2d}
ARGUMENTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")


def pair(value):
    """A number for rows and columns alike, or one for each."""
    return (value, value) if isinstance(value, int) else tuple(value)


@dataclass(frozen=True, eq=False)
class Call:
    """One convolution or dense layer at work.

    Parameters
    ----------
    name : str
    module : torch.nn.Module
        Whose ``weight`` it is.
    x, y : tensors
        Input [N, C, H, W] or [N, features], and sums, bias included.
    stride, padding : pair of int
    groups : int
    """

    name: str
    module: torch.nn.Module
    x: torch.Tensor
    y: torch.Tensor
    stride: tuple = (1, 1)
    padding: tuple = (0, 0)
    groups: int = 1

    @property
    def row(self):
        """The shape of the layer; `InputError` if golden's tables have no such shape."""
        weight = self.module.weight
        if weight.ndim == 2:
            return Row(name=self.name, kind="dense", n=weight.shape[1], m=weight.shape[0])
        for what, values in (("kernel", weight.shape[2:]), ("stride", self.stride), ("padding", self.padding)):
            if values[0] != values[1]:
                raise InputError(f"{what} of {self.name} must be square, not {tuple(values)}")
        sizes = {"k": weight.shape[2], "s": self.stride[0], "pad": self.padding[0], "groups": self.groups}
        _, n, h, w = self.x.shape
        return Row(name=self.name, kind="conv", n=n, m=weight.shape[0], h=h, w=w, **sizes)

    def columns(self, x):
        """What each group of filters sees: [groups, windows, products of a sum], of inputs like those of `x`."""
        if self.module.weight.ndim == 2:
            return x.flatten(1)[None]
        kernel = self.module.weight.shape[2:]
        found = functional.unfold(x, kernel, padding=self.padding, stride=self.stride)  # [N, C KH KW, places]
        found = found.transpose(1, 2).reshape(-1, self.groups, found.shape[1] // self.groups)
        return found.transpose(0, 1)


class Calls(TorchFunctionMode):
    """Collects the calls with the weights of a model's layers."""

    def __init__(self, model):
        super().__init__()
        self.names = {id(module.weight): (name, module) for name, module in layers(model).items()}
        self.found = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        y = function(*args, **(kwargs or {}))
        if function in CONV or function is functional.linear:
            given = dict(zip(ARGUMENTS, args)) | (kwargs or {})
            if (owner := self.names.get(id(given["weight"]))) is not None:
                if pair(given.get("dilation", 1)) != (1, 1):
                    raise InputError(f"{owner[0]} must not be dilated, not {given['dilation']}")
                geometry = {}
                if function in CONV:
                    geometry = {what: pair(given.get(what, none)) for what, none in (("stride", 1), ("padding", 0))}
                    geometry["groups"] = given.get("groups", 1)
                self.found.append(Call(*owner, given["input"].detach(), y.detach(), **geometry))
        return y


@torch.no_grad()
def calls(model, images):
    """{name: `Call`} of every layer of `model`, in evaluation mode, for `images`, in the order in which they come.

    Raises
    ------
    InputError
        If a layer is called twice, or never with its weights as they are: a quantised one.
    """
    model.eval()
    with Calls(model) as seen:
        model(images)
    found = {}
    for call in seen.found:
        if call.name in found:
            raise InputError(f"layer {call.name} must be called once, not twice")
        found[call.name] = call
    for name in layers(model):
        if name not in found:
            raise InputError(f"layer {name} must multiply by its weights as they are: prune before it is quantised")
    return found
