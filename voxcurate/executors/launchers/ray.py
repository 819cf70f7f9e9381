"""Jobs on a Ray cluster: each is a detached actor with a name that runs one command."""

import hashlib
import importlib.util
import json
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from voxcurate.config import build
from voxcurate.errors import ClusterError, ConfigError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs, counted
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.executors.launchers.ray_client import Client, RayOptions
from voxcurate.executors.launchers.shell import begin, surroundings

GB = 1e9
AT_ONCE = 500  # jobs in one question: some ms each
NOTICE_S = 120.0  # before a job's time is over: to end in order


class RayLauncher:
    """Starts jobs on a Ray cluster.

    A job is an actor, not a task: a task belongs to the driver that submitted it and dies with it,
    a detached actor stays, has a name that other drivers find, and is started by the head when
    there is room, even if its driver is gone by then. Ray's job submission would do the same by an
    actor of its own, but needs the dashboard on every node.

    An id is the actor's name and the file that tells the job's end. Living actors are listed in one
    request, however many they are; of the others that file says whether the job ended or was lost,
    even after the head has forgotten it.

    Args:
        cluster: of kind ray; its ``options`` are `RayOptions`.

    Raises:
        ConfigError: an option is unknown, or Ray is not installed.
    """

    def __init__(self, cluster: ClusterConfig) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ConfigError("clusters of kind ray need: pip install 'voxcurate[cluster]'")
        self._cluster = cluster
        self._options = build(RayOptions, cluster.options)
        self._client: Client | None = None
        self._lock = threading.Lock()
        self._started: set[str] = set()
        self._fitted: set[str] = set()  # what some node could hold once
        self._looked_first = 0.0

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        """Start jobs; a job of the same folder and attempt that is alive is the same job.

        Raises:
            ClusterError: Ray cannot be reached, or the nodes that could hold them are not there
                (now).
            JobRefusedError: no node could ever hold one of them. None is started then.
        """
        if not jobs:
            return []
        orders = [self._order(job) for job in jobs]
        if not self._options.grows:
            self._look_for_room([order["resources"] for order in orders])
        for start in range(0, len(orders), AT_ONCE):
            self._ask("launch", orders[start : start + AT_ONCE])
        ids = [job_id(job) for job in jobs]
        self._started.difference_update(ids)
        return ids

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """What became of jobs, also of those that another driver launched.

        Raises:
            ClusterError: Ray cannot be reached (now).
        """
        if not ids:
            return {}
        living = set(self._ask("living"))
        return {name: self._state(name, living) for name in ids}

    def cancel(self, ids: Collection[str]) -> None:
        """Kill jobs; those that are over already are passed over.

        Raises:
            ClusterError: Ray cannot be reached (now).
        """
        names = [actor_of(each) for each in ids]
        for start in range(0, len(names), AT_ONCE):
            self._ask("cancel", names[start : start + AT_ONCE])

    def nodes(self) -> list[dict[str, float]]:
        """What each living node has, free or not, by Ray's names (``CPU``, ``GPU``, ``memory``).

        Raises:
            ClusterError: Ray cannot be reached (now).
        """
        found: list[dict[str, float]] = self._ask("nodes")
        return found

    def close(self) -> None:
        """Leave the cluster; jobs go on, but for those of a local one."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _state(self, each: str, living: set[str]) -> JobState:
        end = end_of(each)
        if actor_of(each) not in living:
            return JobState.ENDED if end is not None and end.exists() else JobState.LOST
        if end is not None and each not in self._started and end.with_suffix(".log").exists():
            self._started.add(each)
        return JobState.RUNNING if each in self._started else JobState.WAITING

    def _look_for_room(self, all_wanted: Sequence[dict[str, float]]) -> None:
        """Whether each job could run if nothing else did. A cluster that is just beginning, or has
        just lost nodes, may have fewer than it will: that is no reason to refuse for ever."""
        nodes = self.nodes()
        now = time.monotonic()
        self._looked_first = self._looked_first or now
        for text, wanted in {json.dumps(each): each for each in all_wanted}.items():
            try:
                refuse(wanted, nodes)
                self._fitted.add(text)
            except JobRefusedError as problem:
                if text in self._fitted or now - self._looked_first < self._options.join_s:
                    raise ClusterError(f"{problem} (now)") from None
                raise

    def _order(self, job: JobSpec) -> dict[str, Any]:
        """All that the node must know of a job."""
        cluster, needs = self._cluster, job.needs
        return {
            "name": actor_of(job_id(job)),
            "command": ["bash", "-c", script(cluster, job)],
            "folders": [str(Path.cwd()), str(job.folder)],  # the first that the node has
            "hidden": not needs.gpus,
            "log": str(job.log.absolute()),
            "end": str(end_of(job_id(job))),
            "seconds": needs.minutes * 60,
            "notice_s": min(NOTICE_S, needs.minutes * 30),
            "resources": resources(needs),
        }

    def _ask(self, call: str, *arguments: Any) -> Any:
        """One answer; after a failure the next question goes to a new connection."""
        with self._lock:
            try:
                if self._client is None:
                    self._client = Client(self._options)
                return self._client.ask(call, *arguments)
            except ClusterError:
                if self._client is not None and not self._client.alive:
                    self._client.close()
                    self._client = None
                raise


def job_id(job: JobSpec) -> str:
    """Of a folder and attempt always the same: a launch whose answer got lost can be repeated."""
    folder = job.folder.absolute()
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    name = "-".join(job.name.split()) or "job"
    return f"{name}.{digest}.{job.attempt} {folder / job.log.with_suffix('.end').name}"


def actor_of(each: str) -> str:
    """Name of a job's actor."""
    return each.partition(" ")[0]


def end_of(each: str) -> Path | None:
    """The file that tells a job's end."""
    path = each.partition(" ")[2]
    return Path(path) if path else None


def script(cluster: ClusterConfig, job: JobSpec) -> str:
    """Lines of a shell that becomes the job's process.

    Raises:
        ConfigError: the environment has a name that is none.
    """
    return "\n".join([*surroundings(cluster), *begin(cluster, job)])


def resources(needs: Needs) -> dict[str, float]:
    """What a job takes up, by Ray's names of it; ``options`` of a stage are resources of the
    cluster's own, or the ``accelerator_type``.

    Raises:
        JobRefusedError: Ray cannot give it.
    """
    if needs.nodes > 1:
        raise JobRefusedError(f"a job on Ray has one node, found nodes: {needs.nodes}")
    if needs.gpus > 1 and needs.gpus != int(needs.gpus):
        raise JobRefusedError(f"Ray gives a part of one GPU or whole ones, not {needs.gpus:g}")
    wanted = {"CPU": float(needs.cpus), "GPU": needs.gpus, "memory": needs.memory_gb * GB}
    for name, value in needs.options.items():
        if name == "accelerator_type":
            wanted[f"{name}:{value}"] = 0.001
        elif isinstance(value, str):
            raise JobRefusedError(f"want an amount of the resource {name!r}, found {value!r}")
        else:
            wanted[name] = float(value)
    return wanted


def refuse(wanted: Mapping[str, float], nodes: Sequence[Mapping[str, float]]) -> None:
    """Refuse what could never start, instead of letting it wait for ever.

    Raises:
        JobRefusedError: no node has so much, even when nothing else runs on it.
    """
    if any(all(node.get(name, 0.0) >= wanted[name] for name in wanted) for node in nodes):
        return
    found = "; ".join(sorted({_told(wanted, node) for node in nodes})) or "no node"
    raise JobRefusedError(
        f"no node of the Ray cluster could ever hold a job of {_told(wanted, wanted)}; it has "
        f"{found}; options: grows: true, if nodes come when they are asked for"
    )


def _told(names: Iterable[str], amounts: Mapping[str, float]) -> str:
    found = {name: amounts.get(name, 0.0) for name in names}
    words = [counted(found.pop("CPU"), "core"), counted(found.pop("GPU"), "GPU")]
    words.append(f"{found.pop('memory') / GB:.1f} GB")
    return ", ".join([*words, *(f"{amount:g} {name}" for name, amount in found.items())])
