"""Probes that wait in a full queue."""

import time

import pytest

from agent.clusters import queued as module
from agent.clusters.preflight import run_preflight
from agent.clusters.queued import Queued, StillQueuedError
from agent.config import RoundConfig
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import JobState
from voxcurate.executors.launchers.processes import ProcessLauncher


def test_what_is_waited_for_is_said_at_growing_intervals(notebook, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    said = []
    notebook.waiting = {"100": "Resources", "7": "of another"}
    queued = Queued(notebook, 600.0, said.append)
    ids = queued.launch(["a job"])
    for clock[0] in range(101, 701):
        queued.states(ids)
    assert said[0] == (
        "1 of 1 probes still in the queue after 16 s (Resources); Ctrl-C takes them back"
    )
    assert [line.partition("after ")[2].partition(" (")[0] for line in said[1:]] == [
        "33 s", "1 min 7 s", "2 min 15 s", "4 min 31 s", "9 min 3 s",
    ]  # fmt: skip
    clock[0] = 701
    with pytest.raises(StillQueuedError, match=r"after 10 min 1 s \(Resources\)"):
        queued.states(ids)
    notebook.state = JobState.RUNNING
    assert queued.states(ids) == {"100": JobState.RUNNING}


def test_what_only_some_launchers_know_is_known():
    launcher = ProcessLauncher(ClusterConfig())
    needs = Needs(cpus=1, memory_gb=0.1)
    assert Queued(launcher, 1.0, print).room(needs) == launcher.room(needs)


def test_probes_are_taken_back_when_the_patience_is_over(workspace, catalog, notebook):
    cluster = ClusterConfig(poll_s=0.05, default=Needs(cpus=1, memory_gb=1))
    start = time.monotonic()
    found = run_preflight(
        workspace, catalog, RoundConfig(), cluster, notebook, driver=False, patience_s=0.3
    )
    assert time.monotonic() - start < 60
    (bad,) = [check for check in found.checks if check.status == "failed"]
    assert (bad.name, bad.wanted) == ("probe", "jobs that begin")
    assert bad.found.startswith("1 of 1 probes still in the queue after")
    assert "--patience" in bad.mend
    assert notebook.cancelled == ["100"]
    assert not (workspace.root / "preflight").exists()
