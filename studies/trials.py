"""Trials: networks that are trained and judged, each kept by all that decides it, two at a time."""

import dataclasses
import json
import time
from pathlib import Path

import torch

from golden.errors import replacing
from golden.layer_tables import topology
from quant import cache
from quant.cache import key, trained
from quant.evaluate import compare, right
from quant.export import export
from quant.results import EVALUATION
from quant.run import correct
from quant.schemes import schemes
from quant.settings import Recipe
from studies import counts
from studies.progress import minutely
from studies.samples import Data
from studies.workers import workers

__all__ = ["AGREED", "Trial", "builds_on", "measured", "network", "run", "started"]

COMPARED = 100  # test images of which golden and torch must agree on every integer
COUNTED = 100  # held-out images whose zeros are counted
AGREED = f"Golden and torch agree on every integer of {COMPARED} test images of each network of integers."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trial:
    """A network to be trained and judged.

    Parameters
    ----------
    row : str
        What it counts for in a table; trials of a row differ in their seed.
    recipe : Recipe
    data : Data
    """

    row: str
    recipe: Recipe
    data: Data

    CODE = (*EVALUATION, "studies.counts", "studies.trials")  # modules that decide its figures

    def made(self, dataset, build):
        """(a `Trained`, more figures of it)."""
        with minutely():
            return trained(self.recipe, dataset, build=build), {}


def network(data, name, seed, *, weights="float", activations="", sizes=None, **settings):
    """The `Recipe` of a network for images of `data`.

    Parameters
    ----------
    weights, activations : str
        As `quant.schemes` reads them.
    sizes : dict, optional
        Of `Data.network`.
    settings
        Of `Recipe`.
    """
    text = data.network(name, **(sizes or {}))
    chosen = schemes(weights, topology(text))
    return Recipe(network=text, schemes=chosen, activations=activations, seed=seed, **settings)


def few(split):
    """The first images of `split`, at most `COUNTED`."""
    return split.images[torch.arange(min(COUNTED, len(split)))]


def judged(model, dataset):
    """Test accuracy, by golden's integers if the network has them and else by torch; test images are read here alone.

    Raises
    ------
    RuntimeError
        If torch and golden disagree on any integer.
    """
    test = dataset.test
    if not model.quantised:
        return {"by": "torch", "test": correct(model, test) / len(test)}
    network = export(model)
    comparison = compare(model, network, test.images[:COMPARED])
    if not comparison.equal:
        raise RuntimeError(f"torch and golden differ in {comparison.differing} of {comparison.compared} integers")
    return {"by": "golden", "test": right(network, test) / len(test)}


def measured(trial, build):
    """The figures of a trial, JSON values, from the cache or measured now, and a line that says what they are."""
    began, dataset = time.perf_counter(), trial.data.load()
    path = Path(build) / "trials" / f"{key(trial.recipe, dataset, trial.CODE)}.json"
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        run, more = trial.made(dataset, build)
        found = {"title": trial.recipe.title, "epochs": trial.recipe.epochs, "epoch": run.epoch}
        found |= {"held_out": run.held_out, "history": run.history}
        found |= counts.weights(run.model) | {"widths": counts.widths(run.model)}
        found |= counts.products(run.model, few(dataset.held_out))
        found |= more | judged(run.model, dataset)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n")
    what = f"{trial.row}, seed {trial.recipe.seed}: test {found['test']:.2%} by {found['by']}"
    print(f"{what}, {time.perf_counter() - began:.0f} s", flush=True)
    return found


def builds_on(recipe):
    """The recipes whose networks must be there before, with the depth of each: {recipe: runs that come before it}."""
    found = {}
    joint = recipe.distillation is not None and recipe.distillation.scheme == "A"
    for other in (recipe.start, None if joint else recipe.teacher):
        if other is not None:
            before = builds_on(other)
            found |= before | {other: max(before.values(), default=-1) + 1}
    return found


def prepare(job, build):
    """Train what others build on."""
    recipe, data = job
    began = time.perf_counter()
    with minutely():
        held_out = trained(recipe, data.load(), build=build).held_out
    print(f"{recipe.title}: held-out {held_out:.2%}, {time.perf_counter() - began:.0f} s", flush=True)


def started(trials, build):
    """(networks of `trials` that are trained already, or in part, networks of all)."""
    networks = {(recipe, trial.data) for trial in trials for recipe in (trial.recipe, *builds_on(trial.recipe))}
    return sum(cache.started(recipe, data.load(), build) for recipe, data in networks), len(networks)


def run(trials, build):
    """{row: {seed: figures}} of `trials`, in `workers`; what several build on is trained first, once."""
    waves = {}
    for trial in trials:
        for recipe, depth in builds_on(trial.recipe).items():
            waves.setdefault(depth, {})[recipe, trial.data] = None
    found = {}
    with workers() as work_on:
        for depth in sorted(waves):
            work_on(prepare, list(waves[depth]), build)
        for trial, figures in zip(trials, work_on(measured, trials, build), strict=True):
            found.setdefault(trial.row, {})[trial.recipe.seed] = figures
    return found
