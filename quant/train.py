"""The one training loop, for float and quantised networks alike."""

import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch.nn import functional
from tqdm import tqdm

from golden.errors import InputError
from quant.data import shifted
from quant.models import Classifier, network_layers

__all__ = ["RULES", "Recipe", "Rule", "Settings", "Trained", "correct", "fit", "reproducible", "train"]

THREADS = 2
EVALUATION_BATCH = 1000
CALIBRATION_BATCHES = 10


def cosine(step, steps):
    """A linear rise over a tenth of the steps, then half a cosine to 0."""
    warm = max(1, steps // 10)
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2


def inverse(step, steps):
    """``(1 + 1e-4 step)**-0.75``: Caffe's policy "inv", as its LeNet uses it."""
    return (1 + 1e-4 * step) ** -0.75


def constant(step, steps):
    """1."""
    return 1.0


@dataclass(frozen=True)
class Rule:
    """How weights follow gradients.

    Parameters
    ----------
    optimiser : callable
        (parameters, learning rate, weight decay) → torch optimiser.
    schedule : callable
        (step, steps) → factor of the learning rate.
    """

    optimiser: Callable
    schedule: Callable


RULES = {
    "adamw": Rule(lambda p, rate, decay: torch.optim.AdamW(p, lr=rate, weight_decay=decay, fused=True), cosine),
    # of Caffe's LeNet solver; its doubled rate of the biases is left out
    "sgd": Rule(lambda p, rate, decay: torch.optim.SGD(p, lr=rate, momentum=0.9, weight_decay=decay), inverse),
    "adam": Rule(lambda p, rate, decay: torch.optim.Adam(p, lr=rate, weight_decay=decay, fused=True), constant),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a run of the training loop, beside model, data and seed.

    Parameters
    ----------
    epochs : int
    batch : int
        Images in a step; a last partial batch is left out.
    rate : float
        Learning rate, by which the schedule of the rule is multiplied.
    decay : float
        Weight decay.
    shift : int
        Images are moved by up to this many pixels, at random.
    rule : str
        A row of `RULES`.
    """

    epochs: int = 1
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.0
    shift: int = 0
    rule: str = "adamw"

    def __post_init__(self):
        for what, least in (("epochs", 0), ("batch", 1), ("shift", 0)):
            if getattr(self, what) < least:
                raise InputError(f"{what} must be at least {least}, not {getattr(self, what)}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"rate must be positive, not {self.rate}")
        if self.rule not in RULES:
            raise InputError(f"rule must be one of {', '.join(RULES)}, not {self.rule!r}")


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
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
    start : Recipe, optional
        The run whose best weights this one starts from.
    """

    network: str
    schemes: tuple[str, ...] = ()
    seed: int = 0
    start: "Recipe | None" = None

    def __post_init__(self):
        network_layers(self.network)
        super().__post_init__()
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, not {self.seed}")
        if self.epochs == 0 and self.start is None:
            raise InputError("epochs must be at least 1 for a network that starts from nothing")

    @property
    def title(self):
        """Network, weights, rule if it is not the usual, and seed in a few words."""
        kinds = dict.fromkeys(self.schemes or ("float",))
        rule = "" if self.rule == "adamw" else f" {self.rule}"
        return f"{self.network} {'+'.join(kinds)}{rule} seed {self.seed}"

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


def fit(model, dataset, settings, generator, title, *, progress=True):
    """Train `model` as `settings` say on ``dataset.train``, choosing the epoch on ``dataset.held_out``: a `Trained`.

    Parameters
    ----------
    model : torch.nn.Module
        From uint8 images to logits.
    generator : torch.Generator
        Of the order of the images and of their shifts.
    title : str
        For the bar and for messages.
    progress : bool
        Whether to show a bar and a line an epoch.

    Raises
    ------
    InputError
        If there are fewer images than a batch, or the loss is no longer finite.
    """
    images, labels = dataset.train.images, dataset.train.labels
    per_epoch = len(dataset.train) // settings.batch
    if per_epoch == 0:
        raise InputError(f"{len(dataset.train)} training images do not fill a batch of {settings.batch}")
    rule = RULES[settings.rule]
    optimiser = rule.optimiser(model.parameters(), settings.rate, settings.decay)
    trained, steps, step, best = Trained(model), settings.epochs * per_epoch, 0, None
    with tqdm(total=steps, desc=title, unit="step", disable=not progress, mininterval=1) as bar:
        for epoch in range(1, settings.epochs + 1):
            model.train()
            total = 0.0
            order = torch.randperm(len(images), generator=generator)[: per_epoch * settings.batch]
            for index in order.split(settings.batch):
                for group in optimiser.param_groups:
                    group["lr"] = settings.rate * rule.schedule(step, steps)
                x = shifted(images[index], settings.shift, generator)
                loss = functional.cross_entropy(model(x), labels[index])
                if not math.isfinite(value := loss.item()):
                    raise InputError(f"training of {title} diverged: loss {value} at step {step}, epoch {epoch}")
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
                total, step = total + value, step + 1
                bar.update()
            held_out = correct(model, dataset.held_out) / len(dataset.held_out)
            trained.history.append({"epoch": epoch, "loss": total / per_epoch, "held_out": held_out})
            if held_out >= trained.held_out:
                trained.epoch, trained.held_out, best = epoch, held_out, copy.deepcopy(model.state_dict())
            if progress:
                bar.write(
                    f"{title}: epoch {epoch}/{settings.epochs}  loss {total / per_epoch:.4f}  held-out {held_out:.2%}"
                )
    model.load_state_dict(best)
    model.eval()
    return trained


def train(recipe, dataset, start=None, *, progress=True):
    """Train what `recipe` says; see `fit`.

    Parameters
    ----------
    start : mapping, optional
        The state of the model that ``recipe.start`` gave; what it lacks is left as it was made.

    Raises
    ------
    InputError
        As of `fit`.
    """
    with reproducible(recipe.seed) as generator:
        model = recipe.model()
        if start is not None:
            model.load_state_dict(start, strict=False)
        if recipe.epochs:
            return fit(model, dataset, recipe, generator, recipe.title, progress=progress)
        images = dataset.train.images
        order = torch.randperm(len(images), generator=generator)[: CALIBRATION_BATCHES * EVALUATION_BATCH]
        calibrate(model, images[order])
        return Trained(model, held_out=correct(model, dataset.held_out) / len(dataset.held_out))
