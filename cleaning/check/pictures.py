"""A picture of why a scan was rejected or is suspect: three mid-planes, the place marked."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check.reasons import Reason
from cleaning.check.rules import Check
from cleaning.check.texture import axial
from voxcurate.volume import Volume

WINDOW = (-250.0, 350.0)
SIDE = 256  # pixels of the longest side of each panel
MARK = np.array([255, 80, 40], np.float32)
BAR_PIXELS = 6
COLOURS = {"pass": (60, 170, 80), "suspect": (235, 165, 30), "reject": (215, 50, 40)}
PLANE_AXES = ((0, (1, 2)), (1, (0, 2)), (2, (0, 1)))  # sagittal, coronal, axial
Panel = npt.NDArray[np.uint8]


def evidence_picture(volume: Volume, found: Check) -> bytes:
    """PNG of the sagittal, coronal and axial mid-plane, a bar in the verdict's colour on top.

    Where a reason names planes the axial one (or that of its axis) is the first of them, and the
    place is drawn as a line or band across the others. No text: the reasons stand beside it.
    """
    from PIL import Image

    panels = planes_of(volume, found.reasons)
    height = max(panel.shape[0] for panel in panels)
    gap = np.zeros((height, 4, 3), np.uint8)
    row: list[Panel] = []
    for panel in panels:
        row += [np.pad(panel, ((0, height - panel.shape[0]), (0, 0), (0, 0))), gap]
    whole = np.hstack(row[:-1])
    bar = np.full((BAR_PIXELS, whole.shape[1], 3), COLOURS[found.verdict], np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.vstack([bar, whole])).save(stream, "PNG", optimize=False)
    return stream.getvalue()


def planes_of(volume: Volume, reasons: Sequence[Reason] = ()) -> list[Panel]:
    """RGB panels, up is head or front, image left is the patient's right."""
    array, spacing = axial(volume)
    low, high = _window(array)
    told = [reason.planes for reason in reasons if reason.planes is not None]
    panels = []
    for axis, (across, up) in PLANE_AXES:
        at = array.shape[axis] // 2
        own = [first for where, first, _ in told if where == axis]
        if own:
            at = int(np.clip(own[0], 0, array.shape[axis] - 1))
        plane = np.nan_to_num(np.take(array, at, axis=axis).astype(np.float32), nan=low)
        grey = np.clip((plane - low) / (high - low), 0, 1) * 255
        image = np.repeat(grey[:, :, None], 3, axis=2)
        for where, first, last in told:
            if where != axis:
                _mark(image, 0 if where == across else 1, first, last)
        # rows run down: head or front up; the patient's right is image left
        image = image[::-1] if across == 0 else image
        panels.append(_scaled(image.transpose(1, 0, 2)[::-1], spacing[up], spacing[across]))
    return panels


def projections_of(volume: Volume) -> list[Panel]:
    """RGB panels of the mean along each axis: as radiographs, after clipping to the window."""
    array, spacing = axial(volume)
    low, high = (-1000.0, 1000.0) if _window(array) == WINDOW else _window(array)
    panels = []
    for axis, (across, up) in PLANE_AXES:
        total = np.zeros(tuple(array.shape[a] for a in (across, up)), np.float32)
        for n in range(array.shape[axis]):
            total += np.clip(np.nan_to_num(np.take(array, n, axis=axis), nan=low), low, high)
        total -= total.min()
        grey = total / max(float(total.max()), 1e-6) * 255
        image = np.repeat(grey[:, :, None], 3, axis=2)
        image = image[::-1] if across == 0 else image
        panels.append(_scaled(image.transpose(1, 0, 2)[::-1], spacing[up], spacing[across]))
    return panels


def png(panel: Panel) -> bytes:
    """One panel as PNG."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(panel).save(stream, "PNG")
    return stream.getvalue()


def _window(array: npt.NDArray[np.generic]) -> tuple[float, float]:
    """The soft-tissue window, or the values' own range where they are no HU."""
    step = tuple(slice(None, None, max(1, n // 48)) for n in array.shape)
    sample = np.asarray(array[step], np.float32)
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return WINDOW
    low, high = (float(v) for v in np.quantile(sample, (0.01, 0.99)))
    if low < -500 and high < 3000:
        return WINDOW
    return (low, high) if high > low else (low - 1, low + 1)


def _mark(image: npt.NDArray[np.float32], axis: int, first: int, last: int) -> None:
    n = image.shape[axis]
    band = slice(max(0, min(first, n - 1)), max(1, min(last + 1, n)))
    where = (band, slice(None)) if axis == 0 else (slice(None), band)
    image[where] = 0.55 * image[where] + 0.45 * MARK


def _scaled(image: npt.NDArray[np.floating[Any]], up_mm: float, across_mm: float) -> Panel:
    from PIL import Image

    height, width = image.shape[0] * up_mm, image.shape[1] * across_mm
    scale = SIDE / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    whole = Image.fromarray(np.ascontiguousarray(image).astype(np.uint8))
    return np.asarray(whole.resize(size, Image.Resampling.BILINEAR))
