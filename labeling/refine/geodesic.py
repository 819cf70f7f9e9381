"""The default refiner: the border that costs least within a band, by values, label and models.

What was drawn too large or too small is often so all around. So there are several starts: the
label as drawn; its border moved as a whole (and smoothed) to where the scan's values change clearly
more across it; and the label evened out, and larger and smaller by some mm. In a band around each
the surface of least cost is found: a geodesic
active contour (Caselles et al. 1997) at its global minimum (Bresson et al. 2007), the area
weighted by how smooth the values are, against what each voxel's value, the label and the models'
probability say. Which of them is right, if any, is for the judge to say.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from labeling.refine.border import Border, Floats, Mask, Proposals
from labeling.refine.config import RefineConfig
from labeling.refine.points import Points

NEAR_MM = 6.0  # scatter of the window in which inside and outside are compared
NOISE_HU = 20.0  # scatter of values that is always there
LARGEST_ODDS = 4.0  # of one voxel's value
LARGEST_DEPTH = 3.0  # of label_mm: the label says no more of what lies deeper
LARGEST_MODEL_ODDS = 3.0
FLAT = 0.1  # what a border costs across an edge, of what it costs in plain tissue
SMOOTHINGS_MM = (0.0, 2.5, 5.0)
EVEN_MM = 2.5  # wider than a frayed border's teeth
SIZES = (0.15, 6.0)  # of the label's volume, that a moved one may have
LARGEST_STEP_HU = 300.0  # across a border: bone and air would drown all other borders
DETERRENT = 0.01  # of the log of the step, per mm of moving


class GeodesicRefiner:
    """`labeling.refine.methods.Refiner` without weights."""

    name = "geodesic"
    version = "1"

    def __init__(self, config: RefineConfig | None = None) -> None:
        self.config = config or RefineConfig()

    def refine(self, border: Border, points: Points) -> Proposals:
        """Masks in the border's box: from the label as drawn, from where the scan is sharper, and
        from the label made larger and smaller."""
        config = self.config
        found: Proposals = {}
        for name, start in starts(border, config):
            here = border if start is border.mask else border.moved(start)
            if here.inside.any():
                positive, negative = points.mask(here, positive=True), points.mask(here)
                u = _minimum(here, config, positive, negative)
                found[name] = here.closed(u > 0.5)
        return found


def starts(border: Border, config: RefineConfig) -> Iterator[tuple[str, Mask]]:
    """Named masks, around each of which the border is drawn anew."""
    from scipy import ndimage

    yield "as_drawn", border.mask
    sharper = moved(border, config.reach_mm, config.reach_gain)
    if sharper is not border.mask:
        yield "sharper", sharper
    depth = ndimage.gaussian_filter(border.depth, EVEN_MM / border.spacing, truncate=3.0)
    for mm in config.moves_mm:
        mask = (depth > -mm) & ~border.taken
        if mask.any():
            yield f"{'larger' if mm > 0 else 'smaller' if mm < 0 else 'even'}_{abs(mm):g}mm", mask


def moved(border: Border, reach_mm: float, gain: float) -> Mask:
    """The label's mask, or it moved as a whole to where the scan is sharper.

    Args:
        border: of the label.
        reach_mm: how far at most.
        gain: by how much the log of the mean step across the border must grow.
    """
    best, found = sharpness(border, border.mask) + gain, border.mask
    n = np.count_nonzero(border.mask)
    for level, mask in _levels(border, reach_mm):
        size = np.count_nonzero(mask)
        if SIZES[0] * n <= size <= SIZES[1] * n:
            score = sharpness(border, mask) - DETERRENT * abs(level)
            if score > best:
                best, found = score, mask
    return found


def sharpness(border: Border, mask: Mask) -> float:
    """Log of the mean step of the values across a mask's border, and by how much the models'
    probability falls there."""
    total = fall = n = 0.0
    for axis in range(3):
        low, high = (np.moveaxis(mask, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        edge = low != high
        values = np.moveaxis(border.values, axis, 0)
        steps = np.abs(values[:-1][edge] - values[1:][edge])
        total += float(np.minimum(steps, LARGEST_STEP_HU).sum(dtype=np.float64))
        n += steps.size
        if border.chance is not None:
            chance = np.moveaxis(border.chance, axis, 0)
            way = np.where(low[edge], 1.0, -1.0)
            fall += float((way * (chance[:-1][edge] - chance[1:][edge])).sum(dtype=np.float64))
    return float(np.log(max(total / n, 1.0))) + fall / n if n else -np.inf


def _levels(border: Border, reach_mm: float) -> Iterator[tuple[float, Mask]]:
    from scipy import ndimage

    if not reach_mm:
        return
    step = float(border.spacing.min()) / 2.0
    n = int(reach_mm / step)
    for sigma in SMOOTHINGS_MM:
        depth = np.clip(border.depth, -2.0 * reach_mm, 2.0 * reach_mm)
        if sigma:
            depth = ndimage.gaussian_filter(depth, sigma / border.spacing, truncate=3.0)
        for k in range(-n, n + 1):
            yield k * step, (depth > k * step) & ~border.taken


def _minimum(border: Border, config: RefineConfig, positive: Mask, negative: Mask) -> Floats:
    """How much each voxel is inside, 0 to 1, at the least cost."""
    from labeling.refine._kernel import minimise

    inside = (border.inside | positive) & ~negative
    free = border.free & ~positive & ~negative
    cost = np.where(free, _costs(border, config), np.float32(0.0))
    start = np.where(free, border.mask, inside).astype(np.float32)
    weights = _weights(border, config)
    size = float(np.sqrt((weights.astype(np.float64) ** 2).sum(axis=0).max()))
    if not free.any():
        return start
    padded = [np.pad(a, 1, mode="edge") for a in (start, cost)]
    weights = np.pad(weights, ((0, 0), (1, 1), (1, 1), (1, 1)))
    free = np.pad(free, 1)
    strides = np.array(free.strides, np.int64)
    flat = np.flatnonzero(free)
    touched = np.unique(np.concatenate([flat, *(flat - s for s in strides)]))
    step = 1.0 / max(2.0 * size, 1e-6)
    u = minimise(
        padded[1].ravel(), weights.reshape(3, -1), free.ravel(), touched, strides,
        padded[0].ravel(), config.steps, step,
    )  # fmt: skip
    found: Floats = u.reshape(free.shape)[1:-1, 1:-1, 1:-1]
    return found


def _costs(border: Border, config: RefineConfig) -> Floats:
    """What each voxel costs inside: negative where values, label and models say that it is."""
    depth = np.clip(border.depth / config.label_mm, -LARGEST_DEPTH, LARGEST_DEPTH)
    gain = config.scan_weight * odds_of_values(border) + config.label_weight * depth
    if border.chance is not None and config.model_weight:
        chance = np.clip(border.chance, 0.002, 0.998)
        odds = np.clip(np.log(chance / (1 - chance)), -LARGEST_MODEL_ODDS, LARGEST_MODEL_ODDS)
        gain = gain + config.model_weight * odds
    return np.asarray(-gain, np.float32)


def odds_of_values(border: Border) -> Floats:
    """Log-likelihood ratio of each voxel's value: as inside nearby against as outside nearby."""
    inner, outer = (_local(border.values, m, border.spacing) for m in (border.inside, _far(border)))
    values = border.values[border.inside]
    middle = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - middle)))
    share = np.clip(inner[2] / 0.02, 0, 1)  # far from all of the inside: as it is anywhere
    mean = share * inner[0] + (1 - share) * middle
    variance = share * inner[1] + (1 - share) * spread**2 + NOISE_HU**2
    other = outer[1] + NOISE_HU**2
    odds = (border.values - outer[0]) ** 2 / other - (border.values - mean) ** 2 / variance
    odds = 0.5 * (odds + np.log(other) - np.log(variance))
    known = np.clip(outer[2] / 0.02, 0, 1)
    return np.asarray(known * np.clip(odds, -LARGEST_ODDS, LARGEST_ODDS), np.float32)


def _far(border: Border) -> Mask:
    """What the inside is compared with: outside, but near."""
    found: Mask = border.outside & (border.depth > -3.0 * border.band_mm)
    return found


def _local(
    values: Floats, where: Mask, spacing: npt.NDArray[np.float64]
) -> tuple[Floats, Floats, Floats]:
    """Mean, variance and weight of the values in a part, seen from each voxel."""
    from scipy import ndimage

    part = where.astype(np.float32)
    weight, total, squares = (
        ndimage.gaussian_filter(a, NEAR_MM / spacing, truncate=2.5)
        for a in (part, part * values, part * values**2)
    )
    safe = np.maximum(weight, 1e-6)
    mean = np.asarray(total / safe, np.float32)
    variance = np.maximum(squares / safe - mean**2, 0.0)
    return mean, np.asarray(variance, np.float32), weight


def _weights(border: Border, config: RefineConfig) -> Floats:
    """What a border between neighbours costs, ``(3, I, J, K)``: little across an edge."""
    found = np.zeros((3, *border.values.shape), np.float32)
    spacing = border.spacing
    for axis in range(3):
        step = np.diff(border.values, axis=axis) / config.contrast_hu
        cost = np.maximum(np.exp(-0.5 * step**2), FLAT)
        target = np.moveaxis(found[axis], axis, 0)
        target[:-1] = np.moveaxis(cost, axis, 0) * (spacing.mean() / spacing[axis])
    return np.asarray(config.smoothness * found, np.float32)
