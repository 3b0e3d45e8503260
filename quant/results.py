"""From a recipe to figures: trained, exported, run by golden on the test images, all cached."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from golden import artefact
from golden.errors import replacing
from golden.network import Network
from quant.cache import BUILD, TRAINING, key, slug, trained
from quant.data import mnist
from quant.evaluate import compare, right
from quant.export import export
from quant.models import Classifier
from quant.run import correct
from quant.settings import Recipe
from quant.train import reproducible

__all__ = ["Result", "result"]

EVALUATION = (
    *TRAINING,
    *(f"golden.{name}" for name in ("builder", "conv", "elementwise", "gemm", "graph", "network")),
    *(f"golden.{name}" for name in ("operation", "operations", "pool", "window")),
    *(f"quant.{name}" for name in ("evaluate", "export", "results")),
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A trained network and what it reaches.

    Parameters
    ----------
    recipe : Recipe
    model : Classifier
        Torch, in evaluation mode.
    network : Network or None
        Golden's; None for a float network.
    artefact : Path or None
        Where `network` is saved.
    figures : dict
        JSON values. ``test`` is the test accuracy: golden's for a quantised network, torch's for a float one;
        ``held_out`` that on the held-out images, ``epoch`` the one chosen there. ``compared`` counts the integers of
        each layer that torch and golden agree on.
    """

    recipe: Recipe
    model: Classifier
    network: Network | None
    artefact: Path | None
    figures: dict


def result(recipe, dataset=None, *, build=BUILD, progress=True):
    """The `Result` of `recipe` on `dataset` (MNIST by default); what is cached is not computed again.

    Test images are read here alone, once, after every choice has been made.

    Raises
    ------
    InputError
        If the data are missing, training fails, or a file cannot be written.
    RuntimeError
        If torch and golden disagree on any integer.
    """
    dataset = mnist() if dataset is None else dataset
    run = trained(recipe, dataset, build=build, progress=progress)
    base = f"{slug(recipe)}-{key(recipe, dataset, EVALUATION)}"
    network = path = None
    if run.model.quantised:
        info = {"name": recipe.network, "schemes": list(recipe.schemes), "activations": recipe.activations}
        info |= {"seed": recipe.seed, "epochs": recipe.epochs}
        network = export(run.model, info | {"held_out": run.held_out})
        path = Path(build) / f"{base}.artefact.safetensors"
        artefact.save(path, network)
    return Result(
        recipe=recipe,
        model=run.model,
        network=network,
        artefact=path,
        figures=figures(Path(build) / f"{base}.json", recipe, run, network, dataset, progress),
    )


def figures(path, recipe, run, network, dataset, progress):
    """The figures of `run`, read from `path` if they are of the same weights, or measured and written there."""
    weights = hashlib.sha256()
    for name, tensor in sorted(run.model.state_dict().items()):
        weights.update(name.encode() + tensor.contiguous().numpy().tobytes())
    try:
        found = json.loads(path.read_text())
        if found["weights_sha256"] == weights.hexdigest():
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    test = dataset.test
    found = {
        "title": recipe.title,
        "weights_sha256": weights.hexdigest(),
        "epochs": recipe.epochs,
        "epoch": run.epoch,
        "held_out": run.held_out,
    }
    found |= {"history": run.history, "images": len(test)}
    if network is None:
        with reproducible(recipe.seed):
            found["test"] = correct(run.model, test) / len(test)
    else:
        if progress:
            print(f"{recipe.title}: golden on {len(test):,} test images", flush=True)
        began = time.perf_counter()
        found["test"] = right(network, test) / len(test)
        found["golden_images_per_second"] = round(len(test) / (time.perf_counter() - began))
        comparison = compare(run.model, network, test.images, progress=progress)
        if not comparison.equal:
            raise RuntimeError(f"torch and golden differ in {comparison.differing} of {comparison.compared} integers")
        found["compared"] = comparison.compared
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return found
