"""LeNet in narrow numbers of four kinds through every bit-serial tile, bit for bit, by way of DPRed containers."""

from pathlib import Path

from quant.approximate import approximate
from quant.cache import trained
from quant.from_torch import from_module
from quant.plan import Plan
from quant.recipes import recipe
from studies.pruned import pruned
from tb.containers import Containers
from tb.network import profile_inputs, profile_precisions, run_network

__all__ = ["CONTAINERS", "KINDS", "TILES", "markdown", "networks", "runs"]

CONTAINERS = 16  # images for which the widths of containers are best

KINDS = {  # name → (whether it is pruned, settings of the plan)
    "8 bits": (False, {"scheme": "dfp", "widths": {"all": 8}}),
    "16 bits": (False, {"scheme": "dfp", "widths": {"all": 16}}),
    "8 bits, pruned": (True, {"scheme": "dfp", "widths": {"all": 8}}),
    "a width a layer": (False, {"scheme": "dfp-per-layer"}),
}
TILES = {  # with 16-bit numbers all multiply 16 pairs a cycle
    "parallel_tile": {"lanes": 16, "filters": 1},
    "stripes": {"lanes": 16, "filters": 4, "windows": 4},
    "dynamic_stripes": {"lanes": 16, "filters": 4, "windows": 4},
    "loom": {"lanes": 16, "filters": 64, "windows": 4},
}


def networks(dataset, build):
    """{name of the kind: (golden's network, its figures)}."""
    start = trained(recipe("lenet"), dataset, build=build).model
    graphs = {False: start, True: pruned(start, dataset, build)}
    shape = tuple(dataset.train.images.shape[1:])
    found = {}
    for name, (cut, settings) in KINDS.items():
        graph = from_module(graphs[cut].eval(), shape)
        plan = Plan(margin=0.01, unsigned=True, **settings)
        result = approximate(graph, dataset, plan, build=Path(build) / "studies", name=f"lenet, {name}", progress=False)
        found[name] = result.network, result.figures
    return found


def runs(found, x, profile, *, sim="verilator", tiles=TILES):
    """A row of JSON values for each network and each tile.

    Every layer's results equal golden's, its cycles the model's, and the containers of golden and of the Verilog each
    other, or this raises.

    Parameters
    ----------
    found : dict
        As of `networks`.
    x : array [N, ...]
        Inputs.
    profile : array [N, ...]
        Others. The precisions of layers are those that all of them need, the widths in the containers of activations
        those that are best for the first `CONTAINERS` of them.

    Raises
    ------
    InputError
        If `x` makes a layer need more bits than its precision.
    Failure
        If anything differs.
    """
    rows = []
    for kind, (network, figures) in found.items():
        precisions = profile_precisions(network, profile)
        for tile, settings in tiles.items():
            memory = Containers(sim=sim if tile == next(iter(tiles)) else None)  # the same ones for every tile
            profile_inputs(network, profile[:CONTAINERS], memory)
            through = {"tile": tile, "tile_settings": settings, "memory": memory, "precisions": precisions}
            layers = list(run_network(network, x, sim=sim, **through))
            rows.append(
                {
                    "network": kind,
                    "test": figures["test"]["test"],
                    "tile": tile,
                    "layers": [{"name": layer.name, "cycles": layer.cycles, "macs": layer.macs} for layer in layers],
                    "cycles": sum(layer.cycles for layer in layers),
                    "plain_bits": memory.plain,
                    "container_bits": memory.packed,
                    "precisions": precisions,
                }
            )
            print(f"{kind}, {tile}: {rows[-1]['cycles']:,} cycles, every result and the model equal", flush=True)
    return rows


def markdown(rows):
    """The rows as a table, and the precisions of layers as another."""
    baseline = {row["network"]: row["cycles"] for row in rows if row["tile"] == "parallel_tile"}
    lines = ["| network | golden, test images | tile | cycles of an image | of the parallel tile's | traffic in containers |"]
    lines.append("|---|---:|---|---:|---:|---:|")
    for row in rows:
        share, traffic = baseline[row["network"]] / row["cycles"], row["container_bits"] / row["plain_bits"]
        lines.append(
            f"| {row['network']} | {row['test']:.2%} | `{row['tile']}` | {row['cycles']:,} | {share:.2f} x faster | {traffic:.0%} |"
        )
    layers = list(rows[0]["precisions"])
    lines += ["", f"| precision of a layer's inputs, bits | {' | '.join(layers)} |", "|---|" + "---:|" * len(layers)]
    for kind, precisions in {row["network"]: row["precisions"] for row in rows}.items():
        lines.append(f"| {kind} | {' | '.join(str(precisions[layer]) for layer in layers)} |")
    return "\n".join(lines) + "\n"
