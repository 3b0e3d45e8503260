"""Activation pruning: what is small becomes 0, by a power-of-two threshold for each rectifier."""

import numpy as np
import torch

from golden.errors import InputError
from quant.rectify import Rectifiers, thresholded
from quant.run import correct

__all__ = ["EXPONENTS", "activation_thresholds"]

EXPONENTS = range(-8, 5)


def activation_thresholds(model, split, margin):
    """The greatest thresholds with which accuracy falls by `margin` at most: a list, one for each rectifier.

    Rectifiers get theirs one after the other, in the order of a forward pass, each with those before it at work: the
    last power of two, from the least of `EXPONENTS` on, with which the network is still good enough, or 0. `model` then
    has them; see `quant.rectify.thresholded`. What is as great as the threshold stays.

    Parameters
    ----------
    model : torch.nn.Module
    split : quant.data.Split
        Held-out images.
    margin : float
        Share of images, 0 to 1, that the thresholds may cost.

    Raises
    ------
    InputError
        If the network has no rectifier, or computes integers, or the margin is out of range.

    Source: Albericio et al., Cnvlutin, ISCA 2016; Reagen et al., Minerva, ISCA 2016.
    """
    if not 0 <= margin <= 1:
        raise InputError(f"margin must be a share of 0 to 1, not {margin}")
    if getattr(model, "quantised", False):
        raise InputError("thresholds of activations need a network of floats, not of integers")
    model.eval()
    with Rectifiers() as seen, torch.no_grad():
        model(split.images[torch.tensor([0])])
    if seen.calls == 0:
        raise InputError("the network has no rectifier, whose results a threshold could prune")
    thresholds = [0.0] * seen.calls
    wanted = correct(pruned(model, thresholds), split) - margin * len(split)
    for i in range(len(thresholds)):
        for exponent in EXPONENTS:
            trial = [*thresholds[:i], 2.0**exponent, *thresholds[i + 1 :]]
            if correct(pruned(model, trial), split) < wanted:
                break
            thresholds = trial
    pruned(model, thresholds)
    return thresholds


def pruned(model, thresholds):
    """`model`, whose rectifiers pass what is at least their threshold: what is above the next lower float32."""
    return thresholded(model, [float(np.nextafter(np.float32(t), np.float32(0))) for t in thresholds])
