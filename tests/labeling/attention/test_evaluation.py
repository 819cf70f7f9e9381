"""Attention against true errors: hand values, corners, and a plain reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.stats import spearmanr

from labeling.attention.evaluation import detect_errors, ranking, table_one
from voxcurate.errors import GeometryError

FULL = np.ones((3, 3, 3))


def scene():
    """Two error regions and two attended ones; one of each meets the other."""
    truth = np.zeros((6, 9, 12), bool)
    truth[1:4, 1:5, 1:5] = True
    pseudo = truth.copy()
    pseudo[1:4, 1:5, 4] = False  # 12 voxels missed
    pseudo[5, 8, 11] = True  # 1 voxel too much
    attention = np.zeros(truth.shape, np.float32)
    attention[1:3, 1:3, 4:6] = 0.6  # 8 voxels, 4 of them wrong
    attention[5, 0, 0] = 0.9  # a false alarm
    attention[0, 8, :] = 0.2  # too weak
    return attention, pseudo, truth


def test_regions_and_voxels_by_hand():
    seen = detect_errors(*scene(), above=0.5)
    assert (seen.errors, seen.hits, seen.attended, seen.right) == (2, 1, 2, 1)
    assert (seen.error_voxels, seen.attended_voxels, seen.both_voxels) == (13, 9, 4)
    assert (seen.sensitivity, seen.precision) == (0.5, 0.5)
    assert seen.voxel_sensitivity == pytest.approx(4 / 13)
    assert seen.voxel_precision == pytest.approx(4 / 9)


def test_small_regions_do_not_count():
    seen = detect_errors(*scene(), above=0.5, min_region_voxels=2)
    assert (seen.errors, seen.hits, seen.attended, seen.right) == (1, 1, 1, 1)
    assert (seen.error_voxels, seen.attended_voxels) == (12, 8)


def test_nothing_to_find_is_not_defined():
    empty = np.zeros((2, 3, 4))
    seen = detect_errors(empty, empty, empty)
    assert (seen.sensitivity, seen.precision) == (None, None)
    assert (seen.voxel_sensitivity, seen.voxel_precision) == (None, None)
    only = empty.copy()
    only[0, 0, 0] = 1
    assert detect_errors(only, empty, empty).precision == 0
    assert detect_errors(empty, only, empty).sensitivity == 0
    with pytest.raises(GeometryError, match="one shape"):
        detect_errors(empty, empty, empty[1:])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_against_plain_regions(seed, least):
    rng = np.random.default_rng(seed)
    pseudo, truth, attended = (
        rng.random((3, 4, 6, 5)) < np.array([0.2, 0.1, 0.15])[:, None, None, None]
    )

    def regions(mask):
        labels, n = ndimage.label(mask, FULL)
        return [r for k in range(1, n + 1) if (r := labels == k).sum() >= least]

    errors, found = regions(pseudo != truth), regions(attended)
    seen = detect_errors(attended, pseudo, truth, min_region_voxels=least)
    assert seen.errors == len(errors)
    assert seen.attended == len(found)
    assert seen.hits == sum(any((e & f).any() for f in found) for e in errors)
    assert seen.right == sum(any((e & f).any() for e in errors) for f in found)


def test_table_one_averages_over_scans_and_pools():
    seen = detect_errors(*scene(), above=0.5)
    attention, _, truth = scene()
    clean = detect_errors(attention, truth, truth, above=0.5)  # no error: no sensitivity
    row = table_one({"liver": [seen, clean]})["liver"]
    assert row["scans"] == 2
    assert row["sensitivity"] == 0.5
    assert row["precision"] == 0.25
    assert row["precision_sd"] == 0.25
    assert row["pooled_sensitivity"] == 0.5
    assert row["pooled_precision"] == 0.25


def test_ranking_by_hand():
    errors = [0.1, 0.5, 0.2, 0.9, 0.3, 0.0, 0.4, 0.6, 0.05, 0.15]
    found = ranking(errors, errors)
    assert found.spearman == pytest.approx(1)
    assert found.precision_at_top == 1
    assert found.random == 0.1
    assert found.random_sd == pytest.approx(0.3)  # one of ten: right once in ten times
    turned = ranking([-e for e in errors], errors, fraction=0.2)
    assert turned.spearman == pytest.approx(-1)
    assert turned.precision_at_top == 0
    scores = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]
    assert ranking(scores, errors).spearman == pytest.approx(spearmanr(scores, errors)[0])
    assert ranking([1, 2], [1, 2]).spearman is None
    assert ranking([1, 1, 1], [1, 2, 3]).spearman is None
    with pytest.raises(GeometryError):
        ranking([1], [1, 2])
