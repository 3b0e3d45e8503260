"""Fine-tuning of a quantised network, with full-precision shadow weights."""

import copy
import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from golden.errors import InputError, replacing
from quant.cache import LOOP, code_hash
from quant.checkpoint import Checkpoint
from quant.scores import SIMULATION, digest, spelled
from quant.simulated import WEIGHTS, Simulated
from quant.run import correct
from quant.settings import Settings
from quant.train import fit, reproducible

__all__ = ["OUTPUTS", "Tuned", "Tuning", "tune"]

OUTPUTS = ("float", "quantised")
CODE = (*SIMULATION, "golden.rounding", *LOOP, "quant.tune")
METADATA = "narrowgate-tuning"


@dataclass(frozen=True, kw_only=True)
class Tuning(Settings):
    """How a network is tuned; see `quant.settings.Settings` for the rest.

    Parameters
    ----------
    epochs : int
        0 for none.
    rate : float
        Ristretto's is a tenth of the last rate of training in full precision.
    weights : str
        How they are rounded while tuning: "stochastic", as Ristretto does, or "nearest", as hardware has them then.
    outputs : str
        "float" while tuning, as Ristretto has them, or "quantised", with a gradient of 1 where they do not saturate.
    seed : int
        Of the order of the images, their shifts and the rounding.
    """

    epochs: int = 2
    batch: int = 100
    rate: float = 3e-4
    rule: str = "adam"
    weights: str = "stochastic"
    outputs: str = "float"
    seed: int = 0

    def __post_init__(self):
        super().__post_init__()
        if self.weights not in WEIGHTS:
            raise InputError(f"weights while tuning must be {' or '.join(WEIGHTS)}, not {self.weights!r}")
        if self.outputs not in OUTPUTS:
            raise InputError(f"outputs while tuning must be {' or '.join(OUTPUTS)}, not {self.outputs!r}")
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, not {self.seed}")


@dataclass(frozen=True)
class Tuned:
    """A graph with tuned weights and how it came about.

    Parameters
    ----------
    graph : Graph
        Of the best epoch; weights in full precision.
    epoch : int
        The best on held-out images, the later of equal ones; 0 if no epoch was as good as none.
    held_out : float
        Accuracy there, with weights rounded to nearest and outputs quantised.
    before : float
        That before tuning.
    history : list of dict
        Mean loss and held-out accuracy of each epoch.
    """

    graph: object
    epoch: int
    held_out: float
    before: float
    history: list


def tune(graph, assignment, dataset, settings, *, build=None, title="tuning", progress=True):
    """`graph` tuned on ``dataset.train`` for the formats of `assignment`: a `Tuned`.

    In each step the shadow weights are rounded, ``q(w)``, stochastically, and the layer outputs of forward and backward
    pass are float, unless `settings` say otherwise, which is beyond the paper; the gradient with respect to ``q(w)`` moves
    w, by Adam. The epoch is chosen on ``dataset.held_out`` by what the hardware does: weights rounded to nearest, outputs
    quantised.

    Parameters
    ----------
    settings : Tuning
    build : Path, optional
        Folder where tuned weights are kept and found again, and from which an interrupted run goes on.

    Raises
    ------
    InputError
        If there are too few images for a batch, or the loss is no longer finite.

    Source: Gysel, Ristretto, sections 2.6.3 and 9.3.
    """
    if build is None:
        return run(graph, assignment, dataset, settings, title, None, progress)
    digest = key(graph, assignment, dataset, settings)
    path = Path(build) / f"tuned-{digest}.safetensors"
    found = fetch(path, graph)
    if found is None:
        checkpoint = Checkpoint(path.with_suffix(".checkpoint"), digest, title)
        found = run(graph, assignment, dataset, settings, title, checkpoint, progress)
        store(path, found)
        checkpoint.remove()
    return found


def run(graph, assignment, dataset, settings, title, checkpoint, progress):
    """`tune` without the cache."""
    with reproducible(settings.seed) as generator:
        model = Simulated(
            graph, assignment, weights=settings.weights, outputs=settings.outputs == "quantised", seed=settings.seed
        )
        before = correct(model, dataset.held_out) / len(dataset.held_out)
        if settings.epochs == 0:
            return Tuned(graph, 0, before, before, [])
        trained = fit(model, dataset, settings, generator, title, checkpoint=checkpoint, progress=progress)
    if trained.held_out < before:
        return Tuned(graph, 0, before, before, trained.history)
    return Tuned(model.graph(), trained.epoch, trained.held_out, before, trained.history)


def key(graph, assignment, dataset, settings):
    """Hash of all that decides the tuned weights."""
    decides = [digest(graph), spelled(assignment), dataset.digest, len(dataset.train), len(dataset.held_out)]
    decides += [dataclasses.asdict(settings), code_hash(CODE), torch.__version__]
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def store(path, tuned):
    """Write the weights of `tuned` and its history."""
    state = {}
    for op in tuned.graph.ops:
        for role in ("weight", "bias"):
            if (x := getattr(op, role)) is not None:
                state[f"{op.name}.{role}"] = x.detach().contiguous().clone()
    about = {name: getattr(tuned, name) for name in ("epoch", "held_out", "before", "history")}
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={METADATA: json.dumps(about)})


def fetch(path, graph):
    """What `store` wrote to `path`, or None if that is not there or not whole."""
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[METADATA])
            found = copy.deepcopy(graph)
            for op in found.ops:
                for role in ("weight", "bias"):
                    if getattr(op, role) is not None:
                        setattr(op, role, file.get_tensor(f"{op.name}.{role}"))
        return Tuned(found, **about)
    except (OSError, SafetensorError, KeyError, ValueError, TypeError):
        return None
