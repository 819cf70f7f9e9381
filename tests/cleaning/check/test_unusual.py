"""Scans that are unusual and right: no rule may reject them."""

import numpy as np
import pytest
from scipy import ndimage

from cleaning.check.anatomy import look
from cleaning.check.rules import check
from voxcurate.geometry import reorient
from voxcurate.volume import Volume


@pytest.fixture(scope="session")
def upright(scan):
    """The scan in RAS order."""
    return reorient(scan)


def outline(image):
    mask = ndimage.binary_opening(image > -400)
    labels, _ = ndimage.label(mask)
    mask = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return np.stack([ndimage.binary_fill_holes(plane) for plane in mask.transpose(2, 0, 1)], -1)


def codes(volume):
    return {reason.code: reason.severity for reason in check(volume).reasons}


@pytest.mark.parametrize("value", [0, -1000, -1024, -2000, -3024, -8192, -32768])
def test_a_masked_background_is_no_fault(upright, value):
    image = np.where(outline(upright.array), upright.array, value).astype(np.int16)
    found = codes(upright.with_array(image))
    assert "reject" not in found.values()
    assert set(found) <= {"odd_padding"}
    assert ("odd_padding" in found) == (value < -3100)


def test_a_mask_around_the_body_is_no_field_of_view(upright):
    masked = np.where(outline(upright.array), upright.array, -3024)
    assert look(upright.with_array(masked.astype(np.int16))).is_masked
    i, j = (np.linspace(-1, 1, n) for n in upright.shape[:2])
    beyond = np.hypot(i[:, None], j[None, :]) > 0.5
    narrow = np.where(beyond[:, :, None], -3024, upright.array).astype(np.int16)
    assert not look(upright.with_array(narrow)).is_masked
    assert codes(upright.with_array(narrow)) == {"cut_off": "suspect"}
    assert not look(upright).is_masked


@pytest.mark.parametrize("sigma", [40, 80, 110])
def test_noise_of_a_low_dose_is_no_disorder(upright, sigma):
    noise = np.random.default_rng(1).normal(0, sigma, upright.shape)
    image = np.clip(np.rint(upright.array + noise), -1024, 3071).astype(np.int16)
    assert "shuffled_slices" not in codes(upright.with_array(image))
    assert "reject" not in codes(upright.with_array(image)).values()
    order = np.random.default_rng(2).permutation(image.shape[2])
    shuffled = np.ascontiguousarray(image[:, :, order])
    assert codes(upright.with_array(shuffled))["shuffled_slices"] == "reject"


def test_planes_between_two_bodies_are_not_lost(upright):
    i, j, k = np.ogrid[-1:1:90j, -1:1:60j, -1:1:40j]
    image = np.full((90, 60, 40), -1024, np.int16)
    for side in (-0.5, 0.5):
        leg = np.broadcast_to(((i - side) / 0.35) ** 2 + (j / 0.6) ** 2 < 1, image.shape)
        image[leg & (k < 2)] = 40
    image[image > 0] += np.random.default_rng(5).integers(-30, 30, int((image > 0).sum()), np.int16)
    volume = Volume(image, np.diag([4.0, 4.0, 5.0, 1.0]))
    assert "empty_slices" not in codes(volume)
    torn = upright.array.copy()
    torn[:, :, 12:20] = -1024
    assert codes(upright.with_array(torn))["empty_slices"] == "reject"


def test_metal_in_a_small_field_of_view_is_suspect(upright):
    image = upright.array.astype(np.int32)
    image = image[image.shape[0] // 4 : -image.shape[0] // 4, image.shape[1] // 4 :]
    middle = tuple(slice(n // 2 - n // 6, n // 2 + n // 6) for n in image.shape)
    image[middle] = 12000
    found = codes(Volume(np.ascontiguousarray(image), upright.affine))
    assert found["metal"] == "suspect"
    assert "reject" not in found.values()


@pytest.mark.parametrize(("spacing", "verdict"), [(20.0, "suspect"), (30.0, "reject")])
def test_planes_with_gaps_are_suspect(upright, spacing, verdict):
    step = round(spacing / upright.spacing[2])
    affine = upright.affine @ np.diag([1.0, 1.0, spacing / upright.spacing[2], 1.0])
    found = codes(Volume(np.ascontiguousarray(upright.array[:, :, ::step]), affine))
    assert found["spacing"] == verdict


def test_a_crop_inside_an_organ_is_suspect():
    noise = ndimage.gaussian_filter(np.random.default_rng(3).normal(0, 40, (40, 36, 24)), 0.6)
    image = np.rint(90 + noise).astype(np.int16)
    image[10:14, 8:12] = -60
    volume = Volume(image, np.diag([1.0, 1.2, 3.0, 1.0]))
    found = check(volume)
    assert found.verdict == "suspect"
    as_float = check(volume.with_array(image.astype(np.float32)))
    assert as_float.evidence["noise_hu"] == pytest.approx(found.evidence["noise_hu"], rel=0.05)
    assert check(volume.with_array((image / 10).astype(np.float32))).verdict == "reject"
    assert "not_hu" in {reason.code for reason in found.reasons}


def test_half_a_body_says_nothing_about_its_axes(upright):
    n = upright.shape[0]
    left, back = upright.array[: n // 2], upright.array[:, : upright.shape[1] // 2]
    for half in (left, back):
        found = codes(Volume(np.ascontiguousarray(half), upright.affine))
        assert not {"axes_permuted", "front_back", "left_right"} & set(found)


def test_noisy_air_and_lungs_alone_are_not_moved_values(upright):
    rng = np.random.default_rng(6)
    image = np.full((64, 60, 40), -1000.0)
    image[28:36, 26:34] = 40
    image = np.clip(image + rng.normal(0, 80, image.shape), -1024, 3071)
    wide = Volume(np.rint(image).astype(np.int16), np.diag([4.0, 4.0, 5.0, 1.0]))
    assert "hu_offset" not in codes(wide)
    lower = upright.with_array(upright.array.astype(np.float32) - 1024)
    assert codes(lower)["hu_offset"] == "reject"


def test_an_inverted_scan_is_not_taken_for_a_masked_one(upright):
    image = -np.where(outline(upright.array), upright.array, -1000).astype(np.float32)
    assert check(upright.with_array(image)).verdict == "reject"
