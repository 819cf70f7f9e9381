"""Reading at scale: shards, resuming after ``kill -9``, changed and bad reports, little memory."""

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace

import pytest

from retrieval import stage, store
from retrieval.config import RetrievalConfig
from retrieval.reading import Read, rows_of
from retrieval.rules.reader import RuleReader
from tests.retrieval.reading_fixture import context_of, make_reports, put, shards_done, state
from voxcurate.catalog import Catalog, FindingRow, Measure, Reading, Report, WorkItem
from voxcurate.catalog.statements import packed
from voxcurate.protocols import Finding

SMALL = RetrievalConfig(shard=8)
PROGRAM = """
import sys
from pathlib import Path
from retrieval import stage
from retrieval.config import RetrievalConfig
from tests.retrieval.reading_fixture import context_of
context = context_of(Path(sys.argv[1]), "local")
print(stage.read_reports(context, RetrievalConfig(shard=64)).counts["read"])
"""


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def context(tmp_path):
    made = context_of(tmp_path / "w")
    yield made
    made.catalog.close()


def read(context, config=SMALL):
    return stage.read_reports(context, config)


def test_shards_are_a_power_of_two_and_hold_what_they_should(context):
    put(context.catalog, make_reports(100))
    plan = store.plan(context.catalog, "mark", 16)
    assert len(plan.shards) == 8
    assert sum(shard.n_reports for shard in plan.shards) == plan.n_reports == 100
    names = [name for shard in plan.shards for name in shard.todo]
    assert sorted(names) == [report.report_id for report in make_reports(100)]
    assert all(len(shard.todo) == shard.n_reports for shard in plan.shards)


def test_one_more_report_changes_its_own_shard_only(context):
    put(context.catalog, make_reports(100))
    before = {s.name: s.digest for s in store.plan(context.catalog, "mark", 16).shards}
    put(context.catalog, make_reports(1, first=100))
    after = {s.name: s.digest for s in store.plan(context.catalog, "mark", 16).shards}
    assert before.keys() == after.keys()
    assert sum(before[name] != after[name] for name in before) == 1


def test_processes_give_what_one_process_gives(tmp_path):
    found = []
    for kind in ("serial", "local"):
        context = context_of(tmp_path / kind, kind)
        put(context.catalog, make_reports(60))
        result = read(context)
        assert (result.counts["reports"], result.counts["read"]) == (60, 60)
        assert result.counts["findings"] == context.catalog.count(FindingRow) > 100
        found.append((state(context.catalog), shards_done(context.catalog).keys()))
        context.catalog.close()
    assert found[0] == found[1]


def test_findings_and_ledger_hold_on_every_database(tmp_path, database):
    context = context_of(tmp_path / "w", url=database)
    put(context.catalog, [*make_reports(40), Report("e", "", "p", "a", " ")])
    first = read(context)
    reader = RuleReader()
    for report in make_reports(40):
        rows = {
            row.question: row
            for row in context.catalog.rows(FindingRow, report_id=report.report_id)
        }
        answers = {found.question: found for found in reader.read(report.text)}
        assert rows.keys() == answers.keys()
        for name, answer in answers.items():
            row = rows[name]
            assert (row.value, row.number, row.sentence) == (
                answer.value,
                answer.number,
                answer.sentence,
            )
            assert ((row.start, row.stop), tuple(row.numbers)) == (answer.span, answer.numbers)
    assert list(first.failed) == ["e"]
    assert read(context).counts == {**first.counts, "read": 0}
    context.catalog.close()


def test_rows_are_those_that_the_catalog_would_pack():
    found = Finding(
        "q", "number", 2.5, "mm", "", "A cyst.", "findings", (3, 10), 0.9, "phrase", "left", "new",
        ("a", "b"), (2.5, 1.0), ((3, 10), (20, 30)), False,
    )  # fmt: skip
    row = FindingRow(
        "r", "q", "c", "number", 2.5, "mm", "", "A cyst.", "findings", 0.9, "rules 1", 4, 3, 10,
        "phrase", "left", "new", ["a", "b"], [2.5, 1.0], [[3, 10], [20, 30]], False,
    )  # fmt: skip
    payload = {"reader": "rules 1", "mark": "m", "round": 4, "reports": [("r", "c", "A cyst.")]}
    rows = rows_of(payload, [Read([found, Finding("p", "no")])])
    assert rows["findings"][0] == packed(row)
    assert len(rows["findings"][1]) == len(packed(row))


def test_the_ledger_keeps_counts_not_findings(context):
    put(context.catalog, make_reports(60))
    read(context)
    lines = context.catalog.rows(WorkItem, status="done")
    assert len(lines) > 4
    assert {frozenset(line.result) for line in lines} == {frozenset({"read", "failed", "findings"})}


def test_only_what_changed_is_read_again(context):
    reports = make_reports(40)
    put(context.catalog, reports)
    read(context)
    before = state(context.catalog)
    other = replace(reports[7], text="FINDINGS: Kidneys: a stone of 4 mm on the left.")
    put(context.catalog, [other, *make_reports(2, first=40)])
    assert read(context).counts["read"] == 3
    assert {r.question for r in context.catalog.rows(FindingRow, report_id="r00007")} >= {
        "kidney_stone"
    }
    assert not context.catalog.rows(FindingRow, report_id="r00007", question="lung_nodule")
    untouched = [
        row
        for row in state(context.catalog)[0]
        if row.report_id not in ("r00007", "r00040", "r00041")
    ]
    assert untouched == [row for row in before[0] if row.report_id != "r00007"]


def test_a_report_that_finds_its_scan_later_takes_its_findings_along(context):
    report = make_reports(1)[0]
    put(context.catalog, [report])
    read(context)
    put(context.catalog, [replace(report, case_id="a_case")])
    assert read(context).counts["read"] == 1
    assert {row.case_id for row in context.catalog.rows(FindingRow)} == {"a_case"}


def test_a_report_that_is_gone_is_forgotten(context):
    put(context.catalog, make_reports(20))
    read(context)
    with context.catalog.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM report WHERE report_id = 'r00003'")
    put(context.catalog, make_reports(1, first=20))
    result = read(context)
    assert (result.counts["reports"], result.counts["read"]) == (20, 1)
    assert result.counts["findings"] == context.catalog.count(FindingRow)
    assert not context.catalog.rows(FindingRow, report_id="r00003")
    assert not context.catalog.rows(Reading, report_id="r00003")


def test_more_shards_than_before_read_nothing_twice(context):
    put(context.catalog, make_reports(8))
    read(context)
    put(context.catalog, make_reports(30, first=8))
    result = read(context)
    assert result.counts["read"] == 30
    assert result.counts["findings"] == context.catalog.count(FindingRow)


def test_a_later_round_takes_over_what_an_earlier_one_read(context):
    put(context.catalog, make_reports(30))
    first = read(context)
    later = replace(context, round=2)
    result = read(later)
    assert result.counts == {**first.counts, "read": 0}
    assert shards_done(context.catalog, 2).keys() == shards_done(context.catalog, 1).keys()
    assert {row.round for row in context.catalog.rows(FindingRow)} == {1}


def test_an_empty_report_fails_alone_and_is_not_tried_again(context):
    put(context.catalog, [*make_reports(20), Report("empty", "", "p", "a", " \n ")])
    first = read(context)
    assert (first.counts["read"], list(first.failed)) == (20, ["empty"])
    assert "empty" in first.failed["empty"]
    again = read(context)
    assert (again.counts["read"], again.failed) == (0, first.failed)
    line = context.catalog.one(WorkItem, subject="empty", status="failed")
    assert (line.attempts, line.stage) == (1, "retrieve")
    put(context.catalog, [replace(make_reports(1)[0], report_id="empty")])
    mended = read(context)
    assert (mended.counts["read"], dict(mended.failed)) == (1, {})
    assert not context.catalog.rows(WorkItem, status="failed")


def test_an_error_of_the_reader_fails_its_report_and_quotes_nothing(context, monkeypatch):
    honest = RuleReader.read

    def trips(self, text):
        if "segment 3" in text:
            raise ValueError(text)
        return honest(self, text)

    monkeypatch.setattr(RuleReader, "read", trips)
    reports = make_reports(40)
    put(context.catalog, reports)
    result = read(context)
    bad = [r.report_id for r in reports if "segment 3" in r.text]
    assert sorted(result.failed) == bad != []
    assert result.counts["read"] == 40 - len(bad)
    assert all("ValueError" in why and "cyst" not in why for why in result.failed.values())


def test_a_report_that_kills_its_worker_fails_alone_and_is_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "WORKER", "tests.retrieval.bad_worker:read")
    context = context_of(tmp_path / "w", "local")
    reports = make_reports(30)
    put(context.catalog, [*reports, Report("bad", "", "p", "a", "DEADLY")])
    result = read(context)
    assert list(result.failed) == ["bad"]
    assert "died" in result.failed["bad"]
    assert result.counts["read"] == 30
    assert {line.subject for line in context.catalog.rows(WorkItem, status="failed")} == {"bad"}
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    again = read(context)
    assert (again.counts["read"], dict(again.failed)) == (1, {})
    context.catalog.close()


def test_planning_does_not_hold_the_texts(context, monkeypatch):
    long = "Nothing to report. " * 1000
    put(context.catalog, [Report(f"r{n}", "", "", "a", f"{n} {long}") for n in range(3000)])
    monkeypatch.setattr(store, "_PAGE", 100)
    tracemalloc.start()
    plan = store.plan(context.catalog, "mark", 512)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert plan.n_reports == 3000
    assert peak < 15e6 < 3000 * len(long)


def test_costs_of_a_round_add_up(context):
    value = {"findings": [], "readings": [], "cost": {"requests": 3, "price": 0.5}}
    for _ in range(2):
        with context.catalog.write() as writer:
            store.record(writer, None, value, 1)
    found = {m.name: m.value for m in context.catalog.rows(Measure, stage="retrieve")}
    assert found == {"llm_requests": 6, "llm_price": 1.0}


def test_killed_in_the_middle_it_goes_on_and_ends_as_undisturbed(tmp_path):
    roots = [tmp_path / name for name in ("calm", "rough")]
    for root in roots:
        context = context_of(root)
        put(context.catalog, make_reports(3000))
        context.catalog.close()
    start = [sys.executable, "-c", PROGRAM]
    assert int(subprocess.check_output([*start, str(roots[0])])) == 3000

    process = subprocess.Popen([*start, str(roots[1])], stdout=subprocess.DEVNULL)
    catalog = Catalog(context_of(roots[1]).workspace.catalog_url)
    deadline = time.monotonic() + 120
    while len(shards_done(catalog)) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = shards_done(catalog)
    n_read = catalog.count(Reading)
    assert 5 <= len(before) < 64
    assert n_read == sum(w.result["read"] for w in catalog.rows(WorkItem, status="done"))

    assert int(subprocess.check_output([*start, str(roots[1])])) == 3000 - n_read
    after = shards_done(catalog)
    assert {name: after[name] for name in before} == before, "a finished shard was done again"
    calm = Catalog(context_of(roots[0]).workspace.catalog_url)
    assert state(calm) == state(catalog)
    assert {n: mark for n, (_, mark) in shards_done(calm).items()} == {
        n: mark for n, (_, mark) in after.items()
    }
    assert json.dumps(stage.read_reports(context_of(roots[1]), RetrievalConfig(shard=64)).counts)
    calm.close()
    catalog.close()
