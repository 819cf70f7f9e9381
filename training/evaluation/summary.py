"""Scores of all cases of one model: per class, per subgroup, lesions, calibration, worst cases.

DSC and NSD are averaged (mean over cases, the classes' means averaged again, so that a class with
many cases does not outweigh the others); HD95 is not, for it may be infinite: it has a median.
Volume error has a signed mean (bias) and a mean of absolute values. Intervals are percentile
bootstraps over patients.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from training.evaluation import calibration
from training.evaluation.case import NAMES, STATES
from training.evaluation.config import EvaluateConfig
from training.evaluation.detection import detection, detection_of_group
from voxcurate.classes import Vocabulary
from voxcurate.ids import content_id
from voxcurate.intervals import Estimate, mean_interval, median_interval, resampled

Scores = Mapping[str, Mapping[str, Mapping[str, Any]]]  # case -> class -> `score_class`
AVERAGED = ("dsc", "nsd", "nsd_strict")
RULES = {
    "both_empty": "not scored, counted",
    "one_empty": "DSC and NSD 0, HD95 infinite",
    "hd95": "median; infinite values are the largest",
    "tolerance": "the class's, never below one voxel diagonal; the strict one as it is",
    "unknown": "a class without a label in a case is not scored there",
    "intervals": "percentile bootstrap over patients",
    "tests": "Wilcoxon signed rank over patients, Holm over all tests of a comparison",
}


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


def summarise(
    scores: Scores,
    config: EvaluateConfig,
    vocabulary: Vocabulary,
    *,
    patients: Mapping[str, str],
    groups: Mapping[str, Mapping[str, str]],
    seed: int,
    classes: Sequence[str] = (),
) -> dict[str, Any]:
    """Everything that is told of one model, as plain data.

    Args:
        scores: of each case and class with a known truth.
        config: of the evaluation.
        vocabulary: for the agreement of two people.
        patients: case to patient; a case that is not there is a patient of its own.
        groups: attribute -> case -> value.
        seed: of all resamples.
        classes: to be told of even if no case has them.
    """
    names = list(dict.fromkeys([*classes, *classes_of(scores)]))
    told = {c: _class(scores, c, patients, config, vocabulary, seed) for c in names}
    lesions = {
        c: detection(own, patients, config, seed=_seed(seed, "detection", c))
        for c, own in _lesion_scores(scores).items()
    }
    tables = tables_of(scores, AVERAGED)
    means = {
        name: _mean(tables[name], patients, config, _seed(seed, "mean", name)) for name in AVERAGED
    }
    return {
        "cases": len(scores),
        "patients": len({patients.get(case, case) for case in scores}),
        "classes": told,
        "mean": {name: None if e is None else round(e.mean, 6) for name, e in means.items()},
        "mean_interval": {name: _bounds(e) for name, e in means.items()},
        "lesions": lesions,
        "subgroups": subgroups(scores, patients, groups, config, seed=seed),
        "worst": worst(scores, config.worst),
    }


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
                own, patients, config, _seed(seed, "group", attribute, value)
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
            found = _mean(part, patients, config, _seed(seed, metric, class_id))
            if found is not None:
                told = {"n": found.n, "mean": round(found.mean, 6), "interval": _bounds(found)}
                yield class_id, metric, {case for t in part.values() for case in t}, told
    for class_id, own in _lesion_scores(scores).items():
        figures = detection_of_group(own, patients, config, seed=_seed(seed, "lesions", class_id))
        for metric, told in figures.items():
            share = {"n": told["n"], "mean": told["share"], "interval": told["interval"]}
            yield class_id, metric, set(own), share


def _lesion_scores(scores: Scores) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Class to case to scores, of the classes scored lesion by lesion."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for case, classes in sorted(scores.items()):
        for class_id, row in sorted(classes.items()):
            if "lesions" in row:
                found.setdefault(class_id, {})[case] = row
    return found


def worst(scores: Scores, limit: int) -> list[dict[str, Any]]:
    """Cases and classes with the lowest DSC, then NSD."""
    rows = [
        {"case": case, "class": c, **{name: row[name] for name in ("state", *NAMES)}}
        for case, classes in scores.items()
        for c, row in classes.items()
        if row["state"] != "both_empty"
    ]
    rows.sort(key=lambda r: (r["dsc"], r["nsd"], r["case"], r["class"]))
    return rows[:limit]


def _class(
    scores: Scores,
    class_id: str,
    patients: Mapping[str, str],
    config: EvaluateConfig,
    vocabulary: Vocabulary,
    seed: int,
) -> dict[str, Any]:
    own = [classes[class_id] for _, classes in sorted(scores.items()) if class_id in classes]
    states = Counter(row["state"] for row in own)
    people = {patients.get(case, case) for case in values_of(scores, class_id, "dsc")}
    told: dict[str, Any] = {
        "cases": {state: states[state] for state in STATES},
        "patients": len(people),
        "is_few": len(people) < config.fewest_in_group,
    }
    for name in NAMES:
        key = _seed(seed, class_id, name)
        told[name] = _metric(name, values_of(scores, class_id, name), patients, config, key)
    agreed = vocabulary[class_id].inter_annotator_dsc if class_id in vocabulary else None
    if agreed is not None:
        told["two_people"] = {"dsc": agreed, "model_is": _against_people(told["dsc"], agreed)}
    soft = {
        case: classes[class_id]["calibration"]
        for case, classes in sorted(scores.items())
        if class_id in classes and classes[class_id].get("calibration")
    }
    if soft:
        told["calibration"] = _calibration(soft, patients, config, _seed(seed, class_id, "ece"))
    return told


def _metric(
    name: str,
    values: Mapping[str, float],
    patients: Mapping[str, str],
    config: EvaluateConfig,
    seed: int,
) -> dict[str, Any]:
    settings: Any = {"seed": seed, "draws": config.bootstrap, "confidence": config.confidence}
    infinite = sum(np.isinf(v) for v in values.values())
    if name == "hd95":
        found = median_interval(values, patients, **settings)
        return {
            "n": len(values),
            "median": _number(None if found is None else found.mean),
            "interval": _bounds(found),
            "infinite": int(infinite),
        }
    found = mean_interval({name: values}, patients, **settings)
    listed = np.array(list(values.values()))
    told = {
        "n": len(values),
        "mean": _number(None if found is None else found.mean),
        "interval": _bounds(found),
        "median": _number(float(np.median(listed)) if listed.size else None),
    }
    if name.startswith("volume"):
        told["mean_absolute"] = _number(float(np.abs(listed).mean()) if listed.size else None)
    return told


def _against_people(found: Mapping[str, Any], people: float) -> str:
    """Whether the interval of the mean DSC lies below, holds or lies above that of two people."""
    low, high = found["interval"]
    if low is None or high is None:
        return "not told"
    return "below" if high < people else "above" if low > people else "within"


def _calibration(
    soft: Mapping[str, Mapping[str, Any]],
    patients: Mapping[str, str],
    config: EvaluateConfig,
    seed: int,
) -> dict[str, Any]:
    whole = calibration.add(soft.values())
    people: dict[str, list[Mapping[str, Any]]] = {}
    for case, part in soft.items():
        people.setdefault(patients.get(case, case), []).append(part)
    told: dict[str, Any] = {
        "cases": len(soft),
        "voxels": int(sum(row[0] for row in whole["bins"])),
        "ece": _number(calibration.ece(whole["bins"])),
        "ece_interval": [None, None],
        "brier": _number(calibration.brier(whole)),
        "bins": [[round(x, 4) for x in row] for row in whole["bins"]],
    }
    if len(people) > 1:
        each = np.array([calibration.add(parts)["bins"] for _, parts in sorted(people.items())])
        times = resampled(len(people), config.bootstrap, seed)
        drawn = np.tensordot(times, each, axes=1)  # (draws, bins, 3)
        errors = np.abs(drawn[..., 1] - drawn[..., 2]).sum(axis=1) / drawn[..., 0].sum(axis=1)
        tail = (1 - config.confidence) / 2
        told["ece_interval"] = [round(float(x), 6) for x in np.quantile(errors, (tail, 1 - tail))]
    return told


def _mean(
    table: Mapping[str, Mapping[str, float]],
    patients: Mapping[str, str],
    config: EvaluateConfig,
    seed: int,
) -> Estimate | None:
    return mean_interval(
        table, patients, seed=seed, draws=config.bootstrap, confidence=config.confidence
    )


def _bounds(found: Estimate | None) -> list[float | None]:
    return [None, None] if found is None else [_number(found.low), _number(found.high)]


def _number(value: float | None) -> float | None:
    """For JSON: None for NaN and infinity."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)


def _seed(seed: int, *parts: str) -> int:
    return int(content_id("bootstrap", seed, *parts), 16)


def _natural(value: str) -> tuple[float, str]:
    """Bands in the order of their numbers."""
    numbers = [float(word) for word in value.split() if word.replace(".", "").isdigit()]
    below = -0.5 if value.startswith("below") else 0.0
    return (numbers[0] + below if numbers else 0.0, value)
