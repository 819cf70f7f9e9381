"""Planes and their neighbours: what must hold of every scan, whatever its values mean.

Empty and repeated planes, a blank end, planes out of order, noise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check._kernels import NOISE_STEP, neighbour_sums, survey
from cleaning.check.config import CheckConfig
from cleaning.check.hounsfield import BODY_HU
from cleaning.check.reasons import Reason, Severity
from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

TISSUE_HU = (-200.0, 200.0)
QUANTISED_LEVELS = 4095
LEAST_RANGE = 1e-30  # of values that are told apart
WHOLE = (-(2**31), 2**31 - 128)  # of int32 as float32 can tell
NO_HU = 6000.0  # reached by more than a few voxels of metal: these are no HU
Found = tuple[float, tuple[int, int, int] | None]
FULL_SHARE = 0.1  # of the fullest plane: a plane with something in it
TAPER_SHARE = 0.75  # of the content two planes further: a round end has sqrt(1 / 3) of it
MEASURED_SHARE = 0.2  # of all above -500 HU: where noise can be measured


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
        scale = _Scale(low, QUANTISED_LEVELS / max(high - low, LEAST_RANGE))
        array = (array - scale.low) * scale.factor
    whole = np.rint(np.clip(array, *WHOLE)).astype(np.int32)
    return np.asfortranarray(whole), scale


def structure(
    volume: Volume, modality: str, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    """Rules on planes and neighbours.

    Args:
        volume: finite values, not all the same.
        modality: limits in HU, and the axis along the body, are for ``CT`` alone.
        config: the limits.
        evidence: measured values so far (``min``, ``max``); more are added.
    """
    array, scale = _whole_numbers(volume.array, evidence["min"], evidence["max"])
    threshold = _most_common(array)
    if modality == "CT":
        threshold = round(float(np.clip(scale(BODY_HU), *WHOLE)))
    tissue = scale(TISSUE_HU[0]), scale(TISSUE_HU[1])
    lows, highs, hashes, filled, noise = survey(array.T, threshold, *tissue)
    axes = [
        _Axis(lows[n, :size] == highs[n, :size], hashes[n, :size], filled[n, :size], 2 - n)
        for n, size in enumerate(array.shape[::-1])
    ]
    places = _Places(volume)
    yield from _empty_and_repeated(axes, places, config, evidence)
    if modality == "CT":
        yield from _blank_end(axes, places, config, evidence)
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


@dataclass(frozen=True, eq=False)
class _Axis:
    """Per plane across one axis of the array: all of one value; hash; voxels of the body."""

    constant: npt.NDArray[np.bool_]
    hashes: npt.NDArray[np.uint64]
    filled: npt.NDArray[np.int64]
    axis: int

    @property
    def content(self) -> npt.NDArray[np.int64]:
        """Voxels of the body, none in constant planes."""
        return np.where(self.constant, 0, self.filled)

    @property
    def inside(self) -> npt.NDArray[np.intp]:
        """Planes with something in them."""
        return np.flatnonzero(self.content > FULL_SHARE * self.content.max())


def _empty_and_repeated(
    axes: Sequence[_Axis], places: _Places, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    empty: Found = (0.0, None)
    repeated: Found = (0.0, None)
    for one in axes:
        inside = one.inside
        if inside.size:  # planes with a few voxels of couch or noise are empty or alike by chance
            between = inside[0] + np.flatnonzero(one.constant[inside[0] : inside[-1] + 1])
            between = _torn(between, one.content)
            empty = max(empty, _found(between, inside, one.axis, places), key=lambda x: x[0])
            _, back, counts = np.unique(one.hashes[inside], return_inverse=True, return_counts=True)
            alike = inside[counts[back] > 1]
            share = 1 - counts.size / inside.size
            found = _found(alike, inside, one.axis, places)
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


def _blank_end(
    axes: Sequence[_Axis], places: _Places, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    """Planes without a body after the full body, at the head's or feet's end.

    Beyond a head or feet, which taper off, an empty end is no fault.
    """
    one = next(one for one in axes if one.axis == places.order[2])
    content, inside, n = one.content, one.inside, one.content.size
    evidence["blank_end_share"] = 0.0
    if not inside.size:
        return
    for edge, step in ((int(inside[0]), -1), (int(inside[-1]), 1)):
        beyond = np.arange(0, edge) if step < 0 else np.arange(edge + 1, n)
        if not beyond.size or not _is_torn(content, edge, -step):
            continue
        share = beyond.size / n
        evidence["blank_end_share"] = max(share, evidence["blank_end_share"])
        if share > config.suspect_blank_end:
            text = "share of planes beyond the full body that hold none: cut short, or padded"
            span = places(one.axis, int(beyond[0]), int(beyond[-1]))
            yield Reason("blank_end", "suspect", share, config.suspect_blank_end, text, span)


def _torn(planes: npt.NDArray[np.int64], content: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Those runs of constant planes that end in the full body: legs and masked lungs, which lie
    apart, taper off."""
    runs = [r for r in np.split(planes, np.flatnonzero(np.diff(planes) > 1) + 1) if r.size]
    kept = [r for r in runs if _is_torn(content, r[0] - 1, -1) or _is_torn(content, r[-1] + 1, 1)]
    return np.concatenate(kept) if kept else planes[:0]


def _is_torn(content: npt.NDArray[np.int64], first: int, step: int) -> bool:
    """Whether the body is as full on its first plane after a gap as two planes further."""
    further = min(max(first + 2 * step, 0), content.size - 1)
    return bool(content[first] > TAPER_SHARE * content[further])


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
