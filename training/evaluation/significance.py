"""Whether one model is better than another on the same patients.

A patient is one observation: the mean difference over his scans (and, for the mean of the classes,
over the classes that both models have there). The interval is the bootstrap of the mean difference
over patients; the p-value that of Wilcoxon's signed rank test, two-sided (zeros by Pratt's rule).
Holm's correction runs over all tests of a comparison: every class and metric and the means. The
effect is the matched-pairs rank-biserial correlation, from -1 (always worse) to 1 (always better).
With fewer than six patients whose values differ nothing is called significant.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.config import EvaluateConfig
from voxcurate.ids import content_id
from voxcurate.intervals import mean_interval

Table = Mapping[str, Mapping[str, float]]  # class -> case -> value
MEAN = ""  # what the mean of the classes is called


def compare(
    now: Mapping[str, Table],
    before: Mapping[str, Table],
    patients: Mapping[str, str],
    config: EvaluateConfig,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """All tests of one model against another.

    Args:
        now: metric -> class -> case -> value.
        before: the other model's; cases and classes that only one of them has are left out.
        patients: case to patient; a case that is not there is a patient of its own.
        config: resamples, level, fewest pairs.
        seed: of the resamples.

    Returns:
        Per metric and class (`MEAN` first): ``n`` patients, ``mean`` difference (now minus before)
        with ``interval``, ``p``, ``p_holm``, ``effect``, ``is_significant``,
        and ``is_few``: too few patients whose values differ for any claim.
    """
    tests = []
    for metric, tables in now.items():
        other = before.get(metric, {})
        by_class = {
            c: {case: v - other[c][case] for case, v in table.items() if case in other[c]}
            for c, table in tables.items()
            if c in other
        }
        by_case: dict[str, list[float]] = {}
        for differences in by_class.values():
            for case, value in differences.items():
                by_case.setdefault(case, []).append(value)
        whole = {case: float(np.mean(values)) for case, values in by_case.items()}
        for class_id, differences in {MEAN: whole, **by_class}.items():
            if differences:
                tests.append(_test(metric, class_id, differences, patients, config, seed))
    adjusted = holm([test["p"] for test in tests])
    for test, p in zip(tests, adjusted, strict=True):
        enough = test["differ"] >= config.fewest_pairs
        test["p_holm"] = p
        test["is_few"] = not enough
        test["is_significant"] = bool(enough and p is not None and p < config.alpha)
    return tests


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's step-down adjusted p-values, in the order given; None stays None and counts not."""
    told = sorted((p, n) for n, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for place, (p, n) in enumerate(told):
        highest = max(highest, min(1.0, (len(told) - place) * p))
        adjusted[n] = highest
    return adjusted


def rank_biserial(differences: npt.NDArray[np.float64]) -> float:
    """Share of the signed ranks in favour minus that against; zeros left out, NaN if all are."""
    from scipy.stats import rankdata

    kept = differences[differences != 0]
    if not kept.size:
        return float("nan")
    ranks = rankdata(np.abs(kept))
    return float((ranks * np.sign(kept)).sum() / ranks.sum())


def _test(
    metric: str,
    class_id: str,
    differences: Mapping[str, float],
    patients: Mapping[str, str],
    config: EvaluateConfig,
    seed: int,
) -> dict[str, Any]:
    people: dict[str, list[float]] = {}
    for case, value in sorted(differences.items()):
        people.setdefault(patients.get(case, case), []).append(value)
    each = {person: float(np.mean(values)) for person, values in people.items()}
    own = int(content_id("paired", seed, metric, class_id), 16)
    found = mean_interval(
        {class_id: each}, {}, seed=own, draws=config.bootstrap, confidence=config.confidence
    )
    assert found is not None
    values = np.array([each[person] for person in sorted(each)])
    differ = int(np.count_nonzero(values))
    effect = rank_biserial(values)
    return {
        "metric": metric,
        "class": class_id,
        "n": len(values),
        "differ": differ,
        "mean": round(found.mean, 6),
        "interval": [None if x is None else round(x, 6) for x in (found.low, found.high)],
        "p": _wilcoxon(values, differ),
        "effect": None if np.isnan(effect) else round(effect, 4),
    }


def _wilcoxon(values: npt.NDArray[np.float64], differ: int) -> float | None:
    """None of a single patient; 1 where nothing differs."""
    if values.size < 2:
        return None
    if not differ:
        return 1.0
    from scipy.stats import wilcoxon

    return float(wilcoxon(values, zero_method="pratt" if differ < values.size else "wilcox").pvalue)
