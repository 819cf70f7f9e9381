import numpy as np
import pytest

from tests.conftest import oblique_affine
from voxcurate.errors import GeometryError
from voxcurate.volume import Volume, orientation_of


def test_spacing_is_in_array_order_and_volume_is_the_determinant(ct):
    np.testing.assert_allclose(ct.spacing, (0.9, 1.3, 2.5))
    assert ct.voxel_ml == pytest.approx(0.9 * 1.3 * 2.5 / 1000)
    assert ct.shape == (23, 19, 14)
    assert ct.orientation == "RAS"


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (np.diag([1, 1, 1]), "RAS"),
        (np.diag([-1, -1, 1]), "LPS"),
        ([[0, 0, -1], [1, 0, 0], [0, -1, 0]], "AIL"),
        ([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]], "PRS"),
    ],
)
def test_orientation_is_the_nearest(columns, expected):
    affine = np.eye(4)
    affine[:3, :3] = columns
    assert orientation_of(affine) == expected


def test_the_affine_is_a_copy_that_nobody_can_change():
    affine = oblique_affine()
    volume = Volume(np.zeros((2, 3, 4)), affine)
    affine[0, 0] = 99
    assert volume.affine[0, 0] != 99
    with pytest.raises(ValueError, match="read-only"):
        volume.affine[0, 0] = 1


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 5, 1), (0, 3, 4)])
def test_arrays_that_are_no_volume(shape):
    with pytest.raises(GeometryError, match="voxels"):
        Volume(np.zeros(shape), np.eye(4))


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.eye(3), "4, 4"),
        (np.zeros((4, 4)), "last row"),
        (np.diag([1.0, 0, 1, 1]), "singular"),
        (np.diag([1.0, np.nan, 1, 1]), "NaN"),
        (np.diag([1.0, np.inf, 1, 1]), "infinite"),
        ([[1, 1, 0, 0], [2, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], "singular"),
    ],
)
def test_affines_that_are_none(affine, message):
    with pytest.raises(GeometryError, match=message):
        Volume(np.zeros((2, 2, 2)), np.asarray(affine))


def test_tiny_voxels_are_not_singular():
    assert Volume(np.zeros((2, 2, 2)), np.diag([1e-3, 1e-3, 1e-3, 1])).spacing[0] == 1e-3


def test_another_array_of_the_same_shape(ct):
    assert ct.with_array(ct.array > 0).array.dtype == bool
    with pytest.raises(GeometryError, match="shape"):
        ct.with_array(ct.array[1:])
