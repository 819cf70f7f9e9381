"""Tables as clinics send them: double headings, odd JSON, empty files; no name gets through."""

import json

import pytest

from agent.ingest.report_columns import guess_columns
from agent.ingest.tables import columns_of, iter_table
from tests.agent.ingest_fixture import Bench, describe
from voxcurate.catalog import Report
from voxcurate.errors import SourceError


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


def rows_of(path):
    return [row for _, row in iter_table(path, "reports")]


def test_headings_that_are_the_same_are_numbered_and_hide_nothing(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,Report,Name,Report, Name\n1,A,Doe,B,Roe\n")
    assert columns_of(path, "reports") == ["id", "Report (1)", "Name (1)", "Report (2)", "Name (2)"]
    (row,) = rows_of(path)
    assert list(row.values()) == ["1", "A", "Doe", "B", "Roe"]
    assert guess_columns("t.csv", list(row)).notes == [
        "text: one or several of Report (1), Report (2)"
    ]


def test_names_under_the_same_heading_twice_are_both_scrubbed(bench, tmp_path):
    root = tmp_path / "any"
    root.mkdir()
    table = "Accession,Name,Report,Name\nACC2342108,Quillfeather,{},Thistlewood\n"
    (root / "reports.csv").write_text(table.format("Quillfeather has a cyst; asks Thistlewood."))
    assert bench.ingest(root).counts["reports"] == 1
    (report,) = bench.catalog.rows(Report)
    assert report.text == "[NAME] has a cyst; asks [NAME]."


def test_a_described_column_that_stands_there_twice_is_asked_for(bench, tmp_path):
    root = describe(tmp_path / "r", "name: r\nreports: [{path: r.csv, text: Report}]\n")
    (root / "r.csv").write_text("Report,Report\nA.,B.\n")
    with pytest.raises(SourceError, match=r"no column 'Report'; there are: Report \(1\), Report"):
        bench.ingest(root)
