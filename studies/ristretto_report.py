"""The study of Ristretto as Markdown and pictures, made from its JSON values alone."""

from pathlib import Path

from golden.errors import replacing
from quant.plots import picture
from studies.ristretto import LONGER, SEARCHED, THEIRS, TUNING
from studies.tables import counted, duration, mean, percent, table

__all__ = ["markdown", "pictures", "write"]

TITLES = {"sgd": "trained as Caffe does", "adamw": "this project's best base"}
COLOURS = {"fixed": "#57606a", "dfp": "#0969da", "minifloat": "#bc4c00", "fp32": "#bf3989", "pow2": "#1a7f37"}
NAMES = {
    "fixed": "fixed point",
    "dfp": "dynamic fixed point",
    "minifloat": "minifloat",
    "fp32": "minifloat, sums in FP32",
    "pow2": "powers of two",
}
PARTS = {"outputs": "layer outputs", "conv": "convolution weights", "dense": "dense weights"}
AREAS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)  # that have a tick


def tuned_their_way(base):
    """Whether the thesis's way of tuning was run on networks of this base."""
    return all(row["their_way"] is not None for row in base["tuned"])


def tuned(study):
    """Tables 4.1, 5.2, 6.1 and 7.1."""
    head = ["table", "network", "published float", "untuned", "tuned"]
    for name, base in study["bases"].items():
        theirs = ["tuned their way"] if tuned_their_way(base) else []
        head += [f"{name}: float", "untuned", *theirs, "tuned", "asked for", "ties"]
    rows = []
    for i, row in enumerate(next(iter(study["bases"].values()))["tuned"]):
        published = row["published"]
        cells = [row["table"], row["row"], *(percent(published[key]) for key in ("float", "untuned", "tuned"))]
        for base in study["bases"].values():
            ours = base["tuned"][i]
            theirs = [percent(ours["their_way"])] if tuned_their_way(base) else []
            asked = f"≥ {percent(ours['asked'])}, {'reached' if ours['reached'] else 'missed'}"
            cells += [mean(base["float"]), mean(ours["untuned"]), *theirs, mean(ours["tuned"]), asked, percent(ours["ties"])]
        rows.append(cells)
    return table(head, rows)


def parts(study):
    """Table 5.1."""
    rows = []
    for part, published in study["published"]["parts"].items():
        for base, found in study["bases"].items():
            ours = [percent(found["parts"][part][bits]) for bits in published]
            rows.append([PARTS[part], base, *ours])
        rows.append([PARTS[part], "published", *(f"{value:.1%}" for value in published.values())])
    bits = [f"{bits} bits" for bits in next(iter(study["published"]["parts"].values()))]
    return table(["part", "network", *bits], rows)


def curves(study):
    """Figure 8.1 in numbers."""
    sweep = [str(bits) for bits in study["sweep"]]
    rows = []
    for base, found in study["bases"].items():
        for scheme, points in found["curves"].items():
            rows.append([NAMES[scheme], base, *(percent(points[bits]["test"]) if bits in points else "" for bits in sweep)])
    for scheme, points in study["published"]["curves"].items():
        rows.append([NAMES[scheme], "published", *(percent(points[bits]) if bits in points else "" for bits in sweep)])
    return table(["family", "network", *sweep], rows)


def ordered(study):
    """Exact sums beside sums in FP32."""
    rows = []
    for base, found in study["bases"].items():
        row = found["ordered"]
        rows.append([base, row["images"], *(", ".join(map(percent, row[key])) for key in ("exact", "fp32"))])
    return table(["network", "test images", "exact sums", "FP32, a tree of 16 lanes"], rows)


def ranges(study):
    """Figure 4.1 in numbers."""
    rows = []
    for what, found in study["ranges"]["groups"].items():
        low, high = found["bulk"]
        rows.append([what, f"{found['numbers']:,}", f"2^{low} to 2^{high + 1}", f"{found['greatest']:.3g}"])
    return table(["numbers", "how many", "99 % of them lie in", "greatest"], rows)


def areas(study):
    """The MAC trees."""
    rows = []
    for row in study["areas"]:
        cells = [NAMES[row["family"]], row["bits"], row["formats"], f"{row['gate_equivalents']:,.0f}"]
        cells += [f"{row['unit_gate_equivalents']:,.0f}", f"{row['period_ns']:.2f}"]
        rows.append([*cells, f"{row['energy_pj']:.2f}"])
    head = ["family", "bits", "formats", "tree of 16 lanes, GE", "a lane's MAC, GE", "clock, ns"]
    return table([*head, "energy a product, pJ"], rows)


def made(study):
    """How long the page took, and how much of it was there before."""
    took = study["time"]
    text = f"made in {duration(took['seconds'])} on {counted(took['cores'], 'core')}"
    if not took["empty"]:
        text += f", with caches that were not empty, which held {took['kept']} of the {took['runs']} runs"
    return f"{text}; its runs took {duration(took['seconds_of_runs'])} of one core in all"


def markdown(study):
    """The whole page."""
    titles = "; ".join(f"*{base}*: {TITLES[base]}" for base in study["bases"])
    seeds = len(study["seeds"])
    sections = [
        "# Ristretto, redrawn",
        "Made by `make ristretto` from JSON: P. Gysel, *Ristretto: Hardware-Oriented Approximation of Convolutional "
        "Neural Networks*, for LeNet on all of MNIST. Every accuracy but those called float is that of golden's "
        "integers with exact sums, on all 10,000 test images, which are read after every choice; a mean is of "
        f"{seeds} seed{'s' * (seeds > 1)}, with the standard deviation. Networks are `lenet_caffe`, {titles}. Commit "
        f"{study['commit']}, {made(study)}.",
        "The input is the raw pixel, 8 bits, in every row. Biases are 16 bits wide except in the rows of fixed point "
        "and minifloat, where they have the one format of all numbers. Logits are quantised as all layer outputs: "
        "*ties* is the share of images with more than one greatest logit, of which the first counts. The rows of CIFAR-10 "
        "come from a folder of it: `python -m studies ristretto --cifar FOLDER`.",
        "## Tables 4.1, 5.2, 6.1 and 7.1: tuned networks",
        tuned(study),
        "Tuned with shadow weights: *their way*, seed 0 of the first base alone, with weights rounded stochastically and "
        f"float outputs, by Adam, {counted(THEIRS.epochs, 'epoch')}; ours with weights and outputs rounded as the hardware "
        f"does, by AdamW whose rate falls to 0, {counted(LONGER.epochs, 'epoch')} from {LONGER.rate:g} in table 5.2 and "
        f"{counted(TUNING.epochs, 'epoch')} from {TUNING.rate:g} elsewhere. Formats are chosen on {SEARCHED:,} of the "
        "held-out images, epochs, 0 if none is better, on all of them; untuned networks are the same before. *Asked "
        "for* are the published accuracies of dynamic fixed point, and of the others 0.1 less than their own float network's.",
        "## Table 5.1: one part at a time",
        parts(study),
        "Seed 0, untuned. What the thesis leaves in floating point has 16 bits here.",
        "## Figure 8.1: accuracy against bits",
        "![accuracy against bits](ristretto-bits.png)",
        curves(study),
        "Seed 0, untuned, all parts of one width; with powers of two, which the figure does not have, the layer outputs "
        "alone, beside weights of 4 bits. Published are the points that its text and the tables name.",
        "## Figure 4.1: ranges",
        "![ranges](ristretto-ranges.png)",
        ranges(study),
        f"Forward propagation of {study['ranges']['images']} images, magnitudes truncated to powers of two; the thesis "
        "has 99 % of its parameters between 2^-10 and 2^0 and of its dense outputs between 2^-4 and 2^5.",
        "## What narrow numbers cost, and accuracy against area",
        "![accuracy against area](ristretto-area.png)",
        areas(study),
        "Area, clock and energy of the `mac_tree` targets with 16 lanes (see [synthesis](synthesis.md)); energy on "
        "random operands. Sums of minifloats are exact, or in a tree of FP32 adders as in the thesis, whose accuracy the "
        "picture takes to be that of exact sums, as below. Bits of powers of two are those of layer outputs; a lane's MAC "
        "multiplies and adds.",
        "## Sums in FP32",
        ordered(study),
        "The same tuned 8-bit minifloat networks, on the first test images, with sums as the thesis simulates them.",
    ]
    return "\n\n".join(section.rstrip("\n") for section in sections) + "\n"


def axis_of_accuracy(axis):
    """An axis that shows both chance and the last hundredths."""
    axis.set_yscale("function", functions=(lambda y: -((1.002 - y) ** 0.25), lambda t: 1.002 - (-t) ** 4))
    ticks = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
    axis.set_yticks(ticks, [f"{100 * tick:g} %" for tick in ticks])
    axis.set_ylim(0.05, 1.0)
    axis.grid(alpha=0.3)


def draw_bits(axis, found, published):
    """Figure 8.1 of one base."""
    for scheme, points in found["curves"].items():
        accuracies = [point["test"] for point in points.values()]
        axis.plot(list(map(int, points)), accuracies, "o-", color=COLOURS[scheme], label=NAMES[scheme])
    for scheme, points in published.items():
        label = "published" if scheme == next(iter(published)) else None
        axis.plot(list(map(int, points)), list(points.values()), "s", color=COLOURS[scheme], fillstyle="none", label=label)
    axis.axhline(found["float"]["runs"][0], color="black", linewidth=0.8, linestyle=":", label="float")
    axis.set_xlabel("bits of weights and layer outputs")


def draw_areas(axis, found, trees):
    """Accuracy of one base against the area of the tree."""
    for family in dict.fromkeys(tree["family"] for tree in trees):
        points = found["curves"]["minifloat" if family == "fp32" else family]
        cost = {str(tree["bits"]): tree["gate_equivalents"] for tree in trees if tree["family"] == family}
        known = {bits: (area, points[bits]["test"]) for bits, area in cost.items() if bits in points}
        axis.plot(*zip(*known.values(), strict=True), "o-", color=COLOURS[family], label=NAMES[family])
        for bits, point in known.items():
            axis.annotate(bits, point, fontsize=7, xytext=(3, -9), textcoords="offset points")
    axis.set_xscale("log")
    axis.set_xticks(AREAS, [f"{area:,}" for area in AREAS])
    axis.minorticks_off()
    axis.set_xlabel("area of a MAC tree of 16 lanes, gate equivalents")


def draw_ranges(axis, found, title):
    """Figure 4.1 of one group of numbers."""
    shares = {int(e): 100 * value for e, value in found["histogram"].items()}
    axis.bar(list(shares), list(shares.values()), width=0.9, align="edge", color="#57606a")
    axis.set_xlim(-16, 9)
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("log2 of the magnitude")


def pictures(study, folder):
    """Write the three pictures."""
    bases, groups = study["bases"], study["ranges"]["groups"]
    for name, draw, data in (("bits", draw_bits, study["published"]["curves"]), ("area", draw_areas, study["areas"])):
        with picture(folder / f"ristretto-{name}.png", 1, len(bases), (5.6 * len(bases), 4.2)) as axes:
            for axis, (base, found) in zip(axes, bases.items(), strict=True):
                axis_of_accuracy(axis)
                draw(axis, found, data)
                axis.set_ylabel("test accuracy")
                axis.set_title(f"lenet_caffe, {TITLES[base]}", fontsize=10)
                axis.legend(fontsize=8)
    with picture(folder / "ristretto-ranges.png", 1, len(groups), (3.2 * len(groups), 3)) as axes:
        for axis, (what, found) in zip(axes, groups.items(), strict=True):
            draw_ranges(axis, found, what)
        axes[0].set_ylabel("% of numbers")


def write(study, folder):
    """Write ``ristretto.md`` and its pictures to `folder`; the path of the page."""
    folder = Path(folder)
    pictures(study, folder)
    with replacing(folder / "ristretto.md") as temporary:
        temporary.write_text(markdown(study), encoding="utf-8")
    return folder / "ristretto.md"
