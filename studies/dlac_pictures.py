"""Pictures of the study of DLAC, made from its JSON values alone."""

from quant.plots import picture

__all__ = ["CASES", "NAMES", "pictures"]

NAMES = {
    "lenet": "LeNet",
    "lenet_bias": "LeNet, biases instead of batch normalisation",
    "resnet": "ResNet",
    "resnet_wrong": "ResNet, errors of wrong images alone",
}
PARTS = {
    "forward": "products forward",
    "backward": "products backward",
    "activations": "activations",
    "weights": "weights",
    "errors": "errors",
}
CASES = {
    "even": "densities 0.4 and 0.4, drawn one by one",
    "uneven": "densities 0.28 and 0.57, drawn one by one",
    "densities": "our ResNet's densities, drawn one by one",
    "masks": "our ResNet's zeros in their places",
    "interleaved": "the same, neighbours on different PEs",
}
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e")


def pictures(study, folder):
    """Write both pictures."""
    published = study["published"]
    with picture(folder / "dlac-zeros.png", 2, 3, (12, 7)) as axes:
        for axis, (part, title) in zip(axes, PARTS.items(), strict=False):
            for (name, of), colour in zip(study["zeros"].items(), COLOURS, strict=False):
                steps = [row["step"] for row in of["steps"]]
                axis.plot(steps, [100 * row[part] for row in of["steps"]], color=colour, label=NAMES[name])
            if part in published:
                axis.axhline(100 * published[part], color="black", linestyle=":", label="ResNet-34, published")
            axis.set_ylim(0, 105)
            axis.set_title(title, fontsize=10)
            axis.set_xlabel("step of training")
            axis.grid(alpha=0.3)
        for axis in axes[::3]:
            axis.set_ylabel("% not 0")
        axes[-1].axis("off")
        axes[-1].legend(*axes[0].get_legend_handles_labels(), fontsize=9, loc="center")
    with picture(folder / "dlac-speed.png", 2, 1, (12, 8)) as axes:
        layers = [row["name"] for row in study["resnet34"]["even"]["layers"]]
        for (case, of), colour in zip(study["resnet34"].items(), COLOURS, strict=True):
            rows = of["layers"]
            axes[0].plot([row["flop"] / 1e3 for row in rows], "o-", color=colour, label=CASES[case], markersize=4)
            bounds = [row["bound"] * row["dense_flop"] / 1e3 for row in rows]
            axes[0].plot(bounds, "_", color=colour, markersize=10)
            axes[1].plot([row["bytes"] for row in rows], "o-", color=colour, markersize=4)
        axes[0].plot([row["dense_flop"] / 1e3 for row in rows], color="#57606a", label="skipping nothing")
        for value, style, label in ((published["peak"], "--", "peak"), (published["mean"], ":", "average")):
            axes[0].axhline(value / 1e3, color="black", linestyle=style, label=f"{label}, published")
        axes[0].set_ylabel("thousand operations a cycle (bars: bound)")
        axes[1].set_ylabel("bytes a cycle, zeros left out")
        for axis in axes:
            axis.set_xticks(range(len(layers)), layers, rotation=90, fontsize=7)
            axis.grid(alpha=0.3)
        axes[1].set_ylim(bottom=0)
        axes[0].set_ylim(0, 8.5)  # room for the legend
        axes[0].legend(fontsize=7, ncols=4, loc="upper left")
