"""Lesions over all scans: sensitivity and specificity by size, the free-response curve.

A patient is positive if one of his scans has a lesion, negative if all his scans are known to have
none. Neither is one whose truth holds specks only, nor one without a lesion whose truth speaks
about a part of a scan only: the rest is unknown, and unknown is not empty. A positive patient is
found if one of his lesions is; his size class is that of his largest lesion. A negative patient is
false if one of his scans has a false positive. Intervals: bootstrap over patients, of shares that
are 0 or 1 Clopper and Pearson's bound.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from training.evaluation.config import EvaluateConfig
from training.evaluation.lesions import SIZES, is_false, is_found
from voxcurate.ids import content_id
from voxcurate.intervals import Estimate, resampled, share_interval
from voxcurate.lesions.curves import FROC_AT, Table, at_false_rates, sweep_table, table_of
from voxcurate.lesions.draws import band_of, counts_of, grid_of_thresholds, steps_at
from voxcurate.lesions.matching import CaseRow

Scores = Mapping[str, Mapping[str, Any]]  # case -> scores of the class
GROUP_FIGURES = ("lesion_sensitivity", "patient_sensitivity", "specificity")  # of subgroups
BAND = 49  # places of the curve's band


def detection(
    scores: Scores,
    patients: Mapping[str, str],
    config: EvaluateConfig,
    *,
    seed: int,
    curve: bool = True,
) -> dict[str, Any]:
    """Figures of one lesion class.

    Args:
        scores: of the scans with a known truth, as `score_class` gives them, with ``lesions``.
        patients: case to patient.
        config: rules and resamples.
        seed: of the resamples.
        curve: the free-response curve too.
    """
    rules = config.match
    owners = {case: patients.get(case, case) for case in scores}
    true = [(owners[c], x) for c, s in scores.items() for x in s["lesions"]["truth"]]
    mine = [(owners[c], x) for c, s in scores.items() for x in s["lesions"]["predicted"]]
    false = [(owner, x) for owner, x in mine if is_false(x, rules)]
    positive = _largest(true)
    specks = {owners[c] for c, s in scores.items() if s["voxels"] and not s["lesions"]["truth"]}
    unsure = {owners[c] for c, s in scores.items() if s.get("is_partial")}
    negative = set(owners.values()) - set(positive) - specks - unsure

    def share(
        hits: Counter[str], totals: Mapping[str, float], *key: str, is_rate: bool = False
    ) -> dict[str, Any]:
        own = int(content_id("lesions", seed, *key), 16)
        found = share_interval(
            hits, totals, seed=own, draws=config.bootstrap, confidence=config.confidence,
            is_rate=is_rate,
        )  # fmt: skip
        return _plain(found)

    def by_size(measure: Callable[[Sequence[str]], dict[str, Any]]) -> dict[str, Any]:
        return {"all": measure(SIZES), **{size: measure([size]) for size in SIZES}}

    def lesion_share(sizes: Sequence[str]) -> dict[str, Any]:
        those = [(owner, x) for owner, x in true if x["size"] in sizes]
        hits = Counter(owner for owner, x in those if is_found(x, rules))
        return share(hits, Counter(owner for owner, _ in those), "lesion", *sizes)

    def patient_share(sizes: Sequence[str]) -> dict[str, Any]:
        those = {p: 1 for p, lesion in positive.items() if lesion["size"] in sizes}
        found = {owner for owner, x in true if is_found(x, rules)}
        return share(Counter(p for p in those if p in found), those, "patient", *sizes)

    def false_share(sizes: Sequence[str]) -> dict[str, Any]:
        scans = Counter(owners.values())
        hits = Counter(owner for owner, x in false if x["size"] in sizes)
        return share(hits, scans, "false", *sizes, is_rate=True)

    quiet = Counter(p for p in negative if p not in {owner for owner, _ in false})
    counted = [(o, x) for o, x in mine if x["state"] == "hit" or is_false(x, rules)]
    return {
        "scans": len(scores),
        "patients": {"positive": len(positive), "negative": len(negative), "neither":
                     len(set(owners.values())) - len(positive) - len(negative)},
        "lesions": len(true),
        "predicted": len(mine),
        "states": {
            "truth": dict(Counter(x["state"] for _, x in true)),
            "predicted": dict(Counter(x["state"] for _, x in mine)),
        },
        "sensitivity": by_size(lesion_share),
        "precision": share(
            Counter(o for o, x in counted if x["state"] == "hit"), Counter(o for o, _ in counted),
            "precision",
        ),
        "patient_sensitivity": by_size(patient_share),
        "specificity": share(quiet, dict.fromkeys(negative, 1), "specificity"),
        "false_per_scan": by_size(false_share),
        "froc": froc(scores, owners, config, seed=seed) if curve else None,
    }  # fmt: skip


def detection_of_group(
    scores: Scores, patients: Mapping[str, str], config: EvaluateConfig, *, seed: int
) -> dict[str, dict[str, Any]]:
    """The figures of a lesion class that are told of a subgroup (`GROUP_FIGURES`), with ``n``,
    ``share`` and ``interval``; what is undefined there is left out."""
    told = detection(scores, patients, config, seed=seed, curve=False)
    found = {
        "lesion_sensitivity": told["sensitivity"]["all"],
        "patient_sensitivity": told["patient_sensitivity"]["all"],
        "specificity": told["specificity"],
    }
    return {name: figure for name, figure in found.items() if figure["n"]}


def froc(
    scores: Scores, owners: Mapping[str, str], config: EvaluateConfig, *, seed: int
) -> dict[str, Any] | None:
    """Lesion sensitivity against false positives per scan over the score threshold.

    Candidates are the pieces of the prediction above a low threshold; several may hit one lesion.
    ``mean`` is the mean sensitivity at 1/8, 1/4, 1/2, 1, 2, 4 and 8 false positives per scan
    (LUNA16). Of hard masks there is one threshold only; None without lesions.
    """
    rows = [_row(case, owners[case], found["lesions"]) for case, found in sorted(scores.items())]
    table = table_of(rows)
    whole = sweep_table(table)
    if not whole.n_lesions:
        return None
    at = at_false_rates(whole, FROC_AT)
    mean, bands = _draws(table, config, seed)
    is_hard = not any(found["is_soft"] for found in scores.values())
    return {
        "sensitivity": {
            f"{rate:g}": round(float(s), 6) for rate, s in zip(FROC_AT, at, strict=True)
        },
        "mean": round(whole.froc_score, 6),
        "interval": mean,
        "hit": config.match.hit,
        "is_hard": is_hard,
        "curve": {
            "thresholds": [None if np.isinf(x) else round(float(x), 6) for x in whole.thresholds],
            "false_per_scan": [round(float(x), 6) for x in whole.false_per_scan],
            "sensitivity": [round(float(x), 6) for x in whole.sensitivity],
        },
        "band": bands,
    }


def _draws(
    table: Table, config: EvaluateConfig, seed: int
) -> tuple[list[float | None], dict[str, list[float]] | None]:
    """The interval of the mean sensitivity and the curve's band, of resampled patients."""
    n = len(table.patients)
    if n < 2:
        return [None, None], None
    whole = sweep_table(table)
    found = counts_of(table, grid_of_thresholds(whole))
    own = int(content_id("froc", seed), 16)
    times = resampled(n, config.bootstrap, own).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        sensitivity = (times @ found.found) / (times @ found.lesions)[:, None]
        false = (times @ found.false) / (times @ found.scans)[:, None]
    means = steps_at(false, sensitivity, np.asarray(FROC_AT)).mean(axis=1)
    means = means[np.isfinite(means)]
    if means.size < 2:
        return [None, None], None
    tail = (1 - config.confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    rates = np.linspace(0, float(whole.false_per_scan[-1]), BAND)
    bands = band_of(steps_at(false, sensitivity, rates))
    told = None
    if bands is not None:
        lists = [[round(float(x), 6) for x in part] for part in (rates, *bands)]
        told = dict(zip(("false_per_scan", "low", "high"), lists, strict=True))
    if low == high:  # all or nothing found in every draw: no width, which is not certainty
        return [None, None], told
    return [round(float(low), 6), round(float(high), 6)], told


def _row(case: str, owner: str, lesions: Mapping[str, Any]) -> CaseRow:
    return CaseRow(
        case,
        owner,
        tuple(lesions["scores"]),
        tuple(tuple(hits) for hits in lesions["hits"]),
        tuple(lesions["lesions_ml"]),
        positive=bool(lesions["lesions_ml"]),
        ignored=tuple(lesions["ignored"]),
    )


def _largest(true: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Patient to his largest lesion, by diameter."""
    found: dict[str, Mapping[str, Any]] = {}
    for owner, lesion in true:
        if owner not in found or lesion["diameter_mm"] > found[owner]["diameter_mm"]:
            found[owner] = lesion
    return found


def _plain(found: Estimate | None) -> dict[str, Any]:
    if found is None:
        return {"n": 0, "share": None, "interval": [None, None]}
    bounds = [None if x is None else round(x, 6) for x in (found.low, found.high)]
    return {"n": found.n, "share": round(found.mean, 6), "interval": bounds}
