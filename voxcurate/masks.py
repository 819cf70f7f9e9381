"""Shapes of masks: components, boxes, places in the world, growing and shrinking.

Masks are bool or any integer type, non-zero inside, ``(I, J, K)``. Results are new arrays.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate import _kernels
from voxcurate.errors import GeometryError
from voxcurate.volume import Affine, Box

Mask = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Spacing = tuple[float, float, float]
MOST_LABELS = 1 << 20  # of a label map; larger values are no labels to count in a table


def components(
    labels: Mask, *, connectivity: int = 26
) -> tuple[npt.NDArray[np.unsignedinteger[Any]], int]:
    """Connected components of a mask, or of every label of a label map at once.

    Voxels are joined if they have the same non-zero value: touching labels stay apart.

    Args:
        labels: mask or label map.
        connectivity: 6 (faces), 18 (edges too) or 26 (corners too).

    Returns:
        Component numbers 1..n (0 outside), of the smallest of uint16, uint32 and uint64 that can
        hold them, numbered in memory order; and n.

    Raises:
        GeometryError: not 3-D, or another connectivity.
    """
    if labels.ndim != 3 or connectivity not in (6, 18, 26):
        raise GeometryError(
            f"want 3-D and connectivity 6, 18 or 26: {labels.shape}, {connectivity}"
        )
    import cc3d

    found, n = cc3d.connected_components(labels, connectivity=connectivity, return_N=True)
    return found, int(n)


def largest_component(mask: Mask, *, connectivity: int = 26) -> Bools:
    """The largest component alone; of equals the first in memory; an empty mask stays empty."""
    result = np.zeros_like(mask, dtype=np.bool_)
    box = bounding_box(mask)
    if box is not None:
        found, n = components(_as_bool(mask[box]), connectivity=connectivity)
        result[box] = found == 1 + int(np.argmax(_sizes(found, n)[1:]))
    return result


def bounding_box(mask: Mask, *, margin: int = 0) -> Box | None:
    """Smallest box around a mask, grown by `margin` voxels within the array; None if empty."""
    if mask.ndim != 3:
        raise GeometryError(f"want a mask (I, J, K), found shape {mask.shape}")
    raw = _as_bool(mask).view(np.uint8)
    if raw.flags.f_contiguous and not raw.flags.c_contiguous:
        spans = _kernels.occupied(raw.T, 1, 255)[::-1]
    else:
        spans = _kernels.occupied(np.ascontiguousarray(raw), 1, 255)
    if not spans[0].any():
        return None
    ends = [np.flatnonzero(span)[[0, -1]] for span in spans]
    i, j, k = (
        slice(max(0, int(first) - margin), min(n, int(last) + 1 + margin))
        for (first, last), n in zip(ends, mask.shape, strict=True)
    )
    return i, j, k


def label_boxes(labels: Mask) -> dict[int, Box]:
    """Smallest box around each non-zero label that occurs, in one pass.

    Raises:
        GeometryError: not 3-D, or a negative label.
    """
    if labels.ndim != 3 or (labels.dtype.kind == "i" and labels.min(initial=0) < 0):
        raise GeometryError(f"want 3-D labels of 0 and more, found shape {labels.shape}")
    is_fortran = labels.flags.f_contiguous and not labels.flags.c_contiguous
    array = np.ascontiguousarray(labels.T if is_fortran else labels)
    if array.dtype == np.bool_:
        array = array.view(np.uint8)
    if array.dtype == np.uint8:
        counts, boxes = _kernels.empty_survey()
        _kernels.joint_survey(array, array, counts, boxes)
    else:
        boxes, _ = _kernels.label_boxes(array, int(array.max(initial=0)) + 1)
    result: dict[int, Box] = {}
    for label in np.flatnonzero(boxes[1:, 0, 1] >= 0) + 1:
        sides = boxes[label][::-1] if is_fortran else boxes[label]
        i, j, k = (slice(int(a), int(b)) for a, b in sides)
        result[int(label)] = (i, j, k)
    return result


def unique_labels(labels: Mask) -> dict[int, int]:
    """Each value that occurs, in rising order, and its number of voxels.

    Raises:
        GeometryError: no whole numbers.
    """
    if labels.dtype.kind not in "bui":
        raise GeometryError(f"want labels as whole numbers, found {labels.dtype.name}")
    array = labels.T if labels.flags.f_contiguous else labels
    line = np.ascontiguousarray(array).reshape(1, 1, -1)
    if line.dtype.itemsize == 1 and line.dtype.kind in "bu":
        counts, boxes = _kernels.empty_survey()
        _kernels.joint_survey(line.view(np.uint8), line.view(np.uint8), counts, boxes)
        sizes = counts.diagonal()
    elif line.min(initial=0) >= 0 and line.max(initial=0) < MOST_LABELS:
        _, sizes = _kernels.label_boxes(line, int(line.max(initial=0)) + 1)
    else:
        values, sizes = np.unique(line, return_counts=True)
        return dict(zip(values.tolist(), sizes.tolist(), strict=True))
    return {int(value): int(sizes[value]) for value in np.flatnonzero(sizes)}


def centroid_mm(mask: Mask, affine: Affine) -> npt.NDArray[np.float64]:
    """Mean position of the voxels in RAS+ mm, shape ``(3,)``; NaN if empty."""
    box = bounding_box(mask)
    if box is None:
        return np.full(3, np.nan)
    part = _as_bool(mask[box])
    counts = part.sum(axis=2, dtype=np.int64), part.sum(axis=1, dtype=np.int64)
    n = int(counts[0].sum())
    along = (counts[0].sum(axis=1), counts[0].sum(axis=0), counts[1].sum(axis=0))
    index = [
        side.start + float(np.arange(line.size) @ line) / n
        for side, line in zip(box, along, strict=True)
    ]
    return np.asarray(affine[:3, :3] @ index + affine[:3, 3])


def surface(mask: Mask) -> Bools:
    """Voxels of the mask with a face on background or on the array's border."""
    inside = _as_bool(mask)
    padded = np.pad(inside, 1)
    inner = inside.copy()
    for axis in range(3):
        for start in (0, 2):
            cut = [slice(1, -1)] * 3
            cut[axis] = slice(start, start + mask.shape[axis])
            inner &= padded[tuple(cut)]
    return inside & ~inner


def dilate(mask: Mask, radius_mm: float, spacing: Spacing) -> Bools:
    """All voxels whose centre is within `radius_mm` of the centre of a voxel of the mask.

    Raises:
        GeometryError: a negative radius.
    """
    if not 0 <= radius_mm < float("inf"):
        raise GeometryError(f"want a radius of 0 mm or more, found {radius_mm}")
    result = np.zeros_like(mask, dtype=np.bool_)
    box = bounding_box(mask)
    if box is None:
        return result
    reach = [int(radius_mm / step + 1e-9) for step in spacing]
    wide = [
        slice(max(0, side.start - r), min(n, side.stop + r))
        for side, r, n in zip(box, reach, mask.shape, strict=True)
    ]
    part = np.ascontiguousarray(_as_bool(mask[tuple(wide)])).view(np.uint8)
    grown = part.copy()
    _kernels.stamp_ball(part, grown, _ball_reach(radius_mm, spacing, reach))
    result[tuple(wide)] = grown.view(np.bool_)
    return result


def erode(mask: Mask, radius_mm: float, spacing: Spacing) -> Bools:
    """Voxels of the mask farther than `radius_mm` from every background voxel (by centres).

    What lies beyond the array is unknown, not background: a structure that the field of view cuts
    keeps its cut face. ``erode(m) == ~dilate(~m)``.

    Raises:
        GeometryError: a negative radius.
    """
    box = bounding_box(mask, margin=1)
    if box is None:
        return np.zeros_like(mask, dtype=np.bool_)
    result = np.zeros_like(mask, dtype=np.bool_)
    result[box] = ~dilate(~_as_bool(mask[box]), radius_mm, spacing)
    return result


def _ball_reach(radius_mm: float, spacing: Spacing, reach: list[int]) -> npt.NDArray[np.int64]:
    """How far a ball goes along the last axis, by offset along the first two; -1: not at all."""
    i = np.arange(-reach[0], reach[0] + 1)[:, None] * spacing[0]
    j = np.arange(-reach[1], reach[1] + 1) * spacing[1]
    left = radius_mm**2 - i**2 - j**2
    far = np.floor(np.sqrt(np.maximum(left, 0)) / spacing[2] + 1e-9)
    return np.where(left >= -1e-9, far, -1).astype(np.int64)


def _as_bool(mask: Mask) -> Bools:
    return mask if mask.dtype == np.bool_ else mask != 0


def _sizes(found: npt.NDArray[np.unsignedinteger[Any]], n: int) -> npt.NDArray[np.int64]:
    return np.bincount(found.ravel(order="K"), minlength=n + 1)
