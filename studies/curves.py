"""How training went, over seeds: the mean of each epoch."""

import statistics

__all__ = ["COLOURS", "convergence", "draw", "reached"]

COLOURS = ("#57606a", "#0969da", "#bc4c00", "#1a7f37", "#8250df", "#bf3989", "#9a6700", "#54aeff", "#4ac26b", "#cf222e")


def convergence(runs):
    """Mean accuracy on held-out images after each epoch, over {seed: figures}."""
    epochs = zip(*([row["held_out"] for row in figures["history"]] for figures in runs.values()), strict=True)
    return [statistics.mean(values) for values in epochs]


def reached(curve, accuracy):
    """The first epoch, from 1, after which `curve` is at least `accuracy`; None if there is none."""
    return next((epoch for epoch, value in enumerate(curve, 1) if value >= accuracy), None)


def draw(axis, curves, title):
    """Draw curves {label: accuracies} on an axis; a label without accuracies, [], leaves out its colour."""
    for (label, curve), colour in zip(curves.items(), COLOURS, strict=False):
        if curve:
            values = [100 * value for value in curve]
            axis.plot(range(1, len(curve) + 1), values, label=label, color=colour, linewidth=1.3)
    axis.set_xlabel("epoch")
    axis.set_ylabel("accuracy on held-out images, %")
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=7, loc="lower right")
