"""What narrow networks reach on MNIST, by golden's integers."""

import dataclasses
from dataclasses import dataclass

from studies.samples import Data
from studies.tables import mean, over, percent, table
from studies.trials import AGREED, Trial, network

__all__ = ["ROWS", "SEEDS", "TITLE", "markdown", "pictures", "results", "scale", "trials"]

TITLE = "MNIST in narrow numbers"
SEEDS = (0, 1, 2)
TWO_BITS = "wrpn2,edges=wrpn2,input=wrpn2"
PUBLISHED_EPOCHS = 500
FULL_EPOCHS = 100


@dataclass(frozen=True, kw_only=True)
class Row:
    """A network, how it is trained, and what is asked of it.

    Parameters
    ----------
    title, network, weights, activations : str
    least : float
        Mean test accuracy over seeds.
    settings : dict
        Of its training.
    floats : dict, optional
        Of the training of the float network that it starts from.
    published : float, optional
        What `PUBLISHED_EPOCHS` epochs are said to reach.
    """

    title: str
    network: str
    weights: str
    activations: str
    least: float
    settings: dict
    floats: dict | None = None
    published: float | None = None


LENET = {"batch": 128, "rate": 3e-3, "decay": 1e-2, "shift": 2, "epochs": 6}
MLP = {"batch": 128, "rate": 3e-3, "shift": 1}
ROWS = (
    Row(
        title="LeNet, ternary weights, 8-bit activations",
        network="lenet",
        weights="ternary,edges=ternary",
        activations="int8",
        least=0.994,
        settings=LENET | {"rate": 2e-3, "epochs": 7},
        floats=LENET,
    ),
    Row(
        title="LeNet, XNOR-type: 1-bit weights and activations, first and last layer 8-bit",
        network="lenet",
        weights="bwn",
        activations="binary",
        least=0.99,
        settings=LENET,
        floats=LENET,
    ),
    Row(
        title="784-64×3-10, 2-bit weights, activations and input",
        network="mlp64",
        weights="ternary,edges=ternary",
        activations=TWO_BITS,
        least=0.97,
        settings=MLP | {"epochs": 30},
    ),
    Row(
        title="784-256×3-10, 2-bit weights, activations and input",
        network="mlp256",
        weights="ternary,edges=ternary",
        activations=TWO_BITS,
        least=0.98,
        settings=MLP | {"epochs": 12},
        published=0.9866,
    ),
    Row(
        title="784-1024×3-10, 1-bit weights, 2-bit activations and input",
        network="mlp1024",
        weights="wrpn1,edges=wrpn1",
        activations=TWO_BITS,
        least=0.98,
        settings=MLP | {"rate": 1e-3, "epochs": 5},
        published=0.9899,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is trained.

    Parameters
    ----------
    data : Data
    rows : tuple of Row
    """

    data: Data = Data(name="mnist")
    rows: tuple = ROWS


def scale(full, folder):
    """The default; `FULL_EPOCHS` for the rows with published figures, if `full`."""
    if not full:
        return Scale()
    rows = (row for row in ROWS if row.published is not None)
    longer = (dataclasses.replace(row, settings=row.settings | {"epochs": FULL_EPOCHS}) for row in rows)
    return Scale(rows=tuple(longer))


def trials(scale, seeds):
    """All that is trained."""
    found = []
    for row in scale.rows:
        for seed in seeds:
            given = {"weights": row.weights, "activations": row.activations, **row.settings}
            if row.floats is not None:
                given["start"] = network(scale.data, row.network, seed, **row.floats)
            recipe = network(scale.data, row.network, seed, **given)
            found.append(Trial(row=row.title, recipe=recipe, data=scale.data))
    return found


def results(found, scale):
    """JSON values of the table from {row: {seed: figures}}."""
    rows = []
    for row in scale.rows:
        runs = found[row.title]
        first = next(iter(runs.values()))
        epochs = {"epochs": row.settings["epochs"], "float_epochs": (row.floats or {"epochs": 0})["epochs"]}
        made = {"row": row.title, "least": row.least, "published": row.published, "test": over(runs, "test")}
        made |= {"bits": first["weight_bits"] / first["weights"], "by": first["by"]} | epochs
        rows.append(made | {"nonzero": over(runs, "nonzero")["mean"], "macs": first["macs"]})
    return {"title": scale.data.title, "rows": rows}


def markdown(found):
    """Sections of the page."""
    head = ["network", "bits a weight", "nonzero", "epochs", "test accuracy", "asked for", "published"]
    lines = []
    for row in found["rows"]:
        epochs = f"{row['float_epochs']} float + {row['epochs']}" if row["float_epochs"] else f"{row['epochs']}"
        published = "" if row["published"] is None else percent(row["published"])
        asked = f"≥ {row['least']:.1%}, {'reached' if row['test']['mean'] >= row['least'] else 'missed'}"
        cells = [row["row"], f"{row['bits']:.2f}", percent(row["nonzero"]), epochs, mean(row["test"]), asked, published]
        lines.append(cells)
    return [
        f"{found['title']}.",
        table(head, lines),
        "Test accuracy by golden's integers: mean and standard deviation over seeds, the test set read once, the epoch "
        "chosen on held-out images. *Bits a weight* and *nonzero* are of all weights. Images are moved by up to 2 pixels in "
        "the training of LeNet and 1 in that of the MLPs, whose 2-bit weights are TWN's. The published figures took "
        f"{PUBLISHED_EPOCHS} epochs; `--full` trains {FULL_EPOCHS}. {AGREED}",
    ]


def pictures(found, folder):
    """None: the table says it all."""
