"""A stage on the ledger, its driver and jobs killed: the same rows and files as done locally."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from tests.voxcurate.executors import stage_driver
from tests.voxcurate.executors.fakes import shards_of
from tests.voxcurate.executors.test_shards_killed import ROOT, grows, jobs_of, kill, lines
from voxcurate.catalog import Catalog, Measure, WorkItem
from voxcurate.errors import ConfigError
from voxcurate.executors.cluster import load_cluster
from voxcurate.workspace import Workspace

N = 60


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two workspaces: for the local executor, and for the cluster `mine`."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = [Workspace.create(tmp_path / kind / "w") for kind in ("local", "cluster")]
    (made[1].root / "clusters").mkdir()
    (made[1].root / "clusters" / "mine.yaml").write_text(stage_driver.CLUSTER)
    return made


def rows(workspace):
    """What a run decided: without times."""
    catalog = Catalog(workspace.catalog_url)
    names = ("subject", "variant", "fingerprint", "status", "error", "result")
    lines = sorted(map(str, catalog.columns(WorkItem, *names, stage="t")))
    measures = sorted(catalog.columns(Measure, "case_id", "value", stage="t"))
    catalog.close()
    files = {path.name: path.read_text() for path in (workspace.root / "made").iterdir()}
    return lines, measures, files


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_again_and_again_a_stage_ends_as_with_the_local_executor(two):
    local, cluster = two
    stage_driver.run(local.root, "local", N)
    command = [sys.executable, "-m", "tests.voxcurate.executors.stage_driver"]
    calls, killed = cluster.root.parent / "cluster.txt", 0
    for k in range(5):
        driver = subprocess.Popen(
            [*command, str(cluster.root), "cluster", str(N)],
            cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        grows(calls, driver, by=1 + 3 * k)
        killed += kill(driver)
        if k == 2:
            for job in jobs_of(cluster.root):
                os.killpg(job, signal.SIGKILL)
    subprocess.run([*command, str(cluster.root), "cluster", str(N)], cwd=ROOT, check=True)
    assert killed >= 3
    assert rows(cluster) == rows(local)
    assert sum("failed" in line for line in rows(cluster)[0]) == 1
    assert shards_of(cluster.root) == []
    again = sum(times - 1 for times in Counter(lines(calls)).values())
    assert again <= 2 * killed + 4
    cluster.clear_scratch()
    assert not any((cluster.root / "tmp").rglob("*"))


def test_an_item_keeps_its_share_of_what_its_job_asked_for(two):
    local, cluster = two
    text = stage_driver.CLUSTER.replace("cpus: 1", "cpus: 3, gpus: 1, workers: 2")
    (cluster.root / "clusters" / "mine.yaml").write_text(text)
    stage_driver.run(cluster.root, "cluster", 2)
    stage_driver.run(local.root, "local", 2)
    for workspace, share in ((cluster, (1.5, 0.5)), (local, (1.0, 0.0))):
        catalog = Catalog(workspace.catalog_url)
        assert catalog.columns(WorkItem, "cores", "gpus", status="done") == [share]
        catalog.close()


def test_scratch_stays_while_there_are_shards(two):
    _, workspace = two
    (workspace.scratch / "result").touch()
    tasks = workspace.root / "cluster" / "t" / "000001-a" / "tasks.bin"
    tasks.parent.mkdir(parents=True)
    tasks.touch()
    workspace.clear_scratch()
    assert (workspace.scratch / "result").exists()
    tasks.unlink()
    workspace.clear_scratch()
    assert not (workspace.scratch / "result").exists()


def test_small_stages_are_done_where_the_driver_is(two):
    _, workspace = two
    result = stage_driver.run(workspace.root, "cluster", 2, stage="small")
    assert result.computed == 1
    assert not (workspace.root / "cluster").exists()


def test_a_cluster_is_found_by_its_name_or_path_and_a_workspace_may_change_it(two):
    _, workspace = two
    assert load_cluster("mine", workspace.root).default.max_items == 10
    (workspace.root / "clusters" / "box.yaml").write_text("max_jobs: 7\n")
    assert load_cluster("box", workspace.root).max_jobs == 7
    assert load_cluster("box", workspace.root).kind == "processes"
    path = workspace.root / "clusters" / "mine.yaml"
    assert load_cluster(str(path)).name == "mine"
    with pytest.raises(ConfigError, match=r"no cluster 'other'; there are: .*box.*mine"):
        load_cluster("other", workspace.root)
