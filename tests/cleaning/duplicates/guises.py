"""A phantom patient and the same scan in other guises."""

from functools import cache

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from cleaning.duplicates.hashing import fingerprint
from tests.cleaning.phantom import phantom
from voxcurate.volume import Volume


@cache
def patient(seed=1):
    """A phantom; 61 x 52 x 44 voxels of 4.1 x 4.6 x 5 mm, oblique."""
    return phantom(seed)


@cache
def mark(seed=1):
    """Its fingerprint."""
    return fingerprint(patient(seed))


def reoriented(volume):
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 0] * (volume.shape[0] - 1)
    affine[:3, 0] *= -1
    return Volume(volume.array[::-1].transpose(2, 0, 1), affine[:, [2, 0, 1, 3]])


def resampled(volume, factor):
    image = zoom(volume.array.astype(np.float32), factor, order=1, grid_mode=True, mode="nearest")
    scale = np.array(volume.shape) / image.shape
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ ((scale - 1) / 2)
    affine[:3, :3] *= scale
    return Volume(image, affine)


def cropped(volume, low, high):
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ np.asarray(low)
    box = tuple(slice(a, n - b) for a, b, n in zip(low, high, volume.shape, strict=True))
    return Volume(volume.array[box], affine)


def padded(volume, n):
    affine = volume.affine.copy()
    affine[:3, 3] -= affine[:3, :3] @ np.full(3, n)
    return Volume(np.pad(volume.array, n, constant_values=-1000), affine)


def noisy(volume, sigma):
    noise = np.random.default_rng(5).normal(0, sigma, volume.shape)
    return volume.with_array(np.rint(volume.array + noise).astype(np.int16))


def eight_bit(volume, low=-160, high=240):
    scaled = (np.clip(volume.array.astype(float), low, high) - low) / (high - low)
    return volume.with_array(np.rint(scaled * 255).astype(np.uint8))


def elsewhere(volume):
    affine = volume.affine.copy()
    affine[:3, 3] += (70.0, -31.0, 12.5)
    return Volume(volume.array, affine)


def without_spacing(volume):
    affine = volume.affine.copy()
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    return Volume(noisy(volume, 3).array, affine)


def upside_down(volume):
    """The values turned over, the header as it was."""
    return volume.with_array(np.ascontiguousarray(noisy(volume, 3).array[:, :, ::-1]))


def mirrored(volume):
    return volume.with_array(np.ascontiguousarray(noisy(volume, 3).array[::-1]))


def another_day(volume, mm=5.0, seed=11):
    """The same patient again: breathed and lay down differently, other noise."""
    rng = np.random.default_rng(seed)
    grid = np.indices(volume.shape).astype(float)
    for axis in range(3):
        field = gaussian_filter(rng.normal(size=volume.shape), 5)
        grid[axis] += field / field.std() * mm / volume.spacing[axis]
    image = map_coordinates(volume.array.astype(np.float32), grid, order=1, mode="nearest")
    return noisy(volume.with_array(image), 12)


def hamming(one, other):
    """Bits in which two packed codes differ."""
    return int(np.bitwise_count(one ^ other).sum())


COPIES = {
    "reoriented": reoriented,
    "float": lambda v: v.with_array(v.array.astype(np.float32)),
    "rescaled": lambda v: v.with_array(v.array * np.float32(1.04) + 10),
    "stored units": lambda v: v.with_array((v.array.clip(-1024) + 1024).astype(np.uint16)),
    "8 bit": eight_bit,
    "clipped": lambda v: v.with_array(np.clip(v.array, -175, 250)),
    "noisy": lambda v: noisy(v, 30),
    "padded": lambda v: padded(v, 6),
    "elsewhere": elsewhere,
    "coarser": lambda v: resampled(v, 0.7),
    "finer": lambda v: resampled(v, 1.3),
    "slices": lambda v: cropped(v, (0, 0, 12), (0, 0, 2)),
    "cropped": lambda v: cropped(v, (9, 3, 2), (2, 5, 5)),
    "several": lambda v: elsewhere(
        reoriented(eight_bit(noisy(resampled(cropped(v, (2, 1, 8), (3, 2, 2)), 0.85), 15)))
    ),
    "without spacing": without_spacing,
    "upside down": upside_down,
}
EXACT = {"reoriented", "float", "elsewhere"}
