"""A volume: an array of three axes with the affine that places it in the patient."""

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.errors import GeometryError

ML_PER_MM3 = 1e-3

Affine = npt.NDArray[np.float64]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Volume:
    """An array with its place in the patient; compared by identity, as arrays are.

    Attributes:
        array: shape ``(I, J, K)``, any dtype.
        affine: shape ``(4, 4)``, voxel index to RAS+ world coordinates in mm.

    Raises:
        GeometryError: the array is not 3-D or is empty; the affine is not ``(4, 4)``, not finite
            or singular.
    """

    array: npt.NDArray[Any]
    affine: Affine

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or 0 in self.array.shape:
            raise GeometryError(f"want an array (I, J, K) with voxels, found {self.array.shape}")
        object.__setattr__(self, "affine", checked_affine(self.affine))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels per axis."""
        i, j, k = self.array.shape
        return i, j, k

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxel centres in mm, in array order."""
        return spacing_of(self.affine)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL: ``|det|``, right for a sheared (gantry-tilted) CT too."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) * ML_PER_MM3

    @property
    def orientation(self) -> str:
        """Where each array axis points, to the nearest letter: ``"RAS"``, ``"LPS"``..."""
        return orientation_of(self.affine)

    def with_array(self, array: npt.NDArray[Any]) -> "Volume":
        """Another array in the same place.

        Raises:
            GeometryError: the shape differs.
        """
        if array.shape != self.array.shape:
            raise GeometryError(f"want shape {self.array.shape}, found {array.shape}")
        return replace(self, array=array)


def checked_affine(affine: npt.ArrayLike) -> Affine:
    """The affine as a read-only float64 copy.

    Raises:
        GeometryError: not ``(4, 4)``, not finite, last row not ``0 0 0 1``, or singular.
    """
    result = np.array(affine, dtype=np.float64)
    if result.shape != (4, 4):
        raise GeometryError(f"want an affine (4, 4), found {result.shape}")
    if not np.isfinite(result).all():
        raise GeometryError("the affine holds NaN or infinite values")
    if not np.array_equal(result[3], (0.0, 0.0, 0.0, 1.0)):
        raise GeometryError(
            f"want (0, 0, 0, 1) as the affine's last row, found {result[3].tolist()}"
        )
    columns = np.linalg.norm(result[:3, :3], axis=0)
    # the determinant of the unit columns does not depend on the spacing
    if (columns == 0).any() or abs(np.linalg.det(result[:3, :3] / columns)) < 1e-6:
        raise GeometryError("the affine is singular: its axes do not span a volume")
    result.flags.writeable = False
    return result


def spacing_of(affine: Affine) -> tuple[float, float, float]:
    """Column norms of an affine: spacing in mm, in array order."""
    i, j, k = np.sqrt((np.asarray(affine)[:3, :3] ** 2).sum(axis=0))
    return float(i), float(j), float(k)


def orientation_of(affine: Affine) -> str:
    """Three letters: the anatomical direction that each array axis runs to, nearest match."""
    axes = np.asarray(affine)[:3, :3] / np.asarray(spacing_of(affine))
    best = max(permutations(range(3)), key=lambda p: sum(abs(axes[p[i], i]) for i in range(3)))
    return "".join(("LPI", "RAS")[int(axes[world, i] > 0)][world] for i, world in enumerate(best))
