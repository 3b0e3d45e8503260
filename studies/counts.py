"""What a trained network is made of: bits of its weights, zeros, and products that are not zero."""

import torch
from torch.nn import functional

from golden.topology import INPUT
from quant.models import PIXEL

__all__ = ["products", "weights", "widths"]

FLOAT_BITS = 32


@torch.no_grad()
def widths(model):
    """[bits of a weight as it is exported, bits of an activation that it meets] of each layer, floats' where it has none."""
    found = []
    for stage in model.stages:
        [source] = stage.source
        width = other = FLOAT_BITS
        if stage.weights is not None:
            width = sum(fmt.width for fmt, *_ in stage.weights.terms(stage.weight))
        if source is not None:
            other = source.format.width
        elif model.quantised and INPUT in stage.layer.sources:
            other = PIXEL.width
        found.append([width, other])
    return found


@torch.no_grad()
def weights(model):
    """Number of weights, their bits as they are exported or as floats, and the share that is not 0."""
    count = bits = nonzero = 0
    for stage, (width, _) in zip(model.stages, widths(model), strict=True):
        w = values(stage)
        count, bits, nonzero = count + w.numel(), bits + width * w.numel(), nonzero + int((w != 0).sum())
    return {"weights": count, "weight_bits": bits, "nonzero": nonzero / count}


def values(stage):
    """The weights of a layer as it multiplies by them."""
    return stage.weight if stage.weights is None else stage.weights(stage.weight)


@torch.no_grad()
def products(model, images):
    """Products for one image, and the shares that are not 0 of them and of their activations, over `images`.

    Padding counts as zeros.
    """
    inputs = {}
    hooks = [stage.register_forward_pre_hook(lambda stage, x: inputs.__setitem__(stage, x[0])) for stage in model.stages]
    model.eval()
    model.training = True  # of the model, not of its layers: they make reals, as in evaluation
    try:
        model(images)
    finally:
        model.eval()
        for hook in hooks:
            hook.remove()
    done = read = total = 0
    for stage, x in inputs.items():
        ones = [(x != 0).float(), (values(stage) != 0).float()]
        done += float(multiplied(stage.layer, *ones).double().sum()) / len(images)
        read += float(ones[0].sum()) / len(images)
        total += stage.layer.inputs
    return {"macs": model.net.macs, "products": done / model.net.macs, "activations": read / total}


def multiplied(layer, x, w):
    """The sums of a layer."""
    if layer.kind == "conv":
        return functional.conv2d(x, w, stride=layer.s, padding=layer.pad, groups=layer.groups)
    return functional.linear(x.flatten(1), w)
