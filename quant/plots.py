"""Pictures of an approximation: the numbers of each layer beside their format, accuracy against bits and area."""

import contextlib
import math
from pathlib import Path

import matplotlib

from golden.errors import replacing

__all__ = ["picture", "plots"]

COLUMNS = 4
LEFT = -20  # log2 of the least magnitude that a histogram shows
COLOURS = {"conv": "#0969da", "dense": "#bc4c00", "outputs": "#1a7f37", "all": "#8250df"}
STAGES = {
    "uniform": ("D", "one width"),
    "combined": ("s", "combined"),
    "repaired": ("^", "repaired"),
    "narrowed": (".", "narrowed by layer"),
}
ACCURACIES = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
LEAST_ERROR = 5e-4  # where the axis of accuracies ends


@contextlib.contextmanager
def picture(path, rows, columns, size):
    """Yield a figure's axes as a list; write the figure to `path` when the block ends."""
    matplotlib.use("Agg")  # a picture needs no screen
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, figsize=size, squeeze=False)
    try:
        yield list(axes.flat)
        figure.tight_layout()
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=110, metadata={"Software": None})
    finally:
        pyplot.close(figure)


def histograms(path, rows):
    """The magnitudes of each of `rows`, (name, figures of a tally), truncated to powers of two; the format shaded."""
    columns = min(COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    ends = [math.log2(end) for _, row in rows for end in row["span"]]
    exponents = [int(e) for _, row in rows for e in row["histogram"]]
    left, right = max(min([*exponents, *ends]), LEFT) - 1, max([*exponents, *ends]) + 2
    with picture(path, lines, columns, (3.1 * columns + 0.4, 2.6 * lines)) as axes:
        for axis in axes[len(rows) :]:
            axis.axis("off")
        for axis, (name, row) in zip(axes, rows, strict=False):
            least, greatest = (math.log2(end) for end in row["span"])
            axis.axvspan(least, greatest, color="#ddf4ff", zorder=0)
            for end in (least, greatest):
                axis.axvline(end, color="#0969da", linewidth=0.8)
            shares = {int(e): 100 * value for e, value in row["histogram"].items()}
            axis.bar(list(shares), list(shares.values()), width=0.9, align="edge", color="#57606a")
            axis.set_xlim(left, right)
            axis.set_ylim(0, 1.35 * max([*shares.values(), 1]))
            axis.set_title(f"{name}: {row['format']}", fontsize=9)
            axis.set_xlabel("log2 of the magnitude", fontsize=8)
            axis.set_ylabel("% of numbers", fontsize=8)
            axis.tick_params(labelsize=7)
            saturated = "" if row["saturated"] is None else f"{row['saturated']:.1%} saturated\n"
            note = f"{saturated}{row['zero']:.1%} zero when rounded"
            axis.text(0.03, 0.96, note, transform=axis.transAxes, fontsize=7, va="top")


def error(accuracy):
    """What the axis of accuracies shows."""
    return max(1 - accuracy, LEAST_ERROR)


def accuracies(axis, figures, points):
    """Make `axis` one of accuracies, logarithmic in the error, with lines for the float network and the least allowed.

    `points` are accuracies that must be in sight.
    """
    held_out = figures["held_out"]
    axis.set_yscale("log")
    for accuracy, style, what in ((held_out["float"], "-", "float"), (held_out["least"], "--", "least allowed")):
        axis.axhline(error(accuracy), color="#8c959f", linestyle=style, linewidth=1, label=what)
    errors = [error(accuracy) for accuracy in (*points, held_out["float"], held_out["least"])]
    axis.set_ylim(1.3 * max(errors), min(errors) / 1.3)
    ticks = [accuracy for accuracy in ACCURACIES if min(errors) / 1.3 <= error(accuracy) <= 1.3 * max(errors)]
    axis.set_yticks([error(accuracy) for accuracy in ticks], [f"{accuracy:.1%}" for accuracy in ticks])
    axis.set_yticks([], minor=True)
    axis.set_ylabel("accuracy on held-out images")
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8, loc="best")


def alone(axis, figures):
    """Accuracy against width, one group of numbers at a time and all others float."""
    groups = {}
    for tried in figures["search"]:
        if tried["stage"] == "alone":
            best = groups.setdefault(tried["what"], {})
            best[tried["bits"]] = max(best.get(tried["bits"], 0), tried["score"])
    for group, best in groups.items():
        widths = sorted(best)
        label = {"conv": "convolution weights", "dense": "dense weights", "all": "all numbers"}.get(group, group)
        axis.plot(widths, [error(best[w]) for w in widths], "o-", color=COLOURS[group], markersize=5, label=label)
    widths = sorted({width for best in groups.values() for width in best})
    axis.set_xscale("log", base=2)
    axis.set_xticks(widths, [str(width) for width in widths])
    axis.set_xlabel("bits of one group, the rest float")
    accuracies(axis, figures, [score for best in groups.values() for score in best.values()])


def complete(axis, figures, points, label, unit):
    """Accuracy against `points`' cost: (stage, cost, accuracy) of networks without float numbers, the last the result.

    A tuned result hangs above the search's.
    """
    for stage, (marker, name) in STAGES.items():
        at = [(cost / unit, error(score)) for where, cost, score in points if where == stage]
        if at:
            axis.plot(*zip(*at, strict=True), marker, color="#57606a", alpha=0.6, label=name)
    _, cost, score = points[-1]
    found = figures["held_out"]["found"]
    axis.plot(cost / unit, error(score), "o", color="#0969da", markersize=9, fillstyle="none", label="result")
    scores = [score for _, _, score in points]
    if figures["tuning"] is not None:
        arrow = {"arrowstyle": "->", "color": "#1a7f37"}
        axis.annotate("", (cost / unit, error(found)), (cost / unit, error(score)), arrowprops=arrow)
        axis.plot(cost / unit, error(found), "*", color="#1a7f37", markersize=11, label="tuned")
        scores.append(found)
    axis.set_xlabel(label)
    accuracies(axis, figures, scores)


def plots(figures, folder):
    """Write the pictures of an approximation's `figures` to `folder`: a list of (path, caption)."""
    folder, found = Path(folder), []
    for what in ("weights", "outputs"):
        rows = [(row["name"], row[what]) for row in figures["layers"] if what in row]
        if rows:
            path = folder / f"{what}.png"
            histograms(path, rows)
            found.append((path, f"Magnitudes of {what} by layer; the format reaches over the shaded part"))
    return found if figures["held_out"] is None else [*found, *costs(figures, folder)]


def costs(figures, folder):
    """Write the pictures of accuracy against bits and, if there are any, areas: a list of (path, caption)."""
    found = []
    result = ("result", figures["totals"]["weights_bits"] + figures["totals"]["outputs_bits"])
    score = figures["held_out"]["untuned"]
    points = [(tried["stage"], tried["total"], tried["score"]) for tried in figures["search"] if tried["total"]]
    path = folder / "bits.png"
    with picture(path, 1, 2, (10, 4)) as axes:
        alone(axes[0], figures)
        complete(axes[1], figures, [*points, (*result, score)], "kilobits of weights and of an image's outputs", 1e3)
    found.append((path, "Accuracy against bits"))
    if figures.get("area"):
        path = folder / "area.png"
        with picture(path, 1, 1, (5, 4)) as axes:
            points = [(row["stage"], row["area"], row["score"]) for row in figures["area"]]
            complete(axes[0], figures, points, "thousand gate equivalents, a MAC tree a layer", 1e3)
        found.append((path, "Accuracy against area"))
    return found
