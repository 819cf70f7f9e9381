"""The stages one after the other on a small workspace with planted errors."""

import csv
import json

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.config import AssembleConfig, JudgeConfig, LabelingConfig, ReviewConfig
from labeling.expert import detect, judge
from labeling.expert.calibration import calibrated
from labeling.fusion import fuse
from labeling.predicted import Predictions
from labeling.review.review import export_review, import_review, pending, review_folder
from tests.labeling.conftest import AFFINE, CLASSES, PLANTED, SHAPE, build
from voxcurate.catalog import Assembly, Decision, Label, Measure, WorkItem
from voxcurate.labels import read_mask
from voxcurate.metrics import dsc
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Volume

CONFIG = LabelingConfig()
ERRORS = {
    ("src_case01", "kidney_left"),
    ("src_case01", "kidney_right"),
    ("src_case03", "spleen"),
    ("src_case05", "liver"),
}


def everything(world, config=CONFIG):
    return [
        fuse.run(world.ctx, config),
        detect.run(world.ctx, config),
        judge.run(world.ctx, config),
    ]


def mask_of(world, label):
    return read_mask(world.ctx.workspace.root, label.path, SHAPE)


def rows(world, kind):
    return world.ctx.catalog.rows(kind)


def test_fusion_makes_good_pseudo_labels_of_train_and_validation_only(world_with_errors):
    world = world_with_errors
    result = fuse.run(world.ctx, CONFIG)
    assert result.counts["cases"] == 11
    assert not result.failed
    labels = world.ctx.catalog.rows(Label, origin="pseudo")
    assert len(labels) == 11 * len(CLASSES)
    assert not {x.case_id for x in labels} & {"src_case11", "src_case12"}  # test
    for label in labels:
        assert dsc(mask_of(world, label), world.truth[label.case_id][label.class_id]) > 0.8
        assert label.facts["models"] == ["model0", "model1"]
    total = world.ctx.catalog.one(Measure, name="attention_mm3", class_id="", case_id="src_case00")
    parts = [
        m.value
        for m in world.ctx.catalog.rows(Measure, name="attention_mm3", case_id="src_case00")
        if m.class_id
    ]
    assert total.value == pytest.approx(sum(parts), abs=0.01)
    stored = read_nifti(fuse.attention_path(world.ctx, "src_case00"))
    voxel = abs(np.linalg.det(AFFINE[:3, :3]))
    assert stored.array.sum() / 64 * voxel == pytest.approx(total.value, rel=0.05)


def test_a_flagship_of_the_same_round_stays_out_of_the_fusion(world_with_errors):
    from dataclasses import replace

    from voxcurate.catalog import Model

    world = world_with_errors
    lines = world.ctx.catalog.rows(WorkItem, stage="predict", variant="model0")
    with world.ctx.catalog.write() as writer:
        writer.add(Model("late", 1, "flagship", "unet", "", "x", list(CLASSES), []))
        for line in lines:
            writer.put(replace(line, variant="late", fingerprint=f"{line.fingerprint}late"))
    found = Predictions(world.ctx, CONFIG).of(["src_case00", "src_case01"])
    assert [line.variant for line in found["src_case00"]] == ["model0", "model1"]


def test_a_file_of_the_anatomy_that_changes_is_judged_anew(world_with_errors, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("region: abdomen\nclasses: {liver: {ml: [1, 9000]}}\n")
    config = LabelingConfig(rules={"anatomy": ["abdomen", str(own)]})
    ctx = world_with_errors.ctx
    everything(world_with_errors, config)
    judged = ctx.catalog.count(WorkItem, stage="judge", status="done")
    judge.run(ctx, config)
    assert ctx.catalog.count(WorkItem, stage="judge", status="done") == judged > 0
    own.write_text("region: abdomen\nclasses: {liver: {ml: [8000, 9000]}}\n")
    judge.run(ctx, config)
    assert ctx.catalog.count(WorkItem, stage="judge", status="done") == 2 * judged


def test_exactly_the_planted_errors_are_detected(world_with_errors):
    world = world_with_errors
    everything(world)
    found = {
        (d.case_id, d.class_id): d
        for d in world.ctx.catalog.rows(Decision, stage="detect", verdict="suspect_label")
    }
    assert set(found) == ERRORS
    assert found["src_case01", "kidney_left"].evidence["kind"] == "tot_swapped"
    assert found["src_case03", "spleen"].evidence["kind"] == "tot_missing"
    seen = found["src_case05", "liver"].evidence
    assert "tot_no_overlap" in seen["parts"]
    assert seen["difference"]["inside"] == 0
    assert seen["error_probability"] == pytest.approx(calibrated(seen["score"]), abs=1e-3)
    assert seen["error_probability"] < seen["score"]
    assert seen["usual_dsc"] > 0.8
    chances = world.ctx.catalog.rows(Measure, name="error_probability")
    assert len(chances) == 11 * len(CLASSES)
    with (world.ctx.workspace.round_path(1, "priority.csv")).open() as stream:
        table = list(csv.DictReader(stream))
    assert len({row["case_id"] for row in table}) == 11
    assert {row["suspect"] for row in table} == {"0", "1"}


def test_originals_go_to_review_unless_mending_is_allowed(world_with_errors):
    world = world_with_errors
    everything(world)
    decisions = world.ctx.catalog.rows(Decision, stage="judge")
    asked = {(d.case_id, d.class_id): d for d in decisions if (d.case_id, d.class_id) in ERRORS}
    assert set(asked) == ERRORS
    assert {d.verdict for d in asked.values()} == {"to_review"}
    for (case_id, class_id), d in asked.items():
        proposal = world.ctx.catalog.one(Label, label_id=d.other_label)
        assert dsc(mask_of(world, proposal), world.truth[case_id][class_id]) > 0.8
    retired = [x for x in world.ctx.catalog.rows(Label) if x.retired]
    assert {x.label_id for x in retired} == {d.other_label for d in asked.values()}


def test_with_original_in_auto_mend_the_errors_are_mended(world_with_errors):
    world = world_with_errors
    config = LabelingConfig(judge=JudgeConfig(auto_mend=("original", "pseudo", "judged")))
    everything(world, config)
    assemble.run(world.ctx, config)
    for case_id, class_id in ERRORS:
        label = world.label(case_id, class_id)
        assert label.origin == "judged"
        assert dsc(mask_of(world, label), world.truth[case_id][class_id]) > 0.8
        shown = world.ctx.workspace.scan_path(case_id).parent / "segmentations"
        seen = read_nifti(shown / f"{class_id}.nii.gz").array
        assert dsc(seen, world.truth[case_id][class_id]) > 0.8
    test_pointers = [p for p in world.ctx.catalog.rows(Assembly) if p.case_id == "src_case11"]
    assert {p.trust for p in test_pointers} == {"original"}


def test_an_original_is_only_mended_by_a_usual_and_unbroken_mask(world_with_errors):
    world = world_with_errors
    strict = JudgeConfig(auto_mend=("original", "pseudo", "judged"), usual_oddity=0.01)
    everything(world, LabelingConfig(judge=strict))
    verdicts = {
        d.verdict
        for d in world.ctx.catalog.rows(Decision, stage="judge")
        if (d.case_id, d.class_id) in ERRORS
    }
    assert "to_review" in verdicts
    assert "replace" not in verdicts


def test_doing_everything_again_changes_nothing(world_with_errors):
    world = world_with_errors
    config = LabelingConfig(judge=JudgeConfig(auto_mend=("original", "pseudo", "judged")))
    everything(world, config)
    export_review(world.ctx, config)
    assemble.run(world.ctx, config)
    before = {k: rows(world, k) for k in (Label, Decision, Measure, Assembly)}
    again = everything(world, config)
    export_review(world.ctx, config)
    assert [r.counts.get("computed", 0) for r in again] == [0, 0, 0]
    assert assemble.run(world.ctx, config).counts["changed"] == 0
    assert {k: rows(world, k) for k in before} == before


def test_review_goes_out_and_comes_back(world_with_errors):
    world = world_with_errors
    config = LabelingConfig(review=ReviewConfig(budget=6))
    everything(world, config)
    result = export_review(world.ctx, config)
    assert result.counts["queued"] == len(pending(world.ctx)) >= 4
    folder = review_folder(world.ctx)
    queue = list(csv.DictReader((folder / "queue.csv").open()))
    items = {(q["case_id"], q["class_id"]): q for q in queue}
    assert set(items) >= ERRORS
    first = folder / queue[0]["folder"]
    names = {p.name for p in first.iterdir()}
    assert names >= {"ct.nii.gz", "label.nii.gz", "candidate.nii.gz", "overview.png", "item.json"}
    # one drawn anew, one confirmed, one retired, one in the wrong geometry
    key = ("src_case05", "liver")
    truth = world.truth[key[0]][key[1]]
    write_nifti(
        folder / items[key]["folder"] / "revised.nii.gz", Volume(truth.astype(np.uint8), AFFINE)
    )
    wrong = folder / items["src_case03", "spleen"]["folder"] / "revised.nii.gz"
    moved = AFFINE.copy()
    moved[0, 3] += 5
    write_nifti(wrong, Volume(truth.astype(np.uint8), moved))
    items["src_case01", "kidney_left"]["verdict"] = "accept"
    items["src_case01", "kidney_right"]["verdict"] = "retire"
    items["src_case01", "kidney_right"]["reviewer"] = "ada"
    items["src_case01", "kidney_right"]["comment"] = "as told by Dr. Quackenbush, MRN 481511"
    with (folder / "queue.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        table = csv.DictWriter(stream, list(queue[0]), delimiter=";")
        table.writeheader()
        table.writerows(queue)
    for _ in range(2):  # reading twice is reading once
        done = import_review(world.ctx)
        assert done.counts["revised"] == done.counts["accept"] == done.counts["retire"] == 1
        assert list(done.failed) == ["src_case03/spleen"]
        assert "5.0 mm" in done.failed["src_case03/spleen"]
    assert len(world.ctx.catalog.rows(Label, origin="revised")) == 1
    (retired,) = world.ctx.catalog.rows(Decision, stage="review", verdict="retire")
    assert retired.actor == "human:ada"
    assert retired.reason == "as told by Dr. [NAME], MRN [ID]"
    assemble.run(world.ctx, config)
    assert world.label(*key).origin == "revised"
    assert np.array_equal(mask_of(world, world.label(*key)), truth)
    assert world.label("src_case01", "kidney_left").confirmed
    assert world.label("src_case01", "kidney_right").origin in ("judged", "pseudo")
    assert world.label("src_case03", "spleen").origin == "original"


def answer(folder, changes):
    """Write verdicts into the queue."""
    queue = list(csv.DictReader((folder / "queue.csv").open()))
    for row in queue:
        row["verdict"] = changes.get((row["case_id"], row["class_id"]), row["verdict"])
    with (folder / "queue.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, list(queue[0]))
        table.writeheader()
        table.writerows(queue)
    return {(q["case_id"], q["class_id"]): folder / q["folder"] for q in queue}


def test_a_changed_mind_counts(world_with_errors):
    world, key = world_with_errors, ("src_case01", "kidney_left")
    everything(world)
    export_review(world.ctx, CONFIG)
    folder = review_folder(world.ctx)
    for verdict, origins in (("accept", ("judged", "pseudo")), ("confirm", ("original",))):
        answer(folder, {key: verdict})
        assert not import_review(world.ctx).failed
        assemble.run(world.ctx, CONFIG)
        assert world.label(*key).confirmed
        assert world.label(*key).origin in origins


def test_an_edited_item_cannot_touch_other_labels(world_with_errors):
    world, key = world_with_errors, ("src_case01", "kidney_left")
    everything(world)
    export_review(world.ctx, CONFIG)
    folder = review_folder(world.ctx)
    path = answer(folder, {key: "retire"})[key] / "item.json"
    test = next(x for x in rows(world, Label) if x.case_id == "src_case11")
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "label_id": test.label_id}))
    assert list(import_review(world.ctx).failed) == ["/".join(key)]
    path.write_text(json.dumps({k: v for k, v in told.items() if k != "candidate_id"}))
    assert list(import_review(world.ctx).failed) == ["/".join(key)]
    assert not any(x.retired for x in rows(world, Label) if x.origin == "original")


def test_saving_over_a_mask_in_the_review_folder_leaves_the_workspace_alone(world_with_errors):
    world, key = world_with_errors, ("src_case01", "kidney_left")
    everything(world)
    export_review(world.ctx, CONFIG)
    place = answer(review_folder(world.ctx), {})[key]
    before = mask_of(world, world.label(*key))
    for role in ("label", "candidate"):
        (place / f"{role}.nii.gz").write_bytes(b"")
    assert np.array_equal(mask_of(world, world.label(*key)), before)


def test_classes_without_labels_get_pseudo_labels(tmp_path):
    world = build(tmp_path / "ws", planted={}, unlabelled=("spleen",), n_train=6, n_test=1)
    everything(world)
    assemble.run(world.ctx, CONFIG)
    pointers = world.ctx.catalog.current()
    assert pointers["src_case00", "spleen"].trust in ("pseudo", "judged")
    assert pointers["src_case00", "liver"].trust == "original"
    assert ("src_case08", "spleen") not in pointers  # test: unknown stays unknown


def test_without_predictions_rules_and_shape_still_speak(tmp_path):
    world = build(tmp_path / "ws", planted=PLANTED, models=0)
    results = everything(world)
    assert not any(r.failed for r in results)
    found = {
        (d.case_id, d.class_id) for d in world.ctx.catalog.rows(Decision, verdict="suspect_label")
    }
    assert found >= {("src_case01", "kidney_left"), ("src_case01", "kidney_right")}


def test_the_published_order_prefers_the_original(world_with_errors):
    world = world_with_errors
    everything(world)
    labels = world.ctx.catalog.rows(Label, case_id="src_case00", class_id="liver")
    from dataclasses import replace

    revised = replace(labels[0], origin="revised", label_id="r")
    config = AssembleConfig(trust=("original", "human", "judged", "pseudo"))
    original = next(x for x in labels if x.origin == "original")
    assert assemble.choose([revised, *labels], config)[0] == original
    assert assemble.choose([revised, *labels], AssembleConfig())[0] == revised
    gone = replace(original, retired=True)
    assert assemble.choose([gone], AssembleConfig()) == (gone, "retired")
    assert assemble.choose([revised], AssembleConfig(), split="test") is None
