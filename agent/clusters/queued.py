"""A launcher that says what it waits for, and not for ever."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from voxcurate.errors import JobRefusedError
from voxcurate.executors.launchers import JobSpec, JobState, Launcher
from voxcurate.progress import duration

FIRST_S = 15.0  # until it is said that jobs wait; then after twice as long, and so on


class StillQueuedError(JobRefusedError):
    """Jobs were in the queue for too long."""


class Queued:
    """Another launcher, watched.

    Args:
        launcher: that starts the jobs.
        patience_s: that they may be in the queue.
        say: told that they are.
    """

    def __init__(self, launcher: Launcher, patience_s: float, say: Callable[[str], None]) -> None:
        self._launcher = launcher
        self._patience_s = patience_s
        self._say = say
        self._began = 0.0
        self._next_s = FIRST_S

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        """As the other."""
        self._began = self._began or time.monotonic()
        return self._launcher.launch(jobs)

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """As the other.

        Raises:
            StillQueuedError: some wait, and the patience is over.
        """
        found = self._launcher.states(ids)
        waiting = [each for each, state in found.items() if state is JobState.WAITING]
        waited = time.monotonic() - self._began
        if not waiting:
            return found
        told = f"{len(waiting)} of {len(found)} probes still in the queue after {duration(waited)}"
        reasons: Mapping[str, str] = getattr(self._launcher, "waiting", {})
        why = sorted({reasons[each] for each in waiting if reasons.get(each)})
        told += f" ({', '.join(why)})" if why else ""
        if waited > self._patience_s:
            raise StillQueuedError(told)
        if waited > self._next_s:
            self._next_s = 2 * waited
            self._say(f"{told}; Ctrl-C takes them back")
        return found

    def cancel(self, ids: Collection[str]) -> None:
        """As the other."""
        self._launcher.cancel(ids)

    def __getattr__(self, name: str) -> Any:
        """What only some launchers know: how many jobs a machine has room for."""
        return getattr(self._launcher, name)
