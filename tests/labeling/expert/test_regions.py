"""Regions that models contradict in a label that is kept: found, left out, noted, taken back."""

import numpy as np
import pytest

from labeling.assembly import assemble
from labeling.assembly.undo import undo
from labeling.config import DetectConfig, JudgeConfig, LabelingConfig
from labeling.expert import detect
from labeling.expert.leaving_out import leave_out
from labeling.expert.regions import contradicted, known_without
from labeling.expert.support import supports
from labeling.fusion import fuse
from labeling.structures import Structure
from tests.conftest import oblique_affine
from tests.labeling.conftest import AFFINE as WORLD_AFFINE
from tests.labeling.conftest import build
from voxcurate.catalog import Decision, Label
from voxcurate.labels import read_mask
from voxcurate.predictions import Prediction, probability_box

SHAPE = (40, 34, 30)
AFFINE = oblique_affine((2.0, 3.0, 4.0), (0.05, -0.04, 0.06), (-30.0, -40.0, -50.0))
ML = 0.024
CONFIG = DetectConfig(region_ml=2.0, region_share=0.05, region_depth_mm=4.0)


def box(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


ORGAN = box((8, 8, 6), (28, 24, 20))
END = box((20, 8, 6), (28, 24, 20))


def found(label, predicted, config=CONFIG):
    soft = np.where(predicted, np.float32(0.97), np.float32(0.02))
    prediction = Prediction({"liver": probability_box(soft)}, SHAPE, AFFINE, "m", True)
    s = Structure.of("liver", label, AFFINE)
    return contradicted(s, supports([prediction], ["liver"])["liver"], config)


def test_an_end_that_the_label_lacks_by_hand():
    (region,) = found(ORGAN & ~END, ORGAN)
    assert region.side == "beside"
    assert region.ml == pytest.approx(END.sum() * ML)
    assert region.share == pytest.approx(8 / 12)
    assert region.probability == pytest.approx(0.97, abs=0.01)
    assert np.array_equal(region.where.full(), END)
    assert region.plain()["box"] == [[20, 28], [8, 24], [6, 20]]
    known = known_without([region], SHAPE)
    assert np.array_equal(~known, END)


def test_what_the_label_has_too_much():
    (region,) = found(ORGAN, ORGAN & ~END)
    assert region.side == "inside"
    assert np.array_equal(region.where.full(), END)


def test_a_border_drawn_differently_is_no_region():
    inner = box((9, 9, 7), (27, 23, 19))  # a voxel all around: 2 to 4 mm
    assert found(inner, ORGAN) == []
    assert found(ORGAN, inner) == []


def test_small_unsure_and_empty_ones_are_none():
    small = box((26, 20, 18), (28, 24, 20))
    assert found(ORGAN & ~small, ORGAN) == []
    own = {"region_ml_by_class": {"liver": 0.05}, "region_share": 0.001, "region_depth_mm": 0.0}
    by_class = CONFIG.model_copy(update=own)
    assert found(ORGAN & ~END, ORGAN, CONFIG.model_copy(update={"region_ml": 100.0})) == []
    assert len(found(ORGAN & ~END, ORGAN, by_class)) == 1
    soft = np.where(ORGAN, np.float32(0.8), np.float32(0.02))
    prediction = Prediction({"liver": probability_box(soft)}, SHAPE, AFFINE, "m", True)
    unsure = supports([prediction], ["liver"])["liver"]
    label = Structure.of("liver", ORGAN & ~END, AFFINE)
    assert contradicted(label, unsure, CONFIG) == []
    nothing = Structure.of("liver", np.zeros(SHAPE, bool), AFFINE)
    assert contradicted(nothing, unsure, CONFIG) == []


def cut(masks):
    """The lower half of the liver is lacking."""
    lower = np.arange(masks["liver"].shape[2]) < int(np.argwhere(masks["liver"])[:, 2].mean())
    return {**masks, "liver": masks["liver"] & ~lower}


@pytest.fixture
def world(tmp_path):
    return build(tmp_path / "ws", planted={2: cut})


def settings(*origins, **limits):
    limits = {"region_ml": 5.0, "region_share": 0.02, "region_depth_mm": 0.0, **limits}
    return LabelingConfig(
        detect=DetectConfig(regions=True, region_from=0.5, **limits),
        judge=JudgeConfig(auto_mend=("pseudo", "judged", *origins)),
    )


def examine(world, config):
    """Detection, and what the judge would leave; the judge itself is not asked."""
    detect.run(world.ctx, config)
    return leave_out(world.ctx, config).counts


def left(world):
    return [x for x in world.ctx.catalog.rows(Label) if "regions" in x.facts]


@pytest.mark.slow
def test_a_region_is_left_out_counts_and_is_taken_back(world):
    config = settings("original")
    fuse.run(world.ctx, config)
    counts = examine(world, config)
    case = sorted(world.truth)[2]
    (made,) = [x for x in left(world) if x.case_id == case]
    assert counts["regions_left_out"] == len(left(world)) >= 1
    old = world.ctx.catalog.rows(Label, label_id=made.parent)[0]
    assert old.retired
    assert (made.class_id, made.sha256, made.origin) == ("liver", old.sha256, "judged")
    root = world.ctx.workspace.root
    known = read_mask(root, made.known_path, world.truth[case]["liver"].shape)
    wrong = world.truth[case]["liver"] & ~world.current[case]["liver"]
    assert (~known).sum() > 0
    assert (~known & wrong).sum() > 0.9 * (~known).sum()
    (decision,) = world.ctx.catalog.rows(Decision, case_id=case, stage="regions")
    assert decision.verdict == "leave_out"
    assert decision.other_label == made.label_id
    ml = abs(np.linalg.det(WORLD_AFFINE[:3, :3])) / 1000
    told = sum(r["ml"] for r in decision.evidence["regions"])
    assert told == pytest.approx((~known).sum() * ml, rel=1e-3)
    before = len(world.ctx.catalog.rows(Label))
    examine(world, config)
    assert len(world.ctx.catalog.rows(Label)) == before
    assemble.run(world.ctx, config)
    assert world.ctx.catalog.current()[case, "liver"].label_id == made.label_id
    undone = undo(world.ctx, config.assemble, case, "liver", actor="AB", reason="it is liver")
    assert undone.label_id == old.label_id
    examine(world, config)
    assert len(world.ctx.catalog.rows(Label)) == before


@pytest.mark.slow
def test_a_persons_label_keeps_its_region_and_people_are_told(world):
    config = settings()
    fuse.run(world.ctx, config)
    counts = examine(world, config)
    case = sorted(world.truth)[2]
    assert left(world) == []
    assert counts["regions_noted"] >= 1
    (noted,) = world.ctx.catalog.rows(Decision, case_id=case, stage="regions")
    assert (noted.verdict, noted.other_label) == ("doubtful_region", "")
    assert noted.evidence["regions"][0]["side"] == "beside"
    assert list(world.ctx.workspace.scratch.glob("*regions*")) == []


def test_nothing_is_left_out_unless_asked_for(world):
    assert not LabelingConfig().detect.regions
    fuse.run(world.ctx, LabelingConfig())
    assert examine(world, LabelingConfig()) == {}


@pytest.mark.slow
def test_what_the_judge_replaces_keeps_its_mask(world):
    config = settings("original")
    fuse.run(world.ctx, config)
    detect.run(world.ctx, config)
    case = sorted(world.truth)[2]
    (label,) = world.ctx.catalog.rows(Label, case_id=case, class_id="liver", origin="original")
    with world.ctx.catalog.write() as writer:
        writer.decide(
            Decision("", 1, "judge", case, "liver", label.label_id, "replace", "", "judge", "", {})
        )
    assert leave_out(world.ctx, config).counts["regions_left_out"] == 0
