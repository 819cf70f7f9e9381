"""The form of a lesion: an ellipsoid, turned at random, bent elastically, of exact volume."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.synthetic.fields import Floats, smooth_noise

REACH = 1.9  # half side of the box, in radii, beside a voxel
PUSH = 3.2  # the same with mass effect: displacement has faded there
ROUGH = 0.05  # of the radius, at a third of its length


@dataclass(frozen=True)
class Lump:
    """A lesion's form in a box of its own.

    Attributes:
        level: float32; inside where at most 1, growing outwards about as distance over radius.
        offset: mm from the lesion's middle, float32 ``(3, I, J, K)``.
        middle: the box's voxel in which that lies.
        radius_mm: of the sphere of equal volume.
    """

    level: Floats
    offset: Floats
    middle: tuple[int, int, int]
    radius_mm: float

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        """The lesion's voxels."""
        return self.level <= 1


def lump(
    diameter_mm: float,
    spacing: Sequence[float],
    generator: np.random.Generator,
    *,
    elastic: float = 0.2,
    elongation: float = 1.3,
    is_pushing: bool = False,
) -> Lump:
    """A random form whose volume is that of a sphere of the diameter, to half a voxel.

    Args:
        spacing: mm, of the grid.
        elastic: standard deviation of the bending, over the radius.
        elongation: longest axis over the mean one, at most.
        is_pushing: with a wider box, for mass effect.
    """
    radius = diameter_mm / 2
    reach = (PUSH if is_pushing else REACH) * radius
    half = [math.ceil(reach / s) + 1 for s in spacing]
    shape = [2 * h + 1 for h in half]
    start = generator.uniform(-0.5, 0.5, 3)
    axes = [
        ((np.arange(n) - h - o) * s).astype(np.float32)
        for n, h, o, s in zip(shape, half, start, spacing, strict=True)
    ]
    offset = np.stack(np.meshgrid(*axes, indexing="ij"))
    bent = offset
    if elastic:
        length = radius * float(generator.uniform(0.9, 1.4))
        bent = offset + np.stack(
            [smooth_noise(shape, spacing, length, generator) for _ in range(3)]
        ) * np.float32(elastic * radius)
    matrix = _ellipsoid(elongation, generator)
    level = np.sqrt((np.tensordot(matrix, bent, axes=1) ** 2).sum(axis=0)) / np.float32(radius)
    if elastic:
        rough = smooth_noise(shape, spacing, radius / 3, generator)
        level *= 1 + np.float32(ROUGH * min(1.0, elastic / 0.2)) * rough
    count = max(1, round(4 / 3 * math.pi * radius**3 / math.prod(spacing)))
    level /= np.partition(level.ravel(), count - 1)[count - 1]
    middle = (half[0], half[1], half[2])
    return Lump(level, offset, middle, radius)


def _ellipsoid(elongation: float, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Turns and scales mm so that the ellipsoid becomes a sphere; keeps volume."""
    turn, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    stretch = np.exp(generator.uniform(-1, 1, 3) * math.log(elongation))
    stretch /= np.prod(stretch) ** (1 / 3)
    scaled: npt.NDArray[np.float32] = (turn / stretch).T.astype(np.float32)
    return scaled
