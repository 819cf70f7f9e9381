"""The report's section on tumours, and the round's way through the stage."""

from dataclasses import replace

import pytest

from agent.config import RoundConfig
from agent.lesions import export_roc, run_roc
from agent.report.blocks import Chart, Table
from agent.report.build import render
from agent.report.lesions import lesions
from agent.report.view import load_view
from agent.stages import LEDGER_NAMES
from agent.status import status
from labeling.config import LabelingConfig
from labeling.roc.config import RocConfig
from tests.labeling.roc import world
from voxcurate.catalog import Round

CONFIG = RoundConfig(labeling=LabelingConfig(roc=RocConfig(draws=20)))


@pytest.fixture
def ctx(tmp_path):
    return world.build(tmp_path / "ws", world.PLANS[:6])


def test_curves_figures_and_who_disagrees(ctx):
    counts = run_roc(ctx, CONFIG).counts
    assert (counts["labels_emptied"], counts["reported_but_not_found"]) == (1, 1)
    section = lesions(load_view(ctx, 1))
    tables = [b for b in section.blocks if isinstance(b, Table)]
    charts = [b for b in section.blocks if isinstance(b, Chart)]
    assert len(charts) == 1
    assert charts[0].svg.startswith("<svg")
    figures, listed = tables
    assert figures.rows[0][0] == "99% wanted"
    assert figures.rows[0][2].startswith("100.0%")
    assert [(row[0], row[2].split(":")[0]) for row in listed.rows] == [
        ("src_case05", "the report says yes, nothing found"),
        ("src_case03", "label emptied"),
    ]
    page = render(load_view(ctx, 1), [section])
    assert "SENTENCE" not in page
    assert render(load_view(ctx, 1), [lesions(load_view(ctx, 1))]) == page


def test_lesions_that_found_no_room_are_told_with_their_list(ctx):
    run_roc(ctx, CONFIG)
    told = "more wait in review/1/lesions/waiting.csv"
    assert told not in render(load_view(ctx, 1), [lesions(load_view(ctx, 1))])
    with ctx.catalog.write() as writer:
        writer.put(Round(1, "waiting", {}, {}, 0, "2026-01-01T00:00:00+00:00"))
    assert told not in status(ctx.workspace, ctx.catalog)["next"]
    small = CONFIG.labeling.roc.model_copy(update={"budget": 1})
    labeling = CONFIG.labeling.model_copy(update={"roc": small})
    export_roc(ctx, CONFIG.model_copy(update={"labeling": labeling}))
    assert f"2 {told}" in render(load_view(ctx, 1), [lesions(load_view(ctx, 1))])
    assert f"2 {told}" in status(ctx.workspace, ctx.catalog)["next"]


def test_a_round_without_lesions_says_so(ctx):
    plain = replace(ctx, classes=("liver",))
    assert run_roc(plain, CONFIG).counts == {}
    assert export_roc(plain, CONFIG).counts == {}
    assert lesions(load_view(plain, 1)).empty


def test_its_ledger_lines_belong_to_stages_of_the_round(ctx):
    run_roc(ctx, CONFIG)
    export_roc(ctx, CONFIG)
    stages = {item.stage for item in load_view(ctx, 1).items} - {"predict", "fuse"}
    assert stages == {"roc", "roc_review"} <= LEDGER_NAMES.keys()
