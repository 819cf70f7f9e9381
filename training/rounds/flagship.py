"""The flagship: one model on the assembled labels, round after round."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from training.config import AnnealConfig, FlagshipConfig, MixConfig, TrainingConfig
from training.replay.earlier import earlier_scans, put_aside
from training.rounds.ablation import ablated
from training.rounds.cases import (
    case_specs,
    current_labels,
    labelled_classes,
    raw_specs,
    target_classes,
)
from training.rounds.models import all_groups, last_of
from training.rounds.payload import Run
from training.rounds.runs import train
from training.synthetic.health import Asked
from voxcurate.catalog import Label, Model, Scan
from voxcurate.errors import TrainingError
from voxcurate.stage import StageContext, StageResult

log = logging.getLogger(__name__)
NAME = "flagship"
MACHINE_MADE = ("pseudo", "judged", "synthetic")


def run(
    ctx: StageContext, config: FlagshipConfig, asked: Mapping[str, Asked] | None = None
) -> StageResult:
    """Train the flagship on the round's assembled labels of the train split.

    It goes on from the last round's weights (``warm_start``: AbdomenAtlas, step 7) or begins anew,
    with the same data either way: the round's cases, and those of earlier rounds from memory
    (ScaleMAI, 2.3: the full samples of each task are retained). Classes only join: those of the
    flagship before stay (``keep_classes``). Data annealing ends it on the gold labels; without
    gold the result says so and the rate falls to zero on the mix.

    Args:
        asked: lesion class to the questions about it: what reports say decides where synthetic
            tumours may grow. Without, no case that has a report is used for them.

    Raises:
        TrainingError: no scan of the train split has a label, or a gold case shares its patient
            with a test scan.
    """
    config = ablated(config)
    training = config.training
    before = _before(ctx)
    labels = current_labels(ctx, ctx.round)
    wanted = _wanted(ctx, config, labels, before)
    scans = ctx.scans("train")
    replays = _replays(training.mix)
    earlier = earlier_scans(ctx, before, config.replay, labels) if replays else []
    everything = [*scans, *earlier]
    labelled, missing = labelled_classes(case_specs(ctx, everything, labels, wanted), wanted)
    if not labelled:
        raise TrainingError("no scan of the train split has a mask of the round's classes")
    warm, start = _start(config, before)
    kept = [c for c in missing if warm is not None and config.keep_classes and c in warm.classes]
    classes = [c for c in wanted if c in labelled or c in kept]
    memory = case_specs(ctx, earlier, labels, classes)
    cases = case_specs(ctx, scans, labels, classes)
    if not cases:  # nothing new to learn: what is remembered is the round's
        cases, memory = memory, []
    learnt = {case["case_id"] for case in (*cases, *memory)}
    aside = put_aside(ctx, before, config.replay, labels, learnt, replays=replays)
    anneal = _gold(ctx, training.anneal, everything, labels, classes)
    if warm is not None:
        training = _on_grid_of(warm, training)
    one = Run(
        name=NAME,
        role="flagship",
        network=config.network,
        classes=tuple(classes),
        training=training,
        steps=(config.warm_steps or training.steps) if warm else training.steps,
        cases=cases,
        memory=memory,
        raw=raw_specs(ctx, everything, [*cases, *memory]) if _uses_raw(training) else (),
        anneal=anneal,
        warm=warm,
        asked=asked or {},
        text=config.text,
        kept=kept,
        aside=aside,
    )
    result = train(ctx, [one], threads=config.threads, limit_s=config.time_limit_s)
    done = result.results.get(NAME)
    model = _model(ctx, done)
    lost = done["failed_cases"] if done else {}
    counts = {
        "models": [model.model_id] if model else [],
        "trained": result.computed,
        "reused": result.reused,
        "training_cases": _usable(cases, lost),
        "replayed_cases": _usable(memory, lost),
        "unlabeled_scans": _usable(one.raw, lost),
        "annealing": _annealing(training.anneal, len(anneal), model),
        "start": _begun(start, one, model),
        "warm_start": warm.model_id if warm else "",
        "without": list(config.without),
        "classes": classes,
        "new_classes": [c for c in classes if before is not None and c not in before.classes],
        "classes_without_labels": missing,
        "classes_only_kept": kept,
        "classes_in_no_patch": done.get("unseen", []) if done else [],
    }
    return StageResult(counts, result.failed)


def _before(ctx: StageContext) -> Model | None:
    """The flagship of the newest round before this one."""
    return next(iter(last_of(ctx, "flagship")), None)


def _wanted(
    ctx: StageContext,
    config: FlagshipConfig,
    labels: Mapping[str, Mapping[str, Label]],
    before: Model | None,
) -> tuple[str, ...]:
    """The classes of the flagship before, in their order, and behind them what the round adds."""
    old = before.classes if before is not None and config.keep_classes else []
    known = [class_id for class_id in old if class_id in ctx.vocabulary]
    return tuple(dict.fromkeys([*known, *target_classes(ctx, labels)]))


def _replays(mix: MixConfig) -> bool:
    return bool(mix.replay) and mix.replay != (0.0, 0.0)


def _start(config: FlagshipConfig, before: Model | None) -> tuple[Model | None, str]:
    """The model whose weights it starts from, and that in words."""
    if before is None:
        return None, "trained anew: there is no flagship before"
    if not config.warm_start:
        return None, "trained anew: warm_start is off"
    if before.facts.get("network") != config.network:
        return None, f"trained anew: the flagship before is a {before.facts.get('network')}"
    if before.facts.get("text", "") != config.text:
        return None, "trained anew: the flagship before reads its classes in another way"
    windows = before.facts.get("windows")
    if windows and len(windows) != len(config.training.grid.windows):
        return None, "trained anew: the flagship before sees another number of windows"
    return before, f"fine-tuned from the flagship of round {before.round}"


def _on_grid_of(warm: Model, training: TrainingConfig) -> TrainingConfig:
    """What the weights have learnt is of their grid: another median of spacings changes nothing."""
    spacing = warm.facts.get("spacing_mm")
    if training.grid.spacing_mm is not None or not spacing:
        return training
    grid = training.grid.model_copy(update={"spacing_mm": tuple(spacing)})
    return training.model_copy(update={"grid": grid})


def _gold(
    ctx: StageContext,
    config: AnnealConfig,
    scans: Sequence[Scan],
    labels: Mapping[str, Mapping[str, Label]],
    classes: Sequence[str],
) -> list[dict[str, Any]]:
    """The cases to anneal on, with their best labels only; none shares a patient with a test scan.

    Raises:
        TrainingError: one does.
    """
    found = []
    if config.share and config.on != "none":
        found = case_specs(ctx, scans, labels, classes, _judge(config.on))
    if not found:
        log.warning("no annealing: %s", _why(config.on))
        return []
    group_of = all_groups(ctx.catalog)
    tested = {group_of[case] for (case,) in ctx.catalog.columns(Scan, "case_id", split="test")}
    for case in found:
        if group_of[case["case_id"]] in tested:
            raise TrainingError(
                "gold: want no case of a test patient to anneal on, found one",
                case_id=case["case_id"],
            )
    return found


def _model(ctx: StageContext, done: Mapping[str, Any] | None) -> Model | None:
    if done is None:
        return None
    (model,) = ctx.catalog.rows(Model, model_id=str(done["model_id"]))
    return model


def _usable(cases: Sequence[Mapping[str, Any]], lost: Collection[str]) -> int:
    return sum(case["case_id"] not in lost for case in cases)


def _begun(planned: str, run: Run, model: Model | None) -> str:
    """How the training began, in words: weights that do not fit are not taken over, and those of
    another grid have to learn it anew."""
    if run.warm is None or model is None:
        return planned
    if not model.facts["warm_started"]:
        return f"trained anew: {model.facts['inherited'].get('why_not', '')}"
    names = {"spacing_mm": "another spacing", "windows": "other windows"}
    other = [
        told for key, told in names.items()
        if key in run.warm.facts and run.warm.facts[key] != model.facts.get(key)
    ]  # fmt: skip
    return f"{planned}, which had {' and '.join(other)}" if other else planned


def _annealing(config: AnnealConfig, wanted: int, model: Model | None) -> str:
    """On how many cases the model was annealed, or why it was not."""
    if not wanted:
        return f"skipped: {_why(config.on if config.share else 'none')}"
    if model is None:
        return "skipped: no model was trained"
    if n := int(model.facts["annealed_on"]):
        return f"on {n} {'case' if n == 1 else 'cases'}"
    steps = int(model.facts["steps"])
    if not round(steps * config.share):
        return f"skipped: a share of {config.share:g} of {steps} steps is not one step"
    return "skipped: no case to anneal on can be used"


def _uses_raw(training: TrainingConfig) -> bool:
    return bool(training.mix.unlabeled or training.pretrain_share)


def _judge(on: str) -> Callable[[Label], bool]:
    """Which labels are good enough to anneal on; a machine's never are, unless people confirmed
    them."""

    def is_gold(label: Label) -> bool:
        return label.gold and (label.confirmed or label.origin not in MACHINE_MADE)

    def is_gold_or_revised(label: Label) -> bool:
        return label.confirmed or is_gold(label) or label.origin == "revised"

    return is_gold if on == "gold" else is_gold_or_revised


def _why(on: str) -> str:
    if on == "none":
        return "switched off"
    kind = "gold" if on == "gold" else "gold or human-revised"
    return f"no {kind} label in the train split"
