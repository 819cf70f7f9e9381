"""Timing for the comparisons: the jobs take turns, the best time of each counts."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any


def best_of(jobs: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Seconds of each job's fastest run of `repeats`, in turns."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(repeats):
        for name, job in jobs.items():
            start = perf_counter()
            job()
            best[name] = min(best[name], perf_counter() - start)
    return best
