import math
import warnings
from typing import Any

import numpy as np
import pytest
import surface_distance
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.conftest import ellipsoid
from voxcurate import _surface
from voxcurate._surface import surface_areas
from voxcurate.errors import GeometryError
from voxcurate.metrics import (
    dsc,
    dsc_per_label,
    hd95,
    joint_histogram,
    nsd,
    score_labels,
    surface_scores,
)

SPACING = (0.9, 1.3, 2.5)
ORDERS = (np.ascontiguousarray, np.asfortranarray)
masks = hnp.arrays(np.bool_, (4, 6, 5))
labelmaps = hnp.arrays(np.uint8, (5, 3, 7), elements=st.integers(0, 4))
tolerances = st.sampled_from([0.0, 0.9, 1.3, 2.0, 2.5, 3.1, 8.0])


def reference(one: Any, two: Any, spacing: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return surface_distance.compute_surface_distances(one, two, spacing)


def test_the_area_table_is_the_reference_one():
    table = surface_distance.lookup_tables.create_table_neighbour_code_to_surface_area(SPACING)
    np.testing.assert_allclose(surface_areas(SPACING), table, rtol=1e-14)


def test_a_cube_against_its_neighbour_by_hand():
    one, two = np.zeros((6, 4, 4), bool), np.zeros((6, 4, 4), bool)
    one[1:3, 1:3, 1:3] = True
    two[2:4, 1:3, 1:3] = True
    assert dsc(one, two) == 0.5
    assert nsd(one, two, (1, 1, 1), 1.0) == 1.0
    assert hd95(one, two, (1, 1, 1)) == 1.0
    assert hd95(one, two, (3, 1, 1)) == 3.0


@given(masks, masks, tolerances)
@settings(max_examples=60, deadline=None)
def test_nsd_and_hd95_are_those_of_surface_distance(one, two, tolerance):
    if not one.any() or not two.any():
        return
    expected = reference(one, two, SPACING)
    wanted = surface_distance.compute_surface_dice_at_tolerance(expected, tolerance)
    assert nsd(one, two, SPACING, tolerance) == pytest.approx(wanted, abs=1e-13)
    wanted = surface_distance.compute_robust_hausdorff(expected, 95)
    assert hd95(one, two, SPACING) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("tolerance", [1.0, 3.0, 30.0])
def test_larger_shapes_against_surface_distance(tolerance):
    one = ellipsoid((40, 33, 21), (18, 15, 10), (12, 9, 7))
    two = ellipsoid((40, 33, 21), (20, 16, 9), (13, 10, 6))
    expected = reference(one, two, SPACING)
    wanted = surface_distance.compute_surface_dice_at_tolerance(expected, tolerance)
    for lay in ORDERS:
        first, second = lay(one), lay(two)
        assert nsd(first, second, SPACING, tolerance) == pytest.approx(wanted, abs=1e-13)
        assert hd95(first, second, SPACING) == surface_distance.compute_robust_hausdorff(
            expected, 95
        )


def test_the_search_tree_gives_what_the_ball_gives(monkeypatch):
    one = ellipsoid((23, 19, 14), (11, 9, 7), (8, 6, 5))
    two = ellipsoid((23, 19, 14), (14, 9, 7), (8, 6, 5))
    ball = nsd(one, two, SPACING, 1.3)
    far = hd95(one, two, SPACING)
    monkeypatch.setattr(_surface, "BALL_LIMIT", 0)
    assert nsd(one, two, SPACING, 1.3) == pytest.approx(ball, abs=1e-14)
    assert 0 < ball < 1
    assert hd95(one, two, SPACING) == far


@given(masks, masks, tolerances)
@settings(max_examples=40, deadline=None)
def test_symmetry_and_flips(one, two, tolerance):
    flip_one, flip_two = one[::-1, :, ::-1], two[::-1, :, ::-1]
    turn_one, turn_two = one.transpose(2, 0, 1), two.transpose(2, 0, 1)
    turned = (SPACING[2], SPACING[0], SPACING[1])
    for got, wanted in (
        (dsc(two, one), dsc(one, two)),
        (dsc(flip_one, flip_two), dsc(one, two)),
        (nsd(two, one, SPACING, tolerance), nsd(one, two, SPACING, tolerance)),
        (hd95(two, one, SPACING), hd95(one, two, SPACING)),
        (hd95(turn_one, turn_two, turned), hd95(turn_one.copy(), turn_two.copy(), turned)),
    ):
        assert got == pytest.approx(wanted, abs=1e-13, nan_ok=True)


@given(masks, masks)
@settings(max_examples=40, deadline=None)
def test_scaling_the_spacing_scales_distances(one, two):
    doubled = (1.8, 2.6, 5.0)
    assert hd95(one, two, doubled) == pytest.approx(2 * hd95(one, two, SPACING), nan_ok=True)
    assert nsd(one, two, doubled, 4.0) == pytest.approx(nsd(one, two, SPACING, 2.0), nan_ok=True)


@given(labelmaps, labelmaps)
@settings(max_examples=60, deadline=None)
def test_the_joint_histogram_is_bincount(one, two):
    n = 1 + max(one.max(), two.max())
    expected = np.bincount(one.ravel().astype(int) * n + two.ravel(), minlength=n * n)
    for lay in ORDERS:
        found = joint_histogram(lay(one), lay(two))
        np.testing.assert_array_equal(found, expected.reshape(n, n))
    np.testing.assert_array_equal(joint_histogram(np.asfortranarray(one), two), found)


@given(labelmaps, labelmaps)
@settings(max_examples=30, deadline=None)
def test_scores_of_label_maps_are_those_of_their_masks(one, two):
    tolerance = {1: 1.0, 2: 2.0, 4: 3.0}
    scores = score_labels(
        one.astype(np.int16), two, range(1, 7), spacing=SPACING, tolerances_mm=tolerance
    )
    assert list(scores) == [1, 2, 3, 4, 5, 6]
    for label, score in scores.items():
        pair = one == label, two == label
        assert score.dsc == pytest.approx(dsc(*pair), nan_ok=True)
        wanted = nsd(*pair, SPACING, tolerance[label]) if label in tolerance else math.nan
        assert score.nsd == pytest.approx(wanted, nan_ok=True)
        assert score.voxels == (pair[0].sum(), pair[1].sum())
    per_label = dsc_per_label(one, two, range(7))
    assert per_label[1] == pytest.approx(scores[1].dsc, nan_ok=True)


@given(masks, masks, tolerances)
@settings(max_examples=40, deadline=None)
def test_one_search_gives_what_several_give(one, two, tolerance):
    spacing = (1.3, 0.7, 2.1)
    shares, distance = surface_scores(one, two, spacing, (1.0, tolerance))
    wanted = [nsd(one, two, spacing, at) for at in (1.0, tolerance)]
    np.testing.assert_allclose(shares, wanted, rtol=1e-12)
    np.testing.assert_allclose(distance, hd95(one, two, spacing))


def test_nothing_to_compare():
    empty, full = np.zeros((4, 3, 2), bool), np.ones((4, 3, 2), bool)
    assert math.isnan(dsc(empty, empty))
    assert math.isnan(nsd(empty, empty, SPACING, 1.0))
    assert math.isnan(hd95(empty, empty, SPACING))
    for pair in ((empty, full), (full, empty)):
        assert dsc(*pair) == 0
        assert nsd(*pair, SPACING, 1.0) == nsd(*pair, SPACING, 1e4) == 0
        assert hd95(*pair, SPACING) == math.inf
    assert (dsc(full, full), nsd(full, full, SPACING, 0.0), hd95(full, full, SPACING)) == (1, 1, 0)


def test_what_cannot_be_compared_is_refused():
    one = np.zeros((4, 3, 2), np.uint8)
    with pytest.raises(GeometryError, match="one shape"):
        dsc(one, one[:3])
    with pytest.raises(GeometryError, match="0 to 255"):
        joint_histogram(one.astype(np.int16) - 1, one)
    with pytest.raises(GeometryError, match="spacing"):
        score_labels(one, one, [1], tolerances_mm={1: 2.0})
    with pytest.raises(GeometryError, match="tolerance"):
        nsd(one, one, SPACING, -1.0)


def test_inputs_are_left_alone():
    one = ellipsoid((9, 8, 7), (4, 4, 3), (3, 2, 2)).astype(np.uint8)
    before = one.copy()
    one.flags.writeable = False
    score_labels(one, one, [1], spacing=SPACING, tolerances_mm={1: 1.0})
    hd95(one, one, SPACING)
    np.testing.assert_array_equal(one, before)
