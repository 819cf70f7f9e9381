"""A mask as a smooth field: the signed distance to its surface, at any place of the world.

Between slices that lie far apart a surface found in this field runs straight on, where nearest
neighbours would make steps (shape-based interpolation, Raya and Udupa 1990).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxcurate.masks import Bools
from voxcurate.volume import Affine, Box, spacing_of

Points = npt.NDArray[np.float64]
MARGIN_MM = 6.0  # around the mask; beyond, only that it is outside is known


@dataclass(frozen=True, eq=False)
class Field:
    """Signed distance in mm, negative inside, on the voxels of a box.

    Attributes:
        values: float32, ``(I, J, K)`` of the box.
        to_index: world to index in `values`, ``(4, 4)``.
        outside: value where the field does not reach.
    """

    values: npt.NDArray[np.float32]
    to_index: Affine
    outside: float = MARGIN_MM

    def at(self, points: Points) -> npt.NDArray[np.float64]:
        """Values at world points ``(..., 3)`` in mm, interpolated linearly."""
        from scipy.ndimage import map_coordinates

        index = points @ self.to_index[:3, :3].T + self.to_index[:3, 3]
        found = map_coordinates(
            self.values, np.moveaxis(index, -1, 0), order=1, cval=self.outside, prefilter=False
        )
        return np.asarray(found, np.float64)


def field_of(mask: Bools, affine: Affine, box: Box | None = None) -> Field:
    """The field of a mask.

    Beyond the array the mask goes on as it ends there: what the scan does not show is unknown, and
    its edge is no surface.

    Args:
        mask: bool, ``(I, J, K)``.
        affine: voxel to RAS+ mm.
        box: the part of the array to work on; not given: all of it.
    """
    from scipy.ndimage import distance_transform_edt

    spacing = spacing_of(affine)
    box = box or (slice(0, mask.shape[0]), slice(0, mask.shape[1]), slice(0, mask.shape[2]))
    part = np.pad(mask[box], 1, mode="edge")
    if not part.any():
        distance = np.full(part.shape, MARGIN_MM)
    elif part.all():
        distance = np.full(part.shape, -MARGIN_MM)
    else:
        distance = distance_transform_edt(~part, spacing) - distance_transform_edt(part, spacing)
    start = np.array([side.start - 1 for side in box], np.float64)
    moved = np.array(affine)
    moved[:3, 3] = affine[:3, :3] @ start + affine[:3, 3]
    return Field(distance.astype(np.float32), np.asarray(np.linalg.inv(moved), np.float64))
