"""How large a lesion is: its diameters in millimetres of the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.masks import Bools, bounding_box, components
from voxcurate.volume import ML_PER_MM3, Affine

BEYOND = 0.25  # voxels
MANY = 1500  # points of a hull above which not all pairs are kept at once


@dataclass(frozen=True)
class Lesion:
    """One connected piece of a tumour.

    Attributes:
        ml: its volume.
        feret_mm: largest distance of two points of its surface, in any direction.
        axial_mm: largest distance of two points of its outline in one axial slice.
        sphere_mm: diameter of the ball of the same volume.
        centre_mm: mean position, RAS+ mm.
        is_cut: it touches the edge of the scan, and may be larger.
    """

    ml: float
    feret_mm: float
    axial_mm: float
    sphere_mm: float
    centre_mm: tuple[float, float, float]
    is_cut: bool

    def diameter(self, which: str) -> float:
        """The diameter of that name."""
        return {"feret": self.feret_mm, "axial": self.axial_mm, "sphere": self.sphere_mm}[which]

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "ml": round(self.ml, 3),
            "feret_mm": round(self.feret_mm, 1),
            "axial_mm": round(self.axial_mm, 1),
            "sphere_mm": round(self.sphere_mm, 1),
            "centre_mm": [round(x, 1) for x in self.centre_mm],
            "touches_the_edge": self.is_cut,
        }


def lesions_of(mask: Bools, affine: Affine, *, speck_ml: float = 0.0) -> list[Lesion]:
    """The 26-connected pieces of a mask that are no specks, the largest volume first.

    Args:
        mask: bool, ``(I, J, K)``.
        affine: voxel to RAS+ mm, oblique and sheared too.
        speck_ml: smaller pieces are left out; if all are smaller, the largest stays.
    """
    box = bounding_box(mask)
    if box is None:
        return []
    numbers, n = components(np.ascontiguousarray(mask[box]))
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * ML_PER_MM3
    sizes = np.bincount(numbers.ravel(order="K"), minlength=n + 1)[1:]
    order = [int(i) for i in np.argsort(-sizes, kind="stable")]
    kept = [i for i in order if sizes[i] * voxel_ml >= speck_ml] or order[:1]
    start = np.array([side.start for side in box])
    return [_measured(np.argwhere(numbers == i + 1) + start, mask.shape, affine) for i in kept]


def feret_mm(mask: Bools, affine: Affine) -> float:
    """Largest distance of two points of a mask's surface in mm; 0 for an empty mask.

    The surface is taken a quarter of a voxel beyond the outer voxels' centres: the centres alone
    are too small (ellipsoids at 0.8 x 0.8 x 3 mm: 0.7 mm), their faces too large (1.5 mm, balls
    2.6), this 0.4 (balls 1.3).
    """
    voxels = np.argwhere(mask)
    return _width(voxels, (0, 1, 2), affine) if len(voxels) else 0.0


def axial_mm(mask: Bools, affine: Affine) -> float:
    """Largest diameter in one slice, the slices being those of the array's axis that is nearest
    to head-feet; 0 for an empty mask."""
    voxels = np.argwhere(mask)
    return _axial(voxels, affine) if len(voxels) else 0.0


def _measured(voxels: npt.NDArray[np.int64], shape: tuple[int, ...], affine: Affine) -> Lesion:
    volume = len(voxels) * abs(float(np.linalg.det(affine[:3, :3])))
    centre = affine[:3, :3] @ voxels.mean(0) + affine[:3, 3]
    is_cut = bool((voxels == 0).any() or (voxels == np.array(shape) - 1).any())
    return Lesion(
        volume * ML_PER_MM3,
        _width(voxels, (0, 1, 2), affine),
        _axial(voxels, affine),
        2 * (3 * volume / (4 * np.pi)) ** (1 / 3),
        (float(centre[0]), float(centre[1]), float(centre[2])),
        is_cut,
    )


def _axial(voxels: npt.NDArray[np.int64], affine: Affine) -> float:
    steps = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    up = int(np.argmax(np.abs(steps[2])))
    inside = [axis for axis in range(3) if axis != up]
    slices = (voxels[voxels[:, up] == n] for n in np.unique(voxels[:, up]))
    return max(_width(each, inside, affine) for each in slices)


def _width(voxels: npt.NDArray[np.int64], axes: Sequence[int], affine: Affine) -> float:
    """Largest distance of two surface points in mm, the surface lying `BEYOND` voxels beyond the
    centres along the given axes (and the hull of a sum is the sum of the hulls)."""
    from scipy.spatial.distance import pdist

    steps = np.concatenate([s * np.eye(3)[list(axes)] for s in (-BEYOND, BEYOND)])
    corners = _extreme((_extreme(voxels.astype(np.float64))[:, None] + steps).reshape(-1, 3))
    points = corners @ affine[:3, :3].T
    if len(points) <= MANY:
        return float(pdist(points).max())
    return max(float(np.linalg.norm(points - p, axis=1).max()) for p in points)


def _extreme(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The corners of the convex hull, of flat sets too; what has no hull comes back whole."""
    from scipy.spatial import ConvexHull, QhullError

    spread = np.ptp(points, axis=0) > 0
    if len(points) < 10 or spread.sum() < 2:
        return points
    try:
        return np.asarray(points[ConvexHull(points[:, spread]).vertices])
    except QhullError:  # all on a slanted plane or line
        return points
