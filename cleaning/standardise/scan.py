"""A scan in the workspace's form: RAS+ axis order, whole HU, one padding value.

The geometry stays as it is unless the settings ask for another spacing or a crop to the body.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.standardise.config import StandardiseConfig
from voxcurate.errors import VolumeReadError
from voxcurate.geometry import body_box, crop, reorient, resample
from voxcurate.volume import Volume

INT16 = np.iinfo(np.int16)
INT32 = np.iinfo(np.int32)
LOSSLESS = 1e-3  # what a float32 that once was a whole number may be off
DEFAULT = StandardiseConfig()


def standardise(
    volume: Volume,
    modality: str = "CT",
    *,
    hu_offset: float = 0.0,
    config: StandardiseConfig = DEFAULT,
) -> Volume:
    """The scan in its nearest RAS+ axis order with whole values, cropped and resampled if asked.

    CT: the offset is added, values are rounded to whole HU (a rescale slope with decimals is no
    measurement), padding becomes one value, and what is beyond int16, as no matter is, becomes
    its end. Other modalities keep fractions as float32 and become int16 or int32 only where that
    loses nothing.

    Args:
        volume: as read from the source.
        modality: DICOM modality; the offset, the rounding, the padding and the crop belong to CT.
        hu_offset: added to every CT value, from the source's description.
        config: padding, spacing, crop.

    Returns:
        a volume that shows the same at every place in mm: to rounding where nothing is resampled.

    Raises:
        VolumeReadError: NaN or infinite values, or values beyond int32.
    """
    _check_values(volume.array)
    ras = reorient(volume)
    if modality == "CT":
        scan = ras.with_array(_whole_hu(ras.array, hu_offset, config.padding_hu))
        box = body_box(scan, margin_mm=config.crop_margin_mm) if config.crop_body else None
        scan = scan if box is None else crop(scan, box)
    else:
        scan = ras.with_array(_compact(ras.array))
    if config.spacing_mm is not None and not np.allclose(scan.spacing, config.spacing_mm):
        scan = resample(scan, config.spacing_mm, anti_alias=True)
    return scan.with_array(np.asfortranarray(scan.array))


def _check_values(array: npt.NDArray[Any]) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        n_bad = int(array.size - np.isfinite(array).sum())
        raise VolumeReadError(f"want finite values, found {n_bad} NaN or infinite ones")
    low, high = float(array.min()), float(array.max())
    if low < INT32.min or high > INT32.max:
        raise VolumeReadError(f"want values within int32, found {low:g} to {high:g}")


def _whole_hu(array: npt.NDArray[Any], offset: float, padding_hu: int | None) -> npt.NDArray[Any]:
    low = INT16.min if padding_hu is None else padding_hu
    is_int16 = array.dtype == np.int16 and not offset
    if is_int16 and (padding_hu is None or array.min() >= padding_hu):
        return array
    if array.dtype.kind == "f" or offset != round(offset):
        values: npt.NDArray[Any] = np.rint(array.astype(np.float64) + offset)
    else:
        values = array.astype(np.int64) + round(offset) if not is_int16 else array
    return np.asarray(np.clip(values, low, INT16.max), np.int16)


def _compact(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The smallest of int16, int32 and float32 that loses nothing."""
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if np.abs(whole - array).max() > LOSSLESS:
            return array.astype(np.float32)
        array = whole
    low, high = int(array.min()), int(array.max())
    return array.astype(np.int16 if low >= INT16.min and high <= INT16.max else np.int32)
