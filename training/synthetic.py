"""Synthetic tumours: simple dark lumps grown inside a healthy organ.

In the spirit of SyntheticTumors (Hu et al., CVPR 2023): ellipsoids of 4 to 20 mm, deformed by
smooth noise, 20 to 100 HU darker than the organ, with a soft edge. Without its texture model and
mass effect.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from training.patches import Patch

RADIUS_MM = (4.0, 20.0)
DARKER_HU = (20.0, 100.0)


def grow_tumour(
    patch: Patch,
    lesion: int,
    organ: int,
    spacing: Sequence[float],
    generator: np.random.Generator,
) -> Patch:
    """The patch with one tumour more; unchanged where the organ is not in the patch.

    Args:
        patch: at least its HU, target and weight are used.
        lesion: position of the lesion class.
        organ: position of the class that contains it.
        spacing: mm per voxel.
    """
    inside = np.argwhere(patch.target[organ] > 0)
    if not len(inside):
        return patch
    centre = inside[int(generator.integers(len(inside)))]
    radii = generator.uniform(*RADIUS_MM) * generator.uniform(0.75, 1.25, 3)
    grid = np.ogrid[tuple(slice(0, n) for n in patch.hu.shape)]
    distance = sum(
        ((g - c) * s / r) ** 2 for g, c, s, r in zip(grid, centre, spacing, radii, strict=True)
    )
    wobble = ndimage.gaussian_filter(generator.standard_normal(patch.hu.shape), 2.0)
    wobble *= 0.25 / max(float(wobble.std()), 1e-6)
    lump = (np.sqrt(distance) + wobble < 1) & (patch.target[organ] > 0)
    if not lump.any():
        return patch
    soft = ndimage.gaussian_filter(lump.astype(np.float32), 0.7)
    hu = patch.hu - soft * np.float32(generator.uniform(*DARKER_HU))
    target = patch.target.copy()
    target[lesion][lump] = 1.0
    return replace(patch, hu=hu, target=target)
