"""Reports: linked by what identifies, scrubbed of it, and nothing of it left in the workspace."""

from datetime import date

import pytest

from agent.ingest.facts import age, from_row, phase, sex
from agent.ingest.identities import Identities
from agent.ingest.tables import read_table
from tests.agent.ingest_fixture import MAPS, Bench, describe, dicom_series, maps
from voxcurate.catalog import Report, Scan
from voxcurate.errors import SourceError

PACS = """
name: pacs
layout: dicom
reports:
- path: reports.csv
  text: Text
  keys: {accession: Accession, patient_id: MRN, date: Day}
  known: {physicians: Signed}
"""
HEAD = "Name,MRN,Accession,Day,Signed,Text\n"
SECRETS = ("DOE", "JANE", "MRN48151", "ACC77", "Elsewhere", "Quackenbush", "19250102", "48151")


@pytest.fixture
def pacs(tmp_path):
    root = describe(tmp_path / "pacs", PACS)
    dicom_series(root / "DOE_JANE" / "one", 1, day=date(2020, 3, 1))
    dicom_series(root / "DOE_JANE" / "two", 2, day=date(2020, 5, 30))
    text = "Jane Doe, MRN {}, seen 1 March 2020 by Dr Quackenbush at Saint Elsewhere Hospital. "
    text += "Cyst {}."
    rows = [
        f'"Doe, Jane",MRN481511,ACC77131,2020-03-01,Quackenbush,"{text.format("MRN481511", 1)}"',
        f'"Doe, Jane",MRN481512,,2020-05-30,Quackenbush,"{text.format("MRN-481512", 2)}"',
        '"Doe, Jane",MRN481511,ACC77231,2020-03-01,Quackenbush,"Keys that contradict, Jane Doe."',
        '"Roe, Max",MRN777777,ACC99999,2020-03-01,Quackenbush,"Max Roe has no scan here."',
        '"Doe, Jane",,,2020-03-01,Quackenbush,"Only a date."',
        '"Doe, Jane",MRN481511,ACC77131,2020-03-01,Quackenbush,""',
    ]
    (root / "reports.csv").write_text(HEAD + "\n".join(rows) + "\n")
    return root


def everything(bench):
    """All bytes of the workspace outside its private folder, and all names."""
    for path in sorted(bench.workspace.root.rglob("*")):
        if "private" in path.relative_to(bench.workspace.root).parts:
            continue
        yield path.name
        if path.is_file():
            yield path.read_bytes().decode("latin-1")


def test_rows_link_by_the_surest_key_and_by_none_that_contradicts(pacs, tmp_path):
    bench = Bench(tmp_path / "b")
    result = bench.ingest(pacs)
    assert not result.failed
    assert result.counts["reports"] == 5
    assert result.counts["reports_linked"] == 2
    reports = {r.text: r for r in bench.catalog.rows(Report)}
    linked = [r for r in reports.values() if r.case_id]
    assert sorted(r.link for r in linked) == ["accession", "patient_date"]
    with Identities(bench.workspace) as identities:
        days = {identities.lookup(r.case_id).day for r in linked}
    assert days == {"2020-03-01", "2020-05-30"}


def test_no_identifier_is_left_outside_the_private_map(pacs, tmp_path, caplog):
    bench = Bench(tmp_path / "b")
    result = bench.ingest(pacs)
    texts = [r.text for r in bench.catalog.rows(Report)]
    assert any("[NAME]" in text and "Cyst 1." in text for text in texts)
    bench.catalog.close()
    shown = [*everything(bench), caplog.text, str(result)]
    for secret in SECRETS:
        assert not any(secret.lower() in part.lower() for part in shown), secret


def test_facts_come_from_the_header_without_free_text(pacs, tmp_path):
    bench = Bench(tmp_path / "b")
    bench.ingest(pacs)
    scans = bench.catalog.rows(Scan)
    # two patients of one scan each: the ids differ
    assert {scan.facts["day"] for scan in scans} == {0}
    for scan in scans:
        assert scan.facts["phase"] == "portal_venous"
        assert scan.facts["age"] == 90  # 95 years: 90 stands for all from 90 on
        assert scan.facts["sex"] == "F"
        assert scan.facts["manufacturer"] == "ACME"


def test_a_report_that_comes_later_is_added_and_an_unlinked_one_finds_its_scan(pacs, tmp_path):
    bench = Bench(tmp_path / "b")
    bench.ingest(pacs)
    before = {r.report_id for r in bench.catalog.rows(Report)}
    dicom_series(pacs / "late", 3, day=date(2021, 1, 1))
    with (pacs / "reports.csv").open("a") as table:
        table.write('"Doe, Jane",MRN481513,ACC77331,2021-01-01,Quackenbush,"Late Jane Doe."\n')
    result = bench.ingest(pacs)
    assert result.counts["new_scans"] == 1
    after = bench.catalog.rows(Report)
    assert len(after) == len(before) + 1
    assert before < {r.report_id for r in after}


def test_text_files_link_by_their_path(tmp_path):
    text = MAPS + "reports:\n- path: reports/{case}.txt\n"
    root = describe(maps(tmp_path / "m", 2), text)
    (root / "reports").mkdir()
    (root / "reports" / "case_0.txt").write_text("No cyst. \u00b5", encoding="latin-1")
    (root / "reports" / "case_7.txt").write_text("No scan.")
    bench = Bench(tmp_path / "b")
    bench.ingest(root)
    found = {r.text: r for r in bench.catalog.rows(Report)}
    assert found["No cyst. \u00b5"].link == "file"
    assert found["No cyst. \u00b5"].case_id in {s.case_id for s in bench.catalog.rows(Scan)}
    assert found["No scan."].case_id == ""


def test_reports_alone_are_a_source(tmp_path):
    root = describe(
        tmp_path / "r", "name: r\nreports: [{path: r.jsonl, text: body, keys: {case: id}}]\n"
    )
    (root / "r.jsonl").write_text('{"id": "a", "body": "No cyst."}\n{"id": 2, "body": null}\n')
    bench = Bench(tmp_path / "b")
    assert bench.ingest(root).counts["reports"] == 1
    assert bench.catalog.rows(Report)[0].case_id == ""


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("a,b\n1,2\n", r"no column 'Text', 'Accession'.*there are: a, b"),
        (
            "Jane Doe,MRN481511,1 March 2020\nx,y,z\n",
            "'Text', .*; its first line does not look like headings$",
        ),
        ('"Doe, Jane",a,b\n1,2,3\n', "; its first line does not look like headings$"),
    ],
)
def test_a_wrong_table_is_explained(pacs, tmp_path, table, message):
    (pacs / "reports.csv").write_text(table)
    with pytest.raises(SourceError, match=message):
        Bench(tmp_path / "b").ingest(pacs)


def test_tables_in_many_dialects(tmp_path):
    expected = [{"a": "1", "b": "ä; x"}]
    for name, raw in {
        "comma.csv": 'a,b\n1,"ä; x"\n'.encode(),
        "mark.csv": '\ufeffa,b\r\n1,"ä; x"\r\n'.encode(),
        "latin.csv": 'a,b\n1,"ä; x"\n'.encode("latin-1"),
        "tab.tsv": "a\tb\n1\tä; x\n".encode(),
        "semi.csv": 'a;b\n1;"ä; x"\n'.encode(),
        "lines.jsonl": '{"a": 1, "b": "ä; x"}\n\n'.encode(),
    }.items():
        path = tmp_path / name
        path.write_bytes(raw)
        assert read_table(path, "t") == expected, name


@pytest.mark.parametrize(
    ("text", "expected"),
    [("67", 67), ("067Y", 67), ("67.9 years", 67), ("101", 90), ("", None), ("200", None)],
)  # fmt: skip
def test_ages(text, expected):
    assert age(text) == expected


def test_words_of_sex_and_phase():
    assert [sex(t) for t in ("female", "M", "w", "x", "")] == ["F", "M", "F", "", ""]
    assert phase("CT Abdomen ven. Phase, portal") == "portal_venous"
    assert phase("Thorax nativ") == "non_contrast"
    assert phase("art + ven") == ""
    assert phase("without contrast, portal") == "non_contrast"
    assert phase("late arterial") == ""
    assert from_row({"phase": "Plain", "sex": "", "age": ""}) == {"phase": "non_contrast"}


def test_the_name_of_a_text_file_without_a_scan_is_gone_from_its_text(tmp_path):
    root = describe(tmp_path / "r", "name: r\nreports: [{path: 'reports/{case}.txt'}]\n")
    (root / "reports").mkdir()
    (root / "reports" / "DOE_JANE_48151.txt").write_text("Doe Jane 48151: no cyst.")
    bench = Bench(tmp_path / "b")
    bench.ingest(root)
    (report,) = bench.catalog.rows(Report)
    assert report.text == "[ID]: no cyst."
