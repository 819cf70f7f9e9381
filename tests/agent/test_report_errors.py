"""What the round report says of label errors, and its verdicts with pictures."""

import csv
import json
import re
from dataclasses import replace

import pytest

from agent.report import write_report
from agent.report.blocks import Gallery, Table
from agent.report.found_errors import TABLE, FoundErrors
from agent.report.label_errors import label_errors
from agent.report.pictures import Album
from agent.report.verdicts import verdicts
from agent.report.view import load_view
from labeling.assembly import assemble
from labeling.config import JudgeConfig, LabelingConfig
from labeling.errors.known import FILE
from labeling.expert import detect, judge
from labeling.fusion import fuse
from tests.labeling.conftest import PLANTED, build
from voxcurate.catalog import Label, Round, WorkItem

pytestmark = pytest.mark.slow
CONFIG = LabelingConfig(judge=JudgeConfig(auto_mend=("pseudo", "judged", "original")))


@pytest.fixture(scope="module")
def ctx(tmp_path_factory):
    """Two rounds; the second goes on with what the first has mended."""
    made = build(tmp_path_factory.mktemp("report") / "ws", planted=PLANTED).ctx
    for number in (1, 2):
        now = replace(made, round=number)
        with made.catalog.write() as writer:
            for line in made.catalog.rows(WorkItem, stage="predict", round=1):
                writer.put(replace(line, round=number))
            writer.put(Round(number, "done", {}, {}, 0, "2026-01-01T00:00:00+00:00"))
        for stage in (fuse, detect, judge, assemble):
            stage.run(now, CONFIG)
    (made.workspace.root / FILE).write_text(
        "case_id,class_id,kind\nsrc_case01,kidney_left,left_right_swap\nsrc_case00,liver,\n"
        "src_case03,spleen,missing\n"
    )
    return made


@pytest.fixture(scope="module")
def view(ctx):
    return load_view(ctx, 1)


def build_sections(view):
    """The two sections that this is about."""
    found = FoundErrors(view)
    return [label_errors(view, found), verdicts(view, Album(view.ctx), found)]


@pytest.fixture(scope="module")
def sections(view):
    return {s.id: s for s in build_sections(view)}


def tables(section):
    return {b.caption: b for b in section.blocks if isinstance(b, Table)}


def words(section):
    return json.dumps(section, default=lambda x: vars(x) if hasattr(x, "__dict__") else str(x))


def test_kinds_are_counted_with_intervals(sections):
    table = tables(sections["errors"])["Round 1, labels by kind"]
    rows = {row[0]: row for row in table.rows}
    assert rows["left and right swapped"][1] == 2
    assert rows["missing"][1] == 1
    assert re.fullmatch(r"[\d.]+ \([\d.]+ to [\d.]+\)", rows["missing"][2])
    assert table.numeric == frozenset(range(1, len(table.head)))


def test_the_first_round_cannot_say_what_comes_back_and_the_second_does(ctx, sections):
    assert "from the second round on" in words(sections["errors"])
    second = {s.id: s for s in build_sections(load_view(ctx, 2))}["errors"]
    assert "wrong again" in words(second)
    assert "Does it grow less? By class" in tables(second)


def test_truth_and_verdict_are_compared_where_the_truth_is_known(sections):
    table = tables(sections["errors"])["Truth and verdict (labels)"]
    rows = {row[0]: row for row in table.rows}
    assert table.head[:2] == ("truth", "all")
    swapped = rows["left and right swapped"]
    assert swapped[table.head.index("left and right swapped")] == 1
    assert rows["right"][table.head.index("not suspected")] == 1


def test_every_verdict_has_its_pictures_reasons_and_way_back(ctx, sections):
    (gallery,) = [b for b in sections["verdicts"].blocks if isinstance(b, Gallery)]
    cards = {card.title: card for card in gallery.cards}
    facts = dict(cards["left kidney, src_case01"].facts)
    assert facts["kind"] == "left and right swapped"
    assert float(facts["chance wrong"]) > 0.5
    assert "in round 1, by judge" in facts["decided"]
    (version,) = ctx.catalog.rows(
        Label, case_id="src_case01", class_id="kidney_left", origin="original"
    )
    assert facts["undo"].startswith(
        f"voxcurate labels undo src_case01 kidney_left --to {version.label_id}"
    )
    shots = cards["left kidney, src_case01"].pictures
    assert [shot.caption.split(",")[0].split(":")[0] for shot in shots] == [
        "scan", "label (original)", "chosen",
    ]  # fmt: skip
    assert all(shot.uri.startswith("data:image/png;base64,") for shot in shots)
    assert len({shot.uri for shot in shots}) == 3


def test_an_empty_label_is_shown_as_the_bare_scan_and_said_to_be_empty(sections):
    (gallery,) = [b for b in sections["verdicts"].blocks if isinstance(b, Gallery)]
    (card,) = [c for c in gallery.cards if c.title == "spleen, src_case03"]
    scan, label = card.pictures[:2]
    assert label.caption == "label (original): empty"
    assert label.uri == scan.uri


def test_pictures_are_drawn_once_and_kept(ctx, view, monkeypatch):
    build_sections(view)
    kept = sorted((ctx.workspace.root / "cache" / "projections").rglob("*.png"))
    assert kept

    def refuse(*_, **__):
        raise AssertionError("drawn again")

    monkeypatch.setattr("labeling.projections.ScanPictures", refuse)
    again = {s.id: s for s in build_sections(view)}["verdicts"]
    (gallery,) = [b for b in again.blocks if isinstance(b, Gallery)]
    assert all(shot.uri for card in gallery.cards for shot in card.pictures)


def test_all_verdicts_are_in_a_table_beside_the_page(ctx, view):
    path = write_report(ctx, 1)
    with (path.parent / TABLE).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = FoundErrors(view).verdicts
    assert len(rows) == found.n
    assert {(e.case_id, e.class_id) for e in found.worst} <= {
        (r["case_id"], r["class_id"]) for r in rows
    }
    page = path.read_text()
    assert page.count('class="card full"') == len(found.worst)


def test_only_the_worst_are_pictured_and_the_rest_is_named(ctx, monkeypatch):
    monkeypatch.setattr("agent.report.found_errors.PICTURED", 2)
    found = {s.id: s for s in build_sections(load_view(ctx, 1))}["verdicts"]
    (gallery,) = [b for b in found.blocks if isinstance(b, Gallery)]
    assert len(gallery.cards) == 2
    assert TABLE in gallery.more
    worst = FoundErrors(load_view(ctx, 1)).verdicts.worst
    ranks = [e.rank for e in worst]
    assert ranks == sorted(ranks)


def test_nothing_looked_at_is_said(tmp_path):
    empty = build(tmp_path / "ws", planted={}, n_train=1, n_validation=0, n_test=0).ctx
    found = {s.id: s for s in build_sections(load_view(empty, 1))}
    assert found["errors"].empty == "No label has been looked at yet."
    assert "No label was suspected" in found["verdicts"].empty
