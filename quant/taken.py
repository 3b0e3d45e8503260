"""The report of a network that is quantised already: nothing is searched, it is run by golden as it is."""

import dataclasses
import math

import numpy as np
import torch

from golden.errors import InputError
from golden.gemm_operations import GemmOperation
from golden.mac_tree import mac_tree_cycles
from golden.network import classify
from quant.figures import sized, totals
from quant.qonnx import ABSENT
from quant.tally import Tally

__all__ = ["SCHEME", "taken"]

SCHEME = "as it is"
TALLIED = 100
STORED = ("requant", "add", "lrn", "mac_conv", "mac_dense")  # nodes whose results are outputs of a layer, not sums


def taken(network, dataset, plan, *, name="network"):
    """The figures of a golden `network` on ``dataset.test``: JSON values for `quant.report`.

    Parameters
    ----------
    network : golden.network.Network
    plan : Plan
        Of it, `lanes` and `unit` are used.

    Raises
    ------
    InputError
        If the data do not fit the network.
    """
    if len(dataset.test) == 0:
        raise InputError("the data have no test images")
    x = integers(network, dataset.test.images, plan.unit)
    logits = network.run(x).reshape(len(x), -1)
    labels = dataset.test.labels.numpy()
    if labels.max() >= logits.shape[1]:
        raise InputError(f"labels must be 0 to {logits.shape[1] - 1}, as the network has classes, not {labels.max()}")
    ties = (logits == logits.max(axis=1, keepdims=True)).sum(axis=1) > 1
    rows = layers(network, x[:TALLIED], plan.lanes)
    return {
        "name": name,
        "scheme": SCHEME,
        "plan": dataclasses.asdict(plan),
        "data": {"test": len(x)},
        "held_out": None,
        "test": {"images": len(x), "test": float(np.mean(classify(logits) == labels)), "ties": float(np.mean(ties))},
        "layers": rows,
        "totals": totals(rows),
        "search": [],
        "tuning": None,
    }


def integers(network, images, unit):
    """`images` as the integers of the network's input.

    Reals, or pixels times `unit`, are rounded to the units of the input; an input without one takes pixels as they are.
    """
    tensor = network.tensors[network.input]
    if tuple(images.shape[1:]) != tensor.shape:
        raise InputError(f"the network takes inputs of {list(tensor.shape)}, the data are {list(images.shape[1:])}")
    raw = images.dtype == torch.uint8
    if tensor.unit is None:
        if not raw:
            raise InputError(f"the network takes integers, the data are {images.dtype}")
        return images.numpy()
    reals = images.numpy().astype(np.float64) * (unit if raw else 1.0)
    return tensor.format.nearest(np.ldexp(reals / tensor.unit, tensor.format.exponent))


def layers(network, x, lanes):
    """A row for each layer and each tensor that is rounded, in order; magnitudes are those of integers."""
    rows = []
    for step in network.steps(x):
        node, operation = step.node, network.operations[step.node.name]
        tensor, row = network.tensors[node.output], {"name": node.name, "op": node.op}
        if isinstance(operation, GemmOperation):
            weight, k = operation.parameters["weight"], operation.k
            sums, values = math.prod(tensor.shape), weight.values.reshape(-1)
            absent = network.info.get(ABSENT, {}).get(node.name, 0)
            values = np.delete(values, np.flatnonzero(values == 0)[:absent])  # zeros are alike
            row["weights"] = figures(weight.format, values)
            macs = values.size * math.prod(tensor.shape[1:])
            row |= {"k": k, "macs": macs, "cycles": mac_tree_cycles(sums, k, lanes)}
        if node.op in STORED:
            row["outputs"] = figures(tensor.format, step.output, len(x))
        if len(row) > 2:
            rows.append(row)
    return rows


def figures(fmt, values, images=1):
    """Figures of integers, of which there are as many for each of `images`; what rounding did to them is not known."""
    tally = Tally(fmt)
    tally.add(np.ldexp(values.astype(np.float64), fmt.exponent))
    return sized(tally, values.size // images) | {"saturated": None, "sqnr_db": None}
