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
from voxcurate._surface import Grid, grid_of, hausdorff95, is_fortran, share_within
from voxcurate.errors import GeometryError
from voxcurate.volume import Box

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
    box = _union(first, second, 1)
    return _nsd(first, second, 1, box, grid_of(one, spacing), tolerance_mm)


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
    return hausdorff95(first[box], second[box], 1, grid_of(one, spacing))


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
            value = _nsd(first, second, label, box, grid_of(one, spacing), wanted[label])
        n_one, n_two = (int(n[label]) if label < len(n) else 0 for n in sizes)
        result[label] = Score(_dsc(counts, label), value, (n_one, n_two))
    return result


def _together(one: Mask, two: Mask) -> tuple[Mask, Mask]:
    """Both C-contiguous, in the axis order in which the first one lies in memory."""
    if one.shape != two.shape or one.ndim != 3:
        raise GeometryError(f"want two arrays of one shape (I, J, K): {one.shape}, {two.shape}")
    if is_fortran(one):
        one, two = one.T, two.T
    return np.ascontiguousarray(one), np.ascontiguousarray(two)


def _as_bytes(one: Mask, two: Mask) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Masks as uint8 of 0 and 1."""
    first, second = (part if part.dtype == np.bool_ else part != 0 for part in _together(one, two))
    return first.view(np.uint8), second.view(np.uint8)


def _as_labels(one: Mask, two: Mask) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    parts = _together(one, two)
    for part in parts:
        if part.dtype == np.uint8:
            continue
        if part.dtype.kind not in "bui" or part.min() < 0 or part.max() > 255:
            raise GeometryError("want integer labels from 0 to 255")
    return parts[0].astype(np.uint8, copy=False), parts[1].astype(np.uint8, copy=False)


def _dsc(counts: npt.NDArray[np.int64], label: int) -> float:
    if not 0 <= label < len(counts):
        return float("nan")
    both = int(counts[label].sum() + counts[:, label].sum())
    return 2 * int(counts[label, label]) / both if both else float("nan")


def _union(one: Mask, two: Mask, label: int) -> Box | None:
    found = (_kernels.label_boxes(part, label + 1) for part in (one, two))
    return _join([boxes[label] for boxes, n in found if n[label]])


def _join(boxes: list[Mask]) -> Box | None:
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
    box: Box | None,
    grid: Grid,
    tolerance_mm: float,
) -> float:
    if not 0 <= tolerance_mm < float("inf"):
        raise GeometryError(f"want an NSD tolerance of 0 mm or more, found {tolerance_mm}")
    if box is None:
        return float("nan")
    return share_within(one[box], two[box], label, grid, tolerance_mm)
