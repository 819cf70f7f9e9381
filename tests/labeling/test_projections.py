"""Pictures: sides, proportions, tint, same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling.projections import canonical, middle_slice, projection_png, projection_pngs, slice_png
from tests.labeling.conftest import AFFINE, SHAPE, phantom
from voxcurate.errors import ConfigError, GeometryError
from voxcurate.volume import Volume


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def red(picture):
    """Pixels of the tint (letters are yellow on black)."""
    return (picture[..., 0] > 60) & (picture[..., 1] == 0) & (picture[..., 2] == 0)


def centre(mask):
    return np.argwhere(mask).mean(axis=0)  # row, column


@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_the_right_side_is_on_the_left_however_it_is_stored(axis):
    volume, masks = phantom(0)
    array, affine = volume.array, AFFINE
    if axis is not None:
        flip = np.eye(4)
        flip[axis, axis], flip[axis, 3] = -1, SHAPE[axis] - 1
        array, affine = np.flip(array, axis), AFFINE @ flip
        masks = {c: np.flip(m, axis) for c, m in masks.items()}
    stored = Volume(array, affine)
    shown = {c: pixels(p) for c, p in projection_pngs(stored, masks).items()}
    width = shown[""].shape[1]
    assert centre(red(shown["kidney_right"]))[1] < width / 2 < centre(red(shown["kidney_left"]))[1]
    assert centre(red(shown["liver"]))[0] < centre(red(shown["kidney_right"]))[0]  # above


def test_pixels_are_not_stretched():
    size = (40, 12, 10)
    spacing = np.diag([1.0, 2.0, 6.0, 1.0])
    mask = np.zeros(size, bool)
    mask[10:22, 4:8, 4:6] = True  # 12 mm by 12 mm seen from the front
    picture = pixels(projection_png(Volume(np.zeros(size, np.int16), spacing), mask, max_side=360))
    assert picture.shape[:2] == (360, 240)  # 60 mm high, 40 mm wide
    rows, columns = np.nonzero(red(picture))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 2
    assert np.ptp(rows) == pytest.approx(72, abs=2)


def test_same_input_same_bytes_and_one_pass_equals_many():
    volume, masks = phantom(1)
    assert projection_png(volume, masks["liver"]) == projection_png(volume, masks["liver"])
    assert projection_pngs(volume, masks)["liver"] == projection_png(volume, masks["liver"])
    assert projection_png(volume) == projection_pngs(volume, {})[""]


def test_slices_show_outlines_in_their_colours():
    volume, masks = phantom(0)
    index = middle_slice(volume, masks["liver"], "axial")
    picture = pixels(slice_png(volume, masks, "axial", index, {"liver": (0, 255, 0)}))
    green = (picture == (0, 255, 0)).all(-1)
    assert green.any()
    assert centre(green)[1] < picture.shape[1] / 2  # the liver is on the patient's right
    canonical_liver = canonical(masks["liver"], volume)
    assert index == canonical_liver.sum((0, 1)).argmax()
    assert middle_slice(volume, np.zeros(SHAPE, bool), "axial") == canonical_liver.shape[2] // 2


def test_what_does_not_fit_is_told():
    volume, _ = phantom(0)
    with pytest.raises(GeometryError, match="want a mask of shape"):
        projection_png(volume, np.zeros((2, 2, 2), bool))
    with pytest.raises(ConfigError, match="no view"):
        projection_png(volume, axis="sideways")
    with pytest.raises(ConfigError, match="no window"):
        projection_png(volume, window="soft")
    with pytest.raises(GeometryError, match="no axial slice"):
        slice_png(volume, {}, "axial", 99, {})
