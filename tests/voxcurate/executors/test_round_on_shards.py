"""A whole round in shards, its driver and jobs killed: the same dataset as with the local
executor."""

import os
import shutil
import signal

import pytest

from tests.agent.small import SMALL, make_workspace
from tests.agent.snapshot import differences, snapshot
from tests.agent.test_kill import begun, done_items, start
from tests.voxcurate.executors.fakes import shards_of
from tests.voxcurate.executors.test_shards_killed import jobs_of, kill, wait_for

CLUSTER = """
kind: processes
max_jobs: 2
poll_s: 0.2
default: {cpus: 1, memory_gb: 0.5, max_items: 4}
"""
ON_CLUSTER = ("--set", "executor.kind=cluster", "--set", "executor.cluster=mine")
SAME = ("--set", "zoo.threads=1", "--set", "flagship.threads=1")  # sums in the same order
ROUND = ("round", "--no-review", *SMALL, *SAME)
KILLED_IN = ("clean", "predict", "fuse", "train")


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_round_in_shards_killed_again_and_again_ends_as_one_done_locally(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    calm = make_workspace(tmp_path)
    rough = tmp_path / "rough"
    shutil.copytree(calm, rough)
    (rough / "clusters").mkdir()
    (rough / "clusters" / "mine.yaml").write_text(CLUSTER)
    process = start(calm, *ROUND)
    _, errors = process.communicate(timeout=600)
    assert process.returncode in {0, 1}, errors

    killed, before = 0, {}
    for stage in KILLED_IN:
        (rough / "logs" / "voxcurate.jsonl").unlink(missing_ok=True)
        driver = start(rough, *ROUND, *ON_CLUSTER)
        wait_for(lambda d=driver, s=stage: begun(rough, s) or d.poll() is not None, limit_s=400)
        killed += kill(driver)
        for job in jobs_of(rough)[:1]:
            os.killpg(job, signal.SIGKILL)
        now = done_items(rough)
        assert {key: now[key] for key in before} == before, "a finished item was done again"
        before = now
    process = start(rough, *ROUND, *ON_CLUSTER)
    _, errors = process.communicate(timeout=900)
    assert process.returncode in {0, 1}, errors
    assert killed >= 3
    after = done_items(rough)
    assert {key: after[key] for key in before} == before, "a finished item was done again"
    assert differences(snapshot(calm), snapshot(rough)) == []
    assert shards_of(rough) == []
