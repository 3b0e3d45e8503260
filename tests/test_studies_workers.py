"""studies.workers: two processes, one thread each."""

import operator
import os

from studies.workers import workers


def test_jobs_keep_their_order_in_other_processes_of_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with workers() as work_on:
        assert work_on(operator.sub, [5, 1, 3], 2) == [3, -1, 1]
        assert work_on(os.getenv, ["OMP_NUM_THREADS"]) == ["1"]
        assert os.getpid() not in work_on(eval, ["__import__('os').getpid()"])
