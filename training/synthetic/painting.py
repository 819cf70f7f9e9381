"""The HU of a lesion: mean against its organ, texture, core, rim, and the organ's own structure
taken away."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from training.synthetic.config import LesionStyle, SyntheticConfig
from training.synthetic.fields import Floats, smooth_noise
from training.synthetic.placement import Bools, Tissue
from training.synthetic.settling import SIZE_LIMITS_MM, Site

KINDS = ("hypo", "hyper", "iso", "fluid")
ISO = 0.25  # contrast over the organ's scatter, at most
TEXTURE = 0.4  # standard deviation over contrast, at most
STRUCTURE_MM = 6.0  # what is larger is an organ's structure, what is smaller the scanner's noise


def attenuation(
    style: LesionStyle, seen: Tissue, generator: np.random.Generator
) -> tuple[str, float]:
    """What kind of lesion, and the mean of its HU against the organ's median.

    Returns:
        one of `KINDS`, or ``solid`` for a hypo one in an organ that is as dark itself.
    """
    shares = np.array([getattr(style, kind) for kind in KINDS])
    kind = KINDS[int(generator.choice(len(KINDS), p=shares / shares.sum()))]
    if kind == "iso":
        return kind, float(generator.uniform(-ISO, ISO)) * seen.scatter
    if kind == "fluid":
        return kind, float(generator.uniform(*style.fluid_hu)) - seen.median
    least = style.min_scatter * seen.scatter
    size = max(float(generator.uniform(*style.contrast_hu)), least)
    if kind == "hyper":
        return kind, size
    depth = seen.median - style.floor_hu
    if depth >= max(least, style.contrast_hu[0]):
        return kind, -min(size, depth)
    return "solid", float(generator.uniform(*style.solid_hu)) - seen.median


def contrast_field(
    kind: str,
    mean: float,
    site: Site,
    style: LesionStyle,
    config: SyntheticConfig,
    spacing: Sequence[float],
    generator: np.random.Generator,
) -> Floats:
    """HU of the lesion against the organ's median, at each voxel of the site."""
    level, radius = site.level, site.radius_mm
    contrast = np.full(level.shape, mean, dtype=np.float32)
    strength = float(generator.uniform(*style.texture_hu))
    if kind in ("hypo", "hyper"):
        strength = min(strength, TEXTURE * abs(mean))
    if strength:
        length = float(generator.uniform(*style.texture_mm))
        coarse = smooth_noise(level.shape, spacing, length, generator)
        fine = smooth_noise(level.shape, spacing, length / 2.5, generator)
        contrast += np.float32(strength) * (np.float32(0.85) * coarse + np.float32(0.53) * fine)
    if kind == "hypo" and 2 * radius > SIZE_LIMITS_MM[0] and generator.random() < style.core:
        uneven = smooth_noise(level.shape, spacing, radius / 2, generator)
        inner = np.clip((0.7 - level + np.float32(0.15) * uneven) / 0.4, 0, 1)
        contrast += np.float32(mean * generator.uniform(0.2, 0.5)) * inner
    if generator.random() < config.capsule:
        width = max(float(generator.uniform(*config.capsule_mm)), max(spacing))
        depth = (1 - level) * np.float32(radius / width)
        rim = np.clip(1 - np.abs(2 * depth - 1), 0, 1)
        contrast += np.float32(generator.uniform(*config.capsule_hu)) * rim
    return contrast


def replacing(
    background: Floats, organ: Bools, seen: Tissue, share: float, spacing: Sequence[float]
) -> Floats:
    """HU that take an organ's own structure away, its noise left alone.

    Fat between lobules and small vessels do not go on inside of a tumour. Only the organ's own
    voxels count, lest its border shine.

    Args:
        background: the HU around a site.
        share: of the structure that goes.
    """
    if not share:
        return np.zeros_like(background)
    sides = [2 * round(STRUCTURE_MM / s / 2) + 1 for s in spacing]
    inside = organ.astype(np.float32)
    total = ndimage.uniform_filter((background - seen.median) * inside, sides, mode="nearest")
    count = ndimage.uniform_filter(inside, sides, mode="nearest")
    structure = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    taken: Floats = np.float32(-share) * structure * inside
    return taken


def edge(
    site: Site, style: LesionStyle, spacing: Sequence[float], generator: np.random.Generator
) -> Floats:
    """How much of the contrast there is, 0 to 1: at least half exactly inside the form.

    The edge is no sharper than a voxel, and no wider than lets small lesions keep a middle.
    """
    width = max(float(generator.uniform(*style.edge_mm)), min(spacing))
    width = min(width, 1.2 * site.radius_mm)
    part = np.clip(0.5 + (1 - site.level) * np.float32(site.radius_mm / width), 0, 1)
    profile: Floats = part * part * (3 - 2 * part)
    return profile
