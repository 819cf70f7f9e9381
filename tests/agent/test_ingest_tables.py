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


def test_names_under_keys_that_only_a_late_row_has_are_scrubbed(bench, tmp_path, monkeypatch):
    monkeypatch.setattr("agent.ingest.tables._LOOK", 2)
    root = describe(tmp_path / "r", "name: r\nreports: [{path: r.jsonl, text: T}]\n")
    rows = [{"T": "A."}, {"T": "B."}, {"T": "Quillfeather 2021-06-17.", "Name": "Quillfeather"}]
    (root / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    bench.ingest(root)
    assert "[NAME] [DATE]." in {report.text for report in bench.catalog.rows(Report)}


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_odd_json_is_a_row_or_the_reason_for_none(bench, tmp_path, suffix):
    odd = [
        '{"id": "1", "T": "Cut in an emoji \\ud83d, caf\u00e9."}',
        '{"id": ' + "9" * 5000 + ', "T": "A long number."}',
        '{"id": "3", "T": "A.", "T": "B."}',
        '{"id": "4\\ud800", "T": "Good."}',
    ]
    deep = '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}"
    lines = [*odd[:2], deep, *odd[2:]] if suffix == "jsonl" else odd
    text = "\n".join(lines) if suffix == "jsonl" else f"[{','.join(lines)}]"
    root = describe(
        tmp_path / "r", f"name: r\nreports: [{{path: r.{suffix}, text: T, keys: {{case: id}}}}]\n"
    )
    (root / f"r.{suffix}").write_text(text, encoding="utf-8")
    result = bench.ingest(root)
    assert sorted(set(result.failed.values())) == sorted(
        {"a key stands there twice", *(["nested too deeply"] if suffix == "jsonl" else [])}
    )
    texts = {report.text for report in bench.catalog.rows(Report)}
    assert texts == {"Cut in an emoji \ufffd, caf\u00e9.", "A long number.", "Good."}


def test_a_list_nested_too_deeply_is_an_error(tmp_path):
    (tmp_path / "t.json").write_text('[{"a": 1}, ' + "[" * 100_000 + "]" * 100_000 + "]")
    with pytest.raises(SourceError, match="item 2: nested too deeply"):
        rows_of(tmp_path / "t.json")


def test_bytes_of_windows_in_json_lines_are_still_mended(tmp_path):
    raw = '{"a": "\u00e4"}\n'
    (tmp_path / "t.jsonl").write_bytes(raw.encode() + raw.encode("cp1252"))
    assert rows_of(tmp_path / "t.jsonl") == [{"a": "\u00e4"}] * 2
