"""Magnitude pruning: the smallest weights of each layer become 0, the others are trained on."""

import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch.nn.utils import parametrize

from golden.errors import replacing
from quant.cache import FLOAT, code_hash
from quant.recipes import recipe
from quant.settings import Settings
from quant.train import fit, reproducible

__all__ = ["KEPT", "RETRAINING", "pruned"]

KEPT = {"conv1": 0.66, "conv2": 0.12, "ip1": 0.08, "ip2": 0.19}  # of the weights: Han et al., Deep Compression
RETRAINING = Settings(epochs=1, batch=128, rate=1e-3, decay=0.0, shift=2)


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
    start : Classifier
        A LeNet of floats. It is left as it was.
    kept : dict
        Name of a layer → share of its weights that stays; `KEPT` by default.
    build : path
        Folder of the cache.
    settings : Settings
    """
    kept = KEPT if kept is None else kept
    before = hashlib.sha256(b"".join(x.numpy().tobytes() for x in start.state_dict().values())).hexdigest()
    decides = [kept, dataclasses.asdict(settings), dataset.digest, torch.__version__, before]
    decides += [code_hash(("studies.pruned", *FLOAT))]
    path = Path(build) / f"pruned-{hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]}.safetensors"
    with reproducible(0) as generator:
        model = recipe("lenet").model()
        model.load_state_dict(start.state_dict())
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
