"""A launcher that is away at times: asked again with growing waits, given up in the end."""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.launchers import JobSpec, JobState, Launcher
from voxcurate.executors.shards.state import Shard, Try

log = logging.getLogger(__name__)
LONGEST_S = 300.0  # between two questions
PATIENCE_S = 24 * 3600.0
FIRST_S = 60.0  # while it has never answered: more likely a wrong setting

T = TypeVar("T")


class Scheduler:
    """Speaks to a launcher.

    Args:
        launcher: that starts the jobs.
        poll_s: between two looks at the jobs, and the first wait.
        patience_s: without an answer, after which its error is raised.
    """

    def __init__(
        self, launcher: Launcher, *, poll_s: float, patience_s: float = PATIENCE_S
    ) -> None:
        self._launcher = launcher
        self._poll_s = poll_s
        self._patience_s = patience_s
        self._answered = False
        self._wait_s = 0.0
        self._not_before = self._away_since = 0.0
        self._looked = 0.0

    def launch(self, jobs: Sequence[JobSpec]) -> list[str] | None:
        """Ids of the jobs, started; None: not now.

        Raises:
            ClusterError: such jobs are refused, or nobody answers for too long.
        """
        return self._ask(lambda: self._launcher.launch(jobs))

    def states(self, ids: Collection[str], *, now: bool = False) -> Mapping[str, JobState] | None:
        """States of jobs, if it is time to look again; else None.

        Args:
            now: there is reason to look a little earlier.

        Raises:
            ClusterError: nobody answers for too long.
        """
        wait_s = min(self._poll_s, 0.2) if now else self._poll_s
        if time.monotonic() - self._looked < wait_s:
            return None
        self._looked = time.monotonic()
        return self._ask(lambda: self._launcher.states(ids)) if ids else {}

    def stop(self, tries: Iterable[tuple[Shard, Try]]) -> None:
        """Stop jobs; where nobody answers, they stop by themselves: their folders tell them to."""
        ids = []
        for shard, each in tries:
            shard.folder.stop(each.number)
            if each.order.job:
                ids.append(each.order.job)
        if not ids:
            return
        try:
            self._launcher.cancel(ids)
        except ClusterError as problem:
            log.warning("jobs not cancelled", extra={"jobs": len(ids), "why": str(problem)})

    def _ask(self, question: Callable[[], T]) -> T | None:
        now = time.monotonic()
        if now < self._not_before:
            return None
        try:
            answer = question()
        except JobRefusedError:
            raise
        except ClusterError as problem:
            if not self._wait_s:
                self._away_since = now
                log.warning("the scheduler does not answer", extra={"why": str(problem)})
            patience = self._patience_s if self._answered else min(FIRST_S, self._patience_s)
            if now - self._away_since > patience:
                raise
            self._wait_s = min(LONGEST_S, max(self._poll_s, 2 * self._wait_s))
            self._not_before = now + self._wait_s
            return None
        if self._wait_s:
            log.info("the scheduler answers again")
        self._answered, self._wait_s = True, 0.0
        return answer
