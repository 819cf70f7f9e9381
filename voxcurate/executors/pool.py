"""The driver's side of the local executor: worker processes, each with a pipe of its own.

One of them can hang, be killed in mid-sentence or send rubbish without touching the others. Pools
with one queue for all workers (concurrent.futures, Pebble) break, or wait for ever, when a worker
dies while it holds the queue's lock or has half a message in it; that is what the kernel's
out-of-memory killer does to large results.
"""

import atexit
import logging
import os
import pickle
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import wait
from typing import Any

from voxcurate.errors import WorkerCrashError
from voxcurate.executors.worker import UnsendableError, packed, serve, unpacked
from voxcurate.protocols import Outcome, Task

log = logging.getLogger(__name__)
STARTS = 3  # processes in a row that may die before they are ready
DYING_S = 1.0  # between the end of a dying process's pipe and its exit status
MESSAGES = 1000  # heard from one worker before the others have their turn


@dataclass(frozen=True)
class Job:
    """A task on its way: its payload pickled, and which try it is."""

    task: Task
    attempt: int
    payload: bytes


class WorkerProcess:
    """One process and what it is doing."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, os.getpid()))
        with _environment(environment), _no_interrupts():
            self.process.start()
        theirs.close()
        self.death = _death(self.process)
        self.ready = False
        self.job: Job | None = None
        self.since = 0.0  # of `time.monotonic`, when it got its job
        _running.add(self)

    def give(self, function: str) -> None:
        """Hand its job over; if it has died meanwhile, that is noticed at the next look."""
        assert self.job is not None
        self.since = time.monotonic()
        with suppress(OSError):
            self.pipe.send_bytes(pickle.dumps((function, self.job.task.key)))
            self.pipe.send_bytes(self.job.payload)

    def stop(self, patience_s: float = 0.0) -> int | None:
        """Kill it if it still runs; its exit status. What it was writing stays in the scratch
        folder."""
        _running.discard(self)
        self.process.join(patience_s)
        self.process.kill()
        self.process.join()
        self.pipe.close()
        if self.death != self.process.sentinel:
            os.close(self.death)
        return self.process.exitcode


class Pool:
    """Runs tasks in processes of their own and tells the outcome of each.

    A task's time limit starts when a process that is ready gets it. A process is started when there
    is work for it, and all are stopped when the generator ends or is closed.

    Args:
        size: processes at most.
        environment: variables that the processes are started with.
        time_limit_s: per task and try.
        retries: further tries after a time-out or a crash.
    """

    def __init__(
        self, size: int, environment: Mapping[str, str], *, time_limit_s: float, retries: int
    ) -> None:
        self.size = size
        self.environment = environment
        self.time_limit_s = time_limit_s
        self.retries = retries
        self._function = ""
        self._workers: list[WorkerProcess] = []
        self._again: deque[Job] = deque()
        self._failed_starts = 0

    def run(self, function: str, tasks: Iterable[Task]) -> Generator[Outcome, None, None]:
        """Outcomes as they finish; never more tasks are taken than there are processes.

        Raises:
            WorkerCrashError: no process can be started.
        """
        self._function = function
        queue = iter(tasks)
        try:
            yield from self._feed(queue)
            while any(each.job for each in self._workers):
                for outcome in self._look():
                    yield from self._feed(queue)  # before the caller takes its time
                    yield outcome
                yield from self._feed(queue)
        finally:
            while self._workers:
                self._workers.pop().stop()

    def _feed(self, queue: Iterator[Task]) -> Iterator[Outcome]:
        """Give every free process a job; an outcome for each task that cannot even be sent."""
        while True:
            free = next((each for each in self._workers if each.job is None), None)
            if free is not None and wait([free.death], 0):  # died at rest: no task's fault
                self._workers.remove(free)
                free.stop()
                continue
            if free is None and len(self._workers) >= self.size:
                return
            if self._again:
                job = self._again.popleft()
            else:
                task = next(queue, None)
                if task is None:
                    return
                try:
                    payload = packed(task.payload, "payload")
                except UnsendableError as problem:
                    yield Outcome(task.key, None, str(problem), type(problem).__name__)
                    continue
                job = Job(task, 1, payload)
            if free is None:
                free = WorkerProcess(self.environment)
                self._workers.append(free)
            free.job = job
            if free.ready:
                free.give(self._function)  # else when it says that it is

    def _look(self) -> list[Outcome]:
        """Wait until something happens; the outcomes of tasks that are over."""
        limits = [each.since + self.time_limit_s for each in self._workers if _timed(each)]
        left = max(0.0, min(limits) - time.monotonic()) if limits else None
        wait([thing for each in self._workers for thing in (each.pipe, each.death)], left)
        found = [self._news(each) for each in list(self._workers)]
        return [outcome for outcome in found if outcome is not None]

    def _news(self, worker: WorkerProcess) -> Outcome | None:
        """What became of a worker's task, if it is over."""
        for _ in range(MESSAGES):
            try:
                if not worker.pipe.poll():
                    break
                kind, content = pickle.loads(worker.pipe.recv_bytes())  # noqa: S301 - our own child
            except Exception:  # noqa: BLE001 - the pipe's end, or rubbish in it: of no more use
                return self._lost(worker)
            if kind == "log":
                log_again(content)
            elif kind == "ready":
                worker.ready, self._failed_starts = True, 0
                if worker.job is not None:
                    worker.give(self._function)
            elif worker.job is not None:
                job, worker.job = worker.job, None
                return _opened(content, job.attempt)
        if wait([worker.death], 0):
            return self._lost(worker)
        if _timed(worker) and time.monotonic() >= worker.since + self.time_limit_s:
            return self._late(worker)
        return None

    def _lost(self, worker: WorkerProcess) -> Outcome | None:
        self._workers.remove(worker)
        died = f"(exit status {worker.stop(DYING_S)})"
        if not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= STARTS:
                raise WorkerCrashError(f"no worker process can be started {died}")
            if worker.job is not None:
                self._again.appendleft(worker.job)
            return None
        if worker.job is None:
            return None
        return self._retry(worker.job, f"its worker process died {died}", "WorkerCrashError")

    def _late(self, worker: WorkerProcess) -> Outcome | None:
        self._workers.remove(worker)
        worker.stop()
        assert worker.job is not None
        error = f"took longer than {self.time_limit_s:g} s and was stopped"
        return self._retry(worker.job, error, "ItemTimeoutError", seconds=self.time_limit_s)

    def _retry(self, job: Job, error: str, kind: str, *, seconds: float = 0.0) -> Outcome | None:
        """Queue a job for another try; its outcome when it has had them all."""
        if job.attempt <= self.retries:
            log.warning("retrying", extra={"item": job.task.key, "why": error})
            self._again.append(replace(job, attempt=job.attempt + 1))
            return None
        return Outcome(job.task.key, None, error, kind, seconds, 0.0, job.attempt)


_running: set[WorkerProcess] = set()


@atexit.register
def _stop_all() -> None:
    """Leave no process behind when a generator was never closed; else `multiprocessing` would wait
    for them."""
    for each in list(_running):
        each.stop()


def _timed(worker: WorkerProcess) -> bool:
    return worker.ready and worker.job is not None


def _opened(outcome: Outcome, attempt: int) -> Outcome:
    """The outcome with its value out of its envelope; rubbish in it fails this task only."""
    if not outcome.ok:
        return replace(outcome, attempts=attempt)
    try:
        return replace(outcome, value=unpacked(outcome.value, "result"), attempts=attempt)
    except UnsendableError as problem:
        kind = type(problem).__name__
        return replace(outcome, value=None, error=str(problem), error_kind=kind, attempts=attempt)


def _death(process: Any) -> int:
    """Something to wait for that tells a process's end. Its pipes may outlive it in processes that
    it forked."""
    try:
        return os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        return int(process.sentinel)


def log_again(content: Mapping[str, Any]) -> None:
    """Log here what another process logged there."""
    record = logging.makeLogRecord(dict(content))
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables for the process that is started inside: numpy reads them when it is imported, which
    is before any line of ours runs there."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Ctrl-C waits while a process is started, and does not reach one that cannot handle it yet."""
    import signal

    resource_tracker.ensure_running()  # started by the first process, it would lift the block
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
