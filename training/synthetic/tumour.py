"""One tumour in an array of HU: place, form, push, paint. Pure; the input stays as it is.

The recipe of SyntheticTumors (Hu et al., CVPR 2023), anew and with what its released code lacks:
millimetres on an anisotropic grid, contrast against this organ's own HU, vessels kept clear, mass
effect, rims, exact volume, and a mask that follows from the HU.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.synthetic.config import LesionStyle, SyntheticConfig
from training.synthetic.fields import Floats
from training.synthetic.painting import attenuation, contrast_field, edge, replacing
from training.synthetic.placement import Bools, tissue
from training.synthetic.settling import pushed, settle, size_class


@dataclass(frozen=True, eq=False)
class Tumour:
    """A grown tumour; arrays have the shape of the HU.

    Attributes:
        hu: with the tumour.
        mask: where it changed the HU by at least half of its `contrast`.
        background: HU without it, but with its mass effect.
        contrast: HU that a voxel wholly tumour has against the background: mean, texture, core,
            rim, and what makes up for the organ's own structure; 0 outside.
        carried: the arrays given along, after the mass effect.
        diameter_mm: of the sphere of its volume, the part outside of the array included.
        attenuation: ``hypo``, ``hyper``, ``iso``, ``fluid`` or ``solid``.
        mean_hu: of its contrast against the organ's median, as drawn.
        is_pushing: it has mass effect.
    """

    hu: Floats
    mask: Bools
    background: Floats
    contrast: Floats
    carried: tuple[Floats, ...]
    diameter_mm: float
    attenuation: str
    mean_hu: float
    is_pushing: bool

    @property
    def size_class(self) -> int:
        """0: below 20 mm, 1: 20 to 40 mm, 2: above."""
        return size_class(self.diameter_mm)


def grow(
    hu: Floats,
    organ: Bools,
    blocked: Bools,
    spacing: Sequence[float],
    style: LesionStyle,
    config: SyntheticConfig,
    generator: np.random.Generator,
    carried: Sequence[Floats] = (),
) -> Tumour | None:
    """Grow one tumour in an organ.

    Args:
        hu: ``(I, J, K)``.
        organ: where it may grow.
        blocked: vessels and other tumours: none of their voxels becomes tumour.
        spacing: mm.
        carried: ``(n, I, J, K)`` each; moved with the tissue by mass effect (nearest voxel).

    Returns:
        None where no tumour of at least the smallest size finds room.
    """
    free = organ & ~blocked
    seen = tissue(hu, free)
    site = None if seen is None else settle(free, spacing, style, config, generator)
    if seen is None or site is None:
        return None
    background, moved = hu.copy(), [array.copy() for array in carried]
    own = organ[site.here]
    if site.at is not None:
        background[site.wide] = pushed(hu, site, is_linear=True)
        whole = organ.astype(np.float32)
        whole[site.wide] = pushed(whole, site)
        own = whole[site.here] > 0
        for new, old in zip(moved, carried, strict=True):
            new[:, *site.wide] = pushed(old, site)
    kind, mean = attenuation(style, seen, generator)
    contrast = contrast_field(kind, mean, site, style, config, spacing, generator)
    contrast += replacing(background[site.here], own, seen, style.replaces, spacing)
    part = edge(site, style, spacing, generator) * own
    result, local = background.copy(), np.zeros_like(hu)
    result[site.here] += part * contrast
    local[site.here] = np.where(part > 0, contrast, 0)
    mask = np.zeros(hu.shape, dtype=bool)
    mask[site.here] = part >= 0.5
    return Tumour(
        hu=result,
        mask=mask,
        background=background,
        contrast=local,
        carried=tuple(moved),
        diameter_mm=2 * site.radius_mm,
        attenuation=kind,
        mean_hu=mean,
        is_pushing=site.at is not None,
    )
