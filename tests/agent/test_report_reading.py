"""The report's sections on the reports: counts in SQL, the query in words, what went wrong."""

import json
from collections import Counter
from dataclasses import replace

import pytest

from agent.report import tally
from agent.report.build import build_sections
from agent.report.chosen import read_chosen
from agent.report.view import load_view
from retrieval.llm.crosscheck import Disagreement, write_disagreements
from tests.agent.curated import fill, phantoms
from voxcurate.catalog import Catalog, FindingRow, Measure, Reading, Report

N = 9


@pytest.fixture(scope="module")
def curated(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("read") / "workspace", phantoms(N))


@pytest.fixture
def fresh(tmp_path):
    return fill(tmp_path / "workspace", phantoms(4))


def section(ctx, name):
    return next(s for s in build_sections(load_view(ctx, 2)) if s.id == name)


def cells(section):
    tables = [b for b in section.blocks if b.kind == "table"]
    return [tuple(row) for table in tables for row in table.rows]


def test_counts_agree_with_a_count_over_all_rows(curated):
    rows = curated.catalog.rows(FindingRow)
    some = sorted({row.case_id for row in rows})[:4]
    for cases in (None, some):
        told = [row for row in rows if cases is None or row.case_id in cases]
        wanted: dict[str, Counter[str]] = {}
        for row in told:
            wanted.setdefault(row.question, Counter())[row.value] += 1
        assert tally.answers(curated.catalog, cases) == wanted
        assert tally.n_reports(curated.catalog, cases) == len({row.report_id for row in told})
        unit, values = tally.numbers(curated.catalog, ["lesion_size"], cases)["lesion_size"]
        assert unit == "mm"
        assert sorted(values) == sorted(row.number for row in told if row.number is not None)


def test_choices_are_counted_by_name(fresh):
    row = replace(fresh.catalog.rows(FindingRow)[0], question="phase", value="choice", number=None)
    with fresh.catalog.write() as writer:
        for i, choice in enumerate(["venous", "arterial", "venous"]):
            writer.put(replace(row, report_id=f"report{i}", choice=choice))
    assert tally.choices(fresh.catalog, ["phase"]) == {"phase": {"venous": 2, "arterial": 1}}
    assert ("phase", "3", "venous 2, arterial 1") in cells(section(fresh, "findings"))


def test_reading_tells_what_was_read_what_was_not_and_why(fresh):
    with fresh.catalog.write() as writer:
        writer.put(Report("waits", "", "", "alpha", "No cyst."))
        writer.put(Report("broke", "", "", "alpha", "No cyst."))
        writer.put(Reading("broke", "x", "rules 1", "failed", 2, 0, "took its worker down"))
        writer.put(Measure(2, "retrieve", "", "", "", "llm_requests", 1200.0))
    found = section(fresh, "reading")
    rows = cells(found)
    assert ("in the catalog", "7", "100.0%") in rows
    assert ("read", "4", "57.1%") in rows
    assert ("without words to read", "1", "14.3%") in rows
    assert ("failed", "1", "14.3%") in rows
    assert ("not read yet", "1", "14.3%") in rows
    assert ("without a scan", "3", "42.9%") in rows
    assert ("failed", "took its worker down", "1") in rows
    assert ("requests", "1,200") in rows
    assert "8 answers" in found.blocks[0].text


def test_disagreements_are_counted_and_the_gravest_shown(fresh):
    proof = {"answer": "yes", "sentence": "A cyst."}
    folder = fresh.workspace.round_path(2)
    write_disagreements(
        folder,
        [
            Disagreement("r1", "liver_cyst", "degree", proof, {"answer": "uncertain"}),
            Disagreement("r2", "liver_cyst", "opposite", proof, {}),
        ],
    )
    found = section(fresh, "reading")
    texts = [b.text for b in found.blocks if b.kind == "text"]
    assert any("disagree on 2 answers" in text for text in texts)
    assert cells(found)[-2] == ("r2", "liver cyst", "yes: A cyst.", "says nothing")


def test_the_query_is_told_in_words_with_its_proofs(fresh):
    proof = {"question": "liver_cyst", "answer": "yes", "sentence": "A {cyst}.", "report_id": "r"}
    also = {**proof, "question": "liver_lesion"}
    cases = [{"case_id": f"case{i}", "proofs": [proof, also]} for i in range(50)]
    data = {"query": {"all_of": [{"question": "liver_cyst"}], "sex": "F"}, "cases": cases}
    path = fresh.workspace.round_path(2) / "cohort.json"
    path.write_text(json.dumps(data, indent=1))
    found = section(fresh, "chosen")
    assert found.blocks[0].text == "Liver cyst: yes; Women."
    assert cells(found)[0] == ("case0", "liver cyst, liver lesion", "yes", "A {cyst}.")
    assert len(cells(found)) == 8
    path.write_text(json.dumps({**data, "query": {"colour": "blue"}}, indent=1))
    assert "another version" in section(fresh, "chosen").blocks[0].text


def test_a_large_cohort_is_read_in_part_only(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.report.chosen.HEAD", 2000)
    proof = {"question": "q", "answer": "yes", "sentence": "s" * 100}
    cases = [{"case_id": f"case{i}", "proofs": [proof]} for i in range(100)]
    (tmp_path / "cohort.json").write_text(json.dumps({"query": {}, "cases": cases}, indent=1))
    found = read_chosen(tmp_path, 1000)
    assert 0 < len(found.proofs) < 20
    assert read_chosen(tmp_path / "nowhere", 3) is None


def test_a_narrow_cohort_is_set_against_all_reports(curated):
    first = sorted(row.case_id for row in curated.catalog.rows(FindingRow, value="yes"))[0]
    found = section(replace(curated, cohort=frozenset({first})), "findings")
    assert ("liver lesion", "1", "0", "0", str(N // 3)) in cells(found)


def test_no_finding_enters_memory_as_a_record(curated, monkeypatch):
    rows, loaded = Catalog.rows, set()

    def watched(self, kind, **where):
        loaded.add(kind)
        return rows(self, kind, **where)

    monkeypatch.setattr(Catalog, "rows", watched)
    build_sections(load_view(curated, 2))
    assert loaded
    assert not loaded & {FindingRow, Report, Reading}
