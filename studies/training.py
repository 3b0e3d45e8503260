"""A torch module trained on a dataset of the user's, kept by a hash of all that decides it."""

import dataclasses
import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from golden.errors import replacing
from quant.cache import LOOP, code_hash
from quant.train import fit, reproducible

__all__ = ["module"]


def module(make, dataset, settings, seed, build):
    """What `make` makes, trained by `settings` from `seed`, in evaluation mode.

    Parameters
    ----------
    make : type
        A torch module without parameters.
    build : path
        Folder of the cache.
    """
    decides = [dataclasses.asdict(settings), seed, dataset.digest, torch.__version__]
    decides += [code_hash((make.__module__, *LOOP))]
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
    path = Path(build) / f"{make.__name__}-{key}.safetensors"
    with reproducible(seed) as generator:
        model = make()
        try:
            model.load_state_dict(load_file(path))
        except (OSError, SafetensorError, RuntimeError):
            fit(model, dataset, settings, generator, f"{make.__name__} seed {seed}")
            with replacing(path) as temporary:
                save_file(model.state_dict(), temporary)
    return model.eval()
