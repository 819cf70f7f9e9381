"""What every executor promises: subclass `Conformance` and say how yours is made.

::

    class TestMine(Conformance):
        @pytest.fixture
        def make(self, tmp_path):
            def made(**limits): ...  # an executor with these `time_limit_s` and `retries`
            return made

`sharded` makes the executor of shards over any launcher. Jobs take seconds to start, so a test asks
for much in one call.
"""

import logging
from pathlib import Path

from tests.voxcurate.workers import Unsendable
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import Launcher
from voxcurate.executors.shards.driver import Settings, ShardedExecutor
from voxcurate.protocols import Executor, Outcome, Task

WORKERS = "tests.voxcurate.workers"
ITEMS = "tests.voxcurate.executors.items"


def sharded(
    launcher: Launcher,
    folder: Path,
    *,
    cluster: ClusterConfig | None = None,
    needs: Needs | None = None,
    **settings,
) -> ShardedExecutor:
    """The executor of shards, in the manner of a workspace in `folder`."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return ShardedExecutor(
        Settings(
            launcher=launcher,
            cluster=cluster or ClusterConfig(max_jobs=2, poll_s=0.1),
            needs=needs or Needs(cpus=1, memory_gb=0.5, minutes=30),
            folder=folder / "cluster" / "stage",
            stage="stage",
            root=folder,
            scratch=folder / "tmp",
            **settings,
        )
    )


def run(executor, worker, payloads, costs=None) -> dict[str, Outcome]:
    """Outcomes by key; each key once."""
    costs = costs or [0.0] * len(payloads)
    tasks = [Task(f"t{n}", payload, costs[n]) for n, payload in enumerate(payloads)]
    outcomes = list(executor.run(f"{WORKERS}:{worker}", tasks))
    assert len({o.key for o in outcomes}) == len(outcomes), "a task has two outcomes"
    assert {o.key for o in outcomes} == {task.key for task in tasks}, "a task has no outcome"
    return {o.key: o for o in outcomes}


class Conformance:
    """Tests that every executor passes. `isolated`: tasks run in processes of their own."""

    isolated = True

    def test_every_task_has_one_outcome_with_its_key(self, make):
        executor = make()
        assert isinstance(executor, Executor)
        outcomes = run(executor, "echo", range(20))
        assert {key: o.value for key, o in outcomes.items()} == {f"t{n}": n for n in range(20)}
        assert all(o.ok and o.seconds >= 0 and o.peak_mb > 1 for o in outcomes.values())
        assert all(o.attempts == 1 for o in outcomes.values())
        assert run(executor, "echo", []) == {}

    def test_a_failing_task_does_not_stop_the_others_and_tells_no_secret(self, make):
        payloads = ["fine", "bad input", "bug", "leave", "fine"]
        outcomes = run(make(), "obey", payloads)
        assert [outcomes[f"t{n}"].ok for n in range(5)] == [True, False, False, False, True]
        assert outcomes["t1"].error == "want 3 axes, found 4"
        kinds = [outcomes[f"t{n}"].error_kind for n in range(1, 4)]
        assert kinds == ["VolumeReadError", "ValueError", "SystemExit"]
        assert "workers.py:" in outcomes["t2"].error
        assert "Jane" not in outcomes["t2"].error

    def test_a_worker_that_is_not_there_fails_every_task(self, make):
        outcomes = list(make().run(f"{WORKERS}:none", [Task("a", 1), Task("b", 2)]))
        assert [o.ok for o in outcomes] == [False, False]
        assert {o.key for o in outcomes} == {"a", "b"}
        assert "none" in outcomes[0].error

    def test_what_cannot_be_sent_is_a_failure_of_its_task(self, make):
        if not self.isolated:
            return
        payloads = ["fine", lambda: None, Unsendable(), "no pickle", "hostile", "large"]
        outcomes = run(make(), "obey", payloads)
        assert [outcomes[f"t{n}"].ok for n in range(6)] == [True, *[False] * 4, True]
        assert {outcomes[f"t{n}"].error_kind for n in range(1, 5)} == {"UnsendableError"}
        assert all("Jane" not in outcome.error for outcome in outcomes.values())
        assert len(outcomes["t5"].value) == 50_000_000

    def test_crash_and_hang_are_recorded_and_the_rest_goes_on(self, make, tmp_path):
        if not self.isolated:
            return
        payloads = ["fine", "die", "hang", "interrupt", "fine"]
        outcomes = run(make(time_limit_s=2, retries=0), "obey", payloads)
        kinds = [outcomes[f"t{n}"].error_kind for n in range(5)]
        assert kinds == ["", "WorkerCrashError", "ItemTimeoutError", "WorkerCrashError", ""]

    def test_a_crash_is_retried_and_its_item_named(self, make, tmp_path, caplog):
        if not self.isolated:
            return
        with caplog.at_level("WARNING", "voxcurate"):
            outcome = run(make(), "die_once", [str(tmp_path / "marker")])["t0"]
        assert (outcome.value, outcome.attempts) == ("second try", 2)
        assert [r.item for r in caplog.records if r.message == "retrying"] == ["t0"]

    def test_peak_memory_is_the_tasks_own(self, make):
        if not self.isolated:
            return
        outcomes = run(make(), "allocate", [300, 1, 1, 1])
        least = min(outcomes[f"t{n}"].peak_mb for n in range(1, 4))
        assert outcomes["t0"].peak_mb > least + 200

    def test_what_workers_log_is_logged_here_without_exception_text(self, make):
        records: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = records.append
        logger = logging.getLogger("cleaning")
        logger.addHandler(handler)
        try:
            outcomes = run(make(), "chatter", ["case_1"])
        finally:
            logger.removeHandler(handler)
        assert outcomes["t0"].ok
        assert [record.getMessage() for record in records] == ["odd", "broke"]
        if self.isolated:
            assert records[0].case == "case_1"
            assert (records[1].exc_info, records[1].exc_text) == (None, None)

    def test_tasks_are_taken_as_they_are_needed(self, make):
        taken = []

        def tasks():
            for n in range(5000):
                taken.append(n)
                yield Task(str(n), n)

        outcomes = make().run(f"{WORKERS}:echo", tasks())
        next(outcomes)
        assert len(taken) < 1000
        outcomes.close()
