"""T stage and subtype of the tumours of the test scans, from predictions beside the true masks.

One ledger item per case and model, where the model predicts a class of the tumour and a vessel, or
two subtypes and more. A truth is staged by the same rules: where it differs, the masks do. What a
case's labels do not show is unknown, in the truth too. For research only.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.config import EvaluateConfig
from voxcurate.catalog import Model
from voxcurate.intervals import share_interval
from voxcurate.ledger import Item

SUFFIX = ":stage"  # of the variant: beside the scores of the same case and model
Told = Mapping[str, Any]


def classes_to_stage(classes: Iterable[str], config: EvaluateConfig) -> list[str]:
    """Those of a model that a stage is read from; none without a tumour or without any vessel."""
    there = set(classes)
    rules = config.staging
    vessels = [c for vessel in rules.vessels for c in vessel.classes if c in there]
    tumour = [c for c in rules.tumour if c in there]
    if not (config.stages and tumour and vessels):
        return []
    return list(dict.fromkeys([*tumour, *vessels, *(c for c in rules.ends_in if c in there)]))


def subtype_classes(classes: Iterable[str], config: EvaluateConfig) -> list[str]:
    """The subtypes that a model tells apart; fewer than two are none."""
    there = set(classes)
    found = [c for c in config.subtypes.malignancy if c in there]
    return found if config.stages and len(found) > 1 else []


def stage_items(
    items: Sequence[Item], models: Sequence[Model], config: EvaluateConfig
) -> list[Item]:
    """An item for each item of the scores whose model tells a stage or a subtype. Labels that speak
    about a part of the scan only are left out: what they do not show is unknown."""
    known = {
        m.model_id: (classes_to_stage(m.classes, config), subtype_classes(m.classes, config))
        for m in models
    }
    settings = settings_of(config)
    found = []
    for item in items:
        staged, subtypes = known[item.variant]
        if not (staged or subtypes):
            continue
        assert isinstance(item.payload, Mapping)
        labels = {
            c: label["path"]
            for c, label in item.payload["labels"].items()
            if c in {*staged, *subtypes} and not label["known"]
        }
        payload = {
            **{k: item.payload[k] for k in ("root", "prediction", "shape", "affine")},
            "config": settings, "labels": labels, "stage": staged, "subtypes": subtypes,
        }  # fmt: skip
        inputs = [item.inputs, staged, subtypes]
        found.append(Item(item.subject, item.variant + SUFFIX, inputs, payload))
    return found


def settings_of(config: EvaluateConfig) -> dict[str, Any]:
    """What stages and subtypes depend on."""
    return config.model_dump(mode="json", include={"threshold", "staging", "subtypes"})


def stage_prediction(payload: Told) -> dict[str, Any]:
    """Worker: stage and subtype of one scan, as predicted and as its labels have it."""
    from voxcurate.labels import read_mask
    from voxcurate.predictions import open_prediction

    config = EvaluateConfig(**payload["config"])
    root, shape = Path(payload["root"]), tuple(payload["shape"])
    affine = np.asarray(payload["affine"], dtype=np.float64)
    prediction = open_prediction(Path(payload["prediction"]))
    labels = payload["labels"]

    def drawn(class_id: str) -> Any:
        return read_mask(root, labels[class_id], shape).view(np.uint8) * np.uint8(255)

    staged, subtypes = payload["stage"], payload["subtypes"]
    true = [c for c in staged if c in labels]
    return {
        "stage": _stage(prediction.full, staged, affine, config),
        "true_stage": _stage(drawn, true, affine, config),
        "lesions": _lesions(prediction.full, subtypes, affine, config),
        "true_lesions": _lesions(drawn, subtypes, affine, config)
        if all(c in labels for c in subtypes)
        else None,
    }


def staging_summary(
    found: Mapping[str, Told], patients: Mapping[str, str], config: EvaluateConfig, *, seed: int
) -> dict[str, Any]:
    """Stages of all cases of a model, how many agree with the true masks, the subtypes' confusion.

    Args:
        found: case to what `stage_prediction` gave.
        patients: case to patient.
        config: rules and resamples.
        seed: of the resamples.
    """
    told: dict[str, Any] = {"use": "research only"}
    cases = {c: row for c, row in found.items() if row["stage"] is not None}
    if cases:
        told["cases"] = {c: row["stage"] for c, row in cases.items()}
        told["true"] = {c: row["true_stage"] for c, row in cases.items() if row["true_stage"]}
        told["counts"] = dict(sorted(Counter(r["stage"]["label"] for r in cases.values()).items()))
        told["same_stage"] = _same(cases, patients, config, seed)
    if subtypes := _subtypes(found, patients, config, seed):
        told["subtypes"] = subtypes
    return told


def _same(
    cases: Mapping[str, Told], patients: Mapping[str, str], config: EvaluateConfig, seed: int
) -> dict[str, Any]:
    """How many scans have the stage that the true masks give; lower bounds count as the stage."""
    totals: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for case, row in cases.items():
        if row["true_stage"]:
            owner = patients.get(case, case)
            totals[owner] += 1
            hits[owner] += row["stage"]["stage"] == row["true_stage"]["stage"]
    estimate = share_interval(
        hits, totals, seed=seed, draws=config.bootstrap, confidence=config.confidence
    )
    if estimate is None:
        return {"n": 0, "share": None, "interval": [None, None]}
    return {
        "n": estimate.n,
        "share": round(estimate.mean, 6),
        "interval": [None if x is None else round(x, 6) for x in (estimate.low, estimate.high)],
    }


def _subtypes(
    found: Mapping[str, Told], patients: Mapping[str, str], config: EvaluateConfig, seed: int
) -> dict[str, Any] | None:
    """Confusion over the patients whose labels show a lesion."""
    from training.staging.confusion import confusion_of
    from training.staging.subtypes import NONE, ScoredLesion, patients_of

    def lesions(key: str) -> dict[str, list[ScoredLesion]]:
        return {c: [ScoredLesion(x["ml"], x["scores"]) for x in row[key]]
                for c, row in found.items() if row["true_lesions"] is not None}  # fmt: skip

    true = patients_of(lesions("true_lesions"), patients, config.subtypes)
    true = {patient: name for patient, name in true.items() if name != NONE}
    if not true:
        return None
    called = patients_of(lesions("lesions"), patients, config.subtypes)
    classes = config.subtypes.malignancy
    told = confusion_of(true, called, classes, seed=seed % 2**32, draws=config.bootstrap)
    return {**told.plain(), "called": {p: called[p] for p in true}, "truth": true}


def _stage(
    read: Callable[[str], Any], classes: Sequence[str], affine: Any, config: EvaluateConfig
) -> dict[str, Any] | None:
    from training.staging.stage import stage_case
    from voxcurate.volume import Volume

    if not set(classes) & set(config.staging.tumour):
        return None
    least = max(1, round(config.threshold * 255))
    masks = {c: Volume(read(c) >= least, affine) for c in classes}
    return stage_case(masks, config.staging).plain()


def _lesions(
    read: Callable[[str], Any], classes: Sequence[str], affine: Any, config: EvaluateConfig
) -> list[dict[str, Any]]:
    from training.staging.subtypes import lesions_of_scores

    maps = {c: read(c) for c in classes}
    return [lesion.plain() for lesion in lesions_of_scores(maps, affine, config.subtypes)]
