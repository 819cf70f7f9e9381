"""A round whose stages are jobs of a real SLURM cluster, disturbed: it equals the local one."""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from agent.commands import ingest_folder, init_workspace
from tests.agent.small import SMALL, make_workspace
from tests.agent.snapshot import differences, snapshot
from tests.cluster.conftest import until
from tests.cluster.test_slurm_shards import jobs, processes_of
from tests.databases import copy_workspace
from voxcurate.catalog import Catalog, FindingRow, Label
from voxcurate.workspace import Workspace

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(1500)]
COMMAND = [sys.executable, "-c", "from agent.cli.main import main; main()"]
FEW = {"cpus": 1, "gpus": 0, "memory_gb": 1, "minutes": 60}
STAGES = ("train_zoo", "train_flagship", "predict")
CLUSTER = "poll_s: 0.3\nstraggler: 0\nmax_jobs: 4\noptions: {notice_s: 60}\n" + (
    f"default: {FEW}\nstages: {dict.fromkeys(STAGES, FEW)}\n".replace("'", "")
)
SAME = ("--set", "zoo.threads=1", "--set", "flagship.threads=1")  # sums in the same order
HERE = ("--set", "executor.kind=cluster", "--set", "executor.cluster=slurm")


def start(root, *more):
    """The round, in a process group of its own."""
    return subprocess.Popen(
        [*COMMAND, "round", "--no-review", *SMALL, *SAME, *more, "-w", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def stages_with_jobs(root):
    """Stages whose jobs began something."""
    return {path.parent.parent.name for path in (root / "cluster").glob("*/*/outcomes.*")}


def begun(slurm, root, process):
    """Wait until a job of a stage that had none has begun, or the round is over."""
    before = stages_with_jobs(root)

    def over():
        return (jobs(slurm) and stages_with_jobs(root) - before) or process.poll() is not None

    until(over, "a job of a stage", 300)


def ended(process):
    _, errors = process.communicate(timeout=1000)
    assert process.returncode in {0, 1}, errors


def make_real_workspace(folder, real_data, *, patients):
    """A workspace with some real CTs and their clinical contours."""
    root, source = folder / "calm", folder / "scans"
    source.mkdir()
    for case in sorted((real_data / "openkbp_ct").glob("pt_*"))[:patients]:
        (source / case.name).symlink_to(case)
    init_workspace(root, preset="demo")
    ingest_folder(root, source, source="openkbp")
    return root


@pytest.mark.parametrize("data", ["synthetic", pytest.param("real", marks=pytest.mark.real_data)])
def test_a_round_on_slurm_disturbed_and_gone_on_with_equals_the_local_one(
    slurm, data, tmp_path, monkeypatch, request
):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    if data == "real":
        local = make_real_workspace(tmp_path, request.getfixturevalue("real_data"), patients=8)
    else:
        local = make_workspace(tmp_path, patients=6)
    cluster = tmp_path / "cluster"
    copy_workspace(local, cluster)
    (cluster / "clusters").mkdir()
    (cluster / "clusters" / "slurm.yaml").write_text(CLUSTER)
    ended(start(local))

    seen = Counter()
    for disturb in ("scancel", "kill the jobs", "kill the driver", None):
        process = start(cluster, *HERE)
        begun(slurm, cluster, process)
        if process.poll() is None and disturb:
            seen[disturb] += 1
            if disturb == "scancel":
                slurm.ask("scancel", *jobs(slurm))
            elif disturb == "kill the jobs":
                for pid in processes_of(cluster):
                    os.kill(pid, signal.SIGKILL)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        else:
            ended(process)
    assert len(seen) >= 2, seen
    assert labels(cluster) == labels(local)
    assert differences(snapshot(local), snapshot(cluster)) == []
    assert jobs(slurm) == []


def labels(root):
    """Hashes of all label versions, and all findings."""
    catalog = Catalog(Workspace(root).catalog_url)
    found = sorted(catalog.columns(Label, "label_id", "sha256")), catalog.rows(FindingRow)
    catalog.close()
    return found
