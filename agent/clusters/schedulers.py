"""What a cluster's scheduler says: whether it answers, has what the YAML names, knows jobs."""

import math
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from agent.clusters.checks import Check
from agent.clusters.driving import driver_needs
from voxcurate.errors import ClusterError
from voxcurate.executors.cluster import ClusterConfig, Needs, counted
from voxcurate.executors.launchers import JobState
from voxcurate.executors.local import cores

READY = {"idle", "mixed", "allocated", "completing"}
Rows = Sequence[Mapping[str, str]]


def look(cluster: ClusterConfig, *, driver: bool = True) -> Iterator[Check]:
    """Checks on this machine.

    Args:
        driver: the driver will be a job too.

    Raises:
        ClusterError: the scheduler cannot be reached.
    """
    looks = {"processes": _processes, "slurm": _slurm, "ray": _ray}
    for check in looks[cluster.kind](cluster, driver):
        yield replace(check, where="here")


def asked(cluster: ClusterConfig, ids: Collection[str]) -> Mapping[str, tuple[JobState, str]]:
    """What the scheduler says of jobs, and why they wait; nothing is changed by asking.

    Raises:
        ClusterError: it cannot be reached.
    """
    if cluster.kind == "slurm":
        from voxcurate.executors.launchers.slurm_queue import queue

        told = {
            each: (seen.state, seen.reason if seen.waits else "")
            for each, seen in queue(ids).items()
        }
        return {each: told.get(each, (JobState.LOST, "")) for each in ids}
    from voxcurate.executors.launchers import make_launcher

    launcher = make_launcher(cluster)
    try:
        return {each: (state, "") for each, state in launcher.states(ids).items()}
    finally:
        getattr(launcher, "close", lambda: None)()


def _processes(cluster: ClusterConfig, driver: bool) -> Iterator[Check]:
    most = max(needs.cpus for _, needs in _jobs(cluster, driver))
    found = counted(cores(), "core")
    if most > cores():
        mend = "fewer `cpus` in the stages' needs: jobs share the cores now"
        yield Check("scheduler", "warning", found, f"{counted(most, 'core')} for one job", mend)
    else:
        yield Check("scheduler", "ok", f"processes of this machine, {found}")


def _slurm(cluster: ClusterConfig, driver: bool) -> Iterator[Check]:
    from voxcurate.executors.launchers.slurm_queue import tool

    if shutil.which("sbatch") is None:
        raise ClusterError("no sbatch here: this machine submits no SLURM jobs")
    lines = tool(["sinfo", "--noheader", "--format=%P|%a|%D|%T|%l"]).splitlines()
    rows = [dict(zip(("name", "up", "n", "state", "limit"), line.split("|"), strict=False))
            for line in lines if line.count("|") >= 4]  # fmt: skip
    usual = next((row["name"][:-1] for row in rows if row["name"].endswith("*")), "")
    rows = [{**row, "name": row["name"].rstrip("*")} for row in rows]
    yield Check("scheduler", "ok", f"SLURM with {len({r['name'] for r in rows})} partitions")
    for name in sorted(
        set(chain(*(_partitions(cluster, n, "") for _, n in _jobs(cluster, driver))))
    ):
        yield _partition(name, rows)
    yield from _times(cluster, rows, usual, driver)


def _partition(name: str, rows: Rows) -> Check:
    own = [row for row in rows if row["name"] == name]
    ready = [r for r in own if r["up"] == "up" and r["state"].rstrip("*~#!%$@+^-") in READY]
    if not own:
        known = ", ".join(sorted({row["name"] for row in rows}))
        mend = f"`partition` of the cluster's YAML; there are: {known}"
        return Check(f"partition {name}", "failed", "no such partition", "one that exists", mend)
    if not ready:
        states = ", ".join(sorted({f"{r['n']} {r['state']}" for r in own}))
        return Check(
            f"partition {name}", "failed", f"no node can run jobs ({states})",
            "nodes idle, mixed or allocated", "ask those who run the cluster",
        )  # fmt: skip
    n = sum(int(r["n"]) for r in ready)
    return Check(f"partition {name}", "ok", f"{counted(n, 'node')}, up to {own[0]['limit']} a job")


def _times(cluster: ClusterConfig, rows: Rows, usual: str, driver: bool) -> Iterator[Check]:
    """Jobs that want more time than their partition gives would be refused, or wait for ever; the
    probe, which is short, does not find that out."""
    limits = {row["name"]: row["limit"] for row in rows}
    for stage, needs in _jobs(cluster, driver):
        names = [name for name in _partitions(cluster, needs, usual) if name in limits]
        options = {**cluster.options, **needs.options}
        if names and "time" not in options and needs.minutes > max(
            minutes_of(limits[name]) for name in names
        ):  # fmt: skip
            found = ", ".join(f"{name}: up to {limits[name]}" for name in names)
            mend = f"fewer `minutes` in {stage} of the cluster's YAML (what is left goes to a "
            mend += "further job), or another partition"
            yield Check(f"time of {stage}", "failed", found, f"{needs.minutes:g} min", mend)


def minutes_of(limit: str) -> float:
    """SLURM's words for a time, ``2-12:00:00`` or ``30:00``; what is no number bounds nothing."""
    days, dash, clock = limit.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in [*parts, *([days] if dash else [])]):
        return math.inf
    weights = (60.0, 1.0, 1 / 60) if dash or len(parts) == 3 else (1.0, 1 / 60)
    return float(days or 0) * 1440 + sum(int(p) * w for p, w in zip(parts, weights, strict=False))


def _jobs(cluster: ClusterConfig, driver: bool) -> list[tuple[str, Needs]]:
    """Each kind of needs that the YAML names, by the name it has there."""
    named = {n: needs for n, needs in cluster.stages.items() if n not in cluster.here}
    named.pop("driver", None)
    more = {"driver": driver_needs(cluster)} if driver else {}
    return list({"default": cluster.default, **named, **more}.items())


def _partitions(cluster: ClusterConfig, needs: Needs, usual: str) -> list[str]:
    """Where such a job may run; `usual` if the YAML does not say."""
    told = str({**cluster.options, **needs.options}.get("partition", usual))
    return [name for name in told.split(",") if name]


def _ray(cluster: ClusterConfig, driver: bool) -> Iterator[Check]:
    from voxcurate.executors.launchers.ray import RayLauncher

    launcher = RayLauncher(cluster)
    try:
        nodes = launcher.nodes()
    finally:
        launcher.close()
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    yield Check(
        "scheduler", "ok", f"Ray with {counted(len(nodes), 'node')}, {counted(gpus, 'GPU')}"
    )
