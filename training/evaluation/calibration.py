"""Whether probabilities are what they say: counts per bin in a band around the structure.

The band is all that lies within so many millimetres of the truth or of the prediction, the
structure itself included. Over whole scans nearly all voxels are surely outside, and any model
looks calibrated (Metrics Reloaded, arXiv:2206.01653, section on class imbalance).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Plain = Mapping[str, Any]


def counts(
    probability: npt.NDArray[np.uint8], truth: npt.NDArray[np.bool_], n_bins: int
) -> dict[str, Any]:
    """Counts of some voxels, to be added over cases.

    Args:
        probability: 255 times the probability, any shape.
        truth: same shape.
        n_bins: of equal width; the last one holds probability 1.

    Returns:
        ``bins``: of each, voxels, sum of their probabilities and voxels inside; ``squares``: sum of
        squared differences of probability and truth (Brier).
    """
    pairs = probability.astype(np.intp) * 2 + truth
    table = np.bincount(pairs.ravel(order="K"), minlength=512).reshape(256, 2)
    p = np.arange(256) / 255
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    n, inside = table.sum(axis=1), table[:, 1]
    columns = [np.bincount(bins, weights=w, minlength=n_bins) for w in (n, n * p, inside)]
    squares = float((table[:, 0] * p**2 + table[:, 1] * (1 - p) ** 2).sum())
    rows = [[int(a), round(float(b), 4), int(c)] for a, b, c in zip(*columns, strict=True)]
    return {"bins": rows, "squares": round(squares, 4)}


def add(parts: Iterable[Plain]) -> dict[str, Any]:
    """Counts of several cases together."""
    listed = list(parts)
    bins = np.sum([np.asarray(part["bins"], float) for part in listed], axis=0)
    return {"bins": bins.tolist(), "squares": float(sum(part["squares"] for part in listed))}


def ece(bins: Sequence[Sequence[float]]) -> float:
    """Expected calibration error: mean over voxels of how far a bin's share of voxels inside is
    from its mean probability; NaN without voxels."""
    n, p, y = np.asarray(bins, float).T
    total = n.sum()
    return float(np.abs(p - y).sum() / total) if total else float("nan")


def brier(found: Plain) -> float:
    """Mean squared difference of probability and truth; NaN without voxels."""
    total = float(np.asarray(found["bins"], float)[:, 0].sum())
    return float(found["squares"]) / total if total else float("nan")


def curve(bins: Sequence[Sequence[float]]) -> list[tuple[float, float, float]]:
    """Of each bin that holds voxels: mean probability, share inside, share of all voxels."""
    total = sum(row[0] for row in bins)
    return [(p / n, y / n, n / total) for n, p, y in bins if n]
