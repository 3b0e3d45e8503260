"""Pruning: some weights become 0, the others are trained on; in rounds, if asked."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from golden.errors import InputError
from quant import energy_aware
from quant.masks import largest, layers, masked
from quant.saliency import saliency
from quant.train import fit

__all__ = ["METHODS", "Pruning", "prune"]

IMAGES = 256  # of the training set, which energy-aware pruning looks at


def magnitudes(model, images, generator):
    """{name: magnitude of each weight}."""
    return {name: module.weight.detach().abs() for name, module in layers(model).items()}


def deviations(model, images, generator):
    """{name: magnitude of each weight over the standard deviation of its layer's, of those that are not 0}."""
    found = magnitudes(model, images, generator)
    return {name: w / layers(model)[name].weight.detach()[w > 0].std(correction=0) for name, w in found.items()}


def by(scores):
    """The selection that keeps what `scores`, (model, images, generator) → {name: tensor}, puts first."""

    def select(model, images, shares, masks, generator):
        found = scores(model, images, generator)
        found = {name: torch.where(masks[name] > 0, x, -1.0) if name in masks else x for name, x in found.items()}
        if "" in shares:
            flat = largest(torch.cat([x.flatten() for x in found.values()]), shares[""])
            parts = flat.split([x.numel() for x in found.values()])
            return {name: part.reshape(x.shape) for (name, x), part in zip(found.items(), parts, strict=True)}
        return {name: largest(found[name], share) for name, share in shares.items()}

    return select


METHODS: dict[str, Callable] = {  # (model, images, {layer: share that stays}, masks so far, generator) → masks
    "magnitude": by(magnitudes),
    "deviation": by(deviations),
    "obd": by(saliency),
    "energy": energy_aware.select,
}


@dataclass(frozen=True, kw_only=True)
class Pruning:
    """What is pruned, and how the rest is trained on.

    Parameters
    ----------
    method : str
        A row of `METHODS`: by "magnitude"; by magnitude over its layer's standard "deviation"; by what deleting a
        weight does to the loss ("obd", optimal brain damage); by "energy", see `quant.energy_aware`.
    kept : float or dict
        Share of the weights that stays, above 0 and up to 1: of each layer by its name, or of all; a layer that has
        none stays whole.
    quality : float
        Of "deviation": each layer keeps what is at least so many standard deviations, whatever `kept` says; 0 for none.
    across : bool
        Layers compete, and `kept` is one number of all: by the scores of single weights; by "energy", see
        `quant.energy_aware.allotted`.
    rounds : int
        After each, which keeps the same share of what was left, the weights are trained on.

    Sources: Han, Pool, Tran and Dally, Learning both Weights and Connections for Efficient Neural Networks, NIPS 2015;
    of the others, see `quant.saliency` and `quant.energy_aware`.
    """

    method: str = "magnitude"
    kept: float | dict = 0.1
    quality: float = 0.0
    across: bool = False
    rounds: int = 1

    def __post_init__(self):
        if self.method not in METHODS:
            raise InputError(f"method of pruning must be one of {', '.join(METHODS)}, not {self.method!r}")
        for name, share in self.kept.items() if isinstance(self.kept, dict) else (("all layers", self.kept),):
            if not 0 < share <= 1:
                raise InputError(f"kept of {name} must be above 0 and up to 1, not {share}")
        if not 0 <= self.quality < math.inf:
            raise InputError(f"quality must be at least 0, not {self.quality}")
        if self.quality and (self.method != "deviation" or self.across):
            raise InputError("quality needs the method deviation, without across")
        if self.rounds < 1:
            raise InputError(f"rounds must be at least 1, not {self.rounds}")
        if self.across and isinstance(self.kept, dict):
            raise InputError("across must be off for shares of single layers, not on")

    def shares(self, model, number):
        """{name: share that stays} after this round, counted from 1; of all layers together under ""."""
        names = list(layers(model))
        if self.quality:
            scores = deviations(model, None, None)
            return {name: max(float((x >= self.quality).double().mean()), 1 / x.numel()) for name, x in scores.items()}
        kept = self.kept if isinstance(self.kept, dict) else dict.fromkeys([""] if self.across else names, self.kept)
        if unknown := set(kept) - set(names) - {""}:
            raise InputError(f"no layer is called {min(unknown)!r}; allowed: {', '.join(names)}")
        return {name: math.exp(math.log(share) * number / self.rounds) for name, share in kept.items()}


def prune(model, dataset, pruning, settings, generator, title, *, teacher=None, checkpoint=None, progress=True):
    """Prune and train on: the `Trained` of the last round, with zeros in the weights, and the masks {name: tensor}.

    Parameters
    ----------
    model : torch.nn.Module
        Trained. It is changed.
    pruning : Pruning
    settings : Settings
        Of each round's training; for the rest, see `quant.train.fit`.

    Raises
    ------
    InputError
        If a layer does not exist, or as of `quant.train.fit`.
    """
    images, masks = dataset.train.images, {}
    few = images[torch.arange(min(IMAGES, len(images)))]
    for number in range(1, pruning.rounds + 1):
        shares = pruning.shares(model, number)
        seen = few if pruning.method == "energy" else images
        masks = METHODS[pruning.method](model, seen, shares, masks, generator)
        name = f"{title}, round {number}" if pruning.rounds > 1 else title
        saved = None if checkpoint is None else checkpoint.part(f"round{number}")
        with masked(model, masks):
            found = fit(
                model, dataset, settings, generator, name, teacher=teacher, checkpoint=saved, progress=progress
            )
    return found, masks
