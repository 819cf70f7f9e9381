"""What the local executor adds to an item: no-op items through two worker processes.

Each line is a process of its own, so that its peak memory is its own. Peers: a process pool of the
standard library and joblib, one item at a time as ours (an item must be able to hang or to kill its
worker without harm to others, which neither of them holds), and in groups.
"""

import json
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from voxcurate.executors import LocalExecutor, SerialExecutor
from voxcurate.protocols import Task

WORKERS = 2
WORKER = f"{__name__}:nothing"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print milliseconds an item and peak memory."""
    parser = ArgumentParser(prog="benchmarks.scale overhead", description=__doc__)
    parser.add_argument("--items", type=int, action="append")
    parser.add_argument("--only", choices=sorted(WAYS), action="append")
    parser.add_argument("--way", help="internal: measure in this process")
    asked = parser.parse_args(arguments)
    sizes = asked.items or [10_000, 100_000]
    if asked.way:
        sys.stdout.write(json.dumps(measured(asked.way, sizes[0])))
        return 0
    for n in sizes:
        for way in asked.only or WAYS:
            command = [sys.executable, "-m", "benchmarks.scale", "overhead"]
            command += ["--way", way, "--items", str(n)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
            found = done.stdout.decode() or json.dumps({"way": way, "failed": done.returncode})
            sys.stdout.write(found + "\n")
            sys.stdout.flush()
    return 0


def measured(way: str, n: int) -> dict[str, Any]:
    """Time of `n` items, the start of the processes in it, and this process's peak memory."""
    start, cpu = time.perf_counter(), time.process_time()
    done = sum(1 for _ in WAYS[way](n))
    seconds = time.perf_counter() - start
    if done != n:
        raise RuntimeError(f"{done} of {n} items")
    return {
        "way": way,
        "items": n,
        "ms_per_item": round(seconds / n * 1e3, 3),
        "driver_cpu_ms_per_item": round((time.process_time() - cpu) / n * 1e3, 3),
        "driver_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def nothing(payload: int) -> int:
    """The work of an item."""
    return payload


def _tasks(n: int) -> Iterator[Task]:
    return (Task(str(number), number) for number in range(n))


def _local(n: int) -> Iterator[Any]:
    return LocalExecutor(workers=WORKERS).run(WORKER, _tasks(n))


def _serial(n: int) -> Iterator[Any]:
    return SerialExecutor().run(WORKER, _tasks(n))


def _futures(chunk: int) -> Callable[[int], Iterator[Any]]:
    def run(n: int) -> Iterator[Any]:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
            yield from pool.map(nothing, range(n), chunksize=chunk)

    return run


def _joblib(batch: int | str) -> Callable[[int], Iterator[Any]]:
    def run(n: int) -> Iterator[Any]:
        from joblib import Parallel, delayed  # type: ignore[import-untyped]

        pool = Parallel(n_jobs=WORKERS, batch_size=batch, return_as="generator")
        yield from pool(delayed(nothing)(number) for number in range(n))

    return run


WAYS: dict[str, Callable[[int], Iterator[Any]]] = {
    "local": _local,
    "serial": _serial,
    "futures, one at a time": _futures(1),
    "futures, 100 at a time": _futures(100),
    "joblib, one at a time": _joblib(1),
    "joblib, auto": _joblib("auto"),
}
