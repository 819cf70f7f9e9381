"""``voxcurate ask`` and ``report show``: what they print, write and refuse."""

import csv
import json

import pytest
from typer.testing import CliRunner

from agent.answers import AskResult
from agent.cli.answer_view import write_csv
from agent.cli.main import app
from retrieval.search.find import Found, Hit
from retrieval.search.query import CohortQuery, Proof
from retrieval.search.saved import load_cohort
from retrieval.search.session import Answered
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, Report
from voxcurate.workspace import Workspace

TEXTS = [
    "FINDINGS: Pancreas is normal. No ascites.",
    "FINDINGS: There is a 12 mm cyst in the pancreatic tail.",
    "FINDINGS: A 25 mm mass in the pancreatic head is a pancreatic adenocarcinoma. Ascites.",
]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    with catalog.write() as writer:
        for i, text in enumerate(TEXTS):
            facts = {"sex": "F", "age": 60, "day": 100 * i}
            scan = a_scan(case_id=f"s{i}", patient="p", duplicate_group="p", facts=facts)
            writer.add(scan)
            writer.add(Report(f"r{i}", f"s{i}", "p", "a", text))
        writer.add(Report("alone", "", "", "a", "FINDINGS: Large ascites."))
    catalog.close()
    monkeypatch.setenv("VOXCURATE_WORKSPACE", str(workspace.root))
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def cases(result):
    return [m["case_id"] or m["report_id"] for m in json.loads(result.stdout)["matches"]]


def test_reports_are_read_first_and_the_proof_is_shown(run):
    shown = run("ask", "pancreatic cysts over 1 cm")
    assert shown.exit_code == 0, shown.output
    assert "understood as pancreas cyst: yes; pancreas lesion size above 10" in shown.stdout
    assert "There is a 12 mm cyst in the pancreatic tail." in shown.stdout
    assert "1 scan found" in shown.stdout


def test_json_with_scans_reports_and_times(run):
    assert cases(run("ask", "ascites", "--json")) == ["s2"]
    assert cases(run("ask", "ascites", "--json", "--reports")) == ["alone", "s2"]
    before = run("ask", "pre-diagnostic scans of pancreatic cancer, earliest first", "--json")
    assert cases(before) == ["s0", "s1"]
    proof = json.loads(before.stdout)["matches"][0]["proof"][0]
    assert (proof["role"], proof["day"], proof["report_id"]) == ("before", 200.0, "r2")


def test_what_is_not_understood_stops_it_but_for_anyway(run):
    stopped = run("ask", "purple ascites")
    assert stopped.exit_code == 2
    assert "not understood: purple" in stopped.output
    went_on = run("ask", "purple ascites", "--anyway", "--json")
    assert (went_on.exit_code, cases(went_on)) == (0, ["s2"])


def test_explained_query_can_be_given_back(run, tmp_path):
    shown = run("ask", "no ascites in women", "--explain")
    assert "question: ascites" in shown.stdout
    assert "ascites: no" in shown.stdout
    file = tmp_path / "query.yaml"
    file.write_text("{all_of: [{question: ascites, value: no}], sex: F}".replace("no}", "'no'}"))
    assert cases(run("ask", "--query", file, "--json")) == ["s0"]
    wrong = run("ask", "--query", file, "ascites")
    assert wrong.exit_code == 2
    assert "both" in wrong.output
    file.write_text("all_of: [{question: horn}]")
    assert "no question 'horn'" in run("ask", "--query", file).output
    assert run("ask").exit_code == 2


def test_counts(run):
    shown = run("ask", "--reports", "--count-by", "question:ascites", "scans", "--json")
    counts = json.loads(shown.stdout)["counts"]
    assert counts == {"yes": 2, "no": 1, "not mentioned": 1}
    shown = run("ask", "ascites", "--count-by", "age")
    assert "60 to 69" in shown.stdout
    assert run("ask", "ascites", "--count-by", "horn").exit_code == 2


def test_limit_and_saved_cohort(run, tmp_path):
    shown = run("ask", "scans", "--limit", "2", "--json")
    assert cases(shown) == ["s0", "s1"]
    assert json.loads(shown.stdout)["total"] == 3
    assert run("ask", "pancreatic lesions", "--save", "lesions").exit_code == 0
    saved = load_cohort(Workspace(tmp_path / "w"), "lesions")
    assert (saved.cases, saved.question) == (("s1", "s2"), "pancreatic lesions")


def test_csv_holds_no_formulas(run, tmp_path):
    assert run("ask", "pancreatic cysts", "--csv", tmp_path / "out.csv").exit_code == 0
    rows = list(csv.DictReader((tmp_path / "out.csv").open()))
    assert [(row["case_id"], row["answer"]) for row in rows] == [("s1", "yes")]
    hit = Hit(1, "=cmd()", "", 0, -3.0, None, "", "+s", "@ge", None)
    proof = Proof("q", "yes", '-1+1|"x"', "r")
    result = AskResult("", CohortQuery(), (), Answered(Found(1, (hit,)), ((proof,),), {}))
    write_csv(tmp_path / "bad.csv", result)
    (row,) = csv.DictReader((tmp_path / "bad.csv").open())
    assert (row["case_id"], row["source"], row["scanner"]) == ("'=cmd()", "'+s", "'@ge")
    assert (row["sentence"], row["day"], row["age"]) == ('\'-1+1|"x"', "-3.0", "")


def test_report_show(run):
    run("ask", "ascites")
    shown = run("report", "show", "s2")
    assert shown.exit_code == 0
    assert "r2 of s2" in shown.stdout
    assert "pancreas_malignancy" in shown.stdout
    data = json.loads(run("report", "show", "r2", "--json").stdout)
    assert "ascites" in {f["question"] for f in data[0]["findings"]}
    assert run("report", "show", "nobody").exit_code == 2


def test_nothing_to_search_in(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    Workspace.create(tmp_path / "empty")
    result = CliRunner().invoke(app, ["ask", "ascites", "-w", str(tmp_path / "empty")])
    assert result.exit_code == 2
    assert "voxcurate ingest" in result.output
