"""The contact angle as published (ScaleMAI, arXiv:2501.03410, C.5).

The tumour is dilated, the vessel turned so that its first principal axis is x; in each plane across
x the share of a ring around the vessel that the tumour fills; the largest share times 360. Ring of
2 mm, as in the released code of RadGPT. Where the vessel bends away from its principal axis the
planes cut it aslant.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.staging.config import ContactConfig
from training.staging.field import Points
from voxcurate.masks import Bools, bounding_box, dilate
from voxcurate.volume import Affine, spacing_of

LEAST_PIXELS = 4  # of a vessel in a plane


@dataclass(frozen=True, eq=False)
class Profile:
    """Degrees along a line.

    Attributes:
        at: places, ``(n, 3)`` RAS+ mm.
        along_mm: from the first place, ``(n,)``.
        degrees: ``(n,)``; NaN where nothing can be measured.
    """

    at: Points
    along_mm: npt.NDArray[np.float64]
    degrees: npt.NDArray[np.float64]


def published_profile(
    tumour: Bools, vessel: Bools, affine: Affine, config: ContactConfig
) -> Profile:
    """Share of the ring that the tumour fills, times 360, plane by plane along the vessel.

    Args:
        tumour: bool, ``(I, J, K)``.
        vessel: likewise, not empty.
        affine: voxel to RAS+ mm.
        config: ring, dilation, grid.
    """
    from scipy.ndimage import distance_transform_edt, map_coordinates

    grown = dilate(tumour, config.dilate_mm, spacing_of(affine))
    voxels = np.argwhere(vessel)
    world = voxels @ affine[:3, :3].T + affine[:3, 3]
    middle = world.mean(0)
    _, _, axes = np.linalg.svd(world - middle, full_matrices=False)
    turned = (world - middle) @ axes.T
    margin = config.ring_mm + 2 * config.grid_mm
    reach = [
        np.arange(low - margin, high + margin, config.grid_mm)
        for low, high in zip(turned.min(0), turned.max(0), strict=True)
    ]
    box = bounding_box(vessel | grown, margin=2)
    assert box is not None
    start = np.array([side.start for side in box])
    back = np.linalg.inv(affine)
    plane = np.stack(np.meshgrid(reach[1], reach[2], indexing="ij"), axis=-1)
    degrees = np.full(len(reach[0]), np.nan)
    for n, x in enumerate(reach[0]):
        places = middle + x * axes[0] + plane @ axes[1:]
        index = np.moveaxis(places @ back[:3, :3].T + back[:3, 3] - start, -1, 0)
        here, other = (
            map_coordinates(part[box].view(np.uint8), index, order=0, prefilter=False) > 0
            for part in (vessel, grown)
        )
        if here.sum() < LEAST_PIXELS:
            continue
        away = distance_transform_edt(~here) * config.grid_mm
        ring = (away > 0) & (away <= config.ring_mm)
        degrees[n] = 360 * (ring & other).sum() / ring.sum()
    at = middle + reach[0][:, None] * axes[0]
    return Profile(at, reach[0] - reach[0][0], degrees)
