"""The one training loop, for float and quantised networks alike."""

import contextlib
import copy
import math
from dataclasses import dataclass, field

import torch
from torch.nn import functional
from tqdm import tqdm

from golden.errors import InputError
from quant.data import shifted
from quant.models import Classifier, network_layers

__all__ = ["Recipe", "Trained", "correct", "reproducible", "train"]

THREADS = 2
EVALUATION_BATCH = 1000
CALIBRATION_BATCHES = 10


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a training run, beside the data and the code.

    Parameters
    ----------
    network : str
        A row of `NETWORKS`.
    schemes : tuple of str
        Weight scheme of each layer, () for float.
    seed : int
    epochs : int
        0 only calibrates the activation quantisers, on ten batches.
    batch : int
        Images in a step; a last partial batch is left out.
    rate : float
        Greatest learning rate of Adam; it rises over the first tenth of the steps and falls as a cosine to 0.
    decay : float
        Weight decay, decoupled (AdamW).
    shift : int
        Images are moved by up to this many pixels, at random.
    start : Recipe, optional
        The run whose best weights this one starts from.
    """

    network: str
    schemes: tuple[str, ...] = ()
    seed: int = 0
    epochs: int = 1
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.0
    shift: int = 0
    start: "Recipe | None" = None

    def __post_init__(self):
        network_layers(self.network)
        for what, least in (("seed", 0), ("epochs", 0), ("batch", 1), ("shift", 0)):
            if getattr(self, what) < least:
                raise InputError(f"{what} must be at least {least}, not {getattr(self, what)}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"rate must be positive, not {self.rate}")
        if self.epochs == 0 and self.start is None:
            raise InputError("epochs must be at least 1 for a network that starts from nothing")

    @property
    def title(self):
        """Network, weights and seed in a few words."""
        kinds = dict.fromkeys(self.schemes or ("float",))
        return f"{self.network} {'+'.join(kinds)} seed {self.seed}"

    def model(self):
        """An untrained model; its initial weights come from torch's global generator."""
        return Classifier(network_layers(self.network), self.schemes).to(memory_format=torch.channels_last)


@dataclass
class Trained:
    """A model in evaluation mode, and how it came about.

    Parameters
    ----------
    model : Classifier
        With the weights of the best epoch.
    epoch : int
        The best on held-out images, the later of equal ones, counted from 1; 0 if nothing was trained.
    held_out : float
        Its accuracy there.
    history : list of dict
        Mean loss and held-out accuracy of each epoch.
    """

    model: Classifier
    epoch: int = 0
    held_out: float = 0.0
    history: list = field(default_factory=list)


@contextlib.contextmanager
def reproducible(seed):
    """Fixed seed, deterministic algorithms and at most two threads, inside the block."""
    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(min(threads, THREADS))
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(threads)


@torch.no_grad()
def correct(model, split):
    """Images of `split` that `model`, in evaluation mode, puts in their class; ties go to the lowest class."""
    model.eval()
    batches = zip(split.images.split(EVALUATION_BATCH), split.labels.split(EVALUATION_BATCH), strict=True)
    return sum(int((model(images).argmax(1) == labels).sum()) for images, labels in batches)


def schedule(recipe, step, steps):
    """Learning rate of `step`: a linear rise over a tenth of the steps, then half a cosine."""
    warm = max(1, steps // 10)
    if step < warm:
        return recipe.rate * (step + 1) / warm
    return recipe.rate * (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


@torch.no_grad()
def calibrate(model, images):
    """Let the activation quantisers see `images`, and change nothing else."""
    model.train()
    for stage in model.stages:
        if stage.norm is not None:
            stage.norm.eval()
    for batch in images.split(EVALUATION_BATCH):
        model(batch)
    model.eval()


def train(recipe, dataset, start=None, *, progress=True):
    """Train what `recipe` says on ``dataset.train``, choosing the epoch on ``dataset.held_out``.

    Parameters
    ----------
    start : mapping, optional
        The state of the model that ``recipe.start`` gave; what it lacks is left as it was made.
    progress : bool
        Whether to show a bar and a line an epoch.

    Raises
    ------
    InputError
        If there are fewer images than a batch, or the loss is no longer finite.
    """
    images, labels = dataset.train.images, dataset.train.labels
    per_epoch = len(dataset.train) // recipe.batch
    if per_epoch == 0:
        raise InputError(f"{len(dataset.train)} training images do not fill a batch of {recipe.batch}")
    with reproducible(recipe.seed) as generator:
        model = recipe.model()
        if start is not None:
            model.load_state_dict(start, strict=False)
        trained = Trained(model)
        if recipe.epochs == 0:
            order = torch.randperm(len(images), generator=generator)[: CALIBRATION_BATCHES * EVALUATION_BATCH]
            calibrate(model, images[order])
            trained.held_out = correct(model, dataset.held_out) / len(dataset.held_out)
            return trained
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.decay, fused=True)
        steps, step, best = recipe.epochs * per_epoch, 0, None
        with tqdm(total=steps, desc=recipe.title, unit="step", disable=not progress, mininterval=1) as bar:
            for epoch in range(1, recipe.epochs + 1):
                model.train()
                total = 0.0
                order = torch.randperm(len(images), generator=generator)[: per_epoch * recipe.batch]
                for index in order.split(recipe.batch):
                    for group in optimizer.param_groups:
                        group["lr"] = schedule(recipe, step, steps)
                    x = shifted(images[index], recipe.shift, generator)
                    loss = functional.cross_entropy(model(x), labels[index])
                    if not math.isfinite(value := loss.item()):
                        raise InputError(
                            f"training of {recipe.title} diverged: loss {value} at step {step}, epoch {epoch}"
                        )
                    optimizer.zero_grad(set_to_none=True)
                    loss.backward()
                    optimizer.step()
                    total, step = total + value, step + 1
                    bar.update()
                held_out = correct(model, dataset.held_out) / len(dataset.held_out)
                trained.history.append({"epoch": epoch, "loss": total / per_epoch, "held_out": held_out})
                if held_out >= trained.held_out:
                    trained.epoch, trained.held_out, best = epoch, held_out, copy.deepcopy(model.state_dict())
                if progress:
                    bar.write(
                        f"{recipe.title}: epoch {epoch}/{recipe.epochs}  loss {total / per_epoch:.4f}  "
                        f"held-out {held_out:.2%}"
                    )
        model.load_state_dict(best)
        model.eval()
        return trained
