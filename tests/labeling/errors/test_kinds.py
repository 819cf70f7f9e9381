"""Which kind of error is told from which clues."""

import pytest

from agent.cohort.label_errors import KINDS as PLANTED
from labeling.errors.kinds import (
    KINDS,
    OF_EFFECTS,
    PLANTED_ONLY,
    Clues,
    clues_of,
    kind_of,
    of_volumes,
)


def overlap(ml):
    return {"rule": "overlap", "unit": "mL", "value": ml, "weight": 0.6, "detail": "share"}


@pytest.mark.parametrize(
    ("clues", "kind"),
    [
        (Clues(ml=0.0, predicted_ml=100.0, dsc=0.0), "missing"),
        (Clues(ml=100.0, chosen="exchanged", is_paired=True), "left_right_swap"),
        (Clues(ml=100.0, parts={"tot_swapped": 0.9}, is_paired=True), "left_right_swap"),
        (Clues(ml=100.0, dsc=0.0, predicted_ml=90.0, rules=[{"rule": "side"}], is_paired=True),
         "left_right_swap"),
        (Clues(ml=100.0, dsc=0.0, predicted_ml=90.0, rules=[{"rule": "side"}]), "misplaced"),
        (Clues(ml=100.0, predicted_ml=0.0, dsc=0.0), "false_positive"),
        (Clues(ml=100.0, removed=True), "false_positive"),
        (Clues(ml=100.0, predicted_ml=90.0, dsc=0.0, parts={"tot_wrong_class": 0.8}),
         "wrong_class"),
        (Clues(ml=100.0, predicted_ml=90.0, dsc=0.0, rules=[overlap(80.0)]), "wrong_class"),
        (Clues(ml=100.0, predicted_ml=90.0, dsc=0.1), "misplaced"),
        (Clues(ml=40.0, predicted_ml=100.0, dsc=0.57), "cut_off"),
        (Clues(ml=40.0, predicted_ml=100.0, dsc=0.57,
               oddities={"height_mm": -3.0, "width_mm": -2.5}), "eroded"),
        (Clues(ml=200.0, predicted_ml=100.0, dsc=0.66), "dilated"),
        (Clues(ml=200.0, predicted_ml=100.0, dsc=0.66, rules=[overlap(80.0)]), "merged"),
        (Clues(ml=130.0, predicted_ml=100.0, dsc=0.85, rules=[{"rule": "pieces"}]), "disconnected"),
        (Clues(ml=100.0, predicted_ml=100.0, dsc=0.8, oddities={"rough": 6.0}), "noisy_border"),
        (Clues(ml=100.0, predicted_ml=100.0, dsc=0.8, parts={"shape": 0.9}), "abnormal_shape"),
        (Clues(), "unclear"),
    ],
)  # fmt: skip
def test_clues_tell_the_kind(clues, kind):
    assert kind_of(clues) == kind


def test_what_took_the_place_says_more_than_the_prediction():
    by_model = Clues(ml=40.0, predicted_ml=40.0, dsc=0.0)
    assert kind_of(by_model) == "misplaced"
    mended = Clues(ml=40.0, predicted_ml=40.0, dsc=0.0, other_ml=100.0, kept=0.57, chosen="filled")
    assert kind_of(mended) == "cut_off"


def test_where_the_difference_lies_tells_parts_apart():
    known = {
        "inside": 0.5, "found": 0.95, "shift_mm": 2.0, "radius_mm": 30.0, "lost_ml": 1.0,
        "more_ml": 90.0, "aside": 0.1, "more_loose": 0.0, "more_in": "spleen", "more_in_share": 0.9,
    }  # fmt: skip
    clues = {"ml": 190.0, "predicted_ml": 100.0, "dsc": 0.66}
    assert kind_of(Clues(**clues)) == "dilated"
    assert kind_of(Clues(**clues, difference=known, is_well_drawn=True)) == "merged"
    assert kind_of(Clues(**clues, difference=known)) == "dilated"  # so-so models do not overrule
    odd = {"ml": 100.0, "predicted_ml": 100.0, "dsc": 0.66, "oddities": {"flat": 3.0}}
    assert kind_of(Clues(**odd)) == "abnormal_shape"
    assert kind_of(Clues(**odd, difference=known)) == "merged"  # but are better than no name


def evidence(usual_dsc=0.9, *, inside=0.9, found=0.5, rules=(), **comparison):
    parts = {
        "inside": inside, "found": found, "shift_mm": 1.0, "radius_mm": 30.0, "lost_ml": 9.0,
        "more_ml": 1.0, "aside": 0.8, "more_loose": 0.0, "more_in": "", "more_in_share": 0.0,
    }  # fmt: skip
    known = {"label_ml": 18.0, "predicted_ml": 17.0, "dsc": 0.9, "n_models": 1, **comparison}
    return {
        "comparison": known, "difference": parts, "usual_dsc": usual_dsc, "parts": {"rules": 0.6},
        "violations": [{"rule": r} for r in rules], "oddities": {},
    }  # fmt: skip


def told(evidence):
    return kind_of(clues_of(evidence, is_paired=False))


def test_a_slight_difference_does_not_overrule_what_the_rules_saw():
    assert told(evidence(inside=0.95, found=0.92, rules=("pieces",))) == "disconnected"
    assert told(evidence(inside=0.95, found=0.5, rules=("pieces",))) == "cut_off"
    assert told(evidence(inside=0.95, found=0.92)) == "cut_off"


def test_models_that_do_not_find_a_class_name_no_kind():
    nothing = {"predicted_ml": 0.1, "dsc": 0.0}
    assert told(evidence(**nothing)) == "false_positive"
    assert told(evidence(None, **nothing)) == "false_positive"
    assert told(evidence(0.1, **nothing)) == "unclear"
    aside = {"predicted_ml": 20.0, "dsc": 0.02}
    assert told(evidence(**aside)) == "misplaced"
    assert told(evidence(0.1, **aside)) == "unclear"
    assert told(evidence(0.1, **aside, n_models=0)) == "unclear"


def test_sizes_tell_what_a_person_mended():
    assert of_volumes(0.0, 5.0) == "missing"
    assert of_volumes(5.0, 0.0) == "false_positive"
    assert of_volumes(50.0, 100.0) == "cut_off"
    assert of_volumes(None, 5.0) == "unclear"


def test_every_planted_kind_and_every_effect_has_a_name():
    assert set(PLANTED) <= {*KINDS, *PLANTED_ONLY}
    assert set(OF_EFFECTS.values()) | set(PLANTED_ONLY.values()) <= set(KINDS)
