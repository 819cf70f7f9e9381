"""Masks on the grid of their scan: the same voxels in another order, or another grid of its box."""

import numpy as np
import numpy.typing as npt

from voxcurate.errors import GeometryError
from voxcurate.geometry import blurred_for, reorient, resample_to
from voxcurate.volume import Affine, Volume, spacing_of

TOLERANCE = 0.1  # voxels that a mask's corners may lie off its scan's: headers round
SAME_SPACING = 1.001
INSIDE = 0.5  # share of a voxel that is enough
KNOWN = 0.999
SMALLEST = 1e-3

Bools = npt.NDArray[np.bool_]


def fit(mask: Volume, raw: Volume) -> tuple[Volume, str]:
    """A mask or label map on the voxels of its scan, in RAS+ axis order.

    The mask may be stored in another axis order or flipped. With another number of voxels it is
    resampled (nearest) where both grids fill the same box of the world, to a voxel of the coarser
    one; that is how tools resample. The same number of voxels at another place is a header that
    lies, in one of the two files.

    Args:
        mask: as read.
        raw: the scan as read.

    Returns:
        the mask, and how it was resampled, in words; empty if it was not.

    Raises:
        GeometryError: voxels at other places than the scan's.
    """
    native = reorient(raw)
    if mask.shape == raw.shape and shift_voxels(mask.affine, raw.affine, raw.shape) <= TOLERANCE:
        return reorient(Volume(mask.array, raw.affine)), ""
    own = reorient(mask)
    if own.shape != native.shape:
        _check_box(own, native, mask, raw)
        moved = resample_to(own, native.shape, native.affine, order=0)
        return moved, f"resampled from {mask.shape} at {_text(mask)} mm"
    shift = shift_voxels(own.affine, native.affine, native.shape)
    if shift > TOLERANCE:
        raise GeometryError(
            "same shape as the scan but another place: its corners lie up to "
            f"{shift:.1f} voxels off (spacing {_text(mask)} mm, the scan's {_text(raw)} mm)"
        )
    return Volume(own.array, native.affine), ""


def onto(mask: Bools, native: Volume, scan: Volume, *, enough: float = INSIDE) -> Bools:
    """A mask on the scan's voxels carried to the grid that the scan got.

    A structure too small for the new voxels keeps those that it fills most, so that no lesion is
    lost.

    Args:
        mask: on the voxels of `native`.
        native: the scan in RAS+ axis order.
        scan: the scan standardised, cropped or resampled.
        enough: share of the new voxel that must lie inside; `KNOWN` for what must be all inside.
    """
    if scan.shape == native.shape and np.array_equal(scan.affine, native.affine):
        return mask
    share = Volume(mask.astype(np.float32), native.affine)
    blurred = blurred_for(share, np.asarray(scan.spacing) / np.asarray(native.spacing))
    found = resample_to(blurred, scan.shape, scan.affine, order=1, fill=0.0)
    if enough <= INSIDE:
        enough = min(enough, max(float(found.array.max()) / 2, SMALLEST))
    return np.asarray(found.array >= enough)


def shift_voxels(one: Affine, other: Affine, shape: tuple[int, int, int]) -> float:
    """How far the corners of two grids of one shape lie apart, in the smaller voxel's side."""
    apart = np.linalg.norm(_corners(one, shape, 0) - _corners(other, shape, 0), axis=0).max()
    return float(apart / min(*spacing_of(one), *spacing_of(other)))


def _check_box(own: Volume, native: Volume, mask: Volume, raw: Volume) -> None:
    """The outer corners of both grids may lie apart by one voxel of the coarser along each axis.

    Where the spacing is the same they may not: then planes are missing.
    """
    apart = _corners(own.affine, own.shape, 0.5) - _corners(native.affine, native.shape, 0.5)
    directions = native.affine[:3, :3] / np.asarray(native.spacing)
    along = np.abs(np.linalg.solve(directions, apart)).max(axis=1)
    finer, coarser = (
        np.minimum(own.spacing, native.spacing),
        np.maximum(own.spacing, native.spacing),
    )
    allowed = np.where(coarser < SAME_SPACING * finer, TOLERANCE * finer, coarser)
    if (along > allowed).any():
        raise GeometryError(
            f"want the scan's shape {raw.shape} or another grid of the same box, found "
            f"{mask.shape} at {_text(mask)} mm, corners up to {along.max():.1f} mm off"
        )


def _corners(affine: Affine, shape: tuple[int, ...], beyond: float) -> npt.NDArray[np.float64]:
    """World coordinates of the eight corner voxels, shape ``(3, 8)``; `beyond`: voxels farther."""
    ends = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    index = ends * (np.array(shape) - 1 + 2 * beyond) - beyond
    return np.asarray(affine[:3, :3] @ index.T + affine[:3, 3:])


def _text(volume: Volume) -> str:
    return " x ".join(f"{s:.3g}" for s in volume.spacing)
