"""Stage fuse: the soft predictions of several models become pseudo labels and an attention map.

One pass per case reads every prediction once and gives the fused masks (mean above the threshold,
mended by the written anatomy) and the attention of each class.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeling.attention import MAP_SCALE, conflict_matrix, fuse_and_attend, stored_map
from labeling.attention_scores import class_scores, score_of
from labeling.config import LabelingConfig
from labeling.mend import mend
from labeling.priority import measures_of
from labeling.rules import load_anatomy
from labeling.structures import Structure
from voxcurate.catalog import Model, Scan, WorkItem, Writer
from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import adopt_file

VERSION = "2"
ENSEMBLE = "ensemble"


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Pseudo labels and attention of the round's train and validation cases.

    Reads the prediction files that the ledger of stage "predict" lists for this round. Per case
    and class it writes a pseudo Label, Measures "attention_mm3" (class "" for the case's sum) and
    ``attention/<round>/<case>/attention.nii.gz``. Cases without predictions are left out.
    """
    lines = predictions_of(ctx, config)
    items = []
    for scan in ctx.scans("train", "validation"):
        if scan.case_id not in lines:
            continue
        found = lines[scan.case_id]
        items.append(
            Item(
                subject=scan.case_id,
                inputs=[[line.variant, line.fingerprint] for line in found],
                payload=_payload(ctx, config, scan, found),
            )
        )

    def record(writer: Writer, item: Item, value: dict[str, Any]) -> dict[str, Any]:
        return _record(ctx, writer, item, value)

    done = run_items(
        ctx,
        "fuse",
        items,
        "labeling.fuse:work",
        record,
        version=VERSION,
        config=[config.fuse, config.attention, config.rules, ctx.classes],
    )
    counts = {"cases": len(items), "computed": done.computed, "reused": done.reused}
    counts["labels"] = sum(len(r["labels"]) for r in done.results.values())
    return StageResult(counts, done.failed)


def predictions_of(ctx: StageContext, config: LabelingConfig) -> dict[str, list[WorkItem]]:
    """The ledger lines of this round's predictions, by case, in model order.

    A model made in this very round under an excluded role (the flagship, trained after the
    annotation) stays out, so that redoing a finished round finds the same inputs.
    """
    models = {m.model_id: m for m in ctx.catalog.rows(Model)}
    lines: dict[str, list[WorkItem]] = {}
    for line in ctx.catalog.rows(WorkItem, stage="predict", round=ctx.round, status="done"):
        if _is_used(line.variant, models.get(line.variant), ctx.round, config):
            lines.setdefault(line.subject, []).append(line)
    return lines


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: one case. Masks and map lie in the scratch folder."""
    from voxcurate.nifti import write_nifti
    from voxcurate.predictions import open_prediction
    from voxcurate.volume import Volume

    config = LabelingConfig.model_validate(payload["config"])
    anatomy = load_anatomy(
        vocabulary_of(payload["vocabulary"]), config.rules.anatomy, config.rules.weights
    )
    classes: list[str] = payload["classes"]
    predictions = [open_prediction(Path(p)) for p in payload["predictions"]]
    fusion = fuse_and_attend(
        predictions,
        classes,
        conflict_matrix(classes, anatomy.allowed_overlaps(classes)),
        config=config.attention,
        threshold=config.fuse.threshold,
        weights=payload["weights"],
        class_maps=True,
    )
    shape, affine = predictions[0].shape, predictions[0].affine
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    scores = class_scores(fusion, voxel_mm3, shape[2])
    structures = {
        c: Structure(c, mask, box, shape, affine).part(mask)
        for c, (box, mask) in fusion.masks.items()
    }
    effects: Mapping[str, Any] = {}
    if config.fuse.postprocess:
        structures, effects = mend(structures, anatomy)
    scratch, case = Path(payload["scratch"]), payload["case_id"]
    files = {
        c: write_mask(scratch, f"{case}_{c}_pseudo", s.full(), affine)
        for c, s in structures.items()
    }
    path = scratch / f"{case}_attention.nii.gz"
    write_nifti(path, Volume(stored_map(fusion.total), affine))
    return {
        "files": files,
        "effects": effects,
        "attention": {c: s.plain() for c, s in scores.items()},
        "map": str(path),
        "models": [p.model_id for p in predictions],
        "out_of_fold": [p.model_id for p in predictions if p.out_of_fold],
    }


def plain_vocabulary(vocabulary: Vocabulary, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The classes that matter to a payload: the targets, their pairs and containers."""
    wanted = dict.fromkeys(classes)
    for class_id in classes:
        wanted.update(dict.fromkeys(vocabulary.containers(class_id)))
        if vocabulary[class_id].pair:
            wanted[vocabulary[class_id].pair] = None
    return [vocabulary[c].model_dump(mode="json") for c in wanted if c in vocabulary]


def vocabulary_of(plain: Sequence[Mapping[str, Any]]) -> Vocabulary:
    """The vocabulary of a payload."""
    return Vocabulary(ClassInfo.model_validate(fields) for fields in plain)


def attention_path(ctx: StageContext, case_id: str) -> Path:
    """``attention/<round>/<case>/attention.nii.gz``."""
    return ctx.workspace.root / "attention" / str(ctx.round) / case_id / "attention.nii.gz"


def _is_used(model_id: str, model: Model | None, round_number: int, config: LabelingConfig) -> bool:
    names = {model_id, model.name if model else model_id}
    if config.fuse.models:
        return bool(names & set(config.fuse.models))
    if model is None or model.round != round_number:
        return True
    role = {str(model.facts.get("role", "")), model.name}
    return not role & set(config.fuse.exclude_roles)


def _payload(
    ctx: StageContext, config: LabelingConfig, scan: Scan, lines: Sequence[WorkItem]
) -> dict[str, Any]:
    names = {m.model_id: m.name for m in ctx.catalog.rows(Model)}
    weights = config.fuse.weights
    return {
        "case_id": scan.case_id,
        "classes": list(ctx.classes),
        "vocabulary": plain_vocabulary(ctx.vocabulary, ctx.classes),
        "predictions": [str(ctx.workspace.root / line.result["path"]) for line in lines],
        "weights": [
            weights.get(n.variant, weights.get(names.get(n.variant, ""), 1.0)) for n in lines
        ],
        "config": config.model_dump(mode="json"),
        "scratch": str(ctx.workspace.scratch),
    }


def _record(ctx: StageContext, writer: Writer, item: Item, value: dict[str, Any]) -> dict[str, Any]:
    labels = {}
    made_from = content_id(item.inputs, VERSION, item.payload["config"], digits=8)
    for class_id, file in sorted(value["files"].items()):
        facts = {
            "models": value["models"],
            "out_of_fold": value["out_of_fold"],
            "postprocess": value["effects"].get(class_id, {}),
            "n_models": value["attention"][class_id]["n_models"],
        }
        label = adopt_mask(
            writer,
            ctx.workspace,
            file,
            case_id=item.subject,
            class_id=class_id,
            origin="pseudo",
            round_number=ctx.round,
            model_id=f"{ENSEMBLE}-{made_from}",
            facts=facts,
        )
        labels[class_id] = label.label_id
    final = attention_path(ctx, item.subject)
    adopt_file(Path(value["map"]), final)
    scores = {c: score_of(plain) for c, plain in value["attention"].items()}
    facts = {"map": ctx.workspace.relative(final), "map_scale": MAP_SCALE}
    measures = measures_of(ctx, item.subject, scores, facts, ENSEMBLE)
    writer.put_all(measures)
    return {"labels": labels, "attention_mm3": measures[-1].value, "models": value["models"]}
