"""Quality on the frozen test split, and whether a round made it better.

Written decisions. Only original labels of the test split are truth. Both masks empty: the class
is not counted for that case (`absent_agreed`). One of them empty: DSC 0 and NSD 0. The NSD
tolerance is the class's, never below one voxel diagonal of the scan. A prediction is what a model
gives at the configured threshold.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import EvaluateConfig
from training.models import last_of, of_round
from training.predict import prediction_paths
from training.runs import current_labels
from voxcurate.catalog import Label, Measure, Model, Scan, Writer
from voxcurate.catalog.records import NO_ROUND
from voxcurate.ids import content_id
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import write_text

VERSION = "1"
IMPLEMENTATION = "voxcurate.metrics"
NAMES = ("dsc", "nsd")
Values = dict[tuple[str, str], float]  # by case and class


def run(ctx: StageContext, config: EvaluateConfig, models: Sequence[Model]) -> StageResult:
    """Score the models' predictions of the test split and write ``rounds/<r>/evaluation.json``.

    Models of earlier rounds that were scored then are compared, case by case, with this round's.
    A test scan without prediction is a failed item; one without original label is not counted.
    """
    truth = current_labels(ctx, NO_ROUND)
    scans = ctx.scans("test")
    items, missing = [], {}
    for model in models:
        paths = prediction_paths(ctx, model.model_id)
        for scan in scans:
            labels = _truth(truth, scan, model)
            if not labels:
                continue
            if scan.case_id not in paths:
                missing[f"{scan.case_id}/{model.model_id}"] = "no prediction of this test scan"
                continue
            items.append(_item(ctx, config, scan, model, labels, paths[scan.case_id]))

    def record(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        for class_id, scores in value.items():
            for name in NAMES:
                writer.put(_measure(ctx, item, class_id, name, scores))
        return {"classes": len(value)}

    result = run_items(
        ctx,
        "evaluate",
        items,
        "training.evaluate:score_case",
        record,
        version=VERSION,
        config=config.threshold,
    )
    summary = summarise(ctx, config, models)
    path = ctx.workspace.round_path(ctx.round, "evaluation.json")
    write_text(path, json.dumps(summary, indent=1, sort_keys=True) + "\n")
    counts = {
        "models": len(models),
        "test_scans": len(scans),
        "scored": result.computed + result.reused,
        "mean_dsc": {m["name"]: m["mean"]["dsc"] for m in summary["models"]},
        "file": ctx.workspace.relative(path),
    }
    return StageResult(counts, {**result.failed, **missing})


def summarise(ctx: StageContext, config: EvaluateConfig, models: Sequence[Model]) -> dict[str, Any]:
    """Means with bootstrap intervals per model and class, and against the last round's."""
    entries = []
    flagships = {model.model_id for model in of_round(ctx, "flagship")}
    before = last_of(ctx, "flagship")
    for model in models:
        scores = {name: measured(ctx, ctx.round, model.model_id, name) for name in NAMES}
        entry = _entry(ctx, config, model, scores)
        if model.model_id in flagships and before:
            entry["against"] = _against(ctx, config, before[0], scores)
        entries.append(entry)
    return {
        "round": ctx.round,
        "split": "test",
        "truth": "original labels",
        "implementation": IMPLEMENTATION,
        "threshold": config.threshold,
        "confidence": config.confidence,
        "rules": {"both_empty": "not counted", "one_empty": 0.0},
        "models": entries,
    }


def measured(ctx: StageContext, round_number: int, model_id: str, name: str) -> Values:
    """A model's scores of a round, by case and class; those that are not defined left out."""
    rows = ctx.catalog.rows(
        Measure, round=round_number, stage="evaluate", model_id=model_id, name=name
    )
    return {(row.case_id, row.class_id): row.value for row in rows if row.value is not None}


def interval(
    values: npt.NDArray[np.float64], config: EvaluateConfig, seed: int
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean over cases; NaN without cases."""
    if not values.size:
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    drawn = generator.integers(values.size, size=(config.bootstrap, values.size))
    means = values[drawn].mean(axis=1)
    tail = (1 - config.confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def score_case(payload: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Worker: DSC and NSD of one prediction against the scan's original labels."""
    from voxcurate.labels import read_mask
    from voxcurate.metrics import dsc, nsd
    from voxcurate.predictions import open_prediction
    from voxcurate.volume import spacing_of

    prediction = open_prediction(Path(payload["prediction"]))
    spacing = spacing_of(np.asarray(payload["affine"]))
    diagonal = float(np.linalg.norm(spacing))
    least = round(payload["threshold"] * 255)
    found: dict[str, dict[str, float | None]] = {}
    for class_id, (path, tolerance) in payload["labels"].items():
        truth = read_mask(Path(payload["root"]), path, tuple(payload["shape"]))
        mask = prediction.full(class_id) >= max(1, least)
        tolerance_mm = max(tolerance, diagonal)
        scores = {"dsc": dsc(mask, truth), "nsd": nsd(mask, truth, spacing, tolerance_mm)}
        found[class_id] = {
            **{name: None if np.isnan(value) else value for name, value in scores.items()},
            "tolerance_mm": tolerance_mm,
            "voxels": float(truth.sum()),
            "predicted": float(mask.sum()),
        }
    return found


def _truth(labels: Mapping[str, Mapping[str, Label]], scan: Scan, model: Model) -> dict[str, Label]:
    own = labels.get(scan.case_id, {})
    return {c: own[c] for c in model.classes if c in own and own[c].origin == "original"}


def _item(
    ctx: StageContext,
    config: EvaluateConfig,
    scan: Scan,
    model: Model,
    labels: Mapping[str, Label],
    path: Path,
) -> Item:
    known = ctx.vocabulary
    tolerance = {c: known[c].tolerance_mm if c in known else 2.0 for c in labels}
    payload = {
        "root": str(ctx.workspace.root),
        "prediction": str(path),
        "shape": list(scan.shape),
        "affine": scan.affine,
        "threshold": config.threshold,
        "labels": {c: (label.path, tolerance[c]) for c, label in labels.items()},
    }
    inputs = [model.model_id, scan.sha256, {c: x.label_id for c, x in labels.items()}, tolerance]
    return Item(subject=scan.case_id, variant=model.model_id, inputs=inputs, payload=payload)


def _measure(
    ctx: StageContext, item: Item, class_id: str, name: str, scores: Mapping[str, Any]
) -> Measure:
    facts = {
        "split": "test",
        "implementation": IMPLEMENTATION,
        "voxels": int(scores["voxels"]),
        "predicted": int(scores["predicted"]),
    }
    if name == "nsd":
        facts["tolerance_mm"] = round(scores["tolerance_mm"], 3)
    return Measure(
        round=ctx.round,
        stage="evaluate",
        case_id=item.subject,
        class_id=class_id,
        model_id=item.variant,
        name=name,
        value=scores[name],
        facts=facts,
    )


def _entry(
    ctx: StageContext, config: EvaluateConfig, model: Model, scores: Mapping[str, Values]
) -> dict[str, Any]:
    classes = {}
    for class_id in model.classes:
        classes[class_id] = {
            name: _statistics(
                [v for (_, c), v in sorted(values.items()) if c == class_id],
                config,
                _seed(ctx, class_id, name),
            )
            for name, values in scores.items()
        }
    return {
        "model_id": model.model_id,
        "name": model.name,
        "role": model.facts.get("role", ""),
        "training_cases": len(model.training_cases),
        "classes": classes,
        "mean": {name: _mean_over_classes(classes, name) for name in scores},
    }


def _statistics(values: Sequence[float], config: EvaluateConfig, seed: int) -> dict[str, Any]:
    array = np.asarray(values, dtype=np.float64)
    low, high = interval(array, config, seed)
    mean = float(array.mean()) if array.size else float("nan")
    return {"n": int(array.size), "mean": _number(mean), "interval": [_number(low), _number(high)]}


def _mean_over_classes(classes: Mapping[str, Any], name: str) -> float | None:
    means = [entry[name]["mean"] for entry in classes.values() if entry[name]["mean"] is not None]
    return _number(float(np.mean(means))) if means else None


def _against(
    ctx: StageContext, config: EvaluateConfig, old: Model, scores: Mapping[str, Values]
) -> dict[str, Any]:
    """Paired difference, new minus old, over the same cases: each case the mean of its classes."""
    result: dict[str, Any] = {"model_id": old.model_id, "round": old.round}
    for name, values in scores.items():
        former = measured(ctx, old.round, old.model_id, name)
        pairs: dict[str, list[float]] = {}
        for key in sorted(set(values) & set(former)):
            pairs.setdefault(key[0], []).append(values[key] - former[key])
        differences = [float(np.mean(pairs[case])) for case in sorted(pairs)]
        found = _statistics(differences, config, _seed(ctx, "against", name))
        low, high = found["interval"]
        is_clear = len(pairs) > 2 and low is not None and (low > 0 or high < 0)
        result[name] = {**found, "is_significant": is_clear}
    return result


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 6)


def _seed(ctx: StageContext, *parts: str) -> int:
    return int(content_id("bootstrap", ctx.seed, *parts), 16)
