"""Tables as clinics send them: double headings, odd JSON, empty files; no name gets through."""

import json

import pytest

from agent.ingest.report_columns import guess_columns, id_column
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


def test_a_table_without_any_text_or_of_copies_alone_is_not_nothing(bench, tmp_path):
    root = describe(
        tmp_path / "one", "name: one\nreports: [{path: r.csv, text: T, keys: {accession: A}}]\n"
    )
    (root / "r.csv").write_text("A,T\nACC2342108,No cyst.\n")
    bench.ingest(root)
    other = tmp_path / "other"
    other.mkdir()
    (other / "copy.csv").write_text("Accession,Report\nACC2342108,No cyst.\n")
    counts = bench.ingest(other).counts
    assert (counts["reports"], counts["reports_duplicate"]) == (0, 1)
    (other / "copy.csv").write_text("Accession,Report\nACC2342108,\n")
    assert bench.ingest(other).counts["reports_without_text"] == 1


def test_a_plain_id_is_the_reports_where_no_column_is_surer():
    assert guess_columns("t.csv", ["ID", "Report"]).data["keys"] == {"report_id": "ID"}
    assert guess_columns("t.csv", ["id", "Report ID", "Report"]).data["keys"] == {
        "report_id": "Report ID"
    }
    assert id_column(["Accession", "id", "Report"]) == "id"
    assert id_column(["MRN", "Accession", "Report"]) == "Accession"
    assert id_column(["Report ID", "Report No", "Report"]) == ""  # nobody chooses between them


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("t.csv", "", "is empty"),
        ("t.csv", "\n\n", "is empty"),
        ("t.jsonl", "", "is empty"),
        ("t.json", "[]", "is empty"),
        ("t.jsonl", "1\n2\n", "no readable row: want a JSON object"),
        ("t.json", '{\n "id": 2,\n "T": "No cyst."\n}\n', "want a list of objects, or JSON lines"),
    ],
)
def test_a_table_without_columns_says_why(tmp_path, name, text, why):
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=why):
        columns_of(tmp_path / name, "reports")


def test_an_empty_table_among_others_fails_alone(bench, tmp_path):
    root = describe(tmp_path / "r", "name: r\nreports: [{path: '*.csv', text: T}]\n")
    (root / "a.csv").write_text("")
    (root / "b.csv").write_text("T\nNo cyst.\n")
    result = bench.ingest(root)
    assert result.failed == {"r/reports table 1 row 1": "the reports table is empty"}
    assert result.counts["reports"] == 1


def test_a_table_that_was_renamed_is_told_with_its_description(bench, tmp_path):
    root = tmp_path / "any"
    root.mkdir()
    (root / "reports.csv").write_text("Accession,Report\nA1,No cyst.\n")
    bench.ingest(root)
    (root / "reports.csv").rename(root / "doe_jane.csv")
    with pytest.raises(SourceError, match=r"renamed\? .* sources/reports.yaml") as error:
        bench.ingest(root)
    assert "doe" not in str(error.value)


def test_lines_that_an_open_quote_took_along_are_counted(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,T\n1,"no closing quote.\n2,Lost\n3,"Lost, too."\n4,nothing\n')
    assert rows_of(path) == [
        "no readable CSV (a quote never closed?), lines 2 to 4: all 3 lines are lost",
        {"id": "4", "T": "nothing"},
    ]


def test_a_piece_of_an_unreadable_row_is_no_report(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,day,T\n1,d,"Mr.\nA "Doe" fell,\nand lay"\n2,d,Good\n3,d\n')
    assert rows_of(path) == [
        "no readable CSV (a quote never closed?), lines 2 to 3: all 2 lines are lost",
        "too few cells after a row that cannot be read: perhaps a piece of it",
        {"id": "2", "day": "d", "T": "Good"},
        {"id": "3", "day": "d", "T": ""},
    ]


def test_a_cell_that_is_too_long_is_called_so(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.ingest.tables._MAX_FIELD", 1_000_000)
    path = tmp_path / "t.csv"
    path.write_text(f"id,T\n1,{'x' * 1_000_001}\n2,Good\n")
    assert rows_of(path) == [
        "a cell of more than 1 million characters, line 2",
        {"id": "2", "T": "Good"},
    ]
