"""Work in a process of its own that may hang, eat memory or crash without harm to the rest.

The process stays for the next call (loading torch and a network takes longer than many a case); it
is killed with everything below it when a call goes over its time or its memory.
"""

import logging
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from voxcurate.errors import ConfigError, CurationError, ItemTimeoutError, WorkerCrashError
from voxcurate.executors.pool import Job, WorkerProcess
from voxcurate.executors.worker import packed, unpacked
from voxcurate.keeper import STARTED_BY, descendants
from voxcurate.protocols import Outcome, Task

LOOK_S = 0.1  # between two looks at limited memory; a process can touch some 0.4 GB meanwhile
CALM_S = 1.0  # where only the time is limited, and for the peak that is told
START_S = 300.0  # for a process to come up on a busy machine
DYING_S = 1.0
PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Isolated:
    """A process that runs one worker function after the other within limits.

    Args:
        environment: variables that it is started with.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})
        self._process: WorkerProcess | None = None

    def call(
        self,
        worker: str,
        payload: Any,
        *,
        key: str = "",
        time_limit_s: float,
        memory_limit_mb: float | None = None,
    ) -> Outcome:
        """What ``worker`` (``"package.module:function"``) returns for plain data.

        Args:
            key: names the work in logs.
            time_limit_s: of this call; the start of the process does not count.
            memory_limit_mb: of the process and all below it together; None: no limit.

        Returns:
            value, seconds and the largest memory of the tree that was seen.

        Raises:
            CurationError: the function's own error, with its kind.
            ItemTimeoutError: it took too long. Process and children are gone.
            WorkerCrashError: the process died, or was stopped for its memory.
        """
        data = packed(payload, "payload")
        process = self._process = self._ready()
        process.job = Job(Task(key, None), 1, data)
        process.give(worker)
        start, peak = time.monotonic(), 0.0
        while True:
            left = max(0.0, time_limit_s - (time.monotonic() - start))
            pause = CALM_S if memory_limit_mb is None else LOOK_S
            wait([process.pipe, process.death], min(pause, left))
            outcome = self._news(process)
            if outcome is not None:
                process.job = None
                return _opened(outcome, peak, time.monotonic() - start)
            used = tree_mb(process.process.pid or 0, memory_limit_mb)
            peak = max(peak, used)
            if memory_limit_mb is not None and used > memory_limit_mb:
                self.close()
                raise WorkerCrashError(
                    f"took more than its {memory_limit_mb:g} MB of memory and was stopped"
                )
            if time.monotonic() - start > time_limit_s:
                self.close()
                raise ItemTimeoutError(f"took longer than {time_limit_s:g} s and was stopped")

    def close(self) -> None:
        """Kill the process and all below it, if it runs."""
        process, self._process = self._process, None
        if process is not None:
            kill_tree(process.process.pid or 0)
            process.stop()

    def _ready(self) -> WorkerProcess:
        process = self._process
        if process is not None and not wait([process.death], 0):
            return process
        self.close()
        process = self._process = WorkerProcess(self._environment)
        deadline = time.monotonic() + START_S
        while not process.ready:
            wait([process.pipe, process.death], 1.0)
            self._news(process)
            if time.monotonic() > deadline:
                self.close()
                raise WorkerCrashError("no process can be started")
        return process

    def _news(self, process: WorkerProcess) -> Outcome | None:
        """The outcome if it has come; logs on the way go on to our own loggers."""
        import pickle

        try:
            while process.pipe.poll():
                kind, content = pickle.loads(process.pipe.recv_bytes())  # noqa: S301 - our own child
                if kind == "log":
                    record = logging.makeLogRecord(dict(content))
                    logging.getLogger(record.name).handle(record)
                elif kind == "ready":
                    process.ready = True
                elif process.job is not None:
                    found: Outcome = content
                    return found
        except (EOFError, OSError, pickle.UnpicklingError):
            self._lost(process)
        if wait([process.death], 0) and not process.pipe.poll():
            self._lost(process)
        return None

    def _lost(self, process: WorkerProcess) -> None:
        self._process = None
        kill_tree(process.process.pid or 0, with_root=False)
        status = process.stop(DYING_S)
        raise WorkerCrashError(f"its process died (exit status {status})")


def _opened(outcome: Outcome, peak: float, seconds: float) -> Outcome:
    peak = max(peak, outcome.peak_mb)
    if outcome.ok:
        value = unpacked(outcome.value, "result")
        return Outcome(outcome.key, value, seconds=seconds, peak_mb=peak)
    kinds = {kind.__name__: kind for kind in _errors(CurationError)}
    raise kinds.get(outcome.error_kind, WorkerCrashError)(outcome.error)


def _errors(kind: type[CurationError]) -> list[type[CurationError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in _errors(sub))]


def tree_mb(pid: int, limit_mb: float | None = None) -> float:
    """Resident memory of a process and its descendants, in MB.

    Pages that they share are counted once for each, unless that would break the limit: then the
    kernel is asked for each one's share, which takes longer.
    """
    everyone = [pid, *descendants(pid)]
    total = sum(map(_resident_mb, everyone))
    if limit_mb is not None and total > limit_mb and len(everyone) > 1:
        return sum(map(_share_mb, everyone))
    return total


def kill_tree(pid: int, *, with_root: bool = True) -> None:
    """Kill a process and all below it; stopped first, so that none can fork away meanwhile."""
    stopped: set[int] = set()
    while new := {pid, *descendants(pid)} - stopped:
        stopped |= new
        for one in new:
            _send(one, signal.SIGSTOP)
    for one in stopped if with_root else stopped - {pid}:
        _send(one, signal.SIGKILL)


def keep(arguments: list[str], *, environment: Mapping[str, str], folder: Path, log: Path) -> int:
    """Run a foreign command under a keeper (`voxcurate.keeper`); its exit status.

    Args:
        environment: all of its variables.
        folder: where it runs.
        log: file for what it says.

    Raises:
        ConfigError: there is no such program.
    """
    import shutil
    import subprocess
    import sys

    program = shutil.which(arguments[0], path=environment.get("PATH"))
    if program is None:
        raise ConfigError(f"no program {Path(arguments[0]).name!r} on this machine")
    keeper = Path(__file__).with_name("keeper.py")
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-I", str(keeper), program, *arguments[1:]],
            cwd=folder,
            env={**environment, STARTED_BY: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return process.wait()


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _resident_mb(pid: int) -> float:
    with suppress(OSError, IndexError, ValueError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * PAGE / 2**20
    return 0.0


def _share_mb(pid: int) -> float:
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return _resident_mb(pid)
