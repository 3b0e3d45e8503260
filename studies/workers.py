"""Work on many jobs at once: two processes of one thread each."""

import contextlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

__all__ = ["workers"]

WORKERS = 2


@contextlib.contextmanager
def workers():
    """Yield ``map(work, jobs, *rest)``: what ``work(job, *rest)`` returns for each of `jobs`, in their order, a list."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that start now
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda work, jobs, *rest: list(pool.map(work, jobs, *([value] * len(jobs) for value in rest)))
