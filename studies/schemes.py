"""WRPN and Apprentice: wide networks of narrow numbers, with and without a teacher."""

from dataclasses import dataclass

from golden.costs import compute_cost
from golden.layer_tables import topology
from quant.settings import Distillation
from studies import footprints
from studies.curves import convergence, draw, reached
from studies.samples import Data
from studies.tables import counted, mean, over, percent, plain, spread, table
from studies.trials import AGREED, Trial, network

__all__ = ["SCHEMES", "SEEDS", "TITLE", "markdown", "pictures", "results", "scale", "trials"]

TITLE = "WRPN and Apprentice"
SEEDS = (0, 1, 2)
TEACHER_SEED = 0

LONGER = "baseline, trained on"  # floats from the floats of the baseline, for as long as narrow networks
WIDER = "WRPN, all filters, + Apprentice"
SCHEMES = {  # title → sizes that differ from the baseline's, whether there is a teacher
    "baseline": ({}, False),
    LONGER: ({}, False),
    "WRPN": ({"first": 2}, False),
    "Apprentice": ({}, True),
    "WRPN + Apprentice": ({"first": 2}, True),
    WIDER: ({"width": 2}, True),
}
PUBLISHED = {  # network → scheme → {(weight bits, activation bits): error in %}: Mishra and Marr, tables 1 to 4
    "resnet44": {
        "baseline": {(32, 32): 6.5, (32, 8): 7.0, (4, 32): 6.6, (4, 8): 7.0, (2, 32): 6.8, (2, 8): 7.4},
        "WRPN": {(32, 32): 6.3, (32, 8): 6.7, (4, 32): 6.2, (4, 8): 6.7, (2, 32): 6.2, (2, 8): 6.9},
        "Apprentice": {(32, 32): 6.2, (32, 8): 6.4, (4, 32): 6.3, (4, 8): 6.4, (2, 32): 6.3, (2, 8): 6.6},
        "WRPN + Apprentice": {(32, 32): 5.8, (32, 8): 6.1, (4, 32): 5.8, (4, 8): 6.1, (2, 32): 5.8, (2, 8): 6.2},
    },
    "resnet56": {
        "baseline": {(32, 32): 6.2, (32, 8): 6.9, (4, 32): 6.2, (4, 8): 6.9, (2, 32): 6.3, (2, 8): 7.2},
        "WRPN": {(32, 32): 5.8, (32, 8): 6.3, (4, 32): 5.8, (4, 8): 6.3, (2, 32): 5.9, (2, 8): 6.4},
        "Apprentice": {(32, 32): 5.5, (32, 8): 5.9, (4, 32): 5.7, (4, 8): 5.9, (2, 32): 5.8, (2, 8): 6.1},
        "WRPN + Apprentice": {(32, 32): 5.3, (32, 8): 5.8, (4, 32): 5.4, (4, 8): 5.8, (2, 32): 5.5, (2, 8): 5.6},
    },
}
NARROW, WIDE = (2, 8), (32, 32)
PRECISIONS = (WIDE, NARROW)
RATE = 3e-3
NARROW_RATE = 6e-3  # from floats, chosen on held-out images: of 0.5, 1, 3, 6 and 10 thousandths the best, with two seeds
GRID = tuple((w, a) for w in (32, 4, 2) for a in (32, 8))


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much is trained.

    Parameters
    ----------
    data : Data
    networks : tuple of str
    teacher : str
    width : float
        Of the baseline and of the teacher.
    precisions : tuple of (weight bits, activation bits)
    epochs, tuned : int
        Of networks of floats from nothing, and of narrow ones from these; without the second, of all from nothing.
    shift : int
    flip : bool
    batch : int
    """

    data: Data
    networks: tuple = ("resnet8",)
    teacher: str = "resnet20"
    width: float = 0.5
    precisions: tuple = PRECISIONS
    epochs: int = 9
    tuned: int = 9
    shift: int = 1
    flip: bool = True
    batch: int = 128


def scale(full, folder):
    """The default; the whole grid on whole images, if `full`; the paper's own networks on a folder of the user's."""
    if folder is not None:
        sizes = {"width": 1, "epochs": 160, "tuned": 0, "precisions": GRID, "shift": 4}
        return Scale(data=Data(name=folder), networks=("resnet44", "resnet56"), teacher="resnet110", **sizes)
    if full:
        return Scale(data=Data(name="fashion-mnist"), epochs=30, tuned=30, precisions=GRID, shift=2)
    return Scale(data=Data(name="fashion-mnist", train=20_000, held_out=1000, halved=True))


def title(name, scheme, bits):
    """The row of a table."""
    return f"{name} {scheme} {bits[0]}w{bits[1]}a"


def runs(scale):
    """(network, scheme, bits) of every row; all filters are widened at the narrowest numbers and in floats alone."""
    only = {LONGER: (WIDE,) if scale.tuned else (), WIDER: PRECISIONS}
    for name in scale.networks:
        for scheme in SCHEMES:
            for bits in scale.precisions:
                if bits in only.get(scheme, scale.precisions):
                    yield name, scheme, bits


def sizes(scale, scheme):
    """Width factors of the networks of a scheme."""
    factors = SCHEMES[scheme][0]
    return {"width": scale.width * factors.get("width", 1), "first": factors.get("first", 1)}


def trials(scale, seeds):
    """All that is trained: floats from nothing, narrow networks from the floats of their scheme and seed, if tuned."""
    common = {"batch": scale.batch, "rate": RATE, "decay": 1e-2, "shift": scale.shift, "flip": scale.flip}
    teacher = network(scale.data, scale.teacher, TEACHER_SEED, epochs=scale.epochs, sizes={"width": scale.width}, **common)
    found = []
    for name, scheme, bits in runs(scale):
        taught, wide = SCHEMES[scheme][1], sizes(scale, scheme)
        for seed in seeds:

            def recipe(kind, name=name, seed=seed, sizes=wide, taught=taught, **given):
                given |= {"teacher": teacher, "distillation": Distillation(scheme=kind)} if taught else {}
                return network(scale.data, name, seed, sizes=sizes, **common | given)

            weights, activations = ("float" if width == 32 else f"wrpn{width}" for width in bits)
            numbers = {"weights": weights, "activations": activations} if bits != WIDE else {}
            if scale.tuned and (numbers or scheme == LONGER):
                numbers |= {"rate": NARROW_RATE} if numbers else {}
                made = recipe("C", epochs=scale.tuned, start=recipe("B", epochs=scale.epochs), **numbers)
            else:
                made = recipe("B", epochs=scale.epochs, **numbers)
            found.append(Trial(row=title(name, scheme, bits), recipe=made, data=scale.data))
    return found


def results(found, scale):
    """JSON values of the tables."""
    rows = []
    for name, scheme, bits in runs(scale):
        every = found[title(name, scheme, bits)]
        net, one = topology(scale.data.network(name, **sizes(scale, scheme))), next(iter(every.values()))
        row = {"network": name, "scheme": scheme, "bits": list(bits), "by": one["by"]}
        row |= {"test": over(every, "test"), "nonzero": over(every, "nonzero")["mean"]}
        row |= {"cost": compute_cost(net, *one["widths"]), "curve": convergence(every)}
        rows.append(row)
    made = {"title": scale.data.title, "epochs": scale.epochs, "tuned": scale.tuned}
    made |= {"teacher": scale.teacher, "width": scale.width, "rows": rows}
    made["claims"] = [claim(rows, name) for name in scale.networks]
    return made | {"flip": scale.flip, "shift": scale.shift, "memory": footprints.results()}


def claim(rows, name):
    """How far the narrow, widened and taught networks are above the plain float ones, seed by seed."""

    def of(scheme, bits):
        return next(r for r in rows if (r["network"], r["scheme"], tuple(r["bits"])) == (name, scheme, bits))

    found, here = {"network": name, "epochs": []}, {row["scheme"] for row in rows if row["network"] == name}
    for base in (base for base in ("baseline", LONGER) if base in here):
        found[base] = {}
        for scheme in ("WRPN + Apprentice", WIDER):
            pairs = zip(of(scheme, NARROW)["test"]["runs"], of(base, WIDE)["test"]["runs"], strict=True)
            found[base][scheme] = spread(narrow - wide for narrow, wide in pairs)
    for bits in PRECISIONS:
        alone, taught = (of(scheme, bits)["curve"] for scheme in ("baseline", "Apprentice"))
        found["epochs"].append({"baseline": reached(alone, max(alone)), "Apprentice": reached(taught, max(alone))})
    return found


def markdown(found):
    """Sections of the page."""
    epochs = counted(found["epochs"], "epoch")
    floats = narrow = kind = ""
    if found["tuned"]:
        floats, narrow = " of floats", f"narrow ones for {counted(found['tuned'], 'epoch')} from the floats of their scheme "
        narrow += f"and seed, and *{LONGER}* is floats that are trained likewise, all "
        kind = f" for floats and, for narrow numbers, scheme C. Rates start at {RATE:g}, those of narrow numbers at "
        kind += f"{NARROW_RATE:g}, which was the best on held-out images; the paper's tables are of networks from "
        kind += "nothing"
    shift = counted(found["shift"], "pixel")
    other = "This is not CIFAR-10, on which the paper has its tables: what carries over is the comparison of schemes. "
    sections = [
        f"{found['title']}. {other if 'mnist' in found['title'] else ''}Networks{floats} are trained for {epochs} from "
        f"nothing, {narrow}by AdamW, with random shifts of up to {shift}{' and mirror images' if found['flip'] else ''}. The "
        f"teacher is one {found['teacher']} of floats, trained likewise; Apprentice is scheme B{kind}. *WRPN* doubles the "
        "filters of the first convolution and stage, *all filters* those of the whole network. First and last layers of "
        "narrow networks have 8 bits."
    ]
    for name in dict.fromkeys(row["network"] for row in found["rows"]):
        sections.append(grid([row for row in found["rows"] if row["network"] == name], name, found))
    sections.append(
        "Test error, mean and standard deviation over seeds; where weights and activations are narrow it is golden's, "
        "otherwise torch's. *Cost* is FMAs times the bits of both operands, layer by layer, beside the float baseline's. "
        f"{AGREED}"
    )
    for found_claim in found["claims"]:
        sections.append(claimed(found_claim))
    return sections + footprints.markdown(found["memory"])


def grid(rows, name, found):
    """The table of one network."""
    published = PUBLISHED.get(name, {})
    head = ["scheme", "weights", "activations", "test error", "cost", "nonzero weights"]
    head += ["published, CIFAR-10"] if published else []
    lines = []
    for row in rows:
        bits = tuple(row["bits"])
        error = spread(1 - value for value in row["test"]["runs"])
        cells = [row["scheme"], *bits, mean(error), f"{row['cost'] / rows[0]['cost']:.2f}", percent(row["nonzero"])]
        if published:
            theirs = published.get(row["scheme"], {}).get(bits)
            cells.append("" if theirs is None else f"{theirs} %")
        lines.append(cells)
    return f"## {name}, width {plain(found['width'])}\n\n{table(head, lines)}"


def below(gap):
    """Whether the mean of differences is below 0, in words."""
    if gap["mean"] >= 0:
        return "not below"
    return "below" if gap["error"] is None or gap["mean"] + 2 * gap["error"] < 0 else "below by less than two standard errors"


def claimed(found):
    """The paper's claims, in words."""
    words = []
    for base in (base for base in ("baseline", LONGER) if base in found):
        for scheme, gap in found[base].items():
            error = "" if gap["error"] is None else f" (standard error {100 * gap['error']:.2f})"
            where = f"{100 * gap['mean']:+.2f} points{error} from *{base}*: {below(gap)}"
            words.append(f"with {scheme}, 2-bit weights and 8-bit activations are {where}")
    when = []
    for kind, epochs in zip(("floats", "narrow numbers"), found["epochs"], strict=True):
        taught = "never" if epochs["Apprentice"] is None else f"after epoch {epochs['Apprentice']}"
        when.append(f"of {kind}, after epoch {epochs['baseline']}, is reached with a teacher {taught}")
    return (
        f"**{found['network']}.** The paper claims that WRPN with Apprentice at 2 and 8 bits is not below the plain float "
        f"network. Test accuracy here, seed by seed: {'; '.join(words)}. Apprentice is said to converge faster: the "
        f"baseline's best mean accuracy on held-out images {'; that '.join(when)}."
    )


def pictures(found, folder):
    """Convergence of every scheme, in floats and in the narrowest numbers."""
    from quant.plots import picture

    names = list(dict.fromkeys(row["network"] for row in found["rows"]))
    with picture(folder / f"{found['stem']}.png", len(names), 2, (13, 4.5 * len(names))) as axes:
        for i, name in enumerate(names):
            for axis, bits in zip(axes[2 * i : 2 * i + 2], PRECISIONS, strict=True):
                rows = [row for row in found["rows"] if row["network"] == name and tuple(row["bits"]) == bits]
                label = f"{name}, {bits[0]}-bit weights, {bits[1]}-bit activations"
                draw(axis, dict.fromkeys(SCHEMES, ()) | {row["scheme"]: row["curve"] for row in rows}, label)
