"""LeNet for the studies of traffic and time: as it is trained, and with its smallest weights cut off."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn.utils import parametrize

from golden.errors import replacing
from quant.cache import code_hash, trained
from quant.models import PIXEL_UNIT
from quant.recipes import recipe
from quant.train import Settings, fit, reproducible
from studies.layers import Layer

__all__ = ["KEPT", "LeNet", "pruned"]

KEPT = {"conv1": 0.66, "conv2": 0.12, "ip1": 0.08, "ip2": 0.19}  # of the weights: Han et al., Deep Compression
RETRAINING = Settings(epochs=1, batch=128, rate=1e-3, decay=0.0, shift=2)
IMAGES, JUDGED = 16, 1000  # of the held-out ones: whose activations are looked at, whose classes are compared


class Mask(torch.nn.Module):
    """Zeros where `mask` is 0."""

    def __init__(self, mask):
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight):
        return weight * self.mask


def largest(weight, share):
    """1.0 where a weight is among the `share` of the greatest magnitudes, 0.0 elsewhere; of equal ones all."""
    count = max(1, round(share * weight.numel()))
    threshold = weight.abs().flatten().kthvalue(weight.numel() - count + 1).values
    return (weight.abs() >= threshold).to(weight.dtype)


def pruned(start, dataset, build, *, kept=None, settings=RETRAINING, progress=True):
    """`start` with the smallest weights of each layer at 0, and the others trained on: a Classifier.

    Parameters
    ----------
    start : Trained
        It is left as it was.
    kept : dict
        Name of a layer → share of its weights that stays; `KEPT` by default.
    build : path
        Folder of the cache.
    settings : Settings
    """
    kept = KEPT if kept is None else kept
    before = hashlib.sha256(b"".join(x.numpy().tobytes() for x in start.model.state_dict().values())).hexdigest()
    decides = [kept, dataclasses.asdict(settings), dataset.digest, torch.__version__, before]
    decides += [code_hash(("studies.lenets", "quant.train", "quant.data", "quant.layers", "quant.models"))]
    path = Path(build) / f"pruned-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]}.safetensors"
    with reproducible(0) as generator:
        model = recipe("lenet").model()
        model.load_state_dict(start.model.state_dict())
        try:
            model.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError):
            for stage in model.stages:
                mask = Mask(largest(stage.weight.detach(), kept[stage.layer.name]))
                parametrize.register_parametrization(stage, "weight", mask)
            fit(model, dataset, settings, generator, "pruned lenet", progress=progress)
            for stage in model.stages:
                parametrize.remove_parametrizations(stage, "weight")
            with replacing(path) as temporary:
                save_file({name: x.contiguous() for name, x in model.state_dict().items()}, temporary)
    return model.eval()


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
            dense = layer.kind == "fc"
            self.layers.append(
                Layer(
                    name=layer.name,
                    kind="dense" if dense else "conv",
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
            y = torch.relu(y) if stage.layer.relu and not stage.layer.last else y
            x = stage.pooled(y)
        return x

    def run(self, widths):
        """Logits of the first `JUDGED` images, one array, with some tensors rounded; see `studies.ocr.OnnxNetwork`."""
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
    """{"lenet": dense, "lenet_pruned": pruned}, each with held-out accuracy: (LeNet, accuracy)."""
    start = trained(recipe("lenet"), dataset, build=build)
    images = dataset.held_out.images
    return {"lenet": LeNet(start.model, images), "lenet_pruned": LeNet(pruned(start, dataset, build), images)}
