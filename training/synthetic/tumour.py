"""One tumour in an array of HU: place, form, push, paint. Pure; the input stays as it is.

The recipe of SyntheticTumors (Hu et al., CVPR 2023), anew and with what its released code lacks:
millimetres on an anisotropic grid, contrast against this organ's own HU, vessels kept clear, mass
effect, rims, exact volume, and a mask that follows from the HU.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from training.synthetic.config import LesionStyle, SyntheticConfig
from training.synthetic.fields import Floats, smooth_noise
from training.synthetic.placement import (
    TRIES,
    Bools,
    Tissue,
    clearance,
    fits,
    places,
    tissue,
)
from training.synthetic.pushing import sources
from training.synthetic.shape import Lump, lump

SHRINK = (1.0, 0.85, 0.7, 0.55)
SIZE_LIMITS_MM = (20.0, 40.0)
MIN_VOXELS = 2.0  # of a diameter
ISO = 0.25  # contrast over the organ's scatter, at most


@dataclass(frozen=True, eq=False)
class Tumour:
    """A grown tumour; arrays have the shape of the HU.

    Attributes:
        hu: with the tumour.
        mask: where it changed the HU by at least half of its `contrast`.
        background: HU without it, but with its mass effect.
        contrast: HU it has against the background inside, with texture, core and rim; 0 elsewhere.
        carried: the arrays given along, after the mass effect.
        diameter_mm: of the sphere of its volume, the part outside of the array included.
    """

    hu: Floats
    mask: Bools
    background: Floats
    contrast: Floats
    carried: tuple[npt.NDArray[np.float32], ...]
    diameter_mm: float
    attenuation: str
    is_pushing: bool

    @property
    def size_class(self) -> int:
        """0: below 20 mm, 1: 20 to 40 mm, 2: above."""
        return size_class(self.diameter_mm)


@dataclass(frozen=True, eq=False)
class _Site:
    """A form and where it lies: `here` in the array, `own` in the form's box."""

    form: Lump
    before: Floats
    here: tuple[slice, ...]
    own: tuple[slice, ...]
    is_pushing: bool


def grow(
    hu: Floats,
    organ: Bools,
    blocked: Bools,
    spacing: Sequence[float],
    style: LesionStyle,
    config: SyntheticConfig,
    generator: np.random.Generator,
    carried: Sequence[npt.NDArray[np.float32]] = (),
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
    seen = tissue(hu, organ & ~blocked)
    if seen is None:
        return None
    site = _settle(organ & ~blocked, spacing, style, config, generator)
    if site is None:
        return None
    kind, contrast = _contrast(site, style, config, seen, spacing, generator)
    return _paint(hu, organ, spacing, site, contrast, _edge(site, style, spacing, generator),
                  kind, carried)  # fmt: skip


def size_class(diameter_mm: float) -> int:
    """0: below 20 mm, 1: 20 to 40 mm, 2: above (the sizes of T1 to T3)."""
    first, second = SIZE_LIMITS_MM
    return 0 if diameter_mm < first else 1 if diameter_mm <= second else 2


def diameter(config: SyntheticConfig, generator: np.random.Generator) -> float:
    """A diameter in mm: the size class by its share, small ones more often within it."""
    shares = np.array(config.size_shares)
    limits = (config.smallest_mm, *SIZE_LIMITS_MM, config.largest_mm)
    n = int(generator.choice(3, p=shares / shares.sum()))
    low, high = sorted((limits[n], limits[n + 1]))
    drawn = float(np.exp(generator.uniform(math.log(low), math.log(high))))
    return min(drawn, math.nextafter(high, 0.0)) if n == 0 else max(drawn, low)


def _settle(
    free: Bools,
    spacing: Sequence[float],
    style: LesionStyle,
    config: SyntheticConfig,
    generator: np.random.Generator,
) -> _Site | None:
    """A form where it fits: as large as drawn, else as the organ allows."""
    room = clearance(free, spacing)
    sides = [n * s for n, s in zip(free.shape, spacing, strict=True)]
    largest = min(float(room.max(initial=0.0)), 0.45 * min(sides))
    is_pushing = bool(generator.random() < config.mass_effect and config.expansion > 1)
    wanted = diameter(config, generator)
    expansion = float(generator.uniform(1, config.expansion)) if is_pushing else 1.0
    if is_pushing and wanted > 2 * largest * expansion:
        expansion = config.expansion
    least = max(config.smallest_mm, MIN_VOXELS * math.prod(spacing) ** (1 / 3))
    for shrink in SHRINK:
        size = min(wanted, 2 * largest * expansion) * shrink
        if size < least:
            return None
        form = lump(
            size,
            spacing,
            generator,
            elastic=style.elastic,
            elongation=style.elongation,
            is_pushing=is_pushing,
        )
        before = sources(form, expansion)
        taken = _taken(form, before, spacing)
        small = Lump(form.level, form.offset, form.middle, form.radius_mm / expansion)
        for middle in places(room, small, TRIES, generator):
            if fits(middle, taken, free):
                here, own = _overlap(middle, form, free.shape)
                return _Site(form, before, here, own, is_pushing)
    return None


def _shift(form: Lump, before: Floats, spacing: Sequence[float]) -> Floats:
    """Voxels from each voxel of the box to where its tissue came from."""
    moved: Floats = (before - form.offset) / np.array(spacing, np.float32)[:, None, None, None]
    return moved


def _taken(form: Lump, before: Floats, spacing: Sequence[float]) -> npt.NDArray[np.int64]:
    """Voxels, from the middle one, whose tissue becomes lesion."""
    at = np.argwhere(form.inside)
    shift = _shift(form, before, spacing)[:, at[:, 0], at[:, 1], at[:, 2]].T
    taken: npt.NDArray[np.int64] = np.rint(at - np.array(form.middle) + shift).astype(np.int64)
    return taken


def _overlap(
    middle: npt.NDArray[np.intp], form: Lump, shape: Sequence[int]
) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """The form's box in the array, and that part of it in the form."""
    start = [int(m) - h for m, h in zip(middle, form.middle, strict=True)]
    first = [max(0, s) for s in start]
    last = [min(n, s + m) for n, s, m in zip(shape, start, form.level.shape, strict=True)]
    here = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    own = tuple(slice(a - s, b - s) for a, b, s in zip(first, last, start, strict=True))
    return here, own


def _contrast(
    site: _Site,
    style: LesionStyle,
    config: SyntheticConfig,
    seen: Tissue,
    spacing: Sequence[float],
    generator: np.random.Generator,
) -> tuple[str, Floats]:
    """Attenuation, and HU against the organ at each voxel of the site."""
    kinds = ("hypo", "hyper", "iso", "fluid")
    shares = np.array([getattr(style, kind) for kind in kinds])
    kind = kinds[int(generator.choice(4, p=shares / shares.sum()))]
    mean = _mean_contrast(kind, style, seen, generator)
    level, radius = site.form.level[site.own], site.form.radius_mm
    strength = float(generator.uniform(*style.texture_hu))
    if kind in ("hypo", "hyper"):
        strength = min(strength, 0.4 * abs(mean))
    contrast = np.full(level.shape, mean, dtype=np.float32)
    if strength:
        length = float(generator.uniform(*style.texture_mm))
        coarse = smooth_noise(level.shape, spacing, length, generator)
        fine = smooth_noise(level.shape, spacing, length / 2.5, generator)
        contrast += np.float32(strength) * (np.float32(0.85) * coarse + np.float32(0.53) * fine)
    if kind == "hypo" and 2 * radius > SIZE_LIMITS_MM[0] and generator.random() < style.core:
        uneven = smooth_noise(level.shape, spacing, radius / 2, generator)
        inner = np.clip((0.7 - level + np.float32(0.15) * uneven) / 0.4, 0, 1)
        contrast += np.float32(mean * generator.uniform(0.3, 0.8)) * inner
        lowest = style.floor_hu - seen.median
        contrast = np.maximum(contrast, np.float32(min(lowest, mean)))
    if generator.random() < config.capsule:
        width = max(float(generator.uniform(*config.capsule_mm)), max(spacing))
        depth = (1 - level) * np.float32(radius / width)
        rim = np.clip(1 - np.abs(2 * depth - 1), 0, 1)
        contrast += np.float32(generator.uniform(*config.capsule_hu)) * rim
    return kind, contrast


def _mean_contrast(
    kind: str, style: LesionStyle, seen: Tissue, generator: np.random.Generator
) -> float:
    if kind == "iso":
        return float(generator.uniform(-ISO, ISO)) * seen.scatter
    if kind == "fluid":
        return float(generator.uniform(*style.fluid_hu)) - seen.median
    size = max(float(generator.uniform(*style.contrast_hu)), style.min_scatter * seen.scatter)
    if kind == "hyper":
        return size
    depth = seen.median - style.floor_hu
    return -min(size, depth) if depth > 0 else -size


def _edge(
    site: _Site, style: LesionStyle, spacing: Sequence[float], generator: np.random.Generator
) -> float:
    """Width of the edge in mm: no sharper than a voxel, and small lesions keep a middle."""
    width = max(float(generator.uniform(*style.edge_mm)), min(spacing))
    return min(width, 1.2 * site.form.radius_mm)


def _paint(
    hu: Floats,
    organ: Bools,
    spacing: Sequence[float],
    site: _Site,
    contrast: Floats,
    edge_mm: float,
    kind: str,
    carried: Sequence[npt.NDArray[np.float32]],
) -> Tumour:
    form, here, own = site.form, site.here, site.own
    level = form.level[own]
    background, moved_organ, moved = hu.copy(), organ[here], [array.copy() for array in carried]
    if site.is_pushing:
        shift = _shift(form, site.before, spacing)[(slice(None), *own)]
        start = np.array([s.start for s in here], np.float32)[:, None, None, None]
        at = np.indices(level.shape, dtype=np.float32) + start + shift
        background[here] = ndimage.map_coordinates(hu, at, order=1, mode="nearest")
        last = np.array(hu.shape)[:, None, None, None] - 1
        i, j, k = np.clip(np.rint(at), 0, last).astype(np.intp)
        moved_organ = organ[i, j, k]
        for new, old in zip(moved, carried, strict=True):
            new[:, *here] = old[:, i, j, k]
    part = np.clip(0.5 + (1 - level) * np.float32(form.radius_mm / edge_mm), 0, 1)
    part = part * part * (3 - 2 * part) * moved_organ
    result, mask = background.copy(), np.zeros(hu.shape, dtype=bool)
    result[here] += part * contrast
    mask[here] = part >= 0.5
    local = np.zeros_like(hu)
    local[here] = np.where(part > 0, contrast, 0)
    return Tumour(
        hu=result,
        mask=mask,
        background=background,
        contrast=local,
        carried=tuple(moved),
        diameter_mm=2 * form.radius_mm,
        attenuation=kind,
        is_pushing=site.is_pushing,
    )
