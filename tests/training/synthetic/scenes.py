"""An organ with a vessel, on an anisotropic grid."""

import numpy as np

SHAPE = (44, 36, 30)
SPACING = (1.6, 2.0, 2.4)
LEVEL, NOISE = 100.0, 10.0


def scene(seed=0, radius_mm=30.0, level=LEVEL, noise=NOISE):
    """HU, an organ (a ball), and a straight vessel in it, 40 HU brighter."""
    generator = np.random.default_rng(seed)
    middle = (np.array(SHAPE) - 1) / 2
    at = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"))
    away = (at - middle[:, None, None, None]) * np.array(SPACING)[:, None, None, None]
    organ = (away**2).sum(axis=0) <= radius_mm**2
    vessel = organ & (np.hypot(away[0] - 8, away[1]) <= 2.5)
    hu = np.where(organ, level, -80.0) + generator.normal(0, noise, SHAPE)
    hu[vessel] += 40
    return hu.astype(np.float32), organ, vessel
