"""``kill -9`` of drivers and jobs, SIGTERM, SIGSTOP and Ctrl-C, on real processes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.voxcurate.executors.conformance import ITEMS, WORKERS, sharded
from tests.voxcurate.executors.fakes import shards_of
from tests.voxcurate.executors.test_local import alive, gone
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers.processes import ProcessLauncher
from voxcurate.protocols import Task

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.slow


def start(folder, n, seconds):
    command = [sys.executable, "-m", "tests.voxcurate.executors.driver"]
    return subprocess.Popen(
        [*command, str(folder), str(n), str(seconds)],
        cwd=ROOT, start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def lines(path):
    return path.read_text().split() if path.exists() else []


def wait_for(what, limit_s=90):
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline, "nothing happens"
        time.sleep(0.01)


def jobs_of(folder):
    """Processes of the jobs that gave a sign of life."""
    found = []
    for beat in folder.glob("cluster/*/*/beat.*.json"):
        try:
            found.append(json.loads(beat.read_text())["pid"])
        except (OSError, ValueError):
            continue
    return alive(found)


def finish(folder, n, seconds):
    """Run to the end; what was recorded, and how often each item was called."""
    driver = start(folder, n, seconds)
    _, errors = driver.communicate(timeout=200)
    assert driver.returncode == 0, errors
    recorded, calls = lines(folder / "recorded.txt"), Counter(lines(folder / "calls.txt"))
    assert sorted(recorded) == sorted({f"t{k}" for k in range(n)}), "lost or doubled"
    assert {path.name: path.read_text() for path in (folder / "done").iterdir()} == {
        f"t{k}": f"t{k}" for k in range(n)
    }
    assert shards_of(folder) == []
    assert gone(jobs_of(folder))
    return calls


def kill(driver):
    """``kill -9``, if it has not come to its end."""
    was_alive = driver.poll() is None
    if was_alive:
        os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    driver.stderr.close()
    return was_alive


def grows(path, driver, by):
    """Wait until a file has more lines, or the driver is over."""
    before = len(lines(path))
    wait_for(lambda: len(lines(path)) >= before + by or driver.poll() is not None)


@pytest.mark.timeout(600)
def test_a_driver_killed_again_and_again_loses_nothing_and_does_nothing_twice(tmp_path):
    n, seconds, rng, killed = 150, 0.2, random.Random(5), 0
    for k in range(8):
        driver = start(tmp_path, n, seconds)
        if k % 2:
            grows(tmp_path / "recorded.txt", driver, by=1 + k)
        else:  # while it starts, adopts or launches
            time.sleep(rng.uniform(0.5, 3))
        killed += kill(driver)
    calls = finish(tmp_path, n, seconds)
    assert killed >= 5
    again = [key for key, times in calls.items() if times > 1]
    assert len(again) <= killed, "at most the one whose file was moved when its driver died"


@pytest.mark.timeout(600)
def test_jobs_killed_together_with_their_driver_cost_only_what_was_in_hand(tmp_path):
    n, seconds, killed = 60, 0.2, 0
    for k in range(4):
        driver = start(tmp_path, n, seconds)
        grows(tmp_path / "calls.txt", driver, by=2 + k)
        kill(driver)
        for job in jobs_of(tmp_path):
            os.killpg(job, signal.SIGKILL)
            killed += 1
    calls = finish(tmp_path, n, seconds)
    assert killed >= 2
    # what ended in the last moments had been written down by nobody
    assert sum(times - 1 for times in calls.values()) <= 3 * killed


def run_one(tmp_path, payloads, **cluster):
    """A running executor of one job, and the job's process."""
    config = ClusterConfig(**{"max_jobs": 1, "poll_s": 0.1} | cluster)
    executor = sharded(ProcessLauncher(config), tmp_path, cluster=config, needs=Needs(cpus=1))
    tasks = [Task(f"t{n}", payload) for n, payload in enumerate(payloads)]
    return executor, tasks


def test_a_job_told_to_end_ends_in_order_and_costs_only_what_is_in_hand(tmp_path):
    common = {"log": str(tmp_path / "calls.txt"), "scratch": str(tmp_path / "tmp")}
    payloads = [{**common, "name": f"t{n}", "s": 0.1} for n in range(8)]
    executor, tasks = run_one(tmp_path, payloads)
    outcomes = executor.run(f"{ITEMS}:call", tasks)
    first = next(outcomes)
    (job,) = jobs_of(tmp_path)
    os.kill(job, signal.SIGTERM)
    rest = list(outcomes)
    assert {o.key for o in (first, *rest)} == {f"t{n}" for n in range(8)}
    assert all(o.ok for o in rest)
    assert max(Counter(lines(tmp_path / "calls.txt")).values()) == 1  # it had time to end


def test_a_job_that_is_stopped_dead_is_replaced(tmp_path):
    common = {"log": str(tmp_path / "calls.txt"), "scratch": str(tmp_path / "tmp")}
    payloads = [{**common, "name": f"t{n}", "s": 0.2} for n in range(8)]
    executor, tasks = run_one(tmp_path, payloads, silence_s=6.0)
    outcomes = executor.run(f"{ITEMS}:call", tasks)
    first = next(outcomes)
    (job,) = jobs_of(tmp_path)
    os.killpg(job, signal.SIGSTOP)
    rest = list(outcomes)
    assert {o.key for o in (first, *rest)} == {f"t{n}" for n in range(8)}
    assert gone([job])


def test_closing_stops_the_jobs_and_all_their_processes(tmp_path):
    executor, tasks = run_one(tmp_path, ["fine", "hang", "fine"])
    outcomes = executor.run(f"{WORKERS}:obey", tasks)
    next(outcomes)
    jobs = jobs_of(tmp_path)
    import psutil

    below = [child.pid for child in psutil.Process(jobs[0]).children(recursive=True)]
    outcomes.close()
    assert jobs
    assert gone([*jobs, *below])


def test_ctrl_c_stops_the_jobs(tmp_path):
    driver = start(tmp_path, 40, 0.3)
    wait_for(lambda: len(lines(tmp_path / "recorded.txt")) > 2)
    jobs = jobs_of(tmp_path)
    os.killpg(driver.pid, signal.SIGINT)
    _, errors = driver.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
    assert jobs
    assert gone(jobs)


def test_a_disk_that_is_full_for_jobs_or_driver_is_one_clear_error(tmp_path):
    from voxcurate.errors import ClusterError

    config = ClusterConfig(max_jobs=1, poll_s=0.1, setup=("ulimit -f 1",))
    executor = sharded(ProcessLauncher(config), tmp_path, cluster=config, needs=Needs(cpus=1))
    with pytest.raises(ClusterError, match=r"3 jobs in a row .*\(File too large\).*job.*log"):
        list(executor.run(f"{WORKERS}:echo", [Task(str(n), "x" * 2000) for n in range(9)]))
    assert gone(jobs_of(tmp_path))
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "cluster").write_text("a file where the folder belongs")
    executor = sharded(ProcessLauncher(config), tmp_path / "no", cluster=config)
    with pytest.raises(ClusterError, match=r"cannot be used: (Not a directory|File exists)"):
        list(executor.run(f"{WORKERS}:echo", [Task("a", 1)]))
