"""Intervals of the curves and the operating point, by resampling patients."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.roc.config import RocConfig
from labeling.roc.sweep import NEVER, Floats, Ints, Sweep, Table, minutes, sweep_table

GRID = 400  # thresholds looked at in a resample
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
    grid = _grid(whole, threshold)
    counts = _counts(table, grid)
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
    bands = {k: _band(together.pop(k)) for k in ("froc", "roc")}
    unseen = together.pop("unseen", np.zeros(0))
    values = {k: i for k, v in together.items() if (i := _interval(v)) is not None}
    return Intervals(
        values,
        float(np.nanmean(unseen)) if np.isfinite(unseen).any() else None,
        (rates, *bands["froc"]) if bands["froc"] is not None else None,
        (shares, *bands["roc"]) if bands["roc"] is not None else None,
    )


@dataclass(frozen=True, eq=False)
class _Counts:
    """Counts of each patient at each threshold of the grid, ``(patients, thresholds)``."""

    found: Floats
    false: Floats
    left: Floats
    flagged: Floats
    lesions: Floats
    scans: Floats
    positive: Floats


def _counts(table: Table, grid: Floats) -> _Counts:
    n = len(table.patients)

    def of(scores: Floats, owners: Ints) -> Floats:
        falling = -grid
        places = np.searchsorted(falling, -scores, "left")  # the first threshold that is reached
        inside = (places < grid.size) & (scores > NEVER)
        cells = np.zeros((n, grid.size))
        np.add.at(cells, (owners[inside], places[inside]), 1.0)
        return np.asarray(np.cumsum(cells, axis=1))

    everyone = np.arange(n)
    left = ~table.is_removed
    return _Counts(
        of(table.lesion_score, table.lesion_of),
        of(table.false_score, table.false_of),
        of(table.false_score[left], table.false_of[left]),
        of(table.patient_score, everyone),
        np.bincount(table.lesion_of, minlength=n).astype(np.float64),
        table.n_scans.astype(np.float64),
        table.is_positive.astype(np.float64),
    )


def _of_draws(
    times: Floats,
    c: _Counts,
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
            "froc": _at(per_scan, sensitivity, rates),
            "roc": _at(wrongly, patients, shares),
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


def _at(x: Floats, y: Floats, places: Floats) -> Floats:
    """Of each row the highest y up to each x: steps, as the curves are."""
    result = np.full((len(x), places.size), np.nan)
    for n, (xs, ys) in enumerate(zip(x, y, strict=True)):
        if not (np.isnan(xs).any() or np.isnan(ys).any()):
            result[n] = ys[np.searchsorted(xs, places + 1e-12, "right") - 1]
    return result


def _grid(whole: Sweep, threshold: float | None) -> Floats:
    """The thresholds looked at: all, or `GRID` of them spread evenly, and the operating point."""
    every = whole.thresholds
    if every.size <= GRID:
        return every
    places = np.unique(np.linspace(0, every.size - 1, GRID).round().astype(int))
    if threshold is not None:
        places = np.union1d(places, np.flatnonzero(every == threshold))
    return np.asarray(every[places])


def _interval(values: Floats) -> Interval | None:
    kept = values[np.isfinite(values)]
    if kept.size < 2:
        return None
    low, high = np.quantile(kept, (0.025, 0.975))
    return float(low), float(high)


def _band(values: Floats) -> tuple[Floats, Floats] | None:
    kept = values[np.isfinite(values).all(axis=1)]
    if len(kept) < 2:
        return None
    low, high = np.quantile(kept, (0.025, 0.975), axis=0)
    return low, high
