"""Some digits of the test set with what the Verilog made of them."""

import matplotlib

from golden.errors import replacing

__all__ = ["draw"]

COLUMNS = 8


def draw(path, images, classes, labels, caption):
    """Write a PNG of `images` [N, 1, 28, 28], each under its class: green where that is its label, else red.

    Parameters
    ----------
    classes, labels : int [N]
    caption : str
        One line above the digits.
    """
    matplotlib.use("Agg")  # a picture needs no screen
    from matplotlib import pyplot

    rows = -(-len(images) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(COLUMNS * 0.95, rows * 1.15 + 0.4), squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for axis, image, found, label in zip(axes.flat, images, classes, labels):
        right = found == label
        axis.imshow(image[0], cmap="gray_r", vmin=0, vmax=255, interpolation="nearest")
        title = str(found) if right else f"{found} (is {label})"
        axis.set_title(title, fontsize=11, color="#1a7f37" if right else "#cf222e", pad=2)
    figure.suptitle(caption, fontsize=10)
    figure.tight_layout()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, metadata={"Software": None})
    pyplot.close(figure)
