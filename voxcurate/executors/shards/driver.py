"""The driver's side: an executor that cuts its tasks into shards and has jobs do them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import Launcher
from voxcurate.executors.shards.scheduler import PATIENCE_S
from voxcurate.protocols import Outcome, Task

MOST = 64  # jobs at once on a cluster that does not say how many it has room for


@dataclass(frozen=True)
class Settings:
    """What the executor of a stage works with.

    Attributes:
        launcher: that starts the jobs.
        cluster: where, and what is retried.
        needs: of a job.
        folder: of the stage's shards, on a file system that all nodes see.
        stage: its name.
        family: of tasks that the same code and settings made.
        scratch: the folder that payloads name for temporary files; jobs get their own in it.
        root: of the workspace: logs are told relative to it.
        time_limit_s: per task and try.
        retries: of a task after a crash or a time-out, within its job.
        patience_s: without an answer of the scheduler.
    """

    launcher: Launcher
    cluster: ClusterConfig
    needs: Needs
    folder: Path
    stage: str = ""
    family: str = ""
    scratch: Path | None = None
    root: Path | None = None
    time_limit_s: float = 1800.0
    retries: int = 1
    patience_s: float = PATIENCE_S

    @property
    def most(self) -> int:
        """Jobs at once."""
        room = getattr(self.launcher, "room", None)
        return self.cluster.max_jobs or (max(1, room(self.needs)) if room else MOST)


class ShardedExecutor:
    """Runs tasks in jobs that a launcher starts, each with a shard of them.

    Everything is in files that all nodes see, so that a driver may die at any time: its jobs go on,
    and the next driver with the same tasks takes in what they did and watches those that still run.
    Closing the generator (Ctrl-C) stops them; what they did is kept for the next call. When all
    tasks are over their shards are removed.

    Args:
        settings: where and how.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def run(self, worker: str, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Outcomes as they come. Tasks are taken as jobs become free.

        Raises:
            ClusterError: jobs are refused, end before they begin anything, or nobody answers; the
                shards' folder cannot be written to.
        """
        from voxcurate.executors.shards.running import Running

        running = Running(self.settings, worker, tasks)
        try:
            yield from running.outcomes()
        finally:
            running.close()
