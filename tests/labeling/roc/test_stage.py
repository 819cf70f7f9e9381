"""Stage roc on a workspace: thresholds, what reports remove, what people get, what comes back."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.assembly.undo import undo
from labeling.config import LabelingConfig
from labeling.review.folder import read_queue
from labeling.roc.answers import import_lesions, pending_lesions
from labeling.roc.config import RocConfig
from labeling.roc.queue import export_lesions, lesion_folder, waiting_lesions
from labeling.roc.reports import said_of
from labeling.roc.stage import run, stored
from tests.labeling.roc import world
from tests.labeling.roc.world import (
    ASKED,
    CLASS,
    FALSE,
    NOTHING,
    SHAPE,
    TUMOUR,
    build,
    labels,
    opened,
)
from voxcurate.catalog import Decision, Label, Measure, WorkItem
from voxcurate.labels import read_mask
from voxcurate.nifti import read_nifti, write_nifti
from voxcurate.volume import Volume

CONFIG = LabelingConfig(roc=RocConfig(draws=50))


def decisions(ctx, verdict):
    return ctx.catalog.rows(Decision, stage="roc", verdict=verdict)


def cases(rows):
    return sorted({d.case_id[-2:] for d in rows})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Made once: the workspace before and after the stage, and what the stage said."""
    fresh, done = tmp_path_factory.mktemp("fresh") / "ws", tmp_path_factory.mktemp("done") / "ws"
    build(fresh).catalog.close()
    shutil.copytree(fresh, done)
    after = opened(done)
    result = run(after, CONFIG, ASKED)
    after.catalog.close()
    return fresh, done, result


@pytest.fixture
def ctx(made, tmp_path):
    return opened(shutil.copytree(made[0], tmp_path / "ws"))


@pytest.fixture
def measured(made, tmp_path):
    return opened(shutil.copytree(made[1], tmp_path / "ws")), made[2]


def exported(ctx):
    export_lesions(ctx, CONFIG, ASKED)
    with (lesion_folder(ctx) / "queue.csv").open() as stream:
        return list(csv.DictReader(stream))


def answer(ctx, verdicts, **columns):
    """Write verdicts into the queue: (case number, candidate number) -> verdict."""
    path = lesion_folder(ctx) / "queue.csv"
    with path.open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        key = (int(row["case_id"][-2:]), int(row["number"]))
        row["verdict"] = verdicts.get(key, row["verdict"])
        row.update(columns)
    with path.open("w") as stream:
        table = csv.DictWriter(stream, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    return import_lesions(ctx)


def newest(ctx, n):
    return next(x for x in labels(ctx, n) if x.origin == "revised")


def mask_of(ctx, label):
    return read_mask(ctx.workspace.root, label.path, SHAPE)


def test_the_operating_point_of_the_round(measured):
    ctx, result = measured
    (found,) = stored(ctx)
    # truth: drawn on 0, 1, 2, 7, 8; by its report on 3; 4, 5, 6 nobody knows; 9 is a test scan
    assert {r.case_id[-2:] for r in found.rows if r.positive is not None} == {
        "00", "01", "02", "03", "07", "08",
    }  # fmt: skip
    assert found.sweep.n_lesions == 3
    assert found.threshold == pytest.approx(0.6, abs=0.01)
    assert found.reached
    assert not any(r.case_id.endswith("09") for r in found.rows)
    assert result.counts["scans"] == 9
    assert not result.failed
    measure = ctx.catalog.one(Measure, stage="roc", name="analysis")
    assert measure.value == pytest.approx(found.threshold, abs=1e-6)


def test_what_was_stored_is_what_was_found(measured):
    ctx, _ = measured
    (one,) = stored(ctx)
    again = stored(ctx)[0]
    assert one.to_json() == again.to_json()
    assert one.intervals.values.keys() >= {"auc", "sensitivity", "false_per_scan"}


def test_the_report_empties_a_machines_label_with_its_finding_as_evidence(measured):
    ctx, result = measured
    (made,) = decisions(ctx, "remove")
    assert made.case_id.endswith("03")
    finding = made.evidence["finding"]
    assert (finding["question"], finding["value"]) == ("liver_tumour", "no")
    assert finding["report_id"] == "r_src_case03"
    assert "SENTENCE" not in json.dumps(made.evidence)  # decisions are exported
    old, new = labels(ctx, 3)
    assert (old.origin, new.origin, new.voxels, new.parent) == ("pseudo", "judged", 0, old.label_id)
    assert (made.label_id, made.other_label) == (old.label_id, new.label_id)
    assert result.counts["labels_emptied"] == 1


def test_what_a_person_drew_is_not_removed_by_a_report(measured):
    ctx, result = measured
    assert cases(decisions(ctx, "contradicts")) == ["08"]
    assert len(labels(ctx, 8)) == 1
    assert result.counts["contradicts"] == 1


def test_an_original_is_removed_only_where_it_may_be_mended(tmp_path):
    ctx = build(tmp_path / "ws")
    judge = CONFIG.judge.model_copy(update={"auto_mend": ("original", "pseudo", "judged")})
    run(ctx, CONFIG.model_copy(update={"judge": judge}), ASKED)
    assert cases(decisions(ctx, "remove")) == ["03", "08"]
    old = next(x for x in labels(ctx, 8) if x.origin == "original")
    assert old.retired


def test_named_and_not_found_comes_first_then_contradictions_then_candidates(measured):
    ctx, _ = measured
    queue = exported(ctx)
    assert [(r["kind"], r["case_id"][-2:], r["number"]) for r in queue] == [
        ("missed", "05", "0"),
        ("missed", "07", "0"),
        ("contradicts", "08", "0"),
        ("candidate", "04", "1"),
        ("candidate", "04", "2"),
        ("candidate", "06", "1"),
    ]
    folder = lesion_folder(ctx) / queue[3]["folder"]
    np.testing.assert_array_equal(read_nifti(folder / "candidate.nii.gz").array != 0, TUMOUR)
    np.testing.assert_array_equal(read_nifti(folder / "label.nii.gz").array != 0, TUMOUR | FALSE)
    item = json.loads((folder / "item.json").read_text())
    assert item["report_sentence"] == "SENTENCE yes"
    assert (folder / "overview.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(ctx.workspace.scratch.glob("*.nii.gz"))
    assert len(pending_lesions(ctx)) == 6


def test_accept_and_erase_make_one_version_once_all_are_answered(measured):
    ctx, _ = measured
    exported(ctx)
    first = answer(ctx, {(4, 1): "accept"})
    assert (first.counts["lesions_accept"], first.counts["lesions_open"]) == (1, 5)
    assert [x.origin for x in labels(ctx, 4)] == ["pseudo"]  # the other is still open
    answer(ctx, {(4, 2): "erase"})
    made = newest(ctx, 4)
    np.testing.assert_array_equal(mask_of(ctx, made), TUMOUR)
    assert made.parent == labels(ctx, 4)[0].label_id
    assert made.facts["answers"] == {"1": "accept", "2": "erase"}
    again = answer(ctx, {})
    assert not again.failed
    assert len(labels(ctx, 4)) == 2
    assert len(pending_lesions(ctx)) == 4


def test_all_erased_is_an_empty_label_that_people_made(measured):
    ctx, _ = measured
    exported(ctx)
    answer(ctx, {(6, 1): "erase"}, reviewer="AB", comment="vessel")
    assert newest(ctx, 6).voxels == 0
    (said,) = decisions(ctx, "erase")
    assert (said.actor, said.reason) == ("human:AB", "vessel")
    assembled = assemble.run(ctx, CONFIG)
    assert assembled.counts["human"] == 1
    pointer = ctx.catalog.current()["src_case06", CLASS]
    assert (pointer.label_id, pointer.trust) == (newest(ctx, 6).label_id, "human")


def test_a_corrected_candidate_and_a_missed_tumour_drawn(measured):
    ctx, _ = measured
    queue = {(r["case_id"][-2:], r["number"]): r["folder"] for r in exported(ctx)}
    half = TUMOUR.copy()
    half[12:] = False
    for key, name, mask in (
        (("06", "1"), "candidate.nii.gz", half),
        (("05", "0"), "revised.nii.gz", TUMOUR),
    ):
        path = lesion_folder(ctx) / queue[key] / name
        write_nifti(path, Volume(mask.astype(np.uint8), world.AFFINE))
    result = answer(ctx, {(6, 1): "accept", (7, 0): "confirm", (8, 0): "confirm"})
    assert result.counts["lesions_revised"] == 1  # a file without a verdict is one
    np.testing.assert_array_equal(mask_of(ctx, newest(ctx, 6)), half)
    np.testing.assert_array_equal(mask_of(ctx, newest(ctx, 5)), TUMOUR)
    assert newest(ctx, 7).voxels == 0
    (kept,) = labels(ctx, 8)
    assert kept.confirmed
    assert kept.voxels == FALSE.sum()


def test_what_people_have_answered_is_not_asked_again(measured):
    ctx, _ = measured
    exported(ctx)
    answer(ctx, {(7, 0): "confirm", (8, 0): "confirm", (6, 1): "erase"})
    assemble.run(ctx, CONFIG)
    later = replace(ctx, round=2)
    lines = ctx.catalog.rows(WorkItem, stage=("predict", "fuse"))
    with ctx.catalog.write() as writer:
        writer.put_all([replace(line, round=2) for line in lines])
    run(later, CONFIG, ASKED)
    asked = ctx.catalog.rows(Decision, stage="roc", round=2)
    assert cases(asked) == ["03", "04", "05"]


def test_wrong_answers_leave_the_others_alone(measured):
    ctx, _ = measured
    queue = {r["case_id"][-2:]: r["folder"] for r in exported(ctx)}
    moved = world.AFFINE.copy()
    moved[0, 3] += 5
    path = lesion_folder(ctx) / queue["06"] / "candidate.nii.gz"
    write_nifti(path, Volume(TUMOUR.astype(np.uint8), moved))
    result = answer(
        ctx,
        {(6, 1): "accept", (8, 0): "accept", (5, 0): "revised", (4, 1): "accept", (4, 2): "erase"},
    )
    assert set(result.failed) == {f"src_case{n}/{CLASS}" for n in ("05", "06", "08")}
    assert "mm from the scan's" in result.failed[f"src_case06/{CLASS}"]
    assert newest(ctx, 4).voxels == TUMOUR.sum()


def test_an_undone_removal_stays_undone(measured):
    ctx, _ = measured
    config = CONFIG.assemble
    with ctx.catalog.write() as writer:  # the models are good: what they draw counts
        for n in (0, 1, 8):
            (drawn,) = labels(ctx, n)
            facts = {"label_id": drawn.label_id, "out_of_fold": True}
            writer.put(Measure(1, "detect", drawn.case_id, CLASS, "", "tot_dsc", 0.9, facts))
    assemble.run(ctx, CONFIG)
    old, emptied = labels(ctx, 3)
    assert ctx.catalog.current()["src_case03", CLASS].label_id == emptied.label_id
    undo(ctx, config, "src_case03", CLASS, actor="AB", reason="it is there", to=old.label_id)
    assemble.run(ctx, CONFIG)
    assert ctx.catalog.current()["src_case03", CLASS].label_id == old.label_id
    run(ctx, CONFIG, ASKED)
    assemble.run(ctx, CONFIG)
    assert ctx.catalog.current()["src_case03", CLASS].label_id == old.label_id
    assert cases(decisions(ctx, "contradicts")) == ["03", "08"]


def test_said_again_nothing_new_is_written(measured):
    ctx, _ = measured
    before = (ctx.catalog.count(Decision), ctx.catalog.count(Label))
    again = run(ctx, CONFIG, ASKED)
    assert (again.counts["computed"], again.counts["reused"]) == (0, 9)
    assert (ctx.catalog.count(Decision), ctx.catalog.count(Label)) == before
    rows = exported(ctx)
    assert exported(ctx) == rows  # a queue once exported stays


def test_another_threshold_needs_no_new_measurement_and_has_its_own_list(ctx):
    run(ctx, CONFIG, ASKED)
    low = CONFIG.model_copy(update={"roc": CONFIG.roc.model_copy(update={"sensitivity": 0.6})})
    result = run(ctx, low, ASKED)
    assert result.counts["computed"] == 0
    assert stored(ctx)[0].threshold == pytest.approx(0.9, abs=0.01)
    assert [
        (r["case_id"][-2:], r["number"]) for r in exported(ctx) if r["kind"] == "candidate"
    ] == [("04", "1")]


def test_the_budget_keeps_a_scans_candidates_together(measured):
    ctx, _ = measured
    small = CONFIG.model_copy(update={"roc": CONFIG.roc.model_copy(update={"budget": 4})})
    export_lesions(ctx, small, ASKED)
    with (lesion_folder(ctx) / "queue.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [r["case_id"][-2:] for r in rows] == ["05", "07", "08", "04", "04"]


def test_what_finds_no_room_is_listed_and_comes_in_the_next_round(measured):
    ctx, _ = measured
    small = CONFIG.model_copy(update={"roc": CONFIG.roc.model_copy(update={"budget": 2})})
    result = export_lesions(ctx, small, ASKED)
    assert dict(result.counts) == {"lesions_queued": 2, "lesions_waiting": 4}
    folder = lesion_folder(ctx)
    with (folder / "waiting.csv").open() as stream:
        waiting = list(csv.DictReader(stream))
    listed = [(r["rank"], r["kind"], r["case_id"][-2:]) for r in waiting]
    first = [(r["kind"], r["case_id"][-2:]) for r in read_queue(folder)]
    assert first == [("missed", "05"), ("contradicts", "08")]
    assert listed == [
        ("3", "missed", "07"), ("4", "candidate", "04"), ("5", "candidate", "04"),
        ("6", "candidate", "06"),
    ]  # fmt: skip
    assert "4 more wait in waiting.csv" in (folder / "README.txt").read_text()
    assert len(pending_lesions(ctx)) == 2  # the round waits for no more
    assert dict(export_lesions(ctx, small, ASKED).counts) == dict(result.counts)  # it stays
    answer(ctx, {(5, 0): "confirm", (8, 0): "confirm"})
    assemble.run(ctx, CONFIG)
    later = replace(ctx, round=2)
    lines = ctx.catalog.rows(WorkItem, stage=("predict", "fuse"))
    with ctx.catalog.write() as writer:
        writer.put_all([replace(line, round=2) for line in lines])
    run(later, CONFIG, ASKED)
    found = export_lesions(later, small, ASKED)
    assert [r["case_id"][-2:] for r in read_queue(lesion_folder(later))] == ["07", "06"]
    assert found.counts["lesions_waiting"] == 2


def test_without_a_budget_all_is_only_listed(measured):
    ctx, _ = measured
    none = CONFIG.model_copy(update={"roc": CONFIG.roc.model_copy(update={"budget": 0})})
    assert dict(export_lesions(ctx, none, ASKED).counts) == {
        "lesions_queued": 0, "lesions_waiting": 6,
    }  # fmt: skip
    assert pending_lesions(ctx) == []
    assert waiting_lesions(lesion_folder(ctx)) == 6
    assert len(exported(ctx)) == 6
    assert waiting_lesions(lesion_folder(ctx)) == 0


def test_a_yes_of_any_report_outweighs_a_no(ctx):
    with ctx.catalog.write() as writer:
        writer.put(world.finding("src_case03", "yes", "liver_metastasis", "late"))
        writer.put(world.finding("src_case02", "yes", "liver_metastasis", "bad", supported=False))
        writer.put(world.finding("src_case06", "no", "liver_metastasis", "narrow"))
        writer.put(world.finding("src_case00", "no", "liver_lesion", "old"))
    said = said_of(ctx.catalog, ASKED, [f"src_case{n:02d}" for n in range(9)], 0.5)
    words = {case[-2:]: s.value for (case, _), s in said.items()}
    assert (words["03"], words["02"], words["00"]) == ("yes", "no", "yes")
    assert "06" not in words  # no metastasis is not no tumour
    doubtful = said_of(ctx.catalog, ASKED, ["src_case02"], 0.95)
    assert doubtful["src_case02", CLASS].value == "uncertain"


def test_no_truth_no_reports_no_candidates(tmp_path):
    plans = (world.Plan(None, ((TUMOUR, 0.8),)), world.Plan(None, ()))
    ctx = build(tmp_path / "ws", plans)
    result = run(ctx, CONFIG, {})
    assert not result.failed
    (found,) = stored(ctx)
    assert found.threshold is None
    assert cases(decisions(ctx, "candidate")) == ["00"]  # by the usual 0.5
    assert len(exported(ctx)) == 1


def test_a_round_without_lesions_does_nothing(tmp_path):
    ctx = build(tmp_path / "ws", classes=("liver",))
    assert run(ctx, CONFIG, {}).counts == {}
    assert export_lesions(ctx, CONFIG, {}).counts == {}
    assert import_lesions(ctx).counts == {}
    assert pending_lesions(ctx) == []


def test_a_broken_prediction_fails_alone(ctx):
    path = ctx.workspace.prediction_path(1, "net", "src_case01")
    path.write_bytes(path.read_bytes()[:40])
    result = run(ctx, CONFIG, ASKED)
    assert set(result.failed) == {"src_case01"}
    assert result.counts["scans"] == 8


def test_the_truth_is_never_a_machines(tmp_path):
    plans = (*world.PLANS, world.Plan(NOTHING, ((TUMOUR, 0.9),), "", origin="pseudo"))
    ctx = build(tmp_path / "ws", plans)
    run(ctx, CONFIG, ASKED)
    row = next(r for r in stored(ctx)[0].rows if r.case_id == "src_case10")
    assert row.positive is None
