"""Trained networks on disk, by a hash of everything that decides them."""

import ast
import dataclasses
import functools
import hashlib
import importlib.util
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from golden.errors import replacing
from quant.checkpoint import Checkpoint
from quant.parallel import first, part, total, wait
from quant.rectify import thresholded
from quant.run import Trained
from quant.train import train

__all__ = ["BUILD", "FLOAT", "LOOP", "PRUNING", "code_hash", "key", "remembered", "slug", "started", "trained"]

BUILD = Path("build/quant")
LOOP = tuple(f"quant.{name}" for name in ("data", "losses", "rectify", "run", "settings", "train"))
PRUNING = ("golden.energy", *(f"quant.{name}" for name in ("calls", "energy_aware", "masks", "pruning", "saliency")))
FLOAT = (*LOOP, "golden.layer_tables", "golden.residual", "golden.topology", "quant.layers", "quant.models")
TRAINING = (*FLOAT, *(f"golden.formats.{name}" for name in ("base", "codebooks", "integers", "minifloats", "powers")))
TRAINING += tuple(f"quant.quantisers{suffix}" for suffix in ("", "_activations", "_binary", "_nonlinear", "_ternary"))
TRAINING += tuple(f"quant.{name}" for name in ("affine", "clusters", "export", "integers", "rules", "schemes", "straight"))
TRAINING += ("golden.requant",)
METADATA = "narrowgate-training"


@functools.cache  # what is imported does not change either
def code_hash(modules):
    """SHA-256 of the code of the tuple `modules`; comments, docstrings and layout do not count."""
    found = hashlib.sha256()
    for name in modules:
        tree = ast.parse(Path(importlib.util.find_spec(name).origin).read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
                node.body = node.body[1:]
        found.update(ast.dump(tree).encode())
    return found.hexdigest()


def key(recipe, dataset, modules=None):
    """Hash of the settings, the data, the code of `modules` (by default, of training) and the version of torch."""
    if modules is None:
        modules = TRAINING if recipe.schemes or recipe.activations else FLOAT
        modules += PRUNING if recipe.pruning is not None else ()
    decides = [dataclasses.asdict(recipe), dataset.digest, code_hash(modules), torch.__version__]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]


def slug(recipe):
    """A name for files of `recipe`, for a reader; `key` makes it unique."""
    return recipe.title.replace(" ", "-")


def store(path, result):
    """Write the weights and the history of `result`."""
    state = {name: x.contiguous() for name, x in result.model.state_dict().items()}
    about = {"epoch": result.epoch, "held_out": result.held_out, "history": result.history}
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={METADATA: json.dumps(about)})


def fetch(path, recipe):
    """What `store` wrote to `path`, or None if that is not there or not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[METADATA])
            state = {name: file.get_tensor(name) for name in file.keys()}
        with torch.random.fork_rng(devices=[]):  # a new model draws initial weights
            model = recipe.model()
        model.load_state_dict(state)
        if recipe.relu_threshold:
            thresholded(model, recipe.relu_threshold)
        return Trained(model.eval(), **about)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError, RuntimeError):
        return None


def files(recipe, dataset, build):
    """(name, file of the network of `recipe`, file of its checkpoint while it is trained)."""
    name = f"{slug(recipe)}-{key(recipe, dataset)}"
    return name, Path(build) / f"{name}.weights.safetensors", Path(build) / f"{name}.checkpoint"


def started(recipe, dataset, build=BUILD):
    """Whether the network of `recipe`, or a part of its training, is in the cache."""
    return any(path.exists() for path in files(recipe, dataset, build)[1:])


def missing(here):
    """Whether any process misses a file: all have looked for it by then, and all train, or none."""
    return total([here])[0] > 0


def trained(recipe, dataset, *, build=BUILD, progress=True):
    """The `Trained` of `recipe`, from the cache or trained now, with all that it starts from and learns from.

    A run that was interrupted goes on from its last checkpoint, in `build`.

    Raises
    ------
    InputError
        If training fails, or the cache cannot be written.
    """
    part(recipe.batch)  # refused before all that it starts from is trained
    name, path, interrupted = files(recipe, dataset, build)
    found = fetch(path, recipe)
    if missing(found is None):

        def state(other):
            return None if other is None else trained(other, dataset, build=build, progress=progress).model.state_dict()

        joint = recipe.distillation is not None and recipe.distillation.scheme == "A"
        checkpoint = Checkpoint(interrupted, name, recipe.title)
        teacher = None if joint else state(recipe.teacher)
        found = train(recipe, dataset, state(recipe.start), teacher, checkpoint=checkpoint, progress=progress)
        if first():
            store(path, found)
            checkpoint.remove()
        wait()
    return found


def remembered(model, name, decides, modules, build, work):
    """`model` in evaluation mode, in the state that ``work(checkpoint)`` brings it to, which is done once and kept.

    Parameters
    ----------
    name : str
        Of the files, for a reader.
    decides : JSON values
        All that the state depends on, beside the code of `modules` and the version of torch.
    work : callable
        Trains `model` where it is, with a `Checkpoint` from which that goes on.
    """
    decides = [decides, code_hash(modules), torch.__version__]
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    path = Path(build) / f"{name}-{digest}.safetensors"
    try:
        model.load_state_dict(load_file(path))
        here = True
    except (OSError, SafetensorError, RuntimeError):
        here = False
    if missing(not here):
        checkpoint = Checkpoint(path.with_suffix(".checkpoint"), digest, name)
        work(checkpoint)
        if first():
            with replacing(path) as temporary:
                save_file({key: x.contiguous() for key, x in model.state_dict().items()}, temporary)
            checkpoint.remove()
        wait()
    return model.eval()
