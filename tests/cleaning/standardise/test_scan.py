"""The form in which scans enter the workspace."""

from itertools import permutations, product

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning.standardise.config import StandardiseConfig
from cleaning.standardise.scan import standardise
from tests.conftest import oblique_affine
from voxcurate.errors import VolumeReadError
from voxcurate.nifti import write_nifti
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
        (np.array([40000, 0], np.int32), "CT", 0.0, np.int16, 32767),
        (np.array([40000, 0], np.uint16), "CT", -1000.0, np.int16, 32767),
        (np.array([-3024, 0], np.int16), "CT", 0.0, np.int16, -1024),
        (np.array([-1100.3, 0], np.float32), "CT", 0.0, np.int16, -1024),
        (np.array([-2000, 40000], np.int32), "MR", 0.0, np.int32, -2000),
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


def test_padding_is_kept_where_the_settings_say_so():
    array = np.array([-3024, -1024, 5], np.int16).reshape(3, 1, 1)
    kept = standardise(Volume(array, np.eye(4)), config=StandardiseConfig(padding_hu=None))
    np.testing.assert_array_equal(kept.array, array)


def body_in_air():
    """Air -1000 with a block of 40 HU at voxels 8..22 x 6..17 x 5..14, oblique."""
    array = np.full((31, 26, 20), -1000, np.int16)
    array[8:23, 6:18, 5:15] = 40
    return Volume(array, oblique_affine())


def test_a_crop_keeps_every_voxel_at_its_place():
    whole = body_in_air()
    config = StandardiseConfig(crop_body=True, crop_margin_mm=4.0)
    scan = standardise(whole, config=config)
    assert np.prod(scan.shape) < np.prod(whole.shape)
    assert (scan.array == 40).sum() == (whole.array == 40).sum()
    back = np.linalg.inv(whole.affine) @ scan.affine
    np.testing.assert_allclose(back[:3, :3], np.abs(np.rint(back[:3, :3])), atol=1e-9)
    np.testing.assert_allclose(back[:3, 3], np.rint(back[:3, 3]), atol=1e-6)


@given(st.tuples(*[st.floats(1.0, 9.0)] * 3), st.sampled_from(ORDERS))
def test_resampling_keeps_centre_and_spacing(spacing, order):
    source = stored(*order)
    scan = standardise(source, config=StandardiseConfig(spacing_mm=spacing))
    np.testing.assert_allclose(scan.spacing, spacing, atol=1e-6)
    assert scan.orientation == "RAS"

    def centre(volume):
        return (volume.affine @ [*((np.array(volume.shape) - 1) / 2), 1])[:3]

    np.testing.assert_allclose(centre(scan), centre(source), atol=1e-4)


def test_other_modalities_are_not_cropped():
    array = np.zeros((12, 12, 12), np.int16)
    array[5:7, 5:7, 5:7] = 100
    scan = standardise(Volume(array, np.eye(4)), "MR", config=StandardiseConfig(crop_body=True))
    assert scan.shape == (12, 12, 12)


def test_the_written_affine_is_right_to_a_tenth_of_a_micron(tmp_path):
    scan = standardise(body_in_air(), config=StandardiseConfig(crop_body=True))
    far = Volume(scan.array, scan.affine + np.array([[0, 0, 0, 512.3], [0] * 4, [0] * 4, [0] * 4]))
    write_nifti(tmp_path / "ct.nii.gz", far)
    header = nib.load(tmp_path / "ct.nii.gz").header
    np.testing.assert_allclose(header.get_sform(), far.affine, atol=1e-4)
    np.testing.assert_allclose(header.get_qform(), far.affine, atol=1e-4)
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
