"""studies.workers: two processes, one thread each."""

import multiprocessing
import operator
import os
import signal
import time

import pytest

from studies.workers import workers


def test_jobs_keep_their_order_in_other_processes_of_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with workers() as work_on:
        assert work_on(operator.sub, [5, 1, 3], 2) == [3, -1, 1]
        assert work_on(os.getenv, ["OMP_NUM_THREADS"]) == ["1"]
        assert os.getpid() not in work_on(eval, ["__import__('os').getpid()"])


def all_end():
    """Whether the processes that are there end within seconds."""
    until = time.monotonic() + 5
    while (left := multiprocessing.active_children()) and time.monotonic() < until:
        time.sleep(0.05)
    return not left


@pytest.mark.parametrize("jobs", [[60, -1], [-1, 60]])
def test_a_job_that_fails_ends_the_others(jobs):
    began = time.monotonic()
    with pytest.raises(ValueError, match="must be non-negative"), workers() as work_on:
        work_on(time.sleep, jobs)
    assert all_end() and time.monotonic() - began < 30  # starting a process takes a second or two, of a busy machine


def test_an_interruption_ends_what_runs():
    began, before = time.monotonic(), signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), workers() as work_on:
            assert work_on(operator.neg, [1]) == [-1]
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            work_on(time.sleep, [60, 60])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert all_end() and time.monotonic() - began < 30
