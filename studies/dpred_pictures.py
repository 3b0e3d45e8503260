"""Pictures of the study of DPRed and bit-serial tiles, made from its JSON values alone."""

from quant.plots import picture
from studies.claims import VARIANTS

__all__ = ["CLAIMS", "NAMES", "WIDTHS", "pictures", "speed"]

NAMES = {
    "lenet": "LeNet",
    "lenet_pruned": "LeNet, pruned",
    "ocr_detection": "OCR detection",
    "ocr_direction": "OCR direction",
    "ocr_recognition": "OCR recognition",
    "alexnet": "AlexNet",
    "vgg16": "VGG-16",
    "googlenet": "GoogLeNet",
    "resnet34": "ResNet-34",
}
WIDTHS = {"16": "16 bits", "16p": "16 bits, profiled", "8": "8 bits"}
COLOURS = ("#0969da", "#54aeff", "#bc4c00", "#1a7f37", "#8250df")
CLAIMS = {
    "traffic_16": "traffic of 16-bit networks",
    "traffic_8": "traffic of 8-bit networks",
    "activations_8": "8 bits, precisions of activations (Dynamic Stripes)",
    "both_8": "8 bits, precisions of both (Loom)",
    "stripes_cal": "Stripes, 2015",
    "stripes_micro": "Stripes, 2016",
    "dynamic_over_stripes": "Dynamic Stripes over Stripes",
    "loom": "Loom over 16-bit parallel",
}


def speed(cycles, engine):
    """Speed-up over the bit-parallel tile of as much throughput."""
    base = {"loom": "loom_parallel", "wide": "wide_parallel"}.get(engine.split("_")[0], "parallel")
    return cycles[base] / cycles[engine]


def bars(axis, names, series, limits):
    """Bars side by side for each of `names`, and a line for each of the published figures, (value, label)."""
    width = 0.8 / len(series)
    for i, ((label, values), colour) in enumerate(zip(series.items(), COLOURS, strict=False)):
        axis.bar([x + (i + 0.5) * width - 0.4 for x in range(len(names))], values, width, label=label, color=colour)
    for (value, label), style in zip(limits, (":", "--"), strict=False):
        axis.axhline(value, color="black", linewidth=1, linestyle=style, label=label)
    axis.set_xticks(range(len(names)), [NAMES[name].replace(" ", "\n") for name in names], fontsize=7)
    axis.legend(fontsize=7)


def pictures(study, folder):
    """Write the four pictures."""
    networks, published = study["networks"], study["published"]
    codes = {"static": "static width", "zero_flag": "zero flags", "dpred_16": "DPRed, G = 16"}
    codes |= {"dpred_zeros_16": "with zero vectors", "entropy": "entropy"}
    with picture(folder / "dpred-traffic.png", 1, 3, (15, 4)) as axes:
        for axis, variant in zip(axes, VARIANTS, strict=True):
            sums = [network["totals"][variant]["traffic"]["both"] for network in networks.values()]
            series = {title: [100 * s[code] / s["uncompressed"] for s in sums] for code, title in codes.items()}
            limit = 100 * published["traffic_8" if variant == "8" else "traffic_16"]
            bars(axis, networks, series, [(limit, "DPRed, published")])
            axis.set_ylim(0, 145)
            axis.set_title(WIDTHS[variant], fontsize=10)
        axes[0].set_ylabel("% of uncompressed, weights and activations")
    with picture(folder / "dpred-groups.png", 1, 3, (15, 4)) as axes:
        for axis, variant in zip(axes, VARIANTS, strict=True):
            for (name, network), colour in zip(networks.items(), COLOURS, strict=True):
                sums = network["totals"][variant]["traffic"]["both"]
                for code, style in (("dpred", "o-"), ("dpred_zeros", "s--")):
                    shares = [100 * sums[f"{code}_{group}"] / sums["uncompressed"] for group in study["groups"]]
                    label = NAMES[name] if code == "dpred" else None
                    axis.plot(study["groups"], shares, style, color=colour, label=label, markersize=4)
            axis.set_xscale("log", base=2)
            axis.set_xticks(study["groups"], [str(group) for group in study["groups"]])
            axis.set_ylim(0, 110)
            axis.grid(alpha=0.3)
            axis.set_xlabel("values in a group (dashed: with zero vectors)")
            axis.set_title(WIDTHS[variant], fontsize=10)
            axis.legend(fontsize=7)
        axes[0].set_ylabel("% of uncompressed, weights and activations")
    engines = {"stripes": "Stripes", "dynamic": "Dynamic Stripes", "of_group": "bound, groups of 16"}
    engines |= {"loom_1": "Loom, 1 bit", "loom_of_group": "Loom's bound, groups of 16"}
    drawn = {"16p": ("stripes_cal", "loom"), "8": ("activations_8", "both_8"), "16": ()}
    with picture(folder / "dpred-speed.png", 1, 3, (15, 4)) as axes:
        for axis, variant in zip(axes, VARIANTS, strict=True):
            sums = [network["totals"][variant]["cycles"]["conv"] for network in networks.values()]
            series = {title: [speed(s, engine) for s in sums] for engine, title in engines.items()}
            bars(axis, networks, series, [(published[name], f"{CLAIMS[name]}, published") for name in drawn[variant]])
            axis.set_yscale("log", base=2)
            axis.set_yticks([2**i for i in range(-1, 7)], [f"{2.0**i:g}" for i in range(-1, 7)])
            axis.set_ylim(0.5, 80)
            axis.set_title(f"{WIDTHS[variant]}, convolutions", fontsize=10)
        axes[0].set_ylabel("speed-up over bit-parallel")
    with picture(folder / "dpred-widths.png", 2, len(networks), (3 * len(networks), 5)) as axes:
        for i, part in enumerate(("weights", "activations")):
            for axis, (name, network) in zip(axes[i * len(networks) :], networks.items(), strict=False):
                for variant, colour in zip(VARIANTS, COLOURS[::2], strict=False):
                    counts = [row[variant]["traffic"][part]["widths"] for row in network["layers"]]
                    sums = [sum(column) for column in zip(*counts, strict=True)]
                    shares = [100 * value / sum(sums) for value in sums]
                    axis.step(range(1, len(sums) + 1), shares, where="mid", color=colour, label=WIDTHS[variant])
                axis.set_xlim(0.5, 16.5)
                axis.set_title(f"{NAMES[name]}: {part}", fontsize=8)
            axes[i * len(networks)].set_ylabel("% of groups of 16")
        for axis in axes[len(networks) :]:
            axis.set_xlabel("precision, bits")
        axes[0].set_ylim(0, 130)  # room for the legend
        axes[0].legend(fontsize=7, loc="upper center")
