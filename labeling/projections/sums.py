"""A scan summed along its axes, and what masks cover: one sweep for all windows, axes, classes.

Integer scans are summed in integers, so that the result hangs on no order of addition.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from labeling.projections.views import Placing
from labeling.structures import NOWHERE, Structure
from voxcurate.errors import ConfigError, GeometryError
from voxcurate.volume import Volume

WINDOWS = {  # HU
    "organs": (-150.0, 250.0),
    "bone": (-500.0, 1500.0),
    "skeleton": (400.0, 2000.0),
    "lung": (-1000.0, 200.0),
}
Plane: TypeAlias = npt.NDArray[Any]
Shadow: TypeAlias = npt.NDArray[np.bool_]
MaskLike: TypeAlias = npt.NDArray[Any] | Structure


def window_of(window: str, array: npt.NDArray[Any]) -> tuple[float, float]:
    """Lower and upper end of a window; "auto": 1 % and 99 % of the values.

    Raises:
        ConfigError: no such window.
    """
    if window == "auto":
        sample = array[::2, ::2, ::2]
        low, high = np.percentile(sample[np.isfinite(sample)], [1, 99])
        if array.dtype.kind in "iu":
            low, high = np.floor(low), np.ceil(high)
        return float(low), float(max(high, low + 1))
    if window not in WINDOWS:
        raise ConfigError(f"no window {window!r}; there are: auto, {', '.join(sorted(WINDOWS))}")
    return WINDOWS[window]


def scan_sums(
    volume: Volume, windows: Sequence[str], along: Sequence[int]
) -> dict[tuple[str, int], Plane]:
    """The scan's values, cut to windows and scaled to 0..1, summed along axes; in one sweep.

    Args:
        volume: the scan.
        windows: names, see `window_of`.
        along: world axes (0: R, 1: A, 2: S).

    Returns:
        (window, world axis) to a float64 plane as a picture: rows from the top.
    """
    from labeling.projections._kernels import sums

    placing = Placing.of(volume.affine, volume.shape)
    array, is_turned = _swept(volume.array)
    ends = [window_of(name, volume.array) for name in windows]
    kind = _sum_type(array, ends)
    low, high = (np.array(values, kind) for values in zip(*ends, strict=True))
    planes = _planes(array.shape, _stored(placing, along, is_turned), (len(windows),), kind)
    sums(array, low, high, *planes)
    found: dict[tuple[str, int], Plane] = {}
    for axis in along:
        stored = _stored_axis(placing.order[axis], is_turned)
        n = array.shape[stored]
        for w, name in enumerate(windows):
            plane = planes[stored][w].T if is_turned else planes[stored][w]
            scaled = (plane - float(low[w]) * n) / float(high[w] - low[w])
            found[name, axis] = placing.picture(scaled, axis)
    return found


def mask_shadows(volume: Volume, mask: MaskLike, along: Sequence[int]) -> dict[int, Shadow]:
    """What a mask covers, seen along world axes, as pictures of the volume's own pixels.

    Args:
        volume: the scan.
        mask: of the volume's shape, non-zero inside; or a structure, of which the box is read.
        along: world axes (0: R, 1: A, 2: S).

    Raises:
        GeometryError: the mask is of another shape.
    """
    from labeling.projections._kernels import shadow

    if mask.shape != volume.shape:
        raise GeometryError(f"want a mask of shape {volume.shape}, found {mask.shape}")
    placing = Placing.of(volume.affine, volume.shape)
    inner, box = (mask.mask, mask.box) if isinstance(mask, Structure) else (mask, None)
    if box == NOWHERE:
        inner, box = np.zeros((0, 0, 0), np.bool_), None
    raw, is_turned = _swept(_bytes(inner))
    planes = _planes(raw.shape, _stored(placing, along, is_turned), (), np.uint8)
    if raw.size:
        shadow(raw, *planes)
    found = {}
    for axis in along:
        stored = placing.order[axis]
        part = planes[_stored_axis(stored, is_turned)]
        part = (part.T if is_turned else part).view(np.bool_)
        others = [n for n in range(3) if n != stored]
        whole = np.zeros(tuple(volume.shape[n] for n in others), np.bool_)
        if part.size:
            whole[tuple(box[n] for n in others) if box else ...] = part
        found[axis] = placing.picture(whole, axis)
    return found


def map_shadows(
    volume: Volume, labels: npt.NDArray[Any], names: Mapping[int, str], along: Sequence[int]
) -> dict[str, dict[int, Shadow]]:
    """As `mask_shadows`, of all classes of a label map in one sweep.

    Args:
        volume: the scan.
        labels: integers of the volume's shape; those without a name are left out.
        names: label (1 and more) to class.
        along: world axes.

    Raises:
        GeometryError: the map is of another shape, or holds no integers.
    """
    from labeling.projections._kernels import shadows

    if labels.shape != volume.shape or labels.dtype.kind not in "iu":
        raise GeometryError(
            f"want an integer label map of shape {volume.shape}, found {labels.dtype} "
            f"{labels.shape}"
        )
    placing = Placing.of(volume.affine, volume.shape)
    raw, is_turned = _swept(labels)
    n = max(names, default=0) + 1
    planes = _planes(raw.shape, _stored(placing, along, is_turned), (n,), np.uint8)
    shadows(raw, n, *planes)
    found: dict[str, dict[int, Shadow]] = {name: {} for name in names.values()}
    for axis in along:
        layers = planes[_stored_axis(placing.order[axis], is_turned)]
        for label, name in names.items():
            part = layers[label].T if is_turned else layers[label]
            found[name][axis] = placing.picture(part.view(np.bool_), axis)
    return found


def shadow_dice(a: Shadow, b: Shadow) -> float | None:
    """Dice of two shadows; None if both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2.0 * int((a & b).sum()) / total if total else None


def _swept(array: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], bool]:
    """The array with its last axis contiguous, and whether its axes were reversed for that (as
    those of files are, which store the first axis contiguously)."""
    if array.dtype.byteorder not in "=|":
        array = array.astype(array.dtype.newbyteorder("="))
    if array.flags.c_contiguous:
        return array, False
    if array.strides[0] <= array.strides[2]:
        return np.ascontiguousarray(array.T), True
    return np.ascontiguousarray(array), False


def _sum_type(array: npt.NDArray[Any], ends: Sequence[tuple[float, float]]) -> Any:
    if array.dtype.kind not in "iu" or array.dtype.itemsize > 4:
        return np.float64
    most = max(abs(end) for pair in ends for end in pair) * max(array.shape)
    return np.int32 if most < np.iinfo(np.int32).max else np.int64


def _bytes(mask: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return mask.view(np.uint8) if mask.dtype == np.bool_ else (mask != 0).view(np.uint8)


def _stored_axis(axis: int, is_turned: bool) -> int:
    return 2 - axis if is_turned else axis


def _stored(placing: Placing, along: Sequence[int], is_turned: bool) -> set[int]:
    return {_stored_axis(placing.order[axis], is_turned) for axis in along}


def _planes(
    shape: tuple[int, ...], wanted: set[int], first: tuple[int, ...], kind: Any
) -> list[npt.NDArray[Any]]:
    """Zeros for each axis: one plane over it if wanted, else nothing."""
    found = []
    for axis in range(3):
        others = tuple(n for m, n in enumerate(shape) if m != axis)
        size = (*first, *(others if axis in wanted else (0, 0)))
        found.append(np.zeros(size, kind))
    return found
