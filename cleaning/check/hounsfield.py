"""Are a CT's values Hounsfield units? Rules on range, clipping, 8 bits, offset and body."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check._kernels import histogram
from cleaning.check.config import CheckConfig
from cleaning.check.reasons import Reason, Severity
from voxcurate.volume import Volume

AIR_HU = (-1060, -900)
SOFT_HU = (-160, 160)
BETWEEN_HU = (-880, -200)  # little of a body: lungs and edges
BODY_HU = -500
MOST_SOFT = 0.02  # of a CT moved down: only dense bone is found there
MIN_MOVED_HU, MAX_MOVED_HU, MIN_AIR = 700, 3500, 0.02
CLIPPED_BELOW_HU = 1300  # scanners end at 1600, 3071 and above
FLOOR_ABOVE_HU = -850
METAL_HU = 4000
MIN_WRAPPED = 3  # values below any padding, each its own
DEEPEST_HU = -3100  # scanners pad with -1024, -2000, -2048, -3024, -3072
MASKED_SHARE = 0.3
LEAST_NOISE_HU = 2.5  # a scan whose values were divided has less
MOST_METAL, METAL_PLAUSIBLE = 0.15, 0.5  # of the voxels; of what is no metal
LUNG_HU = (-900, -500)
PADDING_SHARE = 0.97  # of what is deeper than air
NARROWEST_HU = 100  # of a window that somebody may have clipped to
MIN_8BIT, MAX_8BIT = 15, 255  # of a maximum: values up to 1 are normalised, not 8-bit
HIST_LOW, HIST_HIGH = -32768, 32768  # bins of the histogram of int16
MR_FLOOR = 50  # a resampled MR rings a little below 0


def hounsfield(volume: Volume, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    """Whether the values of a scan are HU, and of a body.

    Args:
        volume: a scan whose values are finite and not all the same.
        config: the limits.
        evidence: measured values so far (``min``, ``max``, ``noise_hu``); more are added.
    """
    hist = _histogram(volume.array)
    low, high = int(evidence["min"]), int(evidence["max"])
    flat = evidence["flat_share"] = flat_share(volume.array)
    n_values = evidence["n_values"] = int(np.count_nonzero(hist))
    is_map = low >= 0 and n_values <= config.max_labels and flat > config.reject_label_flatness
    if is_map and high - low < HIST_HIGH and _is_whole(volume.array):
        yield Reason("label_map", "reject", n_values, 0, "values of a label map, not HU")
        return
    spread = evidence["mr_spread"] = mr_spread(volume.array)
    looks_spread = low >= -MR_FLOOR and spread > config.min_mr_spread
    if looks_spread and not _is_windowed(hist) and not _is_moved_ct(hist):
        text = "values as of MR: from 0 up, no air at -1000, no narrow peak of soft tissue"
        yield Reason("mr_values", "reject", spread, config.min_mr_spread, text)
        return
    deep = evidence["deep_share"] = float(hist[: DEEPEST_HU - HIST_LOW].sum() / hist.sum())
    if deep > config.max_deep_share:
        if not _is_padding(hist):
            text = "share of voxels below any air or padding (-3100)"
            yield Reason("not_hu", "reject", deep, config.max_deep_share, text)
            return
        text = f"share of voxels padded with an unusual value ({low} HU)"
        yield Reason("odd_padding", "suspect", deep, config.max_deep_share, text)
    elif np.count_nonzero(hist[: DEEPEST_HU - HIST_LOW]) >= MIN_WRAPPED:
        text = "share of voxels below -3100 HU, of many values: metal beyond what the type can hold"
        yield Reason("overflow", "suspect", deep, 0.0, text)
    sigma = evidence.get("noise_hu", 0.0)
    noisy = sigma > config.suspect_noise_hu  # then air itself reaches far below -1100 HU
    padding = evidence["padding_share"] = 0.0 if noisy else _drop_padding(hist)
    if not hist.any():
        yield Reason("no_body", "reject", padding, 1.0, "nothing but padding")
        return
    clipping = list(_clipping(hist, config, evidence))
    yield from clipping
    span = evidence["range_hu"] = _quantile(hist, 0.999) - _quantile(hist, 0.005)
    if low >= 0 and MIN_8BIT < high <= MAX_8BIT:
        yield Reason("eight_bit", "reject", high, MAX_8BIT, "values of 8 bits, not HU")
        return
    if span < config.min_range_hu and (len(clipping) < 2 or span < NARROWEST_HU):
        is_soft = sigma > LEAST_NOISE_HU and abs(_quantile(hist, 0.5)) < SOFT_HU[1]
        how: Severity = "suspect" if is_soft and span >= NARROWEST_HU and low < 0 else "reject"
        yield Reason("not_hu", how, span, config.min_range_hu, "range (HU) too narrow")
        if how == "reject":
            return
    if evidence["floor_share"] > MASKED_SHARE:  # a masked background says nothing about HU
        hist[np.flatnonzero(hist)[0]] = 0
    above = evidence["metal_share"] = float(hist[METAL_HU - HIST_LOW :].sum() / hist.sum())
    if above > config.max_metal_share:
        hist[METAL_HU - HIST_LOW :] = 0
        is_metal = above < MOST_METAL and _best_offset(hist, 0.0)[0] > METAL_PLAUSIBLE
        how = "suspect" if is_metal else "reject"
        code = "metal" if how == "suspect" else "not_hu"
        yield Reason(code, how, above, config.max_metal_share, "share of voxels above 4000 HU")
        if how == "reject":
            return
    plausible, offset, gain = _best_offset(hist, sigma if noisy else 0.0)
    if evidence["floor_share"] > MASKED_SHARE:  # lungs alone may be left
        plausible += float(hist[LUNG_HU[0] - HIST_LOW : LUNG_HU[1] - HIST_LOW].sum() / hist.sum())
    evidence |= {"plausible_share": plausible, "offset_hu": offset, "offset_gain": gain}
    # noisy air and lungs spread further than soft tissue does: where there is some, they are air
    soft = float(hist[SOFT_HU[0] - HIST_LOW : SOFT_HU[1] - HIST_LOW].sum() / hist.sum())
    is_moved = abs(offset) >= config.min_offset_hu and gain > config.offset_gain
    if is_moved and (offset > 0 or soft < MOST_SOFT):
        yield Reason("hu_offset", "reject", offset, config.min_offset_hu, "air or tissue off (HU)")
        return
    if plausible < config.min_plausible_share:
        limit = config.min_plausible_share
        yield Reason("not_hu", "reject", plausible, limit, "few voxels are air, fat or soft tissue")
    body = evidence["body_ml"] = body_ml(volume)
    if body < config.min_body_ml:
        yield Reason("no_body", "reject", body, config.min_body_ml, "body (mL) above -500 HU")


def _clipping(
    hist: npt.NDArray[np.int64], config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    filled = np.flatnonzero(hist)
    total = hist.sum()
    low, high = int(filled[0]) + HIST_LOW, int(filled[-1]) + HIST_LOW
    at_top = evidence["top_share"] = hist[filled[-1]] / total
    at_floor = evidence["floor_share"] = hist[filled[0]] / total
    if high < CLIPPED_BELOW_HU and at_top > config.suspect_clipped_share:
        limit = config.suspect_clipped_share
        yield Reason("clipped_high", "suspect", at_top, limit, f"voxels at the maximum, {high} HU")
    if low > FLOOR_ABOVE_HU and at_floor > config.suspect_floor_share:
        limit = config.suspect_floor_share
        yield Reason("clipped_low", "suspect", at_floor, limit, f"voxels at the minimum, {low} HU")


def flat_share(array: npt.NDArray[Any]) -> float:
    """Share of voxels equal to the next one along the first axis, among those that are not the most
    common value; 0 where all are."""
    step = max(1, round((array.size / 2_000_000) ** (1 / 3)))
    part = array[:, ::step, ::step]
    values, counts = np.unique(part[:: max(1, step)], return_counts=True)
    inside = part[:-1] != values[int(np.argmax(counts))]
    return float((part[:-1] == part[1:])[inside].mean()) if inside.any() else 0.0


def mr_spread(array: npt.NDArray[Any]) -> float:
    """Interquartile range over median of the values above a tenth of the 99 % quantile.

    In a CT moved up by 1000 HU or so most tissue lies within 10 % of its mean; in MR the tissues
    are spread over the whole range. 0 where nothing is positive.
    """
    step = max(1, round((array.size / 1_000_000) ** (1 / 3)))
    part = array[::step, ::step, ::step]
    positive = part[part > 0]
    if positive.size == 0:
        return 0.0
    bright = positive[positive > np.quantile(positive, 0.99) / 10]
    q1, q2, q3 = np.quantile(bright, (0.25, 0.5, 0.75))
    return float((q3 - q1) / q2)


def _is_windowed(hist: npt.NDArray[np.int64]) -> bool:
    """Piled up at both ends: a CT through a display window."""
    filled = np.flatnonzero(hist)
    ends = hist[filled[[0, -1]]] / hist.sum()
    return bool(ends[0] > 0.02 and ends[1] > 0.002)


def _is_moved_ct(hist: npt.NDArray[np.int64]) -> bool:
    """Air and soft tissue stand apart as in a CT to which some 1000 HU were added."""
    _, offset, _ = _best_offset(hist, 0.0)
    if not MIN_MOVED_HU <= offset <= MAX_MOVED_HU:
        return False
    running = np.concatenate(([0], np.cumsum(hist))) / hist.sum()

    def share(low: int, high: int) -> float:
        a, b = (int(np.clip(v + offset - HIST_LOW, 0, hist.size)) for v in (low, high + 1))
        return float(running[b] - running[a])

    soft = share(*SOFT_HU)
    return share(*AIR_HU) > MIN_AIR and soft > 0.5 * (soft + share(*BETWEEN_HU))


def _is_whole(array: npt.NDArray[Any]) -> bool:
    return array.dtype.kind in "iub" or bool((array[::3, ::3] == np.rint(array[::3, ::3])).all())


def body_ml(volume: Volume) -> float:
    """Volume in mL of the largest connected body above -500 HU, on a grid of about 4 mm."""
    import cc3d

    steps = [max(1, round(4.0 / spacing)) for spacing in volume.spacing]
    coarse = volume.array[tuple(slice(None, None, step) for step in steps)] > BODY_HU
    if not coarse.any():
        return 0.0
    counts = np.bincount(cc3d.connected_components(coarse, connectivity=6).ravel())[1:]
    return float(counts.max() * np.prod(steps) * volume.voxel_ml)


def _histogram(array: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    values = array.reshape(-1, order="A") if array.flags.f_contiguous else array.ravel()
    if values.dtype.kind in "iu":
        return histogram(values, HIST_LOW, -2 * HIST_LOW)
    hist = np.zeros(-2 * HIST_LOW, np.int64)
    for start in range(0, values.size, 1 << 22):
        part = np.rint(np.clip(values[start : start + (1 << 22)], HIST_LOW, -HIST_LOW - 1))
        hist += np.bincount(part.astype(np.int64) - HIST_LOW, minlength=hist.size)
    return hist


def _is_padding(hist: npt.NDArray[np.int64]) -> bool:
    """All that is deeper than air is one value, as -8192 or -32768."""
    lowest = int(np.flatnonzero(hist)[0])
    below = hist[: -1100 - HIST_LOW].sum()
    return bool(hist[lowest] > PADDING_SHARE * below)


def _drop_padding(hist: npt.NDArray[np.int64]) -> float:
    """Empty the bins below -1100 HU, which no matter has; their share."""
    below = slice(0, -1100 - HIST_LOW)
    share = float(hist[below].sum() / hist.sum())
    hist[below] = 0
    return share


def _best_offset(hist: npt.NDArray[np.int64], sigma: float) -> tuple[float, float, float]:
    """Share of air, fat and soft tissue as is; the offset that explains most; how much more.

    Noise (HU) widens the two ranges alike.
    """
    half = round(1.5 * sigma)
    ranges = [
        (min(low, (low + high) // 2 - half), max(high, (low + high) // 2 + half))
        for low, high in (AIR_HU, SOFT_HU)
    ]
    running = np.concatenate(([0], np.cumsum(hist))) / hist.sum()

    def share(offset: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        found = np.zeros(offset.shape)
        for low, high in ranges:
            a = np.clip(low + offset - HIST_LOW, 0, hist.size)
            b = np.clip(high + 1 + offset - HIST_LOW, 0, hist.size)
            found += running[b] - running[a]
        return found

    offsets = np.arange(-3000, 9001, 8)
    shares = share(offsets)
    here = float(share(np.array([0]))[0])
    best = int(np.argmax(shares))
    return here, float(offsets[best]), float(shares[best] - here)


def _quantile(hist: npt.NDArray[np.int64], q: float) -> float:
    return float(np.searchsorted(np.cumsum(hist), q * hist.sum()) + HIST_LOW)
