"""Means, medians and shares with bootstrap intervals over patients, and differences of means."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

N_RESAMPLES = 2000
CONFIDENCE = 0.95
Values = Mapping[str, Mapping[str, float]]  # class -> case -> value


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval; the bounds are None where one patient says nothing of it."""

    mean: float
    low: float | None
    high: float | None
    n: int


def mean_interval(
    values: Values,
    patients: Mapping[str, str],
    *,
    seed: int,
    draws: int = N_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """Mean over classes of their means over cases, with a percentile bootstrap over patients.

    All scans of a patient are drawn together, in all classes at once.

    Args:
        values: class -> case -> value; one class for that class's own mean.
        patients: case -> patient; a case that is not there is a patient of its own.
        seed: of the resampling.
        draws: resamples.
        confidence: that the interval holds the mean.

    Returns:
        None without values; no bounds with one patient. `n` counts cases.
    """
    filled = {name: table for name, table in values.items() if table}
    return _estimate([filled], sorted(filled), patients, seed, draws, confidence)


def difference_interval(
    one: Values,
    two: Values,
    patients: Mapping[str, str],
    *,
    seed: int,
    draws: int = N_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """The mean of `one` minus that of `two`, over the classes that both have.

    The two may be of different cases. A patient is drawn in both at once, so that what one patient
    says of both stays together; where both are of the same cases the interval is the paired one.

    Returns:
        None if no class has values in both. `n` counts the cases of either.
    """
    shared = sorted(name for name, table in one.items() if table and two.get(name))
    return _estimate([one, two], shared, patients, seed, draws, confidence)


def median_interval(
    values: Mapping[str, float],
    patients: Mapping[str, str],
    *,
    seed: int,
    draws: int = N_RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Estimate | None:
    """Median over cases (the lower one of an even number), its bounds likewise; values may be
    infinite. `Estimate.mean` holds the median.

    Returns:
        None without values; no bounds with one patient.
    """
    if not values:
        return None
    order = sorted(values, key=lambda case: (values[case], case))
    ordered = np.array([values[case] for case in order])
    middle = float(ordered[(len(order) - 1) // 2])
    names = sorted({patients.get(case, case) for case in order})
    if len(names) < 2:
        return Estimate(middle, None, None, len(order))
    where = {name: i for i, name in enumerate(names)}
    owner = [where[patients.get(case, case)] for case in order]
    weights = np.cumsum(resampled(len(names), draws, seed)[:, owner], axis=1)
    half = (weights[:, -1:] + 1) // 2
    found = ordered[np.minimum((weights < half).sum(axis=1), len(order) - 1)]
    low, high = _bounds(found, confidence)
    return Estimate(middle, low, high, len(order))


def share_interval(
    hits: Mapping[str, float],
    totals: Mapping[str, float],
    *,
    seed: int,
    draws: int = N_RESAMPLES,
    confidence: float = CONFIDENCE,
    is_rate: bool = False,
) -> Estimate | None:
    """The sum of `hits` over the sum of `totals`, both by patient: lesions found of lesions.

    Where all or none are hit, the bootstrap would have no width: the bound is Clopper and
    Pearson's then, with each patient as one draw, for what one patient has may be found or missed
    together. A rate (`is_rate`: false positives per scan) may be above 1; where it is 0, the bound
    is that of a Poisson count, per patient likewise.

    Returns:
        None if the total is 0; no bounds where one patient, or the same share in all, says nothing
        of how it varies. `n` is the total.
    """
    names = sorted(totals)
    top, bottom = np.array([[hits.get(p, 0.0), totals[p]] for p in names]).reshape(-1, 2).T
    total = float(bottom.sum())
    if not total:
        return None
    share = float(top.sum()) / total
    people = int(np.count_nonzero(bottom))
    if is_rate and not share:
        return Estimate(0.0, 0.0, -math.log((1 - confidence) / 2) / people, round(total))
    if not is_rate and share in (0.0, 1.0):
        reach = ((1 - confidence) / 2) ** (1 / people)
        low, high = (reach, 1.0) if share else (0.0, 1 - reach)
        return Estimate(share, low, high, round(total))
    if people < 2:
        return Estimate(share, None, None, round(total))
    times = resampled(len(names), draws, seed)
    with np.errstate(invalid="ignore"):
        found = (times @ top) / (times @ bottom)
    low, high = _bounds(found[np.isfinite(found)], confidence)
    if low == high:  # the same share in every patient tells nothing of how it varies
        low = high = None
    return Estimate(share, low, high, round(total))


def wilson(share: float, size: float, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share of `size` (above 0) independent draws."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z * math.sqrt(share * (1 - share) / size + z**2 / (4 * size**2)) / (1 + z**2 / size)
    low = 0.0 if share == 0 else max(0.0, middle - half)
    return low, 1.0 if share == 1 else min(1.0, middle + half)


def resampled(n: int, draws: int, seed: int) -> npt.NDArray[np.int64]:
    """How often each of `n` patients is drawn, ``(draws, n)``."""
    drawn = np.random.default_rng(seed).integers(n, size=(draws, n))
    flat = (drawn + n * np.arange(draws)[:, None]).ravel()
    return np.bincount(flat, minlength=draws * n).reshape(draws, n)


def _bounds(found: npt.NDArray[np.float64], confidence: float) -> tuple[float | None, float | None]:
    if not found.size:
        return None, None
    ordered = np.sort(found)
    tail = (1 - confidence) / 2
    if np.isfinite(ordered).all():
        low, high = np.quantile(ordered, (tail, 1 - tail))
    else:  # numpy's would subtract infinities
        low, high = (ordered[round(q * (ordered.size - 1))] for q in (tail, 1 - tail))
    return float(low), float(high)


def _estimate(
    sides: Sequence[Values],
    classes: Sequence[str],
    patients: Mapping[str, str],
    seed: int,
    draws: int,
    confidence: float,
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
    times = resampled(len(names), draws, seed)
    means = []
    with np.errstate(invalid="ignore"):
        for totals, counts in sums:
            found = times @ counts.T  # (resamples, classes); a class may be drawn empty
            means.append((times @ totals.T) / np.where(found > 0, found, np.nan))
        differences = _difference(means)
    kept = differences[~np.isnan(differences).all(axis=1)]
    if not len(kept):
        return Estimate(mean, None, None, len(cases))
    low, high = _bounds(np.nanmean(kept, axis=1), confidence)
    return Estimate(mean, low, high, len(cases))


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
