"""LeNet for the studies of traffic and time: as it is trained, and with its smallest weights cut off."""

import numpy as np
import torch

from quant.cache import trained
from quant.models import PIXEL_UNIT
from quant.recipes import recipe
from studies.layers import Layer
from studies.pruned import pruned

__all__ = ["LeNet", "lenets"]

IMAGES, JUDGED = 16, 1000  # of the held-out ones: whose activations are looked at, whose classes are compared


class LeNet:
    """A trained LeNet whose layers can be looked into, and whose weights and inputs of layers can be rounded.

    Weights are those before batch normalisation, which requantisation does per filter.

    Parameters
    ----------
    model : Classifier
        Of floats, in evaluation mode.
    images : uint8 tensor [N, 1, 28, 28]

    Attributes
    ----------
    layers : list of Layer
        With what the first `IMAGES` images make of them.
    """

    def __init__(self, model, images):
        self.model, self.pixels = model, images[:JUDGED]
        inputs = {}
        self.forward(images[:IMAGES], lambda name, what, x: inputs.setdefault((name, what), x))
        self.layers = []
        for stage in model.stages:
            layer, x = stage.layer, inputs[stage.layer.name, "a"].numpy()
            dense = layer.kind == "dense"
            self.layers.append(
                Layer(
                    name=layer.name,
                    kind=layer.kind,
                    weights=stage.weight.detach().numpy().copy(),
                    inputs=[image.reshape(1, -1) if dense else image for image in x],
                    stride=(layer.s, layer.s),
                    padding=(layer.pad,) * 4,
                )
            )

    @torch.no_grad()
    def forward(self, pixels, touch):
        """Logits, with each layer's weights and inputs as ``touch(layer, "w" or "a", x)`` returns them."""
        x = pixels.float() * PIXEL_UNIT
        for stage in self.model.stages:
            name = stage.layer.name
            y = stage.sums(touch(name, "a", x), touch(name, "w", stage.weight), stage.bias)
            y = y if stage.norm is None else stage.norm(y)
            y = torch.relu(y) if stage.layer.relu else y
            x = stage.pooled(y)
        return x

    def run(self, widths, count=None):
        """Logits of the first `JUDGED` images in one array, whatever `count`; see `studies.ocr.OnnxNetwork`."""
        layers = {layer.name: layer for layer in self.layers}

        def rounding(name, what, x):
            bits = widths.get((name, what))
            if bits is None:
                return x
            tensors = layers[name].inputs if what == "a" else [layers[name].weights]
            signed = what == "w" or any(values.min(initial=0) < 0 for values in tensors)
            greatest = max(float(np.abs(values).max(initial=0)) for values in tensors)
            top = (1 << bits - signed) - 1
            return torch.round(x * (top / greatest)).clamp(-top, top) * (greatest / top) if greatest else x

        return [self.forward(self.pixels, rounding).numpy()]


def lenets(dataset, build):
    """{"lenet": as it is trained, "lenet_pruned": pruned}."""
    start = trained(recipe("lenet"), dataset, build=build).model
    models = {"lenet": start, "lenet_pruned": pruned(start, dataset, build)}
    return {name: LeNet(model, dataset.held_out.images) for name, model in models.items()}
