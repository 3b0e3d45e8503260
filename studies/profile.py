"""Precisions of the weights and inputs of each layer, as narrow as a network's decisions bear: Stripes' profiles."""

import math

import numpy as np

from studies.layers import rounded

__all__ = ["PROBE", "agreement", "overlap", "profile", "same_choices"]

PROBE = 8  # bits at which the error of each tensor alone is measured
NARROWEST, WIDEST = 2, 16
IMAGES = 2  # of those that the errors are measured on
LEAST = 0.99  # of the decisions must stay


def same_choices(exact, found):
    """The share of the greatest outputs, along the last axis, that stay the greatest."""
    return float(np.mean(np.concatenate([(a.argmax(-1) == b.argmax(-1)).ravel() for a, b in zip(exact, found)])))


def overlap(exact, found, threshold=0.3):
    """Of the pixels above `threshold`, those common to both over those in either, in all images together."""
    both = sum(int(((a > threshold) & (b > threshold)).sum()) for a, b in zip(exact, found, strict=True))
    either = sum(int(((a > threshold) | (b > threshold)).sum()) for a, b in zip(exact, found, strict=True))
    return both / either if either else 1.0


def agreement(network, judge, widths):
    """What `judge` says of the network's outputs with tensors rounded to `widths`, beside the exact ones."""
    return judge(network.run({}), network.run(widths))


def error(exact, found):
    """``|found - exact| / |exact|`` of all outputs together."""
    squares = [(float(((a - b) ** 2).sum()), float((a**2).sum())) for a, b in zip(exact, found, strict=True)]
    wrong, right = (sum(column) for column in zip(*squares, strict=True))
    return math.sqrt(wrong / right) if right else 0.0


def profile(network, judge, least=LEAST):
    """The widths of all tensors, and the share of decisions that they leave as they were.

    The error that each tensor alone makes in the outputs is measured at `PROBE` bits, and taken to halve with each bit
    more. Each tensor then gets the least width that keeps its error below ``tolerance * sqrt(products / mean)``, with
    the products of its layer, which is where the sum of products times widths is least for a given sum of squared
    errors. The tolerance is the greatest power of sqrt(2) with which `least` of the decisions stay.

    Parameters
    ----------
    network : LeNet or OnnxNetwork
    judge : callable
        (exact outputs, outputs) → share of decisions that stay.

    Returns
    -------
    dict, float
        (name of a layer, "a" or "w") → bits; the share.
    """
    exact = network.run({}, IMAGES)
    tensors = [(layer.name, what) for layer in network.layers for what in "aw"]
    errors = {key: error(exact, network.run({key: PROBE}, IMAGES)) for key in tensors}
    products = {layer.name: rounded(layer, WIDEST).macs for layer in network.layers}
    mean = sum(products.values()) / len(products)
    errors = {key: e / math.sqrt(products[key[0]] / mean) for key, e in errors.items()}
    exact = network.run({})
    for step in range(4 * WIDEST):
        widths = {key: width(e, 2.0 ** (-step / 2)) for key, e in errors.items()}
        share = judge(exact, network.run(widths))
        if share >= least or min(widths.values()) == WIDEST:
            break
    return widths, share


def width(error, tolerance):
    """Bits at which a tensor whose error is `error` at `PROBE` bits stays below `tolerance`."""
    if error == 0:
        return NARROWEST
    return min(max(PROBE + math.ceil(math.log2(error / tolerance)), NARROWEST), WIDEST)
