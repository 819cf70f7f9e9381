"""What is asked of schedulers, and how their words are read; SLURM's tools are little scripts."""

import math
import os

import pytest

from agent.clusters import schedulers
from agent.clusters.schedulers import asked, look, minutes_of
from voxcurate.errors import ClusterError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobState
from voxcurate.executors.launchers import ray as ray_launcher
from voxcurate.executors.launchers.processes import machine
from voxcurate.executors.local import cores

SINFO = """cpu*|up|3|idle|1-00:00:00
cpu*|up|1|down*|1-00:00:00
gpu|up|2|mixed|infinite
old|up|4|drained|infinite
short|up|4|allocated|30:00"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Puts scripts that say something in the place of SLURM's tools."""

    def make(**tools):
        for name, text in {"sbatch": "", **tools}.items():
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"#!/bin/sh\n{text}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin")

    return make


def said(text):
    return f"cat <<'END'\n{text}\nEND"


def bad(cluster, **more):
    return {c.name: c for c in look(cluster, **more) if c.status != "ok"}


def test_partitions_are_looked_up(slurm):
    slurm(sinfo=said(SINFO))
    stages = {"predict": Needs(options={"partition": "gpu"}),
              "detect": Needs(options={"partition": "old"}),
              "judge": Needs(options={"partition": "gpx"}),
              "review": Needs(options={"partition": "not asked for"})}  # fmt: skip
    cluster = ClusterConfig(kind="slurm", stages=stages, here=("review",))
    found = {check.name: check for check in look(cluster, driver=False)}
    assert found["scheduler"].found == "SLURM with 4 partitions"
    assert found["partition gpu"].found == "2 nodes, up to infinite a job"
    assert found["partition old"].found == "no node can run jobs (4 drained)"
    assert found["partition gpx"].mend.endswith("there are: cpu, gpu, old, short")
    assert {check.status for check in found.values()} == {"ok", "failed"}
    assert len(found) == 4


def test_jobs_that_want_more_time_than_there_is(slurm):
    slurm(sinfo=said(SINFO))
    stages = {"predict": Needs(minutes=31, options={"partition": "short"}),
              "detect": Needs(minutes=30, options={"partition": "short"}),
              "judge": Needs(minutes=1e6, options={"partition": "short,gpu"}),
              "fuse": Needs(minutes=1e6, options={"time": "10"})}  # fmt: skip
    cluster = ClusterConfig(kind="slurm", stages=stages)
    assert set(bad(cluster, driver=False)) == {"time of predict"}
    driver = bad(cluster)["time of driver"]  # a week, in the default partition
    assert (driver.found, driver.wanted) == ("cpu: up to 1-00:00:00", "10080 min")
    assert "`minutes` in driver" in driver.mend


@pytest.mark.parametrize(
    ("limit", "minutes"),
    [("30:00", 30), ("1:30:00", 90), ("2-12:00:00", 3600), ("0:30", 0.5), ("infinite", math.inf),
     ("n/a", math.inf), ("1-00", 1440)],
)  # fmt: skip
def test_slurms_words_for_a_time(limit, minutes):
    assert minutes_of(limit) == pytest.approx(minutes)


def test_a_machine_that_cannot_submit_and_a_scheduler_that_is_away(slurm, monkeypatch, tmp_path):
    slurm(sinfo="echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(ClusterError, match="Unable to contact"):
        list(look(ClusterConfig(kind="slurm")))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match="no sbatch here"):
        list(look(ClusterConfig(kind="slurm")))


def test_of_jobs_slurm_is_asked_and_nothing_is_cancelled(slurm, tmp_path):
    lines = "1|PENDING|Resources|\n2|RUNNING|None|\n3|PENDING|launch failed requeued held|"
    slurm(squeue=said(lines), sacct="exit 1", scancel=f"touch {tmp_path}/cancelled")
    cluster = ClusterConfig(kind="slurm")
    assert asked(cluster, ["1", "2", "3", "4"]) == {
        "1": (JobState.WAITING, "Resources"),
        "2": (JobState.RUNNING, ""),
        "3": (JobState.LOST, "launch failed requeued held"),
        "4": (JobState.LOST, ""),
    }
    assert not (tmp_path / "cancelled").exists()


def test_of_processes_too():
    gone = f"1:1::0:{machine()}"
    assert asked(ClusterConfig(), [gone]) == {gone: (JobState.ENDED, "")}


def test_a_job_that_wants_more_cores_than_this_machine_has():
    assert bad(ClusterConfig(default=Needs(cpus=1)), driver=False) == {}
    stages = {"predict": Needs(cpus=cores() + 1)}
    found = bad(ClusterConfig(default=Needs(cpus=1), stages=stages))["scheduler"]
    assert (found.status, found.wanted) == ("warning", f"{cores() + 1} cores for one job")
    assert bad(ClusterConfig(default=Needs(cpus=1), stages=stages, here=("predict",)),
               driver=False) == {}  # fmt: skip


def test_rays_nodes_are_counted(monkeypatch):
    closed = []

    class Nodes(ray_launcher.RayLauncher):
        def __init__(self, cluster):
            pass

        def nodes(self):
            return [{"CPU": 8.0, "GPU": 2.0}, {"CPU": 4.0}]

        def close(self):
            closed.append(True)

    monkeypatch.setattr(ray_launcher, "RayLauncher", Nodes)
    (found,) = schedulers.look(ClusterConfig(kind="ray"))
    assert (found.found, found.where) == ("Ray with 2 nodes, 2 GPUs", "here")
    assert closed == [True]
