"""Where the body lies in a CT: its middle, width and height in world coordinates."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.volume import Affine

TISSUE_HU = -300.0  # fat is above, air and lung are below
COARSE = 96  # samples along the longest axis
SLAB_MM = 10.0


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """The body in slabs along the body axis (S), each `SLAB_MM` high.

    Attributes:
        low: world S coordinate of the first slab's lower face, mm.
        centre: ``(slabs, 2)``, median R and A of the tissue; NaN where there is none.
        width: ``(slabs, 2)``, its 5 % to 95 % range along R and A.
        view: ``(2, 3)``, lowest and highest world coordinates of the scan.
    """

    low: float
    centre: npt.NDArray[np.float64]
    width: npt.NDArray[np.float64]
    view: npt.NDArray[np.float64]

    @property
    def middle(self) -> float | None:
        """World R coordinate of the body's middle; None without tissue."""
        found = self.centre[np.isfinite(self.centre[:, 0]), 0]
        return float(np.median(found)) if found.size else None

    def around(self, low: float, high: float) -> tuple[float, float, float, float]:
        """Centre and width (R, A, R, A) of the slabs between two S coordinates; the whole body's
        if they hold no tissue; NaN if nothing does."""
        first = int(np.clip((low - self.low) // SLAB_MM, 0, len(self.centre) - 1))
        last = int(np.clip((high - self.low) // SLAB_MM, first, len(self.centre) - 1))
        rows = slice(first, last + 1)
        if not np.isfinite(self.centre[rows, 0]).any():
            rows = slice(None)
        good = np.isfinite(self.centre[rows, 0])
        if not good.any():
            return (float("nan"),) * 4
        r, a = np.median(self.centre[rows][good], axis=0)
        width_r, width_a = np.median(self.width[rows][good], axis=0)
        return float(r), float(a), float(max(width_r, 1.0)), float(max(width_a, 1.0))


def body_frame(hu: npt.NDArray[Any], affine: Affine) -> BodyFrame:
    """The frame of a CT from a coarse sample of its voxels.

    Args:
        hu: ``(I, J, K)``. For other modalities what is above the mean counts as tissue.
        affine: voxel to RAS+ mm.
    """
    steps = [max(1, -(-n // COARSE)) for n in hu.shape]
    coarse = hu[:: steps[0], :: steps[1], :: steps[2]]
    limit = TISSUE_HU if coarse.min() < TISSUE_HU else float(coarse.mean())
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
    corners = (corners * (np.array(hu.shape) - 1)) @ affine[:3, :3].T + affine[:3, 3]
    view = np.stack([corners.min(axis=0), corners.max(axis=0)])
    points = np.argwhere(coarse > limit) * np.array(steps) @ affine[:3, :3].T + affine[:3, 3]
    n_slabs = max(1, int(np.ceil((view[1, 2] - view[0, 2]) / SLAB_MM + 1e-9)))
    slab = np.clip(((points[:, 2] - view[0, 2]) // SLAB_MM).astype(int), 0, n_slabs - 1)
    centre = np.full((n_slabs, 2), np.nan)
    width = np.full((n_slabs, 2), np.nan)
    order = np.argsort(slab, kind="stable")
    ends = np.searchsorted(slab[order], np.arange(n_slabs + 1))
    for n in range(n_slabs):
        part = points[order[ends[n] : ends[n + 1]], :2]
        if len(part):
            low, mid, high = np.percentile(part, [5, 50, 95], axis=0)
            centre[n], width[n] = mid, high - low
    return BodyFrame(float(view[0, 2]), centre, width, view)
