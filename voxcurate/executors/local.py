"""The executors of this machine: a pool of processes, and one after the other."""

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import Field

from voxcurate.config import Config
from voxcurate.executors.worker import measured, resolve
from voxcurate.protocols import Outcome, Task

# waiting threads sleep: where others use the cores too, spinning ones slow every step several times
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VOXCURATE_THREADS",
)


class ExecutorConfig(Config):
    """How work is spread on this machine."""

    kind: str = Field("local", description="local, serial or cluster")
    cluster: str = Field(
        "", description="of kind cluster: its name (configs/clusters, clusters/ of the workspace), "
        "or the path of its file",
    )  # fmt: skip
    workers: int = Field(0, ge=0, description="0: one per core")
    time_limit_s: float = Field(1800.0, gt=0, description="per task")
    retries: int = Field(1, ge=0, description="further tries after a crash or a time-out")


class SerialExecutor:
    """Runs tasks one after the other in this process: for tests and debugging; no time limit."""

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes in the order of the tasks."""
        for task in tasks:
            yield measured(partial(_call, worker, task.payload), task.key)


class LocalExecutor:
    """A pool of processes on this machine; a task that hangs or kills its worker is recorded.

    A worker that outlives its time limit, counted from when it got the task, is killed. Errors of
    the task itself (bad input) are not retried: they would come again. Workers die with their
    parent, even when it is killed; closing the generator (Ctrl-C) stops them at once. What workers
    log is logged here.

    Args:
        workers: processes; 0 for one per core.
        threads: numerical threads of each process.
        time_limit_s: per task and try.
        retries: further tries after a time-out or a crash.
    """

    def __init__(
        self,
        *,
        workers: int = 0,
        threads: int = 1,
        time_limit_s: float = 1800.0,
        retries: int = 1,
    ) -> None:
        self.workers = workers or cores()
        self.threads = threads
        self.time_limit_s = time_limit_s
        self.retries = retries

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes as they finish; tasks are taken as workers become free.

        Raises:
            WorkerCrashError: no worker process can be started.
        """
        from voxcurate.executors.pool import Pool

        pool = Pool(
            self.workers,
            {**{name: str(self.threads) for name in THREAD_VARIABLES}, **WAITING},
            time_limit_s=self.time_limit_s,
            retries=self.retries,
        )
        with closing(pool.run(worker, tasks)) as outcomes:
            for outcome in outcomes:
                yield replace(outcome, cores=float(self.threads))


def _call(worker: str, payload: Any) -> Any:
    return resolve(worker)(payload)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
