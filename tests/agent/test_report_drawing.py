"""Pictures and statistics of the report: sides, planes, fields, intervals, outliers."""

import io

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from agent.report.drawing import REFERENCE, Layer, picture_png
from agent.report.statistics import outliers, paired_change
from tests.conftest import oblique_affine
from voxcurate.volume import Volume

SHAPE = (40, 30, 24)
AFFINE = np.diag([3.0, 4.0, 5.0, 1.0])  # RAS+, 120 x 120 x 120 mm


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def outlined(data):
    return (pixels(data) == REFERENCE).all(axis=-1)


def block(*slices):
    mask = np.zeros(SHAPE, bool)
    mask[slices] = True
    return mask


RIGHT_UP = block(slice(30, 38), slice(10, 14), slice(18, 23))  # towards R+, S+


def turned(affine, array, flips):
    """The same volume stored with some axes reversed."""
    result = array[tuple(slice(None, None, -1 if f else 1) for f in flips)]
    moved = affine.copy()
    for axis, is_flipped in enumerate(flips):
        if is_flipped:
            moved[:3, 3] += moved[:3, axis] * (array.shape[axis] - 1)
            moved[:3, axis] *= -1
    return result, moved


def test_the_patients_right_is_on_the_left_and_the_head_is_up():
    volume = Volume(np.zeros(SHAPE, np.int16), AFFINE)
    rows, columns = np.nonzero(
        outlined(picture_png(volume, [Layer(RIGHT_UP, REFERENCE)], is_whole=True))
    )
    assert columns.max() < 140 / 2
    assert rows.max() < 140


def test_axial_pictures_have_the_front_up():
    front = block(slice(18, 22), slice(24, 29), slice(3, 6))
    volume = Volume(np.zeros(SHAPE, np.int16), AFFINE)
    data = picture_png(volume, [Layer(front, REFERENCE)], view="axial", is_whole=True)
    assert np.nonzero(outlined(data))[0].max() < 140


@given(
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    view=st.sampled_from(["coronal", "axial"]),
)
def test_storage_order_does_not_change_the_picture(flips, view):
    array = np.random.default_rng(1).integers(-200, 300, SHAPE).astype(np.int16)
    plain = picture_png(Volume(array, AFFINE), [Layer(RIGHT_UP, REFERENCE)], view=view)
    other, moved = turned(AFFINE, array, flips)
    mask, _ = turned(AFFINE, RIGHT_UP, flips)
    assert picture_png(Volume(other, moved), [Layer(mask, REFERENCE)], view=view) == plain


def test_axes_in_any_order_make_the_same_picture():
    array = np.random.default_rng(2).integers(-200, 300, SHAPE).astype(np.int16)
    order = [2, 0, 1]
    moved = AFFINE[:, [*order, 3]]
    plain = picture_png(Volume(array, AFFINE), [Layer(RIGHT_UP, REFERENCE)])
    swapped = picture_png(
        Volume(array.transpose(order), moved), [Layer(RIGHT_UP.transpose(order), REFERENCE)]
    )
    assert swapped == plain


def test_pixels_are_square_in_millimetres():
    tall = Volume(np.zeros((20, 10, 60), np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
    assert pixels(picture_png(tall)).shape[:2] == (280, 93)


def test_two_masks_are_shown_where_both_are_and_differ_most():
    one = block(slice(10, 20), slice(5, 20), slice(5, 10))
    two = one.copy()
    two[10:20, 12, 5:9] = False  # a plane where they differ, and both are there
    one[:, 25, :] = True  # a plane with one of them alone
    array = np.zeros(SHAPE, np.int16)
    array[:, 12, :] = 240
    data = picture_png(Volume(array, AFFINE), focus=[one, two], is_whole=True)
    assert np.median(pixels(data)) > 200


def test_the_field_is_cut_around_the_mask():
    volume = Volume(np.zeros((100, 20, 100), np.int16), np.diag([3.0, 3.0, 3.0, 1.0]))
    small = np.zeros(volume.shape, bool)
    small[50:54, 10, 50:54] = True
    width = np.ptp(np.nonzero(outlined(picture_png(volume, [Layer(small, REFERENCE)])))[1]) + 1
    assert width == pytest.approx(12 * 280 / 110, abs=6)  # 12 mm in a field of 110 mm


@pytest.mark.parametrize("mask", [np.zeros(SHAPE, bool), np.ones(SHAPE, bool)])
def test_empty_and_full_masks_are_drawn(mask):
    volume = Volume(np.zeros(SHAPE, np.int16), oblique_affine())
    assert picture_png(volume, [Layer(mask, REFERENCE)]).startswith(b"\x89PNG")


def test_inputs_stay_as_they_were():
    array = np.random.default_rng(3).normal(size=SHAPE).astype(np.float32)
    array[0, 0, 0] = np.nan
    before = array.copy()
    picture_png(Volume(array, AFFINE), window=None)
    np.testing.assert_array_equal(array, before)


def test_a_change_uses_shared_cases_alone():
    now = {"a": {"x": 0.9, "y": 0.1}, "c": {"x": 1.0}}
    before = {"a": {"x": 0.8, "z": 0.0}, "b": {"x": 1.0}}
    found = paired_change(now, before, {}, seed=0)
    assert (found.mean, found.n) == (pytest.approx(0.1), 1)


def test_outliers_by_hand():
    assert outliers([100, 101, 99, 102, 98, 5]).tolist() == [False] * 5 + [True]
    assert not outliers([1, 100, 10000]).any()  # too few
    assert not outliers([10, 10, 10, 10, 500]).any()  # no spread to compare with


@given(st.lists(st.integers(1, 10_000), min_size=5, max_size=30), st.integers(1, 9))
def test_outliers_are_those_of_the_plain_loop_in_any_unit(values, scale):
    logs = [np.log(v) for v in values]
    middle = np.median(logs)
    spread = np.median([abs(x - middle) for x in logs])
    z = [0.6745 * abs(x - middle) / spread if spread else 0.0 for x in logs]
    assume(spread == 0 or (spread > 1e-6 and not np.isclose(z, 3.5).any()))
    assert outliers(values).tolist() == [v > 3.5 for v in z]
    if spread:
        assert outliers([v * 10.0**scale for v in values]).tolist() == [v > 3.5 for v in z]
