"""What the anatomy takes from machine-made masks, and that it tells all of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.anatomy import AnatomyFile
from labeling.fusion.mend import mend
from labeling.rules import Anatomy, load_anatomy
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, SHAPE, phantom, swap_kidneys
from voxcurate.classes import load_vocabulary

VOCABULARY = load_vocabulary()
ANATOMY = load_anatomy(VOCABULARY, ("abdomen",))
MASKS = phantom(0)[1]
MIDDLE = np.zeros(SHAPE, bool)
MIDDLE[16:18, 10:12, 8:14] = True  # an aorta
NOTHING = np.zeros(SHAPE, bool)


def structures(masks, affine=AFFINE):
    return {c: Structure.of(c, m, affine) for c, m in masks.items()}


def mended(masks, anatomy=ANATOMY, **how):
    found, effects = mend(structures(masks), anatomy, **how)
    return {c: s.full() for c, s in found.items()}, effects


def named(effects, rule):
    return {e.class_id: e for e in effects if e.rule == rule}


def speck(*at):
    mask = NOTHING.copy()
    mask[at] = True
    return mask


def written(**content):
    return Anatomy([AnatomyFile.model_validate({"region": "r", **content})], VOCABULARY)


def balanced(before, after, effects):
    """Whatever went or came is in some effect."""
    for class_id, mask in before.items():
        lost = mask & ~after[class_id]
        told = NOTHING.copy()
        for e in effects:
            if e.class_id == class_id and e.part is not None:
                told |= e.part.full()
        assert not (lost & ~told).any(), class_id
        came = after[class_id] & ~mask
        moved = NOTHING.copy()
        for e in effects:
            if e.action == "moved" and e.other == class_id:
                moved |= e.part.full()
        assert not (came & ~moved).any(), class_id


def test_a_healthy_phantom_is_left_alone():
    after, effects = mended({**MASKS, "aorta": MIDDLE & ~sum(MASKS.values()).astype(bool)})
    assert effects == []
    for c, m in MASKS.items():
        np.testing.assert_array_equal(after[c], m)


def test_the_largest_piece_of_a_single_organ_stays_and_the_rest_is_told():
    masks = {"liver": MASKS["liver"] | speck(2, 3, 2), "spleen": MASKS["spleen"]}
    after, (effect,) = mended(masks)
    np.testing.assert_array_equal(after["liver"], MASKS["liver"])
    assert (effect.class_id, effect.rule, effect.action) == ("liver", "single", "removed")
    assert (effect.pieces, effect.voxels, effect.box) == (1, 1, ((2, 3), (3, 4), (2, 3)))
    assert effect.ml == pytest.approx(abs(np.linalg.det(AFFINE[:3, :3])) / 1000, abs=1e-4)
    np.testing.assert_array_equal(effect.part.full(), speck(2, 3, 2))
    assert set(effect.plain()) >= {"rule", "class_id", "voxels", "ml", "box", "reason"}
    balanced(masks, after, [effect])


def test_pieces_that_the_scans_edge_may_join_stay():
    aorta = NOTHING.copy()
    aorta[17, 8, :12] = True
    ascending = NOTHING.copy()
    ascending[17, 18, :5] = True
    inner = NOTHING.copy()
    inner[17, 20, 15:20] = True
    after, effects = mended({"aorta": aorta | ascending | inner})
    np.testing.assert_array_equal(after["aorta"], aorta | ascending)
    assert named(effects, "single")["aorta"].voxels == 5
    assert not [v for v in ANATOMY.check(structures({"aorta": aorta | ascending}))
                if v.rule == "pieces"]  # fmt: skip


def test_an_organ_that_broke_at_a_thin_place_keeps_its_parts_and_says_so():
    broken = NOTHING.copy()
    broken[8:14, 12:15, 12:14] = True
    broken[15:20, 12:15, 12:14] = True  # one voxel, 9 mm, between them
    far = NOTHING.copy()
    far[28:31, 4:7, 2] = True
    after, effects = mended({"pancreas": broken | far})
    np.testing.assert_array_equal(after["pancreas"], broken)
    told, removed = effects
    assert (told.action, told.rule) == ("told", "single")
    assert "seems broken" in told.reason
    assert removed.voxels == far.sum()
    assert "pieces" in {v.rule for v in ANATOMY.check(structures({"pancreas": broken}))}


def test_of_two_pieces_of_about_the_same_size_both_stay_and_that_is_told():
    masks = {"kidney_left": MASKS["kidney_left"] | MASKS["kidney_right"]}  # no midline is known
    after, (told,) = mended(masks)
    np.testing.assert_array_equal(after["kidney_left"], masks["kidney_left"])
    assert (told.action, told.voxels) == ("told", 0)
    assert "about the same size" in told.reason


def test_a_piece_beyond_the_midline_goes_to_the_other_side():
    small = MASKS["kidney_left"] & (np.indices(SHAPE)[2] % 2 == 0)
    masks = {"kidney_left": small | MASKS["kidney_right"], "kidney_right": NOTHING,
             "aorta": MIDDLE}  # fmt: skip
    after, effects = mended(masks)
    np.testing.assert_array_equal(after["kidney_right"], MASKS["kidney_right"])
    side = named(effects, "side")["kidney_left"]
    assert (side.action, side.other) == ("moved", "kidney_right")
    assert side.voxels == MASKS["kidney_right"].sum()
    assert "beyond the midline" in side.reason
    balanced(masks, after, effects)
    without = {c: m for c, m in masks.items() if c != "kidney_right"}
    after, effects = mended(without)
    assert named(effects, "side")["kidney_left"].action == "told"  # a kidney: no part of another
    assert not (MASKS["kidney_right"] & ~after["kidney_left"]).any()
    part = small | (MASKS["kidney_right"] & (np.indices(SHAPE)[2] < 5))
    after, effects = mended({**without, "kidney_left": part})
    assert named(effects, "side")["kidney_left"].action == "removed"
    assert not (after["kidney_left"] & MASKS["kidney_right"]).any()


def test_a_false_piece_does_not_spoil_a_good_organ_of_the_other_side():
    false = np.roll(MASKS["spleen"], (14, 8), (0, 1)) & ~MASKS["liver"] & ~MASKS["kidney_right"]
    false &= np.indices(SHAPE)[2] > 16
    masks = {**MASKS, "kidney_left": MASKS["kidney_left"] | false, "aorta": MIDDLE}
    after, effects = mended(masks)
    np.testing.assert_array_equal(after["kidney_right"], MASKS["kidney_right"])
    np.testing.assert_array_equal(after["kidney_left"], MASKS["kidney_left"])
    assert named(effects, "side")["kidney_left"].action == "removed"


def test_swapped_sides_are_swapped_back():
    masks = {**swap_kidneys(MASKS), "aorta": MIDDLE}
    after, effects = mended(masks)
    for c in ("kidney_left", "kidney_right"):
        np.testing.assert_array_equal(after[c], MASKS[c])
        assert named(effects, "side")[c].action == "moved"
    balanced(masks, after, effects)
    unknown, effects = mended(swap_kidneys(MASKS))
    np.testing.assert_array_equal(unknown["kidney_left"], MASKS["kidney_right"])
    assert not effects  # nothing says where the middle is
    at = (structures({"a": MIDDLE})["a"]).centroid[0]
    np.testing.assert_array_equal(
        mended(swap_kidneys(MASKS), middle=float(at))[0]["kidney_left"], MASKS["kidney_left"]
    )


def test_in_a_mirrored_scan_sides_are_left_and_told():
    mirror = np.diag([-1.0, 1, 1, 1]) @ AFFINE
    masks = {**MASKS, "aorta": MIDDLE}
    found, effects = mend(structures(masks, mirror), ANATOMY)
    assert [(e.rule, e.action, e.class_id) for e in effects] == [("mirrored", "told", "")]
    assert "liver" in effects[0].reason
    assert "situs inversus" in effects[0].reason
    np.testing.assert_array_equal(found["kidney_left"].full(), MASKS["kidney_left"])


def test_a_piece_above_what_it_must_lie_below_goes_even_if_it_is_the_larger_one():
    anatomy = written(relations=[{"a": "stomach", "is": "above", "b": "bladder", "margin_mm": 60}])
    stomach, bladder, fluid = NOTHING.copy(), NOTHING.copy(), NOTHING.copy()
    stomach[10:16, 10:16, 19:24] = True
    bladder[14:18, 14:17, 2:4] = True
    fluid[20:25, 10:16, 19:22] = True
    masks = {"stomach": stomach, "bladder": bladder | fluid}
    after, effects = mended(masks, anatomy)
    np.testing.assert_array_equal(after["bladder"], bladder)
    order = named(effects, "order")["bladder"]
    assert (order.other, order.voxels) == ("stomach", fluid.sum())
    balanced(masks, after, effects)
    tiny = {"stomach": stomach, "bladder": speck(14, 14, 2) | fluid}
    assert not named(mended(tiny, anatomy)[1], "order")  # a speck is no organ to keep


def test_specks_of_many_pieces_go():
    anatomy = written(classes={"liver_tumor": {"speck_ml": 2.5}})
    large = NOTHING.copy()
    large[12:14, 12:14, 12:14] = True
    after, (effect,) = mended({"liver_tumor": large | speck(20, 20, 5)}, anatomy)
    np.testing.assert_array_equal(after["liver_tumor"], large)
    assert (effect.rule, effect.voxels) == ("speck", 1)


def test_what_lies_apart_from_its_container_or_reaches_too_far_out_goes():
    tumour = MASKS["liver"] & (np.indices(SHAPE)[1] > 15)
    masks = {"liver": MASKS["liver"], "liver_tumor": tumour | MASKS["spleen"]}
    after, (effect,) = mended(masks)
    np.testing.assert_array_equal(after["liver_tumor"], tumour)
    assert (effect.rule, effect.other) == ("inside", "liver")
    near = written(classes={"liver_segment_1": {"reach_mm": 12.0}})
    box = NOTHING.copy()
    box[14:30, 12:15, 12:15] = True
    masks = {"liver": MASKS["liver"], "liver_segment_1": box}
    after, effects = mended(masks, near)
    from voxcurate.masks import dilate
    from voxcurate.volume import spacing_of

    expected = box & dilate(MASKS["liver"], 12.0, spacing_of(AFFINE))
    np.testing.assert_array_equal(after["liver_segment_1"], expected)
    balanced(masks, after, effects)


def test_a_large_tumour_that_is_a_hole_in_its_organ_is_not_hollowed():
    """A model that gives each voxel one class leaves the tumour out of the liver."""
    anatomy = written(classes={"liver_tumor": {"reach_mm": 12.0}})
    whole = NOTHING.copy()
    whole[6:28, 3:19, 2:20] = True
    tumour = NOTHING.copy()
    tumour[10:24, 6:16, 6:16] = True
    after, effects = mended({"liver": whole & ~tumour, "liver_tumor": tumour}, anatomy)
    np.testing.assert_array_equal(after["liver_tumor"], tumour)
    assert effects == []
    outside = np.roll(whole, 14, axis=0) & ~whole
    after, _ = mended({"liver": whole, "liver_tumor": tumour | outside}, anatomy)
    assert 0 < np.count_nonzero(after["liver_tumor"] & outside) < np.count_nonzero(outside)


def test_a_voxel_of_two_organs_stays_with_the_likelier_one():
    border = np.zeros(SHAPE, bool)
    border[:, :, :] = np.roll(MASKS["liver"], 1, 2) & ~MASKS["liver"] & ~MASKS["kidney_right"]
    masks = {"liver": MASKS["liver"] | border, "stomach": border | np.roll(border, 1, 2)}
    after, effects = mended(masks)
    assert not (after["liver"] & after["stomach"]).any()
    assert named(effects, "exclusion")["liver"].other == "stomach"  # the smaller one keeps
    balanced(masks, after, effects)

    def support(class_id, box):
        size = tuple(side.stop - side.start for side in box)
        return np.full(size, {"liver": 0.9, "stomach": 0.6}[class_id])

    after, effects = mended(masks, support=support)
    np.testing.assert_array_equal(after["liver"], masks["liver"])
    assert set(named(effects, "exclusion")) == {"stomach"}


def test_one_organ_within_another_is_no_dispute_and_lesions_may_lie_anywhere():
    inner = MASKS["liver"] & (np.indices(SHAPE)[2] > 14)
    masks = {"liver": MASKS["liver"], "stomach": inner}
    assert not named(mended(masks)[1], "exclusion")
    assert ("stomach", "overlap") in {
        (v.class_id, v.rule) for v in ANATOMY.check(structures(masks))
    }
    masks = {"liver": MASKS["liver"], "tumor": np.roll(MASKS["liver"], 4, 0)}
    assert not named(mended(masks)[1], "exclusion")


def test_nothing_is_mended_in_place():
    given_ = structures({"liver": MASKS["liver"] | speck(2, 3, 2)})
    mend(given_, ANATOMY)
    assert given_["liver"].voxels == MASKS["liver"].sum() + 1


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.sampled_from([0, 1, 2]))
def test_every_voxel_that_goes_is_told_and_axes_do_not_matter(seed, axis):
    rng = np.random.default_rng(seed)
    masks = {c: m ^ (rng.random(SHAPE) < 0.002) for c, m in phantom(seed % 7)[1].items()}
    masks["aorta"] = MIDDLE
    masks["liver_tumor"] = rng.random(SHAPE) < 0.01
    after, effects = mended(masks)
    balanced(masks, after, effects)
    organs = [c for c in masks if c != "liver_tumor"]
    for a in organs:
        for b in organs:
            assert a == b or not (after[a] & after[b]).any()
    flip = np.eye(4)
    flip[axis, axis] = -1
    flip[axis, 3] = SHAPE[axis] - 1
    flipped = structures({c: np.flip(m, axis) for c, m in masks.items()}, AFFINE @ flip)
    found, again = mend(flipped, ANATOMY)
    for c in masks:
        assert found[c].voxels == after[c].sum()
    assert sorted((e.class_id, e.rule, e.voxels) for e in again) == sorted(
        (e.class_id, e.rule, e.voxels) for e in effects
    )
