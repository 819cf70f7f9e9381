"""The flagship: one model on the assembled labels, round after round."""

import logging
from collections.abc import Callable

from training.config import FlagshipConfig
from training.models import last_of
from training.runs import (
    Run,
    case_specs,
    current_labels,
    labelled_classes,
    raw_specs,
    target_classes,
    train,
)
from voxcurate.catalog import Label
from voxcurate.errors import TrainingError
from voxcurate.stage import StageContext, StageResult

log = logging.getLogger(__name__)
NAME = "flagship"


def run(ctx: StageContext, config: FlagshipConfig) -> StageResult:
    """Train the flagship on the round's assembled labels of the train split.

    It starts from the last round's weights (``warm_start``) and sees all labels that count, so
    that earlier rounds are replayed. Data annealing ends it on the gold labels alone; without
    gold the result says so and the rate falls to zero on the mix.

    Raises:
        TrainingError: no scan of the train split has a label.
    """
    labels = current_labels(ctx, ctx.round)
    wanted = target_classes(ctx, labels)
    scans = ctx.scans("train")
    classes, missing = labelled_classes(case_specs(ctx, scans, labels, wanted), wanted)
    if not classes:
        raise TrainingError("no scan of the train split has a mask of the round's classes")
    cases = case_specs(ctx, scans, labels, classes)
    training = config.training
    anneal = []
    if training.anneal.share and training.anneal.on != "none":
        anneal = case_specs(ctx, scans, labels, classes, _judge(training.anneal.on))
    if not anneal:
        log.warning("no annealing: %s", _why(training.anneal.on))
    before = last_of(ctx, "flagship") if config.warm_start else []
    fitting = [model for model in before if model.facts.get("network") == config.network]
    warm = fitting[0] if fitting else None  # another network starts anew, with all its steps
    one = Run(
        name=NAME,
        role="flagship",
        network=config.network,
        classes=tuple(classes),
        training=training,
        steps=(config.warm_steps or training.steps) if warm else training.steps,
        cases=cases,
        raw=raw_specs(ctx, scans, cases) if training.mix.unlabeled else (),
        anneal=anneal,
        warm=warm,
    )
    result = train(ctx, [one], threads=config.threads, limit_s=config.time_limit_s)
    done = result.results.get(NAME)
    counts = {
        "models": [str(done["model_id"])] if done else [],
        "trained": result.computed,
        "reused": result.reused,
        "training_cases": len(cases),
        "unlabeled_scans": len(one.raw),
        "annealing": f"on {len(anneal)} cases"
        if anneal
        else f"skipped: {_why(training.anneal.on)}",
        "warm_start": warm.model_id if warm else "",
        "classes": classes,
        "classes_without_labels": missing,
    }
    return StageResult(counts, result.failed)


def _judge(on: str) -> Callable[[Label], bool]:
    """Which labels are good enough to anneal on."""

    def is_gold(label: Label) -> bool:
        return label.gold

    def is_gold_or_revised(label: Label) -> bool:
        return label.gold or label.confirmed or label.origin == "revised"

    return is_gold if on == "gold" else is_gold_or_revised


def _why(on: str) -> str:
    if on == "none":
        return "switched off"
    kind = "gold" if on == "gold" else "gold or human-revised"
    return f"no {kind} label in the train split"
