"""Paired differences with intervals over patients, and outliers of volumes."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from voxcurate.intervals import Estimate, mean_interval

OUTLIER_Z = 3.5  # Iglewicz and Hoaglin's bound for the modified z-score
FEWEST_FOR_OUTLIERS = 5


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
