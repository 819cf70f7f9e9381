"""Faces in head scans: found, and taken off without touching what lies deep."""

import numpy as np
import pytest

from cleaning.deid.face import deface, find_face
from tests.conftest import ellipsoid
from voxcurate.geometry import reorient
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

SHAPE = (60, 70, 90)  # 3 mm: 180 x 210 x 270
AFFINE = np.diag([3.0, 3.0, 3.0, 1.0])


def head(*, has_skull=True, n_planes=90):
    """Shoulders excluded: a neck, a face with a nose and jaw, and a skull above it. RAS, HU."""
    image = np.full(SHAPE, -1000.0)
    x, y, z = np.indices(SHAPE)
    neck = ((x - 30) ** 2 + (y - 28) ** 2 < 16**2) & (z < 40)
    skin = ellipsoid(SHAPE, (30, 34, 62), (25, 31, 34))
    image[neck | skin] = 40
    image[(x - 30) ** 2 + (y - 64) ** 2 + (z - 45) ** 2 < 5**2] = 40  # nose
    if has_skull:
        shell = ellipsoid(SHAPE, (30, 34, 62), (23, 29, 32))
        shell &= ~ellipsoid(SHAPE, (30, 34, 62), (20.5, 26.5, 29.5)) & (z > 52)
        image[shell] = 900
    image[(np.abs(x - 30) < 4) & (np.abs(y - 34) < 5) & (z < 46)] = -1000  # throat
    image += np.random.default_rng(0).normal(0, 8, SHAPE)
    return Volume(np.rint(image[:, :, :n_planes]).astype(np.int16), AFFINE)


def trunk():
    """A body with ribs, spine and lungs."""
    shape = (110, 80, 60)
    image = np.full(shape, -1000.0)
    image[ellipsoid(shape, (55, 40, 30), (50, 36, 80))] = 40
    for x in (35, 75):
        image[ellipsoid(shape, (x, 44, 35), (14, 20, 22))] = -800
    image[ellipsoid(shape, (55, 16, 30), (6, 6, 80))] = 500
    return Volume(image.astype(np.int16), AFFINE)


def test_a_head_with_a_face_is_found():
    found = find_face(head())
    assert found.surface == "present"
    assert found.vault_mm > 60


@pytest.mark.parametrize("orientation", ["LPS", "PIR", "SAL"])
def test_the_stored_order_of_axes_does_not_matter(orientation):
    assert find_face(reorient(head(), orientation)) == find_face(head())


def test_a_trunk_has_none():
    assert find_face(trunk()).surface == "absent"


def test_the_vault_alone_is_no_face():
    whole = head()
    top = Volume(whole.array[:, :, 66:], AFFINE)
    assert find_face(top).surface == "possible"


def test_air_and_tiny_volumes_have_none():
    assert find_face(Volume(np.full((9, 9, 9), -1000, np.int16), AFFINE)).surface == "absent"
    assert find_face(Volume(np.zeros((2, 1, 3), np.int16), AFFINE)).surface == "absent"


@pytest.mark.parametrize("orientation", ["RAS", "LPS"])
def test_the_front_is_taken_off_and_the_depth_is_kept(orientation):
    whole = reorient(head(), orientation)
    defaced, changed = deface(whole)
    assert (defaced.array[changed] == -1000).all()
    np.testing.assert_array_equal(defaced.array[~changed], whole.array[~changed])
    mask = reorient(Volume(changed, whole.affine)).array
    assert (reorient(defaced).array[:, 64:, 40:50] < -300).all()  # the nose
    assert not mask[:, :30].any()  # the back of the head
    assert not mask[25:36, 20:45, 60:80].any()  # the brain


def test_a_fixation_mask_in_front_of_the_face_goes_too():
    """Its inside is a cast of the face."""
    whole = head()
    array = whole.array.copy()
    array[22:38, 69, 42:60] = -100
    defaced, _ = deface(whole.with_array(array))
    assert (defaced.array[22:38, 69, 44:58] == -1000).all()


def test_a_trunk_is_left_alone():
    defaced, changed = deface(trunk())
    assert not changed.any()
    np.testing.assert_array_equal(defaced.array, trunk().array)


@pytest.mark.real_data
def test_real_heads_and_trunks(real_data):
    heads = sorted(real_data.glob("openkbp_ct/*/ct.nii.gz"))[::4]
    found = [find_face(read_nifti(path)).surface for path in heads]
    assert found.count("present") >= 0.85 * len(heads)
    for path in sorted(real_data.glob("sts_ct/*/CT_image.nii.gz")):
        assert find_face(read_nifti(path)).surface == "absent"
