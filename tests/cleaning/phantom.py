"""Synthetic CTs that look enough like one: body, lungs, bones and organs in noisy air."""

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from tests.conftest import ellipsoid, oblique_affine
from voxcurate.volume import Volume

SHAPE = (61, 52, 44)
SPACING = (4.1, 4.6, 5.0)


def phantom(seed: int = 0, *, noise_hu: float = 12.0, shape: Any = SHAPE) -> Volume:
    """A patient; another seed is another patient. int16, oblique, about 250 x 240 x 220 mm."""
    rng = np.random.default_rng(seed)
    size = np.array(shape)
    image = np.full(shape, -1000.0)
    centre, radii = (size - 1) / 2, size * rng.uniform(0.36, 0.44, 3)
    image[ellipsoid(shape, tuple(centre), tuple(radii))] = -100
    image[ellipsoid(shape, tuple(centre), tuple(radii * 0.88))] = 45
    for hu, number, reach in ((-780, 2, 0.3), (900, 6, 0.1), (110, 5, 0.2), (10, 6, 0.12)):
        for _ in range(number):
            at = centre + rng.uniform(-0.5, 0.5, 3) * radii
            image[ellipsoid(shape, tuple(at), tuple(size * reach * rng.uniform(0.5, 1, 3)))] = hu
    image = gaussian_filter(image, 0.7) + rng.normal(0, noise_hu, shape)
    return Volume(np.rint(image).astype(np.int16), oblique_affine(SPACING))
