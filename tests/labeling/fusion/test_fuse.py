"""The stage fuse in a workspace: what it logs, when it does nothing, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from labeling.config import FuseConfig, LabelingConfig
from labeling.expert import detect
from labeling.fusion import fuse
from labeling.predicted import Predictions
from tests.labeling.conftest import AFFINE, CLASSES, SHAPE, build, phantom, soft
from voxcurate.catalog import Decision, Label, Measure, Scan, WorkItem
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


STAPLE = LabelingConfig(fuse=FuseConfig(method="staple"))


def attention_of(ctx):
    found = [replace(m, round=9) for m in ctx.catalog.rows(Measure, round=ctx.round)
             if m.name == "attention_mm3"]  # fmt: skip
    for m in found:
        m.facts.pop("map", None)
    return sorted(found, key=lambda m: (m.case_id, m.class_id))


def counting(ctx):
    """The labels of the fusion that counts, as assembly and detection see them."""
    fused = detect.results_of(ctx, "fuse")
    return {case: dict(result["labels"]) for case, result in fused.items()}


def test_settings_that_come_back_count_again_with_their_attention(world):
    other = LabelingConfig(attention={"entropy": "binary"}, fuse=FuseConfig(threshold=0.6))
    ctx = world.ctx
    fuse.run(ctx, CONFIG)
    labels, measures = counting(ctx), attention_of(ctx)
    stored = fuse.attention_path(ctx, CASE).read_bytes()
    for config in (STAPLE, other):
        fuse.run(ctx, config)
        assert counting(ctx) != labels
        assert attention_of(ctx) != measures
        assert not fuse.run(ctx, CONFIG).failed
        assert (counting(ctx), attention_of(ctx)) == (labels, measures)
        assert fuse.attention_path(ctx, CASE).read_bytes() == stored
    assert fuse.run(ctx, CONFIG).counts["computed"] == 0


def later_round(world):
    later = replace(world.ctx, round=2)
    with later.catalog.write() as writer:
        for line in writer.rows(WorkItem, stage="predict", round=1):
            writer.put(replace(line, round=2))
    return later


def test_a_later_round_writes_over_nothing_of_an_earlier_one(world):
    fuse.run(world.ctx, CONFIG)
    measures = attention_of(world.ctx)
    root = world.ctx.workspace.root / "attention"
    maps = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    later = later_round(world)
    other = LabelingConfig(attention={"entropy": "binary"})
    fuse.run(later, CONFIG)
    assert attention_of(later) == measures
    fuse.run(later, other)
    assert "/2/" in str(fuse.attention_path(later, CASE))
    assert attention_of(later) != measures
    assert fuse.run(later, CONFIG).counts["computed"] == 0
    assert attention_of(later) == measures
    assert "/1/" in str(fuse.attention_path(later, CASE))
    assert attention_of(world.ctx) == measures
    assert all(p.read_bytes() == old for p, old in maps.items())


def test_what_an_earlier_round_has_overwritten_is_made_anew(world):
    fuse.run(world.ctx, CONFIG)
    labels, measures = counting(world.ctx), attention_of(world.ctx)
    fuse.run(world.ctx, STAPLE)
    later = later_round(world)
    assert fuse.run(later, CONFIG).counts["computed"] == 5
    assert attention_of(later) == measures
    assert {c: x.keys() for c, x in counting(later).items()} == {
        c: x.keys() for c, x in labels.items()
    }


def test_of_two_predictions_of_a_model_the_last_one_votes(world):
    with world.ctx.catalog.write() as writer:
        for line in writer.rows(WorkItem, stage="predict", variant="model1"):
            writer.put(replace(line, fingerprint="a-new-one", updated="2999"))
    found = Predictions(world.ctx, CONFIG).of(list(world.ctx.cases()))
    assert {tuple(x.variant for x in lines) for lines in found.values()} == {("model0", "model1")}
    assert {lines[1].fingerprint for lines in found.values()} == {"a-new-one"}


def test_a_file_of_the_anatomy_that_changes_makes_new_work(world, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("region: abdomen\nclasses: {liver: {ml: [1, 9000]}}\n")
    config = LabelingConfig(rules={"anatomy": ["abdomen", str(own)]})
    assert fuse.run(world.ctx, config).counts["computed"] == 5
    assert detect.run(world.ctx, config).counts["computed"] == 5
    own.write_text("region: abdomen\nclasses: {liver: {ml: [8000, 9000]}}\n")
    assert fuse.run(world.ctx, config).counts["computed"] == 5
    assert detect.run(world.ctx, config).counts["computed"] == 5
    assert fuse.run(world.ctx, config).counts["computed"] == 0


def test_what_detection_measured_comes_back_with_its_settings(world):
    def measured():
        found = world.ctx.catalog.rows(Measure, stage="detect", name="tot_dsc")
        return {(m.case_id, m.class_id): m.value for m in found}

    detect.run(world.ctx, CONFIG)
    first = measured()
    detect.run(world.ctx, LabelingConfig(fuse=FuseConfig(threshold=0.9)))
    assert measured() != first
    assert detect.run(world.ctx, CONFIG).counts["computed"] == 0
    assert measured() == first


def test_a_midline_class_that_is_not_in_the_scan_tells_no_middle(world):
    from labeling.rules import load_anatomy

    scan = world.ctx.catalog.one(Scan, case_id=CASE)
    payload = {"classes": ["kidney_left", "aorta"], "modality": "CT",
               "ct": str(world.ctx.workspace.root / scan.path)}  # fmt: skip
    anatomy = load_anatomy(world.ctx.vocabulary, ("abdomen",))
    assert "aorta" in anatomy.midline
    full, none = np.full(SHAPE, 255, np.uint8), np.zeros(SHAPE, np.uint8)
    for aorta, is_asked in ((none, True), (full, False)):
        boxes = {"kidney_left": probability_box(full), "aorta": probability_box(aorta)}
        predictions = [Prediction(boxes, SHAPE, AFFINE, "m", True)]
        assert (fuse.body_middle(payload, predictions, anatomy) is not None) is is_asked
