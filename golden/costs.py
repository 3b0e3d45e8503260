"""What a network costs on any hardware: memory of weights and activations, and the bits that it multiplies."""

import math
from dataclasses import dataclass

from golden.errors import InputError

__all__ = ["Memory", "compute_cost", "memory"]


@dataclass(frozen=True)
class Memory:
    """Bytes of weights and of activations."""

    weights: float
    activations: float


def check(**bits):
    """Refuse numbers of less than a bit, or less than one image."""
    for what, value in bits.items():
        if value < 1:
            raise InputError(f"{what} must be at least 1, not {value}")


def compute_cost(net, *bits):
    """Products for one image, each times the bits of its weight and its activation together.

    Parameters
    ----------
    net : Topology
    bits
        Pairs (of weights, of activations): one of all layers, or one of each.

    Source: Mishra and Marr, WRPN & Apprentice, footnote 2.
    """
    for weight_bits, activation_bits in bits:
        check(weight_bits=weight_bits, activation_bits=activation_bits)
    rows = net.rows
    if len(bits) not in (1, len(rows)):
        raise InputError(f"{len(rows)} layers need one pair of widths or as many, not {len(bits)}")
    pairs = bits if len(bits) > 1 else bits * len(rows)
    return sum(row.macs * sum(pair) for row, pair in zip(rows, pairs, strict=True))


def memory(net, batch, *, training=False, weight_bits=32, activation_bits=32):
    """The `Memory` of a network at work on `batch` images.

    In training, every tensor of the batch waits for the backward pass: what is pooled, and its maxima too. In inference,
    a tensor goes when the last node that uses it has run: what counts is the greatest sum of tensors that are there at
    one time, a node's inputs, what it pools and its result together. Biases and normalisation, a thousandth of the
    weights, are left out, and so are gradients.

    Source: Mishra and Marr, WRPN & Apprentice, figure 1, whose text does not say what was counted.
    """
    check(batch=batch, weight_bits=weight_bits, activation_bits=activation_bits)
    sizes = {name: math.prod(shape) for name, shape in net.shapes.items()}
    pooled = {name: math.prod(shape) for name, shape in net.unpooled.items()}
    if training:
        values = sum(sizes.values()) + sum(pooled.values())
    else:
        last = {source: i for i, node in enumerate(net.nodes) for source in node.sources}
        alive, values = {"input"}, 0
        for i, node in enumerate(net.nodes):
            alive.add(node.name)
            values = max(values, sum(sizes[name] for name in alive) + pooled.get(node.name, 0))
            alive = {name for name in alive if last.get(name, -1) > i}
    return Memory(net.weights * weight_bits / 8, values * batch * activation_bits / 8)
