"""Reports in every form: dialects of CSV, JSON, Parquet, text files, DICOM structured reports."""

import csv
import json
import random

import pytest

from agent.ingest.report_columns import guess_columns
from agent.ingest.report_dates import read_clock, read_day
from agent.ingest.tables import columns_of, iter_table
from tests.agent.ingest_fixture import Bench, describe, dicom_series
from voxcurate.catalog import Report, Scan
from voxcurate.errors import ConfigError, SourceError

ROWS = [
    {"id": "a1", "text": 'Größe 2,1 × 1,8 cm; unchanged.\nSecond line, with "quotes".'},
    {"id": "a2", "text": "Normal | plain\ttext."},
]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


def as_csv(path, delimiter=",", encoding="utf-8", newline="\r\n"):
    with path.open("w", encoding=encoding, newline="") as stream:
        table = csv.DictWriter(stream, ["id", "text"], delimiter=delimiter, lineterminator=newline)
        table.writeheader()
        table.writerows(ROWS)
    return path


def rows_of(path, **options):
    return [row for _, row in iter_table(path, "reports", **options)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_delimiter_and_encoding_are_found(tmp_path, delimiter, encoding):
    path = as_csv(tmp_path / "t.csv", delimiter, encoding)
    assert rows_of(path) == ROWS
    assert columns_of(path, "reports") == ["id", "text"]


def test_any_other_delimiter_and_encoding_can_be_told(tmp_path):
    path = as_csv(tmp_path / "t.txt", "^", "utf-16-le", "\n")
    assert rows_of(path, delimiter="^", encoding="utf-16-le") == ROWS
    with pytest.raises(SourceError, match="say `encoding:`"):
        rows_of(path)
    with pytest.raises(SourceError, match="not in the encoding utf-8"):
        rows_of(as_csv(tmp_path / "l.csv", encoding="cp1252"), encoding="utf-8")


def test_cells_of_two_encodings_in_one_table_are_both_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("id,text\n1,ä\n".encode() + "2,ä\n".encode("cp1252") + b"3,\x81\n4,b\n")
    rows = list(iter_table(path, "reports"))
    assert [row["text"] for _, row in (rows[0], rows[1], rows[3])] == ["ä", "ä", "b"]
    assert rows[2] == (4, "bytes that are neither UTF-8 nor Windows-1252")


def test_json_list_json_lines_and_parquet_tell_the_same(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "t.json").write_text(json.dumps(ROWS, indent=1), encoding="utf-8")
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "t.parquet", row_group_size=1)
    for name in ("t.json", "t.jsonl", "t.parquet"):
        assert rows_of(tmp_path / name) == ROWS, name


def test_values_of_other_types_become_cells(tmp_path):
    import datetime

    import pyarrow as pa
    import pyarrow.parquet as pq

    data = [{"n": 1.0, "x": None, "d": datetime.date(2020, 3, 1), "f": float("nan"), "b": b"\0"}]
    pq.write_table(pa.Table.from_pylist(data), tmp_path / "t.parquet")
    assert rows_of(tmp_path / "t.parquet") == [{"n": "1", "x": "", "d": "2020-03-01", "f": ""}]
    (tmp_path / "t.json").write_text('[{"a": 7.0, "b": null, "c": [1, 2], "d": true}, 5]')
    assert rows_of(tmp_path / "t.json") == [
        {"a": "7", "b": "", "c": "[1, 2]", "d": "True"},
        "want a JSON object",
    ]


def test_long_lists_are_read_piece_by_piece(tmp_path):
    rows = [{"id": str(n), "text": "x" * random.Random(n).randrange(5000)} for n in range(200)]
    (tmp_path / "t.json").write_text("\n [" + " ,\n".join(map(json.dumps, rows)) + "\n]\n")
    assert rows_of(tmp_path / "t.json") == rows
    (tmp_path / "broken.json").write_text(json.dumps(rows)[:-9])
    with pytest.raises(SourceError, match="no readable JSON after item 199"):
        rows_of(tmp_path / "broken.json")


@pytest.mark.parametrize(("name", "raw"), [("t.parquet", b"PAR1"), ("t.json", b'"x"')])
def test_what_is_no_table_is_an_error(tmp_path, name, raw):
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(SourceError, match="the reports table is no"):
        rows_of(tmp_path / name)


def test_a_broken_line_of_json_goes_alone(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"a": "1"}\n{"a": \n[3]\n\n{"a": "2"}\n')
    numbers = [(n, row if isinstance(row, str) else row["a"]) for n, row in
               iter_table(tmp_path / "t.jsonl", "reports")]  # fmt: skip
    assert numbers == [(1, "1"), (2, "want a JSON object"), (3, "want a JSON object"), (5, "2")]


@pytest.mark.parametrize(
    ("cell", "day", "problem"),
    [
        ("2020-03-01", "2020-03-01", ""), ("20200301", "2020-03-01", ""),
        ("2020-03-01T10:20:00", "2020-03-01", ""), ("1 March 2020", "2020-03-01", ""),
        ("01.03.2020", "2020-03-01", ""), ("25/03/2020", "2020-03-25", ""),
        ("3/25/2020 8:15 AM", "2020-03-25", ""), ("05/05/2020", "2020-05-05", ""),
        ("01/03/2020", None, "ambiguous"), ("1-3-20", None, "ambiguous"),
        ("yesterday", None, "unreadable"), ("31/31/2020", None, "unreadable"), ("", None, ""),
    ],
)  # fmt: skip
def test_days(cell, day, problem):
    found = read_day(cell)
    assert (found.day and found.day.isoformat(), found.problem) == (day, problem)
    assert len(found.readings) == (2 if problem == "ambiguous" else day is not None)


def test_times():
    cells = [
        "2020-03-01 8:15 PM",
        "08:15:30",
        "173315.846322",
        "2020-03-01T10:20:00",
        "",
        "12:05 am",
    ]
    assert [read_clock(c) for c in cells] == [
        "20:15:00", "08:15:30", "17:33:15", "10:20:00", "", "00:05:00"
    ]  # fmt: skip


def test_roles_of_columns_are_seen_in_their_names():
    names = ["Report ID", "MRN", "AccessionNumber", "Study_Date", "Findings_EN", "Impressions_EN",
             "PatientSex", "PatientAge", "Notes"]  # fmt: skip
    assert guess_columns("r.csv", names).data == {
        "path": "r.csv",
        "text": ["Findings_EN", "Impressions_EN"],
        "keys": {"report_id": "Report ID", "accession": "AccessionNumber", "patient_id": "MRN",
                 "date": "Study_Date"},
        "facts": {"age": "PatientAge", "sex": "PatientSex"},
    }  # fmt: skip


def test_identifiers_that_collide_are_left_to_a_person(bench, tmp_path):
    root = tmp_path / "doe_jane"
    root.mkdir()
    (root / "r.csv").write_text("MRN,PatientID,Report\n481511,X1,No cyst.\n")
    with pytest.raises(SourceError, match=r"reports\[0\].keys.patient_id"):
        bench.ingest(root)
    file = bench.workspace.root / "sources" / "reports.yaml"
    text = file.read_text()
    assert "# reports 1, patient_id: one of MRN, PatientID" in text
    assert "text: Report" in text
    file.write_text(text.replace("patient_id: TODO", "patient_id: MRN"))
    assert bench.ingest(root).counts["reports"] == 1


def test_a_table_that_nobody_described_is_drafted_and_read(bench, tmp_path):
    root = tmp_path / "any"
    dicom_series(root / "s1", 1)
    (root / "all_reports.csv").write_text(
        "accession_number,findings,impression\nACC77131,No cyst.,Normal.\n"
    )
    counts = bench.ingest(root).counts
    assert (counts["links"], counts["drafted"]) == ({"accession": 1}, ["sources/dicom.yaml"])
    assert "drafted" not in bench.ingest(root).counts
    text = (bench.workspace.root / "sources" / "dicom.yaml").read_text()
    assert "accession: accession_number" in text


def test_a_table_alone_may_be_named_without_showing_its_name(bench, tmp_path):
    (tmp_path / "in").mkdir()
    table = tmp_path / "in" / "doe_jane.csv"
    table.write_text("AccessionNumber,Report\nA1,No cyst.\n")
    (tmp_path / "in" / "other.csv").write_text("a,b\n1,2\n")
    assert bench.ingest(table).counts["reports_new"] == 1
    assert bench.ingest(table).counts["reports_unchanged"] == 1
    for path in (bench.workspace.root / "sources").rglob("*.yaml"):
        assert "doe" not in path.read_text().lower() + path.name
    told = bench.workspace.root / "sources" / "reports.yaml"
    assert bench.ingest(table, source=told).counts["reports_unchanged"] == 1


@pytest.mark.parametrize(
    ("days", "told"),
    [(["3/25/2020", "3/4/2020"], "day_first: false"), (["25/3/2020"], "day_first: true"),
     (["3/4/2020"], "day_first: TODO"), (["25/3/2020", "3/25/2020"], "day_first: TODO"),
     (["2020-03-04", "4.3.2020", "3/3/2020", ""], None)],
)  # fmt: skip
def test_the_order_of_day_and_month_is_drafted_where_the_dates_prove_it(
    bench, tmp_path, days, told
):
    (tmp_path / "r").mkdir()
    rows = [f"A{n},{day},Text {n}." for n, day in enumerate(days)]
    (tmp_path / "r" / "r.csv").write_text("\n".join(["Accession,StudyDate,Report", *rows]))
    try:
        assert not bench.ingest(tmp_path / "r").failed
    except SourceError:
        assert told is not None
        assert told.endswith("TODO")
    text = (bench.workspace.root / "sources" / "reports.yaml").read_text()
    assert "day_first" not in text if told is None else told in text


def test_ids_that_a_table_of_floats_spoilt_link_and_are_scrubbed(bench, tmp_path):
    root = describe(
        tmp_path / "r", "name: r\nreports: [{path: r.csv, text: T, keys: {patient_id: P}}]\n"
    )
    (root / "r.csv").write_text("P,T\n48151623.0,Patient 48151623 has a cyst.\n")
    bench.ingest(root)
    (report,) = bench.catalog.rows(Report)
    assert "48151623" not in report.text


@pytest.mark.parametrize("name", ["labels.csv", "headless.csv"])
def test_tables_that_are_no_reports_are_passed_over(bench, tmp_path, name):
    dicom_series(tmp_path / "d" / "s1", 1)
    rows = {"labels.csv": "id,label\n1,2\n", "headless.csv": "Doe, Jane has 3 cysts of 123,4\n"}
    (tmp_path / "d" / name).write_text(rows[name])
    assert "reports" not in bench.ingest(tmp_path / "d").counts


@pytest.mark.parametrize(
    "pattern", ["{accession}/{patient_id}.txt", "in/*/{accession}_{date}.txt", "{accession}.txt"]
)
def test_folders_and_names_of_text_files_are_keys(bench, tmp_path, pattern):
    scans = describe(tmp_path / "s", "name: s\nlayout: dicom\n")
    dicom_series(scans / "x", 1)
    bench.ingest(scans)
    root = describe(tmp_path / "r", f"name: r\nreports: [{{path: '{pattern}'}}]\n")
    values = {"accession": "ACC77131", "patient_id": "MRN481511", "date": "2020-03-01"}
    path = root / pattern.replace("*", "y").format(**values)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("Accession ACC77131 of MRN481511, Jane Doe.")
    assert not bench.ingest(root).failed
    (report,) = bench.catalog.rows(Report)
    assert report.link == "accession"
    assert not [s for s in ("ACC77131", "MRN481511", "Doe") if s in report.text]


def structured_report(path, *, number=1, evidence=(), text="A 2 cm cyst, says Dr Quackenbush."):
    """A basic text report: findings, a code, a measurement, and who said so."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    def code(meaning, value="X1"):
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99T", meaning
        return [item]

    def content(kind, name, relation="CONTAINS", **values):
        item = Dataset()
        item.RelationshipType, item.ValueType = relation, kind
        item.ConceptNameCodeSequence = code(name)
        for keyword, value in values.items():
            setattr(item, keyword, value)
        return item

    measured = Dataset()
    measured.NumericValue, measured.MeasurementUnitsCodeSequence = "2.1", code("centimeter", "cm")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.88.11")
    meta.MediaStorageSOPInstanceUID = UID(f"1.2.3.{number}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(b"", {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID = meta.MediaStorageSOPClassUID
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    header.Modality, header.SeriesInstanceUID = "SR", f"1.2.9.{number}"
    header.StudyInstanceUID = f"1.2.826.0.1.3680043.10.1447.5.{number}.0"
    header.PatientName, header.PatientID = "DOE^JANE", f"MRN48151{number}"
    header.StudyDate, header.ContentTime = "20200301", "101500"
    header.PatientSex, header.PatientAge = "F", "067Y"
    header.ValueType, header.ConceptNameCodeSequence = "CONTAINER", code("Radiology Report")
    findings = content("CONTAINER", "Findings")
    findings.ContentSequence = [
        content("TEXT", "Finding", TextValue=text),
        content("CODE", "Finding Site", ConceptCodeSequence=code("Pancreas")),
        content("NUM", "Diameter", MeasuredValueSequence=[measured]),
    ]
    header.ContentSequence = [
        content("PNAME", "Person Observer Name", "HAS OBS CONTEXT", PersonName="Quackenbush^Al"),
        content("CONTAINER", "Empty part"),
        findings,
        content("TEXT", "Conclusion", TextValue="Cyst of Jane Doe."),
    ]
    if evidence:
        study = Dataset()
        study.StudyInstanceUID = header.StudyInstanceUID
        study.ReferencedSeriesSequence = []
        for uid in evidence:
            series = Dataset()
            series.SeriesInstanceUID = uid
            study.ReferencedSeriesSequence.append(series)
        header.CurrentRequestedProcedureEvidenceSequence = [study]
    path.parent.mkdir(parents=True, exist_ok=True)
    header.save_as(path, enforce_file_format=True)


def test_structured_reports_beside_their_images(bench, tmp_path):
    root = tmp_path / "tree"
    uids = [dicom_series(root / f"s{n}", n) for n in (1, 2)]
    structured_report(root / "s1" / "sr.dcm", number=1)
    structured_report(root / "sr" / "other.dcm", number=2, evidence=[uids[1], "1.2.3.4.5"])
    (root / "sr" / "broken.dcm").write_bytes((root / "sr" / "other.dcm").read_bytes()[:600])
    result = bench.ingest(root)
    assert result.counts["links"] == {"series_uid": 1, "study_uid": 1}
    assert "a DICOM file cannot be read" in result.failed.values()
    reports = bench.catalog.rows(Report)
    for report in reports:
        assert report.text == (
            "FINDINGS:\nA 2 cm cyst, says Dr [NAME].\nFinding Site: Pancreas\nDiameter: 2.1 cm\n"
            "Conclusion: Cyst of [NAME]."
        )
        assert {k: report.facts[k] for k in ("age", "sex", "day")} == {
            "age": 67, "sex": "F", "day": 0
        }  # fmt: skip
    assert {r.case_id for r in reports} == {s.case_id for s in bench.catalog.rows(Scan)}
    assert bench.ingest(root).counts["reports_unchanged"] == 2


def test_structured_reports_alone(bench, tmp_path):
    structured_report(tmp_path / "sr" / "a.dcm")
    assert bench.ingest(tmp_path / "sr").counts["reports"] == 1
    (report,) = bench.catalog.rows(Report)
    assert (report.case_id, report.facts["day"]) == ("", 0)


@pytest.mark.real_data
def test_real_structured_reports(bench, tmp_path, real_data):
    root = describe(tmp_path / "r", "name: r\nreports: [{path: '*.dcm'}]\n")
    for number, name in enumerate(("dcmqi_dicom_seg_sr/sr-example/sr.dcm",
                                   "highdicom_dicom/sr_document.dcm",
                                   "highdicom_dicom/seg_image_ct_binary.dcm")):  # fmt: skip
        (root / f"{number}.dcm").write_bytes((real_data / name).read_bytes())
    result = bench.ingest(root)
    assert not result.failed
    texts = sorted(report.text for report in bench.catalog.rows(Report))
    assert len(texts) == 2
    assert any("Area of defined region: 1.7 cm2" in text for text in texts)
    assert any("Volume: 33.5824 ml" in text for text in texts)


def test_a_text_that_is_no_text_is_named_by_its_number(bench, tmp_path):
    root = describe(tmp_path / "r", "name: r\nreports: [{path: '{case}.txt'}]\n")
    (root / "a.txt").write_bytes(b"\x00\x01\x02")
    (root / "b.txt").write_text("No cyst.")
    result = bench.ingest(root)
    assert result.failed == {"r/reports file row 1": "a report's file is no text"}
    assert result.counts["reports"] == 1


@pytest.mark.parametrize(
    "entry",
    ["{path: r.csv, delimiter: ab}", "{path: r.csv, encoding: klingon}",
     "{path: r.csv, link: [guess]}", "{path: r.csv, keys: {colour: C}}", "{path: /r.csv}"],
)  # fmt: skip
def test_wrong_descriptions(bench, tmp_path, entry):
    root = describe(tmp_path / "r", f"name: r\nreports: [{entry}]\n")
    with pytest.raises((SourceError, ConfigError)):
        bench.ingest(root)
