"""Which scans are one: found, confirmed, and told from what only looks alike."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleaning.duplicates.candidates import all_turns, candidates
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import fingerprint
from cleaning.duplicates.index import FingerprintIndex
from cleaning.duplicates.pairs import compare, group
from cleaning.duplicates.placing import inverse_turn, turned_image
from cleaning.duplicates.proof import fine_images, proved
from cleaning.duplicates.registration import Image, agreement, aligned, best_shift
from tests.cleaning.duplicates.guises import (
    COPIES,
    EXACT,
    another_day,
    cropped,
    mark,
    mirrored,
    noisy,
    patient,
    reoriented,
    without_spacing,
)
from voxcurate.errors import ConfigError
from voxcurate.volume import Volume


def pair_of(one, other):
    """What a scan and another make by their fingerprints, then by the proof."""
    prints = {"a": fingerprint(one), "b": fingerprint(other)}
    found = compare(prints)
    if not found:
        return None, None
    (pair,) = found
    return pair, proved(pair, prints["a"], prints["b"], fine_images(one), fine_images(other))


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_proved(kind):
    pair, sure = pair_of(patient(), COPIES[kind](patient()))
    assert pair is not None
    assert pair.kind == ("identical_pixels" if kind in EXACT else "transformed")
    assert sure is not None
    assert sure.kind == pair.kind


@pytest.mark.parametrize("kind", ["reoriented", "cropped", "coarser", "several", "upside down"])
def test_the_transform_leads_from_the_second_scan_to_the_first(kind):
    """Against the truth: a place in the array, through both affines."""
    one, other = patient(), COPIES[kind](patient())
    _, pair = pair_of(one, other)
    if kind == "several" or kind == "coarser":
        return check_by_values(pair, one, other)
    index = {"reoriented": (20, 30, 25), "cropped": (12, 20, 15), "upside down": (30, 25, 20)}[kind]
    here = {
        "reoriented": (60 - 30, 25, 20),
        "cropped": (12 + 9, 20 + 3, 15 + 2),
        "upside down": (30, 25, 43 - 20),
    }[kind]
    found = pair.transform @ other.affine @ [*index, 1]
    np.testing.assert_allclose(found, one.affine @ [*here, 1], atol=2.0)
    return None


def check_by_values(pair, one, other):
    centre = (np.array(other.shape) - 1) / 2
    back = np.linalg.inv(one.affine) @ pair.transform @ other.affine @ [*centre, 1]
    assert (back[:3] > 10).all()
    step = np.linalg.inv(one.affine) @ pair.transform @ other.affine
    assert abs(abs(np.linalg.det(step[:3, :3])) - other.voxel_ml / one.voxel_ml) < 0.05


@pytest.mark.parametrize("mm", [4.0, 8.0])
def test_the_same_patient_another_day_is_another_scan(mm):
    pair, sure = pair_of(patient(), another_day(patient(), mm))
    assert sure is None or sure.kind == "same_patient"
    assert pair is None or not (sure and sure.is_copy)


def test_a_mirror_image_is_linked_and_stays():
    _, sure = pair_of(patient(), mirrored(patient()))
    assert sure is not None
    assert sure.kind == "mirrored"
    assert not sure.is_copy


def test_other_patients_are_other_scans():
    assert group({f"p{seed}": mark(seed) for seed in range(6)}) == []


def test_order_of_ids_and_cases_does_not_matter():
    marks = {"a": mark(), "b": fingerprint(COPIES["cropped"](patient())), "c": mark(2)}
    found = [pair.as_dict() for pair in group(marks)]
    assert found == [pair.as_dict() for pair in group(dict(reversed(marks.items())))]
    assert [(p.first, p.second) for p in group(marks)] == [("a", "b")]


def test_empty_scans_are_no_copies_of_each_other_unless_identical():
    def empty(value, side):
        return fingerprint(Volume(np.full((side, 9, 8), value, np.int16), np.eye(4)))

    marks = {f"e{n}": empty(n, 9 + n) for n in range(5)}
    assert group(marks) == []
    same = {f"s{n:03}": empty(0, 9) for n in range(50)}
    pairs = group(same)
    assert len(pairs) == 49  # not 50 * 49 / 2
    assert {pair.first for pair in pairs} == {"s000"}


def test_identical_pixels_under_another_header_know_the_way():
    small = Volume(patient().array, without_spacing(patient()).affine)
    (pair,) = compare({"a": mark(), "b": fingerprint(small)})
    assert pair.kind == "identical_pixels"
    found = pair.transform @ small.affine @ [10, 20, 30, 1]
    np.testing.assert_allclose(found, patient().affine @ [10, 20, 30, 1], atol=1e-3)


MANY = ("reoriented", "8 bit", "noisy", "slices", "cropped", "upside down")


def collection():
    marks = {f"p{seed}": mark(seed) for seed in range(4)}
    for n, kind in enumerate(MANY):
        marks[f"{'amz'[n % 3]}{n}"] = fingerprint(COPIES[kind](patient(1 + n % 2)))
    return marks


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6))
def test_new_scans_against_stored_ones_give_what_all_at_once_give(seed):
    marks = collection()
    names = sorted(marks)
    stored = {n for n in names if np.random.default_rng([seed, names.index(n)]).random() < 0.5}
    index = FingerprintIndex({n: marks[n] for n in names if n in stored})
    first = compare(dict(index.prints))
    more = index.query({n: marks[n] for n in names if n not in stored})
    whole = compare(marks)

    def families(pairs):
        from cleaning.duplicates.groups import families

        return families(pairs)

    assert families(first + more) == families(whole)
    close = {(p.first, p.second): p.kind for p in whole if p.kind != "identical_pixels"}
    again = {(p.first, p.second): p.kind for p in first + more if p.kind != "identical_pixels"}
    twins = {n for p in whole if p.kind == "identical_pixels" for n in (p.first, p.second)}
    free = {key: kind for key, kind in close.items() if not set(key) & twins}
    assert free == {key: kind for key, kind in again.items() if not set(key) & twins}


def test_a_stored_index_comes_back_and_bad_files_are_refused(tmp_path):
    index = FingerprintIndex().added({"a": mark(), "b": mark(2)})
    path = tmp_path / "index.gz"
    index.save(path)
    again = FingerprintIndex.load(path)
    assert {k: m.as_dict() for k, m in again.prints.items()} == {
        k: m.as_dict() for k, m in index.prints.items()
    }
    before = path.read_bytes()
    index.save(path)
    assert path.read_bytes() == before
    for content in (b"", b"rubbish", before[:300]):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="index"):
            FingerprintIndex.load(path)
    with pytest.raises(ConfigError, match="no such"):
        FingerprintIndex.load(tmp_path / "none.gz")
    with pytest.raises(ValueError, match="new ids"):
        index.query({"a": mark()})


def test_turns_undo_each_other():
    image = Image(
        np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32),
        np.array([1.0, 2.0, 3.0]),
        np.array([5.0, -6.0, 7.0]),
    )
    for turn in all_turns():
        there, way = turned_image(image, turn)
        back, home = turned_image(there, inverse_turn(turn))
        np.testing.assert_array_equal(back.values, image.values)
        np.testing.assert_allclose(home @ way, np.eye(4), atol=1e-9)


def test_best_shift_against_plain_loops():
    rng = np.random.default_rng(2)
    one = rng.normal(size=(5, 4, 6)).astype(np.float32)
    other = rng.normal(size=(4, 5, 5)).astype(np.float32)
    other[:3, :4, :5] = one[2:, :4, 1:] + 0.1 * rng.normal(size=(3, 4, 5))
    best = (-2.0, (0, 0, 0))
    for s in np.ndindex(8, 8, 10):
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


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=3, max_size=3))
def test_agreement_finds_the_offset_below_a_voxel(offset):
    fine = fine_images(patient()).within
    there = Image(fine.values, fine.cube_mm, fine.corner_mm + np.array(offset))
    found = agreement(fine, there, np.add(offset, (2.0, -2.0, 1.5)))
    np.testing.assert_allclose(found.offset_mm, offset, atol=0.3)
    assert found.ncc > 0.999
    assert found.shift_mm < 1.0
    assert found.misfit < 0.02
    assert found.overlap == pytest.approx(1, abs=0.01)


def test_agreement_of_nothing():
    fine = fine_images(patient()).within
    blank = Image(0 * fine.values, fine.cube_mm, fine.corner_mm)
    assert agreement(fine, blank).ncc == 0
    assert agreement(blank, blank).shift_mm == np.inf
    assert agreement(fine, fine, np.full(3, 1e4)).ncc == 0
    assert aligned(fine, fine, np.full(3, 1e4))[1].max() == 0


def test_candidates_without_landmarks_come_from_the_views():
    thin = cropped(patient(), (0, 0, 18), (0, 0, 20))
    marks = [fingerprint(thin), fingerprint(reoriented(noisy(thin, 5)))]
    (found,) = candidates(marks, DuplicateConfig())
    assert found.view_distance < 32


def test_our_codes_move_less_than_slice_hashes():
    """imagehash's phash of the slices, the peer idea, on the same copies."""
    import imagehash
    from PIL import Image as Picture

    def peer(volume):
        scaled = (np.clip(volume.array, -500, 500) + 500) / 1000 * 255
        middle = [Picture.fromarray(scaled[:, :, k].astype(np.uint8)) for k in (10, 22, 33)]
        return np.concatenate([imagehash.phash(image).hash.ravel() for image in middle])

    for kind in ("noisy", "rescaled"):
        copy = COPIES[kind](patient())
        theirs = float((peer(copy) != peer(patient())).mean())
        ours = np.bitwise_count(fingerprint(copy).whole ^ mark().whole).sum() / 256
        assert ours <= theirs + 0.02
