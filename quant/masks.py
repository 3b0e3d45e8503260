"""Weights that are held at 0: masks of a model's layers, and which weights are the greatest."""

import contextlib

import torch
from torch.nn.utils import parametrize

from golden.errors import InputError

__all__ = ["Mask", "largest", "layers", "masked", "nonzero", "plain"]


class Mask(torch.nn.Module):
    """Zeros where `mask` is 0."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def layers(model):
    """{name: module} of every module with a ``weight`` of two or more axes, by its layer's name or else its path.

    Raises
    ------
    InputError
        If there is none.
    """
    found = {}
    for path, module in model.named_modules():
        weight = module._parameters.get("weight")
        if weight is not None and weight.ndim >= 2:
            found[getattr(getattr(module, "layer", None), "name", path)] = module
    if not found:
        raise InputError(f"{type(model).__name__} has no layer with weights")
    return found


def largest(scores, share):
    """1.0 where a score is among the `share` of the greatest, at least one, 0.0 elsewhere; of equal ones all."""
    count = max(1, round(share * scores.numel()))
    threshold = scores.flatten().kthvalue(scores.numel() - count + 1).values
    return (scores >= threshold).to(scores.dtype)


@contextlib.contextmanager
def masked(model, masks):
    """Inside the block, weights are 0 where the mask of their layer is, and are trained so; behind it they stay so.

    Parameters
    ----------
    masks : dict
        Name of a layer → tensor of zeros and ones; layers without one are free.
    """
    found = layers(model)
    for name, mask in masks.items():
        parametrize.register_parametrization(found[name], "weight", Mask(mask))
    try:
        yield model
    finally:
        for name in masks:
            plain(found[name])


def plain(module):
    """Make ``module.weight`` a parameter again, of what its parametrisation makes, and the first: files go by order."""
    parametrize.remove_parametrizations(module, "weight")
    parameters = {"weight": module._parameters.pop("weight")} | dict(module._parameters)
    module._parameters.clear()
    module._parameters.update(parameters)


def nonzero(model):
    """{name: share of its weights that are not 0} of each layer, and of all under ""."""
    weights = {name: module.weight.detach() for name, module in layers(model).items()}
    found = {name: float((w != 0).float().mean()) for name, w in weights.items()}
    return found | {"": sum(int((w != 0).sum()) for w in weights.values()) / sum(w.numel() for w in weights.values())}
