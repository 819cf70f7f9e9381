"""Artefacts that leave a scan readable but spoil what is drawn on it: streaks and rings.

All are judged in native resolution on some 40 axial planes, inside soft tissue only, and by
comparison with the same scan: a noisy scan is no streaky one.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

PLANES = 40
SOFT_HU = (-160.0, 220.0)
METAL_HU = 2500.0
ANGLES = 180
USUAL_HU = 30.0  # rays that anatomy feigns, where every plane holds metal
MIN_RING_VOXELS = 60
Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Artefacts:
    """What was measured; 0 where it cannot be.

    Attributes:
        metal_planes: share of the planes with metal.
        streak_planes: share of the planes whose soft tissue near metal is torn by rays.
        streak_hu: how strongly, in the worst tenth of the planes.
        streak_plane: the worst, as an index along the foot-head axis of the volume in RAS order.
        ring_hu: amplitude of rings about the centre of rotation.
    """

    metal_planes: float = 0.0
    streak_planes: float = 0.0
    streak_hu: float = 0.0
    streak_plane: int = 0
    ring_hu: float = 0.0


def artefacts(volume: Volume, *, streak_limit_hu: float = 60.0) -> Artefacts:
    """Streaks and rings of a CT in HU."""
    array, spacing = axial(volume)
    n = array.shape[2]
    chosen = np.unique(np.linspace(0, n - 1, min(n, PLANES)).round().astype(int))
    planes = [np.clip(array[:, :, k], -2000, 32000).astype(np.float32) for k in chosen]
    rays = np.array(_ray_strengths(planes, spacing))
    torn = rays > streak_limit_hu
    return Artefacts(
        metal_planes=float(np.mean([bool((plane > METAL_HU).any()) for plane in planes])),
        streak_planes=float(torn.mean()),
        streak_hu=float(rays.max()),
        streak_plane=int(chosen[int(np.argmax(rays))]),
        ring_hu=ring_amplitude([ring_profile(plane) for plane in planes]),
    )


def axial(volume: Volume) -> tuple[npt.NDArray[Any], tuple[float, float, float]]:
    """The array as a view in nearest RAS+ order, and its spacing."""
    order, flips = ras_axes(volume.affine)
    array = volume.array.transpose(order)
    array = array[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    a, b, c = (volume.spacing[axis] for axis in order)
    return array, (a, b, c)


def _ray_strengths(planes: list[Image], spacing: tuple[float, float, float]) -> list[float]:
    """For each plane with metal: rays from it, beyond those that anatomy shows at the same place
    in planes without metal; 0 for planes without."""
    masks = [plane > METAL_HU for plane in planes]
    without = [k for k, mask in enumerate(masks) if not mask.any()]
    found = []
    for k, mask in enumerate(masks):
        if not mask.any():
            found.append(0.0)
            continue
        centre = np.argwhere(mask).mean(axis=0)
        away = np.abs(np.asarray(without, int) - k)
        near = [without[at] for at in np.argsort(away, kind="stable")[:3]]
        usual = [rays_from(planes[other], centre, spacing) for other in near]
        found.append(rays_from(planes[k], centre, spacing) - (max(usual) if usual else USUAL_HU))
    return found


def rays_from(plane: Image, centre: npt.NDArray[np.float64], spacing: Any) -> float:
    """How much soft tissue changes from one direction to the next as seen from a point, HU.

    Along a ray the values are averaged from 12 to 90 mm, so that noise and organs cancel; what is
    left over a mean of 40 degrees are rays.
    """
    angles = np.linspace(0, 2 * np.pi, ANGLES, endpoint=False)
    radii = np.arange(12.0, 90.0, 3.0)
    i = np.rint(centre[0] + np.outer(radii, np.cos(angles)) / spacing[0]).astype(int)
    j = np.rint(centre[1] + np.outer(radii, np.sin(angles)) / spacing[1]).astype(int)
    inside = (i >= 0) & (j >= 0) & (i < plane.shape[0]) & (j < plane.shape[1])
    values = plane[np.where(inside, i, 0), np.where(inside, j, 0)]
    soft = inside & (values > -700) & (values < 700)
    n = soft.sum(axis=0)
    means = np.where(soft, values, 0).sum(axis=0) / np.maximum(n, 1)
    told = n >= 5
    if told.sum() < ANGLES // 4:
        return 0.0
    filled = np.interp(angles, angles[told], means[told], period=2 * np.pi)
    rest = filled - ndimage.uniform_filter1d(filled, ANGLES // 9, mode="wrap")
    return float(rest[told].std())


def ring_profile(plane: Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Medians, by radius in voxels about the array's centre, of even soft tissue minus its
    surroundings; and the number of voxels."""
    radius = _radius(plane.shape)
    clipped = np.clip(plane, -400, 500)
    smooth = ndimage.uniform_filter(clipped, 7)
    even = _extremes(smooth, np.maximum) - _extremes(smooth, np.minimum) < 90
    even &= (smooth > SOFT_HU[0]) & (smooth < SOFT_HU[1])
    r, rest = radius[even], (clipped - smooth)[even]
    order = np.lexsort((rest, r))
    size = int(radius.max()) + 1
    counts = np.bincount(r, minlength=size)
    starts = np.cumsum(counts) - counts
    middle = np.minimum(starts + counts // 2, max(0, rest.size - 1))
    medians = np.where(counts > 0, rest[order][middle], 0.0) if rest.size else np.zeros(size)
    return medians * counts, counts.astype(float)


def ring_amplitude(profiles: list[tuple[Any, Any]]) -> float:
    """Deviation of the mean by radius beyond what noise leaves, in the worst group of planes.

    A defect of the detector makes the same ring in neighbouring planes; four groups of planes are
    averaged, and what is alike in two halves of a group is signal.
    """
    worst = 0.0
    for group in np.array_split(np.arange(len(profiles)), 4):
        if group.size < 2:
            continue
        halves = []
        for half in (group[::2], group[1::2]):
            sums = sum(profiles[i][0] for i in half)
            counts = sum(profiles[i][1] for i in half)
            halves.append((sums / np.maximum(counts, 1), counts))
        good = (halves[0][1] > MIN_RING_VOXELS) & (halves[1][1] > MIN_RING_VOXELS)
        if good.sum() < 8:
            continue
        one, other = (mean[good] - np.median(mean[good]) for mean, _ in halves)
        shared = float(np.mean(one * other))
        worst = max(worst, float(np.sqrt(max(0.0, shared))))
    return worst


def _extremes(plane: Image, larger: np.ufunc) -> Image:
    """The largest (or smallest) value of the 7 x 7 around each pixel, the border mirrored.

    Seven are two fours that overlap, four are two pairs: three steps per axis instead of seven.
    """
    wide: Any = np.pad(plane, 3, mode="symmetric")
    for axis in (0, 1):
        wide = np.moveaxis(wide, axis, 0)
        two = larger(wide[:-1], wide[1:])
        four = larger(two[:-2], two[2:])
        wide = np.moveaxis(larger(four[:-3], four[3:]), 0, axis)
    return np.asarray(wide, np.float32)


@cache
def _radius(shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    i, j = (np.arange(n) - (n - 1) / 2 for n in shape)
    return np.asarray(np.rint(np.hypot(i[:, None], j[None, :])), np.int64)
