"""Masks as sources bring them: what do their values mean, and DICOM segmentations."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.standardise.masks import TOLERANCE
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.sources import BACKGROUND, IGNORE
from voxcurate.volume import Volume

MAX_VALUES = 1 << 16  # range of whole numbers that is counted, not sorted

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
Segments = tuple[dict[str, Bools], list[int]]


def segments(path: Path, raw: Volume, labels: Mapping[int, Sequence[str]]) -> Segments:
    """The classes of a DICOM segmentation on the scan's voxels, in the scan's stored axis order.

    Args:
        path: the SEG file.
        raw: the scan as read.
        labels: segment number -> classes.

    Returns:
        mask by class (several segments of one are joined), and the numbers nobody named.

    Raises:
        GeometryError: the segmentation's pixels are not the scan's.
        VolumeReadError: it cannot be read.
    """
    from voxcurate.dicom_seg import read_segments

    found: dict[str, Bools] = {}
    unnamed: list[int] = []
    for segment in read_segments(path):
        _check_lattice(segment.mask, raw)
    for segment in read_segments(path, raw):  # same voxels: "nearest" only puts slices in place
        if segment.number not in labels:
            unnamed.append(segment.number)
        for class_id in labels.get(segment.number, ()):
            inside = segment.mask.array != 0
            found[class_id] = inside | found.get(class_id, inside)
    return found, unnamed


def _check_lattice(mask: Volume, raw: Volume) -> None:
    """Pixels within a slice, and the first of them, must be the scan's; slices may be missing."""
    step = np.linalg.solve(raw.affine, mask.affine)
    extent = np.array([*mask.shape[:2]])
    off = np.abs(step[:3, :2] - np.rint(step[:3, :2])).max(axis=0) * extent
    start = np.abs(step[:3, 3] - np.rint(step[:3, 3])).max()
    is_unit = np.array_equal(np.abs(np.rint(step[:3, :2])).sum(axis=0), (1, 1))
    if not is_unit or max(*off, start) > TOLERANCE:
        raise GeometryError(
            f"its pixels are not the scan's (spacing {_text(mask)} mm, the scan's {_text(raw)} mm)"
        )


def binary(array: Array) -> Bools:
    """A mask of one class: 0 and at most one other value.

    Raises:
        VolumeReadError: several values: fractions, or a label map whose classes nobody named.
    """
    inside = array != 0
    if inside.any():
        low, high = (
            array.min(where=inside, initial=_limit(array, 1)),
            array.max(where=inside, initial=_limit(array, -1)),
        )
        if low != high:
            raise VolumeReadError(
                f"want a mask of one class, found several values from {low:g} to {high:g}"
            )
    return np.asarray(inside)


def whole_numbers(array: Array) -> Array:
    """A label map as integers.

    Raises:
        VolumeReadError: it holds fractions.
    """
    if array.dtype.kind != "f":
        return array
    whole = np.rint(array)
    if not np.array_equal(whole, array) or np.abs(whole).max(initial=0) >= 2**31:
        raise VolumeReadError("want whole numbers in a label map, found fractions")
    small = np.abs(whole).max(initial=0) < 2**15
    return whole.astype(np.int16 if small else np.int32)


def count_values(array: Array) -> dict[int, int]:
    """Voxels of each value of an integer array, ascending by value."""
    low, high = int(array.min(initial=0)), int(array.max(initial=0))
    if high - low >= MAX_VALUES:
        values, found = np.unique(array, return_counts=True)
        return {int(v): int(n) for v, n in zip(values, found, strict=True)}
    counts = np.zeros(high - low + 1, np.int64)
    for plane in np.moveaxis(array, -1, 0):
        counts += np.bincount(plane.ravel(order="K").astype(np.int64) - low, minlength=counts.size)
    return {int(v) + low: int(counts[v]) for v in np.flatnonzero(counts)}


def split_map(
    array: Array, labels: Mapping[int, Sequence[str]], present: Mapping[int, int]
) -> Iterator[tuple[str, Bools]]:
    """The masks of a label map's classes that are there, one at a time.

    Args:
        array: whole numbers.
        labels: value -> classes; several values of one class are joined.
        present: the values that occur, as `count_values` tells.
    """
    by_class: dict[str, list[int]] = {}
    for value, classes in labels.items():
        for class_id in classes:
            if value in present and class_id not in (BACKGROUND, IGNORE):
                by_class.setdefault(class_id, []).append(value)
    for class_id, values in by_class.items():
        yield class_id, array == values[0] if len(values) == 1 else np.isin(array, values)


def known_part(
    array: Array, labels: Mapping[int, Sequence[str]], present: Mapping[int, int]
) -> Bools | None:
    """Where a label map speaks: not where its value is ``ignore``; None if that is everywhere."""
    values = [value for value in present if IGNORE in labels.get(value, ())]
    return ~np.isin(array, values) if values else None


def unnamed_values(labels: Mapping[int, Sequence[str]], present: Mapping[int, int]) -> str:
    """What is wrong with values that nobody named; empty if all are named."""
    unnamed = [f"{v} ({n} voxels)" for v, n in present.items() if v != 0 and v not in labels]
    if not unnamed:
        return ""
    more = f" and {len(unnamed) - 8} more" if len(unnamed) > 8 else ""
    return (
        f"no class for value {', '.join(unnamed[:8])}{more}; name it in the source's labels "
        "('background': of no interest, 'ignore': unknown there); the named classes were taken"
    )


def _limit(array: Array, sign: int) -> Any:
    """A start for min (1) or max (-1) that no value beats."""
    if array.dtype.kind == "b":
        return sign > 0
    info = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
    return info.max if sign > 0 else info.min


def _text(volume: Volume) -> str:
    return " x ".join(f"{s:.3g}" for s in volume.spacing)
