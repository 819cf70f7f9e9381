"""Left and right, against the midline, the other side and the organs of a known side."""

import numpy as np
import pytest

from labeling.rules import CaseFacts, load_anatomy, shipped_anatomies
from tests.labeling.rules.bodies import (
    ORGANS,
    STRAIGHT,
    VOCABULARY,
    box_mask,
    masks_of,
    of_rule,
    states,
    structures,
    written,
)

ANATOMY = load_anatomy(VOCABULARY, shipped_anatomies())
SWAPPED = {"kidney_left": ORGANS["kidney_right"], "kidney_right": ORGANS["kidney_left"]}
KIDNEYS = ("kidney_left", "kidney_right")


def outcomes(masks, affine=STRAIGHT, **facts):
    return ANATOMY.outcomes(structures(masks, affine), CaseFacts(**facts))


def test_swapped_sides_break_side_and_the_rule_against_the_liver():
    found = outcomes(masks_of(**SWAPPED))
    for rule in ("side", "anchor"):
        assert {c for c, s in states(found, rule).items() if s == "broken"} == set(KIDNEYS)
    (told,) = of_rule(found, "anchor", "kidney_left")
    assert told.other == "liver"
    # the liver's centre lies 62.5 mm right of the middle, the kidneys' middle at about 0
    assert told.value == pytest.approx(-62.5, abs=10)
    assert "swapped" in told.detail
    assert states(outcomes(masks_of()), "anchor")["kidney_left"] == "holds"


def test_the_rule_against_the_liver_needs_no_header():
    """In a mirrored scan with right labels the kidneys lie on the wrong side, the liver too."""
    mirror = np.diag([-1.0, 1, 1, 1]) @ STRAIGHT
    found = outcomes(masks_of(), mirror)
    assert set(states(found, "anchor").values()) <= {"holds", "unknown"}
    assert states(found, "side")["kidney_left"] == "broken"
    (told,) = of_rule(found, "mirrored")
    assert (told.class_id, told.state, told.hard) == ("", "broken", True)
    assert "situs inversus" in told.detail
    assert of_rule(outcomes(masks_of(**SWAPPED)), "mirrored")[0].state == "holds"


def test_without_a_liver_the_next_known_organ_tells_and_without_any_nobody():
    without = masks_of(**SWAPPED, liver=None)
    (told,) = of_rule(outcomes(without), "anchor", "kidney_left")
    assert (told.other, told.state) == ("spleen", "broken")
    for c in ("spleen", "stomach"):
        without.pop(c)
    (told,) = [v for v in of_rule(outcomes(without), "anchor") if "kidney" in v.class_id]
    assert told.state == "unknown"


def test_no_midline_and_no_scan_is_unknown_but_a_scan_tells():
    masks = {c: m for c, m in masks_of().items() if c == "kidney_left"}
    (told,) = of_rule(outcomes(masks), "side")
    assert told.state == "unknown"
    (told,) = of_rule(outcomes(masks, middle=0.0), "side")
    assert told.state == "holds"
    assert told.value == pytest.approx(60, abs=10)  # its centre lies 62.5 mm left of 0
    assert told.limit == ANATOMY.side_margin_mm
    (told,) = of_rule(outcomes(masks, middle=-120.0), "side")
    assert told.state == "broken"


def test_a_midline_structure_far_off_the_bodys_middle_is_told():
    anatomy = written(
        midline=["aorta", "bladder", "prostate"], classes={"prostate": {"midline_mm": 30}}
    )
    far = masks_of(prostate=((60, 0, -195), (100, 30, -172)))
    (told,) = of_rule(anatomy.outcomes(structures(far)), "midline")
    assert told.state == "broken"
    assert not told.hard
    assert told.value == pytest.approx(80 - 0, abs=12)
    alone = {"prostate": far["prostate"]}
    (told,) = of_rule(anatomy.outcomes(structures(alone)), "midline")
    assert told.state == "unknown"


@pytest.mark.parametrize("degrees", [-4, 4])
def test_a_far_anchor_may_lie_beside_the_middle_of_a_patient_who_lies_aslant(degrees):
    """The heart's centre lies 15 mm to the left, 390 mm below the parotids: 4 degrees are 27 mm."""
    shape = (44, 31, 110)
    long = np.array([[9.0, 0, 0, -193], [0, 10.0, 0, -150], [0, 0, 8.0, -200], [0, 0, 0, 1]])
    masks = {
        "heart": box_mask((-44, 0, 100), (14, 69, 170), long, shape),
        "parotid_left": box_mask((-70, 0, 500), (-43, 40, 550), long, shape),
        "parotid_right": box_mask((43, 0, 500), (70, 40, 550), long, shape),
    }
    turn = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = c, -s, s, c
    (told,) = of_rule(outcomes(masks, turn @ long), "anchor", "parotid_left")
    assert (told.other, told.state) == ("heart", "holds")
