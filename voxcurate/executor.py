"""Executors: run a pure worker over tasks, isolated, timed and retried, one failure never stopping
the rest."""

import logging
import os
import resource
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from importlib import import_module
from typing import Any

from pydantic import Field

from voxcurate.config import Config
from voxcurate.errors import CurationError
from voxcurate.protocols import Outcome, Task

log = logging.getLogger(__name__)
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class ExecutorConfig(Config):
    """How work is spread on this machine."""

    kind: str = "local"
    workers: int = Field(0, ge=0, description="0: one per core")
    time_limit_s: float = Field(1800.0, gt=0, description="per task")
    retries: int = Field(1, ge=0, description="further tries after a crash or a time-out")


class SerialExecutor:
    """Runs tasks one after the other in this process: for tests and debugging; no time limit."""

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes in the order of the tasks."""
        function = resolve(worker)
        for task in tasks:
            yield _measured(function, task.key, task.payload)


class LocalExecutor:
    """A pool of processes on this machine; a task that hangs or kills its worker is recorded.

    A worker that outlives its time limit is killed. Errors of the task itself (bad input) are not
    retried:
    they would come again. Workers die with their parent, even when it is killed.

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
        """Outcomes as they finish."""
        from multiprocessing import get_context

        from pebble import ProcessPool

        queue = iter(tasks)
        running: dict[Future[Any], tuple[Task, int]] = {}
        with ProcessPool(
            max_workers=self.workers,
            initializer=_start_worker,
            initargs=(self.threads, os.getpid()),
            context=get_context("spawn"),
        ) as pool:

            def submit(task: Task, attempt: int) -> None:
                future = pool.schedule(
                    _call, args=(worker, task.key, task.payload), timeout=self.time_limit_s
                )
                running[future] = (task, attempt)

            try:
                while True:
                    while len(running) < 2 * self.workers and (task := next(queue, None)):
                        submit(task, 1)
                    if not running:
                        break
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        task, attempt = running.pop(future)
                        outcome = self._outcome(future, task, attempt)
                        if outcome.error_kind in _PASSING and attempt <= self.retries:
                            log.warning("retrying", extra={"item": task.key, "why": outcome.error})
                            submit(task, attempt + 1)
                        else:
                            yield outcome
            finally:
                for future in running:
                    future.cancel()
                if running:
                    pool.stop()

    def _outcome(self, future: Future[Any], task: Task, attempt: int) -> Outcome:
        from pebble import ProcessExpired

        try:
            done: Outcome = future.result()
        except FutureTimeoutError:
            error = f"took longer than {self.time_limit_s:g} s and was stopped"
            return Outcome(
                task.key, None, error, "ItemTimeoutError", self.time_limit_s, 0.0, attempt
            )
        except ProcessExpired as gone:
            error = f"its worker process died (exit status {gone.exitcode})"
            return Outcome(task.key, None, error, "WorkerCrashError", 0.0, 0.0, attempt)
        return Outcome(
            done.key, done.value, done.error, done.error_kind, done.seconds, done.peak_mb, attempt
        )


_PASSING = {"ItemTimeoutError", "WorkerCrashError"}


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve(worker: str) -> Callable[[Any], Any]:
    """The function named ``"package.module:function"``."""
    module, _, name = worker.partition(":")
    function: Callable[[Any], Any] = getattr(import_module(module), name)
    return function


def _call(worker: str, key: str, payload: Any) -> Outcome:
    return _measured(resolve(worker), key, payload)


def _measured(function: Callable[[Any], Any], key: str, payload: Any) -> Outcome:
    start = time.perf_counter()
    value, error, kind = None, "", ""
    try:
        value = function(payload)
    except CurationError as problem:
        error, kind = str(problem), type(problem).__name__
    except Exception as problem:  # noqa: BLE001 - the edge of isolation: recorded with its place, never lost
        error, kind = _describe(problem), type(problem).__name__
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Outcome(key, value, error, kind, time.perf_counter() - start, peak_mb)


def _describe(problem: Exception) -> str:
    """Kind and place of an unforeseen error. Its text may quote a path or a patient, so it stays
    out."""
    frames = traceback.extract_tb(problem.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else "?"  # noqa: PTH119
    ours = [f for f in frames if os.path.basename(os.path.dirname(f.filename)) in _OURS]  # noqa: PTH119, PTH120
    if ours:
        place = f"{os.path.basename(ours[-1].filename)}:{ours[-1].lineno}, {place}"  # noqa: PTH119
    return f"unexpected {type(problem).__name__} at {place}"


_OURS = {"voxcurate", "agent", "retrieval", "cleaning", "labeling", "training", "catalog", "chat"}


def _start_worker(threads: int, parent: int) -> None:
    import ctypes
    import signal

    if hasattr(ctypes, "CDLL") and os.name == "posix":
        try:  # Linux: die with the parent (PR_SET_PDEATHSIG = 1)
            ctypes.CDLL("libc.so.6", use_errno=True).prctl(1, signal.SIGKILL)
        except OSError:
            log.debug("no prctl here")
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
    os.environ["VOXCURATE_THREADS"] = str(threads)
