"""Masks on the grid of their scan."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.standardise.config import StandardiseConfig
from cleaning.standardise.masks import KNOWN, fit, onto, shift_voxels
from cleaning.standardise.scan import standardise
from tests.agent.ingest_fixture import LIVER, scan_array
from tests.conftest import ellipsoid, oblique_affine
from voxcurate.errors import CurationError, GeometryError
from voxcurate.geometry import reorient, resample
from voxcurate.volume import Volume

RAW = Volume(scan_array(0), oblique_affine())


@given(st.permutations(range(3)), st.tuples(st.booleans(), st.booleans(), st.booleans()))
def test_any_axis_order_of_the_same_voxels_fits(order, flips):
    array, affine = LIVER.transpose(order), oblique_affine()[:, [*order, 3]]
    for axis, flip in enumerate(flips):
        if flip:
            array = np.flip(array, axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    found, resampled = fit(Volume(array, affine), RAW)
    assert np.array_equal(found.array, reorient(Volume(LIVER, RAW.affine)).array)
    assert not resampled


@pytest.mark.parametrize("voxels", [0.05, 0.2])
def test_a_tenth_of_a_voxel_is_the_limit(voxels):
    affine = oblique_affine()
    affine[:3, 3] += affine[:3, 0] * voxels
    mask = Volume(LIVER, affine)
    assert shift_voxels(affine, RAW.affine, RAW.shape) == pytest.approx(voxels, rel=1e-6)
    if voxels < 0.1:
        fit(mask, RAW)
    else:
        with pytest.raises(GeometryError, match=r"0\.2 voxels off"):
            fit(mask, RAW)


def test_a_rotation_about_the_first_voxel_shows_at_the_corners():
    affine = oblique_affine(angles=(0.1, -0.15, 0.26))
    with pytest.raises(CurationError, match="another place"):
        fit(Volume(LIVER, affine), RAW)


@pytest.mark.parametrize("factor", [0.5, 2.0, (1.0, 1.0, 3.0)])
def test_another_grid_of_the_same_box_is_resampled(factor):
    """A mask at another resolution comes back to the scan's voxels, to half a coarse voxel."""
    shape, spacing = (30, 24, 18), (2.0, 2.5, 3.0)
    inside = ellipsoid(shape, (14.5, 12.0, 9.0), (9.0, 7.0, 6.0))
    raw = Volume(inside.astype(np.int16) * 40, oblique_affine(spacing))
    wanted = tuple(float(s) for s in np.array(spacing) * factor)
    mask = resample(Volume(inside.astype(np.uint8), raw.affine), wanted, is_label=True)
    found, how = fit(mask, raw)
    assert found.shape == reorient(raw).shape
    assert how.startswith("resampled from (")
    truth = reorient(Volume(inside, raw.affine)).array
    overlap = 2 * (truth & (found.array > 0)).sum() / (truth.sum() + (found.array > 0).sum())
    assert overlap > 0.85


@pytest.mark.parametrize("shift", [(12.0, 0, 0), (0, 0, -12.0)])
def test_another_grid_elsewhere_is_refused(shift):
    raw = Volume(np.zeros((30, 24, 18), np.int16), oblique_affine((2.0, 2.5, 3.0)))
    mask = resample(Volume(np.ones(raw.shape, np.uint8), raw.affine), (4.0, 5.0, 6.0))
    affine = mask.affine.copy()
    affine[:3, 3] += shift
    with pytest.raises(GeometryError, match="corners up to"):
        fit(Volume(mask.array, affine), raw)


@pytest.mark.parametrize("n", [20, 29])
def test_a_mask_without_some_planes_is_refused(n):
    raw = Volume(np.zeros((30, 24, 18), np.int16), np.diag([2.0, 2.5, 3.0, 1.0]))
    with pytest.raises(GeometryError, match="corners up to"):
        fit(Volume(np.ones((n, 24, 18), np.uint8), raw.affine), raw)


@settings(deadline=None, max_examples=20)
@given(st.tuples(*[st.floats(0.8, 3.0)] * 3))
def test_a_mask_follows_its_scan(factors):
    """The carried mask is where the carried image is bright."""
    shape, spacing = (30, 24, 18), (2.0, 2.5, 3.0)
    inside = ellipsoid(shape, (14.5, 12.0, 9.0), (9.0, 7.0, 6.0))
    raw = Volume(np.where(inside, 1000, 0).astype(np.int16), oblique_affine(spacing))
    wanted = tuple(float(s) for s in np.array(spacing) * factors)
    scan = standardise(raw, "MR", config=StandardiseConfig(spacing_mm=wanted))
    native = reorient(raw)
    mask = onto(native.array > 0, native, scan)
    clear = np.abs(scan.array - 500) > 2  # whole HU are rounded twice
    np.testing.assert_array_equal(mask[clear], scan.array[clear] >= 500)


def test_a_crop_moves_no_voxel_of_a_mask():
    array = np.full((31, 26, 20), -1000, np.int16)
    array[8:23, 6:18, 5:15] = 40
    raw = Volume(array, oblique_affine())
    scan = standardise(raw, config=StandardiseConfig(crop_body=True, crop_margin_mm=3.0))
    native = reorient(raw)
    assert scan.shape != native.shape
    np.testing.assert_array_equal(onto(native.array == 40, native, scan), scan.array == 40)


def test_a_lesion_smaller_than_the_new_voxels_is_not_lost():
    native = Volume(np.zeros((24, 24, 24), np.int16), np.eye(4))
    mask = np.zeros(native.shape, bool)
    mask[11, 12, 13] = True
    scan = resample(native, (5.0, 5.0, 5.0))
    kept = onto(mask, native, scan)
    assert 1 <= kept.sum() <= 2
    at = scan.affine @ [*np.argwhere(kept)[0], 1]
    assert np.abs(at[:3] - [11, 12, 13]).max() <= 2.5


def test_known_voxels_are_known_all_over():
    native = Volume(np.zeros((24, 20, 16), np.int16), np.eye(4))
    known = np.ones(native.shape, bool)
    known[:, :, 8:] = False
    scan = resample(native, (2.0, 2.0, 2.0))
    kept = onto(known, native, scan, enough=KNOWN)
    assert kept[:, :, 0].all()
    assert not kept[:, :, 4:].any()
