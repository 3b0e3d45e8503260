"""Every method of narrow weights from one float network, two epochs each: accuracy, bits, zeros, area and cycles."""

from dataclasses import dataclass, field
from itertools import combinations

from golden.layer_tables import topology
from studies.elements import EDGE, cycles, elements
from studies.samples import Data
from studies.tables import apart, counted, mean, over, percent, plain, spread, table
from studies.trials import AGREED, Trial, network

__all__ = ["ROWS", "SEEDS", "TITLE", "markdown", "pictures", "results", "scale", "trials"]

TITLE = "Methods of narrow weights"
SEEDS = (0, 1, 2, 3, 4)
FLOAT = "float"
MARKS = "osD^v"  # of the methods in the picture, in turn


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method.

    Parameters
    ----------
    title, weights, activations : str
    dense : str, optional
        Weights of inner dense layers, where they are others.
    target : str
        Whose processing element multiplies in the inner layers.
    settings : dict
        Parameters of the target; for `weights`, where `dense` differ.
    loss : float, optional
        Published top-1 loss on AlexNet, in points.
    """

    title: str
    weights: str
    activations: str = "int8"
    dense: str | None = None
    target: str
    settings: dict = field(default_factory=dict)
    loss: float | None = None

    def spelled(self, net):
        """The weights of a topology, as `quant.schemes.schemes` reads them."""
        dense = [row.name for row in net.rows[1:-1] if row.kind == "dense" and self.dense is not None]
        return ",".join([self.weights, *(f"{name}={self.dense}" for name in dense)])


# losses: Emer, Sze and Chen, Hardware Architectures for Deep Neural Networks, tutorial, "Summary of Reduce Precision"
ROWS = (
    Row(title=FLOAT, weights="float", activations="", target="fp32_gemm"),
    Row(title="integers, 8 bits", weights="int8", target="int8_gemm"),
    Row(title="static fixed point, 8 bits", weights="int8e-6", activations="uint8e-5", target="int8_gemm"),
    Row(title="dynamic fixed point, 8 bits", weights="dfp8", activations="dfp8", target="int8_gemm", loss=0.6),
    Row(title="minifloat weights, 1-4-3", weights="mini_e4m3", target="minifloat_gemm", settings={"a": "uint8"}),
    Row(title="powers of two, 4 bits", weights="pow2_4", target="pow2_gemm"),
    Row(title="TWN", weights="ternary", target="ternary_gemm", loss=3.7),
    Row(title="TTQ", weights="ttq", target="ttq_gemm", loss=0.6),
    Row(title="WRPN, 2-bit weights", weights="wrpn2", activations="wrpn8", target="ternary_gemm"),
    Row(
        title="WRPN, 2-bit weights and activations",
        weights="wrpn2",
        activations="wrpn2",
        target="ternary_gemm",
        settings={"a": "uint2"},
    ),
    Row(title="WRPN, 1-bit weights", weights="wrpn1", activations="wrpn8", target="binary_gemm"),
    Row(title="BinaryConnect", weights="binaryconnect", target="binary_gemm", loss=19.2),
    Row(title="BinaryConnect, stochastic", weights="binaryconnect_stochastic", target="binary_gemm"),
    Row(title="BWN", weights="bwn", target="binary_gemm", loss=0.8),
    Row(title="BWN, a scale a layer", weights="bwn_layer", target="binary_gemm"),
    Row(title="BNN", weights="bnn", activations="binary", target="xnor_gemm", loss=29.8),
    Row(title="XNOR-Net, mean scale", weights="bwn", activations="binary_scaled", target="xnor_gemm", loss=11.0),
    Row(title="LogNet", weights="log5", activations="log4", dense="log4", target="log_gemm", loss=3.2),
    Row(
        title="shared weights",
        weights="shared8",
        dense="shared4",
        target="codebook_gemm",
        settings={"bits": 8, "entry": "int16", "acc_width": 34},
        loss=0.0,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is trained.

    Parameters
    ----------
    data : tuple of Data
    network : str
    seeds : int, optional
        Of all data but the first no more than so many.
    epochs, floats : int
        Of each method, and of the float network.
    flip : bool
    rows : tuple of Row
    """

    data: tuple
    network: str = "lenet"
    seeds: int | None = None
    epochs: int = 2
    floats: int = 10
    flip: bool = False
    rows: tuple = ROWS


def scale(full, folder):
    """The default; all images, if `full`; CIFAR-10 Full on a folder of the user's."""
    if folder is not None:
        return Scale(data=(Data(name=folder),), network="cifar10_full", floats=30, flip=True)
    if full:
        return Scale(data=(Data(name="fashion-mnist"), Data(name="mnist")))
    few = {"train": 12_000, "held_out": 500}
    return Scale(data=(Data(name="fashion-mnist", **few), Data(name="mnist", **few)), seeds=1)


def trials(scale, seeds):
    """All that is trained."""
    found = []
    for i, data in enumerate(scale.data):
        net = topology(data.network(scale.network))
        for seed in seeds[: scale.seeds if i else None]:
            common = {"batch": 64, "decay": 1e-2, "shift": 1, "flip": scale.flip}
            start = network(data, scale.network, seed, epochs=scale.floats, rate=3e-3, **common)
            for row in scale.rows:
                recipe = start
                if row.weights != FLOAT:
                    given = {"weights": row.spelled(net), "activations": row.activations, "start": start}
                    recipe = network(data, scale.network, seed, epochs=scale.epochs, rate=1e-3, **given, **common)
                found.append(Trial(row=f"{data.name}: {row.title}", recipe=recipe, data=data))
    return found


def results(found, scale):
    """JSON values of the tables."""
    costs = elements({row.title: (row.target, row.settings) for row in scale.rows})
    made = {"data": []}
    for data in scale.data:
        net, rows = topology(data.network(scale.network)), []
        for row in scale.rows:
            runs = found[f"{data.name}: {row.title}"]
            figures = {what: over(runs, what) for what in ("test", "nonzero", "products")}
            first = next(iter(runs.values()))
            figures |= {"row": row.title, "by": first["by"], "bits": first["weight_bits"] / first["weights"]}
            figures |= {"loss": row.loss, "target": row.target, "area": costs[row.title]}
            edge = row.target if row.weights == FLOAT else EDGE
            rows.append(figures | {"cycles": cycles(net, row.target, row.settings, edge)})
        figures = {"name": data.name, "title": data.title, "seeds": list(runs), "rows": rows, "pairs": pairs(rows)}
        made["data"].append(figures)
    made["training"] = {"epochs": scale.epochs, "floats": scale.floats, "network": scale.network}
    return made


def pairs(rows):
    """Of each two methods with published losses that differ, the better one there, and here if they are apart."""
    found = []
    for a, b in combinations([row for row in rows if row["loss"] is not None], 2):
        if a["loss"] != b["loss"]:
            theirs = min(a, b, key=lambda row: row["loss"])["row"]
            ours = max(a, b, key=lambda row: row["test"]["mean"])["row"] if apart(a["test"], b["test"]) else None
            found.append({"pair": [a["row"], b["row"]], "theirs": theirs, "ours": ours})
    return found


def markdown(found):
    """Sections of the page."""
    training = found["training"]
    floats, epochs = (counted(training[what], "epoch") for what in ("floats", "epochs"))
    sections = [
        f"{training['network']}: a float network of {floats} for each seed; from it, every method trains {epochs} with the "
        "same settings. First and last layers have 8-bit weights, and activations 8 bits where the method does not say "
        "otherwise; those of LogNet 4 bits. As in the published figures, weights of LogNet have 5 bits in convolutions and "
        "4 in dense layers, shared ones codes of 8 and 4 bits. *Static* fixed point has one unit for all inner weights and "
        "another for their activations. XNOR-Net's scale of activations is one mean for a layer, as "
        "sums of signs alone have no room for one of each window. Accuracy is golden's, on all test images, of the float "
        "network torch's; mean and standard deviation over seeds. *Against float*: difference in points, seed by seed. "
        f"{AGREED}"
    ]
    for data in found["data"]:
        alone = "" if data["seeds"] == found["seeds"] else f"; seed {', '.join(map(str, data['seeds']))} alone"
        sections += [f"## {data['name']}", f"{data['title']}{alone}.", rows(data), *ordered(data)]
    sections.append(
        "*Bits* are those of all weights, 8-bit layers included; *nonzero* is a share of weights, *products* one of an "
        "image's products. *Area* is that of a processing element of the target, in gate equivalents for each product that "
        "it adds in a cycle; *cycles* are those of an image on 8 × 8 elements, by the model that equals the Verilog's "
        "cycles, first and last layer on `int8_gemm`, of floats on `fp32_gemm`. LogNet's area is that of convolutions. "
        "Codebooks are looked up at the edge of the array, outside its elements."
    )
    return sections


def rows(data):
    """The table of one data set."""
    floats = next(row for row in data["rows"] if row["row"] == FLOAT)
    head = ["method", "accuracy", "against float", "bits a weight", "nonzero", "products", "target", "area", "cycles"]
    lines = []
    for row in data["rows"]:
        pairs = zip(row["test"]["runs"], floats["test"]["runs"], strict=True)
        gap = "" if row is floats else f"{100 * spread(a - b for a, b in pairs)['mean']:+.2f}"
        cells = [row["row"], mean(row["test"]), gap, f"{row['bits']:.2f}"]
        cells += [percent(row[what]["mean"]) for what in ("nonzero", "products")]
        lines.append([*cells, f"`{row['target']}`", plain(row["area"], 0), plain(row["cycles"], 0)])
    return table(head, lines)


def ordered(data):
    """Sections: which methods are better, here and on AlexNet."""
    if data["rows"][0]["test"]["error"] is None:
        return ["One seed: no order."]
    told = [pair for pair in data["pairs"] if pair["ours"] is not None]
    if not told:
        return ["Of no two methods with a published loss do the means differ by more than two standard errors."]
    same = sum(pair["ours"] == pair["theirs"] for pair in told)
    published = sorted((row for row in data["rows"] if row["loss"] is not None), key=lambda row: row["loss"])
    head = ["better", "worse", "on AlexNet"]
    lines = []
    for pair in told:
        [worse] = set(pair["pair"]) - {pair["ours"]}
        lines.append([pair["ours"], worse, "so too" if pair["ours"] == pair["theirs"] else "the other way round"])
    return [
        "Published losses of top-1 accuracy on AlexNet, in points: "
        + ", ".join(f"{row['row']} {row['loss']:g}" for row in published)
        + f". Of {len(data['pairs'])} pairs that differ there, the means of {len(told)} are further apart here than two "
        f"standard errors of their difference; {same} of these are in AlexNet's order:",
        table(head, sorted(lines, key=lambda line: line[2])),
    ]


def pictures(found, folder):
    """Accuracy against the area of an element, of each data set, and which mark is which method."""
    from matplotlib import colormaps

    from quant.plots import picture

    stem, count = found["stem"], len(found["data"])
    with picture(folder / f"{stem}.png", 1, count + 1, (5.5 * count + 2.5, 5)) as axes:
        for axis, data in zip(axes, found["data"], strict=False):
            for i, row in enumerate(data["rows"]):
                how = {"color": colormaps["tab20"](i % 20), "fmt": MARKS[i % len(MARKS)], "markersize": 6, "label": row["row"]}
                axis.errorbar(row["area"], 100 * row["test"]["mean"], yerr=100 * (row["test"]["deviation"] or 0), **how)
            axis.set_xscale("log")
            axis.set_xlabel("gate equivalents of an element, for each product in a cycle")
            axis.set_ylabel("test accuracy, %")
            axis.set_title(data["name"])
            axis.grid(alpha=0.25)
        axes[-1].axis("off")
        axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center left", fontsize=9)
