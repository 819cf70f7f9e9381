"""Pictures: sides, proportions, tint, same bytes."""

import io

import numpy as np
import pytest
from PIL import Image

from labeling.projections import (
    WINDOWS,
    Look,
    PictureCache,
    ScanPictures,
    canonical,
    middle_slice,
    projection_png,
    projection_pngs,
    shadow_dice,
    slice_png,
)
from labeling.projections.painting import PALETTE, painted
from labeling.projections.png import png
from labeling.projections.sums import map_shadows, mask_shadows, scan_sums
from labeling.structures import Structure
from tests.labeling.conftest import AFFINE, SHAPE, phantom
from voxcurate.errors import ConfigError, GeometryError
from voxcurate.labels import mask_sha256
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


def stored_ways(volume, mask):
    """The same scan in other memory orders and axis orders."""
    yield volume, mask
    yield Volume(np.asfortranarray(volume.array), volume.affine), np.asfortranarray(mask)
    for axes in ((2, 0, 1), (1, 0, 2), (2, 1, 0)):
        turn = np.zeros((4, 4))
        turn[3, 3] = 1
        for new, old in enumerate(axes):
            turn[old, new] = 1
        yield Volume(volume.array.transpose(axes), volume.affine @ turn), mask.transpose(axes)
    flip = np.diag([1.0, -1.0, 1.0, 1.0])
    flip[1, 3] = SHAPE[1] - 1
    yield Volume(volume.array[:, ::-1], volume.affine @ flip), mask[:, ::-1]


@pytest.mark.parametrize("axis", ["frontal", "lateral", "axial"])
def test_sums_are_those_of_a_plain_loop_however_the_scan_is_stored(axis):
    volume, masks = phantom(2)
    along = {"lateral": 0, "frontal": 1, "axial": 2}[axis]
    across, up = [n for n in range(3) if n != along]
    low, high = WINDOWS["organs"]
    plain = (np.clip(canonical(volume.array, volume), low, high) - low) / (high - low)
    wanted = np.moveaxis(plain.sum(along), 0, 1)[::-1, ::-1]
    seen = np.moveaxis(canonical(masks["liver"], volume).any(along), 0, 1)[::-1, ::-1]
    assert wanted.shape == tuple(plain.shape[n] for n in (up, across))
    for stored, mask in stored_ways(volume, masks["liver"]):
        found = scan_sums(stored, ("bone", "organs"), (along,))["organs", along]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(mask_shadows(stored, mask, (along,))[along], seen)


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int32, np.int64, np.float32, ">i2"])
def test_values_of_any_type_give_one_picture(kind):
    volume, masks = phantom(0)
    shifted = np.clip(volume.array, 0, 1500)  # none below 0: for the unsigned type
    wanted = projection_png(Volume(shifted, AFFINE), masks["liver"])
    assert projection_png(Volume(shifted.astype(kind), AFFINE), masks["liver"]) == wanted


def test_nan_counts_as_air():
    volume, _ = phantom(0)
    air = volume.array.astype(np.float32)
    air[3:6, 4:7] = -1000
    holes = np.where(air == -1000, np.nan, air).astype(np.float32)
    assert projection_png(Volume(holes, AFFINE)) == projection_png(Volume(air, AFFINE))


def test_arrays_structures_and_label_maps_give_the_same_shadows():
    volume, masks = phantom(1)
    names = dict(enumerate(masks, 1))
    labels = sum(n * masks[c].astype(np.uint8) for n, c in names.items())
    labels[0, 0, 0] = 200  # has no name
    for order in (np.ascontiguousarray, np.asfortranarray):
        of_map = map_shadows(volume, order(labels), names, (0, 1, 2))
        for name, mask in masks.items():
            of_array = mask_shadows(volume, mask, (0, 1, 2))
            of_box = mask_shadows(volume, Structure.of(name, mask, AFFINE), (0, 1, 2))
            for along in range(3):
                np.testing.assert_array_equal(of_map[name][along], of_array[along])
                np.testing.assert_array_equal(of_box[along], of_array[along])
    nothing = Structure.of("liver", np.zeros(SHAPE, bool), AFFINE)
    assert not any(s.any() for s in mask_shadows(volume, nothing, (0, 1, 2)).values())


def test_one_sweep_serves_all_windows_and_views():
    volume, masks = phantom(0)
    pictures = ScanPictures(volume, windows=("organs", "bone"), axes=("frontal", "axial"))
    shadow = pictures.shadow(masks["spleen"])
    for window in ("organs", "bone"):
        for axis in ("frontal", "axial"):
            alone = projection_png(volume, masks["spleen"], window=window, axis=axis)
            assert pictures.png(Look(window, axis), shadow) == alone
    with pytest.raises(ConfigError, match="no picture of window 'lung'"):
        pictures.png(Look("lung"))


def test_tint_keeps_the_scan_visible_and_solid_does_not():
    volume, masks = phantom(0)
    bare, tinted, solid = (
        pixels(p)
        for p in (
            projection_png(volume),
            projection_png(volume, masks["liver"]),
            projection_png(volume, masks["liver"], overlay="solid"),
        )
    )
    under = red(tinted)
    assert np.array_equal(under, red(solid))
    assert (solid[under] == (255, 0, 0)).all()
    assert np.abs(tinted[under][:, 0] - np.maximum(bare[under][:, 0], 77)).max() <= 2
    assert np.array_equal(bare[~under], tinted[~under])


def test_pixels_of_1_mm_unless_the_scan_is_too_long():
    small = Volume(np.zeros((60, 50, 40), np.int16), np.diag([3.0, 3.0, 5.0, 1.0]))
    pictures = ScanPictures(small)
    assert pixels(pictures.png(Look(pixel_mm=1.0))).shape[:2] == (200, 180)
    assert pixels(pictures.png(Look(pixel_mm=1.0, max_side=100))).shape[:2] == (100, 90)
    assert pixels(pictures.png(Look())).shape[:2] == (512, 461)


def test_thin_structures_survive_shrinking():
    big = Volume(np.zeros((700, 3, 300), np.int16), np.eye(4))
    mask = np.zeros(big.shape, bool)
    mask[:, 1, 150] = True  # one voxel high
    shown = red(pixels(projection_png(big, mask, max_side=256)))
    assert (shown.any(0) | (np.arange(256) < 20) | (np.arange(256) > 236)).all()


def test_metal_does_not_darken_the_skeleton():
    hu = np.zeros((40, 30, 50), np.int16)
    hu[10:30, 14:16, 5:45] = 600
    nailed = hu.copy()
    nailed[18:20, 5:25, 20:22] = 3000
    with_metal, without = (
        pixels(projection_png(Volume(x, np.eye(4) * [2, 2, 2, 1]), window="skeleton"))
        for x in (nailed, hu)
    )
    assert with_metal[100, 150].mean() > 0.5 * without[100, 150].mean() > 50


def test_png_is_read_by_others_as_it_was_meant():
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (70, 90, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(png(rgb)), rgb)
    indices = painted(rgb[..., 0], rgb[..., 1] > 200, "tinted", "RLSI")
    np.testing.assert_array_equal(pixels(png(indices, PALETTE)), PALETTE[indices])
    assert not Image.open(io.BytesIO(png(rgb))).info  # no time, no software, no name


def test_pictures_are_drawn_once(tmp_path):
    volume, masks = phantom(0)
    cache, drawn = PictureCache(tmp_path), []

    def draw():
        drawn.append(1)
        return projection_png(volume, masks["liver"])

    liver = mask_sha256(masks["liver"])
    first = cache.get("scan", liver, Look(), draw)
    assert PictureCache(tmp_path).get("scan", liver, Look(), draw) == first
    assert len(drawn) == 1
    for scan, label, look in (
        ("other", liver, Look()),
        ("scan", mask_sha256(masks["spleen"]), Look()),
        ("scan", liver, Look(overlay="solid")),
    ):
        cache.get(scan, label, look, draw)
    assert len(drawn) == 4


def test_dice_of_shadows():
    a, b = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    assert shadow_dice(a, b) is None
    a[0, :2] = b[0, 1:3] = True
    assert shadow_dice(a, b) == 0.5
