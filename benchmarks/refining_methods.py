"""What refinement is compared with: thresholds, smoothing, random walker, geodesic distance,
level set. Each has a border and points in, a mask out, as `labeling.refine.methods.Refiner`."""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from labeling.refine.border import Border, Mask
from labeling.refine.geodesic import moved, odds_of_values
from labeling.refine.points import Points

SMOOTH_MM = 2.5
SOFT_TISSUE = (-200.0, 400.0)


def value_threshold(border: Border, points: Points) -> Mask:
    """What is more like the inside nearby than like the outside nearby."""
    return border.closed(np.where(border.free, odds_of_values(border) > 0, border.inside))


def probability_threshold(border: Border, points: Points) -> Mask:
    """The models' mask within the band; the label without models."""
    if border.chance is None:
        return border.mask
    return border.closed(np.where(border.free, border.chance >= 0.5, border.inside))


def smoothed(border: Border, points: Points) -> Mask:
    """A Gaussian of the label above one half."""
    from scipy import ndimage

    soft = ndimage.gaussian_filter(border.mask.astype(np.float32), SMOOTH_MM / border.spacing)
    return np.asarray(soft > 0.5)


def offset(border: Border, points: Points) -> Mask:
    """The border moved as a whole, as `labeling.refine.geodesic` begins."""
    return moved(border, 10.0, 0.15)


def random_walker(border: Border, points: Points) -> Mask:
    """Grady's random walker (2006) of scikit-image."""
    import warnings

    from skimage.segmentation import random_walker as walk

    seeds = np.zeros(border.mask.shape, np.int32)
    seeds[border.inside], seeds[border.outside] = 1, 2
    if not all((seeds == n).any() for n in (0, 1, 2)):
        return border.mask
    values = np.clip(border.values, *SOFT_TISSUE) / 600.0
    steps = tuple(border.spacing / border.spacing.min())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = walk(values, seeds, beta=130, mode="cg_j", tol=1e-3, spacing=steps)
    return border.closed(found == 1)


def geodesic_distance(border: Border, points: Points) -> Mask:
    """Nearer to the inside than to the outside, by the shortest way over the values."""
    values = np.clip(border.values, *SOFT_TISSUE)
    near, far = (
        _distance(seeds, values, border.spacing, 10.0) for seeds in (border.inside, border.outside)
    )
    return border.closed(np.where(border.free, near < far, border.inside))


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _distance(
    seeds: npt.NDArray[np.bool_], values: npt.NDArray[Any], spacing: npt.NDArray[Any], hu: float
) -> Any:
    """Raster scans in both directions over 26 neighbours; `hu` of a step count as one mm."""
    n_i, n_j, n_k = values.shape
    found = np.where(seeds, np.float32(0), np.float32(1e9))
    for scan in range(8):
        for a in range(n_i):
            i = a if scan % 2 == 0 else n_i - 1 - a
            for b in range(n_j):
                j = b if scan % 2 == 0 else n_j - 1 - b
                for c in range(n_k):
                    k = c if scan % 2 == 0 else n_k - 1 - c
                    best = found[i, j, k]
                    for x in range(max(0, i - 1), min(n_i, i + 2)):
                        for y in range(max(0, j - 1), min(n_j, j + 2)):
                            for z in range(max(0, k - 1), min(n_k, k + 2)):
                                if found[x, y, z] < best:
                                    way = ((x - i) * spacing[0]) ** 2 + ((y - j) * spacing[1]) ** 2
                                    way += ((z - k) * spacing[2]) ** 2
                                    way += ((values[x, y, z] - values[i, j, k]) / hu) ** 2
                                    best = min(best, found[x, y, z] + np.sqrt(way))
                    found[i, j, k] = best
    return found


def level_set(border: Border, points: Points) -> Mask:
    """ITK's geodesic active contour from the label's signed distance."""
    import SimpleITK

    def image(array: npt.NDArray[Any]) -> Any:
        made = SimpleITK.GetImageFromArray(np.ascontiguousarray(array.astype(np.float32)))
        made.SetSpacing([float(step) for step in border.spacing[::-1]])
        return made

    values = image(np.clip(border.values, *SOFT_TISSUE))
    edges = SimpleITK.GetArrayFromImage(SimpleITK.GradientMagnitudeRecursiveGaussian(values, 1.0))
    middle = max(float(np.median(edges[np.abs(border.depth) < border.band_mm])), 1.0)
    speed = image(1.0 / (1.0 + edges / middle))
    found = SimpleITK.GeodesicActiveContourLevelSet(
        image(-border.depth), speed, 0.01, 0.0, 0.5, 2.0, 60
    )
    inner = SimpleITK.GetArrayFromImage(found) < 0
    return border.closed(np.where(border.free, inner, border.inside))


BASELINES: dict[str, Callable[[Border, Points], Mask]] = {
    "values": value_threshold,
    "probability": probability_threshold,
    "smoothed": smoothed,
    "offset": offset,
    "walker": random_walker,
    "distance": geodesic_distance,
    "level set": level_set,
}
