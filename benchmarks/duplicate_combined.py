"""Copies that are changed in several ways at once, or turned, for the benchmark of duplicates."""

import numpy as np
from scipy.ndimage import affine_transform

from benchmarks.duplicate_copies import (
    SINGLE,
    Maker,
    Rng,
    axes_of,
    circle,
    clipped,
    coarser,
    crop,
    crop_3d,
    crop_plane,
    crop_z,
    eight_bit,
    extra_slices,
    finer,
    flipped_against_header,
    floats,
    jpeg,
    lost_spacing,
    new_origin,
    no_table,
    noisy,
    offset_gain,
    padded,
    reoriented,
    resample,
    sharpened,
    smoothed,
    stored_units,
    subvoxel,
    thick,
    whole,
    wrong_slice_distance,
)
from voxcurate.volume import Volume


def two_things(scan: Volume, rng: Rng) -> Volume:
    """A change of geometry, then one of values."""
    placed = _one(GEOMETRIES, rng)(scan, rng)
    return _one(VALUES, rng)(placed, rng)


def five_things(scan: Volume, rng: Rng) -> Volume:
    """Cropped to 60 %, resampled, noisy, in other values, reoriented to elsewhere."""
    placed = _one((crop_z, crop_plane, crop_3d), rng)(scan, rng)
    placed = _one((coarser, finer, subvoxel), rng)(placed, rng)
    placed = noisy(placed, rng)
    placed = _one((offset_gain, clipped, eight_bit, jpeg, stored_units), rng)(placed, rng)
    return new_origin(reoriented(placed, rng), rng)


def clipped_crop(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, in a window."""
    return _one((clipped, eight_bit), rng)(_part(scan, rng), rng)


def flipped_crop(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, front for back or upside down against the header."""
    return flipped_against_header(_part(scan, rng), rng)


def quarter_turned(scan: Volume, rng: Rng) -> Volume:
    """Turned by 90, 180 or 270 degrees within the slices, the header as it was."""
    x, y, _ = axes_of(scan)
    array = np.rot90(scan.array, int(rng.integers(1, 4)), (x, y))
    return Volume(whole(array + rng.normal(0, 5, array.shape)), scan.affine)


def quarter_turned_crop(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, turned by quarters against the header."""
    return quarter_turned(_part(scan, rng), rng)


def lost_spacing_crop(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, 1 x 1 x 1 mm in the header."""
    return lost_spacing(_part(scan, rng), rng)


def lost_spacing_flip(scan: Volume, rng: Rng) -> Volume:
    """1 x 1 x 1 mm in the header, and flipped against it."""
    return lost_spacing(flipped_against_header(scan, rng), rng)


def lost_spacing_values(scan: Volume, rng: Rng) -> Volume:
    """1 x 1 x 1 mm in the header, noisy, in a window."""
    return _one((clipped, eight_bit), rng)(noisy(lost_spacing(scan, rng), rng), rng)


def lost_spacing_crop_values(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, 1 x 1 x 1 mm in the header, noisy, in other values."""
    part = noisy(lost_spacing_crop(scan, rng), rng)
    return _one((offset_gain, clipped, eight_bit, jpeg), rng)(part, rng)


def lost_spacing_crop_flip(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, 1 x 1 x 1 mm in the header, and flipped against it."""
    return flipped_against_header(lost_spacing_crop(scan, rng), rng)


def wrong_slice_distance_crop(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, slices half or twice as far apart as they are."""
    return wrong_slice_distance(_part(scan, rng), rng)


def flipped_crop_values(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, flipped against the header, noisy, in a window."""
    return _one((clipped, eight_bit), rng)(noisy(flipped_crop(scan, rng), rng), rng)


def resampled_crop_jpeg(scan: Volume, rng: Rng) -> Volume:
    """60 to 70 % of the body, on other voxels, through JPEG."""
    return jpeg(_one((coarser, finer), rng)(_part(scan, rng), rng), rng)


def lost_spacing_resampled(scan: Volume, rng: Rng) -> Volume:
    """On other voxels, then 1 x 1 x 1 mm in the header."""
    return lost_spacing(_one((coarser, finer), rng)(scan, rng), rng)


def tilted(scan: Volume, rng: Rng) -> Volume:
    """Resampled to axes that are turned by 1 to 5 degrees, as the header says."""
    return _turned(scan, rng, is_told=True)


def rotated(scan: Volume, rng: Rng) -> Volume:
    """Turned by 1 to 5 degrees, and the header does not say so: augmented."""
    return _turned(scan, rng, is_told=False)


def slices_5mm(scan: Volume, rng: Rng) -> Volume:
    """Slices of 5 mm."""
    factor = np.ones(3)
    axis = axes_of(scan)[2]
    factor[axis] = max(1.0, 5.0 / scan.spacing[axis])
    return resample(scan, factor)


def pet_grid(scan: Volume, rng: Rng) -> Volume:
    """The CT of a PET/CT on the grid of the PET: 4.07 x 4.07 x 3 to 5 mm; a little noisy."""
    wanted = np.full(3, 4.07)
    wanted[axes_of(scan)[2]] = rng.uniform(3.0, 5.0)
    coarse = resample(scan, wanted / np.asarray(scan.spacing))
    return coarse.with_array(
        whole(floats(coarse) + rng.normal(0, rng.uniform(10, 30), coarse.shape))
    )


def _part(scan: Volume, rng: Rng) -> Volume:
    axes = axes_of(scan)
    which = ((axes[2],), axes[:2], axes)[rng.integers(3)]
    return crop(scan, rng, which, rng.uniform(0.6, 0.7))


def _turned(scan: Volume, rng: Rng, *, is_told: bool) -> Volume:
    """About the middle, axis at random, linear; what comes from outside is air."""
    from scipy.spatial.transform import Rotation

    axis = rng.normal(size=3)
    angle = np.deg2rad(rng.uniform(1, 5))
    turn = Rotation.from_rotvec(axis / np.linalg.norm(axis) * angle).as_matrix()
    spacing = np.asarray(scan.spacing)
    step = turn * spacing / spacing[:, None]  # of the new axes, in old voxels
    middle = (np.asarray(scan.shape) - 1) / 2
    first = middle - step @ middle
    image = affine_transform(floats(scan), step, offset=first, order=1, cval=-1024)
    affine = scan.affine.copy()
    if is_told:
        affine[:3, 3] += affine[:3, :3] @ first
        affine[:3, :3] = affine[:3, :3] @ step
    return Volume(whole(image), affine)


def _one(makers: tuple[Maker, ...], rng: Rng) -> Maker:
    return makers[rng.integers(len(makers))]


GEOMETRIES: tuple[Maker, ...] = (
    *(coarser, finer, crop_z, crop_plane, crop_3d, padded, subvoxel, extra_slices, thick),
    *(reoriented, new_origin, circle, no_table),
)
VALUES: tuple[Maker, ...] = (
    *(offset_gain, noisy, smoothed, sharpened, jpeg, clipped, eight_bit, stored_units),
)
COPIES: dict[str, Maker] = SINGLE | {
    maker.__name__: maker
    for maker in (
        *(two_things, five_things, clipped_crop, slices_5mm, pet_grid, tilted, rotated),
        *(quarter_turned, flipped_crop, quarter_turned_crop, lost_spacing_crop, lost_spacing_flip),
        *(lost_spacing_values, lost_spacing_crop_values, lost_spacing_crop_flip),
        *(wrong_slice_distance_crop, flipped_crop_values, resampled_crop_jpeg),
        *(lost_spacing_resampled,),
    )
}
