"""Real patients whom the anatomy texts do not have: mending takes nothing from their organs."""

import numpy as np
import pytest

from labeling.fusion.mend import mend
from labeling.rules import CaseFacts, load_anatomy, shipped_anatomies
from tests.labeling.rules.bodies import ORGANS, STRAIGHT, VOCABULARY, box_mask, masks_of, structures

ANATOMY = load_anatomy(VOCABULARY, shipped_anatomies())
SPINE = {"spinal_cord": ((-10, -90, -100), (10, -75, 190))}
PAIRED = ("kidney", "lung", "femur")


def mended(masks, affine=STRAIGHT):
    found, effects = mend(structures(masks, affine), ANATOMY)
    return {c: s.full() for c, s in found.items()}, effects


def unchanged(masks, affine=STRAIGHT):
    """The effects on masks that have to stay as they are."""
    after, effects = mended(masks, affine)
    for class_id, mask in masks.items():
        np.testing.assert_array_equal(after[class_id], mask, err_msg=class_id)
    assert {e.action for e in effects} <= {"told"}
    return [(e.class_id, e.rule) for e in effects]


def mirrored(box):
    low, high = box
    return (-high[0], *low[1:]), (-low[0], *high[1:])


def by_patients_side(name):
    """In situs inversus people call kidneys and limbs by the patient's sides."""
    return name.rsplit("_", 1)[0] in PAIRED


def test_the_usual_patient_stays():
    assert unchanged(masks_of(**SPINE)) == []


@pytest.mark.parametrize("named", ["by the organ", "by the side"])
def test_situs_inversus_is_told_once_and_nothing_is_mended(named):
    kept = by_patients_side if named == "by the side" else lambda _: False
    boxes = {c: box if kept(c) else mirrored(box) for c, box in ORGANS.items()}
    masks = masks_of(**boxes, **SPINE)
    assert unchanged(masks) == [("", "mirrored")]
    outcomes = ANATOMY.check(structures(masks), CaseFacts(sex="male"))
    (told,) = [v for v in outcomes if v.rule == "mirrored"]
    assert (told.class_id, told.hard) == ("", True)
    assert "situs inversus" in told.detail


def test_organs_that_only_come_in_pairs_may_be_mirrored_too():
    boxes = {c: mirrored(box) for c, box in ORGANS.items() if by_patients_side(c)}
    alone = {c: None for c in ORGANS if c not in boxes and c != "bladder"}
    assert unchanged(masks_of(**boxes, **alone, **SPINE)) == [("", "mirrored")]


def test_one_exchanged_pair_is_still_exchanged():
    swapped = {"kidney_left": ORGANS["kidney_right"], "kidney_right": ORGANS["kidney_left"]}
    after, effects = mended(masks_of(**swapped, **SPINE))
    right = masks_of()
    for class_id in swapped:
        np.testing.assert_array_equal(after[class_id], right[class_id])
    assert {e.action for e in effects} == {"moved"}


@pytest.mark.parametrize("top", [-81, -60])  # apart from the right one, and grown to it
def test_a_crossed_kidney_stays_beside_the_other_one(top):
    crossed = {"kidney_left": ((30, -80, top - 80), (75, -40, top))}
    masks = masks_of(**crossed, **SPINE)
    masks["kidney_left"] &= ~masks["kidney_right"]
    assert ("kidney_left", "side") in unchanged(masks)


def test_a_fragment_with_the_other_sides_name_is_no_crossed_kidney():
    masks = masks_of(kidney_left=((40, -80, -80), (85, -40, -64)), **SPINE)
    masks["kidney_right"] &= ~masks["kidney_left"]
    after, (effect,) = mended(masks)
    assert (effect.class_id, effect.action, effect.other) == (
        "kidney_left", "moved", "kidney_right",
    )  # fmt: skip
    np.testing.assert_array_equal(after["kidney_right"], masks_of()["kidney_right"])


def test_a_pelvic_kidney_stays_though_something_else_is_called_so():
    masks = masks_of(kidney_left=((-65, -80, -170), (-38, -30, -110)), **SPINE)
    masks["kidney_left"] |= box_mask((-85, -80, -40), (-50, -50, 0))
    assert ("kidney_left", "order") in unchanged(masks)


@pytest.mark.parametrize("right", [None, ORGANS["kidney_right"], ((60, -80, -70), (87, -50, -20))])
def test_a_transplant_stays_whatever_it_is_called(right):
    """In the right iliac fossa; the own kidneys are small or gone."""
    graft = box_mask((45, 0, -140), (100, 50, -70))
    own = {"kidney_left": ((-80, -80, -40), (-55, -50, 5)), "kidney_right": right}
    for name in ("kidney_left", "kidney_right"):
        masks = masks_of(**own, **SPINE)
        if name in masks:
            masks[name] |= graft
            unchanged(masks)


def test_a_stomach_that_was_pulled_up_stays_where_it_lies():
    masks = masks_of(stomach=((-30, 0, 110), (20, 50, 190)), **SPINE)
    masks["stomach"] |= box_mask((-60, 30, 20), (-25, 70, 60))
    masks["stomach"] &= ~masks["aorta"]
    unchanged(masks)


def test_a_vena_cava_on_both_sides_stays():
    masks = masks_of(postcava=((5, -45, -120), (25, -20, 0)), **SPINE)
    masks["postcava"] |= box_mask((-65, -35, -120), (-45, -15, -50))
    unchanged(masks)
    unchanged(masks_of(postcava=((-65, -35, -120), (-45, -15, 70)), **SPINE))


@pytest.mark.parametrize("degrees", [-6, 6])
def test_who_lies_aslant_in_a_long_scan_loses_nothing(degrees):
    """At six degrees the midlines of neck and hips lie 8 cm apart."""
    shape = (44, 31, 130)
    long = np.array([[9.0, 0, 0, -193], [0, 10.0, 0, -150], [0, 0, 8.0, -300], [0, 0, 0, 1]])
    neck = {
        "submandibular_gland_left": ((-45, 40, 450), (-18, 60, 480)),
        "submandibular_gland_right": ((18, 40, 450), (45, 60, 480)),
        "larynx": ((-20, 20, 380), (20, 60, 440)),
        "brainstem": ((-20, -20, 520), (20, 20, 580)),
    }
    masks = masks_of(long, shape, **neck)
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.eye(4)
    turn[[0, 0, 2, 2], [0, 2, 0, 2]] = c, -s, s, c
    assert unchanged(masks, turn @ long) == []
    one, two = "submandibular_gland_left", "submandibular_gland_right"
    wrong = {**masks, one: masks[two], two: np.zeros(shape, bool)}
    after, (effect,) = mended(wrong, turn @ long)
    assert (effect.class_id, effect.action, effect.other) == (one, "moved", two)
    np.testing.assert_array_equal(after[two], masks[two])
