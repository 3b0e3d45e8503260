"""The whole flow: from a float graph and data to a network of narrow numbers that golden and the RTL run."""

import dataclasses
import math
from dataclasses import dataclass

import torch

from golden.errors import InputError
from golden.network import Network
from quant.assignment import Assignment
from quant.figures import layers, reached, specs, totals
from quant.fold import fold
from quant.lower import lower
from quant.ranges import ranges
from quant.rules import SCHEMES
from quant.scores import Scores, spelled
from quant.search import TOLERANCE, Search
from quant.train import reproducible
from quant.tune import tune

__all__ = ["Result", "approximate"]

TALLIED = 500  # images on which the outputs' rounding is measured
PRICED = 4  # networks of a search whose area is asked for, beside the result and those of one width


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


def approximate(graph, dataset, plan, *, area=None, build=None, name="network", progress=True):
    """The `Result` of `plan` for a float `graph` on `dataset`.

    Ranges come from training images, every choice from held-out images; test images are read once, at the end.

    Parameters
    ----------
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
    few = scores if plan.searched is None else Scores(graph, dataset.held_out[: plan.searched], dataset.digest, build=build)
    least = scores.float - plan.margin
    if progress:
        print(f"{name}: float {scores.float:.2%} of {len(dataset.held_out):,} held-out images", flush=True)
    assignment, tries = searched(graph, dataset, plan, few, progress)
    score = scores(assignment)
    tuned, held_out, tuning = graph, score, None
    lower(graph, assignment, accumulate=plan.accumulate)  # what golden refuses, it refuses before the tuning
    if plan.tuning is not None:
        run = tune(graph, assignment, dataset, plan.tuning, build=build, title=f"{name} tuned", progress=progress)
        tuned, held_out, tuning = run.graph, run.held_out, {"epoch": run.epoch, "history": run.history}
    info = {"name": name, "scheme": plan.scheme, "held_out": held_out}
    network = lower(tuned, assignment, accumulate=plan.accumulate, info=info)
    rows = layers(tuned, assignment, chosen(dataset, TALLIED, plan.seed), plan.lanes, plan.accumulate)
    figures = {
        "name": name,
        "scheme": plan.scheme,
        "plan": dataclasses.asdict(plan),
        "data": {part: len(getattr(dataset, part)) for part in ("train", "held_out", "test")},
        "held_out": {"float": scores.float, "least": least, "untuned": score, "found": held_out},
        "met": held_out >= least - TOLERANCE,
        "test": reached(graph, tuned, assignment, network, dataset.test, plan.accumulate),
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


def searched(graph, dataset, plan, scores, progress):
    """The `Assignment` found by `scores`; of all that was tried, JSON values and the assignment if it is complete."""
    with reproducible(plan.seed):
        measured = ranges(graph, chosen(dataset, plan.calibration, plan.seed))
    settings = {"biases": plan.biases, "unsigned": plan.unsigned, "rounded": plan.accumulate != "exact"}
    space = SCHEMES[plan.scheme](graph, measured, **settings)
    search = Search(
        space=space,
        score=lambda formats: scores(space.assignment(formats)),
        least=scores.float - plan.margin,
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
        row["total"] = tried.total if complete else None
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
        As `searched` gives them. Those of one width are taken, and at most `PRICED` of those that none beats in both
        bits and accuracy.
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
    uniform = [("uniform", row["score"], formats) for row, formats in tries if row["stage"] == "uniform"]
    priced = [*uniform, *(point for point in front[::-step] if point[0] != "uniform"), ("result", score, assignment)]
    for stage, accuracy, formats in priced:
        layers = specs(graph, formats, plan.accumulate)
        for spec in layers:
            if spec not in known:
                known[spec] = area(spec, plan.lanes)
        rows.append({"stage": stage, "score": accuracy, "area": sum(known[spec] for spec in layers)})
    return rows
