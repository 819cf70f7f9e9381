"""Stage fuse: the soft predictions of several models become pseudo labels and an attention map.

One pass per case reads every prediction once and gives the fused masks (`labeling.fusion.combine`)
and the attention of each class. What the written anatomy took away is in the decision log.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labeling.attention.maps import HALF, MAP_SCALE, stored_map
from labeling.attention.priority import measures_of
from labeling.attention.scores import class_scores, score_of
from labeling.config import LabelingConfig
from labeling.fusion.combine import check_grids, fuse_case
from labeling.fusion.log import broken_decision, effect_decision
from labeling.fusion.model_quality import Quality, model_quality, weights_of
from labeling.predicted import Predictions, marks_of
from labeling.rules import Anatomy, CaseFacts, load_anatomy
from voxcurate.catalog import Measure, ScanHead, WorkItem, Writer
from voxcurate.classes import ClassInfo, Vocabulary
from voxcurate.errors import VolumeReadError
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.ledger import Item, LedgerResult, fingerprint, run_items
from voxcurate.predictions import Prediction, open_prediction
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import adopt_file

VERSION = "11"
WORKER = "labeling.fusion.fuse:work"
ENSEMBLE = "ensemble"
CASES_AT_ONCE = 500
MEASURE = {"stage": "detect", "name": "attention_mm3", "class_id": "", "model_id": ENSEMBLE}


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Pseudo labels and attention of the round's train and validation cases.

    Reads the prediction files that the ledger of stage "predict" lists for this round. Per case
    and class it writes a pseudo Label, Measures "attention_mm3" (class "" for the case's sum), a
    Decision for what each rule of the anatomy did, and
    ``attention/<round>/<case>/attention.nii.gz``. Cases without predictions are left out. What an
    earlier round, or a call before the first one, made of the same predictions counts.
    """
    predictions = Predictions(ctx, config)
    quality = model_quality(ctx, config, predictions) if config.fuse.by_quality else {}
    items = []
    for scans in ctx.batches("train", "validation"):
        lines = predictions.of([scan.case_id for scan in scans])
        for case_id in (scan.case_id for scan in scans if scan.case_id in lines):
            weights = _weights(ctx, config, predictions, lines[case_id], quality)
            marks = marks_of(lines[case_id])
            items.append(
                Item(
                    subject=case_id,
                    inputs=content_id([*marks, weights] if quality else marks),
                    payload=partial(_payload, ctx, config, case_id, predictions, quality),
                )
            )

    settings = [config.fuse, config.attention, config.rules, ctx.classes, known(ctx, config)]

    def record(writer: Writer, item: Item, value: dict[str, Any]) -> dict[str, Any]:
        return _record(ctx, writer, item, value, fingerprint("fuse", item, VERSION, settings))

    def call(some: list[Item]) -> LedgerResult:
        return run_items(
            ctx, "fuse", some, WORKER, record,
            version=VERSION, config=settings, across_rounds=True,
        )  # fmt: skip

    done = call(items)
    lost = _measure_again(ctx, done)
    if lost:  # by a fusion with other settings, which has written over map and measures
        anew = call([replace(item, again=True) for item in items if item.key in lost])
        done = replace(
            done,
            computed=done.computed + anew.computed,
            reused=done.reused - len(lost),
            failed={**done.failed, **anew.failed},
        )
    counts: dict[str, Any] = {
        "cases": len(items),
        "computed": done.computed,
        "reused": done.reused,
        "labels": sum(len(r["labels"]) for r in done.results.values()),
        "rules": _summed(r.get("rules", {}) for r in done.results.values()),
    }
    if quality:
        counts["models_weighed"] = len({model for model, _ in quality})
    return StageResult(counts, done.failed)


def known(ctx: StageContext, config: LabelingConfig) -> str:
    """A hash of what is written of the round's classes: anatomy and vocabulary by their content."""
    anatomy = load_anatomy(ctx.vocabulary, config.rules.anatomy, config.rules.weights)
    return content_id(anatomy.plain(), plain_vocabulary(ctx.vocabulary, ctx.classes))


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: one case. Masks and map lie in the scratch folder."""
    from voxcurate.nifti import write_nifti
    from voxcurate.volume import Volume

    config = LabelingConfig.model_validate(payload["config"])
    anatomy = load_anatomy(
        vocabulary_of(payload["vocabulary"]), config.rules.anatomy, config.rules.weights
    )
    predictions = opened(payload)
    middle = body_middle(payload, predictions, anatomy)
    fused = fuse_case(
        predictions, payload["classes"], anatomy, config,
        weights=payload["weights"], middle=middle, class_maps=True,
    )  # fmt: skip
    shape, affine = predictions[0].shape, predictions[0].affine
    voxel_mm3 = abs(float(np.linalg.det(affine[:3, :3])))
    scores = class_scores(fused.fusion, voxel_mm3, shape[2])
    scratch, case = Path(payload["scratch"]), payload["case_id"]
    files = {
        c: write_mask(scratch, f"{case}_{c}_pseudo", s.mask, affine, box=s.box, shape=shape)
        for c, s in fused.structures.items()
    }
    path = scratch / f"{case}_attention.nii.gz"
    write_nifti(path, Volume(stored_map(fused.fusion.total), affine))
    violations = anatomy.check(fused.structures, CaseFacts(middle=middle))
    return {
        "files": files,
        "effects": [effect.plain() for effect in fused.effects],
        "broken": [v.plain() for v in violations],
        "how": {c: dict(facts) for c, facts in fused.how.items()},
        "attention": {c: s.plain() for c, s in scores.items()},
        "map": str(path),
        "models": [p.model_id for p in predictions],
        "out_of_fold": [p.model_id for p in predictions if p.out_of_fold],
    }


def opened(payload: Mapping[str, Any]) -> list[Prediction]:
    """The predictions of a payload, all on the scan's grid.

    Raises:
        VolumeReadError: a file is gone or broken; names the model.
        GeometryError: one does not lie on the scan's grid; names the model.
    """
    found = []
    for model_id, path in payload["predictions"]:
        try:
            found.append(open_prediction(Path(path)))
        except VolumeReadError as error:
            why = (
                "its prediction is no longer kept: run predict again"
                if not Path(path).exists()
                else str(error)
            )
            raise VolumeReadError(f"model {model_id}: {why}") from None
    i, j, k = payload["shape"]
    scan = Prediction({}, (i, j, k), np.array(payload["affine"]), "", False)
    check_grids([scan, *found], "the scan")
    return found


def body_middle(
    payload: Mapping[str, Any], predictions: Sequence[Prediction], anatomy: Anatomy
) -> float | None:
    """World R coordinate of the body's middle, from the CT; None where it is not wanted: no class
    has a side, or a class that is found here says where the midline is."""
    from labeling.body import body_frame
    from voxcurate.nifti import read_nifti

    known = {c for p in predictions for c in p.classes} & set(payload["classes"])
    sided = any(anatomy.side_of(c) for c in known)
    if not sided or payload["modality"] != "CT":
        return None
    if any(_is_found(c, predictions) for c in known & set(anatomy.midline)):
        return None
    volume = read_nifti(Path(payload["ct"]))
    return body_frame(volume.array, volume.affine).middle


def _is_found(class_id: str, predictions: Sequence[Prediction]) -> bool:
    """Whether every model that knows a class finds it in this scan."""
    there = [p.box(class_id).array for p in predictions if class_id in p.classes]
    return all(array.max(initial=0) > HALF for array in there)


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
    """``attention/<round>/<case>/attention.nii.gz``; the round is that whose fusion counts here."""
    line = ctx.catalog.one(Measure, **MEASURE, round=ctx.round, case_id=case_id)
    if line is not None and "map" in line.facts:
        return ctx.workspace.root / str(line.facts["map"])
    return _own_map(ctx, case_id)


def _own_map(ctx: StageContext, case_id: str) -> Path:
    return ctx.workspace.root / "attention" / str(ctx.round) / case_id / "attention.nii.gz"


def _weights(
    ctx: StageContext,
    config: LabelingConfig,
    predictions: Predictions,
    lines: Sequence[WorkItem],
    quality: Quality,
) -> dict[str, list[float]]:
    models = [(line.variant, predictions.name(line.variant)) for line in lines]
    return weights_of(models, ctx.classes, config.fuse.weights, quality)


def _payload(
    ctx: StageContext,
    config: LabelingConfig,
    case_id: str,
    predictions: Predictions,
    quality: Quality,
) -> dict[str, Any]:
    """Read when a worker takes it: 25,000 cases with 19 models would not stay in memory."""
    (scan,) = ctx.catalog.rows(ScanHead, case_id=case_id)
    lines = predictions.of([case_id])[case_id]
    weights = _weights(ctx, config, predictions, lines, quality)
    root = ctx.workspace.root
    return {
        "case_id": case_id,
        "ct": str(root / scan.path),
        "modality": scan.modality,
        "shape": list(scan.shape),
        "affine": scan.affine,
        "classes": list(ctx.classes),
        "vocabulary": plain_vocabulary(ctx.vocabulary, ctx.classes),
        "predictions": [[line.variant, str(root / line.result["path"])] for line in lines],
        "weights": {c: row for c, row in weights.items() if len(set(row)) > 1},
        "config": config.model_dump(mode="json"),
        "scratch": str(ctx.workspace.scratch),
    }


def _record(
    ctx: StageContext,
    writer: Writer,
    item: Item,
    value: dict[str, Any],
    mark: str,
) -> dict[str, Any]:
    labels = {}
    made_from = content_id(mark, digits=8)
    for class_id, file in sorted(value["files"].items()):
        facts = {
            **value["how"][class_id],
            "out_of_fold": value["out_of_fold"],
            "rules": [e for e in value["effects"] if class_id in (e["class_id"], e["other"])],
            "broken": [v for v in value["broken"] if v["class_id"] == class_id],
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
    for effect in value["effects"]:
        writer.decide(effect_decision(ctx, item.subject, effect, labels))
    for class_id in sorted({v["class_id"] for v in value["broken"]}):
        writer.decide(broken_decision(ctx, item.subject, class_id, value["broken"], labels))
    final = _own_map(ctx, item.subject)  # never an earlier round's
    adopt_file(Path(value["map"]), final)
    scores = {c: score_of(plain) for c, plain in value["attention"].items()}
    facts = {
        "map": ctx.workspace.relative(final),
        "map_scale": MAP_SCALE,
        "fingerprint": mark,
    }
    measures = measures_of(ctx, item.subject, scores, facts, ENSEMBLE)
    where: dict[str, Any] = {k: MEASURE[k] for k in ("stage", "name", "model_id")}
    writer.forget(Measure, **where, round=ctx.round, case_id=item.subject)
    writer.put_all(measures)
    return {
        "labels": labels,
        "attention_mm3": measures[-1].value,
        "models": value["models"],
        "rules": _summed({e["rule"]: 1} for e in value["effects"]),
        "round": ctx.round,
    }


def _measure_again(ctx: StageContext, done: LedgerResult) -> set[str]:
    """The attention of cases that another round has fused, as measures of this one.

    Returns:
        The cases whose attention another fusion has written over in the round that fused them.
    """
    here = _marks(ctx, ctx.round)
    elsewhere: dict[int, list[str]] = {}
    for case_id, result in done.results.items():
        if here.get(case_id) != done.marks[case_id]:
            elsewhere.setdefault(result["round"], []).append(case_id)
    lost = set(elsewhere.pop(ctx.round, []))
    where: dict[str, Any] = {k: MEASURE[k] for k in ("stage", "name", "model_id")}
    for number, cases in elsewhere.items():
        there = _marks(ctx, number)
        lost |= {case_id for case_id in cases if there.get(case_id) != done.marks[case_id]}
        kept = [case_id for case_id in cases if case_id not in lost]
        for first in range(0, len(kept), CASES_AT_ONCE):
            some = kept[first : first + CASES_AT_ONCE]
            rows = ctx.catalog.rows(Measure, **where, round=number, case_id=some)
            with ctx.catalog.write() as writer:
                writer.forget(Measure, **where, round=ctx.round, case_id=some)
                writer.put_all([replace(row, round=ctx.round) for row in rows])
    return lost


def _marks(ctx: StageContext, round_number: int) -> dict[str, str]:
    """Case to the fingerprint of the fusion that a round's attention is from."""
    found: dict[str, str] = {}
    where: dict[str, Any] = {**MEASURE, "round": round_number}
    for batch in ctx.catalog.stream(Measure, "case_id", "facts", **where):
        found.update((case_id, facts.get("fingerprint", "")) for case_id, facts in batch)
    return found


def _summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for found in counts:
        for key, n in found.items():
            total[key] = total.get(key, 0) + n
    return dict(sorted(total.items()))
