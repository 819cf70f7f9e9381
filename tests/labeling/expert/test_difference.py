"""How a label differs from a prediction, and what kind of error that would be."""

import numpy as np
import pytest

from labeling.expert.difference import difference
from labeling.structures import Structure
from tests.conftest import oblique_affine

SHAPE = (30, 26, 22)
AFFINE = oblique_affine((2.0, 3.0, 4.0), (0.05, -0.04, 0.06), (-30.0, -40.0, -50.0))
VOXEL_ML = 0.024


def box(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


ORGAN = box((8, 8, 6), (20, 18, 16))  # 12 x 10 x 10
BESIDE = box((20, 8, 6), (28, 18, 16))


def told(label, **predicted):
    masks = {"liver": ORGAN, **predicted}
    structures = {c: Structure.of(c, m, AFFINE) for c, m in masks.items()}
    return difference(Structure.of("liver", label, AFFINE), structures)


def test_an_end_that_is_cut_off_by_hand():
    found = told(box((8, 8, 6), (14, 18, 16)))
    assert (found.inside, found.found) == (1.0, 0.5)
    assert found.lost_ml == pytest.approx(600 * VOXEL_ML)
    assert found.more_ml == 0
    assert found.shift_mm == pytest.approx(6.0)
    assert found.kind() == "cut_off"
    assert told(box((8, 8, 6), (10, 18, 16))).kind() == "cut_off"  # most of it is lost


def test_kinds_that_dice_does_not_tell_apart():
    shell = box((10, 10, 8), (18, 16, 14))
    assert told(shell).kind() == "eroded"
    assert told(box((5, 5, 4), (23, 21, 18))).kind() == "dilated"
    both = told(ORGAN | BESIDE, spleen=BESIDE)
    assert (both.kind(), both.more_in, both.more_in_share) == ("merged", "spleen", 1.0)
    far = ORGAN | box((1, 1, 1), (7, 7, 5))
    assert told(far).kind() == "disconnected"
    assert told(far).more_loose == 1.0
    assert told(box((17, 14, 12), (29, 24, 22))).kind() == "misplaced"
    assert told(ORGAN).kind() == ""


def test_nothing_to_compare():
    assert told(np.zeros(SHAPE, bool)) is None
    assert told(ORGAN, liver=np.zeros(SHAPE, bool)) is None
    label = Structure.of("spleen", ORGAN, AFFINE)
    assert difference(label, {"liver": Structure.of("liver", ORGAN, AFFINE)}) is None
