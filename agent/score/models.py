"""Scores of the flagship models on test scans, against the true masks."""

from collections import defaultdict
from collections.abc import Iterator

from agent.score.mending import classes
from agent.score.statistics import dsc, mean
from agent.score.table import ScoreRow, not_run
from agent.score.truth import Scoring
from voxcurate.catalog import Measure, Model
from voxcurate.predictions import open_prediction

STAGE = "train"
_HALF = 127
Table = dict[str, list[float]]  # class -> DSC per case


def score_models(scoring: Scoring) -> Iterator[ScoreRow]:
    """Mean DSC of each round's flagship beside the best single cold-start model, then by class."""
    models = scoring.catalog.rows(Model)
    flagships = sorted(
        (m for m in models if m.facts.get("role") == "flagship"), key=lambda m: m.round
    )
    if not flagships:
        yield not_run(STAGE, "flagship, mean DSC on test")
        return
    scored_zoo = [_scores(scoring, m)[0] for m in models if m.facts.get("role") == "zoo"]
    best: Table = max((table for table in scored_zoo if table), key=_mean, default={})
    scored: Table | None = None
    for model in flagships:
        table, note = _scores(scoring, model)
        measure = f"flagship of round {model.round}, mean DSC on test"
        if not table:
            yield not_run(STAGE, measure, "no prediction or measure of a test scan")
            continue
        scored = table
        common = [name for name in table if name in best]
        yield ScoreRow(
            STAGE,
            measure,
            _mean(table),
            "best single cold-start model",
            mean([mean(best[name]) for name in common]) if common else None,
            sum(map(len, table.values())),
            note,
        )
    if scored is None:
        return
    for name in classes(scoring):
        if name in scored:
            yield ScoreRow(
                STAGE,
                f"last flagship DSC, {name}",
                mean(scored[name]),
                "best single cold-start model",
                mean(best[name]) if name in best else None,
                len(scored[name]),
            )


def _scores(scoring: Scoring, model: Model) -> tuple[Table, str]:
    """DSC by class against the truth from stored predictions; else from the catalog's measures.

    Where a class is not in view, the case does not count for it.
    """
    result: Table = defaultdict(list)
    cases = scoring.good_cases("test")
    names = [name for name in classes(scoring) if name in model.classes]
    for case in cases:
        found = sorted(scoring.workspace.root.glob(f"predictions/*/{model.model_id}/{case}.vxp"))
        if not found:
            continue
        prediction = open_prediction(found[-1])
        for name in names:
            truth = scoring.true_mask(case, name)
            if truth.any() and name in prediction.classes:
                result[name].append(dsc(prediction.full(name) > _HALF, truth))
    if result:
        return dict(result), "against true masks"
    for row in scoring.catalog.rows(Measure, name="dsc", model_id=model.model_id, case_id=cases):
        if row.stage == "evaluate" and row.value is not None and row.class_id in names:
            result[row.class_id].append(row.value)
    return dict(result), "against the test labels: no stored predictions"


def _mean(table: Table) -> float:
    return mean([mean(values) for values in table.values()])
