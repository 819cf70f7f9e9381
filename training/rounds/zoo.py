"""The cold-start zoo: different networks, each without one fold of the training patients.

Every training case is thereby unseen by one network (none more is trained for that), and its
labels can be tested by a model that never saw them (test-on-training, ScaleMAI).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from training.config import ZooConfig
from training.rounds.cases import case_specs, current_labels, labelled_classes, target_classes
from training.rounds.models import all_groups, folds
from training.rounds.payload import Run
from training.rounds.runs import train
from training.synthetic.health import Asked
from voxcurate.catalog.records import NO_ROUND
from voxcurate.errors import TrainingError
from voxcurate.stage import StageContext, StageResult


def run(
    ctx: StageContext, config: ZooConfig, asked: Mapping[str, Asked] | None = None
) -> StageResult:
    """Train the zoo, or take the last round's where nothing that it learnt from has changed.

    In every round it learns from the labels that were there before the first round; with
    `retrain` from the labels as they are now. Classes without any mask in the train split are
    left out and named.

    Raises:
        TrainingError: no scan of the train split has a label.
    """
    if config.retrain:
        labels = current_labels(ctx, ctx.round - 1)
    else:  # a label retired since would otherwise make another zoo
        labels = current_labels(ctx, NO_ROUND, with_retired=True)
    wanted = target_classes(ctx, labels)
    scans = ctx.scans("train")
    cases = case_specs(ctx, scans, labels, wanted)
    classes, missing = labelled_classes(cases, wanted)
    if not classes:
        raise TrainingError("no scan of the train split has a mask of the round's classes")
    cases = case_specs(ctx, scans, labels, classes)
    runs = [replace(run, asked=asked or {}) for run in _runs(ctx, config, cases, classes)]
    result = train(ctx, runs, threads=config.threads, limit_s=config.time_limit_s)
    counts = {
        "models": [
            str(result.results[r.name]["model_id"]) for r in runs if r.name in result.results
        ],
        "trained": result.computed,
        "reused": result.reused,
        "training_cases": len(cases),
        "classes": classes,
        "classes_without_labels": missing,
        "classes_left_out": {
            name: facts["skipped"] for name, facts in result.results.items() if facts["skipped"]
        },
    }
    return StageResult(counts, result.failed)


def _runs(
    ctx: StageContext, config: ZooConfig, cases: Sequence[Mapping[str, Any]], classes: Sequence[str]
) -> list[Run]:
    """One run per network; a fold that would leave nothing to learn from is not left out."""
    group_of = all_groups(ctx.catalog)
    own = {case["case_id"]: group_of[case["case_id"]] for case in cases}
    fold_of = folds(own, len(config.networks), ctx.seed)
    runs = []
    for n, network in enumerate(config.networks):
        kept = [case for case in cases if fold_of[case["case_id"]] != n]
        is_whole = not kept or len(config.networks) == 1
        runs.append(
            Run(
                name=f"{network}_fold{n}" if not is_whole else network,
                role="zoo",
                network=network,
                classes=tuple(classes),
                training=config.training,
                steps=config.training.steps,
                cases=cases if is_whole else kept,
                fold=None if is_whole else n,
            )
        )
    return runs
