"""Scans that went wrong on their way: each kind of damage, done to a volume or to its file."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

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

    image: npt.NDArray[np.int16] | npt.NDArray[np.float32]
    affine: npt.NDArray[np.float64]


def corrupt(volume: Volume, kind: str, rng: np.random.Generator) -> Volume:
    """The volume with one kind of damage; kinds of `FILE_KINDS` leave it as it is.

    Raises:
        KeyError: no such kind.
    """
    if kind in FILE_KINDS:
        return volume
    if kind == "wrong_spacing":
        affine = volume.affine.copy()
        affine[:3, :3] *= 0.001 / np.linalg.norm(affine[:3, 0])
        return replace(volume, affine=affine)
    return replace(volume, image=_IMAGE_DAMAGE[kind](volume.image, rng))


Image = npt.NDArray[np.int16] | npt.NDArray[np.float32]


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


_IMAGE_DAMAGE = {
    "empty_slices": _empty_slices,
    "wrong_offset": _wrong_offset,
    "windowed_8bit": _windowed,
    "all_noise": _all_noise,
    "repeated_slices": _repeated,
    "nan_block": _nan_block,
    "four_d": _four_d,
    "extreme_noise": _extreme_noise,
}
