"""The round's evaluation: models' predictions of the frozen test split against original labels.

One ledger item per case and model. The result, ``rounds/<r>/evaluation.json``, is what the report
and the stop rule read; tables and plots lie in ``rounds/<r>/evaluation/``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.evaluation.case import IMPLEMENTATION, NAMES, score_class
from training.evaluation.config import CaseConfig, EvaluateConfig
from training.evaluation.items import scored_items
from training.evaluation.significance import MEAN, compare
from training.evaluation.stages import SUFFIX, settings_of, stage_items, staging_summary
from training.evaluation.subgroups import Subjects, groups_of_scans
from training.evaluation.summary import RULES, summarise
from training.evaluation.values import Scores, tables_of
from training.evaluation.written import write_evaluation
from training.rounds.models import groups, last_of, of_round
from voxcurate.catalog import Measure, Model, Scan, WorkItem, Writer
from voxcurate.ids import content_id
from voxcurate.ledger import Item, item_key, run_items
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import write_text

VERSION = "2"
STAGES_VERSION = "1"
STAGE = "evaluate"


def run(ctx: StageContext, config: EvaluateConfig, models: Sequence[Model]) -> StageResult:
    """Score the models' predictions of the test split, and write what was found.

    The last round's flagship, if it was scored then, is compared with this round's, patient by
    patient; so is each other model of this round. A test scan without prediction is a failed item;
    one without original label is not counted.
    """
    scans = ctx.scans("test")
    work = scored_items(ctx, config, models, scans)
    implementation = {"split": "test", "implementation": IMPLEMENTATION}

    def record(writer: Writer, item: Item, value: Any) -> Mapping[str, Any]:
        for class_id, scores in value.items():
            for name in NAMES:
                writer.put(_measure(ctx, item, class_id, name, scores, implementation))
        return {"scores": value}

    result = run_items(
        ctx,
        STAGE,
        work.items,
        "training.evaluation.stage:score_case",
        record,
        version=VERSION,
        config=config.of_case(),
    )
    found = {
        model.model_id: {
            case: result.results[key]["scores"]
            for case in work.cases[model.model_id]
            if (key := item_key(case, model.model_id)) in result.results
        }
        for model in models
    }
    everyone = groups(ctx.catalog.rows(Scan))
    subjects = Subjects(everyone, groups_of_scans(scans, config))
    summary = _summary(ctx, config, models, found, subjects)
    not_staged = _add_stages(ctx, config, models, work.items, subjects, summary)
    path = ctx.workspace.round_path(ctx.round, "evaluation.json")
    write_text(path, json.dumps(summary, indent=1, sort_keys=True, allow_nan=False) + "\n")
    names = {model.model_id: model.name for model in models}
    folder = ctx.workspace.round_path(ctx.round, "evaluation")
    write_evaluation(
        folder, summary, {names[m]: s for m, s in found.items()}, config, vocabulary=ctx.vocabulary
    )
    counts = {
        "models": len(models),
        "test_scans": len(scans),
        "scored": result.computed + result.reused,
        "mean_dsc": {m["name"]: m["mean"]["dsc"] for m in summary["models"]},
        "file": ctx.workspace.relative(path),
        "folder": ctx.workspace.relative(folder),
    }
    return StageResult(counts, {**result.failed, **not_staged, **work.missing})


def scores_of_round(ctx: StageContext, round_number: int, model_id: str) -> Scores:
    """What the ledger keeps of a model's evaluation in a round: the newest line of each case."""
    lines = ctx.catalog.rows(
        WorkItem, round=round_number, stage=STAGE, variant=model_id, status="done"
    )
    newest = {line.subject: line for line in sorted(lines, key=lambda line: line.updated)}
    return {
        case: line.result["scores"]
        for case, line in sorted(newest.items())
        if "scores" in line.result
    }


def score_case(payload: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Worker: one prediction against the scan's original labels, one class after the other."""
    from voxcurate.labels import read_mask
    from voxcurate.predictions import ProbabilityBox, open_prediction, tight_box

    prediction = open_prediction(Path(payload["prediction"]))
    config = CaseConfig(**payload["config"])
    root, shape = Path(payload["root"]), tuple(payload["shape"])
    affine = np.asarray(payload["affine"], dtype=np.float64)
    found = {}
    for class_id, label in payload["labels"].items():
        truth = tight_box(read_mask(root, label["path"], shape).view(np.uint8))
        known = read_mask(root, label["known"], shape) if label["known"] else None
        found[class_id] = score_class(
            ProbabilityBox(truth.box, truth.array * np.uint8(255)),
            prediction.box(class_id),
            shape,
            affine,
            config,
            tolerance_mm=label["tolerance_mm"],
            known=known,
            is_lesion=label["is_lesion"],
        )
    return found


def _add_stages(
    ctx: StageContext,
    config: EvaluateConfig,
    models: Sequence[Model],
    scored: Sequence[Item],
    subjects: Subjects,
    summary: Mapping[str, Any],
) -> Mapping[str, str]:
    """Stage the tumours, and put what was found into the models' entries; returns the failures."""
    items = stage_items(scored, models, config)
    if not items:
        return {}
    result = run_items(
        ctx, STAGE, items, "training.evaluation.stages:stage_prediction",
        lambda _writer, _item, value: dict(value), version=STAGES_VERSION,
        config=settings_of(config), title="stages of tumours",
    )  # fmt: skip
    for entry in summary["models"]:
        own = [i for i in items if i.variant == entry["model_id"] + SUFFIX]
        found = {i.subject: result.results[i.key] for i in own if i.key in result.results}
        if found:
            seed = _seed(ctx, "stages", entry["name"])
            entry["staging"] = staging_summary(found, subjects.patients, config, seed=seed)
    return result.failed


def _measure(
    ctx: StageContext,
    item: Item,
    class_id: str,
    name: str,
    scores: Mapping[str, Any],
    facts: Mapping[str, Any],
) -> Measure:
    more = {"state": scores["state"], "voxels": scores["voxels"], "predicted": scores["predicted"]}
    if name == "nsd":
        more["tolerance_mm"] = round(scores["tolerance_mm"], 3)
    return Measure(
        round=ctx.round,
        stage=STAGE,
        case_id=item.subject,
        class_id=class_id,
        model_id=item.variant,
        name=name,
        value=scores[name],
        facts={**facts, **more},
    )


def _summary(
    ctx: StageContext,
    config: EvaluateConfig,
    models: Sequence[Model],
    found: Mapping[str, Scores],
    subjects: Subjects,
) -> dict[str, Any]:
    flagships = {model.model_id for model in of_round(ctx, "flagship")}
    before = last_of(ctx, "flagship")
    entries = []
    for model in models:
        scores = found[model.model_id]
        entry = {
            "model_id": model.model_id,
            "name": model.name,
            "role": model.facts.get("role", ""),
            "training_cases": len(model.training_cases),
            **summarise(
                scores, config, ctx.vocabulary, patients=subjects.patients,
                groups=subjects.groups, seed=_seed(ctx, model.name), classes=model.classes,
            ),
        }  # fmt: skip
        if model.model_id in flagships:
            if before:
                old = scores_of_round(ctx, before[0].round, before[0].model_id)
                entry["against"] = _against(ctx, config, scores, before[0], old, subjects)
            others = [m for m in models if m.model_id not in flagships]
            entry["against_others"] = [
                _against(ctx, config, scores, m, found[m.model_id], subjects) for m in others
            ]
        entries.append(entry)
    return {
        "round": ctx.round,
        "split": "test",
        "truth": "original labels",
        "implementation": IMPLEMENTATION,
        "threshold": config.threshold,
        "confidence": config.confidence,
        "settings": config.model_dump(mode="json"),
        "rules": RULES,
        "models": entries,
    }


def _against(
    ctx: StageContext,
    config: EvaluateConfig,
    scores: Scores,
    other: Model,
    old: Scores,
    subjects: Subjects,
) -> dict[str, Any]:
    """All tests against another model; ``dsc`` and ``nsd`` are those of the mean of the classes."""
    tests = compare(
        tables_of(scores), tables_of(old), subjects.patients, config, seed=_seed(ctx, "against")
    )
    nothing = {"n": 0, "mean": None, "interval": [None, None], "is_significant": False}
    means = {test["metric"]: test for test in tests if test["class"] == MEAN}
    return {
        "model_id": other.model_id,
        "name": other.name,
        "round": other.round,
        "tests": tests,
        **{metric: means.get(metric, nothing) for metric in ("dsc", "nsd")},
    }


def _seed(ctx: StageContext, *parts: str) -> int:
    return int(content_id("evaluation", ctx.seed, *parts), 16)
