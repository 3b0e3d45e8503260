"""The figures of DLAC, redrawn: products without zeros in training, operations a cycle and for each gate of the grid."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from golden.conv import lower, lower_weights
from golden.errors import replacing
from golden.layer_tables import network_rows, topology
from golden.window import Window
from quant.accuracy import commit
from quant.data import Dataset, mnist
from quant.models import Classifier
from quant.run import correct
from quant.settings import Settings
from quant.train import fit, reproducible
from studies.dlac_areas import PES, areas
from studies.dlac_nets import TWN, ResNet
from studies.dlac_runs import runs
from studies.dlac_speed import independent, interleaved, layer_speed, lowered, resampled, total
from studies.dlac_zeros import IMAGES, Captured, Watched, operand_shares, shares
from studies.dpred import LINE, SIDE, TURN
from studies.ocr import FILES, OnnxNetwork, folder
from studies.pictures import lines, pages, planes
from studies.published import DLAC

__all__ = ["COMPARED", "NETWORKS", "SCENARIOS", "study", "trained_networks"]

LIMIT, PENALTY = 0.01, 1e-5  # threshold of rectifiers, weight of the activations' sum in the loss
TRAINED, JUDGED = 12_800, 1000  # images
EVERY = 10  # steps
READ, SOME = 2, 0.05  # images for the networks that read; zeros that a layer of theirs needs to be looked at
COMPARED = {  # name → a row of `studies.dlac_areas.PES`
    "fp32": "FP32",
    "fp32_dense": "FP32, nothing skipped, depth 2",  # all lanes move together: two entries keep a PE busy
    "fp16": "FP16",
    "fp16_dense": "FP16, nothing skipped, depth 2",
}
SCENARIOS = {"even": (0.4, 0.4), "uneven": (0.28, 0.57)}  # densities of activations and of weights


def lenet(norm):
    """LeNet with ternary weights and 8-bit activations, ReLU behind every layer but the last."""
    net = topology("lenet")
    net.nodes = [replace(node, norm=norm) if node.norm == "batch" else node for node in net.nodes]
    return Classifier(net, ("ternary",) * len(net.rows))


NETWORKS = {  # name → (model, whether right images send no error back)
    "lenet": (lambda: lenet("batch"), False),
    "lenet_bias": (lambda: lenet("bias"), False),
    "resnet": (lambda: ResNet((8, 16, 32, 64), limit=LIMIT, penalty=PENALTY), False),
    "resnet_wrong": (lambda: ResNet((8, 16, 32, 64), limit=LIMIT, penalty=PENALTY), True),
}


def trained_networks(dataset, names=tuple(NETWORKS), images=TRAINED):
    """{name: (`Watched` model, accuracy on held-out images)}, each trained for an epoch."""
    found = {}
    small = Dataset(dataset.train[:images], dataset.held_out[:JUDGED], dataset.test, dataset.digest)
    for name in names:
        make, only_wrong = NETWORKS[name]
        with reproducible(0) as generator:
            watched = Watched(make(), EVERY, only_wrong)
            fit(watched, small, Settings(rate=2e-3), generator, name, progress=False)
        found[name] = watched, correct(watched, small.held_out) / len(small.held_out)
        print(f"{name}: {found[name][1]:.1%} of held-out images", flush=True)
    return found


def zeros(watched, accuracy):
    """JSON values of a training: shares of products and of operands over the steps, layers of the last step watched."""
    rows = [
        {"step": row.step, **dict(zip(("forward", "backward"), shares(row.products))), **operand_shares(row.products)}
        for row in watched.rows
    ]
    return {"accuracy": accuracy, "steps": rows, "layers": [vars(product) for product in watched.rows[-1].products]}


@torch.no_grad()
def captured(model, images):
    """[(a, w)] of each layer of a model, in evaluation mode, for some images."""
    model.eval()
    with Captured() as found:
        model(images)
    return found.layers


def place(name):
    """The place of ResNet-34's layer `name` in our residual network, as (stage, block, part) of its name there.

    Ours has two blocks in each stage: one that changes the shape, but for the first stage, and one that does not.
    """
    stage, block, part = name.removeprefix("conv").split("_")
    return int(stage), min(int(block), 2), part


def source(name, layers):
    """The one of `layers`, those of our residual network, in the place of ResNet-34's layer `name`."""
    order = [None]  # its first
    for stage in range(2, 6):
        for block in (1, 2):
            parts = ("a", "b", "proj") if stage > 2 and block == 1 else ("a", "b")
            order += [(stage, block, part) for part in parts]
    return layers[order.index(place(name))]


def resnet34(layers):
    """JSON values of ResNet-34's convolutions, {scenario: {"layers", "total"}}.

    The first is dense in all: its weights are not ternary, and its pixels not 0. Layers that differ in nothing share
    their draws.

    Parameters
    ----------
    layers : list of (a, w)
        Of our residual network.
    """
    rows, rng = [row for row in network_rows("resnet34") if row.kind == "conv"], np.random.default_rng(0)
    cases = {name: (lambda row, d=d: independent(row, *d, rng)) for name, d in SCENARIOS.items()}
    cases["densities"] = lambda row: independent(row, *(x.mean() for x in source(row.name, layers)), rng)
    cases["masks"] = lambda row: resampled(row, *source(row.name, layers), rng)
    cases["interleaved"] = lambda row: interleaved(drawn["masks"][row.gemm, place(row.name)])
    found, drawn = {}, {}
    for name, masks in cases.items():
        made, seen = [], {}
        drawn[name] = {}
        for row in rows:
            first = row.name == rows[0].name
            key = row.gemm, None if first or name in SCENARIOS else place(row.name)
            if key not in seen:
                drawn[name][key] = independent(row, 1, 1, rng) if first else masks(row)
                seen[key] = layer_speed(drawn[name][key])
            made.append(seen[key] | {"name": row.name})
        found[name] = {"layers": made, "total": total(made)}
        print(f"ResNet-34, {name}: {found[name]['total']['flop']:,.0f} operations a cycle", flush=True)
    return found


def own(layers, images=IMAGES):
    """JSON values of a network's own layers, {scenario: {"layers", "total"}}; `layers` are of so many images."""
    masks = [lowered(f"layer {i}", a, w, images) for i, (a, w) in enumerate(layers, 1)]
    cases = {"masks": masks, "interleaved": [interleaved(at) for at in masks]}
    made = {name: [layer_speed(at) for at in of] for name, of in cases.items()}
    return {name: {"layers": rows, "total": total(rows)} for name, rows in made.items()}


def reading(digits):
    """{name: [(a, w)] of the convolutions of one group with zeros before them} of the networks of `studies.ocr`.

    They are trained, in floats: their weights become ternary by the rule of Ternary Weight Networks, their activations
    stay.

    Parameters
    ----------
    digits : uint8 array [N, 28, 28]
        For some of the images that they read.
    """
    pictures = {"ocr_detection": pages(digits, SIDE), "ocr_direction": lines(digits, *TURN)}
    pictures["ocr_recognition"] = lines(digits, *LINE)
    return {name: masks_of(OnnxNetwork(folder() / FILES[name], planes_of(of))) for name, of in pictures.items()}


def planes_of(pictures):
    """The first pictures, as the networks take them."""
    return [planes(picture) for picture in pictures[:READ]]


def masks_of(network):
    """[(a, w)] of those layers of an `OnnxNetwork`."""
    found = []
    for layer in network.layers:
        if layer.kind != "conv" or layer.groups > 1 or np.mean([(x == 0).mean() for x in layer.inputs]) < SOME:
            continue
        top, bottom, left, right = layer.padding
        x = np.stack([np.pad(x != 0, ((0, 0), (top, bottom), (left, right))) for x in layer.inputs])
        a = lower(Window(kernel=layer.weights.shape[2:], stride=layer.stride), x)
        found.append((a, lower_weights(TWN.integers(torch.from_numpy(layer.weights))[0].numpy() != 0)))
    return found


def study(build, folder):
    """All figures as JSON values, written to ``dlac_study.json`` in `folder`.

    Parameters
    ----------
    build : path
        Folder of the trained networks.
    folder : path
        Of what is written.
    """
    dataset = mnist()
    networks = trained_networks(dataset)
    found = {"commit": commit(), "published": DLAC, "images": TRAINED}
    found["zeros"] = {name: zeros(*pair) for name, pair in networks.items()}
    images = dataset.held_out.images[:IMAGES]
    layers = {name: captured(watched.model, images) for name, (watched, _) in networks.items()}
    found["own"] = {name: own(of) for name, of in layers.items() if name in ("lenet", "resnet")}
    digits = dataset.held_out.images[:100, 0].numpy()
    found["own"] |= {name: own(of, READ) for name, of in reading(digits).items()}
    found["resnet34"] = resnet34(layers["resnet"])
    found["runs"] = runs(dataset, build)
    found["areas"] = areas({name: PES[row] for name, row in COMPARED.items()})
    with replacing(Path(folder) / "dlac_study.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return found
