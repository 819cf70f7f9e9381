"""Agreement of masks and label maps: DSC, NSD and HD95.

NSD and HD95 are those of google-deepmind/surface-distance (marching cubes' surface elements between
the voxels, distances between their centres), to rounding. Where nothing can be compared we decide:

- both empty: NaN, "not defined", for all three; the caller counts such cases apart;
- one empty: DSC 0, NSD 0, HD95 infinite.

The spacing is taken as that of an orthogonal grid; resample a sheared scan first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate import _kernels
from voxcurate._surface import (
    Grid,
    grid_of,
    hausdorff95,
    is_fortran,
    share_within,
    shares_and_hausdorff95,
)
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
    counts, _ = _survey(*_as_bytes(one, two))
    return dsc_of_counts(counts, 1)


def joint_histogram(one: Mask, two: Mask) -> npt.NDArray[np.int64]:
    """How often each pair of labels meets: ``[a, b]`` voxels are `a` in one and `b` in two.

    Args:
        one: labels 0..255, any integer type.
        two: likewise, same shape.

    Raises:
        GeometryError: the shapes differ, or a label is negative or above 255.
    """
    return _survey(*_as_labels(one, two))[0]


def dsc_per_label(one: Mask, two: Mask, labels: Iterable[int]) -> dict[int, float]:
    """DSC of each label of two label maps, in one pass over them."""
    counts = joint_histogram(one, two)
    return {label: dsc_of_counts(counts, label) for label in labels}


def dsc_of_counts(counts: npt.NDArray[np.int64], label: int) -> float:
    """DSC of a label by a joint histogram; NaN if it occurs in neither map."""
    if not 0 <= label < len(counts):
        return float("nan")
    both = int(counts[label].sum() + counts[:, label].sum())
    return 2 * int(counts[label, label]) / both if both else float("nan")


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
    box = _box_of(_survey(first, second)[1], 1)
    return _nsd(first, second, 1, box, grid_of(one, spacing), tolerance_mm)


def hd95(one: Mask, two: Mask, spacing: Spacing) -> float:
    """The 95th percentile Hausdorff distance in mm, surface elements weighted by their area.

    Returns:
        The larger of the two directions; NaN if both are empty, infinite if one is.

    Raises:
        GeometryError: the shapes differ.
    """
    first, second = _as_bytes(one, two)
    box = _box_of(_survey(first, second)[1], 1)
    if box is None:
        return float("nan")
    return hausdorff95(first[box], second[box], 1, grid_of(one, spacing))


def surface_scores(
    one: Mask, two: Mask, spacing: Spacing, tolerances_mm: Sequence[float]
) -> tuple[list[float], float]:
    """NSD at each of some tolerances, and HD95 in mm: `nsd` and `hd95` with one search.

    Raises:
        GeometryError: the shapes differ, or a tolerance is negative or not finite.
    """
    for tolerance_mm in tolerances_mm:
        _check_tolerance(tolerance_mm)
    first, second = _as_bytes(one, two)
    box = _box_of(_survey(first, second)[1], 1)
    if box is None:
        return [float("nan")] * len(tolerances_mm), float("nan")
    return shares_and_hausdorff95(first[box], second[box], 1, grid_of(one, spacing), tolerances_mm)


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
    wanted = tolerances_mm or {}
    if wanted and spacing is None:
        raise GeometryError("NSD needs a spacing")
    counts, boxes = _survey(first, second)
    grid = None if spacing is None else grid_of(one, spacing)
    sizes = counts.sum(axis=1), counts.sum(axis=0)
    result = {}
    for label in labels:
        value = float("nan")
        if grid is not None and label in wanted and label < len(counts):
            box = _box_of(boxes, label)
            value = _nsd(first, second, label, box, grid, wanted[label])
        n_one, n_two = (int(n[label]) if label < len(n) else 0 for n in sizes)
        result[label] = Score(dsc_of_counts(counts, label), value, (n_one, n_two))
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


def _survey(
    one: npt.NDArray[np.uint8], two: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Counts of pairs, cut after the largest label that occurs, and the labels' common boxes."""
    counts, boxes = _kernels.empty_survey()
    _kernels.joint_survey(one, two, counts, boxes)
    n = 1 + int(np.flatnonzero(counts.any(axis=0) | counts.any(axis=1))[-1])
    return counts[:n, :n], boxes


def _box_of(boxes: npt.NDArray[np.int64], label: int) -> Box | None:
    """None for a label that does not occur."""
    if not 0 < label < len(boxes) or boxes[label, 0, 1] < 0:
        return None
    i, j, k = (slice(a, b) for a, b in boxes[label].tolist())
    return i, j, k


def _nsd(
    one: Mask,
    two: Mask,
    label: int,
    box: Box | None,
    grid: Grid,
    tolerance_mm: float,
) -> float:
    _check_tolerance(tolerance_mm)
    if box is None:
        return float("nan")
    return share_within(one[box], two[box], label, grid, tolerance_mm)


def _check_tolerance(tolerance_mm: float) -> None:
    if not 0 <= tolerance_mm < float("inf"):
        raise GeometryError(f"want an NSD tolerance of 0 mm or more, found {tolerance_mm}")
