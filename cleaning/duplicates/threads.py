"""Threads for the compiled loops, which run without the interpreter's lock."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from voxcurate.executors import cores

T = TypeVar("T")
R = TypeVar("R")


def thread_count() -> int:
    """As many as OMP_NUM_THREADS says, else one per core that this process may use."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) else cores()


def in_threads(job: Callable[[T], R], given: Iterable[T], n_threads: int) -> list[R]:
    """The results in order; one thread is the caller's."""
    if n_threads <= 1:
        return [job(one) for one in given]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(job, given))
