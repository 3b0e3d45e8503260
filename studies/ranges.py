"""How large the numbers of a network are, by kind: Gysel's figure 4.1."""

import numpy as np
import torch

__all__ = ["dynamic_range"]

IMAGES = 100
BULK = 0.99


def kinds(graph, images):
    """The numbers of each kind in one array: weights with biases, and outputs, of convolution and dense layers."""
    with torch.no_grad():
        values = graph.run(images)
    found = {}
    for what, kind in (("convolution", "conv"), ("dense", "dense")):
        ops = [op for op in graph.ops if op.op == kind]
        weights = [x for op in ops for x in (op.weight, op.bias) if x is not None]
        found[f"{what} weights"] = np.concatenate([x.detach().numpy().ravel() for x in weights])
        found[f"{what} outputs"] = np.concatenate([values[op.name].numpy().ravel() for op in ops])
    return found


def bulk(histogram, share=BULK):
    """The narrowest range of exponents that holds `share` of the numbers, counted from the greatest down."""
    exponents = sorted(histogram, reverse=True)
    spare, cut = 1 - share, 0.0
    high, low = exponents[0], exponents[-1]
    while exponents and cut + histogram[exponents[-1]] <= spare:
        cut += histogram[exponents.pop()]
        low = exponents[-1]
    while exponents and cut + histogram[exponents[0]] <= spare:
        cut += histogram[exponents.pop(0)]
        high = exponents[0]
    return low, high


def dynamic_range(graph, images):
    """JSON values: for each kind of numbers, the shares of magnitudes truncated to powers of two.

    Parameters
    ----------
    images : uint8 tensor [N, C, H, W]
        The first `IMAGES` are taken.
    """
    groups = {}
    for what, x in kinds(graph, images[:IMAGES]).items():
        exponents, counts = np.unique(np.frexp(x[x != 0])[1] - 1, return_counts=True)
        histogram = {int(e): int(n) / x.size for e, n in zip(exponents, counts, strict=True)}
        low, high = bulk(histogram)
        groups[what] = {
            "numbers": int(x.size),
            "greatest": float(np.abs(x).max()),
            "bulk": [low, high],
            "histogram": {str(e): share for e, share in histogram.items()},
        }
    return {"images": IMAGES, "groups": groups}
