"""Hashes, registration and the search for duplicates."""

import json
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from cleaning.duplicates._kernels import block_means, profiles
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import (
    ScanFingerprint,
    fingerprint,
    hamming,
    hash_bits,
    pixel_sha256,
)
from cleaning.duplicates.pairs import close_codes, clusters, group, keep_one
from cleaning.duplicates.registration import agreement, best_shift
from tests.cleaning.phantom import phantom
from voxcurate.volume import Volume

CT = phantom(1)
MARK = fingerprint(CT)


def reoriented(volume):
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (volume.shape[0] - 1)
    affine[:3, 0] *= -1
    return Volume(volume.array[::-1].transpose(2, 0, 1), affine[:, [2, 0, 1, 3]])


def resampled(volume, factor):
    image = zoom(volume.array.astype(np.float32), factor, order=1)
    scale = np.array(volume.shape) / image.shape
    return Volume(image, volume.affine @ np.diag([*scale, 1]))


def noisy(volume, sigma):
    noise = np.random.default_rng(5).normal(0, sigma, volume.shape)
    return volume.with_array((volume.array + noise).astype(np.float32))


def another_day(volume, mm=5.0):
    """The same patient again: breathed and lay down differently, other noise."""
    rng = np.random.default_rng(11)
    grid = np.indices(volume.shape).astype(float)
    for axis in range(3):
        field = gaussian_filter(rng.normal(size=volume.shape), 5)
        grid[axis] += field / field.std() * mm / volume.spacing[axis]
    image = map_coordinates(volume.array.astype(np.float32), grid, order=1, mode="nearest")
    return noisy(volume.with_array(image), 12)


COPIES = {
    "reoriented": reoriented(CT),
    "float": CT.with_array(CT.array.astype(np.float32)),
    "rescaled": CT.with_array(CT.array * np.float32(1.04) + 10),
    "noisy": noisy(CT, 15),
    "cropped": Volume(CT.array[2:-3, 3:-2, 2:-2], CT.affine),
    "padded": Volume(np.pad(CT.array, 6, constant_values=-1000), CT.affine),
    "resampled": resampled(CT, 0.7),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found(kind):
    pairs = group({"a": MARK, "b": fingerprint(COPIES[kind])})
    assert len(pairs) == 1
    exact = kind in {"reoriented", "float"}
    assert pairs[0].kind == ("identical_pixels" if exact else "transformed")


@pytest.mark.parametrize("mm", [4.0, 8.0])
def test_the_same_patient_another_day_is_another_scan(mm):
    assert group({"a": MARK, "b": fingerprint(another_day(CT, mm))}) == []


def test_other_patients_are_other_scans():
    marks = {f"p{seed}": fingerprint(phantom(seed)) for seed in range(8)}
    assert group(marks) == []


def test_order_of_ids_and_cases_does_not_matter():
    marks = {"a": MARK, "b": fingerprint(COPIES["cropped"]), "c": fingerprint(phantom(2))}
    backwards = dict(reversed(marks.items()))
    assert group(marks) == group(backwards)
    assert [(p.first, p.second) for p in group(marks)] == [("a", "b")]


def test_empty_scans_are_no_copies_of_each_other_unless_identical():
    def empty(value, side):
        return fingerprint(Volume(np.full((side, 9, 8), value, np.int16), np.eye(4)))

    marks = {f"e{n}": empty(n, 9 + n) for n in range(5)}
    assert all(mark.is_empty for mark in marks.values())
    assert group(marks) == []
    same = {f"s{n:03}": empty(0, 9) for n in range(50)}
    pairs = group(same)
    assert len(pairs) == 49  # not 50 * 49 / 2
    assert {pair.first for pair in pairs} == {"s000"}


def test_a_fingerprint_survives_json():
    again = ScanFingerprint.from_dict(json.loads(json.dumps(MARK.as_dict())))
    assert again.as_dict() == MARK.as_dict()
    np.testing.assert_array_equal(again.thumbnail, MARK.thumbnail)
    with pytest.raises(ValueError, match="version"):
        ScanFingerprint.from_dict({"version": 99})


def test_the_pixel_hash_is_of_values_in_their_place():
    assert pixel_sha256(CT) == pixel_sha256(reoriented(CT))
    changed = CT.array.copy()
    changed[3, 4, 5] += 1
    assert pixel_sha256(CT) != pixel_sha256(CT.with_array(changed))


def test_hash_ignores_gain_and_offset_and_knows_a_constant():
    grid = np.random.default_rng(0).normal(size=(32, 32, 32))
    bits = hash_bits(grid)
    assert hamming(bits, hash_bits(3 * grid + 7)) == 0
    assert hamming(bits, hash_bits(-grid)) == 256
    assert int(np.bitwise_count(bits).sum()) == 128
    assert not hash_bits(np.full((32, 32, 32), 4.0)).any()


def test_the_hash_of_version_one_never_changes():
    i, j, k = np.indices((40, 36, 50))
    array = (200 * np.sin(i / 7) + 150 * np.cos(j / 5 + k / 11) - 3 * k).astype(np.int16)
    mark = fingerprint(Volume(array, np.diag([2.0, 2.5, 3.0, 1.0])))
    assert mark.whole.tobytes().hex() == PINNED


PINNED = "a7361b6ecc4fb505192a035a3f4a81dfd1181f4fa063493a2c695eb67e42fd68"


@settings(deadline=None)  # compiles at first
@given(st.lists(st.integers(1, 45), min_size=3, max_size=3), st.integers(0, 99))
def test_block_means_against_plain_overlap(shape, seed):
    array = np.random.default_rng(seed).normal(size=shape)
    edges = [np.linspace(0, size, 5) for size in shape]
    found = block_means(array, np.zeros(3, np.int64), edges[0], edges[1], edges[2], -2.0, 2.0)
    weights = []
    for size, edge in zip(shape, edges, strict=True):
        voxel = np.arange(size)
        low = np.maximum(edge[:-1, None], voxel)
        overlap = np.clip(np.minimum(edge[1:, None], voxel + 1) - low, 0, None)
        weights.append(overlap / overlap.sum(axis=1, keepdims=True))
    want = np.einsum("ai,bj,ck,ijk->abc", *weights, np.clip(array, -2, 2))
    np.testing.assert_allclose(found, want, atol=1e-9)


def test_profiles_against_numpy():
    counts = profiles(CT.array, -150.0)
    for axis, count in enumerate(counts):
        other = tuple(a for a in range(3) if a != axis)
        np.testing.assert_array_equal(count, (CT.array > -150).sum(axis=other))


def test_best_shift_against_plain_loops():
    rng = np.random.default_rng(2)
    one = rng.normal(size=(5, 4, 6)).astype(np.float32)
    other = rng.normal(size=(4, 5, 5)).astype(np.float32)
    other[:3, :4, :5] = one[2:, :4, 1:] + 0.1 * rng.normal(size=(3, 4, 5))
    best = (-2.0, (0, 0, 0))
    for s in np.ndindex(9, 9, 11):
        shift = np.array(s) - np.array(other.shape) + 1
        low = np.maximum(shift, 0)
        high = np.minimum(one.shape, np.array(other.shape) + shift)
        if (high <= low).any() or np.prod(high - low) < 0.5 * min(one.size, other.size):
            continue
        a = one[tuple(map(slice, low, high))].ravel()
        b = other[tuple(map(slice, low - shift, high - shift))].ravel()
        best = max(best, (np.corrcoef(a, b)[0, 1], (int(shift[0]), int(shift[1]), int(shift[2]))))
    ncc, shift, overlap = best_shift(one, other, 0.5)
    assert ncc == pytest.approx(best[0], abs=1e-4)
    assert tuple(shift) == best[1] == (2, 0, 1)
    assert overlap == pytest.approx(60 / 100)


def test_agreement_says_how_far_it_moved():
    big = np.random.default_rng(0).integers(0, 255, (32, 32, 32)).astype(np.uint8)
    big = gaussian_filter(big.astype(float), 1.5)
    big = ((big - big.min()) / np.ptp(big) * 255).astype(np.uint8)
    moved = np.roll(big, (2, 0, -3), (0, 1, 2))
    found = agreement(big, (64.0, 96.0, 32.0), moved, (64.0, 96.0, 32.0))
    np.testing.assert_allclose(found.shift_mm, (-4, 0, 3), atol=1e-6)
    assert found.ncc > 0.999
    assert agreement(big, (64.0, 96.0, 32.0), 0 * big, (64.0, 96.0, 32.0)).ncc == 0
    assert agreement(big, (640.0, 96.0, 32.0), big, (64.0, 96.0, 32.0)).ncc == 0


@pytest.mark.parametrize("flat_limit", [1000, 10])
@pytest.mark.parametrize("radius", [0, 15, 40])
def test_close_codes_against_all_pairs(flat_limit, radius):
    rng = np.random.default_rng(radius)
    codes = rng.integers(0, 256, (60, 32)).astype(np.uint8)
    for n in range(30):  # neighbours at 0 to 29 bits
        bits = np.unpackbits(codes[n])
        bits[rng.choice(256, n, replace=False)] ^= 1
        codes[30 + n] = np.packbits(bits)
    found = close_codes(codes, radius, flat_limit=flat_limit)
    want = [(i, j) for i, j in combinations(range(60), 2) if hamming(codes[i], codes[j]) <= radius]
    assert [tuple(pair) for pair in found.tolist()] == want


def test_equal_codes_cost_no_more_than_their_number():
    codes = np.zeros((500, 32), np.uint8)
    assert len(close_codes(codes, 10)) == 499
    assert close_codes(codes[:1], 10).shape == (0, 2)
    assert close_codes(codes[:0], 10).shape == (0, 2)


def test_clusters_and_the_rule_that_keeps_one():
    assert clusters([("b", "c"), ("e", "f"), ("a", "c")]) == [("a", "b", "c"), ("e", "f")]
    assert clusters([]) == []
    ml = {"a": 2.0, "b": 1.0, "c": 1.0}
    assert keep_one("abc", n_labels={"a": 3, "b": 2}, voxel_ml=ml) == "a"
    assert keep_one("abc", n_labels={}, voxel_ml=ml) == "b"
    assert keep_one("ac", n_labels={}, voxel_ml={}) == "a"


def test_config_bounds():
    assert DuplicateConfig().radius_bits == 48


def test_our_hash_moves_less_than_a_mean_of_slice_hashes():
    """imagehash's phash of the slices, the peer idea, on the same copies."""
    import imagehash
    from PIL import Image

    def peer(volume):
        ras = volume if volume.orientation == "RAS" else reoriented(volume)
        scaled = (np.clip(ras.array, -500, 500) + 500) / 1000 * 255
        middle = [Image.fromarray(scaled[:, :, k].astype(np.uint8)) for k in (10, 22, 33)]
        return np.concatenate([imagehash.phash(image).hash.ravel() for image in middle])

    def ours(volume):
        mark = fingerprint(volume)
        return min(hamming(mark.body, MARK.body), hamming(mark.whole, MARK.whole)) / 256

    for kind in ("noisy", "rescaled", "padded"):
        theirs = float((peer(COPIES[kind]) != peer(CT)).mean())
        assert ours(COPIES[kind]) <= theirs + 0.02
