"""One slice of a scan with the outlines of masks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.projections.painting import lettered
from labeling.projections.png import png
from labeling.projections.sums import window_of
from labeling.projections.views import MAX_SIDE, Placing, resized, resized_mask, view_of
from voxcurate.errors import GeometryError
from voxcurate.volume import Volume

Color = tuple[int, int, int]
RED: Color = (255, 0, 0)


def slice_png(
    volume: Volume,
    masks: Mapping[str, npt.NDArray[np.bool_]],
    axis: str,
    index: int,
    colors: Mapping[str, Color],
    *,
    window: str = "organs",
    max_side: int = MAX_SIDE,
) -> bytes:
    """One slice with the outlines of masks.

    Args:
        volume: the scan.
        masks: name to mask of the volume's shape.
        axis: "axial", "coronal" or "sagittal".
        index: along the array axis that lies nearest to the view's direction, from its lowest
            world coordinate (left, back or foot end).
        colors: name to RGB; red if not named.
        window: as in `projection_png`.
        max_side: the picture's longer side in pixels.

    Raises:
        GeometryError: no such slice, or a mask has another shape.
        ConfigError: no such window or view.
    """
    along, letters = view_of(axis)
    placing = Placing.of(volume.affine, volume.shape)
    n = volume.shape[placing.order[along]]
    if not 0 <= index < n:
        raise GeometryError(f"no {axis} slice {index}: there are {n}")
    low, high = window_of(window, volume.array)
    size = placing.size(along, max_side)
    plane = _plane(volume.array, placing, along, index).astype(np.float32)
    grey = resized(np.clip((plane - low) / (high - low), 0, 1) * 255.0, size)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    for name, mask in masks.items():
        if mask.shape != volume.shape:
            raise GeometryError(f"want a mask of shape {volume.shape}, found {mask.shape}")
        inside = resized_mask(_plane(mask, placing, along, index), size)
        rgb[_outline(inside)] = colors.get(name, RED)
    return png(lettered(rgb, letters))


def middle_slice(volume: Volume, mask: npt.NDArray[np.bool_], axis: str) -> int:
    """The slice of a view with most of a mask in it; the middle one if the mask is empty."""
    along, _ = view_of(axis)
    turned = Placing.of(volume.affine, volume.shape).canonical(mask)
    counts = turned.sum(axis=tuple(n for n in range(3) if n != along))
    return int(counts.argmax()) if counts.any() else turned.shape[along] // 2


def _plane(array: npt.NDArray[Any], placing: Placing, along: int, index: int) -> npt.NDArray[Any]:
    axis = placing.order[along]
    at = array.shape[axis] - 1 - index if placing.flips[along] else index
    return placing.picture(array[(slice(None),) * axis + (at,)], along)


def _outline(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage

    return np.asarray(inside & ~ndimage.binary_erosion(inside, iterations=2), dtype=bool)
