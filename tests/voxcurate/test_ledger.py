"""The ledger: done once, retried when failed, new when inputs change."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.voxcurate.factories import a_scan
from voxcurate import ledger
from voxcurate.catalog import Catalog, Measure, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.errors import CatalogError
from voxcurate.executors import ExecutorConfig
from voxcurate.ledger import CHEAP_S, WAIT_S, Item, LazyItems, run_items
from voxcurate.protocols import Outcome
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

WORKERS = "tests.voxcurate.workers"


@pytest.fixture
def context(tmp_path, monkeypatch, database):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = context_at(Workspace.create(tmp_path / "w").root, database)
    yield made
    made.catalog.close()


def context_at(root, database):
    return StageContext(
        Workspace(root),
        Catalog(database),
        load_vocabulary(),
        round=1,
        executor_config=ExecutorConfig(kind="serial"),
        quiet=True,
    )


def record(writer, item, value):
    writer.put(Measure(1, "t", item.subject, "", "", "seen", 1.0))
    return value


def count(context, names, *, inputs=1, version="1", round_number=1, across_rounds=False):
    log = context.workspace.root / "calls.txt"
    items = [Item(n, inputs=inputs, payload={"log": str(log), "name": n}) for n in names]
    other = StageContext(
        context.workspace,
        context.catalog,
        context.vocabulary,
        round=round_number,
        executor_config=context.executor_config,
        quiet=True,
    )
    result = run_items(
        other,
        "t",
        items,
        f"{WORKERS}:count_call",
        record,
        version=version,
        across_rounds=across_rounds,
    )
    return result, log.read_text().split()


def test_done_items_are_never_done_again(context):
    first, _ = count(context, ["a", "b"])
    second, calls = count(context, ["a", "b", "c"])
    assert (first.computed, first.reused) == (2, 0)
    assert (second.computed, second.reused) == (1, 2)
    assert calls == ["a", "b", "c"]
    assert second.results == {n: {"name": n} for n in "abc"}


def test_changed_inputs_or_code_make_new_items(context):
    count(context, ["a"])
    count(context, ["a"], inputs=2)
    _, calls = count(context, ["a"], inputs=2, version="2")
    assert calls == ["a", "a", "a"]


def test_results_carry_over_to_later_rounds_only_when_asked(context):
    count(context, ["a"])
    carried, calls = count(context, ["a"], round_number=2, across_rounds=True)
    assert calls == ["a"]
    assert carried.results == {"a": {"name": "a"}}
    assert {item.round for item in context.catalog.rows(WorkItem)} == {1, 2}
    _, calls = count(context, ["a"], round_number=3)
    assert calls == ["a", "a"]


def test_a_failed_item_is_recorded_and_tried_again(context):
    def go(payload):
        items = [Item("x", inputs=0, payload=payload), Item("y", inputs=0, payload="fine")]
        return run_items(
            context, "t", items, f"{WORKERS}:obey", lambda w, i, v: {"v": v}, version="1"
        )

    failed = go("bad input")
    assert failed.failed == {"x": "want 3 axes, found 4"}
    assert failed.results == {"y": {"v": "fine"}}
    go("bad input")
    line = context.catalog.one(WorkItem, subject="x")
    assert (line.status, line.attempts, line.error) == ("failed", 2, "want 3 axes, found 4")
    mended = go("now fine")
    assert (mended.computed, mended.reused, dict(mended.failed)) == (1, 1, {})
    line = context.catalog.one(WorkItem, subject="x")
    assert (line.status, line.attempts) == ("done", 3)


def test_results_and_ledger_line_come_together_or_not_at_all(context):
    def fail(writer, item, value):
        record(writer, item, value)
        raise RuntimeError("killed while recording")

    item = Item("a", payload={"log": str(Path(context.workspace.root) / "l"), "name": "a"})
    with pytest.raises(RuntimeError):
        run_items(context, "t", [item], f"{WORKERS}:count_call", fail, version="1")
    assert context.catalog.count(Measure) == 0
    assert context.catalog.count(WorkItem) == 0


def test_two_items_of_one_name_are_our_bug(context):
    with pytest.raises(ValueError, match="two items"):
        run_items(context, "t", [Item("a"), Item("a")], f"{WORKERS}:echo", record, version="1")


class Scripted:
    """Yields outcomes as told: cheap ones, then whatever the test does in between."""

    def __init__(self, *, seconds=0.0, after=lambda key: None, order=1):
        self.seconds, self.after, self.order = seconds, after, order

    def run(self, worker, tasks):
        for task in list(tasks)[:: self.order]:
            self.after(task.key)
            yield Outcome(task.key, {"v": task.payload}, seconds=self.seconds)


def use(context, executor, record, names="abc"):
    items = [Item(n, payload=n) for n in names]
    return run_items(context, "t", items, "none", record, version="1", executor=executor)


def done(context):
    return [line.subject for line in context.catalog.rows(WorkItem, status="done")]


def test_results_come_in_the_order_of_the_items(context):
    result = use(context, Scripted(order=-1), lambda w, i, v: v)
    assert list(result.results) == ["a", "b", "c"]
    again = use(context, Scripted(), lambda w, i, v: v, "cadb")
    assert list(again.results) == ["c", "a", "d", "b"]
    assert (again.computed, again.reused) == (1, 3)


def test_cheap_items_share_a_commit_and_costly_ones_do_not_wait(context):
    seen = []
    use(context, Scripted(after=lambda _: seen.append(len(done(context)))), lambda w, i, v: v)
    assert seen == [0, 0, 0]
    seen.clear()
    costly = Scripted(seconds=CHEAP_S, after=lambda _: seen.append(len(done(context))))
    use(context, costly, lambda w, i, v: v, "defg")
    assert seen == [3, 4, 5, 6]


def test_cheap_items_do_not_wait_long(context, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("voxcurate.ledger.time.monotonic", lambda: now[0])
    seen = []

    def after(_):
        seen.append(len(done(context)))
        now[0] += WAIT_S / 2

    use(context, Scripted(after=after), lambda w, i, v: v, "abcdef")
    assert seen == [0, 0, 0, 3, 3, 3]


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError])
def test_what_was_done_before_an_interruption_is_recorded(context, problem):
    def after(key):
        if key == "c":
            raise problem

    with pytest.raises(problem):
        use(context, Scripted(after=after), record)
    assert done(context) == ["a", "b"]
    assert context.catalog.count(Measure) == 2


def test_a_bug_in_record_undoes_its_own_item_only(context):
    def fails(writer, item, value):
        record(writer, item, value)
        if item.subject == "c":
            raise RuntimeError("bug")
        return value

    with pytest.raises(RuntimeError, match="bug"):
        use(context, Scripted(), fails, "abcd")
    assert done(context) == ["a", "b"]
    assert [m.case_id for m in context.catalog.rows(Measure)] == ["a", "b"]


def test_what_the_catalog_refuses_is_a_failed_item(context):
    def refuses(writer, item, value):
        record(writer, item, value)
        if item.subject == "b":
            raise CatalogError("a test scan's labels are never mended", case_id="b")
        return value

    result = use(context, Scripted(), refuses)
    assert dict(result.failed) == {"b": "a test scan's labels are never mended"}
    assert list(result.results) == ["a", "c"]
    assert (result.computed, done(context)) == (2, ["a", "c"])
    assert [m.case_id for m in context.catalog.rows(Measure)] == ["a", "c"]


def test_an_executor_that_forgets_a_task_is_noticed(context):
    class Forgetful:
        def run(self, worker, tasks):
            return iter([Outcome(next(iter(tasks)).key, {})])

    with pytest.raises(RuntimeError, match="forgot 2 of 3"):
        use(context, Forgetful(), lambda w, i, v: v)


def test_failures_of_other_inputs_are_laid_aside(context):
    def go(payload, inputs):
        items = [Item("x", inputs=inputs, payload=payload)]
        return run_items(context, "t", items, f"{WORKERS}:obey", lambda *_: {}, version="1")

    go("bad input", 1)
    go("bad input", 2)
    assert [line.status for line in context.catalog.rows(WorkItem)].count("failed") == 1
    go("fine", 3)
    statuses = sorted(line.status for line in context.catalog.rows(WorkItem))
    assert statuses == ["done", "quarantined", "quarantined"]


def test_the_newest_result_of_earlier_rounds_is_carried_over(context):
    for number in (1, 2):
        count(context, ["a", "b"], round_number=number, inputs=number)
    carried, calls = count(context, ["a", "b"], round_number=3, inputs=1, across_rounds=True)
    assert (carried.computed, carried.reused, len(calls)) == (0, 2, 4)
    again, _ = count(context, ["a", "b"], round_number=4, inputs=1, across_rounds=True)
    assert again.reused == 2
    lines = context.catalog.rows(WorkItem, subject="a", status="done")
    assert [line.round for line in lines] == [1, 2, 3, 4]


KILLED = """
import os, signal, sys
from pathlib import Path
from voxcurate.catalog import Catalog
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace, adopt_file, write_text

workspace = Workspace(Path(sys.argv[1]))
catalog = Catalog(sys.argv[3])
context = StageContext(workspace, catalog, load_vocabulary(), round=1, quiet=True,
                       executor_config=ExecutorConfig(kind="serial"))
kill_at = int(sys.argv[2])

def record(writer, item, value):
    temporary = workspace.scratch / item.subject
    write_text(temporary, value)
    adopt_file(temporary, workspace.root / "made" / item.subject)
    if int(item.subject) == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)  # the file is in place, the row is not
    return {"v": value}

if __name__ == "__main__":
    items = [Item(str(n), payload=str(n)) for n in range(6)]
    run_items(context, "t", items, "tests.voxcurate.workers:echo", record, version="1")
"""


def test_killed_between_file_and_row_the_same_call_gives_the_same(context):
    root = context.workspace.root
    url = context.catalog.url

    def drive(kill_at):
        arguments = [sys.executable, "-c", KILLED, str(root), str(kill_at), url]
        return subprocess.run(arguments, cwd=Path(__file__).parents[2]).returncode

    assert [drive(3), drive(5), drive(-1)] == [-9, -9, 0]
    catalog = Catalog(url)
    lines = catalog.rows(WorkItem)
    assert [(line.subject, line.status, line.result) for line in lines] == [
        (str(n), "done", {"v": str(n)}) for n in range(6)
    ]
    assert sorted(p.name for p in (root / "made").iterdir()) == [str(n) for n in range(6)]
    catalog.close()


def test_many_cheap_items_share_commits(context, monkeypatch):
    commits = []
    write = Catalog.write

    def counted(catalog):
        commits.append(1)
        return write(catalog)

    monkeypatch.setattr(Catalog, "write", counted)
    use(context, Scripted(), lambda w, i, v: v, [str(n) for n in range(2000)])
    again = use(context, Scripted(), lambda w, i, v: v, [str(n) for n in range(2000)])
    assert again.reused == 2000
    assert len(commits) < 1000


def test_payloads_are_made_when_they_are_taken(context):
    log = context.workspace.root / "calls.txt"
    made: list[str] = []

    def payload(name):
        made.append(name)
        assert len(made) - 1 == len(log.read_text().split() if log.exists() else [])
        return {"log": str(log), "name": name}

    items = [Item(n, payload=lambda n=n: payload(n)) for n in "abc"]
    run_items(context, "t", items, f"{WORKERS}:count_call", record, version="1")
    assert made == ["a", "b", "c"]
    run_items(context, "t", items, f"{WORKERS}:count_call", record, version="1")
    assert made == ["a", "b", "c"], "a payload was made for an item that is done"


def test_what_is_no_longer_there_is_done_again(context):
    log = context.workspace.root / "calls.txt"
    computed = []
    for again in (False, False, True, False):
        item = Item("a", payload={"log": str(log), "name": "a"}, again=again)
        result = run_items(context, "t", [item], f"{WORKERS}:count_call", record, version="1")
        computed.append(result.computed)
    assert computed == [1, 0, 1, 0]
    assert log.read_text().split() == ["a", "a"]
    assert context.catalog.one(WorkItem, subject="a").status == "done"


def test_results_are_read_from_the_ledger_in_the_order_of_the_items(context, monkeypatch):
    monkeypatch.setattr(ledger, "AT_ONCE", 2)
    names = ["d", "a", "c", "b", "e"]
    count(context, ["a", "b"])
    done, calls = count(context, names)
    assert (done.computed, done.reused, len(done.results)) == (3, 2, 5)
    assert calls == ["a", "b", "d", "c", "e"]
    assert list(done.results) == names
    assert list(done.results.values()) == [{"name": n} for n in names]
    assert list(done.results.items()) == [(n, {"name": n}) for n in names]
    assert done.results["c"] == {"name": "c"}
    assert "x" not in done.results
    with pytest.raises(KeyError):
        done.results["x"]
    later, calls = count(context, names, round_number=3, across_rounds=True)
    assert (later.reused, dict(later.results)) == (5, dict(done.results))
    assert len(calls) == 5


def test_of_several_rounds_the_last_result_is_taken_over(context):
    def go(number, value, *, across_rounds=False):
        items = [Item("x", inputs=0, payload=value)]
        other = replace(context, round=number)
        worker = f"{WORKERS}:obey"
        options = {"version": "1", "across_rounds": across_rounds}
        return run_items(other, "t", items, worker, lambda w, i, v: {"v": v}, **options)

    go(1, "old")
    go(2, "new")
    assert go(3, "newest", across_rounds=True).results == {"x": {"v": "new"}}


def test_a_cohort_comes_in_batches_of_any_size(context):
    scans = [
        a_scan(case_id=f"a_{n}", status=status, split="test" if n == 4 else "train")
        for n, status in enumerate(["ok", "suspect", "rejected", "ok", "ok", "duplicate"])
    ]
    with context.catalog.write() as writer:
        writer.put_all(scans)
    assert context.cases() == {"a_0": "train", "a_1": "train", "a_3": "train", "a_4": "test"}
    assert list(context.cases("test")) == ["a_4"]
    batches = list(context.batches(size=3))
    assert [[s.case_id for s in batch] for batch in batches] == [["a_0", "a_1", "a_3"], ["a_4"]]
    few = replace(context, cohort=frozenset({"a_3", "a_5"}))
    assert [s.case_id for s in few.scans()] == ["a_3"]
    assert few.scans("test") == []


def test_no_question_looks_through_all_lines_of_a_stage(context, monkeypatch):
    if context.catalog.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL plans by statistics, which an empty table has not")
    plans = []

    def look(connection, cursor, statement, values, *_):
        if "work_item" in statement and statement.startswith("SELECT"):
            rows = connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.extend(row[3] for row in rows)

    names = [f"c{n}" for n in range(6)]
    count(context, names)
    sa.event.listen(context.catalog.engine, "before_cursor_execute", look)
    count(context, names, inputs=2)
    again, _ = count(context, names)
    assert len(again.revived) == len(names)
    later, _ = count(context, names, round_number=2, across_rounds=True)
    assert len(list(later.results.values())) == len(names)
    assert plans
    assert all("SCAN" not in plan and "status" not in plan for plan in plans), plans
    assert all("subject=?" in plan for plan in plans if "USING INDEX" in plan), plans


def test_a_server_knows_how_many_lines_it_plans_for(context):
    """The plans for an empty table go through all lines of a stage, for every few hundred."""
    if context.catalog.engine.dialect.name != "postgresql":
        pytest.skip("SQLite plans without statistics; the test above looks at its plans")
    items = LazyItems(2500, lambda n: Item(f"c{n:04}", payload=n))
    run_items(
        context, "t", items, "none", lambda w, i, v: v, version="1", executor=Scripted(order=1)
    )
    with context.catalog.engine.connect() as connection:
        known = connection.exec_driver_sql(
            "SELECT reltuples FROM pg_class WHERE relname = 'work_item'"
        ).scalar()
    assert known == len(items)


def test_lazy_items_are_done_once_in_their_order(context):
    items = LazyItems(7, lambda n: Item(f"c{6 - n}", inputs=n, payload=n))
    options = {"version": "1", "executor": Scripted(order=-1)}
    first = run_items(context, "t", items, "none", lambda w, i, v: v, **options)
    again = run_items(context, "t", items, "none", lambda w, i, v: v, **options)
    assert (first.computed, again.computed, again.reused) == (7, 0, 7)
    assert list(first.results.items()) == [(f"c{6 - n}", {"v": n}) for n in range(7)]


def test_cheap_failures_share_a_commit_and_a_crash_does_not_wait(context):
    seen = []

    class Failing:
        def __init__(self, kind, seconds):
            self.kind, self.seconds = kind, seconds

        def run(self, worker, tasks):
            for task in list(tasks):
                seen.append(context.catalog.count(WorkItem, status="failed"))
                yield Outcome(task.key, None, "no", self.kind, self.seconds)

    failed = use(context, Failing("VolumeReadError", 0.001), record)
    assert dict(failed.failed) == dict.fromkeys("abc", "no")
    assert seen == [0, 0, 0]
    seen.clear()
    use(context, Failing("WorkerCrashError", 0.0), record, "def")
    assert seen == [3, 4, 5]


DRIVER = """
import sys
from pathlib import Path
from tests.voxcurate.test_ledger import context_at, record
from voxcurate.ledger import Item, run_items

if __name__ == "__main__":
    context = context_at(Path(sys.argv[1]), sys.argv[2])
    items = [Item(f"c{n:03}", payload={"v": n}) for n in range(300)]
    done = run_items(context, "t", items, "tests.voxcurate.workers:echo", record, version="1")
    assert [result["v"] for result in done.results.values()] == list(range(300))
"""


@pytest.mark.slow
def test_two_drivers_at_once_record_every_item_once(context):
    """The workspace's lock keeps them apart; should it fail, nothing is lost or doubled."""
    arguments = [str(context.workspace.root), context.catalog.url]
    drivers = [
        subprocess.Popen([sys.executable, "-c", DRIVER, *arguments], cwd=Path(__file__).parents[2])
        for _ in range(2)
    ]
    assert [driver.wait(timeout=200) for driver in drivers] == [0, 0]
    lines = context.catalog.rows(WorkItem)
    assert [(line.subject, line.status) for line in lines] == [
        (f"c{n:03}", "done") for n in range(300)
    ]
    assert context.catalog.count(Measure) == 300
