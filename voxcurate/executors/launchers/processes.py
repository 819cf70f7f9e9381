"""Jobs as processes of this machine: a laptop, or one box with several GPUs."""

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.executors.launchers.shell import begin, python_of, surroundings
from voxcurate.executors.local import cores

CANCEL_S = 15.0  # between the request to end and the end by force
DEVICES = "CUDA_VISIBLE_DEVICES"
GB = 1024**3


@dataclass(frozen=True)
class _Id:
    """A job's id taken apart: ``<pid>:<start>:<devices>:<share>:<machine>``. With its start a
    process is not taken for another one that has its number later; with its devices a later driver
    knows which are in use; with its machine a driver elsewhere, or after a power cut, does not take
    it for one that ended by itself."""

    pid: int
    start: int
    devices: tuple[str, ...]
    share: float
    machine: str

    @classmethod
    def parse(cls, text: str) -> "_Id | None":
        try:
            pid, start, devices, share, machine = text.split(":")
            names = tuple(filter(None, devices.split(",")))
            return cls(int(pid), int(start), names, float(share), machine)
        except ValueError:
            return None

    def __str__(self) -> str:
        devices = ",".join(self.devices)
        return f"{self.pid}:{self.start}:{devices}:{self.share:g}:{self.machine}"


class ProcessLauncher:
    """Starts each job in a session of its own: neither Ctrl-C in the driver's terminal nor the
    driver's end reaches it.

    A job gets the devices with the least use (``CUDA_VISIBLE_DEVICES``); jobs that need parts of
    one share it. On a machine without GPUs they are not given out.

    Args:
        cluster: its `python`, `setup` and `environment` are the jobs'.
        devices: that may be given out; None: those of ``CUDA_VISIBLE_DEVICES``, else all.
    """

    def __init__(self, cluster: ClusterConfig, *, devices: Sequence[str] | None = None) -> None:
        self._cluster = cluster
        self._devices = gpus() if devices is None else tuple(devices)
        self._jobs: dict[str, _Id] = {}  # that may be alive
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def room(self, needs: Needs) -> int:
        """How many such jobs the machine holds at once."""
        room = [cores() // needs.cpus, int(memory_bytes() // (needs.memory_gb * GB))]
        if needs.gpus and self._devices:
            room.append(int(len(self._devices) / needs.gpus))
        return max(1, min(room))

    def launch(self, jobs: Sequence[JobSpec]) -> list[str]:
        """Start jobs; their ids.

        Raises:
            ClusterError: a process cannot be started (now).
            JobRefusedError: there is no such program.
        """
        ids: list[str] = []
        try:
            for job in jobs:
                ids.append(self._start(job))
        except OSError as problem:
            self.cancel(ids)
            why = os.strerror(problem.errno) if problem.errno else type(problem).__name__
            never = isinstance(problem, (FileNotFoundError, PermissionError))
            kind = JobRefusedError if never else ClusterError
            raise kind(f"no process can be started: {why}") from None
        return ids

    def states(self, ids: Collection[str]) -> Mapping[str, JobState]:
        """Which of them still run."""
        for child in self._children.values():
            child.poll()  # else it stays a zombie
        return {each: self._state(each) for each in ids}

    def cancel(self, ids: Collection[str]) -> None:
        """Ask them to end, and end them by force after `CANCEL_S`; then all that they started and
        left behind. Those of other machines are passed over: their folders tell them to stop."""
        alive = {each: known for each in ids if (known := _Id.parse(each)) and self._runs(each)}
        for each in alive.values():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(each.pid, signal.SIGTERM)
        until = time.monotonic() + CANCEL_S
        left = set(alive)
        while left and time.monotonic() < until:
            time.sleep(0.02)
            for text in [text for text in left if not self._runs(text)]:
                left.discard(text)
                _end_group(alive[text].pid)
        for text in left:
            _end_group(alive[text].pid)
            if text in self._children:
                self._children[text].wait()

    def _start(self, job: JobSpec) -> str:
        devices, share = self._free_devices(job.needs)
        environment = {**os.environ, **self._cluster.environment}
        if self._devices and job.needs.gpus:
            environment[DEVICES] = ",".join(devices)
        elif self._devices:
            environment[DEVICES] = ""  # else a job that asked for none would sit on another's
        if self._cluster.setup:
            own = [f"export {DEVICES}={environment[DEVICES]}"] if self._devices else []
            lines = [*surroundings(self._cluster), *own, *begin(self._cluster, job)]
            command = ["bash", "-c", "\n".join(lines)]
        else:
            python = shlex.split(os.path.expandvars(python_of(self._cluster)))
            command = [*python, *job.command]
        with job.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        known = _Id(child.pid, started(child.pid) or 0, devices, share, machine())
        self._jobs[str(known)], self._children[str(known)] = known, child
        return str(known)

    def _free_devices(self, needs: Needs) -> tuple[tuple[str, ...], float]:
        """The devices with the least use, and what a job takes of each."""
        if not needs.gpus or not self._devices:
            return (), 0.0
        use = dict.fromkeys(self._devices, 0.0)
        for text, job in list(self._jobs.items()):
            if not self._runs(text):
                del self._jobs[text]
                continue
            for device in job.devices:
                use[device] = use.get(device, 0.0) + job.share
        wanted = max(1, round(needs.gpus))
        best = sorted(self._devices, key=lambda device: use[device])[:wanted]
        return tuple(best), min(1.0, needs.gpus)

    def _state(self, text: str) -> JobState:
        known = _Id.parse(text)
        if known is None or known.machine != machine():
            return JobState.LOST
        if self._runs(text):
            self._jobs[text] = known
            return JobState.RUNNING
        self._jobs.pop(text, None)
        self._children.pop(text, None)
        return JobState.ENDED

    def _runs(self, text: str) -> bool:
        known = _Id.parse(text)
        child = self._children.get(text)
        if known is None or known.machine != machine():
            return False
        if child is not None and child.poll() is not None:
            return False
        return started(known.pid) == known.start


def _end_group(leader: int) -> None:
    """End what a job's session still holds. Its number is nobody else's while there is any."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


@cache
def machine() -> str:
    """A machine since it was started, and on it a space of process numbers: a container's."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        return f"{boot}.{Path('/proc/self/ns/pid').readlink().name.strip('pid:[]')}"
    except OSError:
        return socket.gethostname().replace(":", "-")


def started(pid: int) -> int | None:
    """When a process began, in ticks since the machine did; None if there is none (any more)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else int(rest[18])


@cache
def gpus() -> tuple[str, ...]:
    """The GPUs that this process may use."""
    named = os.environ.get(DEVICES)
    if named is not None:
        return tuple(each.strip() for each in named.split(",") if each.strip() not in {"", "-1"})
    try:
        found = subprocess.run(
            ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(found.stdout.split()) if found.returncode == 0 else ()


def memory_bytes() -> int:
    """Of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
