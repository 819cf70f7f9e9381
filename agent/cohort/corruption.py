"""Scans that went wrong on their way: each kind of damage, done to a volume or to its file.

`NIFTI_KINDS` and `DICOM_KINDS` are planted in every cohort. `VOLUME_KINDS` are further ones, for
measuring the checks; those of the planes' sequence are in
`agent.cohort.plane_damage`, those of a DICOM series in `agent.cohort.series_damage`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.cohort.plane_damage import PLANE_KINDS

Image = npt.NDArray[Any]  # int16, or float32 if damaged so
NIFTI_KINDS = (
    "truncated_file",
    "empty_slices",
    "wrong_offset",
    "nan_block",
    "windowed_8bit",
    "all_noise",
    "repeated_slices",
    "four_d",
    "wrong_spacing",
    "extreme_noise",
    "empty_file",
)
DICOM_KINDS = ("empty_slices", "wrong_offset", "repeated_slices", "truncated_file", "extreme_noise")
FILE_KINDS = ("truncated_file", "empty_file")  # the bytes are damaged after writing


@dataclass(frozen=True)
class Volume:
    """An image of HU and its affine (index to RAS+ mm)."""

    image: Image
    affine: npt.NDArray[np.float64]


def corrupt(volume: Volume, kind: str, rng: np.random.Generator) -> Volume:
    """The volume with one kind of damage; kinds of `FILE_KINDS` leave it as it is.

    Raises:
        KeyError: no such kind.
    """
    if kind in FILE_KINDS:
        return volume
    if kind in _POSE_DAMAGE:
        return _POSE_DAMAGE[kind](volume, rng)
    if kind == "wrong_spacing":
        affine = volume.affine.copy()
        affine[:3, :3] *= 0.001 / np.linalg.norm(affine[:3, 0])
        return replace(volume, affine=affine)
    return replace(volume, image=_IMAGE_DAMAGE[kind](volume.image, rng))


def _empty_slices(image: Image, rng: np.random.Generator) -> Image:
    result = image.copy()
    n = image.shape[2]
    start = int(rng.integers(n // 5, n // 2))
    result[:, :, start : start + n // 4] = -1024
    return result


def _wrong_offset(image: Image, rng: np.random.Generator) -> Image:
    return (image + np.int16(1024)).astype(np.int16)


def _windowed(image: Image, rng: np.random.Generator) -> Image:
    return np.rint(np.clip((image.astype(np.float32) + 160) / 400, 0, 1) * 255).astype(np.int16)


def _all_noise(image: Image, rng: np.random.Generator) -> Image:
    return rng.integers(-1000, 1500, image.shape).astype(np.int16)


def _repeated(image: Image, rng: np.random.Generator) -> Image:
    result: Image = image.copy()
    n = image.shape[2]
    start = int(rng.integers(n // 4, n // 2))
    result[:, :, start : start + n // 3] = image[:, :, start : start + 1]
    return result


def _nan_block(image: Image, rng: np.random.Generator) -> Image:
    result = image.astype(np.float32)
    n = image.shape[2]
    result[:, :, n // 3 : n // 2] = np.nan
    return result


def _four_d(image: Image, rng: np.random.Generator) -> Image:
    return np.asarray(np.stack([image, np.roll(image, 3, axis=0)], axis=-1), np.int16)


def _extreme_noise(image: Image, rng: np.random.Generator) -> Image:
    noisy = image + rng.normal(0, 320, image.shape)
    return np.rint(np.clip(noisy, -1024, 3071)).astype(np.int16)


def _float(image: Image) -> npt.NDArray[np.float32]:
    return image.astype(np.float32)


def _unsigned_wrap(image: Image, rng: np.random.Generator) -> Image:
    return np.where(image < 0, _float(image) + 65536, _float(image)).astype(np.float32)


def _unit_range(image: Image, rng: np.random.Generator) -> Image:
    values = _float(image)
    return np.asarray((values - values.min()) / np.ptp(values), np.float32)


def _mr_like(image: Image, rng: np.random.Generator) -> Image:
    """Tissues spread from 0 up in another order, bone and air dark, a smooth coil shade."""
    points = (-1100, -950, -500, -120, 0, 45, 90, 250, 3100)
    values = np.interp(_float(image), points, (5, 10, 40, 900, 250, 420, 640, 90, 20))
    axes = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in image.shape)]
    shade = 1 + 0.35 * sum(axis * rng.uniform(-1, 1) for axis in axes)
    return np.abs(values * shade + rng.normal(0, 18, image.shape)).astype(np.float32)


def _label_map(image: Image, rng: np.random.Generator) -> Image:
    edges = np.array([-1100, -300, -20, 60, 150, 300, 3200])
    return (np.digitize(image, edges) - 1).clip(0, 5).astype(np.int16)


def _shuffled(image: Image, rng: np.random.Generator) -> Image:
    return np.ascontiguousarray(image[:, :, rng.permutation(image.shape[2])])


_IMAGE_DAMAGE: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "empty_slices": _empty_slices,
    "wrong_offset": _wrong_offset,
    "windowed_8bit": _windowed,
    "all_noise": _all_noise,
    "repeated_slices": _repeated,
    "nan_block": _nan_block,
    "four_d": _four_d,
    "extreme_noise": _extreme_noise,
    "offset_1000": lambda image, rng: _float(image) + 1000,
    "offset_minus_1024": lambda image, rng: _float(image) - 1024,
    "inverted": lambda image, rng: -_float(image),
    "slope_10": lambda image, rng: _float(image) * 10,
    "slope_tenth": lambda image, rng: _float(image) / 10,
    "unsigned_wrap": _unsigned_wrap,
    "unit_range": _unit_range,
    "z_score": lambda image, rng: (_float(image) - image.mean()) / image.std(),
    "clipped": lambda image, rng: np.clip(image, -160, 240),
    "mr_like": _mr_like,
    "label_map": _label_map,
    "shuffled": _shuffled,
    "constant": lambda image, rng: np.full_like(image, -1000),
    "offset_24": lambda image, rng: _float(image) + 24,
    "offset_100": lambda image, rng: _float(image) + 100,
    "slope_1_3": lambda image, rng: _float(image) * 1.3,
    "slope_1_3_stored": lambda image, rng: (_float(image) + 1024) * 1.3 - 1024,
}


# damage that needs to know where the body's axes are


def _world_axis(volume: Volume, world: int) -> int:
    """The array axis nearest to a world axis (0 right, 1 front, 2 head)."""
    directions = np.abs(volume.affine[:3, :3]) / np.linalg.norm(volume.affine[:3, :3], axis=0)
    return int(np.argmax(directions[world]))


def _flipped(world: int) -> Callable[[Volume, np.random.Generator], Volume]:
    def damage(volume: Volume, rng: np.random.Generator) -> Volume:
        flipped = np.flip(volume.image, _world_axis(volume, world))
        return replace(volume, image=np.ascontiguousarray(flipped))

    return damage


def _swapped(one: int, other: int) -> Callable[[Volume, np.random.Generator], Volume]:
    """Two axes change places, the header stays."""

    def damage(volume: Volume, rng: np.random.Generator) -> Volume:
        axes = _world_axis(volume, one), _world_axis(volume, other)
        return replace(volume, image=np.ascontiguousarray(np.swapaxes(volume.image, *axes)))

    return damage


def _axial(volume: Volume) -> tuple[Image, tuple[int, ...], npt.NDArray[np.float64]]:
    """The image with its axes in the order right, front, head; that order; mm per axis."""
    order = tuple(_world_axis(volume, world) for world in range(3))
    spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)[list(order)]
    return volume.image.transpose(order), order, spacing


def _back(volume: Volume, image: Image, order: tuple[int, ...]) -> Volume:
    return replace(volume, image=np.ascontiguousarray(image.transpose(np.argsort(order))))


def _streaks(volume: Volume, rng: np.random.Generator) -> Volume:
    """A metal implant in the body whose rays reach across a third of the planes."""
    axial, order, spacing = _axial(volume)
    image = axial.astype(np.float32)
    n = image.shape[2]
    first = int(rng.integers(n // 4, n // 2))
    tissue = np.argwhere((image[:, :, first] > 0) & (image[:, :, first] < 200))
    i, j = tissue[len(tissue) // 2] if len(tissue) else np.array(image.shape[:2]) // 2
    di = (np.arange(image.shape[0])[:, None] - i) * spacing[0]
    dj = (np.arange(image.shape[1])[None, :] - j) * spacing[1]
    angle, radius = np.arctan2(dj, di), np.hypot(di, dj) + 15
    for k in range(first, min(n, first + n // 3)):
        shift = rng.uniform(0, 2 * np.pi, 2)
        rays = np.cos(9 * angle + shift[0]) + 0.7 * np.cos(16 * angle + shift[1])
        image[:, :, k] += 12000 * rays / radius
        image[i - 1 : i + 2, j - 1 : j + 2, k] = 3071
    return _back(volume, np.rint(np.clip(image, -1024, 3071)).astype(np.int16), order)


def _stepped(volume: Volume, rng: np.random.Generator) -> Volume:
    """The patient moved: a block of planes lies 14 mm aside."""
    axial, order, spacing = _axial(volume)
    image, n = axial.copy(), axial.shape[2]
    first = int(rng.integers(n // 4, n // 2))
    aside = int(np.ceil(14 / spacing[0]))
    block = slice(first, first + n // 3)
    image[:, :, block] = np.roll(axial[:, :, block], aside, axis=0)
    return _back(volume, image, order)


def _cut_off(volume: Volume, rng: np.random.Generator) -> Volume:
    """Reconstructed on a field of view much smaller than the body."""
    axial, order, _ = _axial(volume)
    body = np.argwhere(axial > -300)
    low, high = body.min(axis=0), body.max(axis=0) + 1
    quarter = (high - low) // 4
    box = [slice(0, n) for n in volume.image.shape]
    affine = volume.affine.copy()
    for world in (0, 1):
        start = int(low[world] + quarter[world])
        box[order[world]] = slice(start, int(high[world] - quarter[world]))
        affine[:3, 3] += affine[:3, order[world]] * start
    return Volume(np.ascontiguousarray(volume.image[tuple(box)]), affine)


def _padding_inside(volume: Volume, rng: np.random.Generator) -> Volume:
    """A block of padding values, a third of the body's sides, about its centre."""
    image = volume.image.copy()
    body = np.argwhere(image > -300)
    middle, half = np.median(body, axis=0), np.ptp(body, axis=0) / 6
    box = tuple(slice(int(m - h), int(m + h)) for m, h in zip(middle, half, strict=True))
    image[box] = -3024
    return replace(volume, image=image)


def _sheared(volume: Volume, rng: np.random.Generator) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 1] += affine[:3, 2] * float(np.tan(np.radians(12)))
    return replace(volume, affine=affine)


def _along(
    change: Callable[[Image, float, np.random.Generator], Image],
) -> Callable[[Volume, np.random.Generator], Volume]:
    """Damage to the order or number of the axial planes."""

    def damage(volume: Volume, rng: np.random.Generator) -> Volume:
        axial, order, spacing = _axial(volume)
        return _back(volume, change(axial, float(spacing[2]), rng), order)

    return damage


_POSE_DAMAGE: dict[str, Callable[[Volume, np.random.Generator], Volume]] = {
    "mirrored": _flipped(0),
    "front_back": _flipped(1),
    "upside_down": _flipped(2),
    "swapped_in_plane": _swapped(0, 1),
    "permuted": _swapped(1, 2),
    "streaks": _streaks,
    "stepped": _stepped,
    "cut_off": _cut_off,
    "padding_inside": _padding_inside,
    "sheared": _sheared,
    **{kind: _along(change) for kind, change in PLANE_KINDS.items()},
}
VOLUME_KINDS = tuple(
    kind for kind in (*_IMAGE_DAMAGE, *_POSE_DAMAGE, "wrong_spacing") if kind != "four_d"
)
