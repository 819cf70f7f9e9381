"""Predictions of models on the cohort's scans: one file per case and model, made once."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from training.config import PredictConfig
from training.models import all_groups
from voxcurate.catalog import Model, Scan, Writer
from voxcurate.config import build
from voxcurate.errors import GeometryError
from voxcurate.ledger import Item, run_items
from voxcurate.predictions import Prediction, ProbabilityBox, probability_box, write_prediction
from voxcurate.protocols import PREDICTORS, load
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import adopt_file

VERSION = "1"
LOADED = 4  # models that a worker process keeps


def run(
    ctx: StageContext,
    config: PredictConfig,
    models: Sequence[Model],
    *,
    splits: Sequence[str] = (),
) -> StageResult:
    """Predict every scan of the cohort (default: of all splits) with every model.

    A prediction is made once: a later round finds that of the same weights on the same scan.
    """
    group_of = all_groups(ctx.catalog)
    scans = ctx.scans(*splits)
    items = []
    for model in models:
        taught = {group_of[c] for c in model.training_cases if c in group_of}
        for scan in scans:
            is_new = group_of[scan.case_id] not in taught
            items.append(_item(ctx, config, scan, model, is_new))

    def record(_: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        target = ctx.workspace.prediction_path(ctx.round, item.variant, item.subject)
        adopt_file(Path(value["temporary"]), target)
        return {
            "path": ctx.workspace.relative(target),
            "out_of_fold": item.payload["out_of_fold"],
            "classes": value["classes"],
        }

    result = run_items(
        ctx,
        "predict",
        items,
        "training.predict:predict_case",
        record,
        version=VERSION,
        config=config.model_dump(mode="json", exclude={"time_limit_s"}),
        executor=ctx.executor(time_limit_s=config.time_limit_s),
        across_rounds=True,
    )
    counts = {
        "models": len(models),
        "scans": len(scans),
        "predicted": result.computed,
        "reused": result.reused,
    }
    return StageResult(counts, result.failed)


def prediction_paths(ctx: StageContext, model_id: str) -> dict[str, Path]:
    """Case to the file of a model's prediction, as recorded for this round."""
    from voxcurate.catalog import WorkItem

    lines = ctx.catalog.rows(
        WorkItem, round=ctx.round, stage="predict", variant=model_id, status="done"
    )
    return {line.subject: ctx.workspace.root / str(line.result["path"]) for line in lines}


def predict_case(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Worker: predict one scan with one model into a temporary file."""
    from voxcurate.nifti import read_nifti

    volume = read_nifti(Path(payload["path"]))
    if list(volume.shape) != payload["shape"]:
        raise GeometryError(
            f"ct: want shape {payload['shape']}, found {list(volume.shape)}",
            case_id=payload["case_id"],
        )
    predictor = _predictor(
        payload["kind"], payload["folder"], payload["modality"], repr(payload["config"])
    )
    if hasattr(predictor, "predict_boxes"):
        classes: dict[str, ProbabilityBox] = predictor.predict_boxes(volume)
    else:
        floor = float(payload["config"]["floor"])
        found = predictor.predict(volume)
        classes = {c: probability_box(np.asarray(p), floor=floor) for c, p in found.items()}
    prediction = Prediction(
        classes=classes,
        shape=volume.shape,
        affine=volume.affine,
        model_id=payload["model_id"],
        out_of_fold=payload["out_of_fold"],
        model_sha256=payload["sha256"],
        fold=payload["fold"],
    )
    name = f"prediction_{payload['model_id']}_{payload['case_id']}.vxp"
    temporary = Path(payload["scratch"]) / name
    write_prediction(temporary, prediction)
    return {"temporary": str(temporary), "classes": list(classes)}


@lru_cache(maxsize=LOADED)
def _predictor(kind: str, folder: str, modality: str, config: str) -> Any:
    from ast import literal_eval

    settings = build(PredictConfig, literal_eval(config))
    if kind == "bundle":
        return load(PREDICTORS, kind)(Path(folder), settings, modality=modality)
    return load(PREDICTORS, kind)(Path(folder))


def _item(ctx: StageContext, config: PredictConfig, scan: Scan, model: Model, is_new: bool) -> Item:
    payload = {
        "case_id": scan.case_id,
        "path": str(ctx.workspace.root / scan.path),
        "shape": list(scan.shape),
        "modality": scan.modality,
        "model_id": model.model_id,
        "sha256": model.sha256,
        "fold": model.facts.get("fold"),
        "kind": model.facts.get("predictor", "bundle"),
        "folder": str(ctx.workspace.root / model.path),
        "out_of_fold": is_new,
        "config": config.model_dump(mode="json"),
        "scratch": str(ctx.workspace.scratch),
    }
    inputs = [model.model_id, model.sha256, scan.sha256, is_new]
    return Item(subject=scan.case_id, variant=model.model_id, inputs=inputs, payload=payload)
