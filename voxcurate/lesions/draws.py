"""Counts of patients at thresholds, for resamples of the patients."""

from dataclasses import dataclass

import numpy as np

from voxcurate.lesions.curves import NEVER, Floats, Ints, Sweep, Table

GRID = 400  # thresholds looked at in a resample


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of each patient at each threshold of the grid, ``(patients, thresholds)``."""

    found: Floats
    false: Floats
    left: Floats
    flagged: Floats
    lesions: Floats
    scans: Floats
    positive: Floats


def counts_of(table: Table, grid: Floats) -> Counts:
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
    return Counts(
        of(table.lesion_score, table.lesion_of),
        of(table.false_score, table.false_of),
        of(table.false_score[left], table.false_of[left]),
        of(table.patient_score, everyone),
        np.bincount(table.lesion_of, minlength=n).astype(np.float64),
        table.n_scans.astype(np.float64),
        table.is_positive.astype(np.float64),
    )


def steps_at(x: Floats, y: Floats, places: Floats) -> Floats:
    """Of each row the highest y up to each x: steps, as the curves are."""
    result = np.full((len(x), places.size), np.nan)
    for n, (xs, ys) in enumerate(zip(x, y, strict=True)):
        if not (np.isnan(xs).any() or np.isnan(ys).any()):
            result[n] = ys[np.searchsorted(xs, places + 1e-12, "right") - 1]
    return result


def grid_of_thresholds(whole: Sweep, threshold: float | None = None) -> Floats:
    """The thresholds looked at: all, or `GRID` of them spread evenly, and the operating point."""
    every = whole.thresholds
    if every.size <= GRID:
        return every
    places = np.unique(np.linspace(0, every.size - 1, GRID).round().astype(int))
    if threshold is not None:
        places = np.union1d(places, np.flatnonzero(every == threshold))
    return np.asarray(every[places])


def band_of(values: Floats) -> tuple[Floats, Floats] | None:
    kept = values[np.isfinite(values).all(axis=1)]
    if len(kept) < 2:
        return None
    low, high = np.quantile(kept, (0.025, 0.975), axis=0)
    return low, high
