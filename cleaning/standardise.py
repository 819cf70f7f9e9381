"""The form in which a scan enters the workspace: RAS+ axis order, whole HU, geometry untouched."""

from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.errors import VolumeReadError
from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

INT16 = np.iinfo(np.int16)
INT32 = np.iinfo(np.int32)
LOSSLESS = 1e-3  # HU: what a float32 that once was a whole number may be off


def standardise(volume: Volume, modality: str = "CT", *, hu_offset: float = 0.0) -> Volume:
    """The scan in its nearest RAS+ axis order with the offset added; never resampled.

    CT values are rounded to whole HU (a rescale slope with decimals is no measurement): int16 where
    they fit, else int32. Other modalities keep fractions as float32 and become int16 or int32 only
    where that loses nothing.

    Args:
        volume: as read from the source.
        modality: DICOM modality; the offset and the rounding belong to CT.
        hu_offset: added to every CT value, from the source's description.

    Returns:
        a volume whose world coordinates hold the same values as before.

    Raises:
        VolumeReadError: NaN or infinite values, or values beyond int32.
    """
    array, affine = to_ras(volume)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        n_bad = int(array.size - np.isfinite(array).sum())
        raise VolumeReadError(f"want finite values, found {n_bad} NaN or infinite ones")
    return Volume(_compact(array, modality, hu_offset if modality == "CT" else 0.0), affine)


def to_ras(volume: Volume) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Array and affine with axes permuted and flipped to the nearest RAS+ order."""
    order, flips = ras_axes(volume.affine)
    array = volume.array.transpose(order)
    affine = volume.affine[:, [*order, 3]].copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (array.shape[axis] - 1)
            affine[:3, axis] *= -1
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    return array[steps], affine


def _compact(array: npt.NDArray[Any], modality: str, offset: float) -> npt.NDArray[Any]:
    if array.dtype.kind == "b":
        return array.astype(np.int16)
    low, high = float(array.min()) + offset, float(array.max()) + offset
    if low < INT32.min or high > INT32.max:
        raise VolumeReadError(f"want values within int32, found {low:g} to {high:g}")
    fractions = array.dtype.kind == "f" or offset != round(offset)
    values = array.astype(np.float64) + offset if fractions else array
    if fractions:
        whole = np.rint(values)
        if modality != "CT" and np.abs(whole - values).max() > LOSSLESS:
            return values.astype(np.float32)
        values = whole
    elif offset:
        values = array.astype(np.int64) + round(offset)
    fits = INT16.min <= round(low) and round(high) <= INT16.max
    return np.asfortranarray(values.astype(np.int16 if fits else np.int32))
