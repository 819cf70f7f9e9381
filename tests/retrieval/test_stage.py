"""The stage over a catalog: reads once, stores findings with proofs, selects the cohort."""

import json
from dataclasses import replace

import pytest

from retrieval import stage
from retrieval.config import RetrievalConfig
from retrieval.search.query import CohortQuery
from retrieval.search.saved import save_cohort
from tests.voxcurate.factories import a_scan
from voxcurate.catalog import Catalog, FindingRow, Report
from voxcurate.classes import load_vocabulary
from voxcurate.config import build
from voxcurate.errors import ConfigError
from voxcurate.executors import ExecutorConfig
from voxcurate.stage import StageContext
from voxcurate.workspace import Workspace

pytestmark = pytest.mark.usefixtures("each_database")

TEXTS = {"a": "Hepatic cyst of 2 cm.", "b": "No hepatic cyst.", "c": " "}


@pytest.fixture
def context(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    workspace = Workspace.create(tmp_path / "w")
    catalog = Catalog(workspace.catalog_url)
    with catalog.write() as writer:
        for case, text in TEXTS.items():
            writer.add(a_scan(case_id=case, patient=case, duplicate_group=case))
            writer.add(Report(f"r{case}", case, case, "a", text))
        writer.add(a_scan(case_id="d", patient="d", duplicate_group="d"))
    executor = ExecutorConfig(kind="serial")
    yield StageContext(
        workspace, catalog, load_vocabulary(), round=1, executor_config=executor, quiet=True
    )
    catalog.close()


def config(**fields):
    return build(RetrievalConfig, fields)


def test_reads_selects_and_proves(context):
    result = stage.run(context, config(ask="liver cysts under 3 cm"))
    assert result.counts["cohort"] == ["a"]
    assert result.counts["read"] == 2
    assert list(result.failed) == ["rc"]
    assert "empty" in result.failed["rc"]
    row = context.catalog.one(FindingRow, report_id="ra", question="liver_lesion_size")
    assert (row.number, row.sentence, row.reader[:5]) == (20.0, TEXTS["a"], "rules")
    text = context.workspace.round_path(1, "cohort.json").read_text()
    assert json.loads(text)["cases"][0]["proofs"][0]["sentence"] == TEXTS["a"]


def test_reports_are_read_without_a_cohort_too(context):
    assert stage.read_reports(context, config()).counts["read"] == 2
    assert stage.run(context, config()).counts["read"] == 0


def test_no_query_takes_scans_without_a_report_too(context):
    assert stage.run(context, config()).counts["cohort"] == ["a", "b", "c", "d"]


def test_read_once_even_across_rounds(context):
    stage.run(context, config())
    assert stage.run(context, config()).counts["read"] == 0
    later = replace(context, round=2)
    assert stage.run(later, config()).counts["read"] == 0
    assert stage.run(later, config()).counts["findings"] > 0


def test_findings_are_those_of_the_questions_that_were_asked_last(context):
    stage.run(context, config())
    before = context.catalog.rows(FindingRow)
    own = context.workspace.root / "mine.yaml"
    own.write_text("liver_cyst: {phrases: [unicorn], text: x}")
    assert stage.run(context, config(questions=["mine.yaml"])).counts["read"] == 2
    assert not context.catalog.rows(FindingRow, question="liver_cyst")
    assert stage.run(context, config()).counts["read"] == 2
    assert context.catalog.rows(FindingRow) == before


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"ask": "fluffy unicorns"}, "unicorns"),
        ({"query": {"all_of": [{"question": "no_such"}]}}, "no_such"),
        ({"ask": "splenectomy"}, "fits no scan"),
        ({"reader": "tea leaves"}, "tea leaves"),
        ({"reader": "llm"}, "engine"),
    ],
)
def test_what_cannot_run_says_why(context, fields, why):
    with pytest.raises(ConfigError, match=why):
        stage.run(context, config(**fields))


def test_a_saved_cohort_bounds_the_round(context):
    stage.read_reports(context, config())
    query = build(CohortQuery, {"all_of": [{"question": "liver_cyst"}]})
    save_cohort(context.workspace, "cysts", query, stage.cohort(context, query))
    assert stage.run(context, config(cohort="cysts")).counts["cohort"] == ["a"]
    with pytest.raises(ConfigError, match="no cohort 'none'"):
        stage.run(context, config(cohort="none"))
    with pytest.raises(ConfigError, match="fits no scan"):
        stage.run(context, config(cohort="cysts", ask="no liver cysts"))


def test_words_of_the_reports_select_scans_too(context):
    found = stage.run(context, config(query={"phrases": ["of 2 cm"]})).counts["cohort"]
    assert found == ["a"]
