"""The few statistics that scores need."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """Precision and recall of a found set against a true one; NaN where undefined."""

    precision: float
    recall: float
    n_found: int
    n_true: int


def hits(found: Collection[Hashable], true: Collection[Hashable]) -> Hits:
    """Compare two sets."""
    both = len(set(found) & set(true))
    return Hits(
        both / len(found) if found else float("nan"),
        both / len(true) if true else float("nan"),
        len(found),
        len(true),
    )


def auroc(scores: Sequence[float], truth: Sequence[bool]) -> float:
    """Area under the ROC curve by ranks (ties count half); NaN with one kind of case only."""
    flags = np.asarray(truth, np.bool_)
    n_pos, n_neg = int(flags.sum()), int((~flags).sum())
    if n_pos == 0 or n_neg == 0:
        return float("nan")
    ranks = stats.rankdata(np.asarray(scores, np.float64))
    return float((ranks[flags].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg))


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Rank correlation; NaN for fewer than 3 pairs or a constant side."""
    if len(first) < 3 or len(set(first)) == 1 or len(set(second)) == 1:
        return float("nan")
    ranks = [stats.rankdata(np.asarray(side, np.float64)) for side in (first, second)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def dsc(first: Mask, second: Mask) -> float:
    """Dice coefficient; 1 when both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total


def mean(values: Sequence[float]) -> float:
    """Mean; NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")
