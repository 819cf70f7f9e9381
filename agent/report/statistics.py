"""Means with intervals over patients, paired differences, and outliers of volumes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

N_RESAMPLES = 2000
OUTLIER_Z = 3.5  # Iglewicz and Hoaglin's bound for the modified z-score
FEWEST_FOR_OUTLIERS = 5


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval; the bounds are None where one patient says nothing of it."""

    mean: float
    low: float | None
    high: float | None
    n: int


def mean_interval(
    values: Mapping[str, Mapping[str, float]], patients: Mapping[str, str], *, seed: int
) -> Estimate | None:
    """Mean over classes of their means over cases, with a 95 % percentile bootstrap over patients.

    All scans of a patient are drawn together, in all classes at once.

    Args:
        values: class -> case -> value; one class for that class's own mean.
        patients: case -> patient.
        seed: of the resampling.

    Returns:
        None without values; no bounds with one patient. `n` counts cases.
    """
    tables = [table for _, table in sorted(values.items()) if table]
    if not tables:
        return None
    cases = sorted({case for table in tables for case in table})
    names = sorted({patients.get(case, case) for case in cases})
    where = {name: i for i, name in enumerate(names)}
    totals, counts = np.zeros((2, len(tables), len(names)))
    for row, table in enumerate(tables):
        for case, value in sorted(table.items()):
            column = where[patients.get(case, case)]
            totals[row, column] += value
            counts[row, column] += 1
    mean = float((totals.sum(1) / counts.sum(1)).mean())
    if len(names) < 2:
        return Estimate(mean, None, None, len(cases))
    drawn = np.random.default_rng(seed).integers(len(names), size=(N_RESAMPLES, len(names)))
    times = np.stack([np.bincount(row, minlength=len(names)) for row in drawn])
    found = times @ counts.T  # (resamples, classes); a class may be drawn empty
    with np.errstate(invalid="ignore"):
        means = np.nanmean((times @ totals.T) / np.where(found > 0, found, np.nan), axis=1)
    low, high = np.nanquantile(means, (0.025, 0.975))
    return Estimate(mean, float(low), float(high), len(cases))


def paired_change(
    now: Mapping[str, Mapping[str, float]],
    before: Mapping[str, Mapping[str, float]],
    patients: Mapping[str, str],
    *,
    seed: int,
) -> Estimate | None:
    """The same of now minus before, over the cases of a class that have both; None if none has."""
    shared = {
        name: {case: table[case] - before[name][case] for case in table if case in before[name]}
        for name, table in now.items()
        if name in before
    }
    return mean_interval(shared, patients, seed=seed)


def outliers(values: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Which positive values are outliers: modified z of the logarithm above 3.5.

    With fewer than five values, or where half of them are equal, nothing is.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if len(logs) < FEWEST_FOR_OUTLIERS:
        return np.zeros(len(logs), dtype=bool)
    deviation = np.abs(logs - np.median(logs))
    spread = float(np.median(deviation))
    if spread == 0.0:
        return np.zeros(len(logs), dtype=bool)
    return np.asarray(0.6745 * deviation / spread > OUTLIER_Z)
