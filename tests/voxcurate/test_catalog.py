"""The catalog, over SQLite and PostgreSQL: records, immutability, pointers, migrations, crashes."""

import math
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.voxcurate.factories import a_decision, a_label, a_scan
from voxcurate.catalog import (
    Assembly,
    Catalog,
    Decision,
    FindingRow,
    Label,
    LabelHead,
    Measure,
    Scan,
    ScanHead,
    statements,
)
from voxcurate.catalog.schema import metadata
from voxcurate.errors import CatalogError


@pytest.fixture
def catalog(database):
    made = Catalog(database)
    yield made
    made.close()


def test_migrations_give_exactly_the_schema(catalog):
    with catalog.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_opening_again_keeps_everything(catalog):
    with catalog.write() as writer:
        writer.add(a_scan())
    again = Catalog(catalog.url)
    assert again.rows(Scan) == [a_scan()]
    again.close()


def test_a_catalog_of_a_newer_version_is_refused(catalog):
    with catalog.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(CatalogError, match="9999"):
        Catalog(catalog.url)


def test_a_failed_transaction_leaves_nothing(catalog):
    def fail():
        with catalog.write() as writer:
            writer.add(a_scan())
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert catalog.count(Scan) == 0


def test_adding_twice_is_once_and_a_different_one_is_refused(catalog):
    with catalog.write() as writer:
        writer.add(a_scan())
        writer.add(a_scan())
    with pytest.raises(CatalogError, match="differs"), catalog.write() as writer:
        writer.add(replace(a_scan(), sha256="other"))
    assert catalog.count(Scan) == 1


def test_labels_and_decisions_cannot_be_replaced_or_deleted(catalog):
    with catalog.write() as writer:
        writer.add(a_scan())
        writer.add(a_label())
        with pytest.raises(CatalogError, match="immutable"):
            writer.put(replace(a_label(), ml=9.0))
        with pytest.raises(CatalogError, match="immutable"):
            writer.put(a_decision())
        for kind in (Label, Decision, Scan):
            with pytest.raises(CatalogError, match="never deleted"):
                writer.forget(kind)


def test_flags_change_only_with_a_decision(catalog):
    with catalog.write() as writer:
        writer.add(a_label())
        writer.flag("l1", a_decision(verdict="confirm"), confirmed=True)
        with pytest.raises(CatalogError, match="want gold, confirmed or retired"):
            writer.flag("l1", a_decision(), path=True)
        with pytest.raises(CatalogError, match="no label"):
            writer.flag("none", a_decision(), retired=True)
    assert catalog.one(Label, label_id="l1").confirmed
    assert [d.verdict for d in catalog.rows(Decision)] == ["confirm"]


def test_saying_a_decision_twice_records_it_once(catalog):
    with catalog.write() as writer:
        first = writer.decide(a_decision(created="2026-01-01T00:00:00+00:00"))
        second = writer.decide(a_decision(created="2026-01-02T00:00:00+00:00"))
        writer.decide(a_decision(reason="another"))
    assert first.decision_id == second.decision_id
    assert catalog.count(Decision) == 2


def test_a_test_scan_points_only_to_originals(catalog):
    with catalog.write() as writer:
        writer.add(a_scan(split="test"))
        writer.add(a_label())
        writer.add(a_label(label_id="l2", origin="revised"))
        writer.point(Assembly(0, "a_case", "liver", "l1", "original"))
    with pytest.raises(CatalogError, match="never mended"), catalog.write() as writer:
        writer.point(Assembly(1, "a_case", "liver", "l2", "revised"))


def test_pointers_move_by_round_and_the_past_stays(catalog):
    with catalog.write() as writer:
        writer.add(a_scan())
        writer.add(a_label())
        writer.add(a_label(label_id="l2", origin="revised", round=2))
        writer.point(Assembly(0, "a_case", "liver", "l1", "original"))
        writer.point(Assembly(2, "a_case", "liver", "l2", "revised"))
        with pytest.raises(CatalogError, match="of another case"):
            writer.point(Assembly(2, "a_case", "spleen", "l2", "revised"))
    key = ("a_case", "liver")
    assert catalog.current(1)[key].label_id == "l1"
    assert catalog.current()[key].label_id == "l2"


def test_rows_filter_by_lists_longer_than_a_statement_may_have(catalog):
    with catalog.write() as writer:
        for n in range(3):
            writer.add(a_scan(case_id=f"a_{n}"))
    wanted = [f"a_{n}" for n in range(1200)]
    assert len(catalog.rows(Scan, case_id=wanted)) == 3
    assert catalog.rows(Scan, case_id=[]) == []


def test_measures_take_none_and_are_replaced(catalog):
    measure = Measure(1, "detect", "a_case", "liver", "", "inconsistency", None)
    with catalog.write() as writer:
        writer.put(measure)
        writer.put(replace(measure, value=0.25, facts={"n": 3}))
    assert catalog.rows(Measure) == [replace(measure, value=0.25, facts={"n": 3})]


def test_rows_are_ordered_by_bytes_whatever_the_database_thinks(catalog):
    names = ["a_1", "A_2", "ä_3", "b_4", "B_5", "_6", "a-7"]
    with catalog.write() as writer:
        for name in names:
            writer.add(a_scan(case_id=name))
    assert [scan.case_id for scan in catalog.rows(Scan)] == sorted(names)


def test_more_values_than_a_statement_may_have(catalog, monkeypatch):
    monkeypatch.setattr(statements, "CHUNK", 2)
    with catalog.write() as writer:
        for n in range(7):
            writer.add(a_scan(case_id=f"a_{n}", patient=f"p{n % 2}"))
            writer.put(Measure(1, "detect", f"a_{n}", "", "", "attention", n))
    wanted = [f"a_{n}" for n in (5, 3, 3, 1, 6)]
    found = catalog.rows(Scan, case_id=wanted, patient={"p0", "p1", "p2"})
    assert [scan.case_id for scan in found] == ["a_1", "a_3", "a_5", "a_6"]
    assert catalog.count(Scan, case_id=wanted) == 4
    assert sorted(catalog.columns(Scan, "case_id", case_id=wanted)) == [
        ("a_1",),
        ("a_3",),
        ("a_5",),
        ("a_6",),
    ]
    with catalog.write() as writer:
        assert writer.forget(Measure, case_id=wanted) == 4
    assert catalog.count(Measure) == 3


def test_a_hundred_thousand_ids_can_be_asked_for(catalog):
    with catalog.write() as writer:
        writer.add(a_scan(case_id="a_77777"))
    assert len(catalog.rows(Scan, case_id=[f"a_{n}" for n in range(100_000)])) == 1


def test_numpy_numbers_come_back_as_numbers(catalog):
    facts = {"n": np.int64(3), "v": np.arange(2), "bad": [math.nan, {"inf": math.inf}]}
    measure = Measure(np.int64(1), "detect", "a", "", "", "x", np.float32(0.5), facts)
    with catalog.write() as writer:
        writer.put(measure)
        writer.put(Measure(2, "detect", "a", "", "", "x", math.nan))
    one, two = catalog.rows(Measure, round=[np.int64(1), 2])
    assert (type(one.round), one.value) == (int, 0.5)
    assert one.facts == {"n": 3, "v": [0, 1], "bad": [None, {"inf": None}]}
    assert two.value is None


def test_many_records_are_put_at_once(catalog):
    many = [Measure(1, "detect", f"a_{n}", "", "", "x", float(n)) for n in range(500)]
    with catalog.write() as writer:
        writer.put_all(many)
        writer.put_all([replace(many[0], value=9.0)])
        writer.put_all([])
        with pytest.raises(CatalogError, match="immutable"):
            writer.put_all([a_label()])
    assert catalog.count(Measure) == 500
    assert catalog.one(Measure, case_id="a_0").value == 9.0


def test_rows_packed_by_a_worker_are_the_same_rows(catalog):
    rows = [
        FindingRow(
            "r1", "cyst", "c", "number", np.float64(2.5), "mm", "", "ä 'q'", "", 0.9, "rules", 1,
            4, 9, items=["a", "ü"], numbers=[2.5, 1.0], mentions=[[4, 9]], supported=False,
        ),
        FindingRow("r1", "mass", "", "no", None, "", "", "", "", 1.0, "rules", 1),
    ]  # fmt: skip
    with catalog.write() as writer:
        writer.insert(FindingRow, [statements.packed(row) for row in rows])
        writer.insert(FindingRow, [])
        with pytest.raises(CatalogError, match="immutable"):
            writer.insert(Label, [statements.packed(a_label())])
    assert catalog.rows(FindingRow) == rows


def test_a_stream_gives_every_row_once_and_writers_may_work_meanwhile(catalog):
    many = [Measure(n % 2, "detect", f"a_{n:03}", "", "", "x", float(n)) for n in range(23)]
    with catalog.write() as writer:
        writer.put_all(many)
    for batch in (1, 4, 23, 100):
        pages = list(catalog.stream(Measure, "case_id", "value", batch=batch))
        assert [len(page) for page in pages[:-1]] == [batch] * (len(pages) - 1)
        found = [row for page in pages for row in page]
        assert sorted(found) == [(m.case_id, m.value) for m in many]
    odd = catalog.stream(Measure, "case_id", batch=3, round=1)
    first = next(odd)
    with catalog.write() as writer:
        writer.forget(Measure, case_id=[name for (name,) in first])
    rest = [row for page in odd for row in page]
    assert sorted(first + rest) == [(m.case_id,) for m in many if m.round == 1]
    assert not list(catalog.stream(Measure, "case_id", stage="nothing"))


def test_a_stream_takes_lists_longer_than_a_statement_may_have(catalog, monkeypatch):
    monkeypatch.setattr(statements, "CHUNK", 2)
    with catalog.write() as writer:
        writer.put_all([Measure(1, "detect", f"a_{n}", "", "", "x", n) for n in range(7)])
    wanted = [f"a_{n}" for n in (5, 3, 3, 1, 6)]
    pages = catalog.stream(Measure, "case_id", case_id=wanted, batch=2)
    assert sorted(name for page in pages for (name,) in page) == ["a_1", "a_3", "a_5", "a_6"]


def test_a_part_of_a_transaction_can_fail_alone(catalog):
    def part(writer, name, fails):
        with writer.savepoint():
            writer.add(a_scan(case_id=name))
            if fails:
                raise RuntimeError("no")

    with catalog.write() as writer:
        part(writer, "a_1", False)
        with pytest.raises(RuntimeError):
            part(writer, "a_2", True)
        part(writer, "a_3", False)
    assert [scan.case_id for scan in catalog.rows(Scan)] == ["a_1", "a_3"]


def test_parts_within_parts_fail_alone_too(catalog):
    def inner(writer, fails):
        with writer.savepoint():
            writer.add(a_scan(case_id="a_inner"))
            if fails:
                raise RuntimeError("no")

    def outer(writer):
        with writer.savepoint():
            inner(writer, False)  # undone with the part around it, which did nothing before
            raise RuntimeError("no")

    with catalog.write() as writer:
        with writer.savepoint():
            writer.add(a_scan(case_id="a_1"))
            with pytest.raises(RuntimeError):
                inner(writer, True)
            writer.add(a_scan(case_id="a_2"))
        with pytest.raises(RuntimeError):
            outer(writer)
        writer.add(a_scan(case_id="a_3"))
    assert [scan.case_id for scan in catalog.rows(Scan)] == ["a_1", "a_2", "a_3"]


def test_a_writer_that_waits_too_long_says_so(database, monkeypatch):
    monkeypatch.setattr("voxcurate.catalog.database.PATIENCE_S", 1)
    one, other = Catalog(database), Catalog(database)
    with one.write() as writer:
        writer.add(a_scan())
        with pytest.raises(CatalogError, match="cannot be written"), other.write():
            pass
    with other.write() as writer:
        writer.add(a_scan(case_id="a_2"))
    assert one.count(Scan) == 2
    one.close()
    other.close()


def test_a_migration_that_fails_leaves_nothing_of_itself(database, monkeypatch):
    create_index = op.create_index

    def cut(name, *rest, **options):
        if name == "ix_report_case_id":
            raise KeyboardInterrupt
        create_index(name, *rest, **options)

    monkeypatch.setattr(op, "create_index", cut)
    with pytest.raises(KeyboardInterrupt):
        Catalog(database)
    monkeypatch.undo()
    catalog = Catalog(database)
    assert catalog.count(Scan) == 0
    catalog.close()


def test_two_first_openings_at_once_make_one_schema(database):
    with ThreadPoolExecutor(4) as threads:
        for catalog in threads.map(Catalog, [database] * 4):
            assert catalog.count(Scan) == 0
            catalog.close()


def test_a_reader_sees_the_last_commit_while_a_writer_works(catalog):
    with catalog.write() as writer:
        writer.add(a_scan(case_id="a_1"))
    reader = Catalog(catalog.url)
    with catalog.write() as writer:
        writer.add(a_scan(case_id="a_2"))
        assert [scan.case_id for scan in reader.rows(Scan)] == ["a_1"]
    assert reader.count(Scan) == 2
    reader.close()


def test_writers_take_turns_and_lose_nothing(catalog):
    def add(_):
        own = Catalog(catalog.url)
        for _ in range(10):
            with own.write() as writer:  # reads first and writes later
                old = writer.rows(Measure, name="count")
                before = (old[0].value or 0) if old else 0
                writer.put(Measure(1, "t", "", "", "", "count", before + 1))
        own.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(4)))
    assert catalog.one(Measure, name="count").value == 40


KILLED = """
import os, signal, sys
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog
catalog = Catalog(sys.argv[1])
with catalog.write() as writer:
    writer.add(a_scan(case_id="kept"))
with catalog.write() as writer:
    writer.add(a_scan(case_id="lost"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_in_a_transaction_what_was_committed_is_there(database):
    gone = subprocess.run([sys.executable, "-c", KILLED, database], cwd=Path(__file__).parents[2])
    assert gone.returncode == -9
    catalog = Catalog(database)
    assert [scan.case_id for scan in catalog.rows(Scan)] == ["kept"]
    catalog.close()


def test_databases_that_cannot_be_opened_are_clear_errors(tmp_path):
    for url, why in (
        ("nonsense", "not one that SQLAlchemy knows"),
        ("oracle+nonsense://secret:word@host/db", "not one that SQLAlchemy knows"),
        (f"sqlite:///{tmp_path / 'no' / 'folder.sqlite'}", "cannot open the catalog"),
        ("postgresql+pg8000://secret:word@127.0.0.1:1/db", "pip install pg8000|cannot open"),
    ):
        with pytest.raises(CatalogError, match=why) as caught:
            Catalog(url)
        assert "secret" not in str(caught.value)
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all" * 100)
    with pytest.raises(CatalogError, match="cannot open the catalog"):
        Catalog(f"sqlite:///{damaged}")


def test_a_database_that_takes_nothing_is_a_clear_error(tmp_path):
    catalog = Catalog(f"sqlite:///{tmp_path / 'c.sqlite'}")
    with sqlite3.connect(tmp_path / "c.sqlite") as other:
        other.execute("DROP TABLE scan")
    missing = pytest.raises(CatalogError, match="cannot be written: no such table")
    with missing, catalog.write() as writer:
        writer.add(a_scan())
    catalog.close()


def test_a_scan_read_without_its_fingerprint_cannot_be_written(catalog):
    whole = a_scan(fingerprint={"version": 1, "pixels": "ab"})
    with catalog.write() as writer:
        writer.add(whole)
    (head,) = catalog.rows(ScanHead, status=("ok", "suspect"))
    told = {k: v for k, v in vars(whole).items() if k != "fingerprint"}
    assert vars(head) == told
    with pytest.raises(AttributeError, match="fingerprint"):
        head.fingerprint  # noqa: B018
    for write in ("put", "add"):
        with pytest.raises(CatalogError, match="only a part"), catalog.write() as writer:
            getattr(writer, write)(replace(head, status="rejected"))
    assert catalog.one(Scan, case_id=whole.case_id) == whole


def test_a_label_read_without_its_facts_is_else_the_same(catalog):
    with catalog.write() as writer:
        writer.add(a_label(facts={"revision": 2}))
    (head,) = catalog.rows(LabelHead, label_id="l1")
    assert (head.path, head.origin, head.confirmed) == (a_label().path, "original", False)
    assert "facts" not in vars(head)


def test_many_pointers_move_together_or_not_at_all(catalog):
    with catalog.write() as writer:
        writer.add(a_scan())
        for class_id in ("liver", "spleen"):
            writer.add(a_label(label_id=class_id, class_id=class_id))
        good = [Assembly(0, "a_case", c, c, "original") for c in ("liver", "spleen")]
        writer.point_all(good)
        writer.point_all([])
    assert list(catalog.current().values()) == good
    wrong = [replace(good[0], round=1), replace(good[1], round=1, label_id="none")]
    with pytest.raises(CatalogError, match="no label none"), catalog.write() as writer:
        writer.point_all(wrong)
    assert list(catalog.current().values()) == good


def test_many_decisions_at_once_are_those_one_by_one(catalog):
    said = [a_decision(reason=f"{n % 3}") for n in range(5)]
    with catalog.write() as writer:
        first = writer.decide(said[0])
        writer.decide_all(said)
        writer.decide_all(said)
        writer.decide_all([])
    found = catalog.rows(Decision)
    assert sorted(d.reason for d in found) == ["0", "1", "2"]
    assert first in found
    assert all(d.created for d in found)


def test_pointers_of_a_trust_are_those_that_no_later_one_stands_in_for(catalog):
    with catalog.write() as writer:
        writer.add(a_scan())
        for number, trust in ((0, "original"), (2, "gold")):
            writer.add(a_label(label_id=trust, round=number))
            writer.point(Assembly(number, "a_case", "liver", trust, trust))
    assert [p.trust for p in catalog.current().values()] == ["gold"]
    assert [p.trust for p in catalog.current(1).values()] == ["original"]
    assert catalog.current(trust="original") == {}
    assert catalog.current(-1) == {}


def test_streams_whose_key_is_partly_given_miss_nothing(catalog):
    names = [f"a_{n:02}" for n in range(7)]
    with catalog.write() as writer:
        writer.put_all(
            [Measure(r, s, n, "", "", "m", 1.0) for r in (1, 2) for s in "xy" for n in names]
        )
    where = {"round": 2, "stage": "x", "batch": 3}
    batches = list(catalog.stream(Measure, "round", "stage", "case_id", **where))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert [row for batch in batches for row in batch] == [(2, "x", n) for n in names]
