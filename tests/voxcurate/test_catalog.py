"""The catalog: records, immutability, pointers, migrations."""

from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.voxcurate.factories import a_decision, a_label, a_scan
from voxcurate.catalog import Assembly, Catalog, Decision, Label, Measure, Scan
from voxcurate.catalog.schema import metadata
from voxcurate.errors import CatalogError


@pytest.fixture
def catalog(tmp_path):
    made = Catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
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
