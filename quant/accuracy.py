"""The table of accuracies over seeds."""

import json
import shutil
import statistics
import subprocess
from pathlib import Path

import torch

from golden.errors import replacing
from quant.cache import BUILD
from quant.recipes import recipe
from quant.results import result

__all__ = ["ROWS", "accuracy", "markdown"]

ROWS = (  # network, weights, what computed the test accuracy
    ("lenet_caffe", "float", "torch float32"),
    ("lenet", "float", "torch float32"),
    ("lenet", "ternary,edges=ternary", "golden integers"),
    ("lenet_caffe", "int8", "golden integers"),
)


def commit():
    """The commit that is checked out, marked if files differ from it; None outside a repository or without git."""
    if shutil.which("git") is None:
        return None
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def accuracy(seeds, *, rows=ROWS, dataset=None, build=BUILD, progress=True):
    """Test accuracies of `rows` over `seeds`; written to ``accuracy.json`` and ``accuracy.md`` in `build`.

    Returns
    -------
    dict
        JSON values: ``rows``, each with its runs, their mean and their standard deviation.
    """
    found = {"seeds": list(seeds), "commit": commit(), "torch": torch.__version__, "rows": []}
    for network, weights, by in rows:
        runs = {
            seed: result(recipe(network, weights, seed=seed), dataset, build=build, progress=progress).figures
            for seed in seeds
        }
        tests = [run["test"] for run in runs.values()]
        row = {"network": network, "weights": weights, "by": by, "mean": statistics.mean(tests)}
        row["deviation"] = statistics.stdev(tests) if len(tests) > 1 else None
        found["rows"].append(row | {"runs": {str(seed): run for seed, run in runs.items()}})
    for name, text in (("accuracy.json", json.dumps(found, indent=1) + "\n"), ("accuracy.md", markdown(found))):
        with replacing(Path(build) / name) as temporary:
            temporary.write_text(text)
    return found


def markdown(found):
    """The table of `accuracy` as Markdown."""
    seeds = found["seeds"]
    head = ["network", "weights", "computed by", "epochs", *(f"seed {seed}" for seed in seeds), "mean", "deviation"]
    lines = [head, ["---"] * 4 + ["---:"] * (len(seeds) + 2)]
    for row in found["rows"]:
        runs = [row["runs"][str(seed)] for seed in seeds]
        spread = "" if row["deviation"] is None else f"{row['deviation']:.2%}"
        tests = [f"{run['test']:.2%}" for run in runs]
        what = [row["network"], row["weights"], row["by"], str(runs[0]["epochs"])]
        lines.append([*what, *tests, f"{row['mean']:.2%}", spread])
    images = max(run["images"] for row in found["rows"] for run in row["runs"].values())
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    note = f"Test accuracy on {images:,} images, read once; the epoch is the best on held-out training images."
    return f"{table}\n\n{note}\n"
