"""The form in which scans enter the workspace."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.standardise import standardise
from tests.conftest import oblique_affine
from voxcurate.errors import VolumeReadError
from voxcurate.volume import Volume

ORDERS = [(p, f) for p in permutations(range(3)) for f in product((1, -1), repeat=3)]


def stored(order, flips):
    """A small volume as another program may store it: same world, other axes."""
    array = np.arange(7 * 5 * 3, dtype=np.int16).reshape(7, 5, 3)
    affine = oblique_affine()
    affine = affine[:, [*order, 3]]
    array = array.transpose(order)
    for axis, flip in enumerate(flips):
        if flip < 0:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
            array = np.flip(array, axis)
    return Volume(array, affine)


@given(st.sampled_from(ORDERS))
def test_any_stored_order_comes_out_the_same(order):
    result = standardise(stored(*order))
    reference = standardise(stored((0, 1, 2), (1, 1, 1)))
    assert result.orientation == "RAS"
    np.testing.assert_array_equal(result.array, reference.array)
    np.testing.assert_allclose(result.affine, reference.affine, atol=1e-9)


def test_a_voxel_keeps_its_world_position():
    volume = stored((2, 0, 1), (-1, 1, -1))
    result = standardise(volume)
    at = np.argwhere(volume.array == 44)[0]
    now = np.argwhere(result.array == 44)[0]
    np.testing.assert_allclose((volume.affine @ [*at, 1])[:3], (result.affine @ [*now, 1])[:3])


@pytest.mark.parametrize(
    ("values", "modality", "offset", "dtype", "first"),
    [
        (np.array([-1000.4, 31742.9], np.float32), "CT", 0.0, np.int16, -1000),
        (np.array([24, 2000], np.uint16), "CT", -1024.0, np.int16, -1000),
        (np.array([0, 40000], np.int32), "CT", 0.0, np.int32, 0),
        (np.array([40000, 0], np.uint16), "CT", -1000.0, np.int32, 39000),
        (np.array([0.25, 7.5], np.float64), "MR", 5.0, np.float32, 0.25),
        (np.array([3.0, 7.0], np.float32), "MR", 0.0, np.int16, 3),
        (np.array([200, 1], np.uint8), "MR", 0.0, np.int16, 200),
    ],
)
def test_types_and_offsets(values, modality, offset, dtype, first):
    array = np.broadcast_to(values, (3, 2, 2)).copy()
    result = standardise(Volume(array, np.eye(4)), modality, hu_offset=offset)
    assert result.array.dtype == dtype
    assert result.array[0, 0, 0] == first


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e12])
def test_values_that_are_none_are_an_error(bad):
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 2, 3] = bad
    with pytest.raises(VolumeReadError, match="want"):
        standardise(Volume(array, np.eye(4)))


def test_the_input_is_not_changed():
    volume = stored((1, 0, 2), (1, -1, 1))
    before = volume.array.copy()
    standardise(volume, hu_offset=5.0)
    np.testing.assert_array_equal(volume.array, before)
