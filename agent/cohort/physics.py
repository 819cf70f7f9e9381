"""From matter to image: attenuation, blur, noise, streaks of metal; HU as int16."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from agent.cohort.tissues import Tissue, attenuation

Image = npt.NDArray[np.float32]
HU_RANGE = (-1024, 3071)


@dataclass(frozen=True)
class Exposure:
    """How a scan was taken: contrast phase, noise in HU, blur of the kernel in voxels."""

    phase: str
    noise_hu: float
    blur_voxels: float
    seed: tuple[int, ...]
    steatosis: bool = False
    metal: bool = False


def expose(tissue: npt.NDArray[np.uint8], exposure: Exposure) -> npt.NDArray[np.int16]:
    """The CT image of a tissue map.

    Args:
        tissue: uint8 `Tissue` codes, ``(I, J, K)``, axes I and J in plane.
        exposure: the scan's settings.

    Returns:
        int16 HU, same shape, within `HU_RANGE`.
    """
    rng = np.random.default_rng(exposure.seed)
    table = attenuation(exposure.phase, rng, liver_shift_hu=-34.0 if exposure.steatosis else 0.0)
    image = table[tissue]
    living = (tissue > Tissue.COUCH_CORE) & (tissue != Tissue.GAS)
    image = image + living * _texture(tissue.shape, rng, sigma=1.6) * np.float32(5)
    image = image + (tissue == Tissue.STOOL) * _texture(tissue.shape, rng, sigma=0.9) * np.float32(
        90
    )
    image = image + (tissue == Tissue.LUNG) * _texture(tissue.shape, rng, sigma=0.7) * np.float32(
        45
    )
    metal = _implant(tissue, rng) if exposure.metal else None
    if metal is not None:
        image[metal] = table[Tissue.METAL]
    blur = exposure.blur_voxels
    image = ndimage.gaussian_filter(image, (blur, blur, 0.7 * blur), truncate=3.0)
    if metal is not None:
        image = image + _streaks(metal, rng)
    image = image + correlated_noise(
        tissue.shape, rng, exposure.noise_hu, body=tissue != Tissue.AIR
    )
    return np.asarray(np.rint(np.clip(image, *HU_RANGE)), np.int16)


def correlated_noise(
    shape: tuple[int, ...],
    rng: np.random.Generator,
    sigma_hu: float,
    *,
    body: npt.NDArray[np.bool_] | None = None,
) -> Image:
    """Noise as of a reconstruction kernel: correlated in plane, a little across slices.

    Its standard deviation is `sigma_hu` in the body's middle and falls to 0.35 of it in air.
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(white, (0.55, 0.55, 0.35), truncate=3.0)
    noise = smooth * np.float32(sigma_hu / smooth.std())
    if body is None:
        return np.asarray(noise, np.float32)
    depth = ndimage.uniform_filter(body.astype(np.float32), (25, 25, 1))
    return np.asarray(noise * (0.35 + 0.65 * depth), np.float32)


def _texture(shape: tuple[int, ...], rng: np.random.Generator, sigma: float) -> Image:
    smooth = ndimage.gaussian_filter(
        rng.standard_normal(shape, dtype=np.float32), sigma, truncate=3.0
    )
    return np.asarray(smooth / smooth.std(), np.float32)


def _implant(
    tissue: npt.NDArray[np.uint8], rng: np.random.Generator
) -> npt.NDArray[np.bool_] | None:
    """Two screws in one vertebra; ``None`` if no vertebra is in view."""
    marrow = np.argwhere(tissue == Tissue.MARROW)
    middle = tissue.shape[0] / 2
    central = marrow[np.abs(marrow[:, 0] - middle) < 8]
    if len(central) < 20:
        return None
    i, j, k = np.median(central, axis=0).astype(int)
    k = int(np.clip(k + rng.integers(-4, 5), 1, tissue.shape[2] - 2))
    metal = np.zeros(tissue.shape, np.bool_)
    for side in (-3, 2):
        metal[i + side : i + side + 1, max(0, j - 7) : j + 2, k : k + 2] = True
    return metal


def _streaks(metal: npt.NDArray[np.bool_], rng: np.random.Generator) -> Image:
    """Bright and dark rays from the metal, in the slices that hold it."""
    result = np.zeros(metal.shape, np.float32)
    i, j = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in metal.shape[:2]), indexing="ij")
    for k in np.flatnonzero(metal.any((0, 1))):
        center = np.argwhere(metal[:, :, k]).mean(0)
        angle = np.arctan2(j - center[1], i - center[0])
        radius = np.hypot(i - center[0], j - center[1]) + 3
        rays = np.cos(11 * angle + rng.uniform(0, 6)) + 0.6 * np.cos(19 * angle)
        result[:, :, k] = 900 * rays / radius
    return result
