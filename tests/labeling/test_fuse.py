"""The stage fuse in a workspace: what it logs, when it does nothing, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from labeling import detect, fuse
from labeling.config import FuseConfig, LabelingConfig
from tests.labeling.conftest import AFFINE, CLASSES, SHAPE, build, phantom, soft
from voxcurate.catalog import Decision, Label, Measure, WorkItem
from voxcurate.labels import read_mask
from voxcurate.predictions import Prediction, open_prediction, probability_box, write_prediction

CONFIG = LabelingConfig()
CASE = "src_case00"


@pytest.fixture
def world(tmp_path):
    return build(tmp_path / "ws", planted={}, n_train=4, n_validation=1, n_test=1)


def rewrite(world, change, case=CASE, models=("model0", "model1")):
    """Other predictions of a case: class to probabilities."""
    for model_id in models:
        path = world.ctx.workspace.prediction_path(1, model_id, case)
        old = open_prediction(path)
        boxes = {c: probability_box(change(c, old.full(c))) for c in old.classes}
        write_prediction(path, Prediction(boxes, SHAPE, AFFINE, model_id, True))


def pseudo(world, class_id, case=CASE):
    (label,) = world.ctx.catalog.rows(Label, case_id=case, class_id=class_id, origin="pseudo")
    return label, read_mask(world.ctx.workspace.root, label.path, SHAPE)


def test_what_a_rule_took_is_in_the_decision_log_with_place_and_size(world):
    def with_false_piece(class_id, values):
        if class_id == "spleen":
            values[25:28, 20:22, 3:5] = 230
        return values

    rewrite(world, with_false_piece)
    result = fuse.run(world.ctx, CONFIG)
    assert result.counts["rules"] == {"single": 1}
    label, mask = pseudo(world, "spleen")
    assert not mask[25:28, 20:22, 3:5].any()
    (decision,) = world.ctx.catalog.rows(Decision, stage="fuse")
    assert (decision.case_id, decision.class_id) == (CASE, "spleen")
    assert (decision.verdict, decision.actor) == ("rule_removed", "rules")
    assert decision.label_id == label.label_id
    assert decision.evidence["voxels"] == 12
    assert decision.evidence["box"] == [[25, 28], [20, 22], [3, 5]]
    ml = 12 * abs(np.linalg.det(AFFINE[:3, :3])) / 1000
    assert decision.evidence["ml"] == pytest.approx(ml, abs=1e-4)
    assert "12 voxels" in decision.reason
    assert label.facts["rules"] == [decision.evidence]
    off = LabelingConfig(fuse=FuseConfig(postprocess=False))
    fuse.run(world.ctx, off)
    assert len(world.ctx.catalog.rows(Decision, stage="fuse", verdict="rule_removed")) == 1
    (told,) = world.ctx.catalog.rows(Decision, stage="fuse", verdict="rule_broken")
    assert "pieces" in told.reason


def test_what_a_label_still_breaks_is_told_and_left(world):
    def tiny(class_id, values):
        if class_id == "liver":
            small = np.zeros_like(values)
            small[20, 15, 13] = 255
            return small
        return values

    rewrite(world, tiny)
    fuse.run(world.ctx, CONFIG)
    (decision,) = world.ctx.catalog.rows(
        Decision, stage="fuse", verdict="rule_broken", class_id="liver"
    )
    label, mask = pseudo(world, "liver")
    assert mask.sum() == 1
    assert decision.label_id == label.label_id
    assert "volume" in {v["rule"] for v in decision.evidence["broken"]}
    assert "limit 400" in decision.reason


def test_a_moved_piece_names_both_labels_and_the_body_tells_the_middle(world):
    masks = phantom(0)[1]

    def swapped(class_id, values):
        other = {"kidney_left": "kidney_right", "kidney_right": "kidney_left"}.get(class_id)
        return values if other is None else (soft(masks[other], 3) * 255).astype(np.uint8)

    rewrite(world, swapped)
    fuse.run(world.ctx, CONFIG)  # no class here tells the midline: the CT does
    moved = world.ctx.catalog.rows(Decision, stage="fuse", verdict="rule_moved")
    assert {d.class_id for d in moved} == {"kidney_left", "kidney_right"}
    for d in moved:
        label, mask = pseudo(world, d.class_id)
        assert d.label_id == label.label_id
        assert d.other_label == pseudo(world, d.evidence["other"])[0].label_id
        assert 2 * (mask & masks[d.class_id]).sum() / (mask.sum() + masks[d.class_id].sum()) > 0.8


def test_what_was_fused_before_the_first_round_counts_in_it(world):
    ctx = world.ctx
    before = replace(ctx, round=0)
    with ctx.catalog.write() as writer:
        for line in writer.rows(WorkItem, stage="predict"):
            writer.put(replace(line, round=0))
    assert fuse.run(before, CONFIG).counts["computed"] == 5
    counts = fuse.run(ctx, CONFIG).counts
    assert (counts["computed"], counts["reused"]) == (0, 5)
    assert {x.round for x in ctx.catalog.rows(Label, origin="pseudo")} == {0}
    old, new = (
        [replace(m, round=9) for m in ctx.catalog.rows(Measure, round=n, name="attention_mm3")]
        for n in (0, 1)
    )
    assert old == new
    assert len(new) == 5 * (len(CLASSES) + 1)
    assert fuse.attention_path(ctx, CASE).is_file()
    assert not detect.run(ctx, CONFIG).failed
    measures = ctx.catalog.rows(Measure)
    fuse.run(ctx, CONFIG)
    assert ctx.catalog.rows(Measure) == measures


def test_models_are_weighed_by_what_they_reach_on_cases_they_have_not_seen(world):
    def bad(class_id, values):
        return np.roll(values, 3, 0) if class_id == "liver" else values

    for case in world.truth:
        rewrite(world, bad, case=case, models=("model1",))
    config = LabelingConfig(fuse=FuseConfig(by_quality=True))
    config = config.model_copy(
        update={"assemble": config.assemble.model_copy(update={"minimum_labels": 2})}
    )
    result = fuse.run(world.ctx, config)
    assert result.counts["models_weighed"] == 2
    found = world.ctx.catalog.rows(Measure, name="model_dsc")
    assert not {m.case_id for m in found} & {"src_case05"}  # test
    lines = world.ctx.catalog.rows(WorkItem, stage="predict", variant="model0")
    seen = {line.subject for line in lines if not line.result["out_of_fold"]}
    assert not {m.case_id for m in found if m.model_id == "model0"} & seen
    label, _ = pseudo(world, "liver")
    weights = label.facts["weights"]
    assert weights["model0"] > 0.9 > 0.8 > weights["model1"]
    assert fuse.run(world.ctx, config).counts["computed"] == 0


def test_staple_in_the_stage(world):
    result = fuse.run(world.ctx, LabelingConfig(fuse=FuseConfig(method="staple")))
    assert not result.failed
    label, mask = pseudo(world, "liver")
    assert label.facts["method"] == "staple"
    assert set(label.facts["sensitivity"]) == {"model0", "model1"}
    truth = world.truth[CASE]["liver"]
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.8


def test_a_prediction_in_another_place_or_gone_fails_its_case_alone(world):
    path = world.ctx.workspace.prediction_path(1, "model1", CASE)
    old = open_prediction(path)
    moved = np.array(AFFINE)
    moved[2, 3] += 5
    boxes = dict(old.classes)
    write_prediction(path, Prediction(boxes, SHAPE, moved, "model1", True))
    world.ctx.workspace.prediction_path(1, "model0", "src_case01").unlink()
    result = fuse.run(world.ctx, CONFIG)
    assert set(result.failed) == {CASE, "src_case01"}
    assert "model model1 lies on another grid than the scan" in result.failed[CASE]
    assert "model model0: its prediction is no longer kept" in result.failed["src_case01"]
    assert result.counts["computed"] == 3


def test_predictions_that_were_dropped_are_not_wanted_again_by_what_is_done(world):
    fuse.run(world.ctx, CONFIG)
    for path in (world.ctx.workspace.root / "predictions").rglob("*.vxp"):
        path.unlink()
    again = fuse.run(world.ctx, CONFIG)
    assert (again.counts["computed"], again.failed) == (0, {})
