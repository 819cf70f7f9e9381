"""A ball in an oblique, anisotropic scan, labels of it that are off, and its border."""

import numpy as np
from scipy import ndimage

from labeling.refine.border import border_of
from labeling.structures import Structure
from tests.conftest import oblique_affine
from voxcurate.volume import Volume, spacing_of

SHAPE = (30, 27, 21)
AFFINE = oblique_affine((2.0, 2.5, 3.5), (0.05, -0.04, 0.06), (-30.0, 10.0, 40.0))


def ball(radius_mm=15.0, middle=(14.0, 13.0, 10.0)):
    """Voxels within a distance of a voxel."""
    away = (np.indices(SHAPE) - np.reshape(middle, (3, 1, 1, 1))) * np.reshape(
        spacing_of(AFFINE), (3, 1, 1, 1)
    )
    return np.sqrt((away**2).sum(axis=0)) <= radius_mm


def scan(inside, step=120.0, seed=0):
    """A structure in plain tissue, with noise."""
    noise = np.random.default_rng(seed).normal(0, 8, SHAPE)
    return Volume((40.0 + step * inside + noise).astype(np.int16), AFFINE)


def frayed(mask, seed=1):
    """The mask with a noisy border."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=mask.shape), 0.8)
    inner, outer = (ndimage.distance_transform_edt(m) for m in (mask, ~mask))
    return inner - outer + 6.0 * noise / noise.std() * 0.5 > 0


def structure(mask, name="liver"):
    """As a structure of the scan."""
    return Structure.of(name, mask, AFFINE)


def border(mask, volume, **options):
    """Of a mask in a scan."""
    return border_of(structure(mask), volume, **{"band_mm": 5.0, "margin_mm": 10.0, **options})
