"""Whether a vessel's mask ends where the vessel does, or only where somebody stopped drawing."""

from collections.abc import Sequence

import numpy as np

from training.staging.centreline import Path
from training.staging.config import ContactConfig
from training.staging.field import Field, Points
from voxcurate.masks import Mask
from voxcurate.volume import Affine, Box, spacing_of

JOINED_MM = 3.0  # an end so near another vessel goes on in it
EDGE = 1.5  # voxels


def cut_off(
    paths: Sequence[Path],
    mass: Field,
    shape: Sequence[int],
    box: Box,
    affine: Affine,
    others: Sequence[Mask],
    config: ContactConfig,
) -> str:
    """Why it may go on where nobody sees it, near the tumour; empty if it does not."""
    reach = np.arange(1.0, config.near_mm, 1.0)
    to_index = np.linalg.inv(affine)
    for path in paths:
        for end, sign in ((0, -1.0), (-1, 1.0)):
            if not path.is_open[end]:
                continue
            tip = path.tips[end]
            index = to_index[:3, :3] @ tip + to_index[:3, 3]
            if _is_crop(index, box, shape) or _joins(index, others, affine):
                continue
            near = float(mass.at(tip[None])[0])
            beyond = tip + sign * reach[:, None] * path.directions[end]
            heads_for = bool((mass.at(beyond) <= 0).any())
            if near > config.end_mm and not heads_for:
                continue
            at_edge = any(x < EDGE or x > n - 1 - EDGE for x, n in zip(index, shape, strict=True))
            what = "leaves the scan" if at_edge else "ends"
            return f"its mask {what} {max(near, 0.0):.0f} mm from the tumour"
    return ""


def _is_crop(index: Points, box: Box, shape: Sequence[int]) -> bool:
    """Whether the end is only that of the part looked at."""
    return any(
        (side.start > 0 and x < side.start + EDGE) or (side.stop < n and x > side.stop - 1 - EDGE)
        for x, side, n in zip(index, box, shape, strict=True)
    )


def _joins(index: Points, others: Sequence[Mask], affine: Affine) -> bool:
    """Whether another vessel is next to a place."""
    reach = [int(np.ceil(JOINED_MM / d)) for d in spacing_of(affine)]
    for mask in others:
        near = tuple(
            slice(max(0, round(x) - r), max(0, round(x) + r + 1))
            for x, r in zip(index, reach, strict=True)
        )
        if (mask[near] != 0).any():
            return True
    return False
