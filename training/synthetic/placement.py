"""Where a lesion may grow: inside its organ, away from the border and from vessels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.synthetic.fields import Floats

Bools = npt.NDArray[np.bool_]
NEAR = 0.55  # of the radius: no middle is nearer to a border
ROOMY = 0.85  # of the largest distance
TRIES = 24
FIRST_LOOK = 400  # voxels of a form, by which most places are found not to do
GRID = 20000  # voxels of the grid on which room is looked for
MIN_STATISTICS = 8  # voxels of an organ that tell its HU


@dataclass(frozen=True)
class Tissue:
    """An organ's own HU."""

    median: float
    scatter: float


def tissue(hu: Floats, organ: Bools) -> Tissue | None:
    """Median and robust standard deviation (MAD) of an organ's HU; None where it is too small."""
    values = hu[organ]
    if values.size < MIN_STATISTICS:
        return None
    median = float(np.median(values))
    return Tissue(median, 1.4826 * float(np.median(np.abs(values - median))))


def bright(hu: Floats, organ: Bools, scatters: float) -> Bools:
    """Voxels of an organ that are bright as vessels are, told from noise by a slight smoothing.

    Args:
        scatters: above the organ's median, in robust standard deviations of the smoothed organ.
    """
    box = box_of(organ)
    found = np.zeros(organ.shape, dtype=bool)
    smooth = ndimage.gaussian_filter(hu[box], 0.7, truncate=2.0)
    seen = tissue(smooth, organ[box])
    if seen is not None:
        limit = seen.median + scatters * max(seen.scatter, 1.0)
        found[box] = (smooth > limit) & organ[box]
    return found


def widened(mask: Bools, by_mm: float, spacing: Sequence[float]) -> Bools:
    """A mask and what is within so many millimetres of it."""
    reach = [math.floor(by_mm / s) for s in spacing]
    if not any(reach) or not mask.any():
        return mask
    grid = np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij")
    ball = sum((g * s) ** 2 for g, s in zip(grid, spacing, strict=True)) <= by_mm**2
    found: Bools = ndimage.binary_dilation(mask, ball)
    return found


@dataclass(frozen=True)
class Room:
    """How far free voxels are from those that are not, on every `steps`-th voxel of a box.

    Where the array ends the organ is taken to go on.
    """

    distance_mm: Floats
    start: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def largest_mm(self) -> float:
        """The radius of the largest ball, about."""
        return float(self.distance_mm.max(initial=0.0))


def room_of(free: Bools, spacing: Sequence[float]) -> Room:
    """Room in free voxels, on a grid that is coarse where there are many: what is placed by it is
    then looked at voxel by voxel (`fits`)."""
    if not free.any():
        return Room(np.zeros((0, 0, 0), np.float32), (0, 0, 0), (1, 1, 1))
    box = box_of(free, 1)
    steps = _steps([b.stop - b.start for b in box], spacing)
    inner = free[box][tuple(slice(None, None, n) for n in steps)]
    size = tuple(n * s for n, s in zip(steps, spacing, strict=True))
    distance = np.full(inner.shape, np.inf, np.float32)
    if not inner.all():
        distance = ndimage.distance_transform_edt(inner, sampling=size).astype(np.float32)
    return Room(distance, tuple(b.start for b in box), steps)


def _steps(shape: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """Steps along each axis, in mm as even as can be, that leave about `GRID` voxels."""
    wanted = (math.prod(n * s for n, s in zip(shape, spacing, strict=True)) / GRID) ** (1 / 3)
    return tuple(max(1, round(wanted / s)) for s in spacing)


def places(
    room: Room,
    radius_mm: float,
    tries: int,
    spacing: Sequence[float],
    generator: np.random.Generator,
) -> npt.NDArray[np.intp]:
    """Voxels with room enough for a lesion's middle, at most so many, in random order; then some
    of the roomiest.

    Args:
        radius_mm: of the tissue that it takes.
    """
    distance = room.distance_mm
    least = max(NEAR * radius_mm, min(spacing))
    candidates = np.flatnonzero(distance >= least)
    roomiest = np.flatnonzero(distance >= max(least, ROOMY * room.largest_mm))
    candidates = np.concatenate(
        [_some(candidates, tries, generator), _some(roomiest, tries // 3, generator)]
    )
    grid = np.stack(np.unravel_index(candidates, distance.shape), axis=1)
    found: npt.NDArray[np.intp] = grid * np.array(room.steps) + np.array(room.start)
    return found


def _some(
    values: npt.NDArray[np.intp], n: int, generator: np.random.Generator
) -> npt.NDArray[np.intp]:
    """At most `n` of some values, in random order."""
    return values[generator.permutation(len(values))[:n]]


def fits(middle: npt.NDArray[np.intp], taken: npt.NDArray[np.int64], free: Bools) -> bool:
    """Whether tissue that a lesion takes is free wherever the array shows it.

    Args:
        taken: ``(n, 3)`` voxels from the lesion's middle.
    """
    some = taken[:: max(1, len(taken) // FIRST_LOOK)]
    return _is_free(some + middle, free) is not False and bool(_is_free(taken + middle, free))


def _is_free(at: npt.NDArray[np.int64], free: Bools) -> bool | None:
    """Whether all voxels that the array shows are free; None: it shows none."""
    seen = at[((at >= 0) & (at < free.shape)).all(axis=1)]
    return bool(free[seen[:, 0], seen[:, 1], seen[:, 2]].all()) if len(seen) else None


def box_of(mask: Bools, margin: int = 2) -> tuple[slice, ...]:
    """Box of a mask with a margin; the whole array where it is empty."""
    box = []
    for axis, n in enumerate(mask.shape):
        other = tuple(a for a in range(mask.ndim) if a != axis)
        hit = np.flatnonzero(mask.any(axis=other))
        if not hit.size:
            return tuple(slice(0, side) for side in mask.shape)
        box.append(slice(max(0, int(hit[0]) - margin), min(n, int(hit[-1]) + margin + 1)))
    return tuple(box)
