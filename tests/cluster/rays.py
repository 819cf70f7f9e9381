"""A Ray cluster of several nodes on this machine, in a process of its own.

``python -m tests.cluster.rays`` is told over stdin what to do, a line of JSON each, and answers in
kind. Ray reads its settings when it is imported, so the tests' own process never imports it. When
stdin ends, however whoever held it ended, all that belongs to the cluster is killed.
"""

import contextlib
import ctypes
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobSpec
from voxcurate.keeper import PR_SET_CHILD_SUBREAPER, kill_rest


class RayCluster:
    """The tests' side. Nodes are known by number; the head is 0 and has no cores of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.address = ""

    def start_head(self) -> None:
        """Start it, or start it again at the address it had."""
        self.address = self._tell("start_head", self.address)

    def add(self, **node: float) -> int:
        """Add a node with ``num_cpus``, ``num_gpus``."""
        return int(self._tell("add", node))

    def kill(self, number: int) -> None:
        """Kill a node with all that runs on it."""
        self._tell("kill", number)

    def kill_raylet_node(self, pid: int) -> None:
        """Kill the node whose raylet has this process id."""
        self._tell("kill", self._tell("number", pid))

    def config(self, **changes: Any) -> ClusterConfig:
        """How jobs reach it."""
        options = {"address": self.address, "timeout_s": 60.0, "join_s": 0.0}
        values = {"name": "test", "kind": "ray", "poll_s": 0.2, "options": options}
        return ClusterConfig.model_validate(values | changes)

    def _tell(self, *words: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process of the Ray cluster died"
        return json.loads(line)


@contextlib.contextmanager
def ray_cluster(*nodes: dict[str, float]) -> Iterator[RayCluster]:
    """A head and nodes."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.rays"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with process:
            cluster = RayCluster(process)
            cluster.start_head()
            for node in nodes:
                cluster.add(**node)
            yield cluster


def job(folder: Path, name: str, code: str, *, attempt: int = 1, **needs: float) -> JobSpec:
    """A job of some lines of Python."""
    (folder / name).mkdir(exist_ok=True)
    small = Needs.model_validate({"cpus": 1, "memory_gb": 0.1, **needs})
    return JobSpec(folder / name, name, small, attempt, ("-c", code))


def eventually(holds: Callable[[], object], *, within_s: float = 180.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.1)


def gone(pid: int) -> bool:
    """Whether a process is dead, buried or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


class _Nodes:
    """The other side: what is done when told."""

    def __init__(self, folder: str) -> None:
        os.environ["RAY_TMPDIR"] = folder  # not what other clusters of the machine write to
        (Path(folder) / "ray").mkdir()  # Ray makes it too late
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.nodes: dict[int, Any] = {}

    def start_head(self, address: str) -> str:
        head: dict[str, Any] = {"num_cpus": 0, "include_dashboard": False}
        if address:
            head["gcs_server_port"] = int(address.rpartition(":")[2])
        self.nodes[0] = self.cluster.add_node(**head)
        return str(self.cluster.address)

    def add(self, node: dict[str, Any]) -> int:
        number = max(self.nodes) + 1
        self.nodes[number] = self.cluster.add_node(**node)
        return number

    def number(self, pid: int) -> int:
        """Of the node with this process."""
        return next(
            number
            for number, node in self.nodes.items()
            for info in node.all_processes["raylet"]
            if info.process.pid == pid
        )

    def kill(self, number: int) -> bool:
        self.cluster.remove_node(self.nodes.pop(number), allow_graceful=False)
        return True


def main() -> None:
    """Be a cluster until stdin ends."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Ray prints
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        nodes = _Nodes(folder)
        try:
            for line in sys.stdin:
                call, *arguments = json.loads(line)
                replies.write(json.dumps(getattr(nodes, call)(*arguments)) + "\n")
                replies.flush()
        finally:
            kill_rest()
            shutil.rmtree(folder, ignore_errors=True)
            os._exit(0)  # Ray would stop once more what is dead


if __name__ == "__main__":
    main()
