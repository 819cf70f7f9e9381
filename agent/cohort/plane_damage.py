"""What goes wrong with the planes of a stack: lost, from two scans, blank, or averaged as slabs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[Any]  # planes along the last axis, feet or head first
Rng = np.random.Generator
LOST_MM = 60.0
SLAB = 7  # planes


def _lost(image: Image, step_mm: float, rng: Rng) -> Image:
    """60 mm from the middle are missing, at most a third of the planes."""
    n = image.shape[2]
    lost = min(round(LOST_MM / step_mm), n // 3)
    first = int(rng.integers(n // 3, n // 3 + max(1, n // 4)))
    return np.concatenate([image[:, :, :first], image[:, :, first + lost :]], axis=2)


def _joined(image: Image, step_mm: float, rng: Rng) -> Image:
    """After two thirds of the scan its last two thirds again, as another acquisition."""
    n = image.shape[2]
    again = image[:, :, n // 3 :] + rng.normal(0, 6, (*image.shape[:2], n - n // 3))
    again = np.rint(np.clip(again, image.min(), image.max()))
    return np.concatenate([image[:, :, : 2 * n // 3], again.astype(image.dtype)], axis=2)


def _blank_end(image: Image, step_mm: float, rng: Rng) -> Image:
    """The last planes that show something, a third of all or more, never came."""
    result = image.copy()
    filled = np.flatnonzero((image > -300).any(axis=(0, 1)))
    last = int(filled[-1]) + 1
    result[:, :, min(last - last // 4, 2 * image.shape[2] // 3) :] = -1024
    return result


def _slabs(reduce: Callable[..., Image]) -> Callable[[Image, float, Rng], Image]:
    """Seven planes made one, at each place."""

    def damage(image: Image, step_mm: float, rng: Rng) -> Image:
        n = image.shape[2] - SLAB + 1
        result: Image = np.empty((*image.shape[:2], n), image.dtype)
        for k in range(n):
            result[:, :, k] = np.rint(reduce(image[:, :, k : k + SLAB], axis=-1))
        return result

    return damage


PLANE_KINDS: dict[str, Callable[[Image, float, Rng], Image]] = {
    "lost_planes": _lost,
    "joined": _joined,
    "blank_end": _blank_end,
    "max_slabs": _slabs(np.max),
    "mean_slabs": _slabs(np.mean),
}
