"""Pictures of the study of DLAC, made from its JSON values alone."""

from quant.plots import picture

__all__ = ["CASES", "NAMES", "pictures"]

NAMES = {
    "lenet": "LeNet",
    "lenet_bias": "LeNet, biases instead of batch normalisation",
    "resnet": "ResNet",
    "resnet_wrong": "ResNet, errors of wrong images alone",
}
CASES = {
    "even": "0.4 of activations, 0.4 of weights",
    "uneven": "0.28 of activations, 0.57 of weights",
    "densities": "our ResNet's shares, drawn one by one",
    "masks": "our ResNet's zeros in their places",
    "interleaved": "the same, neighbours on different PEs",
}
COLOURS = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e")


def pictures(study, folder):
    """Write both pictures."""
    published = study["published"]
    with picture(folder / "dlac-zeros.png", 1, 2, (12, 4)) as axes:
        for axis, part in zip(axes, ("forward", "backward"), strict=True):
            for (name, of), colour in zip(study["zeros"].items(), COLOURS, strict=False):
                steps = [row["step"] for row in of["steps"]]
                axis.plot(steps, [100 * row[part] for row in of["steps"]], color=colour, label=NAMES[name])
            axis.axhline(100 * published[part], color="black", linestyle=":", label="ResNet-34, published")
            axis.set_ylim(0, 100)
            axis.set_title(part, fontsize=10)
            axis.set_xlabel("step of training")
            axis.grid(alpha=0.3)
        axes[0].set_ylabel("% of products without a zero")
        axes[0].legend(fontsize=7)
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
