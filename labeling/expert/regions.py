"""Regions of a label that out-of-fold models contradict, surely and in one piece.

A label that is kept as a whole may be wrong in a part. Replacing all of it by a prediction costs
what was drawn well; leaving the part in teaches the next network the error. Between the two lies
the `known` mask of a label version: where it is False the label says nothing, and training passes
over it. Only what is thick counts: along every border models and people differ by a voxel or two.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labeling.config import DetectConfig
from labeling.expert.support import Support
from labeling.rules.case import plain_box
from labeling.structures import NOWHERE, Structure
from voxcurate.volume import Box, spacing_of

Side = Literal["inside", "beside"]


@dataclass(frozen=True, eq=False)
class Region:
    """One region.

    Attributes:
        side: ``inside`` the label, which models find empty, or ``beside`` it, where they are sure
            of the structure.
        where: its voxels.
        ml: its volume.
        share: over that of the label.
        probability: mean of the models' within it.
        depth_mm: of its deepest voxel below its surface.
    """

    side: Side
    where: Structure
    ml: float
    share: float
    probability: float
    depth_mm: float

    def plain(self) -> dict[str, Any]:
        """Without the voxels; `box` is start and stop per axis."""
        told = {k: v for k, v in asdict(self).items() if k != "where"}
        numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in told.items()}
        return {**numbers, "box": [list(side) for side in plain_box(self.where.box)]}

    def text(self) -> str:
        """In words."""
        what = "of the label is" if self.side == "inside" else "beside the label is not"
        return (
            f"{self.ml:.3g} mL {what} found by the models (mean probability "
            f"{self.probability:.2f}); left out"
        )


def contradicted(label: Structure, support: Support, config: DetectConfig) -> list[Region]:
    """The regions of a label that the probabilities contradict, the largest first.

    A voxel inside is contradicted below `region_sure`, one beside above 1 less that. Connected
    (26-neighbours) contradicted voxels are a region if they hold a ball of `region_depth_mm`, at
    least the class's `region_ml` and `region_share` of the label.

    Args:
        label: an empty one has no regions: that a structure is missing is another error.
        support: the mean probability of models that were not trained on this label.
        config: the limits.
    """
    from voxcurate.masks import components

    if label.is_empty or not support.array.size:
        return []
    box = _around(label.box, support.box, label.shape)
    mask, levels = label.within(box), support.within(box)
    low = config.region_sure * 255.0
    spacing = spacing_of(label.affine)
    depth = max(config.region_depth_mm, float(np.linalg.norm(spacing)))
    least = max(config.region_ml_of(label.class_id), config.region_share * label.ml)
    found: list[Region] = []
    sides: tuple[tuple[Side, npt.NDArray[np.bool_]], ...] = (
        ("inside", mask & (levels < low)),
        ("beside", ~mask & (levels > 255.0 - low)),
    )
    for side, wrong in sides:
        if np.count_nonzero(wrong) * label.voxel_ml < least:
            continue
        deep = _depth(wrong, spacing)
        numbers, n = components(wrong)
        for number in range(1, n + 1):
            own = numbers == number
            ml = float(np.count_nonzero(own)) * label.voxel_ml
            if ml >= least and float(deep[own].max()) >= depth:
                found.append(
                    Region(
                        side,
                        label.of_mask(own, box),
                        ml,
                        ml / label.ml,
                        float(levels[own].mean()) / 255.0,
                        float(deep[own].max()),
                    )
                )
    return sorted(found, key=lambda r: (-r.ml, plain_box(r.where.box)))


def known_without(regions: Sequence[Region], shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Where a label still speaks: everywhere but in the regions."""
    known = np.ones(shape, dtype=bool)
    for region in regions:
        known[region.where.box] &= ~region.where.mask
    return known


def _depth(mask: npt.NDArray[np.bool_], spacing: Sequence[float]) -> npt.NDArray[np.float64]:
    """Distance of each voxel inside from the nearest one outside, mm."""
    from scipy import ndimage

    return np.asarray(ndimage.distance_transform_edt(mask, sampling=spacing), np.float64)


def _around(one: Box, two: Box, shape: tuple[int, int, int]) -> Box:
    """Both boxes together, and one voxel more where the volume goes on."""
    both = [box for box in (one, two) if box != NOWHERE]
    i, j, k = (
        slice(
            max(0, min(b[n].start for b in both) - 1),
            min(shape[n], max(b[n].stop for b in both) + 1),
        )
        for n in range(3)
    )
    return i, j, k
