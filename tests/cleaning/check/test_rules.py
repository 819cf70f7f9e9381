"""The scan checks on phantoms whose damage is known, and on the real scans."""

import numpy as np
import pytest

from cleaning.check._kernels import survey
from cleaning.check.config import CheckConfig
from cleaning.check.planes import disorder_of, neighbour_correlation
from cleaning.check.rules import check
from tests.cleaning.phantom import phantom
from voxcurate.nifti import read_nifti
from voxcurate.volume import Volume

CT = phantom(3)
RNG = np.random.default_rng(0)
CLEAN = CT.array.astype(np.float32)


def slab(value):
    result = CLEAN.copy()
    result[:, :, 14:26] = value(result) if callable(value) else value
    return result


def window(low, high):
    return np.clip(CLEAN, low, high)


DAMAGED = {
    "nan": np.where(CLEAN > 700, np.nan, CLEAN),
    "constant": np.full_like(CLEAN, 7),
    "empty_slices": slab(-1024),
    "repeated_slices": slab(lambda image: image[:, :, 14:15]),
    "shuffled_slices": CLEAN[:, :, RNG.permutation(44)],
    "hu_offset": CLEAN + 1024,
    "eight_bit": np.rint((window(-160, 240) + 160) / 400 * 255),
    "not_hu": CLEAN / 10,
    "all_noise": RNG.uniform(-1000, 1500, CLEAN.shape),
    "noise": CLEAN + RNG.normal(0, 400, CLEAN.shape),
}


def codes(result):
    return {reason.code for reason in result.reasons}


def test_a_good_scan_passes_and_leaves_evidence():
    result = check(CT)
    assert result.verdict == "pass"
    assert result.reasons == ()
    assert result.evidence["body_ml"] > 1000
    assert 5 < result.evidence["noise_hu"] < 20


@pytest.mark.parametrize("code", DAMAGED)
def test_damage_is_rejected_with_its_reason(code):
    result = check(CT.with_array(DAMAGED[code].astype(np.float32)))
    assert result.verdict == "reject"
    assert code in codes(result)
    for reason in result.reasons:
        assert np.isfinite(reason.measured)


@pytest.mark.parametrize(("code", "high"), [("clipped_high", 400), ("clipped_low", 3000)])
def test_a_clipped_scan_is_suspect(code, high):
    low = -150 if code == "clipped_low" else -1024
    result = check(CT.with_array(window(low, high)))
    assert result.verdict == "suspect"
    assert codes(result) == {code}


@pytest.mark.parametrize("change", ["one empty slice", "one repeated slice"])
def test_a_single_slice_is_suspect(change):
    image = CLEAN.copy()
    image[:, :, 20] = -1024 if "empty" in change else image[:, :, 19]
    assert check(CT.with_array(image)).verdict == "suspect"


@pytest.mark.parametrize("factor", [1e-3, 30.0])
def test_impossible_spacing(factor):
    affine = CT.affine @ np.diag([factor, factor, factor, 1])
    assert "spacing" in codes(check(Volume(CT.array, affine)))


def test_too_few_slices():
    assert check(Volume(CT.array[:, :, :2], CT.affine)).verdict == "reject"
    assert "few_slices" in codes(check(Volume(CT.array[:, :, 18:23], CT.affine)))


def test_padding_metal_and_empty_borders_are_normal():
    image = CT.array.astype(np.int32)
    image[:4], image[:, :, -6:] = -3024, -1000
    image[30, 25, 20:23] = 31743
    assert check(Volume(image, CT.affine)).verdict == "pass"


def test_no_body():
    air = RNG.normal(-1000, 3, CLEAN.shape)
    air += 40 * np.sin(np.indices(CLEAN.shape)[0] / 5)
    config = CheckConfig(min_range_hu=10)
    assert "no_body" in codes(check(CT.with_array(air.astype(np.float32)), "CT", config))


@pytest.mark.parametrize("offset", [-24, -40, -60, 24])
def test_small_offsets_are_seen_by_the_air_clipped_or_not(offset):
    clipped = np.maximum(CLEAN, -1024)
    for image in (clipped, CLEAN):
        shifted = np.rint(image + offset).astype(np.int16)
        found = check(CT.with_array(shifted))
        assert "hu_shift" in codes(found)
        assert found.verdict == "suspect"


def test_hu_rules_are_off_for_other_modalities():
    for image in (CLEAN + 1024, DAMAGED["eight_bit"], CLEAN * 900):
        assert check(CT.with_array(image.astype(np.float32)), "MR").verdict == "pass"
    assert check(CT.with_array(DAMAGED["shuffled_slices"]), "MR").verdict == "reject"


def test_orientation_and_memory_order_do_not_matter():
    want = check(CT)
    again = check(Volume(np.ascontiguousarray(CT.array), CT.affine))
    assert again == want
    assert check(Volume(CT.array[::-1, :, ::-1], CT.affine)).verdict == "pass"


def test_survey_against_plain_numpy():
    array = np.random.default_rng(1).integers(-5, 5, (6, 5, 7)).astype(np.int16)
    array[2] = 3
    array[:, :, 5] = array[:, :, 1]
    lows, highs, hashes, filled, noise = survey(array, 3, -100.0, 100.0)
    for axis, size in enumerate(array.shape):
        planes = np.moveaxis(array, axis, 0).reshape(size, -1)
        np.testing.assert_array_equal(lows[axis, :size], planes.min(axis=1))
        np.testing.assert_array_equal(highs[axis, :size], planes.max(axis=1))
        np.testing.assert_array_equal(filled[axis, :size], (planes > 3).sum(axis=1))
    assert hashes[2, 5] == hashes[2, 1]
    assert np.unique(hashes[2, :7]).size == 6
    second = np.abs(array[:, :, 1:-3] - 2 * array[:, :, 2:-2] + array[:, :, 3:-1].astype(int))
    want = np.bincount((second / np.sqrt(6) / 0.5).astype(int).ravel(), minlength=noise.size)
    np.testing.assert_array_equal(noise, want)


def test_neighbour_correlation_and_disorder_by_hand():
    ramp = np.arange(12.0)[:, None, None] * np.ones((1, 4, 3))
    assert neighbour_correlation(ramp, (-100, 100)) == pytest.approx(1.0)
    assert disorder_of(ramp, 0, (-100, 100)) == pytest.approx(3 / 13)  # any two: 13 / 3 apart
    noise = np.random.default_rng(0).normal(size=(30, 30, 30))
    assert abs(neighbour_correlation(noise, (-9, 9))) < 0.03
    assert disorder_of(noise, 1, (-9, 9)) == pytest.approx(1.0, abs=0.03)
    assert disorder_of(ramp[:5], 0, (-100, 100)) == 0.0


@pytest.mark.parametrize("high", [1e-44, 1e-38, 1e-20, 1e30])
def test_tiny_and_huge_values_get_a_verdict(high):
    image = np.zeros(CLEAN.shape, np.float32)
    image[20:30, 20:30, 10:30] = high
    assert check(CT.with_array(image)).verdict == "reject"
    check(CT.with_array(image), "MR")


@pytest.mark.real_data
@pytest.mark.slow
def test_no_real_scan_is_rejected(real_data):
    verdicts = []
    for pattern, modality in (
        ("openkbp_ct/*/ct.nii.gz", "CT"),
        ("sts_ct/*/CT_image.nii.gz", "CT"),
        ("totalsegmentator_ct/example_ct*.nii.gz", "CT"),
        ("ct_no_mask_3mm/*.nii.gz", "CT"),
        ("msd_hippocampus_mr/images/*.nii.gz", "MR"),
    ):
        verdicts += [check(read_nifti(p), modality).verdict for p in real_data.glob(pattern)]
    assert len(verdicts) > 150
    assert "reject" not in verdicts
    assert verdicts.count("suspect") < 0.05 * len(verdicts)
