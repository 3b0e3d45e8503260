"""The report of an approximation: a table as text and as Markdown, and the figures as JSON."""

import json
from pathlib import Path

from golden.errors import replacing
from quant.plots import plots

__all__ = ["markdown", "summary", "text", "write"]

HEAD = (
    ("layer", "weights", "range", "sat.", "zero", "SQNR", "bits")
    + ("outputs", "range", "sat.", "zero", "SQNR", "bits")
    + ("bias", "MACs", "cycles")
)


def share(value):
    """A share in percent, of which a little is not nothing."""
    return "<0.1%" if 0 < value < 0.0005 else f"{value:.1%}"


def numbers(row):
    """Cells of weights or outputs; empty where there are none, or where it is not known what rounding did."""
    if row is None:
        return [""] * 6
    saturated, noise = "", ""
    if row["saturated"] is not None:
        saturated = share(row["saturated"])
        noise = "exact" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f} dB"
    least, most = row["range"]
    return [row["format"], f"{least:.3g} to {most:.3g}", saturated, share(row["zero"]), noise, f"{row['bits']:,}"]


def lines(figures):
    """The rows of the table, the totals last."""
    found = []
    for row in figures["layers"]:
        cells = [row["name"], *numbers(row.get("weights")), *numbers(row.get("outputs"))]
        costs = [f"{row[key]:,}" if key in row else "" for key in ("macs", "cycles")]
        found.append([*cells, row.get("bias") or "", *costs])
    totals = figures["totals"]
    costs = [f"{totals[key]:,}" for key in ("macs", "cycles")]
    bits = [f"{totals[f'{what}_bits']:,}" for what in ("weights", "outputs")]
    return [*found, ["all", "", "", "", "", "", bits[0], "", "", "", "", "", bits[1], "", *costs]]


def summary(figures):
    """What was reached, in a few sentences, each a line."""
    found, totals = accuracies(figures), figures["totals"]
    for what in ("weights", "outputs"):
        if bits := totals[f"{what}_bits"]:
            before = totals[f"{what}_float_bits"]
            found.append(f"{what}: {bits:,} bits instead of {before:,} of float32, {before / bits:.1f} times fewer")
    lanes = figures["plan"]["lanes"]
    found.append(f"cycles of one image on a MAC tree of {lanes} lanes: {totals['cycles']:,}")
    if figures.get("area"):
        found.append(
            f"area of a MAC tree of {lanes} lanes for each layer, together: {figures['area'][-1]['area']:,.0f} GE"
        )
    return found


def accuracies(figures):
    """The lines about accuracies; a network that was taken as it is has only one."""
    held_out, test = figures["held_out"], figures["test"]
    ties = f"{share(test['ties'])} have more than one greatest logit"
    if held_out is None:
        reached = f"{test['test']:.2%} of {test['images']:,} test images by golden; {ties}"
        return [f"{figures['name']}, {figures['scheme']}: {reached}"]
    met = "met" if figures["met"] else "NOT met, this is the best that was found"
    tuned = "" if figures["tuning"] is None else f", tuned {held_out['found']:.2%}"
    return [
        f"{figures['name']}, {figures['scheme']}: margin of {figures['plan']['margin']:.2%} {met}",
        f"held-out images ({figures['data']['held_out']:,}): float {held_out['float']:.2%}, least allowed "
        f"{held_out['least']:.2%}, quantised {held_out['untuned']:.2%}{tuned}",
        f"test images ({test['images']:,}), read once: float {test['float']:.2%} by torch, quantised "
        f"{test['test']:.2%} by golden; {ties}",
        f"torch and golden agree on all {sum(test['compared'].values()):,} integers of "
        f"{test['compared_images']:,} test images",
    ]


def text(figures):
    """The report as plain text."""
    rows = [list(HEAD), *lines(figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    words = (0, 1, 7, 13)  # columns that are no numbers
    table = [
        "  ".join(
            cell.ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*summary(figures), "", *table]) + "\n"


def markdown(figures, pictures=()):
    """The report as Markdown, with links to `pictures` beside it."""
    rows = [list(HEAD), ["---"] * len(HEAD), *lines(figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    points = "\n".join(f"- {line}" for line in summary(figures))
    notes = (
        "range: the least and the greatest number; sat.: beyond the ends of the format; zero: 0 when rounded; SQNR: "
        "signal to quantisation noise; bits: of one image. Those of outputs are of training images, "
        "as the float network makes them."
    )
    if figures["held_out"] is None:
        notes = "range and zero are of integers, those of outputs on test images; bits: of one image."
    shown = "\n\n".join(f"![{caption}]({Path(file).name})" for file, caption in pictures)
    return f"# {figures['name']}: {figures['scheme']}\n\n{points}\n\n{table}\n\n{notes}\n" + (
        f"\n{shown}\n" if shown else ""
    )


def write(figures, folder):
    """Write ``report.json``, ``report.md``, ``report.txt`` and the pictures to `folder`; their paths."""
    folder = Path(folder)
    pictures = plots(figures, folder)
    contents = {
        "report.json": json.dumps(figures, indent=1) + "\n",
        "report.md": markdown(figures, pictures),
        "report.txt": text(figures),
    }
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(content)
    return [*(folder / name for name in contents), *(path for path, _ in pictures)]
