"""Shards of items on a Ray cluster that loses a node, its driver, its head."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.ray_items import HELD, ITEMS, begun, drive
from tests.cluster.rays import RayCluster, eventually, ray_cluster
from tests.voxcurate.executors.conformance import Conformance, sharded
from voxcurate.errors import ClusterError
from voxcurate.executors.launchers.ray import RayLauncher
from voxcurate.executors.shards.driver import ShardedExecutor
from voxcurate.protocols import Outcome

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(500)]

EACH_ONCE = {str(number): f"result {number}" for number in range(ITEMS)}


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    with ray_cluster({"num_cpus": 1}, {"num_cpus": 1}) as cluster:
        yield cluster


class Drive(threading.Thread):
    """A driver in a thread of ours."""

    def __init__(self, cluster: RayCluster, folder: Path) -> None:
        super().__init__(daemon=True)
        self.outcomes: list[Outcome] = []
        self._config, self._folder = cluster.config(), folder

    def run(self) -> None:
        for outcome in drive(self._config, self._folder):
            self.outcomes.append(outcome)

    def keys(self) -> set[str]:
        return {outcome.key for outcome in self.outcomes}


def test_a_node_that_dies_with_an_item_in_hand(cluster: RayCluster, tmp_path: Path) -> None:
    driver = Drive(cluster, tmp_path)
    driver.start()
    eventually(lambda: all(begun(tmp_path, n) for n in HELD) and driver.keys() == {"0", "4"})
    [victim], [other] = begun(tmp_path, 1), begun(tmp_path, 5)
    assert victim != other

    cluster.kill_raylet_node(victim)
    cluster.add(num_cpus=1)
    (tmp_path / "go").touch()
    driver.join(200)

    assert {one.key: one.value for one in driver.outcomes} == EACH_ONCE
    assert len(driver.outcomes) == ITEMS
    times = {number: len(begun(tmp_path, number)) for number in range(ITEMS)}
    assert times == {n: 2 if n == 1 else 1 for n in range(ITEMS)}  # nothing else was lost
    assert Counter(begun(tmp_path, 1))[victim] == 1
    assert not list((tmp_path / "shards").glob("*/*/tasks.bin"))


def test_a_driver_that_is_killed_finds_its_jobs_again(cluster: RayCluster, tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes"
    command = [sys.executable, "-m", "tests.cluster.ray_items"]
    command += [cluster.config().model_dump_json(), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as first:
        eventually(lambda: outcomes.exists() and len(outcomes.read_text().splitlines()) == 2)
        eventually(lambda: all(begun(tmp_path, n) for n in HELD))
        first.kill()

    outcomes.unlink()
    with subprocess.Popen(command, stderr=subprocess.PIPE) as second:
        eventually(lambda: outcomes.exists() and len(outcomes.read_text().splitlines()) == 2)
        (tmp_path / "go").touch()
        _, words = second.communicate(timeout=200)

    assert (second.returncode, words) == (0, b"")  # nor has Ray said a word on our stderr
    found = [json.loads(line) for line in outcomes.read_text().splitlines()]
    assert dict(found) == EACH_ONCE
    assert len(found) == ITEMS
    assert {number: len(begun(tmp_path, number)) for number in range(ITEMS)} == dict.fromkeys(
        range(ITEMS), 1
    )


@pytest.fixture(scope="module")
def launcher(cluster: RayCluster) -> Iterator[RayLauncher]:
    launcher = RayLauncher(cluster.config())
    yield launcher
    launcher.close()


class TestRay(Conformance):
    """Shards over this cluster."""

    @pytest.fixture
    def make(
        self, cluster: RayCluster, launcher: RayLauncher, tmp_path: Path
    ) -> Callable[..., ShardedExecutor]:
        def made(**limits: Any) -> ShardedExecutor:
            return sharded(launcher, tmp_path, cluster=cluster.config(max_jobs=2), **limits)

        return made


@pytest.mark.long
def test_a_head_that_dies_and_comes_again(cluster: RayCluster, tmp_path: Path) -> None:
    driver = Drive(cluster, tmp_path)
    driver.start()
    eventually(lambda: all(begun(tmp_path, n) for n in HELD) and driver.keys() == {"0", "4"})

    cluster.kill(0)
    with pytest.raises(ClusterError):
        RayLauncher(cluster.config()).states(["a.1 /nowhere/job.1.end"])
    assert driver.is_alive()  # it waits
    cluster.start_head()
    cluster.add(num_cpus=2)
    (tmp_path / "go").touch()
    driver.join(300)

    assert {one.key: one.value for one in driver.outcomes} == EACH_ONCE
    assert len(driver.outcomes) == ITEMS
    assert Counter(len(begun(tmp_path, n)) for n in (0, 4)) == {1: 2}
