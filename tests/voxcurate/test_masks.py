from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from tests.conftest import ellipsoid, oblique_affine
from voxcurate import masks
from voxcurate.errors import GeometryError

SPACING = (0.9, 1.3, 2.5)
AFFINE = oblique_affine(SPACING)
anything = hnp.arrays(np.bool_, (5, 4, 6))
radii = st.sampled_from([0.0, 0.9, 1.0, 1.3, 1.8, 2.5, 3.0, 5.1])


def slow_dilate(mask: Any, radius: float) -> Any:
    if not mask.any():
        return mask
    return ndimage.distance_transform_edt(~mask, sampling=SPACING) <= radius + 1e-9


@given(anything, radii)
@settings(deadline=None)
def test_dilation_is_a_ball_in_mm(mask, radius):
    for lay in (np.ascontiguousarray, np.asfortranarray):
        grown = masks.dilate(lay(mask), radius, SPACING)
        np.testing.assert_array_equal(grown, slow_dilate(mask, radius))


@given(anything, radii)
@settings(deadline=None)
def test_erosion_is_dilation_of_the_rest(mask, radius):
    np.testing.assert_array_equal(
        masks.erode(mask, radius, SPACING), ~masks.dilate(~mask, radius, SPACING)
    )


def test_erosion_keeps_what_the_field_of_view_cuts():
    mask = np.zeros((7, 6, 5), bool)
    mask[:, 1:5, :] = True
    eroded = masks.erode(mask, 1.3, SPACING)
    assert eroded[0, 2, 0]
    assert not eroded[:, 1].any()


def test_a_negative_radius_is_refused():
    with pytest.raises(GeometryError, match="radius"):
        masks.dilate(np.ones((2, 2, 2), bool), -1, SPACING)


@given(hnp.arrays(np.uint8, (4, 5, 3), elements=st.integers(0, 3)), st.sampled_from([6, 18, 26]))
@settings(deadline=None)
def test_components_are_those_of_each_label(labels, connectivity):
    found, n = masks.components(labels, connectivity=connectivity)
    structure = ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])
    total = 0
    for label in range(1, 4):
        expected, n_expected = ndimage.label(labels == label, structure)
        total += n_expected
        pairs = set(zip(found[labels == label], expected[labels == label], strict=True))
        assert len(pairs) == n_expected == len({a for a, _ in pairs})
    assert n == total
    assert not found[labels == 0].any()


def test_the_largest_component(mask):
    array = mask.array
    big = ellipsoid(array.shape, (8, 9, 7), (4, 3, 3))
    np.testing.assert_array_equal(masks.largest_component(array), big)


def test_corner_neighbours_join_only_at_26():
    mask = np.zeros((3, 3, 3), np.uint8)
    mask[0, 0, 0] = mask[1, 1, 1] = 7
    assert masks.components(mask)[1] == 1
    assert masks.components(mask, connectivity=18)[1] == 2
    with pytest.raises(GeometryError, match="connectivity"):
        masks.components(mask, connectivity=4)


@given(hnp.arrays(np.int16, (4, 5, 3), elements=st.integers(0, 5)))
@settings(deadline=None)
def test_boxes_are_those_of_scipy(labels):
    expected = {n + 1: box for n, box in enumerate(ndimage.find_objects(labels)) if box}
    for lay in (np.ascontiguousarray, np.asfortranarray):
        assert masks.label_boxes(lay(labels)) == expected
    assert masks.bounding_box(labels == 1) == expected.get(1)


def test_a_margin_stays_inside():
    mask = np.zeros((6, 7, 8), bool)
    mask[1:3, 3, 6] = True
    assert masks.bounding_box(mask, margin=2) == (slice(0, 5), slice(1, 6), slice(4, 8))


def test_centroid_is_the_mean_world_position(mask):
    index = np.argwhere(mask.array)
    world = index @ mask.affine[:3, :3].T + mask.affine[:3, 3]
    np.testing.assert_allclose(masks.centroid_mm(mask.array, mask.affine), world.mean(axis=0))


@given(anything)
@settings(deadline=None)
def test_surface_is_what_erosion_takes(mask):
    eroded = ndimage.binary_erosion(mask)
    np.testing.assert_array_equal(masks.surface(mask), mask & ~eroded)


def test_nothing_stays_nothing():
    empty = np.zeros((4, 3, 5), np.uint8)
    assert masks.bounding_box(empty) is None
    assert masks.label_boxes(empty) == {}
    assert np.isnan(masks.centroid_mm(empty, AFFINE)).all()
    for result in (
        masks.largest_component(empty),
        masks.surface(empty),
        masks.dilate(empty, 2.0, SPACING),
        masks.erode(empty, 2.0, SPACING),
    ):
        assert result.dtype == bool
        assert result.shape == empty.shape
        assert not result.any()


@given(hnp.arrays(np.uint8, (3, 5, 23), elements=st.sampled_from([0, 0, 0, 1, 2, 7, 255])))
@settings(max_examples=80, deadline=None)
def test_boxes_and_unique_labels_are_those_of_numpy(labels):
    for array in (labels, np.asfortranarray(labels), labels.astype(np.int32)):
        values, counts = np.unique(array, return_counts=True)
        assert masks.unique_labels(array) == dict(
            zip(values.tolist(), counts.tolist(), strict=True)
        )
        boxes = masks.label_boxes(array)
        assert set(boxes) == set(values.tolist()) - {0}
        for label, box in boxes.items():
            at = np.argwhere(array == label)
            assert [(s.start, s.stop - 1) for s in box] == list(
                zip(at.min(0).tolist(), at.max(0).tolist(), strict=True)
            )


def test_unique_labels_of_any_whole_numbers():
    assert masks.unique_labels(np.array([[[-3, 5, 5]]], np.int16)) == {-3: 1, 5: 2}
    assert masks.unique_labels(np.array([[[1 << 40, 0]]])) == {0: 1, 1 << 40: 1}
    assert masks.unique_labels(np.array([[[True, False]]])) == {0: 1, 1: 1}
    with pytest.raises(GeometryError, match="whole numbers"):
        masks.unique_labels(np.zeros((1, 1, 2)))
