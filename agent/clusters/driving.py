"""The driver of rounds as a job of the cluster: what it is started with, and what became of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.clusters.live import short_id
from voxcurate.atomic import write_text
from voxcurate.errors import WorkspaceError
from voxcurate.executors.cluster import ClusterConfig, Needs, load_cluster
from voxcurate.executors.launchers import JobSpec, JobState, Launcher, make_launcher
from voxcurate.lock import last_holder
from voxcurate.lock_record import Holder
from voxcurate.workspace import Workspace

FOLDER, RECORD = "driver", "submitted.json"
NAME = "voxcurate-driver"
NEEDS = Needs(cpus=2, memory_gb=8.0, minutes=7 * 24 * 60)


@dataclass(frozen=True)
class Submitted:
    """A driver that was submitted as a job.

    Attributes:
        cluster: its name, as it was given.
        kind: of the cluster.
        job: its id at the scheduler.
        number: which of the workspace's driver jobs it is.
        when: UTC.
    """

    cluster: str
    kind: str
    job: str
    number: int
    when: str

    def described(self) -> str:
        """``job 12 of cluster slurm, submitted 2026-11-22 01:00:05 UTC``."""
        return f"job {short_id(self.job)} of cluster {self.cluster}, submitted {self.when}"


def driver_needs(cluster: ClusterConfig) -> Needs:
    """What the driver's job needs: ``stages: driver:`` of the cluster, else little, for a week."""
    return cluster.stages.get("driver", NEEDS)


def arguments(
    workspace: Workspace,
    *,
    cluster: str,
    file: Path | None = None,
    settings: Sequence[str] = (),
    rounds: int = 1,
    no_review: bool = False,
) -> tuple[str, ...]:
    """What python is started with as the driver: ``voxcurate round`` on the cluster."""
    words = ["-m", "agent", "round", *([str(file.resolve())] if file else [])]
    words += [word for setting in settings for word in ("--set", setting)]
    words += [word for setting in on_cluster(cluster) for word in ("--set", setting)]
    words += ["--rounds", str(rounds), *(["--no-review"] if no_review else [])]
    return (*words, "-w", str(workspace.root))


def on_cluster(name: str) -> list[str]:
    """The settings that choose a cluster. A file is named by its whole path: the driver may be
    started elsewhere."""
    if name.endswith((".yaml", ".yml")):
        name = str(Path(name).expanduser().resolve())
    return ["executor.kind=cluster", f"executor.cluster={json.dumps(name)}"]


def driver_job(workspace: Workspace, cluster: ClusterConfig, words: Sequence[str]) -> JobSpec:
    """The next driver job of a workspace."""
    last = read_submitted(workspace)
    number = last.number + 1 if last else 1
    folder = workspace.root / FOLDER
    return JobSpec(folder, NAME, driver_needs(cluster), number, tuple(words))


def submit_driver(
    workspace: Workspace, name: str, cluster: ClusterConfig, launcher: Launcher, job: JobSpec
) -> Submitted:
    """Start the driver's job and write down which it is.

    Raises:
        ClusterError: the scheduler refuses, or cannot be reached.
    """
    job.folder.mkdir(exist_ok=True)
    (job_id,) = launcher.launch([job])
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    told = Submitted(name, cluster.kind, job_id, job.attempt, when)
    write_text(job.folder / RECORD, json.dumps(asdict(told), indent=1) + "\n")
    return told


def read_submitted(workspace: Workspace) -> Submitted | None:
    """The driver that was submitted last; None if there was none."""
    try:
        text = (workspace.root / FOLDER / RECORD).read_text(encoding="utf-8")
        return Submitted(**json.loads(text))
    except (OSError, ValueError, TypeError):
        return None


def driver_log(workspace: Workspace, told: Submitted) -> Path:
    """What a driver's job said."""
    return workspace.root / FOLDER / f"job.{told.number}.log"


def launcher_of(
    workspace: Workspace, told: Submitted, cluster: ClusterConfig, launcher: Launcher
) -> Launcher:
    """What started a driver's job: while it is in the queue, others may speak of another cluster.

    Args:
        cluster: which they speak of, and its launcher.

    Raises:
        ConfigError: the YAML of the driver's cluster is gone or wrong.
    """
    if told.kind == cluster.kind:
        return launcher
    return make_launcher(load_cluster(told.cluster, workspace.root))


def check_no_driver(workspace: Workspace, cluster: ClusterConfig, launcher: Launcher) -> None:
    """That nobody drives this workspace, and no driver waits in the queue.

    A driver's job that the scheduler calls over may still be ending: the lock decides then.

    Raises:
        WorkspaceError: somebody does.
        ClusterError: the scheduler cannot be reached.
    """
    held = last_holder(workspace.root)
    if held is not None and held[1]:
        raise WorkspaceError(
            f"this workspace has a driver: {held[0].described()}; 'voxcurate jobs' shows its work"
        )
    told = read_submitted(workspace)
    if told is None:
        return
    launcher = launcher_of(workspace, told, cluster, launcher)
    state = launcher.states([told.job]).get(told.job, JobState.LOST)
    if state in {JobState.WAITING, JobState.RUNNING}:
        raise WorkspaceError(
            f"this workspace has a driver that is {state}: {told.described()}; "
            "'voxcurate jobs' shows its work, 'voxcurate cancel --all' ends it"
        )


def driver_of(workspace: Workspace) -> tuple[Holder | None, bool | None]:
    """Who writes to the workspace or did last, and whether it lives (None: not sure)."""
    return last_holder(workspace.root) or (None, False)
