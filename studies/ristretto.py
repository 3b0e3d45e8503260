"""The tables and figures of Gysel's Ristretto for LeNet (and CIFAR-10 from a folder), from golden.

Every accuracy is golden's, with exact sums, on all test images; what is "float" in a table of the thesis that
quantises one part of a network at a time has 16-bit numbers here, as golden has integers alone.
"""

import dataclasses
import json
import os
import statistics
import time
from pathlib import Path

from golden.errors import replacing
from quant.accuracy import commit
from quant.plan import Plan
from quant.search import TOLERANCE
from quant.tune import Tuning
from studies.published import FIGURE_8_1, TABLE_4_1, TABLE_5_1, TABLE_5_2, TABLE_6_1, TABLE_7_1
from studies.ranges import dynamic_range
from studies.runs import Job, network, run
from synth.flow import BUILD as SYNTHESES

__all__ = ["cifar", "study"]

GROUPS = ("outputs", "conv", "dense")
SWEEP = (16, 12, 8, 6, 5, 4, 3, 2)
FAMILIES = dict.fromkeys(("fixed", "dfp", "minifloat"), SWEEP) | {"pow2": (16, 8, 6, 4)}  # scheme → widths
PARTS = (16, 8, 4, 2)
LOSS = 0.001  # that is allowed where no accuracy is asked for
SUBSET = 1_000  # test images on which sums are taken in FP32, in order

SEARCHED = 2_000  # images of those held out on which formats are searched

TUNING = Tuning(epochs=2, rate=5e-4, rule="adamw", weights="nearest", outputs="quantised", shift=1)
LONGER = dataclasses.replace(TUNING, epochs=3, rate=2e-3)  # for the narrowest, of table 5.2
THEIRS = Tuning(epochs=2)  # stochastic weights, float outputs, Adam


def widths(scheme, bits):
    """Every group of a scheme at one width; weights that are powers of two stay as wide as they are."""
    return {"dfp": dict.fromkeys(GROUPS, bits), "pow2": {"outputs": bits}}.get(scheme, {"all": bits})


def dfp(outputs, conv, dense):
    """Dynamic fixed point of three widths."""
    return {"scheme": "dfp", "widths": {"outputs": outputs, "conv": conv, "dense": dense}}


# table of the thesis → row → settings of the plan; each is run untuned and tuned
TUNED = {
    ("4.1", "fixed point, 8 bits"): {"scheme": "fixed", "widths": {"all": 8}},
    ("5.2", "dynamic fixed point 4/4/4"): dfp(4, 4, 4),
    ("5.2", "dynamic fixed point 4/2/2"): dfp(4, 2, 2),
    ("6.1", "minifloat, 8 bits"): {"scheme": "minifloat", "widths": {"all": 8}},
    ("7.1", "power-of-two weights"): {"scheme": "pow2", "widths": {"outputs": 8}},
}
PUBLISHED = {
    "fixed point, 8 bits": TABLE_4_1["lenet"],
    "dynamic fixed point 4/4/4": TABLE_5_2["lenet"][4, 4, 4],
    "dynamic fixed point 4/2/2": TABLE_5_2["lenet"][4, 2, 2],
    "minifloat, 8 bits": TABLE_6_1["lenet"],
    "power-of-two weights": TABLE_7_1["lenet"],
}


def job(name, source, *, test=None, **settings):
    """The `Job` of a plan with these settings, whose search ends at the widths that are given."""
    return Job(name=name, source=source, plan=Plan(margin=0, searched=SEARCHED, **settings), test=test)


def tuning(table):
    """Ours, for the rows of a table."""
    return LONGER if table == "5.2" else TUNING


def part_job(source, group, bits):
    """One group of numbers at a width, the others at 16 bits."""
    return job(f"{group} {bits}", source, scheme="dfp", widths=dict.fromkeys(GROUPS, 16) | {group: bits})


def jobs(source, *, curves, theirs):
    """The jobs of one trained network.

    Parameters
    ----------
    curves : bool
        Whether figure 8.1 and table 5.1 are run too.
    theirs : bool
        Whether the thesis's way of tuning is.
    """
    found = []
    for (table, row), settings in TUNED.items():
        found.append(job(row, source, **settings))
        if theirs:
            found.append(job(f"{row}, tuned their way", source, tuning=THEIRS, **settings))
        found.append(job(f"{row}, tuned", source, tuning=tuning(table), **settings))
    for how, accumulate in (("sums in FP32", "fp32"), ("exact sums", "exact")):
        narrow = {"tuning": TUNING, "accumulate": accumulate} | TUNED["6.1", "minifloat, 8 bits"]
        found.append(job(f"minifloat, 8 bits, tuned, {how}", source, test=SUBSET, **narrow))
    if curves:
        for group in GROUPS:
            for bits in PARTS:
                found.append(part_job(source, group, bits))
        for scheme, sweep in FAMILIES.items():
            for bits in sweep:
                found.append(job(f"{scheme} {bits}", source, scheme=scheme, widths=widths(scheme, bits)))
    return found


def spread(values):
    """Mean and standard deviation of accuracies, as JSON values."""
    return {"mean": statistics.mean(values), "deviation": statistics.stdev(values) if len(values) > 1 else None} | {
        "runs": values
    }


def study(bases, seeds, build, folder, areas):
    """All figures of the study as JSON values, written to ``ristretto.json`` in `folder`.

    Parameters
    ----------
    bases : list of str
        How the float networks are trained: rows of `quant.recipes`.
    seeds : list of int
    build, folder : path
        Of caches, and of what is written.
    areas : callable
        Makes a list of dictionaries: `studies.areas.areas`.
    """
    began, empty = time.perf_counter(), not (Path(build).exists() or SYNTHESES.exists())
    trees = areas()
    sources = {base: [("lenet_caffe", base, seed) for seed in seeds] for base in bases}
    first = sources[bases[0]][0]
    every = []
    for group in sources.values():
        for source in group:
            every += jobs(source, curves=source is group[0], theirs=source is first)
    runs = run(every, build)
    found = {"commit": commit(), "seeds": list(seeds), "sweep": list(SWEEP), "areas": trees, "bases": {}}
    graph, dataset = network(first, build)
    found["ranges"] = dynamic_range(graph, dataset.train.images)
    for base, group in sources.items():
        floats = spread([runs[source, next(iter(TUNED))[1]]["test"]["float"] for source in group])
        found["bases"][base] = {
            "float": floats,
            "tuned": [tuned_row(runs, group, table, row, floats["mean"], theirs=group[0] is first) for table, row in TUNED],
            "ordered": ordered_row(runs, group),
            "parts": {part: {str(b): test(runs, group[0], f"{part} {b}") for b in PARTS} for part in GROUPS},
            "curves": {name: {str(b): point(runs, group[0], name, b) for b in sweep} for name, sweep in FAMILIES.items()},
        }
    parts = {part: {str(b): TABLE_5_1["lenet"][part][b] for b in PARTS} for part in GROUPS}
    curves = {scheme: {str(b): accuracy for b, accuracy in points.items()} for scheme, points in FIGURE_8_1.items()}
    found["published"] = {"parts": parts, "curves": curves}
    seconds = {figures["key"]: figures["seconds"] for figures in runs.values()}  # each run once, whatever its names
    made = {figures["key"] for figures in runs.values() if not figures["kept"]}
    found["time"] = {
        "seconds": time.perf_counter() - began,
        "cores": os.cpu_count(),
        "empty": empty,
        "runs": len(seconds),
        "kept": len(seconds) - len(made),
        "seconds_of_runs": sum(seconds.values()),
    }
    with replacing(Path(folder) / "ristretto.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return found


def test(runs, source, name):
    """Golden's accuracy on the test images."""
    return runs[source, name]["test"]["test"]


def tuned_row(runs, group, table, row, floats, *, theirs):
    """A row of the tables of tuned networks of a mean accuracy in floats; with the thesis's way of tuning, if it was run.

    Of dynamic fixed point the published accuracies are asked for, of all else no more than `LOSS` below `floats`.
    """
    tuned = [runs[source, f"{row}, tuned"] for source in group]
    reached = spread([run["test"]["test"] for run in tuned])
    asked = PUBLISHED[row]["tuned"] if table == "5.2" else floats - LOSS
    formats = [
        sorted({*run["assignment"]["weights"].values(), *run["assignment"]["outputs"].values()}) for run in tuned
    ]
    return {
        "table": table,
        "row": row,
        "untuned": spread([test(runs, source, row) for source in group]),
        "tuned": reached,
        "asked": asked,
        "reached": reached["mean"] >= asked - TOLERANCE,
        "their_way": test(runs, group[0], f"{row}, tuned their way") if theirs else None,
        "ties": statistics.mean(run["test"]["ties"] for run in tuned),
        "formats": formats,
        "published": PUBLISHED[row],
    }


def ordered_row(runs, group):
    """Accuracies of the same minifloat networks with sums in FP32, in order, and with exact sums."""
    names = {"fp32": "minifloat, 8 bits, tuned, sums in FP32", "exact": "minifloat, 8 bits, tuned, exact sums"}
    return {"images": SUBSET} | {key: [test(runs, source, name) for source in group] for key, name in names.items()}


def point(runs, source, scheme, bits):
    """A point of figure 8.1."""
    figures = runs[source, f"{scheme} {bits}"]
    formats = {**figures["assignment"]["weights"], **figures["assignment"]["outputs"]}
    return {"test": figures["test"]["test"], "ties": figures["test"]["ties"], "formats": formats}


CIFAR = {  # table of the thesis → row → settings of the plan, and what was published
    ("4.1", "fixed point, 16 bits"): ({"scheme": "fixed", "widths": {"all": 16}}, TABLE_4_1["cifar10"]),
    ("5.2", "dynamic fixed point 8/8/8"): (dfp(8, 8, 8), TABLE_5_2["cifar10"][8, 8, 8]),
    ("6.1", "minifloat, 8 bits"): ({"scheme": "minifloat", "widths": {"all": 8}}, TABLE_6_1["cifar10"]),
    ("7.1", "power-of-two weights"): ({"scheme": "pow2", "widths": {"outputs": 8}}, TABLE_7_1["cifar10"]),
}


def cifar(data, seeds, build, folder):
    """The rows of CIFAR-10, from the folder `data` of the user's: Markdown, also written to `folder`."""
    sources = [("cifar10", str(data), seed) for seed in seeds]
    every = []
    for source in sources:
        for (table, row), (settings, _) in CIFAR.items():
            every.append(job(row, source, **settings))
            every.append(job(f"{row}, tuned", source, tuning=tuning(table), **settings))
        for group in GROUPS:
            for bits in PARTS:
                every.append(part_job(source, group, bits))
    runs = run(every, build)
    lines = ["| table | row | published float, untuned, tuned | float | untuned | tuned |", "|---|---|---|---|---|---|"]
    for (number, row), (_, published) in CIFAR.items():
        ours = [runs[source, row]["test"] for source in sources]
        tuned = [test(runs, source, f"{row}, tuned") for source in sources]
        theirs = ", ".join(f"{published[key]:.2%}" for key in ("float", "untuned", "tuned"))
        means = (statistics.mean(x) for x in ([r["float"] for r in ours], [r["test"] for r in ours], tuned))
        lines.append(f"| {number} | {row} | {theirs} | {' | '.join(f'{x:.2%}' for x in means)} |")
    for group in GROUPS:
        for bits in PARTS:
            ours = statistics.mean(test(runs, source, f"{group} {bits}") for source in sources)
            theirs = f"{TABLE_5_1['cifar10'][group][bits]:.1%}"
            lines.append(f"| 5.1 | {group}, {bits} bits, all else 16 | {theirs} untuned | | {ours:.2%} | |")
    text = "\n".join(lines) + "\n"
    with replacing(Path(folder) / "cifar10.md") as temporary:
        temporary.write_text(text)
    return text
