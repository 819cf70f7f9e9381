"""Timing for the comparisons: the jobs take turns, the best time of each counts."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any


def best_of(
    jobs: Mapping[str, Callable[[], Any]],
    repeats: int,
    *,
    clock: Callable[[], float] = perf_counter,
) -> dict[str, float]:
    """Seconds of each job's fastest run of `repeats`, in turns.

    Args:
        jobs: name to job.
        repeats: turns.
        clock: ``time.process_time`` counts the processor time of all threads instead of wall time:
            fairer on a machine that others use, and never kinder to the job with threads.
    """
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(repeats):
        for name, job in jobs.items():
            start = clock()
            job()
            best[name] = min(best[name], clock() - start)
    return best
