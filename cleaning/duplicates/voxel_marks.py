"""Landmarks on a scan's own voxels, for copies whose header lost its spacing and that are cropped.

Landmarks need millimetres, views the whole body; a crop without spacing has neither. But its voxels
are the original's. So every scan has landmarks on a *rung* too: a grid whose cubes are a power of
two of voxels along each axis, the power that comes nearest to 5 mm by its header. A scan whose
header cannot be believed has them on each rung that its true spacing may ask for, and is the only
one that is searched for so: scans with sound headers cost it one rung each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.landmarks import Landmarks
from voxcurate.geometry import ras_axes
from voxcurate.volume import Affine, Volume

CUBE = 5.0  # side of a cube, in the unit of the places, whatever its voxels
HIGHEST = 5  # 32 voxels: 0.16 mm
N_VOXEL = 64
MIN_CUBES = 4
SMALLEST_MM, LARGEST_MM = 90.0, 900.0  # in-plane field of view, with cubes of 5 mm
LARGEST_SIDE_MM, SMALLEST_SIDE_MM = 2200.0, 50.0  # a largest side beyond is no scan's
STEEP = 1.5  # so much more change from plane to plane than along the other axes: thick slices

Powers = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class VoxelMarks:
    """Landmarks on one rung.

    Attributes:
        powers: per axis in RAS+ order, a cube is ``2 ** power`` voxels.
        landmarks: places from the scan's first corner, 5 per cube.
    """

    powers: Powers
    landmarks: Landmarks


def is_lost(spacing: Sequence[float], shape: Sequence[int] | None = None) -> bool:
    """Whether a header says 1 x 1 x 1 mm, as one does that was lost, or a size no scan has."""
    if np.allclose(spacing, 1.0, atol=1e-6):
        return True
    largest = 0.0 if shape is None else float(max(np.asarray(spacing) * shape))
    return bool(shape is not None and not SMALLEST_SIDE_MM < largest < LARGEST_SIDE_MM)


def rungs(volume: Volume) -> list[Powers]:
    """The rungs of a scan: one for a sound header, several for a lost one.

    Args:
        volume: any orientation and type, without NaN.
    """
    order, _ = ras_axes(volume.affine)
    shape = [volume.shape[axis] for axis in order]
    spacing = [volume.spacing[axis] for axis in order]
    if is_lost(spacing, shape):
        return possible(shape, _slice_axis(volume.array.transpose(order)))
    return [told(spacing)]


def rung_affine(volume: Volume, powers: Powers) -> Affine:
    """The affine with which a rung's cubes have a side of `CUBE`, whatever the header's spacing."""
    order, _ = ras_axes(volume.affine)
    spacing = [1.0, 1.0, 1.0]
    for axis, power in zip(order, powers, strict=True):
        spacing[axis] = CUBE / 2**power
    affine = np.eye(4)
    affine[:3, :3] = volume.affine[:3, :3] / np.asarray(volume.spacing) * spacing
    return affine


def told(spacing: Sequence[float]) -> Powers:
    """The rung whose cubes are nearest to 5 mm."""
    i, j, k = (int(np.clip(np.rint(np.log2(CUBE / s)), 0, HIGHEST)) for s in spacing)
    return i, j, k


def possible(shape: Sequence[int], slices: int) -> list[Powers]:
    """The rungs that a scan may have if nothing is known but its shape.

    Within the slices both axes are alike, and the field of view is that of some scanner; slices are
    hardly ever thinner than half a pixel's side.

    Args:
        shape: voxels per axis.
        slices: the axis across the slices.
    """
    widest = max(n for axis, n in enumerate(shape) if axis != slices)
    found = []
    for plane in range(HIGHEST + 1):
        if not SMALLEST_MM <= widest / 2**plane * CUBE <= LARGEST_MM:
            continue
        for across in range(min(plane + 1, HIGHEST) + 1):
            i, j, k = (across if axis == slices else plane for axis in range(3))
            if min(n >> power for n, power in zip(shape, (i, j, k), strict=True)) >= MIN_CUBES:
                found.append((i, j, k))
    return found


def _slice_axis(array: npt.NDArray[np.generic]) -> int:
    """The axis across the slices: the last, unless another changes far more from voxel to voxel."""
    step = max(1, round((array.size / 400_000) ** (1 / 3)))
    change = []
    for axis in range(3):
        rows = tuple(slice(None) if a == axis else slice(None, None, step) for a in range(3))
        part = np.moveaxis(array[rows], axis, 0)
        few = part[: 2 * (len(part) // 2)].astype(np.float32)
        low, high = np.percentile(few, (5, 95)) if few.size else (0, 0)
        few = np.clip(few, low, high)
        change.append(float(np.abs(few[::2] - few[1::2]).mean()) if few.size else 0.0)
    steepest = int(np.argmax(change))
    others = max(c for axis, c in enumerate(change) if axis != steepest)
    return steepest if change[steepest] > STEEP * others else 2
