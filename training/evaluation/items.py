"""What a round's evaluation scores: test scans with original labels, and models' predictions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.evaluation.case import rules_of
from training.evaluation.config import EvaluateConfig
from training.predict import prediction_paths
from training.rounds.cases import current_labels
from voxcurate.catalog import Label, Model, Scan
from voxcurate.catalog.records import NO_ROUND
from voxcurate.ledger import Item, item_key
from voxcurate.stage import StageContext


@dataclass(frozen=True)
class Work:
    """Items, and what cannot be one; models' cases by their ids."""

    items: list[Item]
    missing: dict[str, str]
    cases: dict[str, list[str]]


def scored_items(
    ctx: StageContext, config: EvaluateConfig, models: Sequence[Model], scans: Sequence[Scan]
) -> Work:
    """The items of all models: their predictions of test scans that have an original label."""
    truth = current_labels(ctx, NO_ROUND)
    items: list[Item] = []
    missing: dict[str, str] = {}
    cases: dict[str, list[str]] = {}
    for model in models:
        paths = prediction_paths(ctx, model.model_id)
        cases[model.model_id] = []
        for scan, labels in _with_truth(scans, truth, model):
            if scan.case_id not in paths:
                key = item_key(scan.case_id, model.model_id)
                missing[key] = "no prediction of this test scan"
                continue
            items.append(_item(ctx, config, scan, model, labels, paths[scan.case_id]))
            cases[model.model_id].append(scan.case_id)
    return Work(items, missing, cases)


def _with_truth(
    scans: Sequence[Scan], truth: Mapping[str, Mapping[str, Label]], model: Model
) -> Iterator[tuple[Scan, dict[str, Label]]]:
    """The scans that have an original label of a class of the model, with these labels."""
    for scan in scans:
        own = truth.get(scan.case_id, {})
        found = {c: own[c] for c in model.classes if c in own and own[c].origin == "original"}
        if found:
            yield scan, found


def _item(
    ctx: StageContext,
    config: EvaluateConfig,
    scan: Scan,
    model: Model,
    labels: Mapping[str, Label],
    path: Path,
) -> Item:
    rules = {c: rules_of(c, ctx.vocabulary, config) for c in labels}
    told = {
        c: {
            "path": label.path,
            "known": label.known_path,
            "tolerance_mm": rules[c][0],
            "is_lesion": rules[c][1],
        }
        for c, label in labels.items()
    }
    payload = {
        "root": str(ctx.workspace.root),
        "prediction": str(path),
        "shape": list(scan.shape),
        "affine": scan.affine,
        "config": config.of_case().model_dump(),
        "labels": told,
    }
    inputs = [model.model_id, scan.sha256, {c: x.label_id for c, x in labels.items()}, rules]
    if any(rules[c][1] and label.known_path for c, label in labels.items()):
        inputs.append("is_partial")  # which scores of an earlier version do not tell
    return Item(subject=scan.case_id, variant=model.model_id, inputs=inputs, payload=payload)
