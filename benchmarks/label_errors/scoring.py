"""Figures of merit of detectors, with bootstrap intervals over patients."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FLAGGED = 0.05  # share of the labels that people look at
BOOTSTRAP = 300
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One label of one corrupted data set; `kind` is empty for a right one."""

    rate: float
    seed: int
    case_id: str
    class_id: str
    kind: str
    severity: str
    scores: dict[str, float]


def auroc(scores: Floats, wrong: Floats, weights: Floats) -> float:
    """Chance that a wrong label scores above a right one, ties half; NaN without one of them."""
    _, place = np.unique(scores, return_inverse=True)
    bad = np.bincount(place, weights * wrong)
    good = np.bincount(place, weights * (1 - wrong))
    pairs = bad.sum() * good.sum()
    below = np.cumsum(good) - good
    return float((bad * (below + good / 2)).sum() / pairs) if pairs else float("nan")


def auprc(scores: Floats, wrong: Floats, weights: Floats) -> float:
    """Average precision; equal scores count together."""
    _, place = np.unique(-scores, return_inverse=True)
    bad = np.bincount(place, weights * wrong)
    every = np.bincount(place, weights)
    precision = np.cumsum(bad) / np.maximum(np.cumsum(every), 1e-12)
    return float((bad * precision).sum() / bad.sum()) if bad.sum() else float("nan")


def flagged(rows: Sequence[Row], detector: str, share: float = FLAGGED) -> npt.NDArray[np.bool_]:
    """The most suspicious share of each corrupted data set; equal scores in a random order."""
    result = np.zeros(len(rows), dtype=bool)
    places: dict[tuple[float, int], list[int]] = {}
    for n, row in enumerate(rows):
        places.setdefault((row.rate, row.seed), []).append(n)
    for own in places.values():
        order = sorted(own, key=lambda n: (-rows[n].scores[detector], rows[n].scores["random"]))
        result[order[: max(1, round(share * len(own)))]] = True
    return result


def figures(rows: Sequence[Row], detector: str, *, bootstrap: int = BOOTSTRAP) -> dict[str, Any]:
    """Counts, AUROC and AUPRC with 95 % intervals, recall and precision of what is flagged."""
    scores = np.array([row.scores[detector] for row in rows])
    wrong = np.array([float(bool(row.kind)) for row in rows])
    marked = flagged(rows, detector)
    names, case = np.unique([row.case_id for row in rows], return_inverse=True)
    rng = np.random.default_rng(0)
    drawn: dict[str, list[float]] = {"auroc": [], "auprc": [], "recall": [], "precision": []}
    for _ in range(bootstrap):
        counts = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        weights = counts[case].astype(np.float64)
        for key, value in _once(scores, wrong, marked, weights).items():
            drawn[key].append(value)
    once = _once(scores, wrong, marked, np.ones(len(rows)))
    result: dict[str, Any] = {"n": len(rows), "wrong": int(wrong.sum())}
    for key, value in once.items():
        result[key] = value
        if np.isfinite(drawn[key]).any():
            low, high = np.nanquantile(drawn[key], [0.025, 0.975])
            result[f"{key}_95"] = [float(low), float(high)]
    return result


def _once(
    scores: Floats, wrong: Floats, marked: npt.NDArray[np.bool_], weights: Floats
) -> dict[str, float]:
    hit = float((weights * wrong)[marked].sum())
    return {
        "auroc": auroc(scores, wrong, weights),
        "auprc": auprc(scores, wrong, weights),
        "recall": hit / max(float((weights * wrong).sum()), 1e-12),
        "precision": hit / max(float(weights[marked].sum()), 1e-12),
    }


def by_kind(rows: Sequence[Row], detector: str) -> dict[str, dict[str, Any]]:
    """Each kind and severity of error against the right labels: count, AUROC, recall."""
    scores = np.array([row.scores[detector] for row in rows])
    marked = flagged(rows, detector)
    kinds = [(row.kind, row.severity) for row in rows]
    right = np.array([not kind for kind, _ in kinds])
    found = {}
    for kind, severity in sorted({k for k in kinds if k[0]}):
        own = np.array([k == (kind, severity) for k in kinds])
        use = own | right
        found[f"{kind}, {severity}"] = {
            "wrong": int(own.sum()),
            "auroc": auroc(scores[use], own[use].astype(float), np.ones(int(use.sum()))),
            "recall": float(marked[own].mean()),
        }
    return found


def by_class(rows: Sequence[Row], detector: str) -> dict[str, dict[str, Any]]:
    """Each class among its own labels: count of errors, AUROC, recall."""
    marked = flagged(rows, detector)
    found = {}
    for name in sorted({row.class_id for row in rows if row.kind}):
        use = np.array([row.class_id == name for row in rows])
        scores = np.array([row.scores[detector] for row in rows])[use]
        wrong = np.array([bool(row.kind) for row in rows])[use]
        found[name] = {
            "wrong": int(wrong.sum()),
            "auroc": auroc(scores, wrong.astype(float), np.ones(len(scores))),
            "recall": float(marked[use][wrong].mean()),
        }
    return found


def share(hits: Sequence[bool], cases: Sequence[str], bootstrap: int = BOOTSTRAP) -> dict[str, Any]:
    """A share with its counts and its 95 % interval over patients."""
    if not hits:
        return {"n": 0, "hits": 0}
    values = np.asarray(hits, dtype=float)
    names, place = np.unique(list(cases), return_inverse=True)
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(bootstrap):
        counts = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        total = counts[place].sum()
        if total:
            drawn.append(float((counts[place] * values).sum() / total))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {
        "n": len(values),
        "hits": int(values.sum()),
        "share": float(values.mean()),
        "share_95": [float(low), float(high)],
    }
