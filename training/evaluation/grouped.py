"""Figures of subgroups: DSC and NSD over the classes and of each, and what was found of lesions."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.evaluation.config import EvaluateConfig
from training.evaluation.detection import detection_of_group
from training.evaluation.values import (
    Scores,
    bounds_of,
    lesion_scores,
    mean_of,
    seed_of,
    tables_of,
)


def subgroups(
    scores: Scores,
    patients: Mapping[str, str],
    groups: Mapping[str, Mapping[str, str]],
    config: EvaluateConfig,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """DSC and NSD of each group, over the classes (class "") and of each class, and how many of its
    lesions and patients with lesions were found.

    An attribute that all cases share is left out. ``n``: cases, lesions or patients, whatever the
    figure counts. ``is_few``: fewer patients than the config wants.
    """
    rows = []
    for attribute, where in groups.items():
        values = sorted({where[case] for case in scores if case in where}, key=_natural)
        if len(values) < 2 and all(case in where for case in scores):
            continue
        for value in values:
            own = {case: s for case, s in scores.items() if where.get(case) == value}
            for class_id, metric, cases, found in _of_group(
                own, patients, config, seed_of(seed, "group", attribute, value)
            ):
                people = {patients.get(case, case) for case in cases}
                rows.append(
                    {
                        "attribute": attribute,
                        "value": value,
                        "class": class_id,
                        "metric": metric,
                        "cases": len(cases),
                        "patients": len(people),
                        **found,
                        "is_few": len(people) < config.fewest_in_group,
                    }
                )
    return rows


def _of_group(
    scores: Scores, patients: Mapping[str, str], config: EvaluateConfig, seed: int
) -> Iterator[tuple[str, str, set[str], dict[str, Any]]]:
    """Class, metric, the cases that count, and n, mean and interval."""
    for metric, table in tables_of(scores).items():
        for class_id, part in {"": table, **{c: {c: t} for c, t in table.items()}}.items():
            found = mean_of(part, patients, config, seed_of(seed, metric, class_id))
            if found is not None:
                told = {"n": found.n, "mean": round(found.mean, 6), "interval": bounds_of(found)}
                yield class_id, metric, {case for t in part.values() for case in t}, told
    for class_id, own in lesion_scores(scores).items():
        figures = detection_of_group(own, patients, config, seed=seed_of(seed, "lesions", class_id))
        for metric, told in figures.items():
            share = {"n": told["n"], "mean": told["share"], "interval": told["interval"]}
            yield class_id, metric, set(own), share


def _natural(value: str) -> tuple[float, str]:
    """Bands in the order of their numbers."""
    numbers = [float(word) for word in value.split() if word.replace(".", "").isdigit()]
    below = -0.5 if value.startswith("below") else 0.0
    return (numbers[0] + below if numbers else 0.0, value)
