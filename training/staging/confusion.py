"""Confusion of subtypes: which truth was called what, and figures with intervals over patients.

Written rules. A patient whose lesion was not found counts as wrong, in the column ``none``; beside
it stands the accuracy of those found. A class that was never called has no PPV, one that never
occurs no recall: they are undefined (None), not 0, and take no part in a mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.staging.subtypes import NONE
from voxcurate.intervals import Estimate, resampled, share_interval

DRAWS = 2000


@dataclass(frozen=True)
class Confusion:
    """Truth against calls.

    Attributes:
        classes: rows and first columns.
        counts: ``(n, n + 1)``, patients by truth and call; the last column is ``none``.
        ppv: class to the share of its calls that are right; None: never called.
        recall: class to the share of its patients that are called so; None: there is none.
        accuracy: of all patients.
        accuracy_found: of those whose lesion was found.
        balanced: mean recall of the classes that occur.
    """

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    ppv: Mapping[str, Estimate | None]
    recall: Mapping[str, Estimate | None]
    accuracy: Estimate | None
    accuracy_found: Estimate | None
    balanced: Estimate | None

    def plain(self) -> dict[str, Any]:
        """As JSON; undefined is null."""
        return {
            "classes": list(self.classes),
            "columns": [*self.classes, NONE],
            "counts": self.counts.tolist(),
            "ppv": {c: plain_estimate(e) for c, e in self.ppv.items()},
            "recall": {c: plain_estimate(e) for c, e in self.recall.items()},
            "accuracy": plain_estimate(self.accuracy),
            "accuracy_found": plain_estimate(self.accuracy_found),
            "balanced_accuracy": plain_estimate(self.balanced),
            "patients": int(self.counts.sum()),
        }


def plain_estimate(estimate: Estimate | None) -> dict[str, Any] | None:
    """A share with its interval, as JSON."""
    if estimate is None:
        return None
    return {
        "value": round(estimate.mean, 4),
        "low": None if estimate.low is None else round(estimate.low, 4),
        "high": None if estimate.high is None else round(estimate.high, 4),
        "n": estimate.n,
    }


def confusion_of(
    truth: Mapping[str, str],
    called: Mapping[str, str],
    classes: Sequence[str] = (),
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Confusion:
    """Compare calls with the truth, patient by patient.

    Args:
        truth: patient to true class.
        called: patient to called class or `NONE`; patients without a call are left out.
        classes: their order; those that occur and are not named follow.
        seed: of the resamples.
        draws: resamples of the patients.
    """
    patients = sorted(set(truth) & set(called))
    seen = {truth[p] for p in patients} | {called[p] for p in patients}
    every = (*dict.fromkeys(c for c in classes if c != NONE), *sorted(seen - {*classes, NONE}))
    place = {name: n for n, name in enumerate((*every, NONE))}
    counts = np.zeros((len(every), len(every) + 1), np.int64)
    for p in patients:
        counts[place[truth[p]], place[called[p]]] += 1

    def share(among: Sequence[str]) -> Estimate | None:
        right = {p: float(truth[p] == called[p]) for p in among}
        return share_interval(right, dict.fromkeys(among, 1.0), seed=seed, draws=draws)

    return Confusion(
        every,
        counts,
        {c: share([p for p in patients if called[p] == c]) for c in every},
        {c: share([p for p in patients if truth[p] == c]) for c in every},
        share(patients),
        share([p for p in patients if called[p] != NONE]),
        _balanced([place[truth[p]] for p in patients], [place[called[p]] for p in patients],
                  seed, draws),
    )  # fmt: skip


def _balanced(
    truth: Sequence[int], called: Sequence[int], seed: int, draws: int
) -> Estimate | None:
    """Mean recall; a class that a resample does not draw takes no part there."""
    if not truth:
        return None
    true, right = np.array(truth), np.array(truth) == np.array(called)
    one_hot = np.eye(max(truth) + 1)[true][:, np.unique(true)]
    mean = float(((one_hot * right[:, None]).sum(0) / one_hot.sum(0)).mean())
    if len(truth) < 2 or mean in (0.0, 1.0):  # a bootstrap would have no width
        return Estimate(mean, None, None, len(truth))
    times = resampled(len(truth), draws, seed)
    n = times @ one_hot
    hits = (times * right) @ one_hot
    recall = np.where(n > 0, hits / np.maximum(n, 1), np.nan)
    low, high = np.quantile(np.nanmean(recall, axis=1), (0.025, 0.975))
    return Estimate(mean, float(low), float(high), len(truth))
