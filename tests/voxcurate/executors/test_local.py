"""One conformance suite over the executors; isolation, time limit and retry as promised."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.voxcurate.workers import Unsendable
from voxcurate.errors import WorkerCrashError
from voxcurate.executors import LocalExecutor, SerialExecutor
from voxcurate.protocols import EXECUTORS, Executor, Task, load

WORKERS = "tests.voxcurate.workers"


@pytest.fixture(params=["serial", "local"])
def executor(request):
    return SerialExecutor() if request.param == "serial" else LocalExecutor(workers=2)


def run(executor, worker, payloads):
    tasks = [Task(f"t{n}", payload) for n, payload in enumerate(payloads)]
    return {o.key: o for o in executor.run(f"{WORKERS}:{worker}", tasks)}


def test_every_task_has_one_outcome_with_its_key(executor):
    assert isinstance(executor, Executor)
    outcomes = run(executor, "echo", range(7))
    assert {key: o.value for key, o in outcomes.items()} == {f"t{n}": n for n in range(7)}
    assert all(o.ok and o.seconds >= 0 and o.peak_mb > 1 for o in outcomes.values())
    assert run(executor, "echo", []) == {}


def test_a_failing_task_does_not_stop_the_others(executor):
    outcomes = run(executor, "obey", ["fine", "bad input", "bug", "fine"])
    assert [outcomes[f"t{n}"].ok for n in range(4)] == [True, False, False, True]
    assert outcomes["t1"].error == "want 3 axes, found 4"
    assert outcomes["t1"].error_kind == "VolumeReadError"


def test_an_unforeseen_error_tells_its_place_and_never_its_text(executor):
    outcome = run(executor, "obey", ["bug"])["t0"]
    assert outcome.error_kind == "ValueError"
    assert "workers.py:" in outcome.error
    assert "Jane" not in outcome.error


@pytest.mark.parametrize("payload", ["leave", "no pickle", "hostile"])
def test_whatever_a_worker_does_it_is_its_own_failure(payload):
    outcomes = run(LocalExecutor(workers=1), "obey", ["fine", payload, "fine"])
    assert [outcomes[f"t{n}"].ok for n in range(3)] == [True, False, True]
    assert outcomes["t1"].attempts == 1
    assert "Jane" not in outcomes["t1"].error


def test_an_interrupt_of_its_own_making_is_a_crash(capfd):
    outcomes = run(LocalExecutor(workers=1, retries=0), "obey", ["interrupt", "fine"])
    assert outcomes["t0"].error_kind == "WorkerCrashError"
    assert outcomes["t1"].ok
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("payload", [lambda: None, Unsendable()])
def test_a_payload_that_cannot_be_sent_is_a_failure(payload):
    outcomes = run(LocalExecutor(workers=1), "echo", [1, payload, 2])
    assert [outcomes[f"t{n}"].ok for n in range(3)] == [True, False, True]
    assert outcomes["t1"].error_kind == "UnsendableError"
    assert "payload of plain data" in outcomes["t1"].error
    assert "Jane" not in outcomes["t1"].error


@pytest.mark.parametrize("worker", ["tests.voxcurate.workers:none", "no.such.module:none"])
def test_a_worker_that_is_not_there_fails_every_task(executor, worker):
    outcomes = list(executor.run(worker, [Task("a", 1), Task("b", 2)]))
    assert [o.ok for o in outcomes] == [False, False]
    assert "none" in outcomes[0].error or "no.such" in outcomes[0].error or "of no" in str(outcomes)


def test_large_results_arrive():
    outcomes = run(LocalExecutor(workers=2), "obey", ["large", "large", "fine"])
    assert [len(outcomes[f"t{n}"].value) for n in range(3)] == [50_000_000, 50_000_000, 4]


def test_crash_and_hang_are_recorded_and_the_rest_goes_on():
    executor = LocalExecutor(workers=2, time_limit_s=3, retries=1)
    outcomes = run(executor, "obey", ["fine", "die", "hang", "fine"])
    assert [outcomes[f"t{n}"].error_kind for n in range(4)] == [
        "",
        "WorkerCrashError",
        "ItemTimeoutError",
        "",
    ]
    assert outcomes["t1"].attempts == outcomes["t2"].attempts == 2
    assert outcomes["t0"].attempts == 1


def test_a_crash_is_retried(tmp_path):
    outcome = run(LocalExecutor(workers=1), "die_once", [str(tmp_path / "marker")])["t0"]
    assert (outcome.value, outcome.attempts) == ("second try", 2)


def test_work_runs_in_other_processes_with_the_threads_asked_for():
    outcomes = run(LocalExecutor(workers=1, threads=3), "threads", [None])
    setting, process = outcomes["t0"].value
    assert setting == "3"
    assert process != os.getpid()


@pytest.mark.parametrize("name", sorted(EXECUTORS))
def test_registered_executors_load(name):
    assert issubclass(load(EXECUTORS, name), Executor)


def test_the_time_limit_counts_work_not_waiting():
    outcomes = run(LocalExecutor(workers=1, time_limit_s=1.5, retries=0), "nap", [0.6] * 5)
    assert all(o.ok for o in outcomes.values())


def test_a_task_that_ended_in_time_counts_though_nobody_looked():
    outcomes = LocalExecutor(workers=2, time_limit_s=1, retries=0).run(
        f"{WORKERS}:nap", [Task("a", 0.0), Task("b", 0.2)]
    )
    first = next(outcomes)
    time.sleep(1.5)
    assert first.ok
    assert [o.ok for o in outcomes] == [True]


def test_tasks_are_taken_as_workers_become_free():
    taken = []

    def tasks():
        for n in range(50):
            taken.append(n)
            yield Task(str(n), n)

    outcomes = LocalExecutor(workers=2).run(f"{WORKERS}:echo", tasks())
    for seen in range(1, 51):
        next(outcomes)
        assert len(taken) <= seen + 4  # at most two run and two more are over


def test_peak_memory_is_the_tasks_own():
    outcomes = run(LocalExecutor(workers=1), "allocate", [300, 1])
    assert outcomes["t0"].peak_mb > outcomes["t1"].peak_mb + 200


def test_numpy_has_the_threads_asked_for():
    assert run(LocalExecutor(workers=1, threads=1), "blas_threads", [0])["t0"].value == 1


def test_what_workers_log_is_logged_here_without_exception_text():
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("cleaning")
    logger.addHandler(handler)
    try:
        outcomes = run(LocalExecutor(workers=1), "chatter", ["case_1"])
    finally:
        logger.removeHandler(handler)
    assert outcomes["t0"].ok
    odd, broke = records
    assert (odd.getMessage(), odd.case) == ("odd", "case_1")
    assert (broke.exception, broke.exc_info, broke.exc_text) == ("ValueError", None, None)


def test_stopping_early_leaves_no_process(tmp_path):
    outcomes = LocalExecutor(workers=2).run(
        f"{WORKERS}:obey", [Task("a", "fine"), Task("b", "hang"), Task("c", "hang")]
    )
    next(outcomes)
    children = children_of(os.getpid())
    assert children
    outcomes.close()
    assert gone(children)


def test_a_worker_killed_from_outside_is_replaced(tmp_path):
    outcomes = LocalExecutor(workers=1, retries=1).run(
        f"{WORKERS}:echo", (Task(str(n), n) for n in range(40))
    )
    values = []
    for n, outcome in enumerate(outcomes):
        values.append(outcome.value)
        if n in {3, 17}:
            for child in children_of(os.getpid()):
                os.kill(child, signal.SIGKILL)
    assert sorted(values) == list(range(40))


def test_a_worker_killed_in_the_middle_of_a_result_touches_nobody_else():
    payloads = ["fine", "large", "fine", "fine"]
    tasks = [Task(f"t{n}", payload) for n, payload in enumerate(payloads)]
    for _ in range(5):  # on a busy machine the large result may be read first, all of it
        outcomes = LocalExecutor(workers=2, retries=0).run(f"{WORKERS}:obey", tasks)
        first = next(outcomes)
        if first.key == "t0":
            break
        outcomes.close()
    time.sleep(1.0)  # the large result waits for its reader, half of it in the pipe
    children = children_of(os.getpid())
    for child in children:
        os.kill(child, signal.SIGKILL)
    assert gone(children)
    found = {outcome.key: outcome for outcome in (first, *outcomes)}
    assert [found[f"t{n}"].error_kind for n in range(4)] == ["", "WorkerCrashError", "", ""]


def test_processes_that_cannot_start_are_told(monkeypatch):
    no_worker = LocalExecutor(workers=1).run  # not what it wants
    monkeypatch.setattr("voxcurate.executors.pool.serve", no_worker)
    with pytest.raises(WorkerCrashError, match="no worker process can be started"):
        run(LocalExecutor(workers=1), "echo", [1])


DRIVER = """
import sys
from voxcurate.executors import LocalExecutor
from voxcurate.protocols import Task
if __name__ == "__main__":
    tasks = [Task(str(n), {"folder": sys.argv[1]}) for n in range(4)]
    for outcome in LocalExecutor(workers=2).run("tests.voxcurate.workers:tell", tasks):
        pass
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_die_with_their_driver(tmp_path, how):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    folder = tmp_path / "pids"
    folder.mkdir()
    root = Path(__file__).parents[3]
    driver = subprocess.Popen(
        [sys.executable, str(script), str(folder)],
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    workers = [int(path.name) for path in folder.iterdir()]
    if how == signal.SIGINT:
        os.killpg(driver.pid, how)  # Ctrl-C in a terminal reaches the workers too
    else:
        driver.send_signal(how)
    _, errors = driver.communicate(timeout=60)
    assert driver.returncode == -how
    assert errors.count("KeyboardInterrupt") == (how == signal.SIGINT), errors
    assert gone(workers)


EARLIER: set[int] = set()  # warm processes of other tests


@pytest.fixture(autouse=True)
def _only_own_children():
    EARLIER.clear()
    EARLIER.update(children_of(os.getpid()))


def children_of(process):
    """Worker processes of a process; not the resource tracker, nor what was there before."""
    import psutil

    def is_worker(child):
        try:
            return "spawn_main" in " ".join(child.cmdline())
        except psutil.Error:  # gone, or a zombie
            return False

    children = psutil.Process(process).children()
    return [c.pid for c in children if c.pid not in EARLIER and is_worker(c)]


def alive(processes):
    """Those that still run."""
    import psutil

    def runs(pid):
        try:
            return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return [pid for pid in processes if runs(pid)]


def gone(processes):
    """Whether all of them end; a killed one takes its time on a busy machine."""
    deadline = time.monotonic() + 30
    while alive(processes) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(processes)
