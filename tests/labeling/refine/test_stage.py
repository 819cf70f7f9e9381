"""Refinement in a workspace: who may be replaced, what is recorded, undo, rounds, again."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from labeling.assembly import assemble
from labeling.assembly.undo import undo
from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert import detect, judge
from labeling.fusion import fuse
from labeling.refine import stage
from labeling.refine.config import RefineConfig
from labeling.review.review import build_queue
from tests.labeling.conftest import World, build
from voxcurate.catalog import Catalog, Decision, Label, WorkItem
from voxcurate.errors import ConfigError
from voxcurate.labels import read_mask
from voxcurate.metrics import dsc
from voxcurate.workspace import Workspace

REFINE = RefineConfig(band_mm=15.0, moves_mm=(0.0, -10.0, 10.0), reach_mm=25.0)  # 10 mm voxels
AUTO = ("pseudo", "judged", "original")


def config(*, auto=("pseudo", "judged"), **options):
    return LabelingConfig(
        judge=JudgeConfig(auto_mend=auto), refine=REFINE.model_copy(update=options)
    )


def fatten(masks):
    """A liver label that is too large all around."""
    liver = ndimage.binary_dilation(masks["liver"], iterations=2)
    others = np.any([m for c, m in masks.items() if c != "liver"], axis=0)
    return {**masks, "liver": liver & ~others}


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory):
    """Eight cases, fused and looked at; the liver of the third is too large."""
    made = build(
        tmp_path_factory.mktemp("refine") / "ws", planted={2: fatten}, n_train=7, n_validation=0,
        n_test=1,
    )  # fmt: skip
    fuse.run(made.ctx, config())
    detect.run(made.ctx, config())
    return made


@pytest.fixture
def world(looked_at, tmp_path):
    """A copy of it."""
    root = looked_at.ctx.workspace.root
    shutil.copytree(root.parent, tmp_path / "copy")
    workspace = Workspace(tmp_path / "copy" / root.name)
    ctx = replace(looked_at.ctx, workspace=workspace, catalog=Catalog(workspace.catalog_url))
    return World(ctx, looked_at.truth, looked_at.current)


def decisions(world, **where):
    return world.ctx.catalog.rows(Decision, stage="refine", **where)


def test_a_bad_border_of_a_person_goes_to_review_with_the_proposal(world):
    result = stage.run(world.ctx, config())
    assert not result.failed
    assert result.counts["replace"] == 0
    found = {(d.case_id, d.class_id): d for d in decisions(world, verdict="to_review")}
    told = found["src_case02", "liver"]
    made = world.ctx.catalog.one(Label, label_id=told.other_label)
    truth = world.truth["src_case02"]["liver"]
    mask = read_mask(world.ctx.workspace.root, made.path, truth.shape)
    assert dsc(mask, truth) > dsc(world.current["src_case02"]["liver"], truth) + 0.1
    assert (made.origin, made.parent, made.model_id[:8]) == ("judged", told.label_id, "refined_")
    assert made.retired  # it counts once a person accepts it
    assert told.actor == "refine:geodesic 1"
    assert len(told.evidence["points"]) == REFINE.points
    assert told.evidence["evidence"]["candidates"][0] == "current"
    queue = build_queue(world.ctx, config())
    assert ("src_case02", "liver", told.other_label) in {
        (q["case_id"], q["class_id"], q["candidate_id"]) for q in queue
    }


def test_good_labels_stay_and_the_reason_is_recorded(world):
    stage.run(world.ctx, config(auto=AUTO))
    kept = decisions(world, verdict="keep")
    assert len(kept) >= 25
    assert all(d.reason and not d.other_label for d in kept)
    assert {d.case_id for d in decisions(world)}.isdisjoint({"src_case07"})  # of the test split


def test_where_a_machine_may_mend_it_replaces_and_undo_brings_it_back(world):
    chosen = config(auto=AUTO)
    stage.run(world.ctx, chosen, cases=["src_case02"])
    (told,) = decisions(world, verdict="replace", case_id="src_case02")
    assemble.run(world.ctx, chosen)
    assert world.label("src_case02", "liver").label_id == told.other_label
    undo(world.ctx, chosen.assemble, "src_case02", "liver", actor="human:AB", reason="no")
    assert world.label("src_case02", "liver").label_id == told.label_id


def test_doing_it_again_computes_nothing_and_settings_that_change_nothing_do_not_either(world):
    some = {"cases": ["src_case02", "src_case03"]}
    first = stage.run(world.ctx, config(), **some)
    labels = len(world.ctx.catalog.rows(Label))
    for same in (config(), config(sam_batch=3, repairs=True)):
        again = stage.run(world.ctx, same, **some)
        assert (again.counts["computed"], again.counts["reused"]) == (0, first.counts["computed"])
    assert len(world.ctx.catalog.rows(Label)) == labels
    assert stage.run(world.ctx, config(points=4), **some).counts["computed"] == 2


def test_classes_cases_and_budget_are_kept_to(world):
    one = stage.run(world.ctx, config(), classes=["liver"], cases=["src_case02"])
    assert one.counts["cases"] == 1
    assert {(d.case_id, d.class_id) for d in decisions(world)} == {("src_case02", "liver")}
    places = stage.chosen_cases(world.ctx, config(), (), 3)
    assert len(places) == 3
    ranked = stage.chosen_cases(world.ctx, config(), (), 0)
    assert list(places) == list(ranked)[:3]
    for wrong in ({"classes": ["aorta"]}, {"cases": ["src_case07"]}):
        with pytest.raises(ConfigError, match=r"aorta|src_case07"):
            stage.run(world.ctx, config(), **wrong)


def test_what_the_judge_settled_in_this_round_is_left_alone(world):
    settled = Decision(
        "", 1, "judge", "src_case02", "liver", "x", "replace", "better", "judge:anatomy"
    )
    with world.ctx.catalog.write() as writer:
        writer.decide(settled)
    stage.run(world.ctx, config(), cases=["src_case02"])
    assert "liver" not in {d.class_id for d in decisions(world)}


@pytest.mark.parametrize("verdict", ["retire", "accept", "revised", "undo", "leave_out"])
def test_what_people_settled_in_this_round_is_left_alone(world, verdict):
    label = world.label("src_case02", "liver")
    said = Decision("", 1, "review", "src_case02", "liver", label.label_id, verdict, "", "human:a")
    with world.ctx.catalog.write() as writer:
        writer.decide(said)
    stage.run(world.ctx, config(), cases=["src_case02"])
    assert "liver" not in {d.class_id for d in decisions(world)}
    assert "spleen" in {d.class_id for d in decisions(world)}


def test_confirmed_labels_and_classes_that_are_left_are_not_asked(world):
    label = world.label("src_case02", "liver")
    said = Decision(
        "", 1, "review", "src_case02", "liver", label.label_id, "confirm", "", "human:a"
    )
    with world.ctx.catalog.write() as writer:
        writer.flag(label.label_id, said, confirmed=True)
    left = config(confidence_by_class={"spleen": 1.0})
    stage.run(world.ctx, left, cases=["src_case02"])
    assert {d.class_id for d in decisions(world)} == {"kidney_left", "kidney_right"}


def test_a_persons_drawing_is_replaced_only_where_it_is_surely_wrong():
    mark = {"weight": 0.0, "oddity": 1.0}
    row = {"choice": "even", "evidence": {"candidates": ["current", "even"], "marks": [{}, mark]}}
    settings = JudgeConfig(auto_mend=AUTO)
    drawn = Label(
        "l", "c", "liver", "original", "", "", 0, "p", "", "s", 1.0, 10, {}
    )  # fmt: skip

    def told(label=drawn, chance=0.9, judge=settings, lesion=False, **more):
        own = {**row, "evidence": {**row["evidence"], "marks": [{}, {**mark, **more}]}}
        return stage.verdict_on(judge, label, own, chance, is_lesion=lesion)

    assert told() == "replace"
    assert told(chance=0.5) == "to_review"
    assert told(oddity=3.0) == "to_review"
    assert told(weight=2.0) == "to_review"
    assert told(lesion=True) == "to_review"
    assert told(judge=JudgeConfig()) == "to_review"
    for flag in ("gold", "confirmed"):
        assert told(replace(drawn, **{flag: True})) == "to_review"
    machine = replace(drawn, origin="pseudo")
    assert told(machine, chance=0.0, judge=JudgeConfig(), oddity=3.0) == "replace"


def test_nothing_known_to_be_usual_is_said(tmp_path):
    made = build(tmp_path / "ws", planted={}, n_train=2, n_validation=0, n_test=0)
    with pytest.raises(ConfigError, match="usual"):
        stage.run(made.ctx, config())


def test_in_a_round_refined_borders_are_candidates_where_wanted(world):
    for wanted in (False, True):
        chosen = config(repairs=wanted)
        chosen = chosen.model_copy(
            update={"detect": chosen.detect.model_copy(update={"threshold": 0.01})}
        )
        judge.run(replace(world.ctx, cohort=frozenset({"src_case02"})), chosen)
        rows = world.ctx.catalog.rows(Decision, stage="judge", class_id="liver")
        names = {n for d in rows for n in d.evidence["candidates"] if n.startswith("refined_")}
        assert bool(names) == wanted
    lines = world.ctx.catalog.rows(WorkItem, stage="judge", subject="src_case02")
    assert len({line.fingerprint for line in lines}) == 2
