"""Reports: linked to scans by rule and never by a guess, kept once, in order, and up to date."""

import csv
import json
from datetime import date

import pytest

from agent.ingest.config import IngestConfig
from agent.ingest.identities import Identities
from agent.ingest.report_lists import UNLINKED, UNREADABLE
from tests.agent.ingest_fixture import Bench, describe, dicom_series, scan_array, write
from voxcurate.catalog import Report, Scan
from voxcurate.errors import SourceError
from voxcurate.scrub import ScrubConfig

CLINIC = "name: clinic\nlayout: dicom\npatient: '{patient_id}'\n"
WARD = """
name: ward
reports:
- path: {file}
  text: Report
  keys: {{accession: Accession, patient_id: MRN, date: Day}}
  {more}
"""


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "bench")


def clinic(root, *numbers, day=date(2020, 3, 1)):
    """One DICOM series per number: MRN48151<n>, accession ACC77<n>31, its own study."""
    describe(root, CLINIC)
    for number in numbers:
        dicom_series(root / f"s{number}", number, day=day)
    return root


def ward(root, rows, *, more="", head="Accession,MRN,Day,Report"):
    """A source of one CSV without scans."""
    describe(root, WARD.format(file="r.csv", more=more))
    (root / "r.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return root


def by_text(bench):
    return {report.text: report for report in bench.catalog.rows(Report)}


def unlinked(bench):
    with (bench.workspace.private / UNLINKED).open(newline="") as stream:
        return {row["report_id"]: row for row in csv.DictReader(stream)}


def case_of(bench, series_uid):
    with Identities(bench.workspace) as identities:
        return next(one.case_id for one in identities.all() if one.series_uid == series_uid)


def test_reports_that_come_later_find_the_scans_of_an_earlier_ingest(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1, 2))
    rows = ["ACC77131,MRN481511,2020-03-02,By number.", ",MRN481512,2020-03-02,By date."]
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert not result.failed
    assert result.counts["links"] == {"accession": 1, "patient_date": 1}
    found = by_text(bench)
    scans = {scan.case_id: scan for scan in bench.catalog.rows(Scan)}
    assert {found[t].link for t in found} == {"accession", "patient_date"}
    for report in found.values():
        scan = scans[report.case_id]
        assert (report.patient, report.facts["study"]) == (scan.patient, scan.facts["study"])
        assert report.facts["day"] == 1  # a day after the scan, the patient's day 0
    assert found["By date."].facts["days_apart"] == 1
    assert len({report.case_id for report in found.values()}) == 2


def test_scans_that_come_later_are_found_by_earlier_reports(bench, tmp_path):
    text = "Jane Doe has a cyst."
    bench.ingest(ward(tmp_path / "ward", [f"ACC77131,MRN481511,2020-03-01,{text}"]))
    (before,) = bench.catalog.rows(Report)
    assert (before.case_id, before.facts["day"]) == ("", 0)
    assert before.patient
    result = bench.ingest(clinic(tmp_path / "clinic", 1))
    assert result.counts["reports_relinked"] == 1
    (after,) = bench.catalog.rows(Report)
    assert after.report_id == before.report_id
    assert (after.case_id, after.link) == (bench.catalog.rows(Scan)[0].case_id, "accession")
    assert after.patient == before.patient
    assert after.text == "[NAME] has a cyst."  # the header knew her name
    assert bench.ingest(tmp_path / "clinic").counts.get("reports_relinked") is None


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        ([",MRN481511,2020-03-09,Too late."], ["no_scan_near"]),
        ([",MRN481511,2020-03-02,A.", ",MRN481511,2020-02-29,B."], ["ambiguous_reports"] * 2),
        ([",MRN481511,2020-03-01,A.", ",MRN481511,2020-03-02,B."], ["nearer_report"]),
        (["ACC77131,,,A.", ",MRN481511,2020-03-01,B."], ["scan_has_report"]),
        (["ACC77131,MRN999999,2020-03-01,Another patient's."], ["contradiction"]),
        (["ACC00000,MRN999999,2020-03-01,Nobody."], ["no_scan"]),
        ([",,2020-03-01,Only a date."], ["no_key"]),
        ([",MRN481511,,No date."], ["no_date"]),
        (["ACC77131,MRN481511,,Right.", "ACC77131,MRN481512,,Wrong."], ["contradiction"]),
    ],
)
def test_what_is_not_certain_is_listed_with_its_reason(bench, tmp_path, rows, reasons):
    bench.ingest(clinic(tmp_path / "clinic", 1, 2))
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert [row["reason"] for row in unlinked(bench).values()] == reasons
    assert result.counts["reports_unlinked"] == len(reasons)
    assert result.counts["reports_linked"] == len(rows) - len(reasons)
    listed = [r for r in bench.catalog.rows(Report) if not r.case_id]
    assert {r.report_id for r in listed} == set(unlinked(bench))
    assert all(not r.link for r in listed)


def test_two_scans_equally_near_are_both_named_and_neither_taken(bench, tmp_path):
    root = describe(tmp_path / "clinic", CLINIC)
    for number, day in ((1, date(2020, 3, 1)), (2, date(2020, 3, 3))):
        dicom_series(root / f"s{number}", number, day=day)
        for path in (root / f"s{number}").iterdir():
            change(path, PatientID="MRN48151")
    bench.ingest(root)
    bench.ingest(ward(tmp_path / "ward", [",MRN48151,2020-03-02,Between."]))
    (row,) = unlinked(bench).values()
    assert row["reason"] == "ambiguous_scans"
    assert row["candidates"].split() == sorted(s.case_id for s in bench.catalog.rows(Scan))
    assert row["days"] == "1"


def change(path, **values):
    from pydicom import dcmread

    header = dcmread(path)
    for name, value in values.items():
        setattr(header, name, value)
    header.save_as(path)


def test_a_window_of_days_is_what_the_description_says(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1))
    rows = [",MRN481511,2020-03-08,A week later."]
    assert bench.ingest(ward(tmp_path / "ward", rows)).counts["reports_linked"] == 0
    wider = ward(tmp_path / "ward", rows, more="window_days: 7")
    result = bench.ingest(wider)
    assert (result.counts["reports_linked"], result.counts["reports_changed"]) == (1, 1)
    (report,) = bench.catalog.rows(Report)
    assert (report.facts["days_apart"], report.facts["version"]) == (7, 2)


def test_rules_may_be_left_out(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1))
    rows = ["ACC77131,MRN481511,2020-03-01,A."]
    bench.ingest(ward(tmp_path / "ward", rows, more="link: [patient_date]"))
    assert bench.catalog.rows(Report)[0].link == "patient_date"
    bench.ingest(ward(tmp_path / "ward", rows, more="link: []"))
    assert bench.catalog.rows(Report)[0].link == ""


def test_a_report_of_several_series_is_that_of_all(bench, tmp_path):
    root = clinic(tmp_path / "clinic", 1, 2)
    for path in (root / "s2").iterdir():
        change(path, StudyInstanceUID="1.2.826.0.1.3680043.10.1447.5.1.0", PatientID="MRN481511")
        change(path, AccessionNumber="ACC77131")
    bench.ingest(root)
    bench.ingest(ward(tmp_path / "ward", ["ACC77131,MRN481511,2020-03-01,Both."]))
    (report,) = bench.catalog.rows(Report)
    scans = bench.catalog.rows(Scan)
    assert report.facts["cases"] == [scan.case_id for scan in scans]
    assert report.case_id == scans[0].case_id
    assert {scan.facts["study"] for scan in scans} == {report.facts["study"]}


def test_reports_of_one_exam_are_kept_in_their_order(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1))
    rows = [
        "ACC77131,MRN481511,2020-03-02 08:30,Addendum.",
        "ACC77131,MRN481511,2020-03-01 17:05,First.",
    ]
    bench.ingest(ward(tmp_path / "ward", rows))
    found = by_text(bench)
    assert found["First."].facts.get("order") is None
    assert found["Addendum."].facts["order"] == 2
    assert found["First."].case_id == found["Addendum."].case_id != ""


def test_the_same_report_twice_is_kept_once_and_others_are_not_mistaken_for_it(bench, tmp_path):
    rows = [
        "A1000001,MRN481511,2020-03-01,Normal.",
        "A1000001,MRN481511,2020-03-01,Normal.",
        "A1000002,MRN481511,2020-03-01,Normal.",
        "A1000003,MRN481512,2020-03-01,Normal.",
        ",,,Normal.",
        ",,,Normal.",
    ]
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert (result.counts["reports"], result.counts["reports_duplicate"]) == (5, 1)
    reports = bench.catalog.rows(Report)
    assert sorted(r.facts.get("copies", 0) for r in reports) == [0, 0, 0, 0, 1]
    (row,) = [row for row in unlinked(bench).values() if row["reason"] == "duplicate"]
    assert row["same_as"] in {r.report_id for r in reports if r.facts.get("copies")}


def test_again_is_nothing_new_and_a_changed_text_is_a_new_version(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1))
    rows = ["ACC77131,MRN481511,2020-03-01,Old.", "A2,MRN777777,2020-03-01,Other."]
    first = bench.ingest(ward(tmp_path / "ward", rows))
    assert (first.counts["reports_new"], first.counts["reports_unchanged"]) == (2, 0)
    before = bench.catalog.rows(Report)
    again = bench.ingest(tmp_path / "ward")
    assert (again.counts["reports_new"], again.counts["reports_changed"]) == (0, 0)
    assert again.counts["reports_unchanged"] == 2
    assert bench.catalog.rows(Report) == before
    for text, version in (("New.", 2), ("Old.", 3), ("New.", 4)):
        rows[0] = f"ACC77131,MRN481511,2020-03-01,{text}"
        done = bench.ingest(ward(tmp_path / "ward", rows))
        assert (done.counts["reports_new"], done.counts["reports_changed"]) == (0, 1)
        assert by_text(bench)[text].facts["version"] == version
        assert len(bench.catalog.rows(Report)) == 2


def test_a_row_that_is_put_in_between_changes_no_other(bench, tmp_path):
    rows = [f"A{n},MRN48151{n},2020-03-01,Text {n}." for n in range(4)]
    bench.ingest(ward(tmp_path / "ward", rows))
    rows.insert(1, "A9,MRN481519,2020-03-01,Text 9.")
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert (result.counts["reports_new"], result.counts["reports_unchanged"]) == (1, 4)


def test_bad_rows_are_named_by_number_and_the_others_go_on(bench, tmp_path):
    rows = [
        "A1,MRN481511,2020-03-01,Good one.",
        'A2,MRN481512,2020-03-01,"Doe" said so.',
        "A3,MRN481513,2020-03-01,Doe, with a comma.",
        "A4,MRN481514,2020-03-01,",
        "A5,MRN481515,31/31/2020,Good but for its date.",
        'A6,MRN481516,2020-03-01,"never closed',
    ]
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert set(by_text(bench)) == {"Good one.", "Good but for its date."}
    assert {key.rsplit("/")[-1] for key in result.failed} == {
        "reports row 3",
        "reports row 4",
        "reports row 7",
    }
    assert "5 cells under 4 headings" in result.failed["ward/reports row 4"]
    assert result.counts["reports_without_text"] == 1
    assert result.counts["reports_unreadable_dates"] == 1
    assert "Doe" not in json.dumps(result.failed)
    listed = (bench.workspace.private / UNREADABLE).read_text()
    assert listed.count("\n") == 4
    assert "Doe" not in listed
    assert (bench.workspace.private / UNREADABLE).stat().st_mode & 0o077 == 0
    rows = rows[:1]
    assert not bench.ingest(ward(tmp_path / "ward", rows)).failed
    assert not (bench.workspace.private / UNREADABLE).exists()


def test_a_date_that_may_be_two_days_is_not_read_until_told(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1, day=date(2020, 4, 3)))
    rows = [",MRN481511,03/04/2020,Seen 03/04/2020 and 04/03/2020."]
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert result.counts["reports_ambiguous_dates"] == 1
    assert "say `day_first:`" in result.failed["ward/reports 1 dates"]
    assert result.counts["reports_linked"] == 0
    result = bench.ingest(ward(tmp_path / "ward", rows, more="day_first: true"))
    assert not result.failed
    assert result.counts["reports_linked"] == 1


@pytest.mark.parametrize(
    ("form", "cell", "is_linked"),
    [("'%d.%b.%y'", "01.Mar.20", True), ("['%Y', '%Y%m%d']", "20200301", True),
     ("'%d.%m.%Y'", "2020-03-01", False)],
)  # fmt: skip
def test_forms_of_dates_that_are_told_are_the_only_ones(bench, tmp_path, form, cell, is_linked):
    bench.ingest(clinic(tmp_path / "clinic", 1))
    source = ward(tmp_path / "w", [f",MRN481511,{cell},A."], more=f"date_format: {form}")
    result = bench.ingest(source)
    assert result.counts["reports_linked"] == is_linked
    assert result.counts.get("reports_unreadable_dates", 0) == (not is_linked)


def test_findings_and_impression_are_joined_under_their_names(bench, tmp_path):
    root = describe(
        tmp_path / "w",
        "name: w\nreports: [{path: t.jsonl, text: [Findings_EN, impression],"
        " keys: {report_id: id}, facts: {age: age, sex: sex, modality: mod, exam: exam}}]\n",
    )
    rows = [
        {"id": "a1", "Findings_EN": "Cyst.\r\nStone.", "impression": "IMPRESSION: Both.",
         "age": 67.0, "sex": "female", "mod": "CT", "exam": "CT abdomen portal venous"},
        {"id": "a2", "Findings_EN": "", "impression": "Nil.", "age": None, "exam": "Call Dr. Roe"},
    ]  # fmt: skip
    (root / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    bench.ingest(root)
    found = by_text(bench)
    assert set(found) == {"FINDINGS:\nCyst.\nStone.\n\nIMPRESSION: Both.", "IMPRESSION:\nNil."}
    facts = next(r.facts for t, r in found.items() if "Cyst" in t)
    assert {k: facts[k] for k in ("age", "sex", "modality", "phase", "exam")} == {
        "age": 67,
        "sex": "F",
        "modality": "CT",
        "phase": "portal_venous",
        "exam": "CT abdomen portal venous",
    }
    assert not {"age", "exam", "sex"} & found["IMPRESSION:\nNil."].facts.keys()


def test_files_are_named_by_case_or_file(bench, tmp_path):
    scans = describe(tmp_path / "s", "name: s\nscans: 'img/{case}_ct.nii.gz'\n")
    for number in range(3):
        write(scans / "img" / f"p{number}_ct.nii.gz", scan_array(number))
    bench.ingest(scans)
    rows = [
        {"volume": "p0_ct.nii.gz", "Report": "By file."},
        {"volume": "p1", "Report": "By case."},
        {"volume": "img\\p2_ct.nii.gz", "Report": "By path."},
        {"volume": "p3", "Report": "None."},
    ]
    root = describe(
        tmp_path / "w",
        "name: w\nreports: [{path: r.json, text: Report, keys: {case: volume}}]\n",
    )
    (root / "r.json").write_text(json.dumps(rows))
    result = bench.ingest(root)
    assert result.counts["links"] == {"case": 3}
    assert len({r.case_id for r in bench.catalog.rows(Report)}) == 4


def test_a_wrong_column_is_answered_with_what_the_names_suggest(bench, tmp_path):
    root = describe(tmp_path / "w", "name: w\nreports: [{path: r.csv, text: Text}]\n")
    (root / "r.csv").write_text("MRN,Findings,Impression,StudyDate\n1,a,b,c\n")
    with pytest.raises(
        SourceError, match=r"by their names: .*'text': \['Findings', 'Impression'\]"
    ):
        bench.ingest(root)


def test_a_table_of_patients_may_tell_the_accession_numbers_of_plain_files(bench, tmp_path):
    root = describe(tmp_path / "s", "name: s\nscans: '{case}.nii.gz'\npatients: p.csv\n")
    for number in range(2):
        write(root / f"p{number}.nii.gz", scan_array(number))
    (root / "p.csv").write_text("case,patient,Accession\np0,,A1000\np1,,A1001\n")
    bench.ingest(root)
    result = bench.ingest(ward(tmp_path / "w", ["A1001,,2020-03-01,Cyst in A1001."]))
    assert result.counts["links"] == {"accession": 1}
    (report,) = bench.catalog.rows(Report)
    with Identities(bench.workspace) as identities:
        assert identities.lookup(report.case_id).path == "p1.nii.gz"


def test_a_name_that_several_scans_share_is_ambiguous(bench, tmp_path):
    scans = describe(tmp_path / "s", "name: s\nscans: '{part}/{case}.nii.gz'\n")
    for number in range(2):
        write(scans / "one" / f"p{number}.nii.gz", scan_array(number))
    text = (scans / "dataset.yaml").read_text() + "reports: [{path: '{part}/note.txt'}]\n"
    describe(scans, text)
    (scans / "one" / "note.txt").write_text("Of both, of neither?")
    bench.ingest(scans)
    (row,) = unlinked(bench).values()
    assert row["reason"] == "ambiguous_scans"
    assert len(row["candidates"].split()) == 2


def test_an_x_ray_of_the_same_day_is_no_rival(bench, tmp_path):
    bench.ingest(clinic(tmp_path / "clinic", 1))
    rows = ["MRN481511,2020-03-01,CT,Of the CT.", "MRN481511,2020-03-01,CR,Of the chest film."]
    root = describe(
        tmp_path / "w",
        "name: w\nreports: [{path: r.csv, text: T, keys: {patient_id: P, date: D},"
        " facts: {modality: M}}]\n",
    )
    (root / "r.csv").write_text("\n".join(["P,D,M,T", *rows]))
    bench.ingest(root)
    found = by_text(bench)
    assert found["Of the CT."].link == "patient_date"
    assert found["Of the chest film."].case_id == ""
    assert found["Of the chest film."].patient == found["Of the CT."].patient


def test_short_patient_ids_are_people_of_their_own_source(bench, tmp_path):
    for name in ("east", "west"):
        root = describe(
            tmp_path / name, f"name: {name}\nscans: '{{case}}.nii.gz'\npatients: p.csv\n"
        )
        write(root / "a.nii.gz", scan_array(len(name) + ord(name[0])))
        (root / "p.csv").write_text("case,patient,date\na,P7,2020-03-01\n")
        bench.ingest(root)
    rows = [",P7,2020-03-01,East or west?"]
    assert bench.ingest(ward(tmp_path / "w", rows)).counts["unlinked"] == {"ambiguous_scans": 1}
    told = ward(tmp_path / "w", rows, more="scans_of: [west]")
    assert bench.ingest(told).counts["links"] == {"patient_date": 1}
    (report,) = bench.catalog.rows(Report)
    assert report.case_id.startswith("west_")


SECRET = {
    "MRN": "MRN4815162", "AccessionNumber": "ACC2342108", "StudyInstanceUID": "1.2.840.99.4815.16",
    "PatientName": "Quillfeather, Zebedee", "DOB": "1948-11-05", "StudyDate": "2021-06-17",
    "Radiologist": "Dr. Ophelia Thistlewood", "Phone": "555-0147-233", "Site": "Saint Elsewhere",
    "Address": "14 Winding Lane",
}  # fmt: skip
LEAKS = ("4815162", "2342108", "99.4815", "quillfeather", "zebedee", "1948", "2021-06-17",
         "thistlewood", "ophelia", "0147", "elsewhere", "winding", "june 17", "17/06")  # fmt: skip


def test_planted_identifiers_stay_in_the_private_folder(bench, tmp_path, caplog):
    text = (
        "Zebedee QUILLFEATHER (MRN 4815162, acc. ACC2342108) of 14 Winding Lane, born 5 Nov 1948,"
        " seen June 17, 2021 and 17/06/2021 at Saint Elsewhere; call 555-0147-233."
        " Study 1.2.840.99.4815.16. Signed Ophelia Thistlewood. Cyst of 2.1 cm."
    )
    root = tmp_path / "any"
    root.mkdir()
    with (root / "reports.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow([*SECRET, "Report"])
        table.writerow([*SECRET.values(), text])
        table.writerow([*SECRET.values(), "broken", "Zebedee Quillfeather"])
    with caplog.at_level("DEBUG"):
        result = bench.ingest(root)
    assert result.counts["reports"] == 1
    assert len(result.failed) == 1
    (report,) = bench.catalog.rows(Report)
    assert "Cyst of 2.1 cm." in report.text
    bench.catalog.close()
    shown = [caplog.text, str(result), str(report)]
    for path in bench.workspace.root.rglob("*"):
        if path.is_file() and bench.workspace.private not in path.parents:
            shown.append(path.read_bytes().decode("latin-1"))
    lists = [bench.workspace.private / UNLINKED, bench.workspace.private / UNREADABLE]
    shown += [path.read_text() for path in lists]
    for leak in LEAKS:
        assert not any(leak in part.lower() for part in shown), leak


def test_a_batch_is_all_that_is_in_memory(bench, tmp_path, monkeypatch):
    from agent.ingest import relink, reports

    seen = []
    write_batch = reports.ReportImport._write_batch
    monkeypatch.setattr(reports, "BATCH", 7)
    monkeypatch.setattr(relink, "BATCH", 7)
    monkeypatch.setattr(
        reports.ReportImport,
        "_write_batch",
        lambda self, batch, done: (seen.append(len(batch)), write_batch(self, batch, done)),
    )
    rows = [f"A{n:05d},MRN{n:06d},2020-03-01,Text {n}." for n in range(30)]
    result = bench.ingest(ward(tmp_path / "ward", rows))
    assert seen == [7, 7, 7, 7, 2]
    assert result.counts["reports_new"] == len(bench.catalog.rows(Report)) == 30
    bench.ingest(clinic(tmp_path / "clinic", 1))  # goes through the others in batches, too
    assert result.counts["reports_new"] == len(bench.catalog.rows(Report)) == 30


def test_the_examples_of_the_docs_are_descriptions():
    import re
    from pathlib import Path

    import yaml

    from voxcurate.config import build
    from voxcurate.sources import SourceConfig

    docs = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", docs, re.DOTALL)]
    told = [block for block in blocks if isinstance(block, dict) and "reports" in block]
    assert len(told) >= 3
    for block in told:
        build(SourceConfig, {"name": "docs", **block})


def test_a_scan_that_comes_later_moves_no_date_again(bench, tmp_path):
    config = IngestConfig(scrub=ScrubConfig(shift_dates=True))
    row = "ACC77131,MRN481511,2020-03-01,Jane Doe was seen on 2020-02-20 and on 2020-03-01."
    bench.ingest(ward(tmp_path / "ward", [row]), config=config)
    (before,) = bench.catalog.rows(Report)
    assert before.text.startswith("[NAME] was seen on [DATE 20")
    assert "2020-03-01" not in before.text
    result = bench.ingest(clinic(tmp_path / "clinic", 1), config=config)
    assert result.counts["reports_relinked"] == 1
    (after,) = bench.catalog.rows(Report)
    assert after.text == before.text
