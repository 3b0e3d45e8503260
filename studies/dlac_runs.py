"""LeNet on the Verilog of the zero-skipping grid: inference in integers and in half precision, and a step of training."""

from dataclasses import replace

import numpy as np
import torch

from golden.dlac_networks import Parameters, Shape, logits, ternary, training_step
from golden.dlac_steps import Steps
from golden.formats import parse
from golden.layer_tables import topology
from golden.network import classify
from golden.window import Window
from quant.cache import trained
from quant.export import export
from quant.models import PIXEL_UNIT
from quant.recipes import recipe
from studies.dlac_torch import beside_torch
from tb.dlac_network import integer_steps, run_steps

__all__ = ["FULL", "SETTINGS", "inference", "markdown", "normalised", "resnet_layer", "runs", "shapes_of", "started"]
__all__ += ["training"]

SETTINGS, FULL = {"rows": 2, "cols": 2}, {"rows": 16, "cols": 16}
FP32, FP16 = parse("fp32"), parse("fp16")
BATCH, RATE, IMAGES, JUDGED = 2, 2.0**-6, 1, 200


def shapes_of(layers, threshold):
    """The `Shape`s of `golden.topology.Layer`s in a chain, with rectifiers of a `threshold` where there are any."""
    return [
        Shape(
            name=layer.name,
            window=Window(kernel=layer.k, stride=layer.s, padding=layer.pad) if layer.kind == "conv" else None,
            threshold=threshold if layer.relu else None,
            pool=layer.pool,
        )
        for layer in layers
    ]


def normalised(model, fmt, threshold=0.01):
    """(shapes, parameters) in `fmt` of a trained ternary network: its batch normalisation, and scales, are its gains.

    Activations are numbers of `fmt`: those of the quantised network are left out.

    Raises
    ------
    ValueError
        If a layer has other weights than -1, 0 and 1.
    """
    g, parameters = Steps(fmt), {}
    for stage in model.stages:
        [(_, codes, scale)] = stage.weights.terms(stage.weight)
        if not torch.isin(codes, torch.tensor([-1, 0, 1])).all():
            raise ValueError(f"layer {stage.layer.name} has weights other than -1, 0 and 1: it must be ternary for the grid")
        gain, bias = stage.affine()
        parameters[stage.layer.name] = Parameters(
            weight=codes.double().numpy(),
            gain=g.rounded(gain * scale.numpy()),
            bias=None if stage.norm is None else g.rounded(bias),
            ternary=True,
        )
    return shapes_of([stage.layer for stage in model.stages], threshold), parameters


def started(layers, fmt, seed, as_ternary=False):
    """(shapes, parameters) of a network that is not trained, in `fmt`: uniform weights, no biases yet."""
    rng, g, parameters = np.random.default_rng(seed), Steps(fmt), {}
    for layer in layers:
        limit = np.sqrt(6 / (layer.weights // layer.m + layer.weights // layer.n))
        weight = g.rounded(rng.uniform(-limit, limit, layer.shape))
        bias = None if layer.norm is None else np.zeros(layer.m)
        of = ternary(g, weight, bias) if as_ternary else Parameters(weight=weight, bias=bias)
        parameters[layer.name] = of
    return shapes_of(layers, 0.0), parameters


def step_runs(name, steps, fmt, of, settings, sim):
    """JSON values of the steps, run on the target `of`."""
    rows = []
    for row in run_steps(steps, fmt, of, settings, sim):
        rows.append(vars(row))
    total = {key: sum(row[key] for row in rows) for key in ("macs", "nonzero", "cycles", "dense")}
    print(f"{name}: {total['cycles']:,} cycles on {of}, every result and the model equal", flush=True)
    return {"name": name, "target": of, "steps": rows} | total


def inference(dataset, build, sim, settings):
    """JSON values of the ternary LeNet in integers and in half precision: (runs, share of choices that agree)."""
    model = trained(recipe("lenet", "ternary,edges=ternary"), dataset, build=build).model.eval()
    images, labels = dataset.test.images.numpy(), dataset.test.labels.numpy()
    network = export(model)
    found = [step_runs("integers", integer_steps(network, images[:IMAGES], FP32), FP32, "dlac_fp32", settings, sim)]
    shapes, parameters = normalised(model, FP16)

    def half(count):
        g = Steps(FP16)
        return g, logits(g, shapes, parameters, g.rounded(images[:count] * PIXEL_UNIT))[0]

    g, _ = half(IMAGES)
    found.append(step_runs("half precision", g.done, FP16, "dlac_fp16", settings, sim))
    chosen = [classify(z) for z in (network.run(images[:JUDGED]), half(JUDGED)[1])]
    for row, classes in zip(found, chosen, strict=True):
        row["right"] = float((classes == labels[:JUDGED]).mean())
    return found, float((chosen[0] == chosen[1]).mean())


def training(dataset, sim, settings):
    """JSON values of a step of training of Caffe's LeNet, with float and with ternary weights: runs."""
    net, data, found = topology("lenet_caffe"), dataset.train[:BATCH], []
    x, wanted = (data.images.float() * PIXEL_UNIT).double().numpy(), data.labels.numpy()
    for name, as_ternary in (("training", False), ("training, ternary", True)):
        shapes, parameters = started(net.rows, FP32, 0, as_ternary)
        g = Steps(FP32)
        loss, after = training_step(g, shapes, parameters, x, wanted, RATE)
        later, _ = Steps(FP32).loss(logits(Steps(FP32), shapes, after, x)[0], wanted)
        losses = [loss, later]
        beside = {} if as_ternary else beside_torch(net, shapes, (parameters, after), data, RATE, losses)
        row = step_runs(name, g.done, FP32, "dlac_fp32", settings | {"w": "fp32"}, sim)
        found.append(row | {"losses": losses} | beside)
    return found


def resnet_layer(seed=4):
    """(steps, their format) of a tile of ResNet-34's conv2_1_b: 64 pixels, 64 filters, 64 channels of 3 x 3, drawn.

    Activations are 40 % of normal ones, 60 % of the weights are not 0; batch normalisation and rectifier follow.
    """
    rng, g = np.random.default_rng(seed), Steps(FP32)
    x = g.rounded(np.maximum(rng.normal(-0.25, 1, (1, 64, 10, 10)), 0))
    shape = Shape(name="conv2_1_b", window=Window(kernel=3), threshold=0.015625)
    weight = rng.integers(0, 2, (64, 64, 3, 3)) * 2.0 - 1
    weight *= rng.random(weight.shape) < 0.6
    gain, bias = (g.rounded(rng.normal(size=64)) for _ in range(2))
    logits(g, [shape], {shape.name: Parameters(weight=weight, gain=gain, bias=bias, ternary=True)}, x)
    return g.done, FP32


def runs(dataset, build, sim="verilator", settings=SETTINGS):
    """JSON values of every run.

    A result that is not golden's, a cycle that is not the model's, or a loss that is not torch's within the bound,
    raises.
    """
    found, agreement = inference(dataset, build, sim, settings)
    found += training(dataset, sim, settings)
    found.append(step_runs("a tile of ResNet-34", *resnet_layer(), "dlac_fp32", FULL, sim))
    return {"runs": found, "agreement": agreement, "judged": JUDGED, "batch": BATCH, "rate": RATE, "settings": settings}


def markdown(found):
    """The runs as a table."""
    lines = ["| run | target | steps | products | of them without zeros | cycles | skipping nothing | speed-up |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|---:|")
    for row in found["runs"]:
        cells = [row["name"], f"`{row['target']}`", len(row["steps"]), f"{row['macs']:,}"]
        cells += [f"{row['nonzero'] / row['macs']:.0%}", f"{row['cycles']:,}", f"{row['dense']:,}"]
        lines.append(f"| {' | '.join(map(str, cells))} | {row['dense'] / row['cycles']:.2f} |")
    return "\n".join(lines) + "\n"
