"""Asking a scheduler what became of jobs that say nothing themselves: rarely, and never for long.

A job's own signs of life tell more than its place in a queue. Only of those without any it is not
known whether they wait in the queue or were forgotten.
"""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from agent.clusters.driving import Submitted
from agent.clusters.live import Job
from agent.clusters.schedulers import asked
from voxcurate.errors import CurationError
from voxcurate.executors.cluster import ClusterConfig
from voxcurate.executors.launchers import JobState

LIMIT_S = 10.0  # for an answer; a look at the files must not hang with the scheduler
EVERY_S = {"ray": 60.0}  # between two questions: joining a Ray cluster takes seconds
USUALLY_S = 15.0

Answers = Mapping[str, tuple[JobState, str]]


class Asking:
    """Remembers answers between the looks of ``jobs --watch``.

    Args:
        limit_s: for an answer.
    """

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._found: Answers = {}
        self._why = ""
        self._due = 0.0
        self._thread: threading.Thread | None = None

    def about(
        self, cluster: ClusterConfig, ids: Collection[str], *, is_here: bool = True
    ) -> tuple[Answers, str]:
        """What the scheduler says of jobs, and why it says nothing.

        Args:
            is_here: whether the last driver ran on this machine; elsewhere its processes are not
                seen.
        """
        if not ids:
            return {}, ""
        if cluster.kind == "processes" and not is_here:
            return {}, "its jobs are processes of another machine"
        if cluster.kind == "ray" and cluster.options.get("address") == "local":
            return {}, "the Ray cluster is its driver's own"
        busy = self._thread is not None and self._thread.is_alive()
        if not busy and time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY_S.get(cluster.kind, USUALLY_S)
            self._why = f"no answer within {self._limit_s:g} s"
            self._thread = threading.Thread(
                target=self._ask, args=(cluster, list(ids)), daemon=True
            )
            self._thread.start()
            self._thread.join(self._limit_s)
        return {each: self._found[each] for each in ids if each in self._found}, self._why

    def _ask(self, cluster: ClusterConfig, ids: Sequence[str]) -> None:
        try:
            self._found = asked(cluster, ids)
        except CurationError as error:
            self._found, self._why = {}, str(error)
        else:
            self._why = ""


def silent(jobs: Sequence[Job]) -> list[str]:
    """Ids of jobs whose files do not tell whether they are there: of these it is worth asking."""
    return [
        job.job for job in jobs if job.job and job.state in {"waiting", "lost"} and not job.over
    ]


def told_of(job: Job, answers: Answers) -> Job:
    """A job with what the scheduler says of it."""
    if job.job not in answers:
        return job
    state, reason = answers[job.job]
    words = {JobState.WAITING: "queued", JobState.RUNNING: "started"}
    return replace(job, scheduler=words.get(state, "gone"), reason=reason)


def driver_told(submitted: Submitted | None, answers: Answers) -> str:
    """What the scheduler says of the driver's job, in words; empty: nothing."""
    if submitted is None or submitted.job not in answers:
        return ""
    state, reason = answers[submitted.job]
    if state is JobState.WAITING:
        return f"in the queue ({reason})" if reason else "in the queue"
    return "running there" if state is JobState.RUNNING else "over"
