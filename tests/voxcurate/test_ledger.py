"""The ledger: done once, retried when failed, new when inputs change."""

from pathlib import Path

import pytest

from voxcurate.catalog import Catalog, Measure, WorkItem
from voxcurate.classes import load_vocabulary
from voxcurate.executor import ExecutorConfig
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

WORKERS = "tests.voxcurate.workers"


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    yield StageContext(
        workspace,
        catalog,
        load_vocabulary(),
        round=1,
        executor_config=ExecutorConfig(kind="serial"),
        quiet=True,
    )
    catalog.close()


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
    assert context.catalog.one(WorkItem, subject="x").status == "done"


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
