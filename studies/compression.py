"""Deep Compression of LeNet on MNIST, from end to end: what each layer takes, and what that costs in accuracy."""

import dataclasses
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import torch

from golden.errors import replacing
from quant.accuracy import commit
from quant.cache import FLOAT, code_hash, key, trained
from quant.checkpoint import Checkpoint
from quant.deep_compression import DeepCompression, compress
from quant.recipes import recipe
from quant.run import correct
from quant.train import reproducible
from studies.pruned import PRUNING, RETRAINING
from studies.published import DEEP_COMPRESSION

__all__ = ["PLAN", "markdown", "study", "write"]

PLAN = DeepCompression(pruning=PRUNING, retraining=RETRAINING, sharing=replace(RETRAINING, rate=1e-4))
CODE = (*FLOAT, "quant.clusters", "quant.deep_compression", "quant.masks", "quant.pruning", "quant.sharing")
HEAD = ("layer", "weights", "not 0", "values", "bits of a value", "bits of an index", "bytes", "of float", "ratio")


def study(dataset, build, *, start=None, plan=PLAN, progress=True):
    """JSON values of the figures; test images are read at the end.

    Checkpoints stay in `build`: when it is run again, training is found finished.
    """
    start = recipe("lenet") if start is None else start
    run = trained(start, dataset, build=build, progress=progress)
    test = {"float": correct(run.model, dataset.test) / len(dataset.test)}

    decides = repr([dataclasses.asdict(plan), key(start, dataset), code_hash(CODE), torch.__version__])
    digest = hashlib.sha256(decides.encode()).hexdigest()[:16]

    saved = Checkpoint(Path(build) / f"compression-{digest}.checkpoint", digest, "compression")
    with reproducible(start.seed) as generator:
        found = compress(run.model, dataset, plan, generator, "lenet", checkpoint=saved, progress=progress)
    test["compressed"] = correct(found.model, dataset.test) / len(dataset.test)
    rows = []
    for name, data in found.containers.items():
        bits, stage = found.bits[name], next(s for s in found.model.stages if s.layer.name == name)
        count, values = stage.weight.numel(), len(stage.weight.detach().unique())
        entries = max(1, round(found.kept[name] * count))
        row = {"layer": name, "weights": count, "kept": found.kept[name], "values": values, "bytes": len(data)}
        row |= {"value_bits": bits.values / entries, "index_bits": bits.indices / entries, "ratio": found.ratio(name)}
        rows.append(row)
    whole = {"weights": sum(row["weights"] for row in rows), "kept": found.kept[""], "ratio": found.ratio()}
    whole["bytes"] = sum(row["bytes"] for row in rows)
    figures = {"rows": rows, "whole": whole, "held_out": found.held_out, "test": test, "commit": commit()}
    return figures | {"seed": start.seed, "plan": dataclasses.asdict(plan), "images": len(dataset.test)}


def markdown(figures):
    """The page of `study`."""
    lines = [HEAD, ["---"] + ["---:"] * (len(HEAD) - 1)]
    for row in figures["rows"]:
        cells = [row["layer"], f"{row['weights']:,}", f"{row['kept']:.1%}", str(row["values"])]
        cells += [f"{row['value_bits']:.2f}", f"{row['index_bits']:.2f}"]
        lines.append([*cells, f"{row['bytes']:,}", f"{row['bytes'] / (4 * row['weights']):.1%}", f"{row['ratio']:.1f}"])
    whole = figures["whole"]
    cells = ["all", f"{whole['weights']:,}", f"{whole['kept']:.1%}", "", "", "", f"{whole['bytes']:,}"]
    lines.append([*cells, f"{whole['bytes'] / (4 * whole['weights']):.1%}", f"{whole['ratio']:.1f}"])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    held_out, test, published = figures["held_out"], figures["test"], DEEP_COMPRESSION["LeNet-5"]
    return f"""# LeNet, compressed

Weights are pruned to the shares that Han et al. publish, and trained on; the rest of each layer shares a few values,
found by k-means and trained on; indices of values and distances between weights are Huffman-coded. Bits are for each
weight that is not 0, filler entries included; bytes are those of whole containers, with tables, code lengths and
checksums. What is unpacked from the containers is what was measured, weight for weight.

Made by `make compression` at commit {figures["commit"]}.

{table}

Published for LeNet-5: ratio {published["ratio"]}, error {published["float_error"]:.2%} before and \
{published["error"]:.2%} behind. Here: ratio {whole["ratio"]:.1f}, error on {figures["images"]:,} test images \
{1 - test["float"]:.2%} before and {1 - test["compressed"]:.2%} behind; accuracy on held-out images \
{held_out["before"]:.2%} before, {held_out["pruned"]:.2%} pruned, {held_out["shared"]:.2%} with shared values. \
One seed ({figures["seed"]}).
"""


def write(figures, folder):
    """Write the figures and the page into `folder`; the paths of its pages."""
    texts = {"json": json.dumps(figures, indent=1) + "\n", "md": markdown(figures)}
    for suffix, text in texts.items():
        with replacing(Path(folder) / f"compression.{suffix}") as temporary:
            temporary.write_text(text)
    return [Path(folder) / "compression.md"]
