"""One conformance suite over the executors; isolation, time limit and retry as promised."""

import os

import pytest

from voxcurate.executor import LocalExecutor, SerialExecutor
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
    assert isinstance(load(EXECUTORS, name)(), Executor)
