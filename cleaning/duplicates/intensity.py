"""The window of values that tells soft tissue, fat and bone apart, whatever the units.

A CT in HU is cut at -200 and 300 HU. A copy may have lost its units (stored values, an 8-bit
export, a float between 0 and 1): then the same window is found from the histogram.

1. *In HU?* Values above -200 have a median and quartiles that fit tissue, and there is something
   below. Then the fixed window: a crop must not move it. The same with 1024 or 1000 added, as
   scanners store them.
2. Else background and tissue are parted by Otsu's threshold. The air level is the background's
   mode, the tissue level the middle of the shortest interval with 35 % of the tissue; if that is
   fat, there is a second peak a little above it: muscle.
3. *Unclipped, or a soft-tissue window?* In an unclipped scan air to muscle are 1045 HU: tissue is a
   narrow peak (small r) and little lies between (small q). In a windowed export fat lies
   between. Where ``r q`` is small the window is ``800/1045..1300/1045`` of the way from air to
   tissue, which is -200..300 HU; else it is all there is.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

HU_WINDOW = (-200.0, 300.0)
STORED_OFFSETS = (0.0, 1024.0, 1000.0)
SAMPLES = 200_000
MEDIAN_HU = (-120.0, 110.0)
SPREAD_HU = (40.0, 400.0)
AIR_TO_MUSCLE_HU = 1045.0
PEAK_SHARE = 0.35
MAX_UNCLIPPED = 0.0115
MUSCLE_SHARE = 0.3

Window = tuple[float, float]
Values = npt.NDArray[np.float32]


def sample(array: npt.NDArray[Any]) -> Values:
    """About 200,000 finite values, evenly spread."""
    step = max(1, round((array.size / SAMPLES) ** (1 / 3)))
    values = np.asarray(array[::step, ::step, ::step], np.float32).ravel()
    return np.asarray(values[np.isfinite(values)], np.float32)


def hu_window(values: Values) -> Window | None:
    """The fixed window if the values are Hounsfield units, or such stored above 0; else None."""
    for offset in STORED_OFFSETS:
        if _is_hu(values - np.float32(offset)):
            return HU_WINDOW[0] + offset, HU_WINDOW[1] + offset
    return None


def _is_hu(values: Values) -> bool:
    if not values.size:
        return False
    tissue = values[values > HU_WINDOW[0]]
    if values.min() > -150 or not 0.01 * values.size < tissue.size < 0.995 * values.size:
        return False
    low, middle, high = np.percentile(tissue, (25, 50, 75))
    fits = MEDIAN_HU[0] < middle < MEDIAN_HU[1] and SPREAD_HU[0] < high - low < SPREAD_HU[1]
    return bool(fits)


def found_window(values: Values, means: Values) -> Window:
    """The window of a scan in unknown units.

    Args:
        values: a sample of the voxels.
        means: of blocks of about 6 mm, where noise is averaged out.

    Returns:
        low, high; equal for a constant scan.
    """
    bottom, top = (float(v) for v in np.percentile(means, (0.1, 99.9)))
    if not top > bottom:
        return bottom, bottom
    inside = np.clip(means, bottom, top)
    threshold = _otsu(inside, bottom, top)
    tissue = np.sort(inside[inside > threshold])
    if tissue.size < 8:
        return bottom, top
    air = _mode(inside[inside <= threshold], bottom, threshold)
    n = max(1, int(PEAK_SHARE * tissue.size))
    widths = tissue[n:] - tissue[:-n]
    at = int(np.argmin(widths))
    level = float(tissue[at + n // 2])
    reach = level - air
    if reach <= 0:
        return bottom, top
    level = _muscle(tissue, air, level)
    reach = level - air
    way = (values - air) / reach
    above = way > 0.33
    between = float((above & (way < 0.72)).sum() / max(1, above.sum()))
    if float(widths[at]) / reach * between < MAX_UNCLIPPED:
        step = reach / AIR_TO_MUSCLE_HU
        return air + (HU_WINDOW[0] + 1000) * step, air + (HU_WINDOW[1] + 1000) * step
    return air, top


def _muscle(tissue: Values, air: float, level: float) -> float:
    """The tissue level, or muscle's if that was fat's: of an unclipped scan 1.16 times as far."""
    way = (tissue - air) / (level - air)
    peak = int((np.abs(way - 1) < 0.02).sum())
    steps = np.arange(1.11, 1.22, 0.01)
    counts = [int((np.abs(way - step) < 0.02).sum()) for step in steps]
    at = int(np.argmax(counts))
    return air + float(steps[at]) * (level - air) if counts[at] > MUSCLE_SHARE * peak else level


def _otsu(values: Values, bottom: float, top: float) -> float:
    counts, edges = np.histogram(values, 128, (bottom, top))
    middle = (edges[1:] + edges[:-1]) / 2
    below, sums = np.cumsum(counts)[:-1], np.cumsum(counts * middle)[:-1]
    n, total = counts.sum(), float((counts * middle).sum())
    apart = np.zeros(len(below))
    both = (below > 0) & (below < n)
    apart[both] = (total * below[both] / n - sums[both]) ** 2 / (below * (n - below))[both]
    return float(edges[1:-1][int(np.argmax(apart))])


def _mode(values: Values, bottom: float, top: float) -> float:
    counts, edges = np.histogram(values, 64, (bottom, max(top, bottom + 1e-6)))
    return float(edges[int(np.argmax(counts))])
