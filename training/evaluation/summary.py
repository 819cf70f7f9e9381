"""Scores of all cases of one model: per class, per subgroup, lesions, calibration, worst cases.

DSC and NSD are averaged (mean over cases, the classes' means averaged again, so that a class with
many cases does not outweigh the others); HD95 is not, for it may be infinite: it has a median.
Volume error has a signed mean (bias) and a mean of absolute values. Intervals are percentile
bootstraps over patients.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.evaluation import calibration
from training.evaluation.case import NAMES, STATES
from training.evaluation.config import EvaluateConfig
from training.evaluation.detection import detection
from training.evaluation.grouped import subgroups
from training.evaluation.values import (
    Scores,
    bounds_of,
    classes_of,
    lesion_scores,
    mean_of,
    plain_number,
    seed_of,
    tables_of,
    values_of,
)
from voxcurate.classes import Vocabulary
from voxcurate.intervals import mean_interval, median_interval, resampled

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
        c: detection(own, patients, config, seed=seed_of(seed, "detection", c))
        for c, own in lesion_scores(scores).items()
    }
    tables = tables_of(scores, AVERAGED)
    means = {
        name: mean_of(tables[name], patients, config, seed_of(seed, "mean", name))
        for name in AVERAGED
    }
    return {
        "cases": len(scores),
        "patients": len({patients.get(case, case) for case in scores}),
        "classes": told,
        "mean": {name: None if e is None else round(e.mean, 6) for name, e in means.items()},
        "mean_interval": {name: bounds_of(e) for name, e in means.items()},
        "lesions": lesions,
        "subgroups": subgroups(scores, patients, groups, config, seed=seed),
        "worst": worst(scores, config.worst),
    }


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
        key = seed_of(seed, class_id, name)
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
        told["calibration"] = _calibration(soft, patients, config, seed_of(seed, class_id, "ece"))
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
            "median": plain_number(None if found is None else found.mean),
            "interval": bounds_of(found),
            "infinite": int(infinite),
        }
    found = mean_interval({name: values}, patients, **settings)
    listed = np.array(list(values.values()))
    told = {
        "n": len(values),
        "mean": plain_number(None if found is None else found.mean),
        "interval": bounds_of(found),
        "median": plain_number(float(np.median(listed)) if listed.size else None),
    }
    if name.startswith("volume"):
        told["mean_absolute"] = plain_number(float(np.abs(listed).mean()) if listed.size else None)
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
        "ece": plain_number(calibration.ece(whole["bins"])),
        "ece_interval": [None, None],
        "brier": plain_number(calibration.brier(whole)),
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
