"""The priority list of a workspace: its order, what stands in it, and where it is cut."""

import csv

import numpy as np
import pytest

from labeling.attention import priority
from labeling.attention.scores import ClassScore, Region
from labeling.attention.tables import RankedCase, rows_of
from labeling.config import LabelingConfig, PriorityConfig, ReviewConfig
from labeling.expert.calibration import calibrated
from labeling.fusion import fuse
from labeling.review.review import build_queue
from tests.labeling.conftest import CLASSES, build
from voxcurate.catalog import Assembly, Decision, Label, Measure
from voxcurate.errors import CurationError

CONFIG = LabelingConfig()


def ranking_by(**settings):
    return LabelingConfig(priority=PriorityConfig(**settings))


def table(world):
    with world.ctx.workspace.round_path(1, "priority.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def fused(tmp_path):
    """Spleens are the models' alone; people drew the rest."""
    world = build(tmp_path / "ws", planted={}, unlabelled=("spleen",))
    fuse.run(world.ctx, CONFIG)
    return world


def test_cases_in_falling_order_and_in_each_the_worst_class_first(fused):
    result = priority.run(fused.ctx, CONFIG)
    lines = table(fused)
    assert result.counts == {"cases": 11, "chosen": 1, "lines": len(lines)}
    assert [int(line["rank"]) for line in lines] == list(range(1, len(lines) + 1))
    cases = list(dict.fromkeys(line["case_id"] for line in lines))
    assert not set(cases) & {"src_case11", "src_case12"}  # test
    totals = [next(float(x["case_score"]) for x in lines if x["case_id"] == c) for c in cases]
    assert totals == sorted(totals, reverse=True)
    first_open = next(
        x["case_id"] for x in lines if x["class_id"] == "spleen" and float(x["score"]) > 0
    )
    for case in cases:
        own = [line for line in lines if line["case_id"] == case]
        scores = [float(line["score"]) for line in own]
        assert scores == sorted(scores, reverse=True)
        assert {line["class_id"] for line in own} <= set(CLASSES)
        for line in own:
            is_open = line["class_id"] == "spleen" and float(line["score"]) > 0
            assert line["drawn_by_people"] == str(int(line["class_id"] != "spleen"))
            assert line["chosen"] == str(int(case == first_open and is_open))
    first = lines[0]
    assert first["score"] == first["share"]
    assert first["reason"].startswith("models")
    assert int(first["i_start"]) < int(first["i_stop"]) <= 34
    assert first["n_models"] == "2"
    assert first["split"] in ("train", "validation")
    plot = fused.ctx.workspace.round_path(1, "priority.png")
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", ["share", "sum", "per-ml", "per-slice", "voxels"])
def test_the_case_scores_are_those_of_its_classes(fused, kind):
    config = ranking_by(score=kind)
    ranked = priority.ranked_cases(fused.ctx, config.priority)
    rows = [entry.row for entry in priority.entries(fused.ctx, config, ranked)]
    for case in ranked:
        own = [row for row in rows if row.case_id == case.case_id]
        if kind in ("sum", "per-slice", "voxels"):
            assert case.score == pytest.approx(sum(row.score for row in own), rel=1e-4)
        elif kind == "share":
            assert case.score == max(row.score for row in own)


def test_a_long_list_is_read_in_pieces(fused, monkeypatch):
    priority.run(fused.ctx, CONFIG)
    whole = table(fused)
    monkeypatch.setattr(priority, "CASES_AT_ONCE", 3)
    priority.run(fused.ctx, CONFIG)
    assert table(fused) == whole


def test_error_probabilities_stand_beside_the_attention(fused):
    first = priority.ranked_cases(fused.ctx, CONFIG.priority)[0].case_id
    with fused.ctx.catalog.write() as writer:
        writer.put(Measure(1, "detect", first, "liver", "", "error_probability", 0.75))
    priority.run(fused.ctx, CONFIG)
    found = {(x["case_id"], x["class_id"]): x for x in table(fused)}
    assert found[first, "liver"]["error_probability"] == f"{calibrated(0.75):.3f}"
    assert found[first, "liver"]["suspect"] == "1"
    assert found[first, "spleen"]["error_probability"] == ""
    assert found[first, "spleen"]["suspect"] == "0"


def test_attention_that_was_measured_without_a_score_ranks_by_the_sum_only(world_with_errors):
    ctx = world_with_errors.ctx
    with ctx.catalog.write() as writer:
        for case, value in (("src_case00", 5.0), ("src_case01", 9.0)):
            writer.put(Measure(1, "detect", case, "", "ensemble", "attention_mm3", value))
    ranked = priority.ranked_cases(ctx, PriorityConfig(score="sum"))
    assert [case.case_id for case in ranked] == ["src_case01", "src_case00"]
    with pytest.raises(CurationError, match="fuse the round anew"):
        priority.ranked_cases(ctx, PriorityConfig())


def test_nothing_is_ranked_before_anything_is_fused(world_with_errors):
    result = priority.run(world_with_errors.ctx, CONFIG)
    assert result.counts == {"cases": 0, "chosen": 0, "lines": 0}
    assert table(world_with_errors) == []


def test_the_box_of_the_worst_region_holds_the_strongest_attention(fused):
    """In the scan's own axes: where the stored map is largest, some listed box of the case lies."""
    from voxcurate.nifti import read_nifti

    ranked = priority.ranked_cases(fused.ctx, CONFIG.priority)
    rows = [entry.row for entry in priority.entries(fused.ctx, CONFIG, ranked)]
    for case in ranked:
        stored = read_nifti(fuse.attention_path(fused.ctx, case.case_id)).array
        inside = np.zeros(stored.shape, bool)
        for row in rows:
            if row.case_id == case.case_id and row.region:
                i, j, k = (slice(a, b) for a, b in row.region.box)
                inside[i, j, k] = True
        assert stored[inside].max() == stored.max()


@pytest.mark.parametrize("settings", [{}, {"rule": "budget", "budget": 3}, {"fraction": 0.5}])
def test_list_and_review_queue_ask_for_the_same(fused, settings):
    config = ranking_by(**settings)
    ranked = priority.ranked_cases(fused.ctx, config.priority)
    rows = [entry.row for entry in priority.entries(fused.ctx, config, ranked)]
    asked = {(row.case_id, row.class_id) for row in rows if row.chosen}
    assert len(asked) == sum(case.chosen for case in ranked) > 0
    config = config.model_copy(update={"review": ReviewConfig(budget=20, priority_share=1.0)})
    queue = build_queue(fused.ctx, config)
    assert {(item["case_id"], item["class_id"]) for item in queue} == asked


def test_nobody_is_asked_about_what_people_drew_or_confirmed(fused):
    ctx = fused.ctx
    everything = priority.ranked_cases(ctx, PriorityConfig(rule="budget", budget=100))
    first = next(case.case_id for case in everything if case.chosen)
    with ctx.catalog.write() as writer:
        (spleen,) = writer.rows(Label, case_id=first, class_id="spleen")
        writer.point(Assembly(0, first, "spleen", spleen.label_id, "pseudo"))
        made = Decision("", 1, "review", first, "spleen", spleen.label_id, "confirm", "", "human:a")
        writer.flag(spleen.label_id, made, confirmed=True)
    rest = priority.ranked_cases(ctx, PriorityConfig(rule="budget", budget=100))
    chosen = [case.case_id for case in everything if case.chosen]
    assert [case.case_id for case in rest if case.chosen] == [c for c in chosen if c != first]


def test_a_score_of_nothing_has_no_region_and_nobody_looks_at_it():
    border = ClassScore(
        2, 1.0, 2.0, 0.0, 3.0, 9, 3.0, 50.0, 0.0, 0.0, 0.1, 0.1, "models unsure (60%)",
        Region(((0, 2), (0, 2), (0, 2)), 3.0),
    )  # fmt: skip
    case = RankedCase(1, "a", 0.4, True)
    (share,) = rows_of(case, {"liver": border}, "share", 1)
    assert (share.score, share.region, share.chosen) == (0.0, None, False)
    (total,) = rows_of(case, {"liver": border}, "sum", 1)
    assert (total.region, total.chosen) == (border.region, True)
