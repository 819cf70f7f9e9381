"""What a model trained on files is worth on the cases that were held out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agent.training_cases import ReadCase
from voxcurate.classes import Vocabulary
from voxcurate.executors import LocalExecutor, cores
from voxcurate.intervals import mean_interval
from voxcurate.progress import progress
from voxcurate.protocols import Task

THRESHOLD = 0.5
NAMES = ("dsc", "nsd")
TOLERANCE_MM = 2.0  # of a class that the vocabulary does not know
TIME_LIMIT_S = 3600.0  # per case
Scores = Mapping[str, Mapping[str, Mapping[str, float]]]  # case -> class -> name


def predict_and_score(
    bundle: Path, model: Mapping[str, Any], cases: Sequence[ReadCase], vocabulary: Vocabulary,
    scratch: Path, settings: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, str]]:  # fmt: skip
    """Scores by case and class, and the cases that failed with the reason.

    Args:
        bundle: folder.
        model: ``model_id``, ``sha256``, ``classes``.
        cases: none of them may have trained it.
        vocabulary: for NSD tolerances.
        scratch: for temporary files.
        settings: of the predictor, over its defaults.
    """
    from training.predictors.spec import BundleSpec

    scratch.mkdir(parents=True, exist_ok=True)
    spec = BundleSpec(name="model", licence="own", weights=str(bundle), **(settings or {}))
    plain = [info.model_dump(mode="json") for info in vocabulary]
    tasks = [
        Task(case.case_id, {
            "case_id": case.case_id,
            "scan": case.path,
            "shape": list(case.shape),
            "modality": case.modality,
            "spec": spec.model_dump(mode="json"),
            "weights": str(bundle.resolve()),
            "vocabulary": plain,
            "target": str(scratch / f"{case.case_id}.vxp"),
            "model_id": model["model_id"],
            "sha256": model["sha256"],
            "fold": None,
            "out_of_fold": True,
            "labels": {c: dict(v) for c, v in case.labels.items() if c in model["classes"]},
            "affine": case.affine,
            "tolerance": {
                c: vocabulary[c].tolerance_mm if c in vocabulary else TOLERANCE_MM
                for c in model["classes"]
            },
        })
        for case in cases
    ]  # fmt: skip
    found: dict[str, Any] = {}
    failed: dict[str, str] = {}
    executor = LocalExecutor(workers=1, threads=cores(), time_limit_s=TIME_LIMIT_S, retries=0)
    with progress("held-out cases", len(tasks)) as bar:
        for outcome in executor.run("agent.training_check:score_case", tasks):
            if outcome.ok:
                found[outcome.key] = outcome.value
            else:
                failed[outcome.key] = outcome.error
            bar.advance(note=outcome.key)
    return found, failed


def score_case(payload: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Worker: predict one case, score each labelled class; what is not defined is left out."""
    from training.evaluation.case import score_class
    from training.evaluation.config import CaseConfig
    from training.predict import predict_case
    from voxcurate.labels import read_mask
    from voxcurate.predictions import open_prediction, tight_box

    target = Path(payload["target"])
    predict_case(payload)
    prediction = open_prediction(target)
    i, j, k = payload["shape"]
    scores: dict[str, dict[str, float]] = {}
    for class_id, label in payload["labels"].items():
        truth = read_mask(Path("/"), label["path"], (i, j, k)).astype(np.uint8) * 255
        path = label["known_path"]
        found = score_class(
            tight_box(truth),
            prediction.box(class_id),
            (i, j, k),
            np.asarray(payload["affine"]),
            CaseConfig(threshold=THRESHOLD, calibration=False),
            tolerance_mm=payload["tolerance"][class_id],
            known=read_mask(Path("/"), path, (i, j, k)) if path else None,
        )
        scores[class_id] = {name: found[name] for name in NAMES if found[name] is not None}
    target.unlink(missing_ok=True)
    return scores


def summary(
    scores: Scores, patients: Mapping[str, str], classes: Sequence[str], seed: int
) -> dict[str, Any]:
    """Means with bootstrap intervals over patients, per class and over the classes."""
    from training.evaluation.case import IMPLEMENTATION
    from training.evaluation.summary import RULES

    tables = {
        name: {
            class_id: {
                case: values[class_id][name]
                for case, values in scores.items()
                if name in values.get(class_id, {})
            }
            for class_id in classes
        }
        for name in NAMES
    }
    return {
        "implementation": IMPLEMENTATION,
        "threshold": THRESHOLD,
        "rules": RULES,
        "cases": len(scores),
        "mean": {n: _plain(mean_interval(tables[n], patients, seed=seed)) for n in NAMES},
        "classes": {
            class_id: {
                n: _plain(mean_interval({class_id: tables[n][class_id]}, patients, seed=seed))
                for n in NAMES
            }
            for class_id in classes
        },
    }


def _plain(found: Any) -> dict[str, Any] | None:
    if found is None:
        return None
    bounds = [None if b is None else round(b, 4) for b in (found.low, found.high)]
    return {"mean": round(found.mean, 4), "interval": bounds, "n": found.n}
