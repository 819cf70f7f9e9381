"""Intervals of the curves and the operating point, by resampling patients."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.roc.config import RocConfig
from labeling.roc.sweep import minutes
from voxcurate.lesions.curves import Floats, Table, sweep_table
from voxcurate.lesions.draws import Counts, band_of, counts_of, grid_of_thresholds, steps_at

BAND = 61  # places of a curve's band
AT_ONCE = 100  # resamples
Interval = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Intervals:
    """95 % percentile intervals over patients; what cannot be told is left out.

    Attributes:
        values: of the operating point (its threshold fixed): ``sensitivity``,
            ``patient_sensitivity``, ``specificity``, ``false_per_scan``, ``left_per_scan``,
            ``minutes_per_scan``; ``auc``; ``threshold`` and ``chosen_false_per_scan``, where it is
            chosen anew in each resample.
        unseen: mean sensitivity, at thresholds chosen in a resample, of the lesions (or patients)
            of the patients that it left out: what to expect of new patients. None if unknown.
        froc: false positives per scan, and lower and upper sensitivity there.
        roc: share of false patients, and lower and upper sensitivity there.
    """

    values: dict[str, Interval]
    unseen: float | None = None
    froc: tuple[Floats, Floats, Floats] | None = None
    roc: tuple[Floats, Floats, Floats] | None = None


def resample(table: Table, config: RocConfig, *, threshold: float | None, seed: int) -> Intervals:
    """Intervals by `config.draws` resamples of the patients, with all their scans.

    Args:
        table: all rows.
        config: draws, costs and the wanted sensitivity.
        threshold: the operating point; None: there is none.
        seed: of the resamples.

    Returns:
        Nothing with fewer than two patients, or no draws.
    """
    n = len(table.patients)
    if n < 2 or not config.draws:
        return Intervals({})
    whole = sweep_table(table)
    grid = grid_of_thresholds(whole, threshold)
    counts = counts_of(table, grid)
    draws: dict[str, list[npt.NDArray[np.float64]]] = {}
    rng = np.random.default_rng(seed)
    rates = np.linspace(0, float(whole.false_per_scan[-1]) if whole.n_scans else 0, BAND)
    shares = np.linspace(0, 1, BAND)
    for first in range(0, config.draws, AT_ONCE):
        size = (min(AT_ONCE, config.draws - first), n)
        drawn = rng.integers(n, size=size)
        times = np.stack([np.bincount(row, minlength=n) for row in drawn]).astype(np.float64)
        for name, value in _of_draws(times, counts, grid, config, threshold, rates, shares).items():
            draws.setdefault(name, []).append(value)
    together = {name: np.concatenate(parts) for name, parts in draws.items()}
    bands = {k: band_of(together.pop(k)) for k in ("froc", "roc")}
    unseen = together.pop("unseen", np.zeros(0))
    values = {k: i for k, v in together.items() if (i := _interval(v)) is not None}
    return Intervals(
        values,
        float(np.nanmean(unseen)) if np.isfinite(unseen).any() else None,
        (rates, *bands["froc"]) if bands["froc"] is not None else None,
        (shares, *bands["roc"]) if bands["roc"] is not None else None,
    )


def _of_draws(
    times: Floats,
    c: Counts,
    grid: Floats,
    config: RocConfig,
    threshold: float | None,
    rates: Floats,
    shares: Floats,
) -> dict[str, Floats]:
    """The figures of some resamples; NaN where one says nothing."""
    is_patient = config.sensitivity_of == "patient"
    positive, negative = c.positive[:, None], 1 - c.positive[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        lesions, scans = times @ c.lesions, times @ c.scans
        found, false, left = times @ c.found, times @ c.false, times @ c.left
        flagged = times @ (c.flagged * positive), times @ (c.flagged * negative)
        n_positive = times @ c.positive
        n_negative = times.sum(1) - n_positive
        sensitivity = found / lesions[:, None]
        patients = flagged[0] / n_positive[:, None]
        wrongly = flagged[1] / n_negative[:, None]
        per_scan = false / scans[:, None]
        result = {
            "auc": _area(wrongly, patients),
            "froc": steps_at(per_scan, sensitivity, rates),
            "roc": steps_at(wrongly, patients, shares),
        }
        if threshold is None:
            return result
        at = int(np.flatnonzero(grid == threshold)[0])
        low, high = minutes(found[:, at], left[:, at], lesions, config)
        level = patients if is_patient else sensitivity
        wanted = np.minimum(config.sensitivity, level[:, -1])
        chosen = np.argmax(level >= wanted[:, None] - 1e-12, axis=1)
        row = np.arange(len(times))
        is_told = level[:, -1] > 0
        away = (times == 0).astype(np.float64)
        hits = away @ (c.flagged * positive if is_patient else c.found)
        total = away @ (c.positive if is_patient else c.lesions)
        return {
            **result,
            "sensitivity": sensitivity[:, at],
            "patient_sensitivity": patients[:, at],
            "specificity": 1 - wrongly[:, at],
            "false_per_scan": per_scan[:, at],
            "left_per_scan": left[:, at] / scans,
            "minutes_per_scan": (low + high) / 2 / scans,
            "threshold": np.where(is_told, grid[chosen], np.nan),
            "chosen_false_per_scan": np.where(is_told, per_scan[row, chosen], np.nan),
            "unseen": np.where(is_told, hits[row, chosen] / total, np.nan),
        }


def _area(x: Floats, y: Floats) -> Floats:
    """Of each row the area under the curve, which ends at (1, 1)."""
    x, y = (np.pad(side, ((0, 0), (0, 1)), constant_values=1.0) for side in (x, y))
    return np.asarray(np.trapezoid(y, x, axis=1))


def _interval(values: Floats) -> Interval | None:
    kept = values[np.isfinite(values)]
    if kept.size < 2:
        return None
    low, high = np.quantile(kept, (0.025, 0.975))
    return float(low), float(high)
