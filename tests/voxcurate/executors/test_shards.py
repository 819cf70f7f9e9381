"""The driver of shards against a scheduler where everything that can go wrong does, on cue."""

import time
import tracemalloc
from collections import deque
from dataclasses import replace
from pathlib import Path

import pytest

from tests.voxcurate.executors.conformance import ITEMS, WORKERS, run, sharded
from tests.voxcurate.executors.fakes import FakeLauncher, shards_of
from voxcurate.errors import ClusterError, JobRefusedError
from voxcurate.executors.cluster import ClusterConfig, Needs
from voxcurate.executors.launchers import LINKS, JobState
from voxcurate.executors.shards.driver import ShardedExecutor
from voxcurate.executors.shards.files import ShardFolder
from voxcurate.protocols import Task

N = 30


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("voxcurate.executors.shards.scheduler.FIRST_S", 0.3)
    monkeypatch.setattr("voxcurate.executors.shards.judging.IDLE_S", 0.05)
    monkeypatch.setattr("voxcurate.executors.shards.judging.LONGEST_S", 0.05)


def made(launcher, folder, *, max_items=10, **cluster):
    cluster = {"max_jobs": 2, "poll_s": 0.01, "silence_s": 0.3} | cluster
    needs = Needs(max_items=max_items)
    return sharded(launcher, folder, cluster=ClusterConfig(**cluster), needs=needs)


def undisturbed(outcomes, besides=()):
    assert {k: o.value for k, o in outcomes.items() if k not in besides} == {
        f"t{n}": n for n in range(N) if f"t{n}" not in besides
    }
    return True


def on(key, what, times=99):
    """A script: `what` happens to an item the first `times` that it is begun."""
    return lambda k, begun: what if k == key and begun <= times else "ok"


@pytest.mark.parametrize("what", ["die", "lost", "hang", "torn", "leave"])
@pytest.mark.parametrize("key", ["t0", "t4", "t29"])
def test_a_job_that_goes_down_costs_only_what_it_had_in_hand(tmp_path, what, key):
    launcher = FakeLauncher(on(key, what, times=1))
    assert undisturbed(run(made(launcher, tmp_path), "echo", range(N)))
    again = {k for k, n in launcher.begun.items() if n > 1}
    assert again == {key}
    assert shards_of(tmp_path) == []


@pytest.mark.parametrize("what", ["die", "torn"])
def test_an_item_that_takes_jobs_down_is_quarantined_alone(tmp_path, what):
    launcher = FakeLauncher(on("t4", what))
    outcomes = run(made(launcher, tmp_path, tries=3), "echo", range(N))
    assert undisturbed(outcomes, besides=["t4"])
    assert outcomes["t4"].error_kind == "QuarantinedError"
    assert launcher.begun["t4"] == 3
    assert sum(launcher.begun.values()) == N + 2
    log = tmp_path / outcomes["t4"].error.split(": ")[-1]
    assert log.read_text() == "what the job said\n"
    assert shards_of(tmp_path) == []


class Arrays(FakeLauncher):
    """Leaves what SLURM's arrays need beside the shards."""

    def launch(self, jobs):
        links = jobs[0].folder.parent / LINKS / f"mark-{len(self.specs)}"
        links.mkdir(parents=True)
        (links / "0.log").symlink_to(jobs[0].log)
        return super().launch(jobs)


def test_of_a_stage_that_is_over_only_logs_of_quarantined_items_stay(tmp_path):
    run(made(Arrays(), tmp_path), "echo", range(N))
    assert not (tmp_path / "cluster" / "stage").exists()
    run(made(Arrays(on("t4", "die")), tmp_path, tries=1), "echo", range(N))
    assert [path.name for path in (tmp_path / "cluster" / "stage").iterdir()] == ["quarantined"]


def test_what_a_stage_left_goes_with_the_next_one(tmp_path):
    launcher = Arrays(on("t4", "slow"))
    old = made(launcher, tmp_path)
    outcomes = old.run(f"{WORKERS}:echo", (Task(f"t{n}", n) for n in range(N)))
    next(outcomes)  # and the driver dies
    assert run(made(Arrays(), tmp_path), "echo", []) == {}
    assert shards_of(tmp_path)  # of another part of the stage, perhaps
    there = {"launcher": FakeLauncher(), "folder": tmp_path / "cluster" / "next"}
    run(ShardedExecutor(replace(old.settings, **there)), "echo", range(2))
    assert list((tmp_path / "cluster").iterdir()) == []
    outcomes.close()


def test_of_several_suspects_only_the_guilty_one_is_quarantined(tmp_path):
    def script(key, begun):
        return "die" if key in {"t3", "t7", "t15"} else "ok"

    outcomes = run(made(FakeLauncher(script), tmp_path, tries=2), "echo", range(N))
    assert undisturbed(outcomes, besides=["t3", "t7", "t15"])
    assert {o.error_kind for o in outcomes.values()} == {"", "QuarantinedError"}


def test_a_lost_job_is_the_nodes_fault_unless_it_is_lost_again_and_again(tmp_path):
    launcher = FakeLauncher(on("t4", "lost"))
    outcomes = run(made(launcher, tmp_path, tries=2), "echo", range(N))
    assert undisturbed(outcomes, besides=["t4"])
    assert launcher.begun["t4"] == 4


def test_a_shard_that_is_always_preempted_is_given_up_in_the_end(tmp_path):
    launcher = FakeLauncher(on("t4", "leave"))
    outcomes = run(made(launcher, tmp_path, restarts=3), "echo", range(N))
    lost = {k for k, o in outcomes.items() if not o.ok}
    assert lost == {"t4", "t5", "t6", "t7"}
    assert "pre-empted 4 times" in outcomes["t4"].error


def test_a_shard_that_gets_on_in_small_steps_is_not_given_up(tmp_path):
    def script(key, begun):  # every job does one item, and is pre-empted before the next
        return "leave" if begun == 1 and key != "t0" else "ok"

    launcher = FakeLauncher(script)
    executor = made(launcher, tmp_path, max_items=30, restarts=1, silence_s=300)
    tasks = [Task(f"t{n}", n, 1.0) for n in range(N)]
    outcomes = {o.key: o for o in executor.run(f"{WORKERS}:echo", tasks)}
    assert all(o.ok for o in outcomes.values()), [o.error for o in outcomes.values() if not o.ok]
    assert len(launcher.specs) == N


def test_a_job_that_ended_early_is_told_to_stop_should_it_be_started_again(tmp_path):
    launcher = FakeLauncher(on("t4", "leave", times=1), steps=2)
    executor = made(launcher, tmp_path, max_items=30)
    outcomes = executor.run(f"{WORKERS}:echo", [Task(f"t{n}", n, 1.0) for n in range(N)])
    for _ in range(6):
        next(outcomes)
    folder = ShardFolder(launcher.specs[0].folder)
    assert (folder.stopped(1), folder.stopped(2)) == (True, False)
    outcomes.close()


def test_an_outcome_that_is_delivered_twice_counts_once(tmp_path):
    assert undisturbed(run(made(FakeLauncher(lambda *_: "twice"), tmp_path), "echo", range(N)))


def test_a_slow_item_is_begun_a_second_time_and_the_first_result_counts(tmp_path):
    launcher = FakeLauncher(on("t12", "slow", times=1))
    assert undisturbed(run(made(launcher, tmp_path), "echo", range(N)))
    assert launcher.begun["t12"] == 2
    assert launcher.cancelled
    assert sum(launcher.begun.values()) == N + 1


@pytest.mark.parametrize(("straggler", "single"), [(0, False), (3, True)])
def test_no_copies_where_they_are_not_wanted(tmp_path, straggler, single):
    launcher = FakeLauncher(on("t12", "slow"))
    executor = made(launcher, tmp_path, straggler=straggler, silence_s=300)
    tasks = (Task(f"t{n}", n, single=single) for n in range(N))
    outcomes = executor.run(f"{WORKERS}:echo", tasks)
    seen, looks, states = [], [], launcher.states

    def watched(ids):  # for some time after all others are done
        looks.extend([ids] if len(seen) == N - 4 else [])
        if len(looks) > 40:
            raise JobRefusedError("enough")
        return states(ids)

    launcher.states = watched
    with pytest.raises(JobRefusedError, match="enough"):
        deque((seen.append(outcome.key) for outcome in outcomes), maxlen=0)
    assert len(seen) == N - 4, "t12 to t15 of its shard are behind it"
    assert launcher.begun["t12"] == 1


def test_a_scheduler_that_is_away_for_a_while_is_waited_for(tmp_path, caplog):
    launcher = FakeLauncher(away=range(2, 8))
    with caplog.at_level("INFO", "voxcurate"):
        assert undisturbed(run(made(launcher, tmp_path), "echo", range(N)))
    assert [r.message for r in caplog.records].count("the scheduler does not answer") >= 1
    assert "the scheduler answers again" in [r.message for r in caplog.records]


def test_a_launch_that_was_not_heard_is_made_again_under_its_number(tmp_path):
    launcher = FakeLauncher(away={0, 1})
    assert undisturbed(run(made(launcher, tmp_path), "echo", range(N)))
    assert {spec.attempt for spec in launcher.specs} == {1}


def test_a_scheduler_that_never_answers_is_told(tmp_path):
    with pytest.raises(ClusterError, match="nobody answers"):
        run(made(FakeLauncher(away=range(10**6)), tmp_path), "echo", range(N))


def test_jobs_that_are_refused_stop_the_stage_at_once(tmp_path):
    launcher = FakeLauncher()

    def refuse(jobs):
        raise JobRefusedError("no such partition")

    launcher.launch = refuse
    with pytest.raises(JobRefusedError, match="no such partition"):
        run(made(launcher, tmp_path), "echo", range(N))


def test_jobs_that_end_before_they_begin_are_one_clear_error(tmp_path):
    launcher = FakeLauncher()
    launcher.states = lambda ids: dict.fromkeys(ids, JobState.ENDED)
    with pytest.raises(ClusterError, match=r"3 jobs in a row .*cluster/stage/.*/job.*\.log"):
        run(made(launcher, tmp_path), "echo", range(N))


def test_jobs_that_are_always_lost_are_one_clear_error_and_blame_no_item(tmp_path):
    launcher = FakeLauncher()
    launcher.states = lambda ids: dict.fromkeys(ids, JobState.LOST)
    with pytest.raises(ClusterError, match=r"lost 4 times in a row .*cluster/stage/.*/job.*\.log"):
        run(made(launcher, tmp_path, restarts=3), "echo", range(N))


@pytest.mark.parametrize("how", [JobState.ENDED, JobState.LOST])
def test_a_bad_node_stops_nothing_while_others_are_at_work(tmp_path, monkeypatch, how):
    monkeypatch.setattr("voxcurate.executors.shards.judging.LONGEST_S", 0.01)
    launcher = FakeLauncher(on("t4", "slow"), steps=1)
    states, bad = launcher.states, set()

    def on_a_bad_node(ids):  # every job but the first, until many have failed
        new = {name for name in set(ids) - {"fake0"} - bad if len(bad) < 12}
        bad.update(new)
        launcher.known.update(dict.fromkeys(new, how))
        return states(ids)

    launcher.states = on_a_bad_node
    executor = made(launcher, tmp_path, restarts=3, tries=2, straggler=0, silence_s=300)
    outcomes = executor.run(f"{WORKERS}:echo", (Task(f"t{n}", n) for n in range(N)))
    seen = [next(outcomes) for _ in range(N - 8)]  # t4 hangs, t5 to t7 of its shard are behind it
    outcomes.close()
    assert len(bad) >= 12
    assert all(o.ok for o in seen)
    assert max(launcher.begun.values()) == 1


def test_closing_cancels_every_job_and_the_next_call_goes_on(tmp_path):
    launcher = FakeLauncher(steps=3)
    executor = made(launcher, tmp_path)
    outcomes = executor.run(f"{WORKERS}:echo", (Task(f"t{n}", n) for n in range(N)))
    first = {next(outcomes).key for _ in range(5)}
    outcomes.close()
    assert launcher.cancelled
    assert undisturbed(run(executor, "echo", range(N)))
    assert all(launcher.begun[key] == 1 for key in first)


def test_a_result_whose_file_was_moved_before_the_driver_died_is_made_again(tmp_path):
    launcher = FakeLauncher()
    executor = made(launcher, tmp_path)
    payloads = [{"scratch": str(tmp_path / "tmp"), "name": f"f{n}"} for n in range(3)]
    tasks = [Task(f"t{n}", payload) for n, payload in enumerate(payloads)]
    outcomes = executor.run(f"{ITEMS}:leave_file", tasks)
    first = next(outcomes)
    path = Path(first.value["path"])
    assert path.parent.parent == tmp_path / "tmp"
    path.unlink()  # the driver moved it, and died; its generator is never closed
    again = {o.key: o for o in made(launcher, tmp_path).run(f"{ITEMS}:leave_file", tasks)}
    assert {k: Path(o.value["path"]).read_text() for k, o in again.items()} == {
        f"t{n}": f"f{n}" for n in range(3)
    }
    assert launcher.begun == {"t0": 2, "t1": 1, "t2": 1}
    assert again["t0"].value != first.value  # another job, another folder
    outcomes.close()


def test_results_whose_files_are_missing_together_are_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr("voxcurate.executors.shards.inbox.SEEN_S", 0.5)
    launcher = FakeLauncher(steps=10)
    executor = made(launcher, tmp_path, max_items=30, restarts=3, silence_s=300)
    tmp = tmp_path / "tmp"
    tasks = [Task(f"t{n}", {"scratch": str(tmp), "name": f"f{n}"}, 1.0) for n in range(N)]
    outcomes, cleaned = [], False
    running = executor.run(f"{ITEMS}:leave_file", tasks)
    real = launcher.states

    def states(ids):  # somebody tidies up between two looks
        nonlocal cleaned
        found = real(ids)
        left = list(tmp.glob("*/f1?"))
        if len(left) == 10 and not cleaned:
            cleaned = True
            for path in left:
                path.unlink()
        return found

    launcher.states = states
    outcomes = list(running)
    assert cleaned
    assert all(o.ok for o in outcomes), [o.error for o in outcomes if not o.ok]
    assert {o.key for o in outcomes} == {f"t{n}" for n in range(N)}


def test_a_driver_asks_about_the_jobs_it_takes_over_before_it_starts_its_own(tmp_path):
    """Or a launcher would give out devices that they have."""
    launcher, calls = FakeLauncher(on("t4", "slow"), steps=1), []
    old = made(launcher, tmp_path)
    outcomes = old.run(f"{WORKERS}:echo", (Task(f"t{n}", n) for n in range(N)))
    next(outcomes)  # and the driver dies: its generator is never closed
    states, launch = launcher.states, launcher.launch
    launcher.states = lambda ids: calls.append(sorted(ids)) or states(ids)
    launcher.launch = lambda jobs: calls.append("launch") or launch(jobs)
    new = made(launcher, tmp_path, max_jobs=4)
    again = new.run(f"{WORKERS}:echo", (Task(f"t{n}", n) for n in range(N)))
    next(again)
    assert calls[0] == ["fake0", "fake1"]
    outcomes.close()
    again.close()


def test_shards_of_other_settings_are_cancelled_and_removed(tmp_path):
    launcher = FakeLauncher(on("t4", "slow"))
    old = made(launcher, tmp_path)
    outcomes = old.run(f"{WORKERS}:echo", (Task(f"t{n}", n) for n in range(N)))
    next(outcomes)  # and the driver dies: its generator is never closed
    assert shards_of(tmp_path)
    other = FakeLauncher()
    new = sharded(other, tmp_path, cluster=old.settings.cluster, family="other")
    assert undisturbed(run(new, "echo", range(N)))
    assert other.cancelled
    assert shards_of(tmp_path) == []
    outcomes.close()


@pytest.mark.slow
def test_memory_is_flat_for_many_tasks(tmp_path, monkeypatch):
    monkeypatch.setattr("voxcurate.executors.worker._reset_peak", lambda: None)  # slow in here
    monkeypatch.setattr("voxcurate.executors.worker._peak_mb", lambda: 1.0)
    monkeypatch.setattr("voxcurate.executors.shards.running.KEPT_S", 0.0)  # else it is by the clock
    n, peaks = 12_000, []
    launcher = FakeLauncher(steps=10**6)
    executor = made(launcher, tmp_path, max_items=500, silence_s=300, straggler=0)
    tracemalloc.start()
    try:
        tasks = (Task(f"t{k}", f"{k:01000d}") for k in range(n))
        for k, _ in enumerate(executor.run(f"{WORKERS}:echo", tasks), 1):
            launcher.begun.clear()
            if k % (n // 4) == 0:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
    finally:
        tracemalloc.stop()
    assert k == n
    assert peaks[-1] < 1.2 * peaks[1] + 0.5e6, peaks  # a quarter of the payloads alone is 3 MB


def test_a_job_that_is_over_counts_once_all_that_it_wrote_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("voxcurate.executors.shards.inbox.AT_ONCE", 2)
    launcher = FakeLauncher()
    executor = made(launcher, tmp_path, max_items=30)
    tasks, seen = [Task(f"t{n}", n, 1.0) for n in range(N)], set()
    for outcome in executor.run(f"{WORKERS}:echo", tasks):
        seen.add(outcome.key)
        time.sleep(0.02)  # whoever takes them is slow
    assert len(seen) == N
    assert set(launcher.begun.values()) == {1}


def test_shards_have_about_the_work_asked_for(tmp_path):
    launcher = FakeLauncher()
    needs = Needs(shard_minutes=1.0, max_items=100)
    cluster = ClusterConfig(max_jobs=2, poll_s=0.01)
    executor = sharded(launcher, tmp_path, cluster=cluster, needs=needs)
    run(executor, "echo", range(N), costs=[10.0] * 12 + [60.0] * 3 + [1.0] * 15)
    assert len(launcher.specs) == 2 + 3 + 1
