from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import ellipsoid, oblique_affine, rotation
from voxcurate.errors import GeometryError
from voxcurate.geometry import body_box, crop, pad, reorient, resample, resample_to
from voxcurate.volume import Volume

ORIENTATIONS = [
    "".join(pair[side] for pair, side in zip(order, sides, strict=True))
    for order in permutations(("RL", "AP", "SI"))
    for sides in product((0, 1), repeat=3)
]
spacings = st.tuples(*[st.floats(0.4, 6.0)] * 3)
angles = st.tuples(*[st.floats(-0.4, 0.4)] * 3)
GRADIENT = np.array([0.7, -1.1, 0.4])


def world(volume: Volume) -> Any:
    """RAS+ mm of every voxel centre, ``(I, J, K, 3)``."""
    index = np.moveaxis(np.indices(volume.shape), 0, -1)
    return index @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def ramp(shape: Any, affine: Any) -> Volume:
    """Values that tell their place: linear in world coordinates."""
    empty = Volume(np.zeros(shape, np.float32), affine)
    return empty.with_array((world(empty) @ GRADIENT).astype(np.float32))


def inside(source: Volume, places: Any) -> Any:
    """Places within the outer voxel centres of the source."""
    inverse = np.linalg.inv(source.affine)
    index = places @ inverse[:3, :3].T + inverse[:3, 3]
    return ((index >= 0) & (index <= np.array(source.shape) - 1)).all(axis=-1)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_reorienting_moves_no_value_in_the_world(orientation):
    source = ramp((5, 4, 3), oblique_affine())
    turned = reorient(source, orientation)
    assert turned.orientation == orientation
    np.testing.assert_allclose(turned.array, world(turned) @ GRADIENT, rtol=1e-5)
    back = reorient(turned, "RAS")
    np.testing.assert_array_equal(back.array, source.array)
    np.testing.assert_allclose(back.affine, source.affine, atol=1e-12)


@pytest.mark.parametrize("wrong", ["", "RA", "RAL", "XYZ", "RASS"])
def test_no_orientation(wrong):
    with pytest.raises(GeometryError, match="RAS"):
        reorient(ramp((2, 2, 2), np.eye(4)), wrong)


@given(spacings, angles)
@settings(deadline=None)
def test_resampling_keeps_the_world(spacing, turn):
    source = ramp((9, 7, 6), oblique_affine(angles=turn))
    result = resample(source, spacing)
    np.testing.assert_allclose(result.spacing, spacing)
    np.testing.assert_allclose(
        world(result).mean(axis=(0, 1, 2)), world(source).mean(axis=(0, 1, 2)), atol=1e-9
    )
    places = world(result)
    covered = inside(source, places)
    np.testing.assert_allclose(
        result.array[covered], (places @ GRADIENT)[covered], rtol=1e-4, atol=1e-3
    )
    extent = np.array(result.shape) * result.spacing - np.array(source.shape) * source.spacing
    assert (abs(extent) <= np.array(spacing) * 0.5 + 1e-6).all() or min(result.shape) == 1


@given(angles, angles, st.sampled_from(ORIENTATIONS))
@settings(deadline=None)
def test_any_grid_shows_the_same_world(turn, other, orientation):
    source = reorient(ramp((9, 8, 7), oblique_affine(angles=turn)), orientation)
    target = oblique_affine((1.1, 1.0, 2.0), other, (-36.0, 13.0, 141.0))
    result = resample_to(source, (6, 7, 5), target, order=1, fill=-999)
    places = world(result)
    covered = inside(source, places)
    np.testing.assert_allclose(
        result.array[covered], (places @ GRADIENT)[covered], rtol=1e-4, atol=1e-3
    )
    np.testing.assert_array_equal(result.affine, target)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.3, 0.1, -0.2)])
def test_interpolation_is_that_of_simpleitk(order, turn):
    rng = np.random.default_rng(3)
    source = Volume(rng.normal(size=(12, 11, 9)).astype(np.float32), np.diag([1.5, 1.2, 2.0, 1.0]))
    target = np.eye(4)
    target[:3, :3] = rotation(*turn) @ np.diag([1.13, 1.37, 1.71])
    target[:3, 3] = (-1.3, 0.77, 0.9)
    result = resample_to(source, (13, 10, 9), target, order=order, fill=-7.0)

    def itk(array: Any, affine: Any) -> Any:
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.T))
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        image.SetSpacing(spacing.tolist())
        image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        return image

    expected = SimpleITK.Resample(
        itk(source.array, source.affine),
        itk(np.zeros((13, 10, 9), np.float32), target),
        SimpleITK.Transform(),
        SimpleITK.sitkLinear if order else SimpleITK.sitkNearestNeighbor,
        -7.0,
    )
    np.testing.assert_allclose(result.array, SimpleITK.GetArrayFromImage(expected).T, atol=2e-5)


def test_both_ways_of_interpolating_agree(ct):
    shifted = ct.affine.copy()
    shifted[:3, 3] += (0.4, -0.7, 1.3)
    bent = shifted.copy()
    bent[0, 1] += 1e-6  # just enough to leave the fast way
    fast, slow = (resample_to(ct, (20, 21, 12), grid, order=1).array for grid in (shifted, bent))
    assert (abs(fast.astype(int) - slow) <= 1).all()
    assert (fast != slow).mean() < 0.02


def test_the_same_grid_changes_nothing(ct, mask):
    for volume, order in ((ct, 1), (ct, 0), (mask, 0)):
        same = resample_to(volume, volume.shape, volume.affine, order=order)
        np.testing.assert_array_equal(same.array, volume.array)
        assert same.array.dtype == volume.array.dtype
    fortran = ct.with_array(np.asfortranarray(ct.array))
    np.testing.assert_array_equal(resample(fortran, ct.spacing).array, ct.array)


def test_halving_the_spacing_by_hand():
    source = Volume(np.array([0, 10], np.int16).reshape(2, 1, 1), np.diag([2.0, 1, 1, 1]))
    result = resample(source, (1.0, 1.0, 1.0))
    np.testing.assert_array_equal(result.array.ravel(), [0, 2, 8, 10])  # -0.5 0.5 1.5 2.5 mm
    assert result.affine[0, 3] == -0.5
    labels = resample(source, (1.0, 1.0, 1.0), is_label=True)
    np.testing.assert_array_equal(labels.array.ravel(), [0, 0, 10, 10])


def test_outside_is_filled():
    source = Volume(np.full((3, 3, 3), 5, np.int16), np.eye(4))
    far = np.eye(4)
    far[:3, 3] = (100, 0, 0)
    assert (resample_to(source, (2, 2, 2), far, order=0).array == 0).all()
    assert (resample_to(source, (2, 2, 2), far, order=1, fill=-1000).array == -1000).all()
    assert (resample_to(source, (2, 2, 2), far, order=1).array == 5).all()


def test_masks_stay_masks(mask):
    as_bool = mask.with_array(mask.array != 0)
    result = resample(as_bool, (1.7, 0.8, 1.9), is_label=True)
    assert result.array.dtype == np.bool_
    ml = np.count_nonzero(result.array) * result.voxel_ml
    assert ml == pytest.approx(np.count_nonzero(mask.array) * mask.voxel_ml, rel=0.15)


def test_blur_before_coarsening_keeps_the_mean():
    stripes = np.indices((32, 8, 8))[0] % 2 * 1000.0
    source = Volume(stripes.astype(np.float32), np.eye(4))
    smooth = resample(source, (4.0, 1.0, 1.0), anti_alias=True).array[1:-1]
    assert abs(smooth - 500).max() < 5
    sharp = resample(source, (4.1, 1.0, 1.0)).array
    assert abs(sharp - 500).max() > 200
    assert (
        resample(source, (4.0, 1.0, 1.0), is_label=True, anti_alias=True).array % 1000 == 0
    ).all()


@given(st.tuples(*[st.integers(0, 3)] * 3), st.tuples(*[st.integers(0, 3)] * 3))
def test_padding_and_cropping_undo_each_other(before, after):
    source = ramp((5, 4, 3), oblique_affine())
    padded = pad(source, before, after, value=-1000)
    assert padded.array.sum() == pytest.approx(
        source.array.sum() - 1000 * (padded.array.size - source.array.size), rel=1e-4
    )
    i, j, k = (slice(b, b + n) for b, n in zip(before, source.shape, strict=True))
    back = crop(padded, (i, j, k))
    np.testing.assert_array_equal(back.array, source.array)
    np.testing.assert_allclose(back.affine, source.affine, atol=1e-12)


def test_a_crop_keeps_its_place(ct):
    part = crop(ct, (slice(3, 9), slice(5, 6), slice(0, 14)))
    np.testing.assert_allclose(world(part), world(ct)[3:9, 5:6])


@pytest.mark.parametrize("side", [slice(3, 3), slice(-1, 4), slice(0, 99), slice(0, 4, 2)])
def test_boxes_that_leave_the_volume(ct, side):
    with pytest.raises(GeometryError, match="box"):
        crop(ct, (side, slice(0, 1), slice(0, 1)))


def test_impossible_wishes(ct):
    with pytest.raises(GeometryError, match="spacing"):
        resample(ct, (1.0, 0.0, 1.0))
    with pytest.raises(GeometryError, match="order"):
        resample(ct, (1.0, 1.0, 1.0), order=3)
    with pytest.raises(GeometryError, match="shape"):
        resample_to(ct, (3, 0, 3), np.eye(4), order=0)
    with pytest.raises(GeometryError, match="margins"):
        pad(ct, (1, -1, 1))


def test_the_body_without_its_table():
    array = np.full((60, 50, 20), -1000, np.int16)
    array[ellipsoid(array.shape, (30, 25, 10), (20, 12, 30))] = 40
    array[5:55, 45:47] = 100
    ct = Volume(array, np.diag([1.5, 1.5, 3.0, 1.0]))
    box = body_box(ct)
    assert box is not None
    for side, low, high in zip(box, (10, 13, 0), (51, 38, 20), strict=True):
        assert low - 3 <= side.start <= low
        assert high <= side.stop <= high + 3
    wider = body_box(ct, margin_mm=6)
    assert wider is not None
    assert wider[0].start == box[0].start - 4
    assert body_box(ct.with_array(np.full_like(array, -1000))) is None
