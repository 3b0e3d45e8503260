"""Tricks that train ternary networks, one at a time and all together, and depth against precision."""

import math
from dataclasses import dataclass

from golden.layer_tables import topology
from quant.recipes import METHODS
from studies.curves import convergence, draw
from studies.samples import Data
from studies.tables import apart, counted, mean, over, percent, plain, spread, table
from studies.trials import Trial, network

__all__ = ["SEEDS", "TITLE", "TRICKS", "markdown", "pictures", "results", "scale", "trials"]

TITLE = "Tricks that train ternary networks"
SEEDS = (0, 1, 2)
FLOAT, BASE, FOUR, STEADY = "float", "ternary", "the four of figure 3", "Adam: constant rate"

REG, ERRORS, THRESHOLD, STALLED = (METHODS[name].settings for name in ("reg", "gradupdate", "relut", "lr"))
CONSTANT = {name: STALLED[name] for name in ("rule", "decay")}


@dataclass(frozen=True, kw_only=True)
class Trick:
    """What is changed of the ternary network's training.

    Parameters
    ----------
    title : str
    settings : dict
        Of the training loop.
    skip : bool
        Whether the first layer keeps floats.
    pretrained : bool
        Whether a sixth of the epochs is spent in full precision, as the paper's 15 of 90.
    against : str
        Title of the row that it is compared with, from which it differs by the trick alone.
    """

    title: str
    settings: dict
    skip: bool = False
    pretrained: bool = False
    against: str = BASE


TRICKS = (
    Trick(title=BASE, settings={}),
    Trick(title="Reg: activations regularised", settings=REG),
    Trick(title="GradUpdate: no error of images that are right", settings=ERRORS),
    Trick(title="ReluT: threshold 0.01 in the end", settings=THRESHOLD),
    Trick(title="SkipLayer: first layer in floats", settings={}, skip=True),
    Trick(title=FOUR, settings=REG | ERRORS | THRESHOLD, skip=True),
    Trick(title=STEADY, settings=CONSTANT),
    Trick(title="LR: the same, cut where training stalls", settings=STALLED, against=STEADY),
    Trick(title="PI: a sixth of the epochs in floats first", settings={}, pretrained=True),
)
EQUAL = 1.25  # compute is called equal up to this ratio
FIGURES = {"figure 3": range(6), "figure 4": (0, 6, 7, 8)}  # of the paper → which tricks it is about


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is trained.

    Parameters
    ----------
    data : Data
    network : str
        Of the tricks.
    sizes : dict
    shallow, deep : str
        Of the comparison of depths, with floats and with ternary weights.
    width : float
        Of these two.
    epochs, batch : int
    flip : bool
    """

    data: Data
    network: str = "vgg_small"
    sizes: dict
    shallow: str = "resnet8"
    deep: str = "resnet20"
    width: float = 0.5
    epochs: int = 24  # long enough for training to stall at a constant rate
    batch: int = 64
    flip: bool = False


def scale(full, folder):
    """The default; whole images, if `full`; the paper's kind of network on a folder of the user's."""
    if folder is not None:
        sizes = {"network": "vgg_cifar", "shallow": "resnet20", "deep": "resnet44", "width": 1, "epochs": 90}
        return Scale(data=Data(name=folder), sizes={}, batch=128, flip=True, **sizes)
    if full:
        return Scale(data=Data(name="fashion-mnist"), sizes={}, epochs=60, batch=128, width=1)
    return Scale(data=Data(name="fashion-mnist", train=10_000, held_out=1000, halved=True), sizes={})


def ternary(net, skip):
    """Weight schemes: ternary convolutions, dense layers in floats, as the paper has them."""
    dense = [f"{row.name}=float" for row in net.rows if row.kind == "dense"]
    return ",".join(["ternary,edges=ternary", *dense, *([f"{net.rows[0].name}=float"] if skip else [])])


def trials(scale, seeds):
    """All that is trained."""
    common = {"batch": scale.batch, "rate": 3e-3, "decay": 1e-2, "shift": 1, "flip": scale.flip}
    first, found = max(1, scale.epochs // 6), []
    net = topology(scale.data.network(scale.network, **scale.sizes))
    deep = topology(scale.data.network(scale.deep, width=scale.width))
    for seed in seeds:

        def add(row, name, sizes, seed=seed, **given):
            given = common | {"epochs": scale.epochs} | given
            recipe = network(scale.data, name, seed, sizes=sizes, **given)
            found.append(Trial(row=row, recipe=recipe, data=scale.data))

        add(FLOAT, scale.network, scale.sizes)
        for trick in TRICKS:
            given = {"weights": ternary(net, trick.skip), "activations": "float", **trick.settings}
            if trick.pretrained:
                start = network(scale.data, scale.network, seed, sizes=scale.sizes, **common, epochs=first)
                given |= {"start": start, "epochs": scale.epochs - first}
            add(trick.title, scale.network, scale.sizes, **given)
        add(f"{scale.shallow} float", scale.shallow, {"width": scale.width})
        given = {"weights": ternary(deep, True), "activations": "float"}
        add(f"{scale.deep} ternary", scale.deep, {"width": scale.width}, **given)
    return found


def results(found, scale):
    """JSON values of the tables."""
    made = {"title": scale.data.title, "epochs": scale.epochs, "network": scale.network, "flip": scale.flip, "rows": []}
    for title in (FLOAT, *(trick.title for trick in TRICKS)):
        made["rows"].append(summary(title, found[title]))
    made["depth"] = [summary(title, found[title]) for title in (f"{scale.shallow} float", f"{scale.deep} ternary")]
    return made


def summary(title, runs):
    """The figures of a row."""
    figures = {what: over(runs, what) for what in ("test", "nonzero", "activations", "products")}
    skipped = [sum(row["skipped"] for row in run["history"]) for run in runs.values()]
    figures |= {"row": title, "curve": convergence(runs), "macs": next(iter(runs.values()))["macs"]}
    return figures | {"skipped": spread(skipped)["mean"]}


def markdown(found):
    """Sections of the page."""
    rows, against = {row["row"]: row for row in found["rows"]}, {trick.title: trick.against for trick in TRICKS}
    head = ["network", "test accuracy", "difference", "nonzero weights", "nonzero activations", "nonzero products"]
    lines = []
    for row in found["rows"]:
        base = rows[against.get(row["row"], BASE)]
        pairs = zip(row["test"]["runs"], base["test"]["runs"], strict=True)
        gap = f"{100 * spread(a - b for a, b in pairs)['mean']:+.2f}{' *' if apart(row['test'], base['test']) else ''}"
        shares = [percent(row[what]["mean"]) for what in ("nonzero", "activations", "products")]
        lines.append([row["row"], mean(row["test"]), "" if row is base else gap, *shares])
    shallow, deep = found["depth"]
    whole = deep["products"]["mean"] * deep["macs"] / shallow["macs"]
    return [
        f"{found['title']}. {found['network']}, {counted(found['epochs'], 'epoch')} by AdamW with weight decay, its "
        f"rate falling as half a cosine, random shifts of a pixel{' and mirror images' * found['flip']}. *{STEADY}* has "
        f"neither decay nor a falling rate, and *LR* adds its cuts to that alone. *{BASE}*: TWN in all "
        "convolutions, from nothing; dense layers and activations are floats, as in the paper, so that accuracy is torch's. "
        f"*Reg* adds {REG['activity']:g} times the sum of an image's activations to its loss; *LR* multiplies the rate by "
        f"{STALLED['cut']:g} where the training error has not fallen for {counted(STALLED['patience'], 'epoch')}.",
        table(head, lines),
        f"Mean and standard deviation over seeds. *Difference*: from *{BASE}*, that of *LR* from *{STEADY}*, in points, "
        "seed by seed, with * where the means are further apart than two standard errors. Shares are of all weights, of "
        "what layers read and of an image's products: what a zero-skipping accelerator has left to do. The paper, on "
        "CIFAR-10: ternary about 3 points below float, the four tricks together 1.6 points up; on ImageNet, cuts of the "
        "rate 1 point up.",
        "## Depth against precision",
        depth(found["depth"]),
        "The paper's point: the deeper ternary network needs fewer products and is better than the shallower one in floats. "
        f"Here it is {order(deep, shallow)}. Of products that are not zero it has {beside(ratio(deep, shallow))} the "
        f"shallower one, and {beside(whole)} that one's products with all zeros: the paper counts so, a grid that skips zeros "
        "beside hardware that does not. Its first and last layer are floats.",
    ]


def ratio(deep, shallow):
    """Nonzero products of one network over those of another."""
    return deep["products"]["mean"] * deep["macs"] / (shallow["products"]["mean"] * shallow["macs"])


def beside(times):
    """How many, beside others: about as many within a quarter."""
    return f"about as many ({times:.2f} times) as" if 1 / EQUAL <= times <= EQUAL else f"{times:.2f} times as many as"


def order(deep, shallow):
    """Which network is better, if their means are apart."""
    if not apart(deep["test"], shallow["test"]):
        return "not further than two standard errors of the difference from it"
    return "better" if deep["test"]["mean"] > shallow["test"]["mean"] else "worse"


def depth(rows):
    """The table of depths."""
    head = ["network", "test accuracy", "products, millions", "of them not zero, millions", "nonzero weights"]
    lines = []
    for row in rows:
        done = row["macs"] / 1e6 * row["products"]["mean"]
        cells = [row["row"], mean(row["test"]), plain(row["macs"] / 1e6, 2), plain(done, 2)]
        lines.append([*cells, percent(row["nonzero"]["mean"])])
    return table(head, lines)


def pictures(found, folder):
    """Convergence, as in the paper's figures 3 and 4; epochs in floats come before the first point of a curve."""
    from quant.plots import picture

    before = [[math.nan] * (found["epochs"] - len(row["curve"])) for row in found["rows"]]
    curves = [(row["row"], nothing + row["curve"]) for nothing, row in zip(before, found["rows"], strict=True)]
    with picture(folder / f"{found['stem']}.png", 1, 2, (13, 4.5)) as axes:
        for axis, (title, which) in zip(axes, FIGURES.items(), strict=True):
            chosen = dict([curves[0], *(curves[1 + i] for i in which)])
            draw(axis, {label.partition(":")[0]: curve for label, curve in chosen.items()}, f"as {title} of the paper")
