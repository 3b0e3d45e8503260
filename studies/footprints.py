"""Memory of weights and of activations against the batch, in training and in inference."""

from golden.costs import memory
from golden.layer_tables import topology
from studies.tables import plain, table

__all__ = ["NETWORKS", "markdown", "results"]

NETWORKS = ("alexnet", "vgg16", "googlenet", "resnet50", "resnet101")
CASES = ((32, True), (32, False), (8, False), (1, False))  # images, whether they are trained on


def results():
    """JSON values: a row of bytes for each network, weights and activations of 32 bits."""
    rows = []
    for name in NETWORKS:
        net = topology(name)
        cases = [memory(net, batch, training=training) for batch, training in CASES]
        rows.append({"network": name, "weights": cases[0].weights, "activations": [case.activations for case in cases]})
    return rows


def markdown(rows):
    """Sections of a page."""
    what = [f"{'training' if training else 'inference'}, {batch}" for batch, training in CASES]
    lines = []
    for row in rows:
        cells = [f"{plain(x / 1e6)}{' *' if x > row['weights'] else ''}" for x in row["activations"]]
        lines.append([row["network"], plain(row["weights"] / 1e6), *cells])
    return [
        "## Memory of weights and activations",
        "What the paper's figure 1 is about: why activations are to be narrow where batches are large, and weights where "
        "they are small. Megabytes of 32-bit numbers, counted from the layers of published networks, among them three of "
        "the paper's four; columns of activations say for how many images.",
        table(["network", "weights", *what], lines),
        "\\* activations take more than weights. In training all tensors of a batch wait for the backward pass; in "
        "inference the greatest sum of those that are there at one time counts.",
    ]
