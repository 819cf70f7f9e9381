"""Scans in other guises for the benchmark of duplicates: copies, and what only looks like one."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import affine_transform, gaussian_filter, gaussian_filter1d, map_coordinates
from scipy.ndimage import shift as shifted

from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

Rng = np.random.Generator
Maker = Callable[[Volume, Rng], Volume]
Floats = npt.NDArray[np.float32]
BODY_HU = -300
MIN_SHARE = 0.6  # of the body's volume that a crop leaves


def floats(scan: Volume) -> Floats:
    """The values as float32."""
    return np.asarray(scan.array, np.float32)


def whole(image: Any) -> npt.NDArray[np.int16]:
    """Rounded to int16."""
    return np.asarray(np.rint(np.clip(image, -32000, 32000)), np.int16)


def axes_of(scan: Volume) -> tuple[int, ...]:
    """Array axes that run left-right, front-back, up-down."""
    return ras_axes(scan.affine)[0]


def resaved(scan: Volume, rng: Rng) -> Volume:
    """Stored as float."""
    return scan.with_array(floats(scan))


def reoriented(scan: Volume, rng: Rng) -> Volume:
    """Axes permuted and flipped, the header with them."""
    order, flips = rng.permutation(3), rng.integers(0, 2, 3)
    array = scan.array.transpose(order)
    change = np.zeros((4, 4))
    change[3, 3] = 1
    for new, old in enumerate(order):
        change[old, new] = -1 if flips[new] else 1
        change[old, 3] = scan.shape[old] - 1 if flips[new] else 0
        array = np.flip(array, new) if flips[new] else array
    return Volume(np.ascontiguousarray(array), scan.affine @ change)


def resample(scan: Volume, factor: npt.ArrayLike) -> Volume:
    """Coarser by factors above 1 (blurred first), finer below; linear."""
    f = np.asarray(factor, float)
    n = np.maximum(np.floor((np.array(scan.shape) - 1) / f).astype(int) + 1, 2)
    image = floats(scan)
    for axis, by in enumerate(f):
        if by > 1:
            image = gaussian_filter1d(image, np.sqrt(by * by - 1) / 2, axis=axis, mode="nearest")
    first = ((np.array(scan.shape) - 1) - (n - 1) * f) / 2
    out = affine_transform(
        image, f, offset=first, output_shape=tuple(n.tolist()), order=1, mode="nearest"
    )
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ first
    affine[:3, :3] = affine[:3, :3] * f
    return Volume(whole(out), affine)


def cut(scan: Volume, low: npt.ArrayLike, high: npt.ArrayLike) -> Volume:
    """A box of a scan."""
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.asarray(low)
    box = tuple(
        slice(int(a), int(b)) for a, b in zip(np.asarray(low), np.asarray(high), strict=True)
    )
    return Volume(np.ascontiguousarray(scan.array[box]), affine)


def crop(scan: Volume, rng: Rng, axes: tuple[int, ...], share: float = MIN_SHARE) -> Volume:
    """Planes cut from random sides until no more than the share of the body would be left."""
    body = floats(scan) > BODY_HU
    total = int(body.sum())
    low, high = [0, 0, 0], list(scan.shape)
    sides = [(axis, side) for axis in axes for side in (0, 1)]
    odds = rng.uniform(0.05, 1, len(sides))
    while True:
        axis, side = sides[rng.choice(len(sides), p=odds / odds.sum())]
        step = max(1, scan.shape[axis] // 64)
        a, b = list(low), list(high)
        if side:
            b[axis] -= step
        else:
            a[axis] += step
        if b[axis] - a[axis] < 8 or body[a[0] : b[0], a[1] : b[1], a[2] : b[2]].sum() < (
            share * total
        ):
            return cut(scan, low, high)
        low, high = a, b


def crop_body(scan: Volume, rng: Rng) -> Volume:
    """The body's box."""
    inside = np.argwhere(floats(scan) > BODY_HU)
    return cut(scan, inside.min(0), inside.max(0) + 1)


def pad(scan: Volume, width: npt.NDArray[np.int64], **how: Any) -> Volume:
    """Planes added."""
    affine = scan.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ width[:, 0]
    return Volume(np.pad(np.asarray(scan.array), width, **how), affine)


def padded(scan: Volume, rng: Rng) -> Volume:
    """A margin of padding values."""
    value = float(rng.choice([-1000, -1024, -2000, -3024]))
    return pad(scan, rng.integers(0, 16, (3, 2)), constant_values=value)


def extra_slices(scan: Volume, rng: Rng) -> Volume:
    """The end slices repeated."""
    axis = axes_of(scan)[2]
    width = np.zeros((3, 2), np.int64)
    width[axis] = rng.integers(1, max(2, scan.shape[axis] // 8), 2)
    return pad(scan, width, mode="edge")


def subvoxel(scan: Volume, rng: Rng) -> Volume:
    """Interpolated between the voxels."""
    by = rng.uniform(-0.7, 0.7, 3)
    affine = scan.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ by
    return Volume(whole(shifted(floats(scan), by, order=1, mode="nearest")), affine)


def thick(scan: Volume, rng: Rng) -> Volume:
    """Two slices made one."""
    axis = axes_of(scan)[2]
    n = scan.shape[axis] // 2
    planes = np.moveaxis(floats(scan), axis, 0)[: 2 * n]
    image = np.moveaxis(planes.reshape(n, 2, *planes.shape[1:]).mean(axis=1), 0, axis)
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, axis] * 0.5
    affine[:3, axis] *= 2
    return Volume(whole(image), affine)


def offset_gain(scan: Volume, rng: Rng) -> Volume:
    """HU a little wrong."""
    return scan.with_array(whole(floats(scan) * rng.uniform(0.92, 1.08) + rng.uniform(-40, 40)))


def stored_units(scan: Volume, rng: Rng) -> Volume:
    """Without the rescale: air is 24."""
    return scan.with_array(whole(np.clip(floats(scan), -1024, 3071) + 1024).astype(np.uint16))


def unit_float(scan: Volume, rng: Rng) -> Volume:
    """-1000..1000 HU as 0..1."""
    return scan.with_array(((np.clip(floats(scan), -1000, 1000) + 1000) / 2000).astype(np.float32))


def clipped(scan: Volume, rng: Rng) -> Volume:
    """A window of HU."""
    low, high = ((-200, 300), (-160, 240), (-1000, 1000), (-175, 250), (-325, 325))[rng.integers(5)]
    return scan.with_array(whole(np.clip(floats(scan), low, high)))


def bytes_of(scan: Volume, low: float, high: float) -> npt.NDArray[np.uint8]:
    """A window as 0..255."""
    part = (np.clip(floats(scan), low, high) - low) / (high - low)
    return np.asarray(np.rint(part * 255), np.uint8)


def eight_bit(scan: Volume, rng: Rng) -> Volume:
    """A windowed export."""
    windows = ((-160, 240), (-1000, 400), (-1024, 1024), (-200, 300), (-125, 225))
    return scan.with_array(bytes_of(scan, *windows[rng.integers(5)]))


def noisy(scan: Volume, rng: Rng) -> Volume:
    """Gaussian noise of 20 to 60 HU."""
    return scan.with_array(whole(floats(scan) + rng.normal(0, rng.uniform(20, 60), scan.shape)))


def smoothed(scan: Volume, rng: Rng) -> Volume:
    """A softer kernel."""
    return scan.with_array(whole(gaussian_filter(floats(scan), rng.uniform(0.5, 0.9))))


def sharpened(scan: Volume, rng: Rng) -> Volume:
    """A harder kernel."""
    image = floats(scan)
    return scan.with_array(
        whole(image + rng.uniform(0.3, 0.7) * (image - gaussian_filter(image, 0.8)))
    )


def jpeg(scan: Volume, rng: Rng) -> Volume:
    """Slices through JPEG of quality 30 to 80."""
    from PIL import Image

    quality = int(rng.integers(30, 80))
    image = bytes_of(scan, -1000, 1000)
    out = np.empty(image.shape, np.float32)
    for k in range(image.shape[2]):
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(image[:, :, k])).save(buffer, "JPEG", quality=quality)
        out[:, :, k] = np.asarray(Image.open(buffer))
    return scan.with_array(whole(out / 255 * 2000 - 1000))


def circle(scan: Volume, rng: Rng) -> Volume:
    """The corners outside the reconstruction circle filled."""
    x, y, z = axes_of(scan)
    image = floats(scan).transpose(x, y, z).copy()
    n, m = image.shape[:2]
    i, j = np.ogrid[:n, :m]
    outside = ((i - (n - 1) / 2) / (n / 2)) ** 2 + ((j - (m - 1) / 2) / (m / 2)) ** 2 > 1
    image[outside] = float(rng.choice([-2000, -3024]))
    return scan.with_array(whole(image.transpose(np.argsort((x, y, z)))))


def no_table(scan: Volume, rng: Rng) -> Volume:
    """All but the body set to air."""
    from scipy.ndimage import binary_fill_holes, label

    parts, _ = label(floats(scan) > BODY_HU)
    body = parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1
    axis = axes_of(scan)[2]
    planes = [binary_fill_holes(body.take(k, axis)) for k in range(scan.shape[axis])]
    return scan.with_array(whole(np.where(np.stack(planes, axis), floats(scan), -1000)))


def new_origin(scan: Volume, rng: Rng) -> Volume:
    """Elsewhere in the world."""
    affine = scan.affine.copy()
    affine[:3, 3] = rng.uniform(-300, 300, 3)
    return Volume(scan.array, affine)


def lost_spacing(scan: Volume, rng: Rng) -> Volume:
    """1 x 1 x 1 mm, and a little noise, for the pixels alone would tell."""
    affine = scan.affine.copy()
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    return Volume(whole(floats(scan) + rng.normal(0, 5, scan.shape)), affine)


def wrong_slice_distance(scan: Volume, rng: Rng) -> Volume:
    """Half or double, and a little noise."""
    affine = scan.affine.copy()
    affine[:3, axes_of(scan)[2]] *= rng.choice([0.5, 2.0])
    return Volume(whole(floats(scan) + rng.normal(0, 5, scan.shape)), affine)


def flipped_against_header(scan: Volume, rng: Rng) -> Volume:
    """Front for back or upside down, the header as it was."""
    array = np.flip(scan.array, axes_of(scan)[1 + rng.integers(2)])
    return scan.with_array(whole(array + rng.normal(0, 5, scan.shape)))


def coarser(scan: Volume, rng: Rng) -> Volume:
    """1.15 to 1.7 times, per axis."""
    return resample(scan, rng.uniform(1.15, 1.7, 3))


def finer(scan: Volume, rng: Rng) -> Volume:
    """0.6 to 0.9 times, per axis."""
    return resample(scan, rng.uniform(0.6, 0.9, 3))


def crop_z(scan: Volume, rng: Rng) -> Volume:
    """60 % of the body left, by slices."""
    return crop(scan, rng, (axes_of(scan)[2],))


def crop_plane(scan: Volume, rng: Rng) -> Volume:
    """60 % of the body left, within the slices."""
    return crop(scan, rng, axes_of(scan)[:2])


def crop_3d(scan: Volume, rng: Rng) -> Volume:
    """60 % of the body left."""
    return crop(scan, rng, (0, 1, 2))


def other_view(scan: Volume, rng: Rng) -> Volume:
    """Another field of view and matrix."""
    return resample(crop(scan, rng, (0, 1, 2), 0.75), rng.uniform(0.8, 1.3, 3))


SINGLE: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        *(resaved, reoriented, new_origin, padded, extra_slices, crop_body, crop_z, crop_plane),
        *(crop_3d, other_view, subvoxel, coarser, finer, thick, offset_gain, clipped, eight_bit),
        *(stored_units, unit_float, noisy, smoothed, sharpened, jpeg, circle, no_table),
        *(lost_spacing, wrong_slice_distance, flipped_against_header),
    )
}


def follow_up(mm: float, degrees: float) -> Maker:
    """The patient on another day: bent by a smooth field (rms mm), turned, other noise."""

    def make(scan: Volume, rng: Rng) -> Volume:
        from scipy.spatial.transform import Rotation

        grid, spacing = np.indices(scan.shape).astype(np.float32), np.array(scan.spacing)
        for axis in range(3):
            bend = gaussian_filter(rng.normal(size=scan.shape).astype(np.float32), 25 / spacing)
            grid[axis] += bend / bend.std() * mm / spacing[axis]
        angles = np.deg2rad(rng.uniform(-degrees, degrees, 3))
        angles += np.sign(angles) * np.deg2rad(degrees) * 0.3
        turn, centre = (
            Rotation.from_euler("xyz", angles).as_matrix(),
            (np.array(scan.shape) - 1) / 2,
        )
        places = ((grid.reshape(3, -1).T - centre) * spacing) @ turn.T / spacing + centre
        image = map_coordinates(floats(scan), places.T.reshape(grid.shape), order=1, mode="nearest")
        return scan.with_array(whole(image + rng.normal(0, 15, scan.shape)))

    return make


def phase(scan: Volume, rng: Rng) -> Volume:
    """Contrast agent: parts of the soft tissue 50 to 200 HU brighter; breath held elsewhere."""
    image, spacing = floats(scan), np.array(scan.spacing)
    parts = gaussian_filter(rng.normal(size=scan.shape).astype(np.float32), 12 / spacing)
    soft = np.clip(1 - np.abs(image - 50) / 70, 0, 1)
    image = image + soft * np.clip(parts / parts.std(), 0, 2) * rng.uniform(50, 100)
    grid = np.indices(scan.shape).astype(np.float32)
    for axis in range(3):
        bend = gaussian_filter(rng.normal(size=scan.shape).astype(np.float32), 30 / spacing)
        grid[axis] += bend / bend.std() * rng.uniform(1, 3) / spacing[axis]
    moved = map_coordinates(image, grid, order=1, mode="nearest")
    return scan.with_array(whole(moved + rng.normal(0, 12, scan.shape)))


def mirrored(scan: Volume, rng: Rng) -> Volume:
    """Left for right: another person, for all that one can tell."""
    array = np.flip(scan.array, axes_of(scan)[0])
    return scan.with_array(whole(array + rng.normal(0, 5, scan.shape)))


OTHERS: dict[str, Maker] = {
    "follow-up 2 mm 1 deg": follow_up(2.0, 1.0),
    "follow-up 4 mm 2 deg": follow_up(4.0, 2.0),
    "follow-up 8 mm 4 deg": follow_up(8.0, 4.0),
    "other phase": phase,
    "mirrored": mirrored,
}
