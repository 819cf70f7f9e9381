"""``voxcurate report list``."""

import json

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, Reading, Report
from voxcurate.workspace import Workspace


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two scans; one has two reports, one of them unread; one report has no scan."""
    workspace = Workspace.create(tmp_path_factory.mktemp("reports") / "w", key_file="key")
    catalog = Catalog(workspace.catalog_url)
    with catalog.write() as writer:
        for case in ("a_1", "a_2"):
            writer.add(a_scan(case_id=case, path=f"scans/{case}/ct.nii.gz"))
        for report, case in (("r1", "a_2"), ("r2", "a_1"), ("r3", "a_1"), ("r4", "")):
            writer.put(Report(report, case, "p", "alpha", "No lesion."))
        writer.put(Reading("r2", "x", "rules 1", "read", 1, 7))
    catalog.close()
    return workspace.root


def call(root, *words):
    return CliRunner().invoke(app, ["report", "list", "-w", str(root), *map(str, words)])


def told(root, *words):
    result = call(root, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_reports_are_listed_by_scan_with_what_was_read(root):
    found = told(root)
    assert [row["report_id"] for row in found["reports"]] == ["r4", "r2", "r3", "r1"]
    assert found["reports"][1] == {
        "report_id": "r2", "case_id": "a_1", "source": "alpha", "characters": 10,
        "status": "read", "answers": 7,
    }  # fmt: skip
    assert found["reports"][2]["status"] == "not read"
    text = call(root).stdout
    assert "No lesion" not in text
    assert text.splitlines()[-1] == "4 reports; 'voxcurate report show ID' shows one"


def test_filters_narrow_the_list(root):
    assert [r["report_id"] for r in told(root, "--case", "a_1")["reports"]] == ["r2", "r3"]
    found = told(root, "--limit", 2)
    assert (len(found["reports"]), found["total"]) == (2, 4)
    assert "2 not shown" in call(root, "--limit", 2).stdout
    result = call(root, "--case", "nobody")
    assert (result.exit_code, "no scan nobody" in result.stderr) == (2, True)


def test_a_workspace_without_reports_says_so(tmp_path):
    Workspace.create(tmp_path / "w", key_file="key")
    assert call(tmp_path / "w").stdout == "no reports\n"
