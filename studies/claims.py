"""Figures of whole networks, made from those of their layers, beside the published ones."""

from studies.published import DPRED
from studies.traffic import CODES, GROUPS

__all__ = ["AHEAD", "CLAIMS", "KINDS", "PARTS", "TRAFFIC", "VARIANTS", "claims", "gaps", "totals"]

VARIANTS = ("16", "16p", "8")  # words of 16 bits filled, 16 bits with profiled precisions, 8 bits filled
KINDS = ("conv", "depthwise", "dense", "all")
PARTS = ("weights", "activations", "both")

# what limits the figure of a claim, the weakest limit first: name of the cause → figure of `layer_cycles`
DYNAMIC = {"data": "of_value", "group": "of_group", "synchronisation": "of_tile", "overhead": "dynamic"}
LOOM = {"data": "loom_of_value", "group": "loom_of_group", "synchronisation": "loom_of_tile", "overhead": "loom_1"}
STATIC = {"data": "of_layer", "overhead": "stripes"}
AHEAD = "ahead_16_4"  # Dynamic Stripes with the least synchronisation
CLAIMS = (  # published figure, variant, baseline of the published speed-up, limits of ours
    ("activations_8", "8", "parallel", DYNAMIC),
    ("both_8", "8", "loom_parallel", LOOM),
    ("stripes_cal", "16p", "parallel", STATIC),
    ("stripes_micro", "16p", "parallel", STATIC),
    ("dynamic_over_stripes", "16p", "stripes", DYNAMIC),
    ("loom", "16p", "loom_parallel", LOOM),
)
TRAFFIC = (("traffic_16", "16"), ("traffic_16", "16p"), ("traffic_8", "8"))


def totals(network):
    """Sums over the layers of a network: bits of weights and of an image's activations, cycles by kind of layer."""
    found = {}
    for variant in VARIANTS:
        traffic, cycles = {part: {} for part in PARTS}, {name: {} for name in KINDS}
        for row in network["layers"]:
            for part, share in (("weights", 1), ("activations", 1 / network["images"])):
                tensor = row[variant]["traffic"][part]
                bits = {name: tensor[name] for name in ("values", "zeros", *CODES)}
                for code in ("dpred", "dpred_zeros", "floor"):
                    bits |= {f"{code}_{group}": tensor[code][str(group)] for group in GROUPS}
                for name, value in bits.items():
                    for sums in (traffic[part], traffic["both"]):
                        sums[name] = sums.get(name, 0) + value * share
            for name, value in row[variant]["cycles"].items():
                for sums in (cycles[row["kind"]], cycles["all"]):
                    sums[name] = sums.get(name, 0) + value
        found[variant] = {"traffic": traffic, "cycles": cycles}
    return found


def gaps(found, group="16", least=4096):
    """Container without zero vectors over ``E[precision] + H(precision) / G``, less 1, of every tensor large enough.

    `gap` is that; `bare` the same if the precision of groups of zeros alone is 0, which is 1 otherwise.
    """
    rows = []
    for name, network in found.items():
        for layer in network["layers"]:
            for variant in VARIANTS:
                for part, parts in (("weights", 1), ("activations", network["images"])):
                    tensor = layer[variant]["traffic"][part]
                    if tensor["values"] >= least * parts and tensor["bare_floor"][group]:
                        gap, bare = (tensor["dpred"][group] / tensor[floor][group] - 1 for floor in ("floor", "bare_floor"))
                        mean = tensor["floor"][group] / tensor["values"]
                        rows.append({"network": name, "layer": layer["name"], "variant": variant, "part": part})
                        rows[-1] |= {"gap": gap, "bare": bare, "bits": mean}
    return rows


def claims(totals):
    """Each published figure beside ours for a network, and what keeps ours behind: the first limit that lies behind it.

    data: even single values are too wide, or their entropy too great. group: so are groups of 16, each at its own
    precision. synchronisation: so is the widest of the groups that a tile works on at once. overhead: edges of the
    result, weights and sums that wait for each other, width fields. Where that is Dynamic Stripes, `ahead` is ours
    with groups of 16 that run four passes apart at most.
    """
    rows = []
    for name, variant in TRAFFIC:
        sums = totals[variant]["traffic"]["both"]
        ours = {"entropy": sums["entropy"], "floor": sums["floor_16"]}
        ours["found"] = min(sums["dpred_16"], sums["dpred_zeros_16"])
        shares = {what: bits / sums["uncompressed"] for what, bits in ours.items()}
        limits = {"data": shares["entropy"], "group": shares["floor"], "overhead": shares["found"]}
        behind = [cause for cause, share in limits.items() if share > DPRED[name]]
        met = shares["found"] <= DPRED[name]
        rows.append({"claim": name, "variant": variant, "ours": shares["found"], "limits": limits})
        rows[-1]["cause"] = None if met else behind[0]
    for name, variant, baseline, limits in CLAIMS:
        cycles = totals[variant]["cycles"]["conv"]
        # a ratio of two engines is limited by the ratio of their bounds
        base = cycles["of_layer" if baseline == "stripes" else baseline]
        bounds = {cause: base / cycles[engine] for cause, engine in limits.items()}
        bounds["overhead"] = cycles[baseline] / cycles[limits["overhead"]]
        behind = [cause for cause, speed in bounds.items() if speed < DPRED[name]]
        met = bounds["overhead"] >= DPRED[name]
        every = totals[variant]["cycles"]["all"]
        rows.append({"claim": name, "variant": variant, "ours": bounds["overhead"], "limits": bounds})
        rows[-1]["all"] = every[baseline] / every[limits["overhead"]]
        if limits is DYNAMIC:
            rows[-1]["ahead"] = cycles[baseline] / cycles[AHEAD]
        rows[-1]["cause"] = None if met else behind[0]
    return rows
