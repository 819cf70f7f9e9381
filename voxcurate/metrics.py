"""Agreement of masks and label maps: DSC, NSD and HD95.

NSD and HD95 are those of google-deepmind/surface-distance (marching cubes' surface elements between
the voxels, distances between their centres), to rounding. Where nothing can be compared we decide:

- both empty: NaN, "not defined", for all three; the caller counts such cases apart;
- one empty: DSC 0, NSD 0, HD95 infinite.

The spacing is taken as that of an orthogonal grid; resample a sheared scan first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate import _kernels
from voxcurate._surface import BITS, surface_areas
from voxcurate.errors import GeometryError

Mask = npt.NDArray[Any]
Spacing = tuple[float, float, float]
BALL_LIMIT = 3000  # corners within the tolerance; above, a search tree is faster


@dataclass(frozen=True)
class Score:
    """Agreement of one class in two label maps.

    Attributes:
        dsc: 0..1, NaN if both are empty.
        nsd: 0..1 at the class's tolerance, NaN if both are empty or no tolerance was given.
        voxels: voxels of the class in the first and in the second map.
    """

    dsc: float
    nsd: float
    voxels: tuple[int, int]


def dsc(one: Mask, two: Mask) -> float:
    """Dice similarity coefficient ``2 |A and B| / (|A| + |B|)`` of two masks.

    Returns:
        0..1; NaN if both are empty, 0 if one is.

    Raises:
        GeometryError: the shapes differ.
    """
    first, second = _as_bytes(one, two)
    counts = _kernels.joint_histogram(first.reshape(-1), second.reshape(-1), 2)
    return _dsc(counts, 1)


def joint_histogram(one: Mask, two: Mask) -> npt.NDArray[np.int64]:
    """How often each pair of labels meets: ``[a, b]`` voxels are `a` in one and `b` in two.

    Args:
        one: labels 0..255, any integer type.
        two: likewise, same shape.

    Raises:
        GeometryError: the shapes differ, or a label is negative or above 255.
    """
    first, second = _as_labels(one, two)
    n = 1 + max(int(first.max()), int(second.max()))
    counts = _kernels.joint_histogram(first.reshape(-1), second.reshape(-1), n)
    return np.asarray(counts, dtype=np.int64)


def dsc_per_label(one: Mask, two: Mask, labels: Iterable[int]) -> dict[int, float]:
    """DSC of each label of two label maps, in one pass over them."""
    counts = joint_histogram(one, two)
    return {label: _dsc(counts, label) for label in labels}


def nsd(one: Mask, two: Mask, spacing: Spacing, tolerance_mm: float) -> float:
    """Normalised surface distance: the share of both surfaces that lies near the other.

    Args:
        one: mask, ``(I, J, K)``.
        two: likewise.
        spacing: mm, in array order.
        tolerance_mm: distance up to which surfaces count as the same; 0 wants them equal.

    Returns:
        0..1; NaN if both are empty, 0 if one is.

    Raises:
        GeometryError: the shapes differ.
    """
    first, second = _as_bytes(one, two)
    return _nsd(first, second, 1, _union(first, second, 1), _orient(one, spacing), tolerance_mm)


def hd95(one: Mask, two: Mask, spacing: Spacing) -> float:
    """The 95th percentile Hausdorff distance in mm, surface elements weighted by their area.

    Returns:
        The larger of the two directions; NaN if both are empty, infinite if one is.

    Raises:
        GeometryError: the shapes differ.
    """
    first, second = _as_bytes(one, two)
    box = _union(first, second, 1)
    if box is None:
        return float("nan")
    grid = _orient(one, spacing)
    points = [_surface_points(part[box], 1, grid) for part in (first, second)]
    if not all(len(at) for at, _ in points):
        return float("inf")
    (at_one, area_one), (at_two, area_two) = points
    there = _percentile(_nearest(at_one, at_two, grid), area_one)
    back = _percentile(_nearest(at_two, at_one, grid), area_two)
    return max(there, back)


def score_labels(
    one: Mask,
    two: Mask,
    labels: Iterable[int],
    *,
    spacing: Spacing | None = None,
    tolerances_mm: Mapping[int, float] | None = None,
) -> dict[int, Score]:
    """DSC, and NSD where a tolerance is given, of each label of two label maps.

    Args:
        one: labels 0..255, ``(I, J, K)``.
        two: likewise.
        labels: which to score.
        spacing: mm, in array order; needed with tolerances.
        tolerances_mm: label to its NSD tolerance.

    Raises:
        GeometryError: shapes differ, labels outside 0..255, or tolerances without a spacing.
    """
    first, second = _as_labels(one, two)
    counts = joint_histogram(first, second)
    wanted = tolerances_mm or {}
    if wanted and spacing is None:
        raise GeometryError("NSD needs a spacing")
    parts = (first, second) if wanted else ()
    boxes = [_kernels.label_boxes(part, len(counts)) for part in parts]
    sizes = counts.sum(axis=1), counts.sum(axis=0)
    result = {}
    for label in labels:
        value = float("nan")
        if spacing is not None and label in wanted and label < len(counts):
            box = _join([found[label] for found, n in boxes if n[label]])
            value = _nsd(first, second, label, box, _orient(one, spacing), wanted[label])
        n_one, n_two = (int(n[label]) if label < len(n) else 0 for n in sizes)
        result[label] = Score(_dsc(counts, label), value, (n_one, n_two))
    return result


@dataclass(frozen=True, eq=False)
class _Grid:
    """Spacing, corner bits and areas for arrays whose axes may have been reversed."""

    spacing: Spacing
    bits: npt.NDArray[np.uint8]
    areas: npt.NDArray[np.float64]
    is_reversed: bool

    def lengths(self, steps: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Length in mm of vectors ``(n, 3)`` in voxels; summed alike for both memory orders."""
        squares = (steps * np.asarray(self.spacing)) ** 2
        return np.asarray(np.sqrt((squares[:, ::-1] if self.is_reversed else squares).sum(axis=1)))


def _orient(array: Mask, spacing: Spacing) -> _Grid:
    """Fortran-ordered arrays are worked on transposed; codes and areas stay the original's."""
    areas = surface_areas(spacing)
    if _is_fortran(array):
        i, j, k = spacing
        return _Grid((k, j, i), np.ascontiguousarray(BITS.T), areas, is_reversed=True)
    return _Grid(spacing, BITS, areas, is_reversed=False)


def _is_fortran(array: Mask) -> bool:
    return bool(array.flags.f_contiguous and not array.flags.c_contiguous)


def _together(one: Mask, two: Mask) -> tuple[Mask, Mask]:
    """Both C-contiguous, in the axis order in which the first one lies in memory."""
    if one.shape != two.shape or one.ndim != 3:
        raise GeometryError(f"want two arrays of one shape (I, J, K): {one.shape}, {two.shape}")
    if _is_fortran(one):
        one, two = one.T, two.T
    return np.ascontiguousarray(one), np.ascontiguousarray(two)


def _as_bytes(one: Mask, two: Mask) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Masks as uint8 of 0 and 1."""
    first, second = (part if part.dtype == np.bool_ else part != 0 for part in _together(one, two))
    return first.view(np.uint8), second.view(np.uint8)


def _as_labels(one: Mask, two: Mask) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    parts = _together(one, two)
    for part in parts:
        if part.dtype.kind not in "bui" or part.min() < 0 or part.max() > 255:
            raise GeometryError("want integer labels from 0 to 255")
    return parts[0].astype(np.uint8, copy=False), parts[1].astype(np.uint8, copy=False)


def _dsc(counts: npt.NDArray[np.int64], label: int) -> float:
    if not 0 <= label < len(counts):
        return float("nan")
    both = int(counts[label].sum() + counts[:, label].sum())
    return 2 * int(counts[label, label]) / both if both else float("nan")


def _union(one: Mask, two: Mask, label: int) -> tuple[slice, slice, slice] | None:
    found = (_kernels.label_boxes(part, label + 1) for part in (one, two))
    return _join([boxes[label] for boxes, n in found if n[label]])


def _join(boxes: list[Mask]) -> tuple[slice, slice, slice] | None:
    if not boxes:
        return None
    both = np.stack(boxes)
    i, j, k = zip(
        both[:, :, 0].min(axis=0).tolist(), both[:, :, 1].max(axis=0).tolist(), strict=True
    )
    return slice(*i), slice(*j), slice(*k)


def _nsd(
    one: Mask,
    two: Mask,
    label: int,
    box: tuple[slice, slice, slice] | None,
    grid: _Grid,
    tolerance_mm: float,
) -> float:
    if not 0 <= tolerance_mm < float("inf"):
        raise GeometryError(f"want an NSD tolerance of 0 mm or more, found {tolerance_mm}")
    if box is None:
        return float("nan")
    first, second = one[box], two[box]
    reach = [int(tolerance_mm / step + 1e-9) for step in grid.spacing]
    if np.prod([2 * n + 1 for n in reach]) > BALL_LIMIT:
        return _nsd_by_tree(first, second, label, grid, tolerance_mm)
    margin = max(reach)
    codes = [_kernels.corner_codes(part, label, grid.bits, margin) for part in (first, second)]
    offsets = _ball(reach, grid, tolerance_mm, codes[0].shape)
    flat_one, flat_two = (part.reshape(-1) for part in codes)
    all_one, near_one = _kernels.surface_within(flat_one, flat_two, grid.areas, offsets)
    all_two, near_two = _kernels.surface_within(flat_two, flat_one, grid.areas, offsets)
    return float((near_one + near_two) / (all_one + all_two))


def _ball(
    reach: list[int], grid: _Grid, tolerance_mm: float, shape: tuple[int, ...]
) -> npt.NDArray[np.int64]:
    """Flat offsets within the tolerance, nearest first."""
    steps = np.stack(
        np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    distance = grid.lengths(steps)
    order = np.argsort(distance, kind="stable")
    inside = steps[order][distance[order] <= tolerance_mm]
    return np.asarray(inside @ [shape[1] * shape[2], shape[2], 1], dtype=np.int64)


def _surface_points(mask: Mask, label: int, grid: _Grid) -> tuple[Mask, Mask]:
    """Corner indices ``(n, 3)`` of the surface and the area at each."""
    codes = _kernels.corner_codes(mask, label, grid.bits, 0)
    at = np.nonzero((codes != 0) & (codes != 255))
    return np.stack(at, axis=-1), grid.areas[codes[at]]


def _nearest(of: Mask, to: Mask, grid: _Grid) -> npt.NDArray[np.float64]:
    """Distance in mm of each corner to the nearest of the others."""
    from scipy.spatial import cKDTree

    scale = np.asarray(grid.spacing)
    nearest = cKDTree(to * scale).query(of * scale)[1]
    # from integers again: the tree's own distances carry the rounding of large coordinates
    return grid.lengths(of - to[nearest])


def _percentile(distances: Mask, areas: Mask) -> float:
    order = np.lexsort((areas, distances))
    share = np.cumsum(areas[order]) / np.sum(areas[order])
    at = min(int(np.searchsorted(share, 0.95)), len(order) - 1)
    return float(distances[order][at])


def _nsd_by_tree(one: Mask, two: Mask, label: int, grid: _Grid, tolerance_mm: float) -> float:
    (at_one, area_one), (at_two, area_two) = (
        _surface_points(part, label, grid) for part in (one, two)
    )
    if not len(at_one) or not len(at_two):
        return 0.0
    near_one = area_one[_nearest(at_one, at_two, grid) <= tolerance_mm].sum()
    near_two = area_two[_nearest(at_two, at_one, grid) <= tolerance_mm].sum()
    return float((near_one + near_two) / (area_one.sum() + area_two.sum()))
