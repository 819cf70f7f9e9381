"""Label weights by what detection and judges said."""

import numpy as np
import pytest

from tests.training.conftest import CLASSES, flagship_config, tiny, zoo_config
from training.config import GridConfig
from training.data.cases import CaseSpec, LabelSpec, ensure_case, load_case
from training.rounds import flagship, zoo
from training.rounds.cases import case_specs, current_labels
from training.rounds.payload import Run
from training.rounds.runs import _weighted
from training.rounds.trust import chances
from voxcurate.catalog import Decision, Label, Measure


def label_of(world, class_id="mandible", case_id="phantom_0"):
    (label,) = world.ctx.catalog.rows(Label, case_id=case_id, class_id=class_id)
    return label


def detected(world, label, wrong, number=1):
    facts = {"label_id": label.label_id, "calibrated": wrong}
    row = Measure(
        number, "detect", label.case_id, label.class_id, "", "error_probability", 0.99, facts
    )
    with world.ctx.catalog.write() as writer:
        writer.put(row)


def judged(world, label, verdict, confidence, other="", number=1):
    decision = Decision(
        "", number, "judge", label.case_id, label.class_id, label.label_id, verdict, "", "judge:x",
        other_label=other, evidence={"confidence": confidence},
    )  # fmt: skip
    with world.ctx.catalog.write() as writer:
        writer.decide(decision)


def test_nothing_said_is_nothing_told(world):
    assert chances(world.ctx, ["phantom_0"]) == {}
    assert chances(world.ctx, []) == {}


def test_the_calibrated_probability_of_the_newest_round_counts(world):
    label = label_of(world)
    detected(world, label, 0.8)
    assert chances(world.ctx, ["phantom_0"]) == {label.label_id: pytest.approx(0.2)}
    detected(world, label, 0.3, number=2)
    assert chances(world.ctx, ["phantom_0"]) == {label.label_id: pytest.approx(0.2)}
    assert chances(world.of_round(2), ["phantom_0"]) == {label.label_id: pytest.approx(0.7)}


def test_a_judge_speaks_after_detection(world):
    label = label_of(world)
    detected(world, label, 0.8)
    judged(world, label, "keep", 0.9)
    assert chances(world.ctx, ["phantom_0"]) == {label.label_id: pytest.approx(0.9)}


def test_a_judge_s_choice_makes_the_other_label_likely(world):
    label = label_of(world)
    detected(world, label, 0.8)
    judged(world, label, "replace", 0.75, other="new")
    told = chances(world.ctx, ["phantom_0"])
    assert told == {label.label_id: pytest.approx(0.2), "new": pytest.approx(0.75)}


@pytest.mark.parametrize("flag", ["gold", "confirmed"])
def test_what_people_stand_for_is_not_doubted(world, flag):
    label = label_of(world)
    detected(world, label, 0.9)
    said = Decision("", 1, "review", "phantom_0", "mandible", label.label_id, "accept", "", "human")
    with world.ctx.catalog.write() as writer:
        writer.flag(label.label_id, said, **{flag: True})
    assert chances(world.ctx, ["phantom_0"]) == {}


def weighted(world, role, **changes):
    labels = current_labels(world.ctx, 1)
    cases = case_specs(world.ctx, world.ctx.scans("train"), labels, CLASSES)
    run = Run("m", role, "unet_small", CLASSES, tiny(**changes), 1, cases)
    return {c["case_id"]: c["labels"] for c in _weighted(world.ctx, run).cases}


def test_the_flagship_heeds_it_and_the_zoo_does_not(world):
    detected(world, label_of(world), 0.8)
    assert weighted(world, "flagship")["phantom_0"]["mandible"]["right"] == pytest.approx(0.2)
    assert weighted(world, "flagship")["phantom_0"]["parotid_left"]["right"] == 1.0
    assert "right" not in weighted(world, "zoo")["phantom_0"]["mandible"]
    off = weighted(world, "flagship", trust={"by_probability": False})
    assert "right" not in off["phantom_0"]["mandible"]


def test_another_probability_is_another_flagship_but_the_same_zoo(world):
    flagship.run(world.ctx, flagship_config(steps=1))
    zoo.run(world.ctx, zoo_config(steps=1))
    detected(world, label_of(world), 0.8)
    assert flagship.run(world.ctx, flagship_config(steps=1)).counts["trained"] == 1
    assert zoo.run(world.ctx, zoo_config(steps=1)).counts["trained"] == 0


@pytest.mark.parametrize(("right", "expected"), [(1.0, 0.5), (0.6, 0.3), (0.05, 0.1)])
def test_weight_is_that_of_the_origin_times_the_probability_but_not_below_the_floor(
    world, tmp_path, right, expected
):
    ctx = world.ctx
    (spec,) = case_specs(ctx, ctx.scans("train")[:1], current_labels(ctx, 0), ["mandible"])
    label = {**spec["labels"]["mandible"], "right": right}
    case = CaseSpec(**{**spec, "labels": {"mandible": LabelSpec(**label)}})
    folders = ensure_case(case, ["mandible"], (8, 8, 8), GridConfig(), tmp_path / "cache")
    found = load_case(case, ["mandible"], folders, {"original": 0.5}, floor=0.2)
    np.testing.assert_allclose(found.weight, [expected])
