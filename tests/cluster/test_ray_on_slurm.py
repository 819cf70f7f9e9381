"""The batch script that starts Ray inside a SLURM job, on a real SLURM cluster of two nodes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import until
from tests.cluster.ray_items import HELD, ITEMS, begun
from tests.cluster.rays import gone
from voxcurate.executors.cluster import ClusterConfig

# a node that Ray does not start within its 30 s is missing: not beside all the other tests
pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(280)]
ROOT = Path(__file__).parents[2]
DRIVER = """\
#!/bin/bash
echo "$@" > {folder}/arguments
exec {python} -m tests.cluster.ray_items '{config}' {folder}
"""


@pytest.fixture
def short() -> Iterator[str]:
    """A folder with a short path: Ray's sockets lie in it."""
    folder = tempfile.mkdtemp(prefix="ray")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_a_run_on_all_nodes_of_a_job(slurm: Any, tmp_path: Path, short: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    config = ClusterConfig(kind="ray", poll_s=0.2, options={"timeout_s": 60.0})
    driver = tmp_path / "driver.sh"
    words = {"python": sys.executable, "folder": tmp_path, "config": config.model_dump_json()}
    driver.write_text(DRIVER.format(**words))
    environment = {name: text for name, text in os.environ.items() if "RAY" not in name}
    environment |= {
        "VOXCURATE_WORKSPACE": str(tmp_path),
        "RAY": str(Path(sys.executable).with_name("ray")),
        "RAY_TEMP": short,
        "PYTHON": f"bash {driver}",
    }
    asked = ["--nodes=2", "--cpus-per-task=1", "--mem=1500M", "--time=10"]
    log = tmp_path / "log"
    script = str(ROOT / "containers" / "slurm" / "ray.sbatch")

    submitted = subprocess.run(
        ["sbatch", "--parsable", *asked, f"--output={log}", script, "round.yaml", "--rounds", "2"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    job = submitted.stdout.strip()

    def running() -> bool:
        return all(begun(tmp_path, number) for number in HELD)

    until(lambda: running() or not slurm.ask("squeue", "-h", "-j", job), "its items", 150)
    assert running(), log.read_text()
    raylets = {begun(tmp_path, number)[0] for number in HELD}
    assert len(raylets) == 2  # each node has one of the two shards
    (tmp_path / "go").touch()
    until(lambda: not slurm.ask("squeue", "-h", "-j", job), "its end", 60)

    arguments = "-m agent submit --cluster ray --driver here round.yaml --rounds 2\n"
    assert (tmp_path / "arguments").read_text() == arguments
    found = [json.loads(line) for line in (tmp_path / "outcomes").read_text().splitlines()]
    assert dict(found) == {str(number): f"result {number}" for number in range(ITEMS)}
    for pid in raylets:  # nothing is left of it
        until(lambda pid=pid: gone(pid), "the end of a raylet", 20)
