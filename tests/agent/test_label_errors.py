"""Planted label errors on a small scene with unequal sides, anisotropic, oblique."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.cohort.label_errors import (
    KINDS,
    RANGES,
    WHOLLY,
    Donor,
    Scene,
    corrupt_label,
    dsc,
    severities,
    shifted,
)

SHAPE = (44, 38, 26)
TURN = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])
AFFINE = np.eye(4)
AFFINE[:3, :3] = TURN @ np.diag([2.0, 2.5, 4.0])
AFFINE[:3, 3] = (-40, 10, 5)
DEGREES = [(kind, severity) for kind in KINDS for severity in severities(kind)]


def ball(middle, radius_mm, shape=SHAPE, affine=AFFINE):
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1) - np.array(middle)
    return np.linalg.norm(grid @ affine[:3, :3].T, axis=-1) < radius_mm


def scene(affine=AFFINE):
    masks = {
        "gland_left": ball((14, 18, 13), 13.0, affine=affine),
        "gland_right": ball((31, 18, 13), 13.0, affine=affine),
        "trunk": ball((22, 26, 12), 19.0, affine=affine) & ~ball((14, 18, 13), 13.0, affine=affine),
        "absent": np.zeros(SHAPE, bool),
    }
    donors = [
        Donor(ball((13 + n, 16, 11), radius, (42, 40, 24)), AFFINE)
        for n, radius in enumerate((9.0, 10.5, 11.0, 11.5, 12.0, 12.4))
    ]
    return Scene(
        masks, affine, pairs={"gland_left": "gland_right", "gland_right": "gland_left"},
        donors={"gland_left": donors}, typical_ml={"absent": 6.0},
    )  # fmt: skip


@pytest.mark.parametrize(("kind", "severity"), DEGREES)
def test_every_error_is_as_bad_as_it_says_and_repeats(kind, severity):
    case = scene()
    before = {name: mask.copy() for name, mask in case.masks.items()}
    name = "absent" if kind == "false_positive" else "gland_left"
    found = [corrupt_label(kind, name, case, severity, [3, n]) for n in range(6)]
    drawn = [one for one in found if one is not None]
    assert len(drawn) >= (4 if kind != "other_patient" else 1)
    low, high = RANGES[severity]
    for one in drawn:
        assert one.dsc == dsc(one.mask, case.masks[name])
        assert low <= one.dsc <= high
        assert one.mask.shape == SHAPE
        assert one.mask.dtype == bool
        assert one.mask.any() == (kind != "missing")
    again = corrupt_label(kind, name, case, severity, [3, 0])
    assert (again is None) == (found[0] is None)
    assert again is None or (again.mask == found[0].mask).all()
    assert all((before[n] == case.masks[n]).all() for n in before)
    if kind not in WHOLLY and kind != "other_patient":
        assert len({one.mask.tobytes() for one in drawn}) > 1


def test_an_error_is_what_it_is_called():
    case = scene()
    truth = case.masks["gland_left"]

    def made(kind, severity="gross", name="gland_left"):
        found = corrupt_label(kind, name, case, severity, [5])
        assert found is not None
        return found.mask

    assert (made("left_right_swap") == case.masks["gland_right"]).all()
    assert (made("wrong_class") == case.masks["trunk"]).all()
    for kind in ("eroded", "cut_off"):
        assert not (made(kind, "moderate") & ~truth).any()
    for kind in ("dilated", "merged", "disconnected"):
        assert not (truth & ~made(kind, "moderate")).any()
    assert not (made("merged", "moderate") & ~(truth | case.masks["trunk"])).any()
    ml = made("false_positive", name="absent").sum() * case.voxel_ml
    assert 3.0 <= ml <= 7.3


def test_erosion_takes_what_lies_nearest_to_the_border_in_mm():
    case = scene()
    truth = case.masks["gland_left"]
    left = corrupt_label("eroded", "gland_left", case, "gross", [1]).mask
    middle = np.array((14, 18, 13))
    away = np.linalg.norm((np.argwhere(truth) - middle) @ AFFINE[:3, :3].T, axis=1)
    stays = left[truth]
    assert away[stays].mean() < away[~stays].mean()
    assert away[stays].max() < away[~stays].min() + 6.0  # a voxel's longest side and a half


def test_extra_pieces_touch_nothing_of_the_structure():
    from scipy import ndimage

    case = scene()
    for n in range(4):
        made = corrupt_label("disconnected", "gland_right", case, "moderate", [n])
        labelled, count = ndimage.label(made.mask, np.ones((3, 3, 3)))
        own = np.unique(labelled[case.masks["gland_right"]])
        assert len(own) == 1
        assert 2 <= count <= 4


def test_what_cannot_be_is_not():
    case = scene()
    assert corrupt_label("false_positive", "gland_left", case, "gross", [1]) is None
    assert corrupt_label("eroded", "absent", case, "gross", [1]) is None
    assert corrupt_label("left_right_swap", "trunk", case, "gross", [1]) is None
    assert corrupt_label("other_patient", "trunk", case, "gross", [1]) is None
    with pytest.raises(KeyError, match="missing is never subtle"):
        corrupt_label("missing", "trunk", case, "subtle", [1])


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(-60, 60)] * 3))
def test_a_shift_moves_every_voxel_or_loses_it(offset):
    mask = scene().masks["trunk"]
    places = np.argwhere(mask) + np.array(offset)
    inside = places[((places >= 0) & (places < np.array(SHAPE))).all(axis=1)]
    assert np.array_equal(np.argwhere(shifted(mask, offset)), inside)
