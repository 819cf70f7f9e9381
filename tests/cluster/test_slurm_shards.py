"""Shards of items as jobs of a real SLURM cluster that cancels, kills, requeues and restarts."""

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.cluster.conftest import until
from tests.voxcurate.executors.conformance import ITEMS, Conformance, sharded
from voxcurate.errors import JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import make_launcher
from voxcurate.protocols import Task

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(500)]
N = 24
CLUSTER = ClusterConfig(kind="slurm", max_jobs=4, poll_s=0.3, straggler=0)
SMALL = Needs(cpus=1, memory_gb=0.1, minutes=30, max_items=12)


class TestSlurm(Conformance):
    """Shards over this cluster."""

    @pytest.fixture
    def make(self, slurm, tmp_path):
        launcher = make_launcher(CLUSTER)
        return lambda **limits: sharded(
            launcher,
            tmp_path,
            cluster=CLUSTER,
            needs=SMALL.model_copy(update={"workers": 2}),
            **limits,
        )


class Drive(threading.Thread):
    """A driver of tasks that say in a file that they were called."""

    def __init__(self, folder, needs=SMALL, seconds=0.5):
        super().__init__(daemon=True)
        self.folder, self.outcomes = folder, []
        self.calls = folder / "calls"
        self.executor = sharded(make_launcher(CLUSTER), folder, cluster=CLUSTER, needs=needs)
        common = {"log": str(self.calls), "s": seconds, "scratch": str(folder / "tmp")}
        self.tasks = [Task(f"t{n}", {**common, "name": f"t{n}"}) for n in range(N)]

    def run(self):
        for outcome in self.executor.run(f"{ITEMS}:call", self.tasks):
            self.outcomes.append(outcome)

    def called(self):
        """The names of calls so far."""
        return self.calls.read_text().split() if self.calls.exists() else []

    def finish(self):
        """All of them came, each once."""
        self.join(400)
        assert sorted(o.key for o in self.outcomes) == sorted(task.key for task in self.tasks)
        assert all(o.ok for o in self.outcomes), [o for o in self.outcomes if not o.ok]


def jobs(slurm):
    """Ids of running jobs."""
    return (slurm.ask("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i") or "").split()


def processes_of(folder):
    """Processes of jobs: the batch scripts became them."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                command = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if b"shards.job" in command and str(folder).encode() in command:
                found.append(int(path.name))
    return found


@pytest.mark.parametrize("how", ["scancel", "kill", "requeue", "restart"])
def test_what_ends_jobs_costs_their_unfinished_items_only(slurm, tmp_path, how):
    driver = Drive(tmp_path)
    driver.start()
    until(lambda: len(driver.called()) >= 12, "items", 120)
    until(lambda: jobs(slurm))
    if how == "scancel":
        slurm.ask("scancel", *jobs(slurm))
    elif how == "kill":
        for pid in processes_of(tmp_path):
            os.kill(pid, signal.SIGKILL)
    elif how == "requeue":
        names = jobs(slurm)
        for name in names:
            slurm.ask("scontrol", "requeue", name)
        for name in names:
            state = ("squeue", "-h", "-r", "-t", "all", "-j", name, "-o", "%T")
            until(lambda state=state: slurm.ask(*state) in ("PENDING", "COMPLETED"))
            slurm.change(name, "StartTime=now+3")
    else:
        slurm.order("stop slurmctld")
        slurm.order("start slurmctld")
    driver.finish()
    again = len(driver.called()) - N
    # of four jobs at most what was in hand, and of a killed one what it had not written yet
    assert again <= {"restart": 0, "kill": 8}.get(how, 4)


def test_a_driver_finds_the_jobs_of_the_one_before(slurm, tmp_path):
    first = Drive(tmp_path)
    outcomes = first.executor.run(f"{ITEMS}:call", first.tasks)
    kept = [next(outcomes)]
    names = set(jobs(slurm))
    second = Drive(tmp_path)
    second.start()
    second.finish()
    assert len(second.called()) == N
    assert names
    assert kept[0].ok
    outcomes.close()


def test_jobs_that_no_node_can_run_are_one_clear_error(slurm, tmp_path):
    executor = Drive(tmp_path, SMALL.model_copy(update={"memory_gb": 500.0}))
    with pytest.raises(JobRefusedError, match=r"sbatch: .*(?i:memory|configuration)"):
        list(executor.executor.run(f"{ITEMS}:call", executor.tasks))
    assert executor.called() == []
