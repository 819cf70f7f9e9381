"""The stages of a round, in order, each a thin call; here one stage's product is handed to the
next."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from agent.config import RoundConfig
from voxcurate.catalog import Model, Round
from voxcurate.stage import StageContext, StageResult

Context = Callable[[], StageContext]
STAGE_NAMES = (
    "retrieve",
    "clean",
    "coldstart",
    "predict",
    "fuse",
    "detect",
    "judge",
    "review",
    "assemble",
    "statistics",
    "train",
    "evaluate",
    "stop",
)
ON_GPU = frozenset({"coldstart", "predict", "train", "evaluate"})  # networks are used there
# stages of the ledger that belong to a stage of the round under another name
LEDGER_NAMES = {
    "clean_pair": "clean",
    "clean_labels": "clean",
    "fuse_quality": "fuse",
    "regions": "judge",
    "roc": "judge",
    "roc_review": "review",
    "train_zoo": "coldstart",
    "train_flagship": "train",
}


def in_order(stages: Iterable[str]) -> list[str]:
    """Stage names in the order of a round; others after them, by name."""
    known = {name: place for place, name in enumerate(STAGE_NAMES)}
    return sorted(stages, key=lambda name: (known.get(name, len(known)), name))


def round_stages(context: Context, config: RoundConfig) -> dict[str, Callable[[], StageResult]]:
    """Name -> stage, in the order in which a round runs them."""
    stages: dict[str, Callable[[], StageResult]] = {
        "retrieve": lambda: _retrieve(context(), config),
        "clean": lambda: _clean(context(), config),
        "coldstart": lambda: _coldstart(context(), config),
        "predict": lambda: _predict(context(), config),
        "fuse": lambda: _fuse(context(), config),
        "detect": lambda: _detect(context(), config),
        "judge": lambda: _judge(context(), config),
        "review": lambda: _review(context(), config),
        "assemble": lambda: _assemble(context(), config),
        "statistics": lambda: _statistics(context(), config),
        "train": lambda: _train(context(), config),
        "evaluate": lambda: _evaluate(context(), config),
        "stop": lambda: _stop(context(), config),
    }
    return {name: _freed(stage) if name in ON_GPU else stage for name, stage in stages.items()}


def _freed(stage: Callable[[], StageResult]) -> Callable[[], StageResult]:
    """A stage that finds no GPU held by a language model of a stage before."""

    def run() -> StageResult:
        from voxcurate.chat.engine import close_engines

        close_engines()
        return stage()

    return run


def round_models(context: StageContext) -> list[Model]:
    """The predictors of a round: the cold-start zoo and the flagship of the round before."""
    from training.rounds.models import last_of, of_round

    return of_round(context, "zoo") + last_of(context, "flagship")


def _retrieve(context: StageContext, config: RoundConfig) -> StageResult:
    from retrieval import stage

    result = stage.run(context, config.retrieval)
    cohort = list(result.counts.get("cohort", ()))
    with context.catalog.write() as writer:
        row = writer.rows(Round, number=context.round)[0]
        writer.put(replace(row, facts={**row.facts, "cohort": cohort}))
    counts = {k: v for k, v in result.counts.items() if k != "cohort"}
    return StageResult({**counts, "cohort": len(cohort)}, result.failed)


def _clean(context: StageContext, config: RoundConfig) -> StageResult:
    from agent.ingest.identities import Identities
    from cleaning import stage

    with Identities(context.workspace) as identities:
        return stage.run(context, config.cleaning, known=identities.known())


def _coldstart(context: StageContext, config: RoundConfig) -> StageResult:
    from agent.health import asked_of
    from training.rounds import zoo

    return zoo.run(context, config.zoo, asked_of(context, config, config.zoo.training))


def _predict(context: StageContext, config: RoundConfig) -> StageResult:
    from training import predict

    predict.drop_predictions(context, config.predict)
    models = round_models(context) + predict.external_models(context, config.predict)
    return predict.run(context, config.predict, models)


def _fuse(context: StageContext, config: RoundConfig) -> StageResult:
    from labeling.fusion import fuse

    return fuse.run(context, config.labeling)


def _detect(context: StageContext, config: RoundConfig) -> StageResult:
    from labeling.expert import detect

    return detect.run(context, config.labeling)


def _judge(context: StageContext, config: RoundConfig) -> StageResult:
    from agent.lesions import run_roc
    from labeling.expert import judge
    from labeling.expert.leaving_out import leave_out

    judged, lesions = judge.run(context, config.labeling), run_roc(context, config)
    regions = leave_out(context, config.labeling)
    counts: dict[str, Any] = {**judged.counts, **regions.counts}
    if lesions.counts:
        counts["lesions"] = dict(lesions.counts)
    return StageResult(counts, {**judged.failed, **lesions.failed, **regions.failed})


def _review(context: StageContext, config: RoundConfig) -> StageResult:
    from agent.lesions import export_roc
    from labeling.review import review
    from labeling.roc.answers import import_lesions, pending_lesions

    queued = review.export_review(context, config.labeling)
    lesions = export_roc(context, config)
    taken = review.import_review(context)
    late = review.import_late(context)
    drawn = import_lesions(context)
    waiting = [*pending_lesions(context), *review.pending(context)]
    if waiting and config.wait_for_review:
        from langgraph.types import interrupt

        interrupt({"waiting": len(waiting)})
    counts: dict[str, Any] = {**queued.counts, **taken.counts, "not_looked_at": len(waiting)}
    if late.counts:
        counts["late_answers"] = {
            f"round {number}": sum(n.values()) for number, n in late.counts.items()
        }
    counts |= {**lesions.counts, **drawn.counts}
    failed = [queued.failed, taken.failed, late.failed, lesions.failed, drawn.failed]
    return StageResult(counts, {key: why for part in failed for key, why in part.items()})


def _assemble(context: StageContext, config: RoundConfig) -> StageResult:
    from labeling.assembly import assemble

    return assemble.run(context, config.labeling)


def _statistics(context: StageContext, config: RoundConfig) -> StageResult:
    from labeling.statistics import agreement

    return agreement.run(context, config.labeling)


def _train(context: StageContext, config: RoundConfig) -> StageResult:
    from agent.health import asked_of
    from training.rounds import flagship

    asked = asked_of(context, config, config.flagship.training)
    return flagship.run(context, config.flagship, asked)


def _evaluate(context: StageContext, config: RoundConfig) -> StageResult:
    from training import predict
    from training.evaluation import stage as evaluate
    from training.rounds.models import of_round

    flagships = of_round(context, "flagship")
    predicted = predict.run(context, config.predict, flagships, splits=("test",))
    result = evaluate.run(context, config.evaluate, flagships + of_round(context, "zoo"))
    return StageResult(result.counts, {**predicted.failed, **result.failed})


def _stop(context: StageContext, config: RoundConfig) -> StageResult:
    from agent import stopping

    return stopping.run(context, config.stop)
