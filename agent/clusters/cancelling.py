"""Ending work on a cluster. What is done stays; ``voxcurate submit`` goes on with the rest."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from agent.clusters.driving import driver_of, launcher_of, read_submitted
from agent.clusters.live import Job, find_job, jobs_of, short_id
from voxcurate.executors.cluster import ClusterConfig
from voxcurate.executors.launchers import JobState, Launcher
from voxcurate.executors.shards.files import SHARDS, ShardFolder
from voxcurate.workspace import Workspace

PATIENCE_S = 30.0  # for a driver to end


@dataclass(frozen=True)
class Cancelled:
    """What was ended: the driver (in words; empty: there was none), and jobs by their ids."""

    driver: str
    jobs: tuple[str, ...]
    note: str = ""


def cancel_one(
    workspace: Workspace, cluster: ClusterConfig, launcher: Launcher, name: str
) -> Cancelled:
    """End one job. A driver that lives gives its items to a new one."""
    told = read_submitted(workspace)
    if told is not None and name in {told.job, short_id(told.job), "driver"}:
        return Cancelled(_end_driver(workspace, cluster, launcher), ())
    job = find_job(jobs_of(workspace.root, cluster.silence_s), name)
    _end(workspace, launcher, [job])
    _, lives = driver_of(workspace)
    note = "the driver lives and starts another job for its items" if lives else ""
    return Cancelled("", (short_id(job.job) or job.shard,), note)


def cancel_all(workspace: Workspace, cluster: ClusterConfig, launcher: Launcher) -> Cancelled:
    """End the driver, then every job that may still be there."""
    driver = _end_driver(workspace, cluster, launcher)
    jobs = [
        job
        for job in jobs_of(workspace.root, cluster.silence_s)
        if job.state != "ended" and job.job
    ]
    _end(workspace, launcher, jobs)
    holder, lives = driver_of(workspace)
    note = ""
    if lives and holder is not None:
        note = f"the driver still runs: {holder.described()}; end it there, it starts jobs again"
    return Cancelled(driver, tuple(short_id(job.job) for job in jobs), note)


def _end(workspace: Workspace, launcher: Launcher, jobs: list[Job]) -> None:
    """By their folders too: a job that the scheduler has lost sight of stops by itself."""
    for job in jobs:
        ShardFolder(workspace.root / SHARDS / job.stage / job.shard).stop(job.number)
    ids = [job.job for job in jobs if job.job]
    if ids:
        launcher.cancel(ids)


def _end_driver(workspace: Workspace, cluster: ClusterConfig, launcher: Launcher) -> str:
    """End the driver: its job, or a process of this machine; in words what was ended."""
    told, ended = read_submitted(workspace), ""
    if told is not None:
        launcher = launcher_of(workspace, told, cluster, launcher)
        state = launcher.states([told.job]).get(told.job, JobState.LOST)
        if state in {JobState.WAITING, JobState.RUNNING}:
            launcher.cancel([told.job])
            ended = told.described()
    holder, lives = driver_of(workspace)
    if lives and holder is not None and holder.is_here and not ended:
        os.kill(holder.pid, signal.SIGTERM)
        ended = holder.described()
    if ended:
        _await_end(workspace.root)
    return ended


def _await_end(root: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and driver_of(Workspace(root))[1]:
        time.sleep(0.2)
