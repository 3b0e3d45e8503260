"""Studies of trained networks in this process, on a few images."""

import contextlib

import torch

from studies import trials
from studies.samples import Data
from studies.study import study

__all__ = ["FEW", "HALVED", "made"]

FEW = Data(name="mnist", train=640, held_out=100, test=200)
HALVED = Data(name="mnist", train=640, held_out=100, test=200, halved=True)


@contextlib.contextmanager
def workers():
    """`studies.workers.workers` without another process."""
    yield lambda work, jobs, *rest: [work(job, *rest) for job in jobs]


def made(monkeypatch, module, scale, seeds, folder):
    """(JSON values, page) of a study at a small scale."""
    monkeypatch.setattr(trials, "workers", workers)
    threads, keep = torch.get_num_threads(), {}
    monkeypatch.setattr(module, "results", lambda found, s, make=module.results: keep.setdefault("found", make(found, s)))
    torch.set_num_threads(1)  # as in `studies.workers`
    try:
        page = study(module, module.__name__.rpartition(".")[2], scale, seeds, folder / "build", folder).read_text()
    finally:
        torch.set_num_threads(threads)
    return keep["found"], page
