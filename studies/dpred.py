"""Traffic and time of real networks in the DPRed container and on bit-serial tiles, beside what was published."""

import hashlib
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from golden.bitserial import TileShape, dynamic_stripes_cycles, loom_cycles, parallel_cycles, stripes_cycles
from golden.errors import replacing
from golden.layer_tables import network_rows
from quant.accuracy import commit
from quant.cache import code_hash
from quant.data import mnist
from studies.assumed import Independent, independent, resampled, usable
from studies.claims import VARIANTS, claims, gaps, totals
from studies.layers import rounded
from studies.lenets import lenets
from studies.ocr import FILES, OnnxNetwork, folder
from studies.pictures import lines, pages, planes, upside_down
from studies.profile import overlap, profile, same_choices
from studies.published import DPRED
from studies.speed import layer_cycles, sample
from studies.traffic import GROUPS, layer_traffic

__all__ = ["networks", "study"]

SIDE, LINE, TURN = 320, (48, 320), (48, 192)  # pixels of the images: detection, recognition, direction
SEED = 0
TABLES = ("alexnet", "vgg16", "googlenet", "resnet34")
PROFILE = ("studies.layers", "studies.lenets", "studies.ocr", "studies.profile")  # what decides the precisions
CODE = ("golden.bitserial", "golden.dpred", "golden.dpred_widths", "golden.layer_tables", "golden.precision")
CODE += ("studies.assumed", "studies.dpred", "studies.speed", "studies.traffic", *PROFILE)


def networks(build):
    """{name: (network, judge)}: LeNet dense and pruned, and the three of `studies.ocr`."""
    dataset = mnist()
    digits = dataset.held_out.images[:100, 0].numpy()
    found = {name: (network, same_choices) for name, network in lenets(dataset, build).items()}
    pictures = {
        "ocr_detection": (pages(digits, SIDE), overlap),
        "ocr_direction": (upside_down(lines(digits, *TURN)), same_choices),
        "ocr_recognition": (lines(digits, *LINE), same_choices),
    }
    for name, (images, judge) in pictures.items():
        found[name] = OnnxNetwork(folder() / FILES[name], [planes(image) for image in images]), judge
    return found


def kind(layer):
    """conv, depthwise (a convolution in groups of one channel) or dense."""
    return "depthwise" if layer.groups > 1 and layer.weights.shape[1] == 1 else layer.kind


def word(variant):
    """Bits of a value in memory."""
    return 8 if variant == "8" else 16


def profiled_widths(network, judge):
    """`profile` as JSON values."""
    widths, share = profile(network, judge)
    return {"share": share, "widths": [[*key, bits] for key, bits in widths.items()]}


def analysed(network, judge, narrow):
    """The figures of one network, as JSON values; `narrow` is what `profiled_widths` returned.

    `agreement` is the share of decisions that stay, by variant, and with 8 bits for inputs alone (8a).
    """
    profiled = {(name, what): bits for name, what, bits in narrow["widths"]}
    exact = network.run({})
    found = {"images": len(network.layers[0].inputs), "agreement": {"16p": narrow["share"]}, "layers": []}
    for bits in (16, 8):
        found["agreement"][str(bits)] = judge(exact, network.run(dict.fromkeys(profiled, bits)))
    inputs = [key for key in profiled if key[1] == "a"]
    found["agreement"]["8a"] = judge(exact, network.run(dict.fromkeys(inputs, 8)))
    for layer in network.layers:
        row = {"name": layer.name, "kind": kind(layer)}
        for variant in VARIANTS:
            widths = [profiled[layer.name, what] if variant == "16p" else None for what in "wa"]
            integers = rounded(layer, word(variant), *widths)
            row |= {"macs": integers.macs, "gemm": integers.gemm, "groups": layer.groups, "signed": integers.signed}
            row[variant] = {"width_w": integers.width_w, "width_a": integers.width_a}
            row[variant] |= {"traffic": layer_traffic(integers), "cycles": layer_cycles(sample(integers))}
        row["peaks"] = peaks(layer)
        found["layers"].append(row)
    return found


def peaks(layer):
    """Greatest magnitudes over the root mean square of what is not 0, and the share of zeros among the inputs."""
    x = np.concatenate([part.ravel() for part in layer.inputs])
    found = {"zeros": float((x == 0).mean()), "negative": bool(x.min() < 0)}
    for name, values in (("a", x), ("w", layer.weights)):
        values = values[values != 0].astype(np.float64)
        found[name] = float(np.abs(values).max() / np.sqrt((values**2).mean())) if values.size else 1.0
    return found


def kept(path, decides, make):
    """What `make` returned for the same `decides`, from the folder `path` or made now; JSON values."""
    key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
    path = Path(path) / f"{key}.json"
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        pass
    text = json.dumps(make())
    with replacing(path) as temporary:
        temporary.write_text(text + "\n")
    return json.loads(text)


def digest(network):
    """SHA-256 of all that `network` was seen to compute with."""
    found = hashlib.sha256()
    for layer in network.layers:
        for x in (layer.weights, *layer.inputs):
            found.update(f"{layer.name} {x.shape}".encode())
            found.update(np.ascontiguousarray(x).tobytes())
    return found.hexdigest()


def assumptions(found):
    """How numbers of the layer tables are drawn in each variant: medians over the layers of our networks."""
    layers = [row for network in found.values() for row in network["layers"]]
    activations = [row["peaks"] for row in layers if not row["peaks"]["negative"] and row["peaks"]["zeros"] > 0]
    common = {
        "zeros": statistics.median(row["zeros"] for row in activations),
        "peak_a": statistics.median(row["a"] for row in activations),
        "peak_w": statistics.median(row["peaks"]["w"] for row in layers),
    }
    widths = {name: statistics.median_low(row["16p"][name] for row in layers) for name in ("width_a", "width_w")}
    return {
        "16": common | {"word": 16, "width_a": 16, "width_w": 16},
        "16p": common | {"word": 16} | widths,
        "8": common | {"word": 8, "width_a": 8, "width_w": 8},
    }


def sources(loaded, found, variant):
    """Samples of the real convolutions that `resampled` can take numbers from."""
    rows = []
    for name, (network, _) in loaded.items():
        for layer, row in zip(network.layers, found[name]["layers"], strict=True):
            if row["kind"] == "conv" and not row["signed"]:
                rows.append(sample(rounded(layer, word(variant), row[variant]["width_w"], row[variant]["width_a"])))
    return [row for row in rows if usable(row)]


def tables(loaded, found, settings):
    """{assumption: {network: {variant: {kind: cycles}}}} of the layer tables, with assumed numbers."""
    sums = {name: {table: {} for table in TABLES} for name in ("independent", "resampled")}
    for variant, values in settings.items():
        real, assumption = sources(loaded, found, variant), Independent(**values)
        for table in TABLES:
            kinds = {name: {part: {} for part in ("conv", "dense", "all")} for name in sums}
            for i, row in enumerate(network_rows(table)):
                drawn = {"independent": independent(row, assumption, SEED, first=i == 0)}
                drawn["resampled"] = resampled(row, real, SEED) if i else drawn["independent"]
                for name, at in drawn.items():
                    for engine, value in layer_cycles(at).items():
                        for part in (row.kind, "all"):
                            kinds[name][part][engine] = kinds[name][part].get(engine, 0) + value
            for name in sums:
                sums[name][table][variant] = kinds[name]
    return sums


def drained(network, bits=8):
    """Cycles of each layer for one image: down to the last result, and those of `studies.speed`, of work alone."""
    rows = []
    for layer in network.layers:
        integers = rounded(replace(layer, inputs=layer.inputs[:1]), bits)
        windows, depth, filters = integers.gemm
        a, w = integers.operands(0, 0, np.arange(windows))
        some, dense = sample(integers), windows == 1
        busy = layer_cycles(some)
        serial = TileShape(filters=16, windows=bits, dense=dense)
        square = TileShape(filters=bits, windows=bits, dense=dense)
        exact = {
            "parallel": parallel_cycles(TileShape(windows=1), windows, depth, filters),
            "loom_parallel": parallel_cycles(TileShape(filters=1, windows=1), windows, depth, filters),
            "stripes": stripes_cycles(serial, windows, depth, filters, some.precision_a),
            "dynamic": dynamic_stripes_cycles(serial, a, filters, integers.signed),
            "loom_1": loom_cycles(square, a, w, integers.signed),
        }
        rows.append({"layer": layer.name, "exact": exact, "busy": {name: busy[name] for name in exact}})
    return rows


def study(build, folder):
    """All figures of the study as JSON values, written to ``dpred_study.json`` in `folder`.

    Parameters
    ----------
    build : path
        Folder of the trained networks.
    folder : path
        Of what is written, and of the cache.
    """
    cache, code = Path(folder) / "cache", code_hash(CODE)
    found = {"commit": commit(), "published": DPRED, "groups": list(GROUPS), "networks": {}}
    loaded = networks(build)
    for name, (network, judge) in loaded.items():
        began = time.perf_counter()
        pair, data = (network, judge), digest(network)
        widths = kept(cache, [data, code_hash(PROFILE)], lambda pair=pair: profiled_widths(*pair))
        decides = [data, widths, code]
        found["networks"][name] = kept(cache, decides, lambda pair=pair, widths=widths: analysed(*pair, widths))
        found["networks"][name]["totals"] = totals(found["networks"][name])
        found["networks"][name]["claims"] = claims(found["networks"][name]["totals"])
        print(f"{name}: {len(network.layers)} layers, {time.perf_counter() - began:.0f} s", flush=True)
    found["gaps"] = gaps(found["networks"])
    found["assumptions"] = assumptions(found["networks"])
    decides = [found["assumptions"], *(digest(network) for network, _ in loaded.values()), code]
    found["tables"] = kept(cache, decides, lambda: tables(loaded, found["networks"], found["assumptions"]))
    found["drained"] = drained(loaded["lenet"][0])
    with replacing(Path(folder) / "dpred_study.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return found
