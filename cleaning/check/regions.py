"""Which parts of the body a CT shows, plane by plane: an estimate from outline, lungs and bones.

No model and no training: a plane with lungs is chest, a ring of bone around a small outline is
head, a small outline between the two is neck, a trunk with bones at its flanks far from the lungs
is pelvis, any other trunk is abdomen, a small outline with bone and no gas is a limb. Arms beside
the trunk and crops can mislead it; ``docs/checks.md`` has how often it is right. Limits are of
adults; a trunk with lungs tells its own size, and a child's limits shrink with it.
"""

from itertools import pairwise
from typing import get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cleaning.check.anatomy import Anatomy
from cleaning.check.config import Region

REGIONS: tuple[Region, ...] = get_args(Region)
MIN_MM = 24.0  # of planes in all, for a region to count
SMALL_CM2, TRUNK_CM2 = 350.0, 230.0
LUNG_SHARE = 0.08
RING_SHARE, BONY_SHARE = 0.5, 0.14  # of the outline: closed off by bone / bone
FLANK_CM2, FLANK_SHARE = 10.0, 0.45  # of bone at the flanks: the ilium
PELVIS_FROM_LUNGS_MM = 130.0
SMOOTH_MM = 20.0
SKULL_MM = 40.0
CHILD, NARROW_NECK = 0.8, 0.7  # of an adult's size; of the outline at the head
SHOULDER_SHARE = 0.55  # of the outline at the lungs: less is neck or head
Planes = npt.NDArray[np.bool_]


def regions_of(body: Anatomy, *, is_upright: bool = True) -> dict[Region, float]:
    """Millimetres of each region along the third axis, those of at least 24 mm; {} for none.

    Args:
        body: the coarse look, whose third axis runs along the body.
        is_upright: it runs to the head; else to the feet.
    """
    planes = classes_of(body, is_upright=is_upright)
    step = body.spacing[2]
    least = min(
        MIN_MM * body.scale, 0.6 * planes.size * step
    )  # a scan of a few planes shows one region
    lengths = {name: float((planes == name).sum() * step) for name in REGIONS}
    return {name: mm for name, mm in lengths.items() if mm >= least and mm > 0}


def classes_of(body: Anatomy, *, is_upright: bool = True) -> npt.NDArray[np.str_]:
    """The region of each plane, ``""`` where there is no body to speak of.

    Limits are of adults; areas and lengths of a child's trunk are scaled to one's.
    """
    size = body.scale
    step = body.spacing[2] / size
    inside, lungs = body.inside(), body.lungs
    if not is_upright:
        inside, lungs = inside[:, :, ::-1], lungs[:, :, ::-1]
    bone = body.bone if is_upright else body.bone[:, :, ::-1]
    gas = body.areas(body.gas if is_upright else body.gas[:, :, ::-1])
    area, lung = body.areas(inside) / size**2, body.areas(lungs) / size**2
    ring, bony, flanks, flank_share = _bones(body, inside, bone)
    result = np.full(area.size, "", dtype="<U8")
    trunk, shown = area >= TRUNK_CM2, area > 12
    chest = _main_run(shown & (lung > np.maximum(15.0, LUNG_SHARE * area)), lung)
    head = shown & (area < SMALL_CM2) & ((ring > RING_SHARE) | ((bony > BONY_SHARE) & (area > 60)))
    result[shown & trunk] = "abdomen"
    at = np.arange(area.size)
    lowest, highest, level = 0, -1, SMALL_CM2
    if chest.any():
        lowest, highest = int(np.flatnonzero(chest)[0]), int(np.flatnonzero(chest)[-1])
        level = SHOULDER_SHARE * float(np.median(area[chest]))
        result[chest] = "chest"
        result[(at > highest) & shown & (area >= level)] = "chest"  # shoulders
    far = (at < lowest - PELVIS_FROM_LUNGS_MM / step) | (not chest.any())
    result[trunk & far & ~chest & (flanks > FLANK_CM2 * size**2) & (flank_share > FLANK_SHARE)] = (
        "pelvis"
    )
    small = shown & ~chest & (at > highest) & (area < level)
    if size < CHILD and chest.any():
        skull = _large_head(area, ring, shown & (at > highest), step)
        small, head = small | skull, head | (skull & (ring > RING_SHARE))
        result[skull] = ""
    has_skull = (head & small).sum() * step >= SKULL_MM
    if has_skull or (chest.any() and small.sum() * step >= SMOOTH_MM):
        result[small] = "neck"
        if has_skull:
            first = int(np.flatnonzero(head & small)[0])
            result[first:][small[first:]] = "head"
    else:
        has_gas = gas[small].sum() * step > 100  # mL: no limb has it
        result[small & ~trunk] = "neck" if has_gas else "limb"
    result[shown & ~trunk & (at < lowest)] = "limb"
    return _smoothed(result, step)


def _large_head(
    area: npt.NDArray[np.float64], ring: npt.NDArray[np.float64], above: Planes, step: float
) -> Planes:
    """The planes from the neck up where an infant's head is as wide as its chest: a narrow place
    with a skull above it; none if there is no such place."""
    planes = np.flatnonzero(above)
    top = planes[: max(0, planes.size - round(SKULL_MM / step))]
    if not top.size:
        return np.zeros_like(above)
    waist = int(top[np.argmin(area[top])])
    head = above & (np.arange(area.size) >= waist)
    is_skull = head & (ring > RING_SHARE)
    is_narrow = area[waist] < NARROW_NECK * float(area[head].max())
    if not is_narrow or is_skull.sum() * step < SKULL_MM:
        return np.zeros_like(above)
    return np.asarray(head)


def _bones(
    body: Anatomy, inside: npt.NDArray[np.bool_], bone: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], ...]:
    """Per plane: share of the outline closed off by bone, share of bone, cm2 of it at the flanks,
    and their share of all bone."""
    n = inside.shape[2]
    ring, bony, flanks, share = (np.zeros(n) for _ in range(4))
    cm2 = body.spacing[0] * body.spacing[1] / 100
    for k in range(n):
        whole = int(inside[:, :, k].sum())
        here = bone[:, :, k]
        if not whole or not here.any():
            continue
        closed = ndimage.binary_fill_holes(ndimage.binary_closing(here, iterations=2))
        ring[k], bony[k] = closed.sum() / whole, here.sum() / whole
        columns = np.flatnonzero(inside[:, :, k].any(axis=1))
        middle, half = columns.mean(), max(1.0, np.ptp(columns) / 2)
        away = np.abs(np.arange(here.shape[0]) - middle) / half
        at_flank = (away > 0.3) & (away < 0.8)  # not arms beside the trunk, nor ribs
        flanks[k] = here[at_flank].sum() * cm2
        share[k] = here[at_flank].sum() / here.sum()
    return ring, bony, flanks, share


def _main_run(planes: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]) -> Planes:
    """The run of planes that holds most, with gaps of two planes closed."""
    labels, n = ndimage.label(ndimage.binary_closing(planes, np.ones(5)) | planes)
    if n == 0:
        return planes
    sums = np.bincount(labels, weight * planes, n + 1)
    sums[0] = 0
    return np.asarray(planes & (labels == int(np.argmax(sums))))


def _smoothed(planes: npt.NDArray[np.str_], step: float) -> npt.NDArray[np.str_]:
    """Runs shorter than 20 mm become what lies below them, or above at the lower end."""
    result = planes.copy()
    least = max(1, round(SMOOTH_MM / step))
    edges = np.flatnonzero(np.r_[True, result[1:] != result[:-1], True])
    for start, stop in pairwise(edges):
        if stop - start < least and start > 0 and result[start] and result[start - 1]:
            result[start:stop] = result[start - 1]
    return result
