"""The launcher on a Ray cluster of several nodes on this machine."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.rays import RayCluster, eventually, gone, job, ray_cluster
from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.launchers import JobSpec, JobState, Launcher
from voxcurate.executors.launchers.ray import RayLauncher

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

SLEEP = "import os, time; print(os.getpid(), os.getppid(), flush=True); time.sleep(600)"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster({"num_cpus": 2, "num_gpus": 2}, {"num_cpus": 1}) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def shared(cluster: RayCluster) -> Iterator[RayLauncher]:
    launcher = RayLauncher(
        cluster.config(setup=("export FROM_SETUP='a b'",), environment={"FROM_CONFIG": "1"})
    )
    yield launcher
    launcher.close()


@pytest.fixture
def launcher(shared: RayLauncher) -> Iterator[RayLauncher]:
    """With a cluster that is empty afterwards."""
    started: list[str] = []
    launch = shared.launch

    def remembered(jobs: Sequence[JobSpec]) -> list[str]:
        ids = launch(jobs)
        started.extend(ids)
        return ids

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "launch", remembered)
        yield shared
    shared.cancel(started)


def over(launcher: Launcher, ids: list[str]) -> bool:
    return set(launcher.states(ids).values()) <= {JobState.ENDED, JobState.LOST}


def processes(folder: Path, name: str) -> list[int]:
    """A job's process and its actor's, once it runs."""
    log = folder / name / "job.1.log"
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    return [int(word) for word in log.read_text().split()]


def test_a_job_gets_what_it_needs(launcher: RayLauncher, tmp_path: Path, capfd: Any) -> None:
    code = (
        "import os, sys, json; print('words', file=sys.stderr); print(json.dumps(dict(os.environ)))"
    )
    parts = [job(tmp_path, f"half{n}", code, gpus=0.5) for n in range(2)]
    others = [job(tmp_path, "none", code), job(tmp_path, "two", code, gpus=2)]
    failing = job(tmp_path, "failing", "raise SystemExit(3)")

    assert isinstance(launcher, Launcher)
    ids = launcher.launch([*parts, *others, failing])
    eventually(lambda: over(launcher, ids))

    assert set(launcher.states(ids).values()) == {JobState.ENDED}
    logs = {path.parent.name: path.read_text() for path in tmp_path.glob("*/job.1.log")}
    assert all("words" in logs[name] for name in ("half0", "none", "two"))
    found = {n: json.loads(t.splitlines()[-1]) for n, t in logs.items() if n != "failing"}
    devices = {name: environment["CUDA_VISIBLE_DEVICES"] for name, environment in found.items()}
    assert devices["half0"] in {"0", "1"}
    assert devices["half1"] in {"0", "1"}
    assert set(devices["two"].split(",")) == {"0", "1"}
    assert devices["none"] == ""
    assert found["none"]["FROM_SETUP"] == "a b"
    assert found["none"]["FROM_CONFIG"] == "1"
    assert found["none"]["RAY_USAGE_STATS_ENABLED"] == "0"
    assert capfd.readouterr() == ("", "")  # Ray keeps its words for itself


def test_halves_of_a_device_run_together(launcher: RayLauncher, tmp_path: Path) -> None:
    launcher.launch([job(tmp_path, f"half{n}", SLEEP, cpus=1, gpus=0.5) for n in range(2)])
    assert [len(processes(tmp_path, f"half{n}")) for n in range(2)] == [2, 2]

    whole = launcher.launch([job(tmp_path, "both", "", cpus=1, gpus=2)])
    assert launcher.states(whole)[whole[0]] is JobState.WAITING


def test_another_driver_knows_the_jobs(
    cluster: RayCluster, launcher: RayLauncher, tmp_path: Path
) -> None:
    first = RayLauncher(cluster.config())
    ids = first.launch([job(tmp_path, f"long{n}", SLEEP) for n in range(3)])
    waits = first.launch([job(tmp_path, "waits", "print('here')")])
    for n in range(3):
        processes(tmp_path, f"long{n}")
    assert first._client is not None
    os.kill(first._client._process.pid, signal.SIGKILL)

    seen = launcher.states([*ids, *waits, "stranger.1 /nowhere/job.1.end"])
    assert list(seen.values()) == [JobState.RUNNING] * 3 + [JobState.WAITING, JobState.LOST]
    with pytest.raises(ClusterError, match="connection"):
        first.states(ids)
    assert first.states(ids) == dict.fromkeys(ids, JobState.RUNNING)  # by a new connection

    launcher.cancel([ids[0], "stranger.1 /nowhere/job.1.end"])
    eventually(lambda: over(launcher, waits))  # its driver is dead: the head starts it all the same
    assert launcher.states(waits)[waits[0]] is JobState.ENDED
    launcher.cancel([*ids, *waits])
    first.close()


def test_a_driver_can_be_a_job(cluster: RayCluster, launcher: RayLauncher, tmp_path: Path) -> None:
    inner = job(tmp_path, "inner", "")
    options = {"address": "auto", "join_s": 0.0}
    code = (
        "import os\n"
        "from pathlib import Path\n"
        "del os.environ['RAY_TMPDIR']  # where Ray writes what clusters this machine has\n"
        "from voxcurate.executors.cluster import ClusterConfig\n"
        "from voxcurate.executors.launchers import make_launcher\n"
        "from tests.cluster.rays import job\n"
        f"launcher = make_launcher(ClusterConfig(kind='ray', options={options!r}))\n"
        f"print(*launcher.launch([job(Path({str(tmp_path)!r}), 'inner', '')]))\n"
        "launcher.close()\n"
    )
    ids = launcher.launch([job(tmp_path, "outer", code)])
    eventually(lambda: over(launcher, ids))

    told = (tmp_path / "outer" / "job.1.log").read_text().strip()
    assert told.startswith("inner."), told
    eventually(lambda: over(launcher, [told]))
    assert launcher.states([told])[told] is JobState.ENDED
    assert (inner.folder / "job.1.end").exists()


def test_a_launch_can_be_repeated(launcher: RayLauncher, tmp_path: Path) -> None:
    code = f"open('{tmp_path}/starts', 'a').write('x'); import time; time.sleep(600)"
    spec = job(tmp_path, "once", code)
    ids = launcher.launch([spec])
    eventually(lambda: (tmp_path / "starts").exists())

    assert launcher.launch([spec]) == ids
    other = launcher.launch([job(tmp_path, "once", "", attempt=2)])
    eventually(lambda: over(launcher, other))

    assert other != ids
    assert (tmp_path / "starts").read_text() == "x"


def test_cancelled_jobs_leave_room(launcher: RayLauncher, tmp_path: Path) -> None:
    ids = launcher.launch([job(tmp_path, f"long{n}", SLEEP) for n in range(5)])
    pid, _ = processes(tmp_path, "long0")

    launcher.cancel(ids)
    eventually(lambda: gone(pid) and over(launcher, ids))
    launcher.cancel(ids)  # once more: nothing happens

    after = launcher.launch([job(tmp_path, "after", "", cpus=2)])
    eventually(lambda: over(launcher, after))
    assert launcher.states(after)[after[0]] is JobState.ENDED


def test_a_job_dies_with_its_actor(launcher: RayLauncher, tmp_path: Path) -> None:
    ids = launcher.launch([job(tmp_path, "long", SLEEP)])
    pid, actor = processes(tmp_path, "long")

    os.kill(actor, signal.SIGKILL)

    eventually(lambda: gone(pid))
    eventually(lambda: launcher.states(ids)[ids[0]] is JobState.LOST)


def test_a_job_ends_with_its_time(launcher: RayLauncher, tmp_path: Path) -> None:
    code = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit('told')); time.sleep(90)"
    )
    ids = launcher.launch([job(tmp_path, "long", code, minutes=0.2)])

    eventually(lambda: over(launcher, ids))

    assert launcher.states(ids)[ids[0]] is JobState.LOST
    assert "told" in (tmp_path / "long" / "job.1.log").read_text()


@pytest.mark.parametrize("needs", [{"gpus": 3}, {"cpus": 3}, {"gpus": 1, "memory_gb": 9000}])
def test_what_no_node_could_hold_is_refused(
    launcher: RayLauncher, tmp_path: Path, needs: dict[str, Any]
) -> None:
    with pytest.raises(JobRefusedError, match="2 cores, 2 GPUs"):
        launcher.launch([job(tmp_path, "fine", ""), job(tmp_path, "large", "", **needs)])

    assert not list(tmp_path.glob("fine/*"))


def test_a_wrong_token_is_refused(
    cluster: RayCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("0" * 64)
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    options = {"address": cluster.address, "token_file": str(tmp_path / "token")}

    with pytest.raises(ClusterError, match="token is missing or wrong"):
        RayLauncher(cluster.config(options=options)).states(["a.1 /nowhere/job.1.end"])


def test_a_dead_node_loses_its_jobs(
    cluster: RayCluster, launcher: RayLauncher, tmp_path: Path
) -> None:
    node = cluster.add(num_cpus=4)
    ids = launcher.launch([job(tmp_path, "victim", SLEEP, cpus=4)])
    pid, _ = processes(tmp_path, "victim")

    cluster.kill(node)

    eventually(lambda: gone(pid))
    eventually(lambda: launcher.states(ids)[ids[0]] is JobState.LOST)
