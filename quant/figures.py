"""What a network of narrow numbers reaches and costs, layer by layer: JSON values."""

import math

import torch

from golden.mac import MacSpec
from golden.mac_tree import mac_tree_cycles
from golden.network import classify
from quant.assignment import ROUNDING, formats
from quant.evaluate import compare, logits
from quant.lower import bias_format
from quant.ranges import rectified
from quant.run import correct
from quant.simulated import Simulated
from quant.tally import Tally
from quant.train import reproducible

__all__ = ["layers", "specs", "reached", "totals"]

COMPARED = 1_000  # images on which torch and golden must agree on every integer
BATCH = 100
FLOAT_WIDTH = 32


def reached(graph, tuned, assignment, network, split, accumulate):
    """Accuracies on the test images: of the float `graph` by torch, of `network`, which is `tuned`, by golden.

    A tie is an image whose greatest logit is not the only one; the lowest index wins.

    Raises
    ------
    RuntimeError
        If torch and golden disagree on any integer.
    """
    with reproducible(0):
        float_correct = correct(Simulated(graph), split)

    def integers(batch):
        """A batch of pixels, or of reals in the format of the input."""
        fmt = network.tensors[network.input].format
        return batch if batch.dtype == torch.uint8 else torch.from_numpy(fmt.nearest(batch.numpy()))

    found = logits(network, split.images, integers)
    right = int((classify(found) == split.labels.numpy()).sum())
    ties = int(((found == found.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())
    some = split.images[torch.arange(min(COMPARED, len(split)))]
    comparison = compare(Simulated(tuned, assignment, accumulate=accumulate), network, integers(some))
    if not comparison.equal:
        different = ", ".join(name for name, count in comparison.differing.items() if count)
        raise RuntimeError(f"torch and golden differ in {different}")
    return {
        "images": len(split),
        "float": float_correct / len(split),
        "test": right / len(split),
        "ties": ties / len(split),
        "compared": comparison.compared,
        "compared_images": comparison.images,
    }


@torch.no_grad()
def layers(graph, assignment, images, lanes, accumulate):
    """A row for an input of reals and for each operation that rounds, in order.

    Layer outputs are measured as the float graph makes them of `images`; what a ReLU drops does not count.

    Parameters
    ----------
    lanes, accumulate
        Of the MAC tree whose cycles are counted, see `golden.mac_tree.mac_tree_cycles`.

    Returns
    -------
    list of dict
        ``weights`` and ``outputs`` as of `Tally`, with ``count``, the numbers of one image, and ``bits``, their number
        times the width; ``bias``, the name of its format; ``k``, products in a sum; ``macs`` and ``cycles`` for one
        image.
    """
    outputs = {name: Tally(fmt) for name, fmt in assignment.outputs.items()}
    above_zero, macs, shapes = rectified(graph), graph.macs(), graph.shapes()
    with reproducible(0):
        for batch in images.split(BATCH):
            values = graph.run(batch)
            for name, found in outputs.items():
                found.add(values[name].clamp(min=0) if name in above_zero else values[name])

    def made(name, kind):
        return {"name": name, "op": kind, "outputs": sized(outputs[name], math.prod(shapes[name]))}

    rows = [made(graph.input, "input")] if graph.unit is None else []
    for op in graph.ops:
        if op.op in ROUNDING:
            rows.append(made(op.name, op.op))
        if op.weight is not None:
            k, tally = op.weight[0].numel(), Tally(assignment.weights[op.name])
            tally.add(op.weights)
            rows[-1] |= {"weights": sized(tally, op.weights.numel())}
            rows[-1] |= {"bias": None if op.bias is None else assignment.biases[op.name].name}
            sums = math.prod(shapes[op.name])
            rows[-1] |= {"k": k, "macs": macs[op.name], "cycles": mac_tree_cycles(sums, k, lanes, accumulate)}
    return rows


def sized(tally, count):
    """The figures of `tally`, of `count` numbers for an image, with their bits."""
    figures = tally.figures()
    return figures | {"count": count, "bits": count * figures["width"]}


def totals(rows):
    """Sums over the rows of `layers`, and what float32 would take."""
    found = {key: sum(row.get(key, 0) for row in rows) for key in ("macs", "cycles")}
    for what in ("weights", "outputs"):
        found[f"{what}_bits"] = sum(row[what]["bits"] for row in rows if what in row)
        found[f"{what}_float_bits"] = FLOAT_WIDTH * sum(row[what]["count"] for row in rows if what in row)
    return found


def specs(graph, assignment, accumulate):
    """The `MacSpec` of each layer, in order; a ReLU behind it is part of it."""
    known, fused = formats(graph, assignment), graph.fused()
    return [
        MacSpec(
            a=known[op.inputs[0]],
            w=assignment.weights[op.name],
            bias=bias_format(op, known[op.inputs[0]], assignment),
            y=known[op.name],
            k=op.weight[0].numel(),
            relu=op.name in fused,
            accumulate=accumulate,
        )
        for op in graph.ops
        if op.weight is not None
    ]
