"""``kill -9`` in the middle of a stage, then the same command: as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.small import SMALL, make_workspace
from tests.agent.snapshot import differences, snapshot
from tests.databases import copy_workspace, use_server
from voxcurate.catalog import Catalog, WorkItem
from voxcurate.workspace import Workspace

KILLED_IN = ("clean", "coldstart", "predict", "fuse", "detect", "train")
COMMAND = [sys.executable, "-c", "from agent.cli.main import main; main()"]


def start(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """A voxcurate command in its own process group."""
    return subprocess.Popen(
        [*COMMAND, *arguments, "-w", str(root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def begun(root: Path, stage: str) -> bool:
    """Whether a stage has begun: its name is in the log."""
    log = root / "logs" / "voxcurate.jsonl"
    return log.exists() and f'"stage": "{stage}"' in log.read_text()


def done_items(root: Path) -> dict[str, str]:
    """When each finished item was recorded."""
    catalog = Catalog(Workspace(root).catalog_url)
    names = ("stage", "subject", "variant", "fingerprint", "updated")
    rows = catalog.columns(WorkItem, *names, status="done", round=1)
    catalog.close()
    return {"/".join(row[:4]): row[4] for row in rows}


def run_until(root: Path, stage: str, delay_s: float) -> bool:
    """Start the round and kill it in the middle of a stage; False if it ended before."""
    (root / "logs" / "voxcurate.jsonl").unlink(missing_ok=True)
    process = start(root, "round", "--no-review", *SMALL)
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if begun(root, stage):
            time.sleep(delay_s)
            break
        time.sleep(0.02)
    if process.poll() is not None:
        return False
    os.kill(process.pid, signal.SIGKILL)  # the driver only: its workers must die with it
    process.wait()
    return True


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def test_killed_in_every_stage_the_round_ends_as_undisturbed(kind, tmp_path, monkeypatch, request):
    if kind == "postgresql":
        use_server(monkeypatch, request.getfixturevalue("postgres"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    calm = make_workspace(tmp_path)
    rough = tmp_path / "rough"
    copy_workspace(calm, rough)

    process = start(calm, "round", "--no-review", *SMALL)
    _, errors = process.communicate(timeout=400)
    assert process.returncode in {0, 1}, errors

    killed: list[str] = []
    before: dict[str, str] = {}
    for n, stage in enumerate(KILLED_IN):
        if run_until(rough, stage, delay_s=0.4 * (n % 3) + 0.5):
            killed.append(stage)
        now = done_items(rough)
        assert {key: now[key] for key in before} == before, "a finished item was done again"
        before = now
    process = start(rough, "round", "--no-review", *SMALL)
    _, errors = process.communicate(timeout=400)
    assert process.returncode in {0, 1}, errors
    assert len(killed) >= 4, killed
    after = done_items(rough)
    assert {key: after[key] for key in before} == before, "a finished item was done again"
    assert differences(snapshot(calm), snapshot(rough)) == []
    assert not list((rough / "tmp").rglob("*.nii.gz"))
