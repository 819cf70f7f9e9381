"""A real SLURM cluster for a file of tests; its tests are skipped where none can be had."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

WAIT_S = 180.0


def until(condition, what="", wait_s=WAIT_S):
    """Wait for a condition; its value."""
    deadline = time.monotonic() + wait_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what or condition}"
        time.sleep(0.1)
    return value


@dataclass
class Cluster:
    """A cluster of two nodes (two cores and two pretended GPUs each) that a keeper runs."""

    folder: Path
    keeper: "subprocess.Popen[str]"

    def order(self, words):
        """Obeyed by the keeper: "stop slurmctld", "kill n1", "start n1" ..."""
        self.keeper.stdin.write(f"{words}\n")
        self.keeper.stdin.flush()
        assert self.keeper.stdout.readline().strip() == "ok"

    def ask(self, *words):
        """What one of SLURM's tools says; none while the controller is away."""
        done = subprocess.run(words, capture_output=True, text=True)
        return done.stdout.strip() if not done.returncode else None

    def change(self, job, change):
        """``scontrol update`` of a job; whether it could be done."""
        return self.ask("scontrol", "update", f"JobId={job}", change) is not None

    def bring_back(self, node):
        """Start a killed node and wait until it is free; one that SLURM missed comes back on order
        only. `sinfo` calls a free node mixed for minutes at times: it is not asked."""
        self.order(f"start {node}")
        seen = []

        def is_back():
            told = self.ask("scontrol", "--oneliner", "show", "node", node) or ""
            seen.append(told.partition("State=")[2].partition(" ")[0])
            if seen[-1].startswith(("DOWN", "DRAIN", "IDLE+DRAIN")):
                self.ask("scontrol", "update", f"nodename={node}", "state=resume")
            return seen[-1] == "IDLE"

        try:
            until(is_back, "the node")
        except AssertionError:
            log = (self.folder / f"slurmd.{node}.log").read_text(errors="replace")
            raise AssertionError(f"{node} stays {sorted(set(seen))}: {log[-900:]}") from None

    def clear(self):
        """Cancel all jobs and wait until the nodes are free."""
        user = f"--user={os.geteuid()}"
        subprocess.run(["scancel", user], check=False)
        alive = "--states=PENDING,RUNNING,COMPLETING,SUSPENDED"
        until(lambda: self.ask("squeue", "-h", user, alive) == "", "the end of all jobs")


@pytest.fixture(scope="module")
def cluster():
    """One cluster for a file of tests, with `SLURM_CONF` set."""
    with (
        tempfile.TemporaryDirectory(prefix="slurm") as folder,
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.slurm", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as keeper,
    ):
        said = keeper.stdout.readline().strip()
        if said != "ready":
            pytest.skip(f"no SLURM cluster: {said or 'its keeper died'}")
        patch.setenv("SLURM_CONF", str(Path(folder) / "slurm.conf"))
        patch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
        yield Cluster(Path(folder), keeper)
        keeper.stdin.close()


@pytest.fixture
def slurm(cluster):
    """The cluster, without jobs of other tests."""
    yield cluster
    cluster.clear()
