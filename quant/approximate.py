"""The whole flow: from a float graph and data to a network of narrow numbers that golden and the RTL run."""

import dataclasses
import math
from dataclasses import dataclass, field

import torch

from golden.errors import InputError
from golden.network import Network
from quant.assignment import Assignment
from quant.figures import layers, specs, tested, totals
from quant.fold import fold
from quant.lower import check, lower
from quant.ranges import CALIBRATION_IMAGES, ranges
from quant.rules import SCHEMES
from quant.scores import Scores, spelled
from quant.search import TOLERANCE, Search
from quant.train import reproducible
from quant.tune import Tuning, tune

__all__ = ["Plan", "Result", "approximate"]

PIXEL_UNIT = 1 / 255
TALLIED = 500  # images on which the outputs' rounding is measured
TAKEN = "as they are"
PRICED = 5  # networks of a search whose area is asked for, beside the result


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What decides an approximation, beside graph and data.

    Parameters
    ----------
    scheme : str
        A row of `SCHEMES`.
    margin : float
        Accuracy that may be lost on held-out images, 0 to 1.
    widths : dict
        Group → width in bits, for groups whose width is given and not searched.
    step : str
        A row of `quant.search.STEPS`: how a repair widens.
    biases : str, optional
        A row of `quant.rules.BIASES`; by default what suits the scheme.
    unsigned : bool
        Whether outputs that only a ReLU uses are unsigned.
    accumulate : str
        "exact", or FP32 as `golden.accumulate.Rounded` names it.
    tuning : Tuning, optional
        How the network is tuned; by default it is not.
    lanes : int
        Of the MAC tree whose cycles are counted.
    unit : float
        What a step of a raw pixel is worth, for graphs that do not say.
    calibration : int
        Training images on which ranges are measured.
    seed : int
        Of their choice.

    Raises
    ------
    InputError
        If the scheme does not exist or a number is out of range.
    """

    scheme: str = "dfp"
    margin: float = 0.01
    widths: dict = field(default_factory=dict)
    step: str = "bit"
    biases: str | None = None
    unsigned: bool = False
    accumulate: str = "exact"
    tuning: Tuning | None = None
    lanes: int = 16
    unit: float = PIXEL_UNIT
    calibration: int = CALIBRATION_IMAGES
    seed: int = 0

    def __post_init__(self):
        if self.scheme not in SCHEMES:
            raise InputError(f"scheme must be one of {', '.join(SCHEMES)}, not {self.scheme!r}")
        if not 0 <= self.margin < 1:
            raise InputError(f"margin must be 0 to 1, of accuracy, not {self.margin}")
        if not (math.isfinite(self.unit) and self.unit > 0):
            raise InputError(f"unit must be positive, not {self.unit}")
        for what in ("lanes", "calibration"):
            if getattr(self, what) < 1:
                raise InputError(f"{what} must be at least 1, not {getattr(self, what)}")
        if self.seed < 0:
            raise InputError(f"seed must be at least 0, not {self.seed}")


@dataclass(frozen=True, eq=False, kw_only=True)
class Result:
    """A network of narrow numbers.

    Parameters
    ----------
    graph : Graph
        Folded, with float weights, tuned if that was asked for.
    assignment : Assignment
        The formats of all its numbers.
    network : golden.network.Network
        What golden and the RTL run.
    figures : dict
        JSON values for `quant.report`.
    """

    graph: object
    assignment: Assignment
    network: Network
    figures: dict


def approximate(graph, dataset, plan, *, taken=None, area=None, build=None, name="network", progress=True):
    """The `Result` of `plan` for a float `graph` on `dataset`.

    Ranges come from training images, every choice from held-out images; test images are read once, at the end.

    Parameters
    ----------
    taken : Assignment, optional
        Formats that the source brings along: nothing is then measured or searched.
    area : callable, optional
        (MacSpec, lanes) → area of a MAC tree in gate equivalents, asked for the layers of the result and of some of
        the networks that no other beats in both accuracy and bits.
    build : Path, optional
        Folder where scores and tuned weights are kept and found again.

    Raises
    ------
    InputError
        If the data do not fit the graph, a number of it is NaN or infinite, or the network cannot be lowered.
    RuntimeError
        If torch and golden disagree on any integer.
    """
    graph = fold(fitted(graph, dataset, plan))
    scores = Scores(graph, dataset.held_out, dataset.digest, build=build)
    least = scores.float - plan.margin
    if progress:
        print(f"{name}: float {scores.float:.2%} of {len(dataset.held_out):,} held-out images", flush=True)
    if taken is None:
        assignment, tries = searched(graph, dataset, plan, scores, least, progress)
    else:
        assignment, tries = taken, []
    check(graph, assignment)
    score = scores(assignment)
    tuned, held_out, tuning = graph, score, None
    if plan.tuning is not None:
        run = tune(graph, assignment, dataset, plan.tuning, build=build, title=f"{name} tuned", progress=progress)
        tuned, held_out, tuning = run.graph, run.held_out, {"epoch": run.epoch, "history": run.history}
    scheme = plan.scheme if taken is None else TAKEN
    network = lower(tuned, assignment, accumulate=plan.accumulate, info={"name": name, "scheme": scheme})
    rows = layers(tuned, assignment, chosen(dataset, TALLIED, plan.seed), plan.lanes, plan.accumulate)
    figures = {
        "name": name,
        "scheme": scheme,
        "plan": dataclasses.asdict(plan),
        "data": {part: len(getattr(dataset, part)) for part in ("train", "held_out", "test")},
        "held_out": {"float": scores.float, "least": least, "untuned": score, "found": held_out},
        "met": held_out >= least - TOLERANCE,
        "test": tested(graph, tuned, assignment, network, dataset.test, plan.accumulate),
        "assignment": spelled(assignment),
        "layers": rows,
        "totals": totals(rows),
        "search": [row for row, _ in tries],
        "tuning": tuning,
        "torch": torch.__version__,
    }
    if area is not None:
        try:
            figures["area"] = areas(tries, (graph, score, assignment), plan, area)
        except InputError as error:  # no tree has such formats; all else stands
            print(f"no areas: {error}")
    return Result(graph=tuned, assignment=assignment, network=network, figures=figures)


def fitted(graph, dataset, plan):
    """`graph` with a unit for raw pixels, if the data fit it."""
    images = dataset.train.images
    if tuple(images.shape[1:]) != tuple(graph.shape):
        raise InputError(f"the network takes inputs of {list(graph.shape)}, the data are {list(images.shape[1:])}")
    raw = images.dtype == torch.uint8
    if not raw and graph.unit is not None:
        raise InputError(f"the network takes uint8 pixels, the data are {images.dtype}")
    classes = math.prod(graph.shapes()[graph.output])
    for part in ("train", "held_out", "test"):
        labels = getattr(dataset, part).labels
        if len(labels) == 0:
            raise InputError(f"the data have no {part.replace('_', '-')} images")
        if int(labels.max()) >= classes:
            raise InputError(f"labels must be 0 to {classes - 1}, as the network has classes, not {int(labels.max())}")
    return dataclasses.replace(graph, unit=plan.unit) if raw and graph.unit is None else graph


def chosen(dataset, most, seed):
    """Up to `most` training images, chosen by `seed`."""
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(seed))
    return dataset.train.images[order[:most]]


def searched(graph, dataset, plan, scores, least, progress):
    """The `Assignment` found; and of all that was tried, pairs of JSON values and the assignment if it is complete."""
    with reproducible(plan.seed):
        measured = ranges(graph, chosen(dataset, plan.calibration, plan.seed))
    space = SCHEMES[plan.scheme](graph, measured, biases=plan.biases, unsigned=plan.unsigned)
    search = Search(
        space=space,
        score=lambda formats: scores(space.assignment(formats)),
        least=least,
        fixed=given(space, plan.widths),
        step=plan.step,
        say=told if progress else None,
    )
    found = search.run(narrow=space.narrow)
    tries = []
    for tried in search.tries:
        complete = len(tried.formats) == len(measured.greatest)
        row = {"stage": tried.stage, "what": tried.what, "bits": tried.bits, "score": tried.score}
        row["formats"] = {str(part): fmt.name for part, fmt in tried.formats.items()}
        row["total"] = sum(part.count * fmt.width for part, fmt in tried.formats.items()) if complete else None
        tries.append((row, space.assignment(tried.formats) if complete else None))
    return space.assignment(found.formats), tries


def given(space, widths):
    """Group → width that is not searched: what the scheme sets, unless `widths` does; "all" of it is every group."""
    found = dict(space.given)
    if "all" in widths:
        found |= dict.fromkeys(space.groups, widths["all"])
    return found | {group: bits for group, bits in widths.items() if group != "all"}


def told(tried):
    """Say what was tried."""
    names = ", ".join(dict.fromkeys(fmt.name for fmt in tried.formats.values()))
    bits = "" if tried.bits is None else f" at {tried.bits} bits"
    print(f"  {tried.stage}: {tried.what}{bits} {tried.score:.2%} ({names})", flush=True)


def areas(tries, result, plan, area):
    """Rows of (stage, score, area) of a network each, the sum over its layers of the area of a MAC tree.

    Parameters
    ----------
    tries : list
        As `searched` gives them. At most `PRICED` are taken of those that none beats in both bits and accuracy.
    result : (graph, float, Assignment)
        The last row, with its accuracy.
    area : callable
        See `approximate`.
    """
    graph, score, assignment = result
    best = {}  # bits → the try of most accuracy
    for row, formats in tries:
        if formats is not None and row["score"] > best.get(row["total"], ({"score": -1},))[0]["score"]:
            best[row["total"]] = row, formats
    front = []
    for _, (row, formats) in sorted(best.items()):
        if not front or row["score"] > front[-1][1]:
            front.append((row["stage"], row["score"], formats))
    step = max(1, -(-len(front) // PRICED))
    known, rows = {}, []
    for stage, accuracy, formats in [*front[::-step], ("result", score, assignment)]:
        layers = specs(graph, formats, plan.accumulate)
        for spec in layers:
            if spec not in known:
                known[spec] = area(spec, plan.lanes)
        rows.append({"stage": stage, "score": accuracy, "area": sum(known[spec] for spec in layers)})
    return rows
