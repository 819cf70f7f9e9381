"""``kill -9`` at any moment of an ingest, then the same command: as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.agent.ingest_fixture import MAPS, Bench, describe, maps
from voxcurate.catalog import Assembly, Label, Report, Scan, WorkItem

COMMAND = "from agent.cli.main import main; main()"


def start(bench, root):
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "ingest", str(root), "-w", str(bench.workspace.root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_when(bench, process, wanted):
    """Kill the driver once `wanted` items are done; False if it ended before."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if bench.catalog.count(WorkItem, status="done") >= wanted:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    return process.wait() != 0


@pytest.mark.slow
@pytest.mark.usefixtures("each_database")
def test_killed_again_and_again_the_result_is_that_of_a_quiet_run(tmp_path):
    text = MAPS + "reports: [{path: 'reports/{case}.txt'}]\ncomplete: [spleen]\n"
    root = describe(maps(tmp_path / "m", 16), text)
    (root / "reports").mkdir()
    for number in range(16):
        (root / "reports" / f"case_{number}.txt").write_text(f"Cyst {number}.")
    quiet = Bench(tmp_path / "quiet")
    quiet.ingest(root)
    bench = Bench(tmp_path / "killed")
    killed = sum(kill_when(bench, start(bench, root), wanted) for wanted in (1, 5, 11, 16))
    assert killed >= 2
    assert start(bench, root).wait() == 0
    for kind in (Scan, Label, Assembly, Report):
        assert bench.catalog.rows(kind) == quiet.catalog.rows(kind), kind
    for scan in bench.catalog.rows(Scan):
        one, other = (b.workspace.root / scan.path for b in (bench, quiet))
        assert one.read_bytes() == other.read_bytes()
    left = [p for p in bench.workspace.root.rglob("*") if p.suffix == ".tmp" or ".tmp" in p.name]
    assert left == []
    assert not list((bench.workspace.root / "tmp").glob("*"))
