"""What a structure looks like, in numbers: size, place in the body, shape, texture."""

from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.body import BodyFrame
from labeling.expert.support import neighbours
from labeling.structures import Structure, margin_box
from voxcurate.volume import spacing_of

# scatter below which a feature says nothing, in its own unit: voxel effects and annotator taste
FEATURES = {
    "log_ml": 0.15,
    "height_mm": 5.0,
    "width_mm": 4.0,
    "depth_mm": 4.0,
    "place_r": 0.02,
    "place_a": 0.02,
    "place_s": 0.03,
    "loose_share": 0.03,
    "long": 0.15,
    "flat": 0.15,
    "skew_s": 0.15,
    "rough": 0.10,
    "hu_median": 15.0,
    "hu_spread": 15.0,
    "hu_border": 15.0,
    "log_contrast": 0.10,
    "log_rim_spread": 0.10,
}
MARGIN_MM = 6.0
LARGEST_STEP_HU = 300.0  # across a border: bone and air would drown all other borders
LEAST_STEP_HU = 1.0
LEAST_SPREAD_HU = 5.0  # noise: below it a rim is even
LEAST_SD_MM = 1.0
HU_LIMITS = (-1024.0, 2000.0)  # metal and padding would swamp the means


def features(s: Structure, volume: npt.NDArray[Any], frame: BodyFrame) -> npt.NDArray[np.float64]:
    """The feature vector of a non-empty structure, in the order of `FEATURES`.

    Places are relative to the body's middle and width at the structure's height (R, A) and to
    the scan's height (S), so that a scan's origin and a person's build do not count.

    Args:
        s: the structure; an empty one gives NaN.
        volume: the scan's values, ``(I, J, K)``.
        frame: of the scan.
    """
    if s.is_empty:
        return np.full(len(FEATURES), np.nan)
    low, high = s.extent
    size = high - low + np.abs(s.affine[:3, :3]).sum(axis=1)  # one voxel is as large as it is
    r, a, width_r, width_a = frame.around(float(low[2]), float(high[2]))
    tall = max(frame.view[1, 2] - frame.view[0, 2], 1.0)
    long, flat = _axes(s)
    median, spread, border, contrast, rim = _values(s, volume)
    return np.array(
        [
            np.log(s.ml),
            size[2],
            size[0],
            size[1],
            (s.centroid[0] - r) / width_r,
            (s.centroid[1] - a) / width_a,
            (s.centroid[2] - frame.view[0, 2]) / tall,
            float(s.pieces[1][1:].sum() / s.ml),
            long,
            flat,
            _skewness(s.points[:, 2]),
            _roughness(s),
            median,
            spread,
            border,
            contrast,
            rim,
        ]
    )


def _axes(s: Structure) -> tuple[float, float]:
    """Log ratios of the principal axes: longest to middle, middle to shortest."""
    spread = np.cov(s.points.T) if s.voxels > 1 else np.zeros((3, 3))
    voxel = (np.asarray(spacing_of(s.affine)) ** 2).mean() / 12.0  # a voxel is no point
    values = np.sqrt(np.sort(np.linalg.eigvalsh(spread))[::-1].clip(0) + voxel)
    return float(np.log(values[0] / values[1])), float(np.log(values[1] / values[2]))


def _roughness(s: Structure) -> float:
    """Log of the surface (voxel faces) over that of a ball of the same volume."""
    di, dj, dk = spacing_of(s.affine)
    padded = np.pad(s.mask, 1).view(np.int8)
    area = sum(
        float(np.count_nonzero(np.diff(padded, axis=axis))) * face
        for axis, face in enumerate((dj * dk, di * dk, di * dj))
    )
    ball = np.pi ** (1 / 3) * (6.0 * s.ml * 1000.0) ** (2 / 3)
    return float(np.log(area / ball))


def _skewness(heights: npt.NDArray[np.float64]) -> float:
    """Third moment over the cube of the standard deviation: an end that is cut off makes it differ
    from others'."""
    away = heights - heights.mean()
    return float((away**3).mean() / (away.std() + LEAST_SD_MM) ** 3)


def _values(s: Structure, volume: npt.NDArray[Any]) -> tuple[float, float, float, float, float]:
    """Values inside and at the border.

    Median and robust scatter inside; the median step from outside to inside the border; the log of
    the mean size of the step between neighbours across it, for a border that is a little off lies
    in plain tissue; and the log of the scatter of the outermost voxels, for a border too far out
    takes in what lies around.
    """
    box = margin_box(s, MARGIN_MM)
    values = np.clip(volume[box].astype(np.float32), *HU_LIMITS)
    mask = s.within(box)
    shell, core = np.zeros_like(mask), mask.copy()
    total = n = 0.0
    for axis, (low, high) in enumerate(neighbours(mask.ndim)):
        border = mask[low] != mask[high]
        steps = np.abs(values[low][border] - values[high][border])
        total += float(np.minimum(steps, LARGEST_STEP_HU).sum(dtype=np.float64))
        n += steps.size
        shell[low] |= border
        shell[high] |= border
        ends = [slice(None)] * mask.ndim
        for end in (0, -1):  # what touches the edge of the scan is a rim, too
            ends[axis] = slice(end, end + 1 or None)
            core[tuple(ends)] = False
    core &= ~shell
    shell &= ~mask
    inside = values[mask]
    quarter, middle, three = (float(q) for q in np.percentile(inside, [25, 50, 75]))
    outside = float(np.median(values[shell])) if shell.any() else middle
    contrast = float(np.log(max(total / n, LEAST_STEP_HU))) if n else 0.0
    rim = float(np.log(values[mask & ~core].std() + LEAST_SPREAD_HU))
    return middle, (three - quarter) / 1.349, middle - outside, contrast, rim


def hu_median(s: Structure, volume: npt.NDArray[Any]) -> float:
    """Median value inside; NaN if empty."""
    return float(np.median(volume[s.box][s.mask])) if not s.is_empty else float("nan")
