"""What decides a training run: settings of the loop, which recipes combine, and the run of one network."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch

from golden.errors import InputError
from golden.layer_tables import topology
from golden.topology import INPUT
from quant.models import Classifier
from quant.schemes import EDGES, FLOAT, activation_schemes, weight_quantiser

__all__ = ["RULES", "SCHEMES", "Distillation", "Recipe", "Rule", "Settings"]


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


def momentum(parameters, rate, decay):
    """Stochastic gradient descent with momentum 0.9."""
    return torch.optim.SGD(parameters, lr=rate, momentum=0.9, weight_decay=decay)


RULES = {
    "adamw": Rule(lambda p, rate, decay: torch.optim.AdamW(p, lr=rate, weight_decay=decay, fused=True), cosine),
    # of Caffe's LeNet solver; its doubled rate of the biases is left out
    "sgd": Rule(momentum, inverse),
    "adam": Rule(lambda p, rate, decay: torch.optim.Adam(p, lr=rate, weight_decay=decay, fused=True), constant),
    "momentum": Rule(momentum, constant),  # for rates that are cut when training stalls
}

SCHEMES = {  # of Apprentice: what becomes of the teacher, and what the student starts from
    "A": "teacher and student are trained together, from nothing",
    "B": "a trained teacher stays as it is; the student starts from nothing",
    "C": "a trained teacher stays as it is; the student starts from trained weights in full precision",
}


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """How a student learns from a teacher: ``alpha H(y, p_T) + beta H(y, p_S) + gamma T^2 H(z_T / T, p_S)``.

    H is the cross-entropy, y the label, p_T and p_S the probabilities of teacher and student, in the last term of
    logits over T, z_T the teacher's logits, of which that term takes the softmax and through which no gradient passes.
    A teacher that stays as it is has no first term.

    Parameters
    ----------
    scheme : str
        A row of `SCHEMES`.
    alpha, beta, gamma : float
        At least 0.
    temperature : float
        T, above 0.

    Source: Mishra and Marr, Apprentice, arXiv:1711.05852; T^2 as in Hinton, Vinyals and Dean, arXiv:1503.02531.
    """

    scheme: str = "B"
    alpha: float = 1.0
    beta: float = 0.5
    gamma: float = 0.5
    temperature: float = 1.0

    def __post_init__(self):
        if self.scheme not in SCHEMES:
            raise InputError(f"scheme of a distillation must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        for what in ("alpha", "beta", "gamma"):
            if not 0 <= getattr(self, what) < math.inf:
                raise InputError(f"{what} must be at least 0, not {getattr(self, what)}")
        if not 0 < self.temperature < math.inf:
            raise InputError(f"temperature must be positive, not {self.temperature}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a run of the training loop, beside model, data and seed.

    Parameters
    ----------
    epochs : int
    batch : int
        Images in a step, of all processes; a last partial batch is left out.
    rate : float
        Learning rate, by which the schedule of the rule is multiplied.
    decay : float
        Weight decay.
    shift : int
        Images are moved by up to this many pixels, at random.
    flip : bool
        Half of the images, at random, are mirrored left to right.
    rule : str
        A row of `RULES`.
    activity : float
        Weight of the regularisation of activations, at least 0; see `quant.losses`.
    errors_only : bool
        Images that the network puts in their class have no error; a batch of such images alone makes no step.
    relu_threshold : float
        In the last `threshold_epochs`, and from then on, rectifiers pass what is above it and nothing else.
    threshold_epochs : int
        1 to `epochs` with a threshold, 0 without.
    patience : int
        Epochs without a new least training error behind which the rate is multiplied by `cut`; 0 for never.
    cut : float
        Above 0 and below 1.
    distillation : Distillation, optional
        With a teacher, which is trained or untrained as its scheme says.

    Source, from `activity` to `cut`: Venkatesh, Nurvitadhi and Marr, Accelerating Deep Convolutional Networks Using
    Low-Precision and Sparsity, sections 2.3 and 4.1.
    """

    epochs: int = 1
    batch: int = 128
    rate: float = 1e-3
    decay: float = 0.0
    shift: int = 0
    flip: bool = False
    rule: str = "adamw"
    activity: float = 0.0
    errors_only: bool = False
    relu_threshold: float = 0.0
    threshold_epochs: int = 0
    patience: int = 0
    cut: float = 0.1
    distillation: Distillation | None = None

    def __post_init__(self):
        for what, least in (("epochs", 0), ("batch", 1), ("shift", 0), ("threshold_epochs", 0), ("patience", 0)):
            if getattr(self, what) < least:
                raise InputError(f"{what} must be at least {least}, not {getattr(self, what)}")
        for what in ("decay", "activity", "relu_threshold"):
            if not 0 <= getattr(self, what) < math.inf:
                raise InputError(f"{what} must be at least 0, not {getattr(self, what)}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise InputError(f"rate must be positive, not {self.rate}")
        if not 0 < self.cut < 1:
            raise InputError(f"cut must be above 0 and below 1, not {self.cut}")
        if self.rule not in RULES:
            raise InputError(f"rule must be one of {', '.join(RULES)}, not {self.rule!r}")
        if self.threshold_epochs > self.epochs or (self.relu_threshold > 0) != (self.threshold_epochs > 0):
            allowed = f"1 to {self.epochs}" if self.relu_threshold > 0 else "0 without a relu_threshold"
            raise InputError(f"threshold_epochs must be {allowed}, not {self.threshold_epochs}")
        if self.errors_only and self.distillation is not None and self.distillation.scheme == "A":
            raise InputError("errors_only must be off in scheme A, whose teacher makes errors of its own, not on")

    @classmethod
    def names(cls):
        """The names of all settings."""
        return tuple(field.name for field in fields(cls))


@dataclass(frozen=True, kw_only=True)
class Recipe(Settings):
    """Everything that decides a training run, beside the data and the code.

    Parameters
    ----------
    network : str
        As `golden.layer_tables.topology` reads it.
    schemes : tuple of str
        Weight scheme of each layer, () for float.
    activations : str
        As `quant.schemes.activation_schemes` reads it; "" for 8 bits, or floats where weights are.
    seed : int
    epochs : int
        0 only calibrates the activation quantisers, on ten batches.
    start : Recipe, optional
        The run whose best weights this one starts from.
    teacher : Recipe, optional
        The run whose network teaches; of scheme A the model alone counts.
    pruning : quant.pruning.Pruning, optional
        What is pruned before each round of training; `start` is what is pruned.
    method : str
        What a reader calls the settings; "" for the usual.
    """

    network: str
    schemes: tuple[str, ...] = ()
    activations: str = ""
    seed: int = 0
    start: "Recipe | None" = None
    teacher: "Recipe | None" = None
    pruning: object = None
    method: str = ""

    def __post_init__(self):
        net = topology(self.network)
        if self.activations:
            activation_schemes(self.activations, net)
        super().__post_init__()
        if not 0 <= self.seed < 1 << 63:
            raise InputError(f"seed must be 0 to 2^63 - 1, not {self.seed}")
        if self.epochs == 0 and self.start is None:
            raise InputError("epochs must be at least 1 for a network that starts from nothing")
        if self.start is not None and self.start.network != self.network:
            raise InputError(f"start must be a run of {self.network}, not of {self.start.network}")
        if (self.teacher is None) != (self.distillation is None):
            raise InputError("a teacher and a distillation must come together, not one without the other")
        if self.distillation is not None and (self.distillation.scheme == "C") != (self.start is not None):
            what = "trained weights" if self.distillation.scheme == "C" else "nothing"
            raise InputError(f"the student of scheme {self.distillation.scheme} must start from {what}")
        if self.pruning is not None and (self.start is None or self.epochs == 0):
            raise InputError("pruning needs a trained network to start from, and at least 1 epoch behind it")
        if self.pruning is not None:
            for row, scheme in zip(net.rows, self.schemes, strict=False):
                if scheme != FLOAT and weight_quantiser(scheme, row).format.nearest(np.zeros(1))[0] != 0:
                    raise InputError(f"pruning needs weights that can be 0; {scheme}, of layer {row.name}, has no 0")
        if self.pruning is not None and self.pruning.method == "energy" and self.schemes:
            raise InputError("energy-aware pruning needs float weights, which it refits; quantise what it has pruned")
        if self.quantised and self.relu_threshold:
            raise InputError(f"relu_threshold of a network of integers must be 0, not {self.relu_threshold}")
        if self.quantised and (grouped := [row for row in net.rows if row.groups > 1]):
            what = f"layer {grouped[0].name} of {self.network} has {grouped[0].groups} groups"
            raise InputError(f"{what}; golden's convolutions, those of networks of integers, have 1")

    @property
    def quantised(self):
        """Whether all weights and activations have schemes, so that the network is one of integers."""
        activations = activation_schemes(self.activations or EDGES, topology(self.network))
        named = [*self.schemes, *(scheme for name, scheme in activations.items() if name != INPUT)]
        return bool(self.schemes) and FLOAT not in named

    @property
    def title(self):
        """Network, weights, method and rule if they are not the usual, and seed in a few words."""
        kinds = dict.fromkeys(self.schemes or ("float",))
        rule = "" if self.rule == "adamw" else f" {self.rule}"
        method = f" {self.method}" if self.method else ""
        activations = f" on {self.activations}" if self.activations else ""
        return f"{self.network} {'+'.join(kinds)}{activations}{method}{rule} seed {self.seed}"

    def model(self):
        """An untrained model; its initial weights come from torch's global generator."""
        model = Classifier(topology(self.network), self.schemes, self.activations or None)
        return model.to(memory_format=torch.channels_last)
