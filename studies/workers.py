"""Work on many jobs at once: two processes of one thread each, both ended as soon as one fails."""

import contextlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed

__all__ = ["workers"]

WORKERS = 2


@contextlib.contextmanager
def workers():
    """Yield ``map(work, jobs, *rest)``: what ``work(job, *rest)`` returns for each of `jobs`, in their order, a list.

    The first exception of a job, or an interruption, ends the block and with it the processes, whatever they are at:
    what they keep is on disk.
    """
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that start now

    def mapped(work, jobs, *rest):
        futures = [pool.submit(work, job, *rest) for job in jobs]
        for future in as_completed(futures):
            future.result()
        return [future.result() for future in futures]

    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield mapped
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
