"""Scores of cases as values by class and case, and their means with intervals as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.evaluation.config import EvaluateConfig
from voxcurate.ids import content_id
from voxcurate.intervals import Estimate, mean_interval

Scores = Mapping[str, Mapping[str, Mapping[str, Any]]]  # case -> class -> `score_class`


def values_of(scores: Scores, class_id: str, name: str) -> dict[str, float]:
    """Case to value, where it is defined; HD95 is infinite where one mask is empty."""
    found = {}
    for case, classes in sorted(scores.items()):
        row = classes.get(class_id)
        if row is None or row["state"] == "both_empty":
            continue
        value = row[name]
        if name == "hd95" and value is None:
            value = float("inf")
        if value is not None:
            found[case] = float(value)
    return found


def tables_of(
    scores: Scores, names: Sequence[str] = ("dsc", "nsd")
) -> dict[str, dict[str, dict[str, float]]]:
    """Metric -> class -> case -> value."""
    classes = classes_of(scores)
    return {name: {c: values_of(scores, c, name) for c in classes} for name in names}


def classes_of(scores: Scores) -> list[str]:
    """The classes that are scored in some case, in order of name."""
    return sorted({c for classes in scores.values() for c in classes})


def lesion_scores(scores: Scores) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Class to case to scores, of the classes scored lesion by lesion."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for case, classes in sorted(scores.items()):
        for class_id, row in sorted(classes.items()):
            if "lesions" in row:
                found.setdefault(class_id, {})[case] = row
    return found


def mean_of(
    table: Mapping[str, Mapping[str, float]],
    patients: Mapping[str, str],
    config: EvaluateConfig,
    seed: int,
) -> Estimate | None:
    """Mean over classes and cases with its interval."""
    return mean_interval(
        table, patients, seed=seed, draws=config.bootstrap, confidence=config.confidence
    )


def bounds_of(found: Estimate | None) -> list[float | None]:
    """The interval's ends, for JSON."""
    return [None, None] if found is None else [plain_number(found.low), plain_number(found.high)]


def plain_number(value: float | None) -> float | None:
    """For JSON: None for NaN and infinity."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)


def seed_of(seed: int, *parts: str) -> int:
    """The seed of one figure's resamples."""
    return int(content_id("bootstrap", seed, *parts), 16)
