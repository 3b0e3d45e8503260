"""Tables of the study of DPRed and bit-serial tiles, made from its JSON values alone."""

import statistics

from studies.claims import AHEAD, PARTS, VARIANTS
from studies.dpred_pictures import CLAIMS, NAMES, WIDTHS, speed
from studies.tables import table

__all__ = [
    "ENGINES",
    "LOOM",
    "SERIAL",
    "agreements",
    "beside",
    "drained",
    "gaps",
    "losses",
    "percent",
    "precisions",
    "sizes",
    "speeds",
    "times",
    "traffic",
    "unbearable",
    "waiting",
]

ENGINES = {
    "stripes": "Stripes",
    "dynamic": "Dynamic Stripes",
    "dynamic_trim": "and trim",
    "ahead_64_4": "groups of 64, 4 ahead",
    "ahead_16_1": "groups of 16, 1 ahead",
    "ahead_16_4": "groups of 16, 4 ahead",
    "of_group": "bound: groups of 16",
    "of_value": "bound: values",
    "loom_static": "Loom, static",
    "loom_1": "Loom, 1 bit",
    "loom_2": "2 bits",
    "loom_4": "4 bits",
    "wide_1": "128 filters, 1 bit",
    "loom_of_group": "bound: groups of 16",
    "loom_of_value": "bound: values",
}
SERIAL = [name for name in ENGINES if not name.startswith(("loom", "wide"))]
LOOM = [name for name in ENGINES if name not in SERIAL]
SHARED = {"layer": "layer", "tile": "tile", "group": "16 values", "value": "value"}
STEPS = ("of_value", "of_group", "of_tile")
BEAR = 0.9  # of its decisions: a network that keeps less does not bear its numbers


def percent(value):
    """A share."""
    return f"{100 * value:.1f} %"


def times(value):
    """A ratio."""
    return f"{value:.2f}"


def agreements(study):
    """How many decisions of each network stay."""
    rows = []
    for name, network in study["networks"].items():
        shares = [percent(network["agreement"][variant]) for variant in VARIANTS]
        weights = network["totals"]["16"]["traffic"]["weights"]
        values = network["totals"]["16"]["traffic"]["activations"]
        sizes = [f"{s['values'] / 1e3:,.0f} k, {percent(s['zeros'] / s['values'])}" for s in (weights, values)]
        signed = sum(row["signed"] for row in network["layers"])
        rows.append([NAMES[name], f"{len(network['layers'])}, {signed}", network["images"], *sizes, *shares])
    head = ["network", "layers, with negative inputs", "images", "weights, of them 0", "activations, of them 0"]
    return table([*head, *(WIDTHS[variant] for variant in VARIANTS)], rows)


def beside(study):
    """Published figures and ours."""
    networks = list(study["networks"].values())
    rows = []
    for i, row in enumerate(networks[0]["claims"]):
        value = percent if row["claim"].startswith("traffic") else times
        cells = [CLAIMS[row["claim"]], WIDTHS[row["variant"]], value(study["published"][row["claim"]])]
        for network in networks:
            ours = network["claims"][i]
            every = f" ({value(ours['all'])})" if "all" in ours else ""
            every += f", ahead {value(ours['ahead'])}" if "ahead" in ours else ""
            mark = "" if network["agreement"][row["variant"]] >= BEAR else " \\*"
            cells.append(value(ours["ours"]) + every + (f": {ours['cause']}" if ours["cause"] else "") + mark)
        rows.append(cells)
    return table(["what", "numbers", "published", *(NAMES[name] for name in study["networks"])], rows)


def unbearable(study):
    """What `beside` marks, in words: the networks that do not bear 8 bits."""
    found = []
    for name, network in study["networks"].items():
        stay = network["agreement"]
        if stay["8"] < BEAR:
            found.append(
                f"{NAMES[name]} keeps {percent(stay['8'])} of its decisions, and {percent(stay['8a'])} with its weights as "
                "they were"
            )
    if not found:
        return "All networks keep most of their decisions."
    return f"\\* A size of numbers, not a network that works: rounded to 8 bits, {'; '.join(found)}."


def waiting(study, name="lenet", variant="16p"):
    """What run-ahead gains over Stripes in each convolution of a network, and could gain, in words."""
    found = []
    for row in study["networks"][name]["layers"]:
        cycles = row[variant]["cycles"]
        if row["kind"] == "conv":
            ahead, bound = (cycles["stripes"] / cycles[engine] for engine in (AHEAD, "of_group"))
            found.append(f"{row['name']} {times(ahead)} of {times(bound)}")
    return ", ".join(found)


def traffic(study):
    """Bits left by each code."""
    rows = []
    for name, network in study["networks"].items():
        for variant in VARIANTS:
            for part in PARTS:
                sums = network["totals"][variant]["traffic"][part]
                codes = ("static", "zero_flag", "dpred_16", "dpred_zeros_16", "floor_16", "entropy")
                cells = [percent(sums[code] / sums["uncompressed"]) for code in codes]
                rows.append([NAMES[name], WIDTHS[variant], part, *cells])
    head = ["network", "numbers", "of", "static width", "zero flags", "DPRed, G = 16", "with zero vectors"]
    return table([*head, "E[width] + H(width) / G", "entropy"], rows)


def sizes(study):
    """Bits left by each size of groups."""
    rows = []
    for name, network in study["networks"].items():
        for variant in VARIANTS:
            sums = network["totals"][variant]["traffic"]["both"]
            for code, title in (("dpred", "without"), ("dpred_zeros", "with")):
                cells = [percent(sums[f"{code}_{group}"] / sums["uncompressed"]) for group in study["groups"]]
                rows.append([NAMES[name], WIDTHS[variant], title, *cells])
            ratios = (sums[f"dpred_{group}"] / sums[f"floor_{group}"] for group in study["groups"])
            cells = [f"{100 * (ratio - 1):.1f} %" for ratio in ratios]
            rows.append([NAMES[name], WIDTHS[variant], "gap", *cells])
    return table(["network", "numbers", "zero vectors", *(f"G = {group}" for group in study["groups"])], rows)


def gaps(study, most=0.03):
    """What the container wastes on single tensors."""
    rows = []
    for variant in VARIANTS:
        found = [row for row in study["gaps"] if row["variant"] == variant]
        over = [row for row in found if row["gap"] > most]
        worst = max(found, key=lambda row: row["gap"])
        cells = [len(found), f"{100 * statistics.median(row['gap'] for row in found):.1f} %", len(over)]
        where = f"{NAMES[worst['network']]} {worst['layer']}, {worst['bits']:.2f} bits"
        cells.append(f"{100 * worst['gap']:.1f} %, {where}")
        bare = [row["bare"] for row in found]
        cells.append(f"{sum(gap > most for gap in bare)}, {100 * max(bare):.1f} %")
        rows.append([WIDTHS[variant], *cells])
    head = ["numbers", "tensors", "median gap", "above 3 %", "greatest gap", "zeros bare: above 3 %, greatest gap"]
    return table(head, rows)


def precisions(study):
    """Mean bits of activations, and of activations times weights, in convolutions, by what shares them."""
    rows = []
    for name, network in study["networks"].items():
        for variant in VARIANTS:
            sums, word = network["totals"][variant]["cycles"]["conv"], 8 if variant == "8" else 16
            cells = [f"{word / speed(sums, f'of_{what}'):.1f}" for what in SHARED]
            cells += [f"{word**2 / speed(sums, f'loom_of_{what}'):.1f}" for what in SHARED]
            rows.append([NAMES[name], WIDTHS[variant], *cells])
    head = ["network", "numbers", *(f"activations: {what}" for what in SHARED.values())]
    return table([*head, *(f"both: {what}" for what in SHARED.values())], rows)


def speeds(networks, engines, cycles, kinds):
    """Speed-ups: a row for each network, numbers and kind of layer."""
    rows = []
    for name, network in networks.items():
        for variant in VARIANTS:
            for kind in kinds:
                sums = cycles(network, variant)[kind]
                if sums:
                    cells = [times(speed(sums, engine)) for engine in engines]
                    rows.append([NAMES[name], WIDTHS[variant], kind, *cells])
    return table(["network", "numbers", "layers", *(ENGINES[engine] for engine in engines)], rows)


def losses(study):
    """Where speed is lost between single values and the engine, in convolutions."""
    rows = []
    for name, network in study["networks"].items():
        for variant in VARIANTS:
            sums = network["totals"][variant]["cycles"]["conv"]
            for title, prefix, engine in (("Dynamic Stripes", "", "dynamic"), ("Loom, 1 bit", "loom_", "loom_1")):
                chain = [f"{prefix}{step}" for step in STEPS] + ["loom_work" if prefix else "dynamic_work", engine]
                cells = [times(speed(sums, chain[0]))]
                for before, after in zip(chain, chain[1:], strict=False):
                    cells.append(f"{100 * (sums[before] / sums[after] - 1):+.0f} %")
                rows.append([NAMES[name], WIDTHS[variant], title, *cells, times(speed(sums, engine))])
    head = ["network", "numbers", "engine", "values alone", "groups of 16", "synchronisation", "edges", "sums leaving"]
    return table([*head, "engine"], rows)


def drained(study):
    """What filling and draining add."""
    names = ("parallel", "stripes", "dynamic", "loom_parallel", "loom_1")
    rows = []
    for row in study["drained"]:
        cells = [f"{row['busy'][name]:,.0f} + {row['exact'][name] - row['busy'][name]:,.0f}" for name in names]
        rows.append([row["layer"], *cells])
    return table(["layer of LeNet, 8 bits", "parallel", "Stripes", "Dynamic Stripes", "parallel", "Loom, 1 bit"], rows)
