"""Launchers: start jobs somewhere and tell what became of them. They know nothing of items."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.protocols import load

LAUNCHERS = {
    "processes": "voxcurate.executors.launchers.processes:ProcessLauncher",
    "slurm": "voxcurate.executors.launchers.slurm:SlurmLauncher",
    "ray": "voxcurate.executors.launchers.ray:RayLauncher",
}
LINKS = ".arrays"  # beside the shards: where an array's tasks find their logs


class JobState(StrEnum):
    """What a scheduler says of a job."""

    WAITING = "waiting"  # in the queue
    RUNNING = "running"
    ENDED = "ended"  # by itself, whatever its exit status: its shard's files tell what it did
    # pre-empted, node gone, out of its time, never heard of; cancelled from outside, where the
    # scheduler tells that from an end
    LOST = "lost"


@dataclass(frozen=True)
class JobSpec:
    """A job to be started: ``python`` with `command`, that of a shard unless `arguments` are given.

    Attributes:
        folder: of the shard, on a file system that all nodes see; the job's own words go to
            ``job.<try>.log`` in it.
        name: for people who look at the queue; no identifier of a patient.
        needs: cores, memory, devices and time.
        attempt: which try of this shard it is, from 1.
        arguments: of python instead of those of a shard's job: the driver itself is such a job.
    """

    folder: Path
    name: str
    needs: Needs
    attempt: int = 1
    arguments: tuple[str, ...] = ()

    @property
    def command(self) -> tuple[str, ...]:
        """What python is started with."""
        job = ("-m", "voxcurate.executors.shards.job", str(self.folder), str(self.attempt))
        return self.arguments or job

    @property
    def log(self) -> Path:
        """Where the job's stdout and stderr go."""
        return self.folder / f"job.{self.attempt}.log"

    @property
    def signs(self) -> Path:
        """Where a shard's job gives signs of life, and its shell says why it cannot begin."""
        return self.folder / f"beat.{self.attempt}.json"


@runtime_checkable
class Launcher(Protocol):
    """Starts jobs. Ids are texts that another driver process, later, can ask about too."""

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        """Start jobs, together where the scheduler has arrays; their ids, in order.

        Raises:
            ClusterError: the scheduler refuses or cannot be reached.
        """
        ...

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """What became of jobs; an id that nobody knows (any more) is LOST.

        Raises:
            ClusterError: the scheduler cannot be reached (now).
        """
        ...

    def cancel(self, ids: Collection[str]) -> None:
        """Stop jobs; those that are over already are passed over."""
        ...


def make_launcher(cluster: ClusterConfig) -> Launcher:
    """What starts a cluster's jobs; each kind is made of the cluster's settings alone.

    Raises:
        ConfigError: the settings do not fit the kind, or what it needs is not installed.
    """
    launcher: Launcher = load(LAUNCHERS, cluster.kind)(cluster)
    return launcher
