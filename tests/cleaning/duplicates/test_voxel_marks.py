"""Copies that are cropped and lost their spacing: landmarks on the scans' own voxels."""

import json

import numpy as np
import pytest

from cleaning.duplicates import candidates
from cleaning.duplicates.candidates import by_landmarks, by_voxels
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanCodes, ScanFingerprint, fingerprint, scan_codes
from cleaning.duplicates.pairs import compare
from cleaning.duplicates.proof import fine_images, proved
from cleaning.duplicates.voxel_marks import is_lost, possible, told
from tests.cleaning.duplicates.guises import (
    cropped,
    mark,
    noisy,
    patient,
    reoriented,
    without_spacing,
)
from voxcurate.volume import Volume

CONFIG = DuplicateConfig()
LOW, HIGH = np.array((9, 3, 2)), np.array((2, 5, 5))


def lost_crop(seed=1):
    return without_spacing(noisy(cropped(patient(seed), LOW, HIGH), 3))


def sure(one, other):
    marks = fingerprint(one), fingerprint(other)
    (pair,) = compare({"a": marks[0], "b": marks[1]})
    return proved(pair, *marks, fine_images(one), fine_images(other))


def test_the_rung_is_the_power_of_two_nearest_to_five_mm():
    assert told((0.8, 0.8, 3.0)) == (3, 3, 1)
    assert told((3.9, 2.4, 7.0)) == (0, 1, 0)
    assert told((0.01, 1.0, 30.0)) == (5, 2, 0)


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [
        ((0.7, 0.7, 1.25), (512, 512, 240)),
        ((0.98, 0.98, 5.0), (512, 512, 60)),
        ((0.98, 0.98, 0.6), (360, 300, 400)),
        ((3.9, 3.9, 2.5), (128, 128, 120)),
        ((4.07, 4.07, 3.0), (100, 120, 200)),
    ],
)
def test_the_true_rung_is_among_the_possible_ones_along_any_axis(spacing, shape):
    for turn in ((0, 1, 2), (2, 0, 1)):
        turned = [spacing[axis] for axis in turn], [shape[axis] for axis in turn]
        rungs = possible(turned[1], turn.index(2))
        assert told(turned[0]) in rungs
        assert len(rungs) == len(set(rungs)) <= 20


def test_a_header_is_lost_if_it_says_one_mm_or_a_size_no_scan_has():
    assert is_lost((1.0, 1.0, 1.0))
    assert not is_lost((1.0, 1.0, 1.25), (300, 300, 200))
    assert is_lost((0.001, 0.001, 0.003), (512, 512, 100))
    assert is_lost((10.0, 10.0, 10.0), (512, 512, 100))
    assert not is_lost((0.7, 0.7, 5.0), (512, 512, 30))


def test_every_other_row_tells_the_same_where_a_cube_has_many():
    small = patient()
    affine = small.affine.copy()
    affine[:3, :3] /= 4
    array = small.array.repeat(4, 0).repeat(4, 1).repeat(4, 2)
    (one,), (other,) = (scan_codes(x)[0].voxels for x in (small, Volume(array, affine)))
    assert (one.powers, other.powers) == ((0, 0, 0), (2, 2, 2))
    np.testing.assert_array_equal(one.landmarks.codes, other.landmarks.codes)
    np.testing.assert_allclose(one.landmarks.places_mm, other.landmarks.places_mm, atol=1e-3)


@pytest.mark.parametrize("turn", ["upright", "flipped", "permuted"])
def test_a_crop_without_spacing_is_found_and_placed(turn):
    other = lost_crop()
    index = np.array([11, 9, 13])
    place = index
    if turn == "flipped":
        other = other.with_array(np.ascontiguousarray(other.array[:, :, ::-1]))
        place = np.array([11, 9, other.shape[2] - 1 - 13])
    elif turn == "permuted":
        other = Volume(np.ascontiguousarray(other.array.transpose(2, 0, 1)), np.eye(4))
        place = index[[2, 0, 1]]
    found = sure(patient(), other)
    assert found.kind == "transformed"
    world = found.transform @ other.affine @ [*place, 1]
    assert np.linalg.norm(world - patient().affine @ [*(index + LOW), 1]) < 5


def test_landmarks_in_mm_do_not_find_it_and_no_other_patient_is_found():
    part = fingerprint(lost_crop())
    assert by_landmarks([mark(), part], CONFIG) == []
    assert len(by_voxels([mark(), part], CONFIG)) == 1
    assert compare({"a": mark(2), "b": part, "c": mark(3)}) == []
    both = fingerprint(lost_crop()), fingerprint(without_spacing(patient()))
    assert [pair.kind for pair in compare({"a": both[0], "b": both[1]})] == ["transformed"]


def test_the_pair_is_the_same_whichever_comes_first_and_known_ones_are_not_asked():
    part = fingerprint(lost_crop())
    (one,), (back,) = (by_voxels(marks, CONFIG) for marks in ([mark(), part], [part, mark()]))
    assert back.swapped().voxel_offset == pytest.approx(one.voxel_offset, abs=1.0)
    for marks in ([mark(), part], [part, mark()]):
        assert len(by_voxels(marks, CONFIG, known=1)) == 1
        assert by_voxels(marks, CONFIG, known=2) == []


def test_nothing_is_searched_where_no_header_is_lost(monkeypatch):
    marks = [mark(), fingerprint(reoriented(patient())), mark(2)]
    assert all(len(one.voxels) == 1 for one in marks)
    monkeypatch.setattr(candidates, "close_pairs", None)
    assert by_voxels(marks, CONFIG) == []


def test_rungs_survive_json():
    part = fingerprint(lost_crop())
    data = json.loads(json.dumps(part.as_dict()))
    for again in (ScanFingerprint.from_dict(data), ScanCodes.from_dict(data)):
        assert [one.powers for one in again.voxels] == [one.powers for one in part.voxels]
        for one, other in zip(again.voxels, part.voxels, strict=True):
            np.testing.assert_array_equal(one.landmarks.codes, other.landmarks.codes)
            np.testing.assert_allclose(
                one.landmarks.places_mm, other.landmarks.places_mm, atol=1e-3
            )
