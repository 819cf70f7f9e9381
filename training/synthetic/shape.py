"""The form of a lesion: an ellipsoid, turned at random, bent elastically, of exact volume."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.synthetic.fields import Floats, smooth_noise

REACH = 1.9  # half side of the box, in radii, beside a voxel
ROUGH = 0.05  # of the radius, at a third of its length
COARSE = 9.0  # steps per radius are enough to draw a form with; between them it is linear


@dataclass(frozen=True)
class Lump:
    """A lesion's form in a box of its own.

    Attributes:
        level: float32; inside where at most 1, growing outwards about as distance over radius.
        middle: the box's voxel in which the lesion's middle lies.
        beside: where in that voxel, -0.5 to 0.5 of its sides.
        radius_mm: of the sphere of equal volume.
    """

    level: Floats
    middle: tuple[int, int, int]
    beside: tuple[float, float, float]
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
) -> Lump:
    """A random form whose volume is that of a sphere of the diameter, to half a voxel.

    Args:
        spacing: mm, of the grid.
        elastic: standard deviation of the bending, over the radius.
        elongation: longest axis over the mean one, at most.
    """
    radius = diameter_mm / 2
    half = [math.ceil(REACH * radius / s) + 1 for s in spacing]
    beside = generator.uniform(-0.5, 0.5, 3)
    fine = [(np.arange(-h, h + 1) - b) * s for h, b, s in zip(half, beside, spacing, strict=True)]
    steps = [max(1, int(radius / COARSE / s)) for s in spacing]
    coarse = [a[0] + np.arange(-(-(len(a) - 1) // n) + 1) * n * s
              for a, n, s in zip(fine, steps, spacing, strict=True)]  # fmt: skip
    level = _level(coarse, radius, generator, elastic, elongation)
    for axis, n in enumerate(steps):
        if n > 1:
            level = _refined(level, axis, n, len(fine[axis]))
    count = max(1, round(4 / 3 * math.pi * radius**3 / math.prod(spacing)))
    level /= _smallest(level, count)
    return Lump(level, (half[0], half[1], half[2]), _triple(beside), radius)


def _level(
    axes: Sequence[npt.NDArray[np.float64]],
    radius: float,
    generator: np.random.Generator,
    elastic: float,
    elongation: float,
) -> Floats:
    """Distance over radius of the bent form, before its volume is set; axes in mm."""
    shape = [len(axis) for axis in axes]
    steps = [float(axis[1] - axis[0]) for axis in axes]
    place = np.stack(np.meshgrid(*(a.astype(np.float32) for a in axes), indexing="ij"))
    if elastic:
        length = radius * float(generator.uniform(0.9, 1.4))
        for along in place:
            along += np.float32(elastic * radius) * smooth_noise(shape, steps, length, generator)
    matrix = _ellipsoid(elongation, generator)
    level: Floats = np.sqrt((np.tensordot(matrix, place, axes=1) ** 2).sum(axis=0))
    level /= np.float32(radius)
    if elastic:
        rough = smooth_noise(shape, steps, radius / 3, generator)
        level *= 1 + np.float32(ROUGH * min(1.0, elastic / 0.2)) * rough
    return level


def _refined(level: Floats, axis: int, step: int, n: int) -> Floats:
    """Linear between every `step` voxels of an axis, `n` voxels of it."""
    place = np.arange(n) / step
    first = np.minimum(place.astype(int), level.shape[axis] - 2)
    part = (place - first).astype(np.float32)
    view = [1, 1, 1]
    view[axis] = n
    low, high = level.take(first, axis), level.take(first + 1, axis)
    refined: Floats = low + part.reshape(view) * (high - low)
    return refined


def _smallest(level: Floats, count: int) -> np.float32:
    """The `count`-th smallest value, looked for among those near the one of a sample only."""
    flat = level.ravel()
    thin = flat[:: max(1, flat.size // 20000)]
    guess = np.partition(thin, min(len(thin) - 1, count * len(thin) // flat.size))
    about = guess[min(len(thin) - 1, count * len(thin) // flat.size)]
    below = int((flat < 0.8 * about).sum())
    near = flat[(flat >= 0.8 * about) & (flat <= 1.2 * about)]
    if not below < count <= below + near.size:
        below, near = 0, flat
    found: np.float32 = np.partition(near, count - below - 1)[count - below - 1]
    return found


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _ellipsoid(elongation: float, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Turns and scales mm so that the ellipsoid becomes a sphere; keeps volume."""
    turn, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    stretch = np.exp(generator.uniform(-1, 1, 3) * math.log(elongation))
    stretch /= np.prod(stretch) ** (1 / 3)
    scaled: npt.NDArray[np.float32] = (turn / stretch).T.astype(np.float32)
    return scaled
