"""Pruning by magnitude and by energy: accuracy against weights that are left, and against energy."""

from dataclasses import dataclass

from golden.energy import EnergySpec
from quant.cache import PRUNING
from quant.energy_aware import energies, total
from quant.pruning import Pruning
from studies.samples import Data
from studies.tables import counted, mean, over, percent, plain, table
from studies.trials import Trial, few, network

__all__ = ["METHODS", "SEEDS", "TITLE", "markdown", "pictures", "results", "scale", "trials"]

TITLE = "Pruning by magnitude and by energy"
SEEDS = (0, 1, 2)
TICKS = (3, 6, 12, 25, 35, 50, 70, 100)  # of both axes, %
METHODS = {  # title → settings of `Pruning`, colour and line of a curve
    "magnitude": ({"method": "magnitude"}, "#57606a", "-"),
    "magnitude, across": ({"method": "magnitude", "across": True}, "#57606a", "--"),
    "energy-aware": ({"method": "energy"}, "#0969da", "-"),
    "energy-aware, across": ({"method": "energy", "across": True}, "#0969da", "--"),
}
WHOLE = "not pruned"
POINT = 0.01  # of accuracy, that may be lost
PUBLISHED = {"AlexNet": 3.7, "GoogLeNet": 1.6}  # how many times less energy: Emer, Sze and Chen, tutorial


def energy(model, images):
    """Energy of an image, as `golden.energy` models it, in multiplications of 16 bits."""
    return sum(total(levels) for levels in energies(model, images).values())


class Weighed(Trial):
    """A float network, pruned or not, whose energy is modelled too."""

    CODE = (*Trial.CODE, *PRUNING, "studies.pruning")

    def made(self, dataset, build):
        run, more = super().made(dataset, build)
        return run, more | {"energy": energy(run.model, few(dataset.held_out))}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is trained.

    Parameters
    ----------
    data : Data
    network : str
    kept : tuple of float
        Shares of the weights that stay: of every layer, or across layers.
    floats, epochs : int
        Of the float network, and behind pruning.
    flip : bool
    """

    data: Data
    network: str = "lenet"
    kept: tuple = (0.5, 0.25, 0.12, 0.06, 0.03)
    floats: int = 10
    epochs: int = 2
    flip: bool = False


def scale(full, folder):
    """The default; whole images and longer retraining, if `full`; CIFAR-10 Full on a folder of the user's."""
    if folder is not None:
        return Scale(data=Data(name=folder), network="cifar10_full", floats=30, epochs=10, flip=True)
    if full:
        return Scale(data=Data(name="fashion-mnist"), epochs=8)
    return Scale(data=Data(name="fashion-mnist", train=20_000, held_out=1000))


def title(method, kept):
    """The row of a table."""
    return f"{method}, {kept:.0%} kept"


def trials(scale, seeds):
    """All that is trained."""
    common, found = {"batch": 128, "shift": 1, "flip": scale.flip}, []
    for seed in seeds:
        start = network(scale.data, scale.network, seed, epochs=scale.floats, rate=3e-3, decay=1e-2, **common)
        found.append(Weighed(row=WHOLE, recipe=start, data=scale.data))
        for method, (settings, *_) in METHODS.items():
            for kept in scale.kept:
                pruning = Pruning(kept=kept, **settings)
                given = {"start": start, "pruning": pruning, "method": f"prune_{pruning.method}"}
                recipe = network(scale.data, scale.network, seed, epochs=scale.epochs, rate=1e-3, **given, **common)
                found.append(Weighed(row=title(method, kept), recipe=recipe, data=scale.data))
    return found


def results(found, scale):
    """JSON values of the table."""
    made = {"title": scale.data.title, "network": scale.network, "epochs": scale.epochs, "rows": []}
    for method, kept in ((None, 1.0), *((method, kept) for method in METHODS for kept in scale.kept)):
        runs = found[WHOLE if method is None else title(method, kept)]
        figures = {what: over(runs, what) for what in ("test", "nonzero", "energy")}
        made["rows"].append({"method": method, "kept": kept} | figures)
    return made


def markdown(found):
    """Sections of the page."""
    whole = found["rows"][0]
    head = ["pruned by", "kept", "nonzero weights", "test accuracy", "energy"]
    lines = []
    for row in found["rows"]:
        cells = [row["method"] or WHOLE, f"{row['kept']:.0%}", percent(row["nonzero"]["mean"])]
        lines.append([*cells, mean(row["test"]), percent(row["energy"]["mean"] / whole["energy"]["mean"])])
    return [
        f"{found['title']}. {found['network']} in floats, pruned at once, each layer to the same share of its weights or "
        f"*across* them, and trained on for {counted(found['epochs'], 'epoch')}. *Energy-aware* goes through the layers in "
        "the order of their energy, restores what the sums miss most and refits the rest by least squares before it trains. "
        "Across layers, by magnitude all weights compete; energy-aware, shares are those with the least error of sums for "
        "their energy, and at most as many weights stay.",
        table(head, lines),
        saved(found["rows"]),
        "Test accuracy by torch, mean and standard deviation over seeds. *Energy*: of an image with numbers of 16 bits, as "
        f"`golden.energy` models it, beside that of the whole network, {plain(whole['energy']['mean'] / 1e6, 2)} million "
        f"multiplications' worth; a weight is fetched from DRAM once for {EnergySpec().batch} images, which share its "
        "cost. What pruning, sharing and Huffman codes save together: [Deep Compression](compression.md).",
    ]


def saved(rows):
    """How much less energy each method needs for nearly the accuracy of the whole network."""
    whole, *rows = rows
    near = [row for row in rows if row["test"]["mean"] >= whole["test"]["mean"] - POINT]
    words = []
    for method in METHODS:
        times = [whole["energy"]["mean"] / row["energy"]["mean"] for row in near if row["method"] == method]
        words.append(f"{method} {max(times):.1f} times less" if times else f"{method} never")
    theirs = " and ".join(f"{times:g} times for {name}" for name, times in PUBLISHED.items())
    return (
        f"Energy at no more than {100 * POINT:g} point of accuracy lost: {'; '.join(words)}. Published, energy-aware, with "
        f"rounds of pruning and training, of far larger networks: {theirs}."
    )


def pictures(found, folder):
    """Accuracy against nonzero weights and against energy."""
    from quant.plots import picture

    whole = found["rows"][0]["energy"]["mean"]
    axes_of = {"nonzero": ("weights that are not zero, %", 1), "energy": ("energy, % of the whole network's", whole)}
    with picture(folder / f"{found['stem']}.png", 1, 2, (12, 4.5)) as axes:
        for axis, (what, (label, unit)) in zip(axes, axes_of.items(), strict=True):
            for method, (_, colour, line) in METHODS.items():
                rows = [row for row in found["rows"] if row["method"] in (None, method)]
                x = [100 * row[what]["mean"] / unit for row in rows]
                y = [100 * row["test"]["mean"] for row in rows]
                spreads = [100 * (row["test"]["deviation"] or 0) for row in rows]
                axis.errorbar(x, y, spreads, label=method, color=colour, linestyle=line, marker="o")
            axis.set_xscale("log")
            ticks = [tick for tick in TICKS if tick >= axis.get_xlim()[0]]
            axis.set_xticks(ticks, list(map(str, ticks)))
            axis.minorticks_off()
            axis.set_xlabel(label)
            axis.set_ylabel("test accuracy, %")
            axis.grid(alpha=0.25)
            axis.legend(fontsize=8, loc="lower right")
