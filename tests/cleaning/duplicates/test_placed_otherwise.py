"""Copies that are turned against their header, or lean, and are cropped besides; projections."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform
from scipy.spatial.transform import Rotation

from cleaning.duplicates import pairs
from cleaning.duplicates.candidates import by_landmarks, by_turned_landmarks, by_views
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanCodes, fingerprint
from cleaning.duplicates.landmarks import flipped, turned
from cleaning.duplicates.leaning import degrees, found_lean, leaned_image, told_lean
from cleaning.duplicates.pairs import compare, suspects
from cleaning.duplicates.placing import image_of
from cleaning.duplicates.projections import BITS, projection_bits, projections
from cleaning.duplicates.proof import fine_images, proved
from cleaning.duplicates.registration import agreement
from tests.cleaning.duplicates.guises import COPIES, cropped, hamming, mark, noisy, padded, patient
from voxcurate.volume import Volume

CONFIG = DuplicateConfig()


def leaning(volume, axis, angle, *, told):
    """Resampled to axes turned about the middle."""
    turn = Rotation.from_rotvec(np.deg2rad(angle) * np.array(axis)).as_matrix()
    spacing = np.array(volume.spacing)
    step = turn * spacing / spacing[:, None]
    middle = (np.array(volume.shape) - 1) / 2
    first = middle - step @ middle
    image = affine_transform(volume.array.astype(np.float32), step, first, order=1, cval=-1000)
    affine = volume.affine.copy()
    if told:
        affine[:3, 3] += affine[:3, :3] @ first
        affine[:3, :3] = affine[:3, :3] @ step
    return Volume(np.rint(image).astype(np.int16), affine), step, first


def sure(one, other):
    marks = fingerprint(one), fingerprint(other)
    (pair,) = compare({"a": marks[0], "b": marks[1]})
    return proved(pair, *marks, fine_images(one), fine_images(other))


@pytest.mark.parametrize("turn", [(2, 0), (2, 1), (0, 1)])
def test_a_crop_that_is_turned_or_flipped_against_its_header_is_found(turn):
    low, high = np.array((9, 3, 2)), np.array((2, 5, 5))
    part = noisy(cropped(patient(), low, high), 3)
    array = np.flip(part.array, turn) if turn[0] else np.rot90(part.array, 1, turn)
    other = Volume(np.ascontiguousarray(array), np.diag([*np.abs(part.spacing), 1.0]))
    found = sure(patient(), other)
    assert found.kind == "transformed"
    assert found.vote_turn == found.turn
    index = np.array([11, 9, 13])
    there = np.array(part.shape) - 1 - index
    place = np.where(np.isin(range(3), turn), there, index)
    if not turn[0]:
        place = np.array([there[1], index[0], index[2]])
    world = found.transform @ other.affine @ [*place, 1]
    assert np.linalg.norm(world - patient().affine @ [*(index + low), 1]) < 2.5


@pytest.mark.parametrize("told", [True, False])
def test_a_copy_on_leaning_axes_is_found_and_the_lean_measured(told):
    other, step, first = leaning(patient(), (0.6, 0.0, 0.8), 4.0, told=told)
    found = sure(patient(), other)
    assert found.kind == "transformed"
    assert found.lean_deg == pytest.approx(0 if told else 4.0, abs=0.5)
    place = np.array([20.0, 31.0, 12.0])
    world = found.transform @ other.affine @ [*place, 1]
    assert np.linalg.norm(world - patient().affine @ [*(step @ place + first), 1]) < 2.5


def test_told_leans_are_read_from_the_frames_and_large_ones_are_none():
    other, _, _ = leaning(patient(), (1, 0, 0), 3.0, told=True)
    lean = told_lean(mark(), fingerprint(other))
    assert degrees(lean) == pytest.approx(3.0, abs=0.05)
    assert degrees(np.linalg.inv(lean)) == pytest.approx(3.0, abs=0.05)
    np.testing.assert_array_equal(told_lean(mark(), mark()), np.eye(3))


def test_a_leaned_image_shows_each_place_where_the_matrix_says():
    image = fine_images(patient()).within
    lean = Rotation.from_rotvec([0.05, -0.03, 0.06]).as_matrix()
    there, way = leaned_image(image, lean)
    index = np.array([[20, 15, 18], [30, 20, 10]])
    mm = image.corner_mm + (index + 0.5) * image.cube_mm
    new = (mm @ way[:3, :3].T - there.corner_mm) / there.cube_mm - 0.5
    at = tuple(np.rint(new).astype(int).T)
    assert np.abs(there.values[at] - image.values[tuple(index.T)]).max() < 0.25
    assert found_lean(image, image, np.zeros(3)) is None


def test_what_lies_beyond_the_overlap_does_not_shine_in():
    """Half a cube of padding moved all cubes; blurred with the padding, ncc fell to 0.98."""
    fine, padding = fine_images(patient()), fine_images(padded(patient(), 5))
    offset = np.array(patient().spacing) * 5
    assert agreement(fine.beyond, padding.beyond, offset).ncc > 0.995
    found = agreement(fine.within, padding.within, offset)
    assert found.detail_ncc > 0.99
    assert found.misfit < 0.006


def test_views_of_all_turns_are_asked_for_at_once_or_one_by_one():
    """Whether few or many scans are new, the pairs are those of a plain loop."""
    marks = [mark(0), mark(1), *(fingerprint(COPIES[k](patient(1))) for k in ("noisy", "padded"))]
    marks.append(fingerprint(COPIES["upside down"](patient(1))))
    for known in (0, 2, 4):
        found = {(c.first, c.second): c for c in by_views(marks, CONFIG, known=known)}
        for b in range(known, len(marks)):
            for a in range(b):
                near = [
                    hamming(getattr(marks[a], view), flipped(turned(getattr(marks[b], view), o), f))
                    for view in ("whole", "body")
                    for o, f in _turns()
                ]
                pair = found.get((a, b))
                assert (pair is not None) == (min(near) <= CONFIG.view_radius_bits)
                assert pair is None or pair.view_distance == min(near)


def _turns():
    from cleaning.duplicates.candidates import all_turns

    return all_turns()


def test_the_turned_search_finds_no_upright_pair_and_swaps_as_it_must():
    part = fingerprint(noisy(cropped(patient(), (9, 3, 2), (2, 5, 5)), 3))
    assert by_landmarks([mark(), part], CONFIG)
    over = fingerprint(COPIES["upside down"](patient()))
    for known in (0, 1):
        (one,) = by_turned_landmarks([mark(), over], CONFIG, known=known)
        assert one.vote_turn == ((0, 1, 2), (False, False, True))
    back = one.swapped()
    assert back.swapped().offset_mm == pytest.approx(one.offset_mm)
    assert back.vote_turn == one.vote_turn  # a flip undoes itself


def test_projections_are_near_for_what_both_show_and_far_for_others():
    part = fingerprint(cropped(patient(), (9, 3, 2), (2, 5, 5)))
    (one,) = by_landmarks([mark(), part], CONFIG)
    near = projection_bits(image_of(mark()), image_of(part), np.array(one.offset_mm))
    far = projection_bits(image_of(mark()), image_of(mark(2)), np.zeros(3))
    assert near <= 24 < CONFIG.max_projection_bits
    assert near < far <= BITS
    shown = projections(image_of(mark()).values)
    assert [shown[name].dtype for name in ("sagittal", "coronal", "axial")] == [np.uint8] * 3
    assert shown["axial"].shape == image_of(mark()).values.shape[1::-1]


def test_far_projections_spare_the_comparison(monkeypatch):
    part = fingerprint(cropped(patient(), (9, 3, 2), (2, 5, 5)))
    by_votes = CONFIG.model_copy(update={"view_radius_bits": 0})
    assert compare({"a": mark(), "b": part}, by_votes)
    monkeypatch.setattr(pairs, "projection_bits", lambda *images: 53)
    monkeypatch.setattr(pairs, "judged", None)
    assert compare({"a": mark(), "b": part}, by_votes) == []


def test_codes_alone_are_enough_to_search():
    marks = {"a": mark(), "b": fingerprint(COPIES["cropped"](patient())), "c": mark(2)}
    codes = {key: ScanCodes.from_dict(one.as_dict()) for key, one in marks.items()}
    same, tries = suspects(codes, CONFIG)
    assert same == []
    assert ("a", "b") in [each[:2] for each in tries]
    assert suspects(codes, CONFIG, known={"a", "b", "c"}) == ([], [])
