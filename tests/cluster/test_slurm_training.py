"""One training on two nodes of a real SLURM cluster: what it learns, and what is left of it."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cluster.conftest import until
from tests.training.conftest import _small_networks, build  # noqa: F401 - for all tests here
from tests.training.trainer.test_loop import run_of
from training.rounds.runs import _item
from training.trainer.devices import THREADS
from training.trainer.work import train_model
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobSpec, JobState
from voxcurate.executors.launchers.slurm import SlurmLauncher

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(280)]
SETTINGS = {"device": "cpu", "batch": 2, "steps": 3}
TWO_NODES = {"nodes": 2, "devices": 1}
TRAIN = """
import json, sys
from pathlib import Path
from training.trainer.work import train_model

value = train_model(json.loads(Path(sys.argv[1]).read_text()))
Path(sys.argv[2]).write_text(json.dumps(value))
"""


@pytest.fixture
def train(slurm, tmp_path):
    """Submits a job that trains on two nodes; its folder and id."""
    launcher = SlurmLauncher(ClusterConfig(kind="slurm", environment={THREADS: "1"}))

    def submit(payload, nodes=2):
        folder = tmp_path / "job"
        folder.mkdir()
        (folder / "payload.json").write_text(json.dumps(payload))
        (folder / "train.py").write_text(TRAIN)
        names = ("train.py", "payload.json", "value.json")
        needs = Needs(cpus=2 * nodes, nodes=nodes, memory_gb=2 * nodes, minutes=30)
        arguments = tuple(str(folder / name) for name in names)
        (name,) = launcher.launch([JobSpec(folder, "train", needs, arguments=arguments)])
        return folder, name

    submit.launcher = launcher
    return submit


def ended(train, name):
    until(lambda: train.launcher.states([name])[name] == JobState.ENDED, "the end", 200)


def test_two_nodes_learn_what_two_processes_of_this_machine_learn(train, tmp_path, monkeypatch):
    monkeypatch.setenv(THREADS, "1")  # sums in the same order
    world = build(tmp_path / "a")
    local = run_of(world, **SETTINGS, compute={"devices": 2})
    here = train_model(_item(world.ctx, local).payload)
    other = run_of(world, **SETTINGS, compute=TWO_NODES)
    payload = _item(world.ctx, other).payload
    own = {"run": str(tmp_path / "run"), "log": str(tmp_path / "log.jsonl")}
    folder, name = train({**payload, **own})
    ended(train, name)
    assert (folder / "value.json").exists(), (folder / "job.1.log").read_text()
    there = json.loads((folder / "value.json").read_text())
    assert there["sha256"] == here["sha256"]
    assert there["steps"] == 3
    world.ctx.catalog.close()


@pytest.fixture
def long_run(train, tmp_path):
    """A training on two nodes that is under way: its folder, id, and the processes of it."""
    world = build(tmp_path / "a")
    run = run_of(world, **{**SETTINGS, "steps": 100_000}, compute=TWO_NODES)
    payload = _item(world.ctx, run).payload
    folder, name = train(payload)
    log = Path(payload["log"])
    until(
        lambda: log.exists() and log.read_text().count("\n") > 2,
        lambda: (folder / "job.1.log").read_text(),
        200,
    )
    yield folder, name
    world.ctx.catalog.close()


def processes(pattern):
    """Ids of processes by their command line."""
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True).stdout
    return [int(pid) for pid in found.split() if int(pid) != os.getpid()]


def ranks(folder):
    return processes(rf"training.trainer.ranks .*{folder.parent}")


@pytest.mark.parametrize(
    "victim",
    ["starter", *(pytest.param(each, marks=pytest.mark.long) for each in ("srun", "rank"))],
)
def test_no_process_goes_on_alone(train, long_run, victim):
    folder, name = long_run
    assert len(ranks(folder)) == 2 + len(processes(rf"^srun .*{folder.parent}"))
    patterns = {"starter": rf"train.py {folder}", "srun": rf"^srun .*{folder.parent}"}
    found = ranks(folder)[-1:] if victim == "rank" else processes(patterns[victim])
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    until(lambda: not ranks(folder), "the end of the ranks", 30)
    ended(train, name)
    assert not (folder / "value.json").exists()
    if victim != "starter":
        assert "processes of the training died" in (folder / "job.1.log").read_text()


def test_a_job_with_too_few_nodes_says_so(train, tmp_path):
    world = build(tmp_path / "a")
    folder, name = train(_item(world.ctx, run_of(world, compute=TWO_NODES)).payload, nodes=1)
    ended(train, name)
    assert "2 nodes are configured, but the SLURM job has 1" in (folder / "job.1.log").read_text()
    world.ctx.catalog.close()
