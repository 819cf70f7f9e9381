"""The border of a label: what lies surely inside and outside of it, and what may change."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.expert.support import Support
from labeling.structures import Structure, margin_box
from voxcurate.masks import components
from voxcurate.volume import Box, Volume, spacing_of

HU_LIMITS = (-1024.0, 1500.0)  # metal and padding would swamp everything
USUAL_SPREAD = 50.0  # what the scatter of another modality's values is made to be, as if HU
INNER_SHARE = 0.6  # of the depth nearby: the core of a thin vessel is inside, too
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Proposals = dict[str, Mask]  # named masks of one structure, the best guess first


@dataclass(frozen=True, eq=False)
class Border:
    """A label's border within a box of the scan.

    Attributes:
        label: the structure whose border it is.
        box: where the arrays lie in the scan.
        values: HU; of other modalities scaled to a scatter of `USUAL_SPREAD`.
        mask: the label.
        depth: how deep inside (negative: how far outside) each voxel lies, mm.
        band_mm: how far from the border it may change.
        taken: what other structures hold that may not share voxels with this one.
        chance: the models' probability, 0 to 1; None if there is none.
    """

    label: Structure
    box: Box
    values: Floats
    mask: Mask
    depth: Floats
    band_mm: float
    taken: Mask
    chance: Floats | None = None

    @property
    def spacing(self) -> npt.NDArray[np.float64]:
        """mm, in axis order."""
        return np.asarray(spacing_of(self.label.affine))

    @cached_property
    def inside(self) -> Mask:
        """What is surely inside: deeper than the band, or the deepest voxels nearby."""
        from scipy import ndimage

        reach = np.maximum(1, np.round(self.band_mm / self.spacing)).astype(int)
        nearby = ndimage.maximum_filter(self.depth, size=tuple(2 * reach + 1))
        least = np.minimum(self.band_mm, INNER_SHARE * nearby)
        found: Mask = (self.depth > 0) & (self.depth >= least) & ~self.taken
        return found

    @cached_property
    def outside(self) -> Mask:
        """What is surely outside: beyond the band, or another structure's."""
        found: Mask = (self.depth < -self.band_mm) | self.taken
        return found

    @property
    def free(self) -> Mask:
        """What may change."""
        found: Mask = ~(self.inside | self.outside)
        return found

    def moved(self, mask: Mask) -> "Border":
        """The border of another mask in the same box."""
        return replace(self, mask=mask, depth=depth_mm(mask, self.spacing))

    def closed(self, inner: Mask) -> Mask:
        """A mask that keeps to the sure voxels, without pieces that touch none inside."""
        found: Mask = (inner | self.inside) & ~self.outside
        numbers, n = components(found)
        if n < 2 or not self.inside.any():
            return found
        touched = np.zeros(n + 1, bool)
        touched[np.unique(numbers[self.inside])] = True
        touched[0] = False
        return np.asarray(touched[numbers], bool)

    def structure(self, mask: Mask) -> Structure:
        """A mask of this box as a structure of the scan."""
        return self.label.of_mask(mask, self.box)


def border_of(
    label: Structure,
    volume: Volume,
    *,
    band_mm: float,
    margin_mm: float = 0.0,
    support: Support | None = None,
    others: Iterable[Structure] = (),
    modality: str = "CT",
) -> Border:
    """The border of a label that is not empty.

    Args:
        label: in the volume's grid.
        volume: the scan.
        band_mm: how far from the border it may change.
        margin_mm: by which it may be moved before.
        support: the models' probabilities.
        others: structures that may not share voxels with this one; what the label holds stays
            its own: whom it belongs to is not for a border to say.
        modality: of the scan; values are HU if CT.
    """
    spacing = np.asarray(spacing_of(label.affine))
    box = margin_box(label, 2.0 * band_mm + margin_mm + float(spacing.max()))
    mask = label.within(box)
    taken = np.zeros(mask.shape, bool)
    for other in others:
        if not other.is_empty:
            taken |= other.within(box)
    chance = None
    if support is not None:
        chance = support.within(box).astype(np.float32) / np.float32(255.0)
    values = _values(volume.array[box], modality)
    depth = depth_mm(mask, spacing)
    return Border(label, box, values, mask, depth, band_mm, taken & ~mask, chance)


def depth_mm(mask: Mask, spacing: npt.NDArray[np.float64]) -> Floats:
    """Distance to the nearest voxel on the other side, mm; positive inside, negative outside."""
    from scipy import ndimage

    inside = ndimage.distance_transform_edt(mask, sampling=spacing)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing)
    return np.asarray(inside - outside, np.float32)


def _values(array: npt.NDArray[Any], modality: str) -> Floats:
    values, is_ct = array.astype(np.float32), modality.upper() == "CT"
    if not np.isfinite(values).all():  # what no detector saw
        seen = np.isfinite(values)
        air = HU_LIMITS[0] if is_ct else float(values[seen].min(initial=np.inf))
        values = np.where(seen, values, np.float32(air if np.isfinite(air) else 0.0))
    if is_ct:
        return np.asarray(np.clip(values, *HU_LIMITS), np.float32)
    low, middle, high = np.percentile(values, [25, 50, 75])
    scale = USUAL_SPREAD * 1.349 / max(float(high - low), 1e-6)
    return np.asarray(np.clip((values - middle) * scale, *HU_LIMITS), np.float32)
