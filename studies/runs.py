"""Runs of many approximations: each cached by all that decides it, two at a time."""

import dataclasses
import hashlib
import json
import time
from pathlib import Path

from golden.errors import replacing
from studies.workers import workers

__all__ = ["Job", "run"]

PACKAGES = ("golden", "golden.formats", "quant")
KEPT = ("plan", "data", "held_out", "met", "test", "assignment", "totals")  # of the figures, beside the seconds they took


@dataclasses.dataclass(frozen=True, kw_only=True)
class Job:
    """One approximation of one network.

    Parameters
    ----------
    name : str
        Identifies it among the jobs of a study.
    source : tuple
        ``(network, base, seed)`` of `quant.recipes.recipe`, or ``("cifar10", folder, seed)``.
    plan : Plan
    test : int, optional
        The first so many test images are run in the end; all by default.
    """

    name: str
    source: tuple
    plan: object
    test: int | None = None


def modules():
    """The names of all modules whose code decides an approximation."""
    root = Path(__file__).parent.parent
    found = []
    for package in PACKAGES:
        for path in sorted((root / package.replace(".", "/")).glob("*.py")):
            found.append(package if path.stem == "__init__" else f"{package}.{path.stem}")
    return tuple(name for name in found if not name.endswith("__main__"))


def network(source, build):
    """The float graph of a source and its dataset."""
    from quant.from_torch import from_module

    kind, base, seed = source
    if kind == "cifar10":
        from quant.cifar import CIFAR10_FULL, Cifar10Full, cifar10
        from studies.training import module

        dataset = cifar10(base)
        model = module(Cifar10Full, dataset, CIFAR10_FULL, seed, build)
    else:
        from quant.cache import trained
        from quant.data import mnist
        from quant.recipes import recipe

        dataset = mnist()
        model = trained(recipe(kind, base=base, seed=seed), dataset, build=build, progress=False).model
    return from_module(model.eval(), tuple(dataset.train.images.shape[1:])), dataset


def work(job, build):
    """The figures of a job, from the cache or made now: (job, JSON values).

    "key" is what decides them, all but the job's name, so that jobs which differ in that alone are run once; "seconds"
    is how long making them took, with what is trained for them; "kept" is whether they were there already.
    """
    from quant.approximate import approximate
    from quant.cache import code_hash
    from quant.scores import digest

    began = time.perf_counter()
    graph, dataset = network(job.source, build)
    dataset = dataclasses.replace(dataset, test=dataset.test[: job.test])
    decides = [dataclasses.asdict(job.plan), digest(graph), dataset.digest, job.test, code_hash(modules())]
    decides += [*KEPT, "key", "seconds"]
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    path = Path(build) / "studies" / f"{key}.json"
    try:
        return job, json.loads(path.read_text()) | {"kept": True}
    except (OSError, ValueError):
        pass
    name = f"{' '.join(map(str, job.source))} {job.name}"
    result = approximate(graph, dataset, job.plan, build=Path(build) / "studies", name=name, progress=False)
    found = {name: result.figures[name] for name in KEPT} | {"key": key, "seconds": time.perf_counter() - began}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return job, found | {"kept": False}


def run(jobs, build):
    """{(source, name): figures} of all `jobs`, in `workers`.

    Jobs of one source share its training and their scores, so that they follow each other in one process.
    """
    chains = {}
    for job in jobs:
        chains.setdefault(job.source, []).append(job)
    with workers() as work_on:
        parts = work_on(chain, list(chains.values()), build)
    return {(job.source, job.name): figures for part in parts for job, figures in part}


def chain(jobs, build):
    """The figures of `jobs`, one after the other, and a line for each."""
    found = []
    for job in jobs:
        began = time.perf_counter()
        found.append(work(job, build))
        figures, seconds = found[-1][1], time.perf_counter() - began
        what = " ".join(map(str, job.source))
        print(f"{what}, {job.name}: test {figures['test']['test']:.2%}, {seconds:.0f} s", flush=True)
    return found
