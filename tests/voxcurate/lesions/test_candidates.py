"""Candidates from soft predictions, their scores, and which lesions they hit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from labeling.roc.config import RocConfig, published_roc
from tests.conftest import ellipsoid, oblique_affine
from voxcurate.errors import GeometryError
from voxcurate.lesions.candidates import find_candidates, region_scores
from voxcurate.lesions.matching import match
from voxcurate.predictions import probability_box

SHAPE = (31, 23, 17)
AFFINE = oblique_affine((1.5, 2.0, 3.0))  # a voxel is 0.009 mL
CONFIG = RocConfig(minimum_ml=0.0, contain=False, split_below=0)
ONE = ellipsoid(SHAPE, (8, 8, 6), (3, 3, 2))
TWO = ellipsoid(SHAPE, (23, 15, 10), (4, 3, 2))


def soft(*parts):
    """Probabilities: each mask with its value."""
    array = np.zeros(SHAPE, np.float32)
    for mask, value in parts:
        array[mask] = value
    return probability_box(array)


def find(*models, config=CONFIG, **options):
    return find_candidates(models, SHAPE, AFFINE, config, **options)


def test_two_regions_the_likelier_first_in_world_coordinates():
    found = find(soft((ONE, 0.4), (TWO, 0.9)))
    assert [round(c.scores["max"], 2) for c in found.candidates] == [0.9, 0.4]
    voxel_ml = 1.5 * 2.0 * 3.0 / 1000
    assert [c.ml for c in found.candidates] == [
        pytest.approx(m.sum() * voxel_ml, abs=1e-4) for m in (TWO, ONE)
    ]
    middle = AFFINE[:3, :3] @ np.array([23, 15, 10]) + AFFINE[:3, 3]
    np.testing.assert_allclose(found.candidates[0].centre_mm, middle, atol=0.01)
    mask, box = found.drawn(1, 0.5)
    whole = np.zeros(SHAPE, bool)
    whole[box] = mask
    np.testing.assert_array_equal(whole, TWO)


def test_regions_are_those_of_scipy_and_touch_by_corners():
    rng = np.random.default_rng(2)
    array = (rng.random(SHAPE) * 255 * (rng.random(SHAPE) < 0.08)).astype(np.uint8)
    found = find(probability_box(array))
    labels, n = ndimage.label(array > 0.05 * 255, np.ones((3, 3, 3)))
    assert len(found.candidates) == n
    highest = sorted(ndimage.maximum(array, labels, range(1, n + 1)), reverse=True)
    assert [c.scores["max"] for c in found.candidates] == [round(h / 255, 4) for h in highest]
    assert sorted(c.number for c in found.candidates) == list(range(1, n + 1))


def test_scores_by_hand():
    values = np.array([51, 255, 102, 204, 153], np.uint8)
    scores = region_scores(values, top=2, quantile=0.8)
    assert scores["max"] == 1.0
    assert scores["quantile"] == pytest.approx(0.8)  # four of five are at most 204
    assert scores["top"] == pytest.approx(0.9)
    assert scores["mean"] == pytest.approx(0.6)
    assert region_scores(values[:1], top=9, quantile=0.5)["top"] == pytest.approx(0.2)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 255), min_size=1, max_size=40), st.integers(1, 50))
def test_scores_keep_their_order(values, top):
    s = region_scores(np.array(values, np.uint8), top=top, quantile=0.95)
    assert s["max"] >= s["top"] >= s["mean"] - 1e-12
    assert s["max"] >= s["quantile"]


def test_a_score_is_the_mean_of_what_each_model_gives():
    found = find(soft((ONE, 0.8)), soft((ONE, 0.4)), soft((TWO, 0.6)))
    by_place = {round(c.centre_mm[0]): c.scores["max"] for c in found.candidates}
    assert sorted(by_place.values()) == pytest.approx([0.2, 0.4], abs=0.01)


def test_order_of_the_models_does_not_matter():
    models = [soft((ONE, 0.8)), soft((ONE, 0.3), (TWO, 0.6)), soft()]
    there, back = find(*models), find(*models[::-1])
    assert there.candidates == back.candidates
    np.testing.assert_array_equal(there.labels, back.labels)


def test_small_and_far_ones_are_dropped_and_counted():
    speck = np.zeros(SHAPE, bool)
    speck[28, 2, 2] = True
    config = RocConfig(minimum_ml=0.02, organ_gap_mm=4.0)
    organ = ellipsoid(SHAPE, (8, 8, 6), (5, 5, 4))
    prediction = soft((ONE, 0.9), (TWO, 0.8), (speck, 1.0))
    found = find(prediction, config=config, organ=organ)
    assert len(found.candidates) == 1
    assert found.dropped == {"small": 1, "apart": 1}
    everywhere = find(prediction, config=config)
    assert (len(everywhere.candidates), everywhere.dropped["apart"]) == (2, 0)
    nowhere = find(prediction, config=config, organ=np.zeros(SHAPE, bool))
    assert len(nowhere.candidates) == 2  # an empty organ says nothing


def test_what_reaches_too_far_out_of_the_organ_is_cut():
    organ = np.zeros(SHAPE, bool)
    organ[:8] = True
    bar = np.zeros(SHAPE, bool)
    bar[4:28, 10:13, 7:10] = True
    whole = find(soft((bar, 0.4)), config=RocConfig(), organ=organ)
    cut = find(soft((bar, 0.4)), config=RocConfig(), organ=organ, reach_mm=9.0)
    assert cut.candidates[0].ml < whole.candidates[0].ml
    last = np.argwhere(cut.labels).max(axis=0)[0] + cut.box[0].start
    assert (last - 7) * 1.5 == pytest.approx(9.0)


def test_a_large_tumour_that_is_a_hole_in_its_organ_is_not_hollowed():
    """A label map has one class per voxel: the organ is drawn without its tumour."""
    tumour = ellipsoid(SHAPE, (15, 11, 8), (11, 8, 6))
    organ = ~tumour
    sure, faint = (
        find(soft((tumour, p)), config=RocConfig(), organ=organ, reach_mm=4.0) for p in (0.9, 0.4)
    )
    assert np.count_nonzero(sure.labels) == np.count_nonzero(tumour)
    assert np.count_nonzero(faint.labels) < np.count_nonzero(tumour)
    apart = np.zeros(SHAPE, bool)
    apart[:1] = True  # 6 mm from the tumour: not at its organ
    gone = find(soft((tumour, 0.9)), config=RocConfig(), organ=apart, reach_mm=1.5)
    assert np.count_nonzero(gone.labels) == 0


def test_the_mask_of_a_faint_candidate_is_its_brighter_half():
    array = np.zeros(SHAPE, np.float32)
    array[10:13, 10, 8] = (0.1, 0.3, 0.2)
    found = find(probability_box(array))
    assert int(found.drawn(1, 0.5)[0].sum()) == 2
    assert int(found.drawn(1, 0.3)[0].sum()) == 3
    array[10:13, 10, 8] = (0.4, 1.0, 0.55)  # all of 0.5 and more, whatever the share
    assert int(find(probability_box(array)).drawn(1, 0.9)[0].sum()) == 2


def test_nothing_predicted():
    found = find(soft())
    assert found.candidates == ()
    assert match(found, ONE, CONFIG).lesions_ml
    assert match(found, np.zeros(SHAPE), CONFIG).hits == ()
    with pytest.raises(GeometryError, match="one model"):
        find()
    with pytest.raises(GeometryError, match="organ"):
        find(soft(), organ=np.zeros((2, 2, 2), bool))


def test_hits_by_each_rule():
    corner = np.zeros(SHAPE, bool)
    corner[5:8, 8, 6] = True  # within ONE, far smaller
    huge = ellipsoid(SHAPE, (23, 15, 10), (7, 7, 6))  # around TWO, far larger
    found = find(soft((corner, 0.9), (huge, 0.5)))
    truth = ONE | TWO
    hits = {
        rule: match(found, truth, CONFIG.model_copy(update={"hit": rule}))
        for rule in ("iou", "voxel", "centre")
    }
    assert hits["voxel"].hits == ((1,), (0,))  # the larger lesion is number 0
    assert hits["centre"].hits == ((1,), (0,))
    strict = match(found, truth, CONFIG.model_copy(update={"hit_iou": 0.3}))
    assert strict.hits == ((), ())
    assert strict.ignored == (True, False)  # part of a lesion; and a false positive
    assert [round(v, 3) for v in strict.lesions_ml] == sorted(strict.lesions_ml, reverse=True)


def test_iou_is_that_of_the_drawn_mask():
    shifted = np.roll(ONE, 2, axis=0)
    found = find(soft((shifted, 0.9)))
    iou = (ONE & shifted).sum() / (ONE | shifted).sum()
    for wanted, hit in ((iou - 0.01, ((0,),)), (iou + 0.01, ((),))):
        assert match(found, ONE, CONFIG.model_copy(update={"hit_iou": wanted})).hits == hit


def test_one_candidate_on_two_lesions_and_two_on_one():
    both = find(soft((ellipsoid(SHAPE, (15, 11, 8), (14, 10, 7)), 0.5)))
    rule = CONFIG.model_copy(update={"hit": "voxel"})
    assert match(both, ONE | TWO, rule).hits == ((0, 1),)
    halves = [TWO.copy(), TWO.copy()]
    halves[0][23:], halves[1][:25] = False, False
    apart = find(soft((halves[0], 0.9), (halves[1], 0.8)))
    assert match(apart, TWO, rule).hits == ((0,), (0,))


def test_specks_of_the_truth_and_unknown_parts_count_neither_way():
    config = RocConfig(minimum_ml=0.05, contain=False)
    tiny = ellipsoid(SHAPE, (8, 8, 6), (1, 1, 0.5))
    found = find(soft((ONE, 0.9), (TWO, 0.8)), config=config)
    speck = match(found, tiny, config.model_copy(update={"hit": "voxel"}))
    assert (speck.hits, speck.lesions_ml) == (((), ()), ())
    assert sorted(speck.ignored) == [False, True]
    known = np.zeros(SHAPE, bool)
    known[:15] = True
    half = match(found, np.zeros(SHAPE), config, known=known)
    assert sum(half.ignored) == 1
    with pytest.raises(GeometryError, match="truth"):
        match(found, np.zeros((2, 2, 2)), config)


@settings(max_examples=15)
@given(st.permutations((0, 1, 2)), st.lists(st.booleans(), min_size=3, max_size=3))
def test_turning_the_scan_changes_nothing(order, flips):
    rng = np.random.default_rng(5)
    array = (ndimage.gaussian_filter(rng.random(SHAPE), 1.5) * 4 - 1.6).clip(0, 1)
    truth = ONE | TWO

    def turned(a):
        for axis, flip in enumerate(flips):
            a = np.flip(a, axis) if flip else a
        return np.ascontiguousarray(a.transpose(order))

    flip = np.eye(4)
    for axis, is_flipped in enumerate(flips):
        if is_flipped:
            flip[axis, axis], flip[axis, 3] = -1, SHAPE[axis] - 1
    affine = (AFFINE @ flip)[:, [*order, 3]]
    one = find(probability_box(array))
    two = find_candidates([probability_box(turned(array))], turned(truth).shape, affine, CONFIG)
    assert sorted(c.scores["top"] for c in one.candidates) == sorted(
        c.scores["top"] for c in two.candidates
    )
    a, b = match(one, truth, CONFIG), match(two, turned(truth), CONFIG)
    assert sorted(map(len, a.hits)) == sorted(map(len, b.hits))
    np.testing.assert_allclose(
        sorted(c.centre_mm for c in one.candidates),
        sorted(c.centre_mm for c in two.candidates), atol=0.011,
    )  # fmt: skip


def test_the_published_settings_take_everything():
    config = published_roc()
    assert (config.score, config.hit, config.contain, config.sensitivity) == (
        "max", "voxel", False, 0.99,
    )  # fmt: skip
    one = np.zeros(SHAPE, bool)
    one[3, 3, 3] = True
    assert len(find(soft((one, 0.2)), config=config, organ=TWO).candidates) == 1


def valley(depth, peaks=(0.9, 0.6)):
    """Two ellipsoids that touch through a bridge of a given height."""
    array = np.zeros(SHAPE, np.float32)
    array[5:26, 10:13, 7:10] = depth
    array[ellipsoid(SHAPE, (6, 11, 8), (3, 3, 2))] = peaks[0]
    array[ellipsoid(SHAPE, (24, 11, 8), (3, 3, 2))] = peaks[1]
    return array


@pytest.mark.parametrize(("depth", "n"), [(0.1, 2), (0.28, 2), (0.32, 1), (0.5, 1), (0.0, 2)])
def test_a_deep_valley_parts_two_candidates(depth, n):
    """The lower peak is 0.6: a valley below 0.3 parts them."""
    found = find(probability_box(valley(depth)), config=RocConfig(contain=False))
    assert [round(c.scores["max"], 1) for c in found.candidates] == [0.9, 0.6][:n]
    whole = (found.labels > 0).sum()
    assert whole == (valley(depth) > 0.05).sum()  # every voxel keeps a candidate
    for c in found.candidates:
        assert ndimage.label(found.labels == c.number, np.ones((3, 3, 3)))[1] == 1


def test_a_noisy_peak_is_no_candidate_of_its_own():
    array = np.where(ellipsoid(SHAPE, (15, 11, 8), (8, 7, 5)), 0.3, 0).astype(np.float32)
    array[15, 11, 8], array[18, 11, 8] = 0.9, 0.8  # single voxels on a plateau
    config = RocConfig(contain=False, minimum_ml=0.03)  # four voxels
    assert len(find(probability_box(array), config=config).candidates) == 1
    bare = config.model_copy(update={"minimum_ml": 0.0})
    assert len(find(probability_box(array), config=bare).candidates) == 2


def plain_regions(values, share, least):
    """Number of regions by the definition: at each falling level, components of what is above."""
    structure = np.ones((3, 3, 3))
    regions = []  # (peak, voxels as a set) that stay apart
    for level in sorted(set(values[values > 0].tolist()), reverse=True):
        labels, n = ndimage.label(values >= level, structure)
        for c in range(1, n + 1):
            mask = labels == c
            inside = [r for r in regions if mask[r["at"]]]
            if not inside:
                at = tuple(np.argwhere(mask & (values == level))[0])
                regions.append({"peak": level, "at": at, "joined": False})
                continue
            alive = [r for r in inside if not r["joined"]]
            alive.sort(key=lambda r: -r["peak"])
            for low in alive[1:]:
                if level >= share * low["peak"]:
                    low["joined"] = True
    return sum(not r["joined"] for r in regions)


@pytest.mark.parametrize("seed", range(6))
def test_regions_are_as_many_as_a_plain_loop_over_levels_finds(seed):
    from voxcurate.lesions._split_kernel import split_regions

    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random((12, 11, 9)), 1.2)
    ranks = smooth.ravel().argsort().argsort().reshape(smooth.shape)
    values = (ranks * 250 // ranks.size + 1).astype(np.uint8)
    values[values < 120] = 0
    labels, n = split_regions(values > 0, values, share=0.8, least=1)
    assert n == plain_regions(values, 0.8, 1)
    assert set(np.unique(labels)) == set(range(n + 1))
    np.testing.assert_array_equal(labels > 0, values > 0)
