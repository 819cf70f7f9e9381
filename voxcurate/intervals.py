"""Means over classes with bootstrap intervals over patients, and differences of two such means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

N_RESAMPLES = 2000
Values = Mapping[str, Mapping[str, float]]  # class -> case -> value


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; the bounds are None where one patient says nothing of it."""

    mean: float
    low: float | None
    high: float | None
    n: int


def mean_interval(
    values: Values, patients: Mapping[str, str], *, seed: int, draws: int = N_RESAMPLES
) -> Estimate | None:
    """Mean over classes of their means over cases, with a 95 % percentile bootstrap over patients.

    All scans of a patient are drawn together, in all classes at once.

    Args:
        values: class -> case -> value; one class for that class's own mean.
        patients: case -> patient; a case that is not there is a patient of its own.
        seed: of the resampling.
        draws: resamples.

    Returns:
        None without values; no bounds with one patient. `n` counts cases.
    """
    filled = {name: table for name, table in values.items() if table}
    return _estimate([filled], sorted(filled), patients, seed, draws)


def difference_interval(
    one: Values,
    two: Values,
    patients: Mapping[str, str],
    *,
    seed: int,
    draws: int = N_RESAMPLES,
) -> Estimate | None:
    """The mean of `one` minus that of `two`, over the classes that both have.

    The two may be of different cases. A patient is drawn in both at once, so that what one patient
    says of both stays together; where both are of the same cases the interval is the paired one.

    Returns:
        None if no class has values in both. `n` counts the cases of either.
    """
    shared = sorted(name for name, table in one.items() if table and two.get(name))
    return _estimate([one, two], shared, patients, seed, draws)


def _estimate(
    sides: Sequence[Values],
    classes: Sequence[str],
    patients: Mapping[str, str],
    seed: int,
    draws: int,
) -> Estimate | None:
    if not classes:
        return None
    cases = sorted({case for side in sides for name in classes for case in side[name]})
    names = sorted({patients.get(case, case) for case in cases})
    where = {name: i for i, name in enumerate(names)}
    sums = [_sums([side[name] for name in classes], patients, where) for side in sides]
    mean = float(_difference([totals.sum(1) / counts.sum(1) for totals, counts in sums]).mean())
    if len(names) < 2:
        return Estimate(mean, None, None, len(cases))
    drawn = np.random.default_rng(seed).integers(len(names), size=(draws, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])
    resampled = []
    with np.errstate(invalid="ignore"):
        for totals, counts in sums:
            found = times @ counts.T  # (resamples, classes); a class may be drawn empty
            resampled.append((times @ totals.T) / np.where(found > 0, found, np.nan))
        differences = _difference(resampled)
    kept = differences[~np.isnan(differences).all(axis=1)]
    if not len(kept):
        return Estimate(mean, None, None, len(cases))
    low, high = np.quantile(np.nanmean(kept, axis=1), (0.025, 0.975))
    return Estimate(mean, float(low), float(high), len(cases))


def _sums(
    tables: Sequence[Mapping[str, float]], patients: Mapping[str, str], where: Mapping[str, int]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sum and number of values, ``(classes, patients)``."""
    totals, counts = np.zeros((2, len(tables), len(where)))
    for row, table in enumerate(tables):
        for case, value in sorted(table.items()):
            column = where[patients.get(case, case)]
            totals[row, column] += value
            counts[row, column] += 1
    return totals, counts


def _difference(parts: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return parts[0] if len(parts) == 1 else parts[0] - parts[1]
