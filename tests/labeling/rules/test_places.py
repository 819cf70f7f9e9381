"""Overlaps, containment, order, gaps, presence: hand-made cases with known numbers."""

import numpy as np
import pytest

from labeling.body import body_frame
from labeling.rules import CaseFacts, load_anatomy, shipped_anatomies
from labeling.rules.case import Seen
from labeling.rules.continuity import level_mm, missing_levels
from labeling.rules.together import outside, shared_voxels
from labeling.structures import Structure, common_voxels
from tests.labeling.rules.bodies import (
    OBLIQUE,
    ORGANS,
    SHAPE,
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
VOXEL_ML = 0.72


def outcomes(masks, anatomy=ANATOMY, affine=STRAIGHT, **facts):
    return anatomy.outcomes(structures(masks, affine), CaseFacts(**facts))


def test_a_forbidden_overlap_is_told_in_ml_with_its_box():
    anatomy = written(overlaps=[{"a": "liver", "b": "aorta", "ml": 0.8}])
    masks = masks_of()
    masks["liver"][20, 10, 30] = masks["aorta"][20, 10, 30] = True
    found = of_rule(outcomes(masks, anatomy), "overlap")
    assert {v.state for v in found} == {"holds"}
    assert found[0].value == pytest.approx(VOXEL_ML)
    masks["liver"][20, 10, 31] = masks["aorta"][20, 10, 31] = True
    found = of_rule(outcomes(masks, anatomy), "overlap")
    assert {(v.class_id, v.other, v.state) for v in found} == {
        ("liver", "aorta", "broken"), ("aorta", "liver", "broken")
    }  # fmt: skip
    assert found[0].value == pytest.approx(2 * VOXEL_ML)
    assert found[0].evidence["mm3"] == pytest.approx(2000 * VOXEL_ML)
    assert [tuple(b) for b in found[0].box] == [(20, 21), (10, 11), (30, 32)]
    found = of_rule(outcomes({"liver": masks["liver"]}, anatomy), "overlap")
    assert [v.state for v in found] == ["unknown"]
    assert set(states(outcomes(masks, anatomy, disjoint=True), "overlap").values()) == {"holds"}


def test_shared_voxels_are_those_of_each_pair():
    rng = np.random.default_rng(1)
    found = {c: rng.random(SHAPE) < 0.01 for c in ("aorta", "liver", "spleen", "stomach")}
    there = {c: Seen(s) for c, s in structures(found).items()}
    expected = {
        (a, b): n
        for a in found
        for b in found
        if a < b and (n := common_voxels(there[a].s, there[b].s))
    }
    assert shared_voxels(there) == expected
    assert shared_voxels({}) == {}


def test_a_lesion_may_lie_anywhere_but_in_its_organ_if_it_has_one():
    masks = masks_of()
    masks["tumor"] = masks["liver"] | masks["spleen"]
    assert states(outcomes(masks), "overlap").get("tumor") != "broken"
    masks["liver_tumor"] = masks["spleen"]
    assert states(outcomes(masks), "inside")["liver_tumor"] == "broken"
    masks["liver_tumor"] = box_mask((30, 0, 20), (60, 30, 50))
    assert states(outcomes(masks), "inside")["liver_tumor"] == "holds"
    del masks["liver"]
    assert states(outcomes(masks), "inside")["liver_tumor"] == "unknown"


def test_a_tumour_cut_out_of_its_organ_has_to_touch_it():
    """In a label map a voxel has one class: the liver is drawn without its tumour."""
    masks = masks_of()
    tumour = box_mask((30, 0, 20), (60, 30, 50))
    masks["liver"] &= ~tumour
    far = box_mask((-110, -50, -60), (-100, -40, -40))
    s = structures({**masks, "liver_tumor": tumour | far})
    gone = outside(s["liver_tumor"], s["liver"])
    assert np.count_nonzero(gone) == np.count_nonzero(far)
    assert states(outcomes({**masks, "liver_tumor": tumour}), "inside")["liver_tumor"] == "holds"
    empty = Structure.of("liver", np.zeros(SHAPE, bool), STRAIGHT)
    assert outside(s["liver_tumor"], empty).sum() == s["liver_tumor"].voxels


def test_a_gap_is_told_in_mm_with_its_levels():
    masks = masks_of()
    masks["aorta"] &= ~box_mask((-200, -200, 22), (200, 200, 54))  # levels 22, 30, 38, 46
    found = [v for v in of_rule(outcomes(masks), "gap", "aorta") if v.state == "broken"]
    assert {v.other for v in found} >= {"", "kidney_left+lung_left"}
    own = next(v for v in found if not v.other)
    assert own.value == pytest.approx(32)
    assert own.limit == 16  # two levels of 8 mm
    assert own.evidence["missing_share"] == pytest.approx(4 / 38, abs=0.01)
    (low, high) = own.box[2]
    assert low <= 29
    assert high >= 33
    two = masks_of()
    two["aorta"] &= ~box_mask((-200, -200, 22), (200, 200, 38))
    assert states(outcomes(two), "gap")["aorta"] != "broken"


def test_a_tube_that_must_be_there_is_missing_at_all_levels_if_it_is_empty():
    found = of_rule(outcomes(masks_of(aorta=())), "gap", "aorta")
    told = next(v for v in found if v.other == "kidney_left+lung_left")
    assert told.state == "broken"
    assert told.evidence["missing_share"] == 1.0
    assert not of_rule(outcomes(masks_of(aorta=None)), "gap", "aorta")
    alone = of_rule(outcomes({"aorta": masks_of()["aorta"]}), "gap", "aorta")
    assert {(v.other == "", v.state) for v in alone} == {(True, "holds"), (False, "unknown")}


@pytest.mark.parametrize("affine", [STRAIGHT, OBLIQUE])
def test_levels_are_those_of_a_plain_loop(affine):
    mask = box_mask((-40, -60, -120), (10, 0, 160), affine)
    mask &= ~box_mask((-200, -200, -20), (200, 200, 50), affine)
    s = Structure.of("aorta", mask, affine)
    heights = np.array([(affine @ [*i, 1])[2] for i in np.argwhere(mask)])
    step, low, high = level_mm(affine), -100.0, 150.0
    missing = [
        not ((heights >= low + n * step - 1e-6) & (heights < low + (n + 1) * step - 1e-6)).any()
        for n in range(int((high - low) / step))
    ]
    found = missing_levels(s, low, high)
    assert (found.n, found.missing) == (len(missing), sum(missing))
    longest = max(len(run) for run in "".join("x" if m else " " for m in missing).split())
    assert found.longest_mm == pytest.approx(longest * step)


def test_an_order_that_the_scans_end_may_have_turned_is_unknown():
    anatomy = written(relations=[{"a": "lung_left", "is": "above", "b": "spleen", "margin_mm": 60}])
    assert states(outcomes(masks_of(), anatomy), "relation")["spleen"] == "holds"
    low = masks_of(lung_left=((-120, -80, 60), (-45, 70, 110)))
    assert states(outcomes(low, anatomy), "relation")["spleen"] == "broken"
    cut = masks_of(lung_left=((-120, -80, 60), (-45, 70, 300)), shape=(44, 31, 40))
    assert states(outcomes(cut, anatomy), "relation")["spleen"] == "unknown"
    wrong = masks_of(spleen=((-120, -60, 70), (-75, 0, 300)), lung_left=ORGANS["bladder"],
                     shape=(44, 31, 40))  # fmt: skip
    assert states(outcomes(wrong, anatomy), "relation")["spleen"] == "broken"  # wholly apart


def test_a_row_tells_who_is_out_of_it_and_who_is_missing():
    names = [f"vertebrae_{n}" for n in ("T10", "T11", "T12", "L1", "L2")]
    boxes = {c: ((-20, -80, 80 - 32 * n), (20, -40, 104 - 32 * n)) for n, c in enumerate(names)}
    masks = {c: box_mask(*b) for c, b in boxes.items()}
    assert set(states(outcomes(masks), "order").values()) == {"holds"}
    turned = {
        **masks,
        "vertebrae_T10": masks["vertebrae_L1"],
        "vertebrae_L1": masks["vertebrae_T10"],
    }
    found = of_rule(outcomes(turned), "order")
    weights = {v.class_id: v.weight for v in found}
    assert min(weights["vertebrae_T10"], weights["vertebrae_L1"]) > max(
        weights["vertebrae_T11"], weights["vertebrae_T12"]
    )
    assert weights["vertebrae_L2"] == 0
    gone = {**masks, "vertebrae_T12": np.zeros(SHAPE, bool)}
    (told,) = [v for v in outcomes(gone) if v.state == "broken" and v.rule == "presence"]
    assert told.class_id == "vertebrae_T12"
    assert "between" in told.detail
    unknown = {c: m for c, m in masks.items() if c != "vertebrae_T12"}
    assert not [v for v in outcomes(unknown) if v.state == "broken" and v.hard]


def test_the_prostate_lies_between_the_femurs_and_nearer_to_them_than_to_the_kidneys():
    high = masks_of(prostate=((-20, 0, -60), (20, 30, -20)))
    found = outcomes(high, sex="male")
    assert states(found, "nearer")["prostate"] == "broken"
    beside = masks_of(prostate=((125, 0, -195), (165, 30, -172)))
    assert states(outcomes(beside), "between")["prostate"] == "broken"
    swapped = masks_of(femur_left=ORGANS["femur_right"], femur_right=ORGANS["femur_left"])
    told = {v.other: v.state for v in of_rule(outcomes(swapped), "between", "prostate")}
    assert told["femur_left+femur_right"] == "holds"  # not its fault
    assert told["hip_left+hip_right"] == "unknown"
    assert states(outcomes(masks_of(femur_left=None)), "between")["prostate"] != "holds"


@pytest.mark.parametrize(("sex", "state"), [("male", "broken"), ("female", None), ("", "unknown")])
def test_an_empty_prostate_counts_in_men_whose_bladder_is_seen_whole(sex, state):
    found = of_rule(outcomes(masks_of(prostate=()), sex=sex), "presence", "prostate")
    assert [v.state for v in found] == ([state] if state else [])
    if state == "broken":
        assert not found[0].hard  # it may have been taken out
        assert "taken out" in found[0].detail


def test_of_two_sides_the_other_one_is_wanted_where_its_place_is_in_the_scan():
    found = of_rule(outcomes(masks_of(kidney_right=())), "pair", "kidney_right")
    assert [(v.state, v.hard) for v in found] == [("broken", False)]
    found = of_rule(outcomes(masks_of(kidney_right=None)), "pair", "kidney_right")
    assert [v.state for v in found] == ["unknown"]
    narrow = masks_of(kidney_right=(), shape=(24, 31, 54))  # ends right of the middle
    found = of_rule(outcomes(narrow), "pair", "kidney_right")
    assert [(v.state, "outside the scan" in v.detail) for v in found] == [("unknown", True)]


@pytest.mark.parametrize(("last", "state"), [(65, "unknown"), (75, "broken")])
def test_the_place_of_the_other_side_lies_well_inside_the_scan(last, state):
    """The left kidney's centre mirrored lies at 62.5 mm; 10 mm more have to be seen."""
    voxels = 1 + round((last - STRAIGHT[0, 3]) / 9.0)
    masks = {
        "kidney_left": box_mask(*ORGANS["kidney_left"], shape=(voxels, 31, 54)),
        "kidney_right": np.zeros((voxels, 31, 54), bool),
    }
    (told,) = of_rule(outcomes(masks, middle=0.0), "pair", "kidney_right")
    assert told.state == state


def test_the_place_of_the_other_side_lies_in_the_body():
    """A scan of one shoulder or hip has air where the other one would be."""
    hu = np.full(SHAPE, -1000, np.int16)
    right = np.arange(SHAPE[0]) * 9.0 + STRAIGHT[0, 3]
    kidney = masks_of(kidney_right=())
    for end, state in ((120, "broken"), (30, "unknown")):
        hu[(right > -120) & (right < end), 4:27] = 40
        frame = body_frame(hu, STRAIGHT)
        hu[:] = -1000
        found = of_rule(outcomes(kidney, middle=0.0, body=frame), "pair", "kidney_right")
        assert [(v.state, "outside the body" in v.detail) for v in found] == [
            (state, state == "unknown")
        ]


def test_what_lies_in_between_is_wanted_though_both_ends_are_cut():
    ends = {
        "kidney_right": ((40, -80, -300), (85, -40, -5)),
        "lung_right": ((45, -80, 100), (120, 70, 300)),
    }
    masks = masks_of(**ends, liver=())
    assert all(structures(masks)[c].touches_border() for c in ends)
    found = of_rule(outcomes(masks), "presence", "liver")
    told = {v.other: v.state for v in found}
    assert told["lung_right+kidney_right"] == "broken"
    assert told["kidney_left+kidney_right"] == "unknown"


def test_the_two_sides_have_about_the_same_volume():
    small = masks_of(femur_left=((-100, -10, -200), (-80, 10, -180)))
    (told, _) = of_rule(outcomes(small), "ratio", "femur_left") * 2
    assert told.state == "unknown"  # the scan cuts the femurs
    anatomy = written(classes={"kidney_left": {"pair_ratio": 2}})
    (told,) = of_rule(outcomes(masks_of(), anatomy), "ratio")
    assert told.state == "holds"
    tiny = masks_of(kidney_left=((-70, -60, -50), (-50, -40, -20)))
    (told,) = of_rule(outcomes(tiny, anatomy), "ratio")
    assert (told.state, told.hard) == ("broken", False)


def test_what_the_scan_cuts_is_not_judged_by_its_volume():
    anatomy = written(classes={"femur_left": {"ml": [200, 900]}, "liver": {"ml": [400, 500]}})
    found = outcomes(masks_of(femur_left=((-120, -20, -300), (-100, 0, -190))), anatomy)
    assert states(found, "volume") == {"femur_left": "unknown", "liver": "broken"}
    (told,) = of_rule(found, "volume", "femur_left")
    assert told.evidence["cut_at"] == ["bottom"]


def test_what_is_too_large_is_told_though_the_scan_cuts_it():
    anatomy = written(classes={"lung_left": {"ml": [1, 500]}, "liver": {"ml": [5000, 6000]}})
    cut = masks_of(
        lung_left=((-120, -80, 100), (-45, 70, 300)), liver=((15, -40, 0), (300, 60, 90))
    )
    found = anatomy.outcomes(structures(cut))
    assert states(found, "volume") == {"lung_left": "broken", "liver": "unknown"}
