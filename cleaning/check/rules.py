"""Is this a usable scan? Rules on one volume, each with what was measured and its limit.

Geometry and structure are checked for every modality; whatever speaks of HU for CT alone. A verdict
is the worst of its reasons: ``reject`` where nothing useful can be learned from the scan or its
values mean something else than HU, ``suspect`` where a person should look but the scan may stay.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check._kernels import NOISE_STEP, neighbour_sums, survey
from cleaning.check.body import body_rules
from cleaning.check.config import CheckConfig
from cleaning.check.hounsfield import BODY_HU, hounsfield
from cleaning.check.reasons import Reason, Severity, Verdict, worst
from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

CHECK_VERSION = "3"
DEFAULT = CheckConfig()
TISSUE_HU = (-200.0, 200.0)
CT_STRUCTURE = {"all_noise", "noise", "shuffled_slices"}  # judged by limits in HU
QUANTISED_LEVELS = 4095
NO_HU = 6000.0  # reached by more than a few voxels of metal: these are no HU
Found = tuple[float, tuple[int, int, int] | None]
FULL_SHARE = 0.1  # of the fullest plane: a plane with something in it
TAPER_SHARE = 0.75  # of the content two planes further: a round end has sqrt(1 / 3) of it
MASKED_SHARE, MASK_CONTRAST_HU, AIR_HU = 0.1, 300.0, -1000
MEASURED_SHARE = 0.2  # of all above -500 HU: where noise can be measured


@dataclass(frozen=True)
class Check:
    """What was found about a scan; `evidence` holds the measured values, broken rules or not."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    evidence: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the ledger."""
        return asdict(self)


def check(volume: Volume, modality: str = "CT", config: CheckConfig = DEFAULT) -> Check:
    """Every rule on one scan.

    Args:
        volume: any voxel type; NaN and infinite values are a reason to reject, not an error.
        modality: DICOM modality; HU rules are for ``CT`` alone.
        config: the limits.
    """
    evidence: dict[str, float] = {}
    reasons = list(_geometry(volume, config, evidence))
    array = volume.array
    n_bad = 0 if array.dtype.kind != "f" else int(array.size - np.isfinite(array).sum())
    evidence["nonfinite_share"] = n_bad / array.size
    if n_bad:
        reasons.append(
            Reason("nan", "reject", n_bad / array.size, 0.0, "values are NaN or infinite")
        )
    low, high = _range(array)
    evidence |= {"min": low, "max": high}
    if low == high:
        reasons.append(Reason("constant", "reject", low, low, "every voxel has the same value"))
    elif not n_bad:
        if modality == "CT":
            volume = _with_air(volume, low)
            array = volume.array
        places = _Places(volume)
        whole, scale = _whole_numbers(array, low, high)
        reasons += _structure(whole, scale, modality, places, config, evidence)
        if modality == "CT":
            values = list(hounsfield(volume, config, evidence))
            if any(reason.code == "mr_values" for reason in values):  # planes of MR, then
                reasons = [r for r in reasons if r.code not in CT_STRUCTURE]
            reasons += values
            # without air and tissue at their HU there is nothing to look at
            if worst(values) != "reject" and "clipped_low" not in {r.code for r in values}:
                reasons += body_rules(volume, config, evidence)
    return Check(worst(reasons), tuple(reasons), {k: float(v) for k, v in evidence.items()})


def _with_air(volume: Volume, low: float) -> Volume:
    """The scan with air around the body, where it was masked with a value of tissue, as 0.

    Such a value fills all corners, and lower ones are found inside; else the scan as it is.
    """
    array = volume.array
    corners = array[np.ix_(*[(0, size - 1) for size in array.shape])]
    value = corners.flat[0]
    is_tissue = BODY_HU < value <= MASK_CONTRAST_HU  # an inverted scan has more around it
    if np.any(corners != value) or not is_tissue or low > value - MASK_CONTRAST_HU:
        return volume
    masked = array == value
    if masked.mean() < MASKED_SHARE:
        return volume
    return volume.with_array(np.where(masked, np.asarray(AIR_HU, array.dtype), array))


class _Places:
    """Where planes of the array lie in RAS order."""

    def __init__(self, volume: Volume) -> None:
        self.order, self.flips = ras_axes(volume.affine)
        self.shape = volume.shape

    def __call__(self, axis: int, first: int, last: int) -> tuple[int, int, int]:
        """Axis and planes in RAS order."""
        at = self.order.index(axis)
        if self.flips[at]:
            first, last = self.shape[axis] - 1 - last, self.shape[axis] - 1 - first
        return at, int(first), int(last)


def _range(array: npt.NDArray[Any]) -> tuple[float, float]:
    if array.dtype.kind == "f":
        finite = array[np.isfinite(array)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return float(array.min()), float(array.max())


@dataclass(frozen=True)
class _Scale:
    """How values became whole numbers: ``(value - low) * factor``."""

    low: float = 0.0
    factor: float = 1.0

    def __call__(self, value: float) -> float:
        return (value - self.low) * self.factor


def _whole_numbers(
    array: npt.NDArray[Any], low: float, high: float
) -> tuple[npt.NDArray[Any], _Scale]:
    """The values as integers in Fortran order; a narrow range of fractions is stretched first."""
    scale = _Scale()
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 4:
        return np.asfortranarray(array), scale
    if array.dtype.kind == "b":
        return np.asfortranarray(array.astype(np.uint8)), scale
    if high - low < QUANTISED_LEVELS / 10:
        scale = _Scale(low, QUANTISED_LEVELS / (high - low))
        array = (array - scale.low) * scale.factor
    whole = np.rint(np.clip(array, -(2**31), 2**31 - 1)).astype(np.int32)
    return np.asfortranarray(whole), scale


def _geometry(volume: Volume, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    spacing, shape = np.array(volume.spacing), np.array(volume.shape)
    extent = spacing * shape
    evidence["min_spacing_mm"], evidence["max_spacing_mm"] = spacing.min(), spacing.max()
    evidence["min_extent_mm"], evidence["max_extent_mm"] = extent.min(), extent.max()
    n_planes = evidence["n_planes"] = int(shape.min())
    if n_planes < config.min_slices:
        yield Reason("few_slices", "reject", n_planes, config.min_slices, "too few planes")
    elif n_planes < config.suspect_slices:
        yield Reason("few_slices", "suspect", n_planes, config.suspect_slices, "few planes")
    if spacing.min() < config.min_spacing_mm:
        limit = config.min_spacing_mm
        yield Reason("spacing", "reject", spacing.min(), limit, "spacing (mm) too small to be true")
    elif spacing.min() < config.suspect_min_spacing_mm:
        limit = config.suspect_min_spacing_mm
        yield Reason("spacing", "suspect", spacing.min(), limit, "spacing (mm) of no body scanner")
    if spacing.max() > config.max_spacing_mm:
        limit = config.max_spacing_mm
        yield Reason("spacing", "reject", spacing.max(), limit, "spacing (mm) too large to be true")
    elif spacing.max() > config.suspect_max_spacing_mm:
        limit = config.suspect_max_spacing_mm
        yield Reason("spacing", "suspect", spacing.max(), limit, "mm from plane to plane: gaps")
    if extent.min() < config.min_extent_mm:
        yield Reason(
            "extent", "suspect", extent.min(), config.min_extent_mm, "extent (mm) too small"
        )
    if extent.max() > config.max_extent_mm:
        yield Reason(
            "extent", "reject", extent.max(), config.max_extent_mm, "extent (mm) too large"
        )


def _structure(
    array: npt.NDArray[Any],
    scale: _Scale,
    modality: str,
    places: _Places,
    config: CheckConfig,
    evidence: dict[str, float],
) -> Iterator[Reason]:
    """Planes and neighbours: what must hold whatever the values mean."""
    threshold = round(scale(BODY_HU)) if modality == "CT" else _most_common(array)
    tissue = scale(TISSUE_HU[0]), scale(TISSUE_HU[1])
    lows, highs, hashes, filled, noise = survey(array.T, threshold, *tissue)
    empty: Found = (0.0, None)
    repeated: Found = (0.0, None)
    for axis, size in enumerate(array.shape[::-1]):
        constant = lows[axis, :size] == highs[axis, :size]
        content = np.where(constant, 0, filled[axis, :size])
        inside = np.flatnonzero(content > FULL_SHARE * content.max())
        if inside.size:  # planes with a few voxels of couch or noise are empty or alike by chance
            between = inside[0] + np.flatnonzero(constant[inside[0] : inside[-1] + 1])
            between = _torn(between, content)
            empty = max(empty, _found(between, inside, 2 - axis, places), key=lambda x: x[0])
            marks = hashes[axis, :size][inside]
            _, back, counts = np.unique(marks, return_inverse=True, return_counts=True)
            alike = inside[counts[back] > 1]
            share = 1 - counts.size / inside.size
            found = _found(alike, inside, 2 - axis, places)
            repeated = max(repeated, (share, found[1]), key=lambda x: x[0])
    evidence["empty_share"], evidence["repeated_share"] = empty[0], repeated[0]
    limit = config.reject_empty_share
    if empty[0]:
        how: Severity = "reject" if empty[0] > limit else "suspect"
        text = "constant planes between others"
        yield Reason("empty_slices", how, empty[0], limit, text, empty[1])
    limit = config.reject_repeated_share
    if repeated[0]:
        how = "reject" if repeated[0] > limit else "suspect"
        text = "planes equal to other planes"
        yield Reason("repeated_slices", how, repeated[0], limit, text, repeated[1])
    bounds = _bounds(array, modality)
    correlation = evidence["neighbour_correlation"] = neighbour_correlation(array, bounds)
    limit = config.reject_neighbour_correlation
    if correlation < limit:
        yield Reason("all_noise", "reject", correlation, limit, "neighbours do not resemble")
        return
    told = modality == "CT" and noise.sum() > MEASURED_SHARE * filled[0].sum()
    sigma = _median(noise) * NOISE_STEP * 1.4826 / scale.factor if told else 0.0
    evidence["noise_hu"] = sigma
    if sigma > config.suspect_noise_hu:
        limit = config.reject_noise_hu
        yield Reason("noise", "reject" if sigma > limit else "suspect", sigma, limit, "noise (HU)")
        return  # noise hides the order of planes
    disorder = evidence["disorder"] = max(disorder_of(array, axis, bounds) for axis in range(3))
    if disorder > config.reject_shuffle:
        limit = config.reject_shuffle
        yield Reason("shuffled_slices", "reject", disorder, limit, "planes out of order")


def _torn(planes: npt.NDArray[np.int64], content: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Those runs of constant planes that end in the full body: legs and masked lungs, which lie
    apart, taper off."""
    last = content.size - 1

    def is_torn(first: int, step: int) -> bool:
        return bool(content[first] > TAPER_SHARE * content[min(max(first + 2 * step, 0), last)])

    runs = [r for r in np.split(planes, np.flatnonzero(np.diff(planes) > 1) + 1) if r.size]
    kept = [r for r in runs if is_torn(r[0] - 1, -1) or is_torn(r[-1] + 1, 1)]
    return np.concatenate(kept) if kept else planes[:0]


def _found(
    planes: npt.NDArray[np.int64], inside: npt.NDArray[np.int64], axis: int, places: _Places
) -> Found:
    """Share of the planes with content, and where they are."""
    if planes.size == 0:
        return 0.0, None
    return planes.size / inside.size, places(axis, int(planes[0]), int(planes[-1]))


def neighbour_correlation(array: npt.NDArray[Any], bounds: tuple[float, float]) -> float:
    """Correlation of voxels with their neighbours along the first axis, values clipped.

    1 for a smooth image, 0 for white noise; 1 where all values are equal.
    """
    if array.shape[0] < 2:
        return 1.0
    n, x, y, xx, yy, xy = neighbour_sums(array.T, *bounds)
    variance = (xx / n - (x / n) ** 2) * (yy / n - (y / n) ** 2)
    return float((xy / n - x * y / n**2) / np.sqrt(variance)) if variance > 0 else 1.0


def disorder_of(
    array: npt.NDArray[Any], axis: int, bounds: tuple[float, float], *, grid: int = 24
) -> float:
    """Mean change to the next plane over mean change to the one after it, or over that to any
    other plane, whichever tells more order.

    At most 0.75 for planes in order, 1 for shuffled ones; 0 where there are fewer than six planes
    or nothing changes. Noise changes from plane to plane too: so planes are compared as pictures
    of block means, and with any other plane, from which an ordered one differs by its anatomy.
    """
    small = _pictures(np.moveaxis(array, axis, 0), bounds, grid)
    if len(small) < 6:
        return 0.0
    near = float(np.abs(small[2:-1] - small[1:-2]).mean() + np.abs(small[1:-2] - small[:-3]).mean())
    far = float(np.abs(small[2:] - small[:-2]).mean())
    lags = np.unique(np.linspace(1, len(small) - 1, 24).astype(int))
    sums = [(float(np.abs(small[lag:] - small[:-lag]).mean()), len(small) - lag) for lag in lags]
    any_other = sum(mean * n for mean, n in sums) / sum(n for _, n in sums)
    least = max(far, any_other)
    return near / 2 / least if least > 0 else 0.0


def _pictures(planes: npt.NDArray[Any], bounds: tuple[float, float], grid: int) -> Any:
    """Planes as pictures of `grid` to ``2 * grid`` block means a side, of 16 voxels where there
    are as many."""
    steps = [max(1, size // (4 * grid)) for size in planes.shape[1:]]
    some = np.clip(planes[:, :: steps[0], :: steps[1]].astype(np.float32), *bounds)
    a, b = (max(1, min(4, size // 8)) for size in some.shape[1:])
    i, j = some.shape[1] // a * a, some.shape[2] // b * b
    return some[:, :i, :j].reshape(len(some), i // a, a, j // b, b).mean(axis=(2, 4))


def _bounds(array: npt.NDArray[Any], modality: str) -> tuple[float, float]:
    """What lies beyond is metal, padding or an outlier."""
    step = max(1, round((array.size / 200_000) ** (1 / 3)))
    low, high = np.quantile(array[::step, ::step, ::step], (0.005, 0.995))
    if modality == "CT" and high < NO_HU:
        return -1500.0, 1500.0
    return (float(low), float(high)) if high > low else (float(array.min()), float(array.max()))


def _most_common(array: npt.NDArray[Any]) -> int:
    step = max(1, round((array.size / 200_000) ** (1 / 3)))
    values, counts = np.unique(array[::step, ::step, ::step], return_counts=True)
    return int(values[np.argmax(counts)])


def _median(hist: npt.NDArray[np.int64]) -> float:
    return float(np.searchsorted(np.cumsum(hist), hist.sum() / 2)) if hist.any() else 0.0
