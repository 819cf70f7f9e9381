"""The priority list: who needs a person's eye first (AbdomenAtlas-8K section 3.2, step 4).

The scores of every class and case are in the catalog since the stage fuse. The list is read from
there in pieces, so that one of 25,000 cases takes no more memory than their names and scores.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labeling.attention_scores import ClassScore, case_scores, score_of
from labeling.attention_tables import (
    PRIORITY_COLUMNS,
    RankedCase,
    Row,
    lines,
    plot_cases,
    priority_line,
    rank_cases,
    rows_of,
)
from labeling.config import LabelingConfig, PriorityConfig, Score
from voxcurate.atomic import write_atomic
from voxcurate.catalog import Measure
from voxcurate.errors import CurationError
from voxcurate.stage import StageContext, StageResult

STAGE, NAME, CHANCE = "detect", "attention_mm3", "error_probability"
MORE_COLUMNS = ("split", "error_probability", "suspect")
CASES_AT_ONCE = 200
LIST, PLOT = "priority.csv", "priority.png"


@dataclass(frozen=True)
class Entry:
    """A line of a workspace's list.

    Attributes:
        row: the line as any list has it.
        split: of the scan.
        error_probability: of the current label, if it was examined.
        suspect: that probability reaches the threshold.
    """

    row: Row
    split: str
    error_probability: float | None
    suspect: bool


def run(ctx: StageContext, config: LabelingConfig, folder: Path | None = None) -> StageResult:
    """Write the round's list (`LIST`) and the plot of its scores (`PLOT`).

    Args:
        ctx: of the round.
        config: which score ranks, where to cut.
        folder: to write to; the round's own if not given.

    Raises:
        CurationError: some case has no such score (it was fused by an older version).
    """
    folder = folder or ctx.workspace.round_path(ctx.round)
    ranked = ranked_cases(ctx, config.priority)
    count = 0

    def table() -> Iterator[list[Any]]:
        nonlocal count
        for entry in entries(ctx, config, ranked):
            count += 1
            chance = entry.error_probability
            yield [
                *priority_line(entry.row),
                entry.split,
                "" if chance is None else f"{chance:.3f}",
                int(entry.suspect),
            ]

    text = lines((*PRIORITY_COLUMNS, *MORE_COLUMNS), table())
    write_atomic(folder / LIST, (line.encode() for line in text))
    plot_cases(folder / PLOT, ranked, config.priority.score)
    chosen = sum(case.chosen for case in ranked)
    return StageResult({"cases": len(ranked), "chosen": chosen, "lines": count})


def ranked_cases(ctx: StageContext, config: PriorityConfig) -> list[RankedCase]:
    """The round's train and validation cases with attention, largest score first.

    Raises:
        CurationError: a case has no such score.
    """
    wanted = ctx.cases("train", "validation")
    totals = {}
    where: dict[str, Any] = {"round": ctx.round, "stage": STAGE, "name": NAME, "class_id": ""}
    for batch in ctx.catalog.stream(Measure, "case_id", "value", "facts", **where):
        for case_id, value, facts in batch:
            if case_id in wanted:
                totals[case_id] = _total(case_id, value or 0.0, facts, config.score)
    return rank_cases(totals, config)


def entries(
    ctx: StageContext, config: LabelingConfig, ranked: Sequence[RankedCase]
) -> Iterator[Entry]:
    """The lines of ranked cases, in their order, read some hundred cases at a time."""
    splits = ctx.cases()
    n_rows = 0
    for first in range(0, len(ranked), CASES_AT_ONCE):
        part = ranked[first : first + CASES_AT_ONCE]
        scores, chances = _read(ctx, [case.case_id for case in part])
        for case in part:
            rows = rows_of(case, scores.get(case.case_id, {}), config.priority.score, n_rows + 1)
            n_rows += len(rows)
            for row in rows:
                chance = chances.get((row.case_id, row.class_id))
                yield Entry(
                    row=row,
                    split=splits[row.case_id],
                    error_probability=chance,
                    suspect=chance is not None and chance >= config.detect.threshold,
                )


def measures_of(
    ctx: StageContext,
    case_id: str,
    scores: Mapping[str, ClassScore],
    facts: Mapping[str, Any],
    model_id: str,
) -> list[Measure]:
    """What the stage fuse records of a case: a measure per class, and last that of the case (class
    ""), which has its scores of every kind and the given facts."""
    totals = case_scores(scores)
    empty = Measure(ctx.round, STAGE, case_id, "", model_id, NAME, None)
    found = [
        replace(empty, class_id=c, value=round(s.attention_mm3, 4), facts=_rounded(s.plain()))
        for c, s in sorted(scores.items())
    ]
    whole = round(totals["sum"], 4)
    return [*found, replace(empty, value=whole, facts={"scores": _rounded(totals), **facts})]


def _read(
    ctx: StageContext, cases: Sequence[str]
) -> tuple[dict[str, dict[str, ClassScore]], dict[tuple[str, str], float]]:
    """Scores by case and class, and error probabilities, of some cases."""
    where: dict[str, Any] = {"round": ctx.round, "stage": STAGE, "case_id": list(cases)}
    scores: dict[str, dict[str, ClassScore]] = {}
    key = ("case_id", "class_id")
    for case_id, class_id, facts in ctx.catalog.columns(Measure, *key, "facts", name=NAME, **where):
        if class_id and "region" in facts:
            scores.setdefault(case_id, {})[class_id] = score_of(facts)
    found = ctx.catalog.columns(Measure, *key, "value", name=CHANCE, **where)
    return scores, {(case, name): value for case, name, value in found if value is not None}


def _total(case_id: str, value: float, facts: Mapping[str, Any], kind: Score) -> float:
    known = facts.get("scores", {})
    if kind in known:
        return float(known[kind])
    if kind == "sum":
        return value
    raise CurationError(
        f"its attention was measured without the score {kind!r}: fuse the round anew",
        case_id=case_id,
    )


def _rounded(values: Any) -> Any:
    """Six digits are enough, and keep the catalog small."""
    if isinstance(values, float):
        return float(f"{values:.6g}")
    if isinstance(values, Mapping):
        return {name: _rounded(value) for name, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_rounded(value) for value in values]
    return values
