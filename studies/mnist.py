"""What narrow networks reach on MNIST, by golden's integers."""

import dataclasses
from dataclasses import dataclass

from quant.settings import Distillation
from studies.samples import Data
from studies.tables import mean, over, percent, table
from studies.trials import AGREED, Trial, network

__all__ = ["ROWS", "SEEDS", "TITLE", "markdown", "pictures", "results", "scale", "trials"]

TITLE = "MNIST in narrow numbers"
SEEDS = (0, 1, 2)
TWO_BITS = "wrpn2,edges=wrpn2,input=wrpn2"
PUBLISHED_EPOCHS = 500


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
    full : dict, optional
        Settings of ``--full``, which asks for the published accuracy, where they differ. With a distillation the
        teacher is the float network of `LENET`, of the same seed.
    """

    title: str
    network: str
    weights: str
    activations: str
    least: float
    settings: dict
    floats: dict | None = None
    published: float | None = None
    full: dict | None = None


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
        full={"epochs": 100},
    ),
    Row(
        title="784-1024×3-10, 1-bit weights, 2-bit activations and input",
        network="mlp1024",
        weights="wrpn1,edges=wrpn1",
        activations=TWO_BITS,
        least=0.98,
        settings=MLP | {"rate": 1e-3, "epochs": 5},
        published=0.9899,
        full={"batch": 256, "rate": 2e-3, "epochs": 40, "distillation": Distillation(temperature=4)},
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
    """The default; the rows with published figures, which are asked for then, if `full`."""
    if not full:
        return Scale()
    rows = (row for row in ROWS if row.full is not None)
    longer = (dataclasses.replace(row, settings=row.settings | row.full, least=row.published) for row in rows)
    return Scale(rows=tuple(longer))


def trials(scale, seeds):
    """All that is trained."""
    found = []
    for row in scale.rows:
        for seed in seeds:
            given = {"weights": row.weights, "activations": row.activations, **row.settings}
            if row.floats is not None:
                given["start"] = network(scale.data, row.network, seed, **row.floats)
            if "distillation" in given:
                given["teacher"] = network(scale.data, "lenet", seed, **LENET)
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
        made |= {"shift": row.settings["shift"], "taught": "distillation" in row.settings}
        rows.append(made | {"nonzero": over(runs, "nonzero")["mean"], "macs": first["macs"]})
    return {"title": scale.data.title, "rows": rows}


def markdown(found):
    """Sections of the page."""
    head = ["network", "bits a weight", "nonzero", "epochs", "shift", "test accuracy", "asked for", "published"]
    lines = []
    for row in found["rows"]:
        epochs = f"{row['float_epochs']} float + {row['epochs']}" if row["float_epochs"] else f"{row['epochs']}"
        published = "" if row["published"] is None else percent(row["published"])
        asked = f"≥ {percent(row['least'])}, {'reached' if row['test']['mean'] >= row['least'] else 'missed'}"
        trained = [percent(row["nonzero"]), epochs + " with a teacher" * row["taught"], row["shift"]]
        lines.append([row["row"], f"{row['bits']:.2f}", *trained, mean(row["test"]), asked, published])
    longer = " and ".join(str(row.full["epochs"]) for row in ROWS if row.full is not None)
    teacher = "*With a teacher*: by Apprentice's loss, the teacher being LeNet of floats, trained with the same seed. "
    return [
        f"{found['title']}.",
        table(head, lines),
        "Test accuracy by golden's integers: mean and standard deviation over seeds, the test set read once, the epoch "
        "chosen on held-out images. *Bits a weight* and *nonzero* are of all weights; the 2-bit weights of the MLPs are "
        "TWN's. *Shift*: by how many pixels, at most, images are moved in training. The published figures took "
        f"{PUBLISHED_EPOCHS} epochs; `--full` asks for them after {longer}. "
        + teacher * any(row["taught"] for row in found["rows"])
        + AGREED,
    ]


def pictures(found, folder):
    """None: the table says it all."""
