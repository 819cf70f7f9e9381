"""Do air, fat and muscle of a CT lie at their HU? Small offsets and wrong slopes.

Offsets of hundreds of HU are told by `cleaning.check.hounsfield`. Here the peaks themselves are
measured on blocks of about 4 mm: air beside the body, fat and soft tissue inside it where the
neighbours are alike, so that noise and edges do not blur them. Contrast moves soft
tissue up by 60 HU, the tube voltage moves fat by 20: what is beyond that only makes a scan suspect.
"""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cleaning.check.anatomy import Anatomy

STEP_HU = 2.0
BLUR_HU = 5.0
AIR_RANGE_HU = (-1600.0, -880.0)  # above are lungs
TISSUE_RANGE_HU = (-600.0, 900.0)
FAT_RANGE_HU = (-250.0, 30.0)  # where a peak 90 to 270 HU below another is taken for fat
APART_HU = (90.0, 270.0)
MIN_AIR_SHARE = 0.02
SPIKE_SHARE = 0.3  # of all air at one value: it was clipped or masked
NEAR_HU, CLEAR_SHARE = 25.0, 0.35  # of the air: at its peak
EVEN_HU = 60.0  # between a block and those around it in its plane
MIN_TISSUE_ML = 100.0
MIN_HEIGHT = 0.0015  # of all even blocks, per HU
LOWER_PEAK = 0.25  # of the height: muscle below an organ full of contrast
Peak = tuple[float, float]


@dataclass(frozen=True)
class Peaks:
    """Where the peaks lie, HU; NaN where there is none.

    Attributes:
        air: of air as measured.
        floor: the one value of clipped or masked air.
        fat: of fat, if a peak of soft tissue lies above it.
        soft: of soft tissue: the lowest clear one above fat, else the highest peak.
    """

    air: float = float("nan")
    floor: float = float("nan")
    fat: float = float("nan")
    soft: float = float("nan")


def peaks_of(body: Anatomy, *, has_air: bool = True) -> Peaks:
    """The peaks of a CT; all NaN for a scan that shows neither air nor even tissue.

    Args:
        body: the coarse look.
        has_air: air beside the body is to be measured: not of a body that is cut off, where it may
            be a lung's.
    """
    air, floor = _air(body)
    air = air if has_air else float("nan")
    fat, soft = _tissue(body)
    return Peaks(air, floor, fat, soft)


def _air(body: Anatomy) -> Peak:
    """Peak and floor of what lies beside the body: not of lungs, nor of padding below -1500."""
    nan = float("nan")
    near = ndimage.binary_dilation(body.inside() | body.other, iterations=2)
    values = body.hu[body.seen & ~near]
    values = values[(values > AIR_RANGE_HU[0]) & (values < AIR_RANGE_HU[1])]
    if values.size < MIN_AIR_SHARE * body.hu.size:
        return nan, nan
    whole, counts = np.unique(np.rint(values), return_counts=True)
    if counts.max() > SPIKE_SHARE * values.size:
        return nan, float(whole[np.argmax(counts)])
    found = maxima(values, AIR_RANGE_HU)
    if not found:
        return nan, nan
    at = max(found, key=lambda peak: peak[1])[0]
    # blankets and what is near the skin of a crop spread over hundreds of HU
    is_air = np.mean(np.abs(values - at) < NEAR_HU) > CLEAR_SHARE
    return (at if is_air else nan), nan


def _tissue(body: Anatomy) -> Peak:
    nan = float("nan")
    around = (3, 3, 1)
    spread = ndimage.maximum_filter(body.hu, around) - ndimage.minimum_filter(body.hu, around)
    even = ndimage.binary_erosion(body.body) & (spread < EVEN_HU)
    if even.sum() * body.voxel_ml < MIN_TISSUE_ML:
        return nan, nan
    found = [peak for peak in maxima(body.hu[even], TISSUE_RANGE_HU) if peak[1] >= MIN_HEIGHT]
    if not found:
        return nan, nan
    pairs = [
        (fat, soft)
        for fat, soft in product(found, found)
        if APART_HU[0] <= soft[0] - fat[0] <= APART_HU[1]
        and FAT_RANGE_HU[0] <= fat[0] <= FAT_RANGE_HU[1]
    ]
    if not pairs:
        return nan, max(found, key=lambda peak: peak[1])[0]
    fat, soft = max(pairs, key=lambda pair: pair[0][1] * pair[1][1])
    lower = [
        at
        for at, height in found
        if fat[0] + APART_HU[0] <= at <= soft[0] and height >= LOWER_PEAK * soft[1]
    ]
    return fat[0], min(lower)


def maxima(values: npt.NDArray[Any], bounds: tuple[float, float]) -> list[Peak]:
    """The local maxima of a blurred histogram: HU, and share of the values per HU."""
    edges = np.arange(bounds[0], bounds[1] + STEP_HU, STEP_HU)
    hist, _ = np.histogram(values, bins=edges)
    smooth = ndimage.gaussian_filter1d(hist.astype(float), BLUR_HU / STEP_HU)
    smooth /= max(1, values.size) * STEP_HU
    inner = smooth[1:-1]
    at = 1 + np.flatnonzero((inner > smooth[:-2]) & (inner >= smooth[2:]))
    return [(float(edges[k] + STEP_HU / 2), float(smooth[k])) for k in at]
