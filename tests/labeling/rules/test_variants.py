"""What normal variants, surgery, disease and long scans look like breaks no hard rule."""

import numpy as np
import pytest

from labeling.rules import CaseFacts, load_anatomy, shipped_anatomies
from labeling.rules.together import outside
from tests.labeling.rules.bodies import (
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
LONG = (44, 31, 120)  # from the lungs to the knees
LEGS = np.array([[9.0, 0, 0, -193], [0, 10.0, 0, -150], [0, 0, 8.0, -740], [0, 0, 0, 1]])


def accused(masks, affine=STRAIGHT, **facts):
    found = ANATOMY.check(structures(masks, affine), CaseFacts(**facts))
    return {(v.class_id, v.rule) for v in found if v.hard}


def test_where_the_legs_are_seen_whole_the_pelvis_is_still_near_the_femurs():
    legs = {
        "femur_left": ((-120, -20, -660), (-70, 30, -150)),
        "femur_right": ((70, -20, -660), (120, 30, -150)),
        "rectum": ((-15, -60, -190), (15, -30, -130)),
    }
    masks = masks_of(LEGS, LONG, **legs)
    assert accused(masks, LEGS, sex="male") == set()
    found = ANATOMY.outcomes(structures(masks, LEGS))
    assert states(found, "nearer")["bladder"] == "holds"
    high = masks_of(LEGS, LONG, **legs, bladder=((-35, 0, -60), (35, 50, -10)))
    assert ("bladder", "nearer") in accused(high, LEGS)


def test_nearer_is_told_from_the_nearest_levels():
    anatomy = written(nearer=[{"class": "bladder", "to": ["femur_left"], "than": ["kidney_left"]}])
    (told,) = of_rule(anatomy.outcomes(structures(masks_of())), "nearer")
    s = structures(masks_of())
    middle = s["bladder"].centroid[2]
    below = middle - s["femur_left"].extent[1, 2]
    above = s["kidney_left"].extent[0, 2] - middle
    assert told.evidence == {"to_mm": pytest.approx(below), "than_mm": pytest.approx(above)}
    within = masks_of(bladder=((-35, 0, -190), (35, 50, -160)))
    (told,) = of_rule(anatomy.outcomes(structures(within)), "nearer")
    assert told.evidence["to_mm"] == 0.0


def test_a_womb_of_late_pregnancy_reaches_the_kidneys():
    womb = {"prostate": None, "uterus": ((-30, 61, -160), (80, 140, 0))}
    assert accused(masks_of(**womb), sex="female") == set()


@pytest.mark.parametrize("degrees", [-6, 6])
def test_a_patient_who_lies_aslant_in_a_long_scan_is_on_the_right_sides(degrees):
    """Head and hips are 80 cm apart: at six degrees the midlines there are 8 cm apart."""
    shape = (44, 31, 130)
    long = np.array([[9.0, 0, 0, -193], [0, 10.0, 0, -150], [0, 0, 8.0, -300], [0, 0, 0, 1]])
    neck = {
        "parotid_left": ((-70, 0, 500), (-43, 40, 550)),
        "parotid_right": ((43, 0, 500), (70, 40, 550)),
        "submandibular_gland_left": ((-45, 40, 450), (-18, 60, 480)),
        "submandibular_gland_right": ((18, 40, 450), (45, 60, 480)),
        "larynx": ((-20, 20, 380), (20, 60, 440)),
        "brainstem": ((-20, -20, 520), (20, 20, 580)),
        "spinal_cord": ((-10, -80, 0), (10, -60, 500)),
    }
    masks = masks_of(long, shape, **neck)
    turn = np.eye(4)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = c, -s, s, c
    assert {x for x in accused(masks, turn @ long) if x[1] == "side"} == set()
    names = ("parotid_left", "parotid_right")
    alone = {c: m for c, m in masks.items() if c != names[1]}
    alone[names[0]] = masks[names[1]]
    assert (names[0], "side") in accused(alone, turn @ long)


@pytest.mark.parametrize("lower", [-40, 0, 110])
def test_one_side_higher_than_the_other_is_not_taken_for_swapped(lower):
    """The left carotid springs from the arch, the right one higher up from the trunk."""
    high = {
        "common_carotid_artery_left": ((-40, -20, 140 - lower), (-22, 0, 200)),
        "common_carotid_artery_right": ((14, -20, 140), (32, 0, 200)),
    }
    masks = masks_of(**high, lung_left=None, lung_right=None)
    names = list(high)
    assert {states(ANATOMY.outcomes(structures(masks)), "anchor")[c] for c in names} == {"holds"}
    swapped = {**masks, names[0]: masks[names[1]], names[1]: masks[names[0]]}
    assert {(c, "anchor") for c in names} <= accused(swapped)


@pytest.mark.parametrize("gone", ["lung_left", "kidney_right", "spleen", "bladder", "prostate"])
def test_what_surgery_takes_out_whole_is_no_hard_finding(gone):
    heart = ((-44, 0, 100), (30, 69, 170))
    masks = masks_of(**{gone: ()}, heart=heart)
    assert accused(masks, sex="male") == set()
    assert any(v.class_id == gone for v in ANATOMY.check(structures(masks), CaseFacts(sex="male")))


@pytest.mark.parametrize(
    ("row", "gone"),
    [
        (("vertebrae_L3", "vertebrae_L4", "vertebrae_L5", "vertebrae_S1"), "vertebrae_L5"),
        (("vertebrae_T11", "vertebrae_T12", "vertebrae_L1"), "vertebrae_T12"),
        (("rib_left_5", "rib_left_6", "rib_left_7"), "rib_left_6"),
    ],
)
def test_spines_and_ribs_of_another_number_are_told_but_not_hard(row, gone):
    boxes = {c: ((-80, -80, 100 - 30 * n), (-40, -50, 118 - 30 * n)) for n, c in enumerate(row)}
    masks = {c: box_mask(*box) for c, box in boxes.items()}
    masks[gone] = np.zeros_like(masks[gone])
    found = of_rule(ANATOMY.outcomes(structures(masks)), "presence", gone)
    (told,) = [v for v in found if v.state == "broken"]
    assert not told.hard
    assert "never was" in told.detail


def test_of_the_other_vertebrae_none_can_be_absent():
    masks = {
        c: box_mask((-20, -80, 100 - 30 * n), (20, -50, 118 - 30 * n))
        for n, c in enumerate(("vertebrae_L1", "vertebrae_L2", "vertebrae_L3"))
    }
    masks["vertebrae_L2"] &= False
    assert ("vertebrae_L2", "presence") in accused(masks)


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        ("brain", "brainstem"), ("sacrum", "vertebrae_S1"), ("colon", "rectum"),
        ("liver_segment_7", "hepatic_vessel"), ("pancreas_head", "pancreatic_duct"),
        ("heart_atrium_left", "atrial_appendage_left"),
    ],
)  # fmt: skip
def test_parts_that_some_data_draw_within_their_whole_may_share_voxels(whole, part):
    masks = {
        whole: box_mask((-60, -60, -60), (60, 60, 60)),
        part: box_mask((0, 0, 0), (40, 40, 40)),
    }
    assert "overlap" not in {rule for _, rule in accused(masks)}


def test_a_lesion_that_grows_out_of_its_organ_is_suspicious_but_breaks_no_hard_rule():
    """Half of it lies beyond; a tumour of the pancreas may reach out of it by 20 mm."""
    pancreas = ((-45, 10, -20), (45, 30, 20))
    near = masks_of(pancreas=pancreas, pancreatic_tumor=((9, 10, -20), (54, 50, 20)))
    assert states(ANATOMY.outcomes(structures(near)), "inside")["pancreatic_tumor"] == "holds"
    far = masks_of(pancreas=pancreas, pancreatic_tumor=((9, 10, -20), (54, 110, 20)))
    (told,) = of_rule(ANATOMY.outcomes(structures(far)), "inside", "pancreatic_tumor")
    assert (told.state, told.hard) == ("broken", False)
    apart = masks_of(pancreas=pancreas, pancreatic_tumor=((9, 90, -20), (54, 130, 20)))
    assert ("pancreatic_tumor", "inside") in accused(apart)


def test_the_reach_around_a_whole_is_that_of_the_distance_to_its_voxels():
    s = structures({"liver": box_mask((0, 0, 0), (50, 50, 50)),
                    "liver_tumor": box_mask((30, 30, 30), (80, 80, 80))})  # fmt: skip
    gone = outside(s["liver_tumor"], s["liver"], 12.0)
    points = s["liver_tumor"].points
    steps = np.linalg.norm(points[:, None] - s["liver"].points[None], axis=-1).min(axis=1)
    assert np.array_equal(gone[s["liver_tumor"].mask], steps > 12.0)
    plain = outside(s["liver_tumor"], s["liver"])
    assert np.array_equal(plain[s["liver_tumor"].mask], steps > 0)
