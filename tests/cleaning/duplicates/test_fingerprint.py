"""What is kept of a scan: pinned, small, and the same for the same."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.grid import canonical, cube_edges
from cleaning.duplicates.hashing import (
    HASH_VERSION,
    ScanFingerprint,
    fingerprint,
    pixel_hash,
    view_code,
)
from cleaning.duplicates.intensity import found_window, hu_window, sample
from cleaning.duplicates.landmarks import (
    codes_of,
    flipped,
    frequencies,
    landmarks,
    turned,
)
from tests.cleaning.duplicates.guises import eight_bit, hamming, mark, patient, reoriented
from voxcurate.volume import Volume


def test_the_definition_never_changes():
    """Stored fingerprints are compared with new ones: a change needs a new HASH_VERSION."""
    i, j, k = np.indices((70, 60, 50))
    array = 500 * np.sin(i / 7) * np.cos(j / 5 + k / 11) - 3 * k
    array[:, :, :5] = -1000
    found = fingerprint(Volume(array.astype(np.int16), np.diag([4.0, 4.5, 5.0, 1.0])))
    assert HASH_VERSION == 3
    assert found.whole.tobytes().hex() == PINNED_WHOLE
    assert found.landmarks.codes[:2].tobytes().hex() == PINNED_CODES
    np.testing.assert_allclose(found.landmarks.places_mm[0], PINNED_PLACE, atol=0.2)


PINNED_WHOLE = "21242a09cf59edf7bdd2a5aecb2511d8be7c806d2518c6b450b0390bd09b4bde"
PINNED_CODES = (
    "4af5ab50a430d4beb1bc687b880d072c1bd4d08af9e83c70bee9324f37660246"
    "64939baeba56c300bd2417e7fb7ec3d1e24c207a601b7fa02690fdafc7ebf009"
)
PINNED_PLACE = (130.0, 77.35, 34.15)


def test_a_fingerprint_survives_json_and_is_small():
    text = json.dumps(mark().as_dict())
    again = ScanFingerprint.from_dict(json.loads(text))
    assert json.dumps(again.as_dict()) == text
    assert len(text) < 20_000
    assert len(mark().landmarks) > 20
    np.testing.assert_array_equal(again.thumbnail.levels, mark().thumbnail.levels)
    np.testing.assert_array_equal(again.landmarks.codes, mark().landmarks.codes)
    np.testing.assert_array_equal(again.landmarks.cube_mm, mark().landmarks.cube_mm)
    np.testing.assert_allclose(again.landmarks.places_mm, mark().landmarks.places_mm, atol=1e-3)
    with pytest.raises(ValueError, match="version"):
        ScanFingerprint.from_dict({"version": 1})


def test_the_bits_are_whole_orbits_without_a_bias():
    found = frequencies()
    assert found.shape == (256, 3)
    members = set(map(tuple, found.tolist()))
    assert len(members) == 256
    assert all((b, c, a) in members and (b, a, c) in members for a, b, c in members)
    assert not any(a % 2 == b % 2 == c % 2 == 0 for a, b, c in members)


def test_flips_and_turns_of_a_code_are_those_of_the_scan():
    cubes = np.random.default_rng(0).normal(size=(4, 16, 16, 16)).astype(np.float32)
    codes = codes_of(cubes)
    for axis in range(3):
        axes = tuple(a == axis for a in range(3))
        np.testing.assert_array_equal(codes_of(np.flip(cubes, axis + 1)), flipped(codes, axes))
    for order in ((1, 0, 2), (2, 0, 1), (1, 2, 0)):
        moved = np.ascontiguousarray(cubes.transpose(0, *(o + 1 for o in order)))
        np.testing.assert_array_equal(codes_of(moved), turned(codes, order))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 50), st.floats(-500, 500), st.integers(0, 99))
def test_codes_ignore_gain_and_offset(gain, offset, seed):
    grid = np.random.default_rng(seed).normal(size=(12, 13, 14)).astype(np.float32)
    assert hamming(view_code(grid), view_code(gain * grid + offset)) <= 2
    assert hamming(view_code(grid), view_code(-grid)) == 256


def test_reorientation_changes_nothing_but_the_frame():
    other = fingerprint(reoriented(patient()))
    assert other.pixels == mark().pixels
    np.testing.assert_array_equal(other.landmarks.codes, mark().landmarks.codes)
    np.testing.assert_allclose(other.frame, mark().frame, atol=1e-9)
    np.testing.assert_array_equal(other.thumbnail.levels, mark().thumbnail.levels)


@given(st.integers(1, 400), st.floats(0.3, 9), st.floats(0.5, 12))
def test_cubes_lie_centred_within_the_scan(n, step, cube):
    edges = cube_edges(n, step, cube)
    assert edges[0] >= 0
    assert edges[-1] <= n
    assert edges[0] == pytest.approx(n - edges[-1], abs=1e-9)
    widths = np.diff(edges) * step
    np.testing.assert_allclose(widths, min(cube, n * step), rtol=1e-6)


def test_the_frame_leads_back_to_the_world():
    scan = canonical(patient(), 5.0)
    corner = scan.frame @ [0, 0, 0, 1]
    ras = reoriented(patient())
    np.testing.assert_allclose(canonical(ras, 5.0).frame @ [0, 0, 0, 1], corner, atol=1e-9)
    index = (np.linalg.inv(patient().affine) @ corner)[:3]
    for at, n in zip(index, patient().shape, strict=True):
        assert min(abs(at + 0.5), abs(at - n + 0.5)) < 1e-6
    assert (scan.corner_mm >= 0).all()
    assert (scan.corner_mm <= 2.5).all()


def test_the_window_is_found_in_any_units():
    volume = patient()
    assert hu_window(sample(volume.array)) == (-200, 300)
    for gain, offset in ((1, 1024), (1, 1000)):
        other = volume.with_array(volume.array.astype(np.float32) * gain + offset)
        low, high = canonical(other, 5.0).window
        assert (low - offset) / gain == pytest.approx(-200, abs=60)
        assert (high - offset) / gain == pytest.approx(300, abs=90)
    low, high = canonical(eight_bit(volume), 5.0).window
    assert low == pytest.approx(0, abs=8)
    assert high > 180


def test_constant_and_tiny_scans_have_no_landmarks():
    empty = fingerprint(Volume(np.full((9, 8, 7), 3, np.int16), np.eye(4)))
    assert empty.is_empty
    assert not len(empty.landmarks)
    assert not empty.whole.any()
    thin = fingerprint(Volume(patient().array[:, :, 20:21], patient().affine))
    assert not thin.is_empty
    assert not len(landmarks(canonical(Volume(patient().array[:2], np.eye(4)), 5.0), 9))
    again = ScanFingerprint.from_dict(json.loads(json.dumps(empty.as_dict())))
    assert again.as_dict() == empty.as_dict()
    ones = np.ones(50, np.float32)
    assert found_window(ones, ones) == (1, 1)
    assert hu_window(np.zeros(0, np.float32)) is None


def test_nan_counts_as_air():
    image = patient().array.astype(np.float32)
    image[image < -900] = np.nan
    found = fingerprint(patient().with_array(image))
    assert hamming(found.body, mark().body) < 30


def test_the_pixel_hash_is_of_values_in_their_place():
    volume = patient()
    assert pixel_hash(volume) == pixel_hash(reoriented(volume)) == mark().pixels
    for dtype in (np.float32, np.float64, np.int32, ">i2"):
        assert pixel_hash(volume.with_array(volume.array.astype(dtype))) == mark().pixels
    changed = volume.array.copy()
    changed[3, 4, 5] += 1
    assert pixel_hash(volume.with_array(changed)) != mark().pixels
    assert pixel_hash(Volume(volume.array.transpose(1, 0, 2), volume.affine)) != mark().pixels
