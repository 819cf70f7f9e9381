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
    values: Mapping[str, float], patients: Mapping[str, str], *, seed: int
) -> Estimate | None:
    """Mean over cases, 95 % percentile bootstrap over patients (all scans of one go together).

    Args:
        values: case -> value.
        patients: case -> patient.
        seed: of the resampling.

    Returns:
        None without values; no bounds with one patient.
    """
    if not values:
        return None
    cases = sorted(values)
    names = sorted({patients.get(case, case) for case in cases})
    where = {name: i for i, name in enumerate(names)}
    totals, counts = np.zeros(len(names)), np.zeros(len(names))
    for case in cases:
        i = where[patients.get(case, case)]
        totals[i] += values[case]
        counts[i] += 1
    mean = float(totals.sum() / counts.sum())
    if len(names) < 2:
        return Estimate(mean, None, None, len(cases))
    drawn = np.random.default_rng(seed).integers(0, len(names), (N_RESAMPLES, len(names)))
    means = totals[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(mean, float(low), float(high), len(cases))


def paired_change(
    now: Mapping[str, float], before: Mapping[str, float], patients: Mapping[str, str], *, seed: int
) -> Estimate | None:
    """Mean of now minus before over the cases that have both; None if none has."""
    shared = {case: now[case] - before[case] for case in now if case in before}
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
