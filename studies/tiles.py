"""LeNet on the Verilog of bit-serial tiles, and what these cost: a page of Markdown and its JSON."""

import json
from pathlib import Path

from golden.errors import replacing
from quant.accuracy import commit
from quant.data import mnist
from studies import tile_areas, tile_runs

__all__ = ["markdown", "write"]

PROFILE = 1000  # held-out images that layers have their precisions from


def markdown(found):
    """The page, from its JSON values alone."""
    sections = [
        "# LeNet on bit-serial tiles",
        f"Made by `make tiles` at commit {found['commit']}. [What the tiles are](bitserial.md); [traffic and speed-up on more "
        "networks](dpred_study.md), from cycle models.",
        "## Through the Verilog, bit for bit",
        tile_runs.markdown(found["runs"]),
        "One image, simulated in Verilator: every sum equals golden's, every cycle count the model's. `stripes` is told the "
        f"precision of each layer's inputs: what {PROFILE:,} held-out training images need. One that needed more would be "
        "refused. `dynamic_stripes` and `loom` detect theirs. Inputs and weights of each layer come out of DPRed "
        "containers (groups of 16, no zero vector; widths of inputs from a profile of "
        f"{tile_runs.CONTAINERS} other images), which the Verilog of encoder and decoder write and read as golden does. "
        "Tiles have 16 lanes; with 16-bit numbers all multiply 16 pairs a cycle. Dense layers run on tiles whose columns "
        "have weights of their own. *A width a layer*: the search of `dfp-per-layer`.",
        "## Speed, area and energy",
        tile_areas.markdown(found["areas"], found["large"]),
        "Hardware for 16-bit numbers in OSU 0.18 um; *fast* is the netlist with buffers and sized gates, whose period counts. "
        "Cycles and energy are those of a part of LeNet's second convolution at 8 bits, with filters for every place of the "
        f"largest tile. Stripes is told the layer's precision from above, {found['precision']} bits with the sign. Speed, and "
        "speed over area and over energy, are those of the bit-parallel tile's.",
    ]
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def write(build, folder):
    """Run all, write ``tiles.json`` and ``tiles.md`` to `folder`; the path of the page."""
    dataset = mnist()
    networks = tile_runs.networks(dataset, build)
    profile = dataset.held_out.images[:PROFILE].numpy()
    runs = tile_runs.runs(networks, dataset.test.images[:1].numpy(), profile)
    network, _ = networks["8 bits"]
    layer = list(network.gemms(dataset.test.images[:1].numpy()))[1]
    [precisions] = {row["network"]: row["precisions"] for row in runs if row["network"] == "8 bits"}.values()
    precision = precisions[layer.name] + (not layer.spec.a.signed)  # the tiles' activations have a sign
    areas = tile_areas.areas((layer.a[:32, :64], layer.w[:64, :16]), precision)
    found = {"commit": commit(), "runs": runs, "areas": areas, "precision": precision}
    found["large"] = tile_areas.composed()
    folder = Path(folder)
    for name, text in (("tiles.json", json.dumps(found, indent=1) + "\n"), ("tiles.md", markdown(found))):
        with replacing(folder / name) as temporary:
            temporary.write_text(text)
    return folder / "tiles.md"
