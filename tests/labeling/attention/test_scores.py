"""Scores of a fusion: hand values, the worst region, and what normalising does."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.attention.maps import MAP_SCALE, conflict_matrix, fuse_and_attend
from labeling.attention.scores import (
    SEEN_ML,
    case_score,
    case_scores,
    class_scores,
    reason,
    score_of,
    worst_region,
)
from voxcurate.predictions import Prediction, probability_box

VOXEL = 6.0
BOX = (slice(2, 8), slice(3, 10), slice(1, 12))


def scores(arrays, n_slices=7):
    """Of a class ``a`` per model; arrays of uint8."""
    models = [
        Prediction({"a": probability_box(x)}, x.shape, np.diag([1.0, 2, 3, 1]), f"m{n}", True)
        for n, x in enumerate(arrays)
    ]
    fusion = fuse_and_attend(models, ["a"], conflict_matrix(["a"], []), class_maps=True)
    return class_scores(fusion, VOXEL, n_slices)["a"]


def test_a_block_by_hand():
    one, two = np.zeros((2, 9, 8, 7), np.uint8)
    one[2:5, 2:6, 1:4] = 255
    two[2:5, 2:6, 1:3] = 255
    found = scores([one, two])
    assert found.inconsistency == pytest.approx(0.5 * 12)
    assert (found.uncertainty, found.overlap) == (0, 0)
    assert found.attention_mm3 == pytest.approx(0.5 * 12 * VOXEL)
    assert found.organ_ml == pytest.approx(24 * VOXEL / 1000)  # mean one half is not above it
    assert found.per_slice == pytest.approx(6 / 7)
    assert found.per_ml == pytest.approx(36.0)  # an organ below 1 mL counts as 1 mL
    assert found.reason == "models disagree (100%)"
    assert found.region.box == ((2, 5), (2, 6), (3, 4))
    assert found.region.attention_mm3 == pytest.approx(36.0)


def test_one_model_says_so():
    soft = np.full((3, 4, 5), 128, np.uint8)
    found = scores([soft])
    assert found.inconsistency is None
    assert found.reason == "models unsure (100%); one model: inconsistency undefined"


def test_the_worst_region_has_the_most_attention_not_the_strongest_voxel():
    stored = np.zeros((6, 7, 11), np.uint8)
    stored[0, 0, 0] = 2 * MAP_SCALE  # strong but small
    stored[2:5, 2:5, 4:7] = MAP_SCALE // 2  # 27 voxels of one half
    stored[:, 6, :] = MAP_SCALE // 8  # a weak border that joins nothing
    region = worst_region(stored, BOX, VOXEL)
    assert region.box == ((4, 7), (5, 8), (5, 8))
    assert region.attention_mm3 == pytest.approx(27 * 0.5 * VOXEL)


def test_without_strong_attention_the_region_is_around_the_peak():
    stored = np.zeros((6, 7, 11), np.uint8)
    stored[1, 1, 1:4] = 4, 9, 3
    assert worst_region(stored, BOX, VOXEL).box == ((3, 4), (4, 5), (2, 4))
    stored[:] = 0
    assert worst_region(stored, BOX, VOXEL) is None
    stored[0, 0, 0] = 1
    assert worst_region(stored, BOX, VOXEL).box == ((2, 3), (3, 4), (1, 2))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_the_share_of_two_hard_labels_is_one_minus_their_iou(seed, dense, other):
    rng = np.random.default_rng(seed)
    one, two = (rng.random((2, 14, 15, 16)) < np.array([dense, other])[:, None, None, None]).astype(
        np.uint8
    )
    found = scores([255 * one, 255 * two])
    wrong = int((one ^ two).sum()) / int((one | two).sum())
    assert found.attended_ml == pytest.approx(int((one ^ two).sum()) * VOXEL / 1000)
    seen_ml = found.attended_ml + found.organ_ml
    assert found.share * (seen_ml + SEEN_ML) / seen_ml == pytest.approx(wrong)
    assert 0 < found.share < wrong + 1e-9


def test_the_soft_border_of_an_organ_does_not_count():
    mask = np.zeros((12, 13, 14), np.uint8)
    mask[2:10, 2:10, 2:10] = 255
    soft = mask.copy()
    soft[2, 2:10, 2:10] = 140
    found = scores([soft, soft, soft])
    assert found.uncertainty > 10
    assert found.share == 0
    one = scores([soft])  # a single model has nothing else to say
    assert one.attended_ml == pytest.approx(64 * VOXEL / 1000)
    assert one.share > 0


def test_a_share_is_small_where_there_is_next_to_nothing():
    speck = np.zeros((9, 8, 7), np.uint8)
    speck[4, 4, 4] = 250  # one model only: a voxel of 6 mm3
    found = scores([speck, np.zeros_like(speck)])
    assert found.organ_ml == 0
    assert 0 < found.share < 0.06


def test_the_share_of_a_case_is_that_of_its_worst_class():
    one, two = np.zeros((2, 24, 24, 24), np.uint8)
    one[3:20, 3:20, 3:20], two[3:20, 3:20, 3:17] = 255, 255
    found, calm = scores([one, two]), scores([one, one])
    nothing = scores([np.zeros_like(one)] * 2)
    assert nothing.share == calm.share == 0
    assert case_score({"a": calm, "b": found, "c": nothing}, "share") == found.share
    assert case_score({"b": nothing}, "share") == 0
    assert case_score({}, "share") == 0


def test_scores_come_back_from_json():
    one, two = np.zeros((2, 9, 8, 7), np.uint8)
    one[2:5, 2:6, 1:4] = 255
    for found in (scores([one, two]), scores([one]), scores([two, two])):
        assert score_of(json.loads(json.dumps(found.plain()))) == found


def test_every_kind_of_score_of_a_case_is_told():
    one, two = np.zeros((2, 9, 8, 7), np.uint8)
    one[2:5, 2:6, 1:4] = 255
    found = scores([one, two])
    told = case_scores({"a": found})
    assert set(told) == {"share", "sum", "per-ml", "per-slice", "voxels"}
    assert told["sum"] == found.attention_mm3
    assert told["voxels"] == found.voxels == 36
    assert told["voxels"] == replace(found).score("voxels")


def test_longer_scans_and_larger_organs_do_not_win_by_size():
    one, two = np.zeros((2, 8, 8, 8), np.uint8)
    one[1:5, 1:5, 1:5], two[1:5, 1:5, 1:4] = 255, 255
    small = {"a": scores([one, two], n_slices=8)}
    doubled = [np.concatenate([x, x], axis=2) for x in (one, two)]
    large = {"a": scores(doubled, n_slices=16)}
    assert case_score(large, "sum") == pytest.approx(2 * case_score(small, "sum"))
    assert case_score(large, "per-slice") == pytest.approx(case_score(small, "per-slice"))
    assert reason.__doc__


def test_per_ml_of_a_case_is_the_share_of_all_its_organs():
    big = np.zeros((40, 40, 40), np.uint8)
    big[5:35, 5:35, 5:35] = 255
    cut = big.copy()
    cut[5, 5:35, 5:35] = 0
    found = scores([big, cut, big])
    assert found.organ_ml == pytest.approx(27000 * VOXEL / 1000)
    assert case_score({"a": found, "b": found}, "per-ml") == pytest.approx(found.per_ml)
