"""The priority list: who needs a person's eye first (AbdomenAtlas-8K section 3.2, step 4).

The scores of every class and case are in the catalog since the stage fuse. The list is read from
there in pieces, so that one of 25,000 cases takes no more memory than their names and scores.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from labeling.attention.scores import ClassScore, case_scores, score_of
from labeling.attention.tables import (
    PRIORITY_COLUMNS,
    RankedCase,
    Row,
    falling,
    lines,
    plot_cases,
    priority_line,
    rank_cases,
    rows_of,
)
from labeling.config import LabelingConfig, PriorityConfig, Score
from labeling.expert.calibration import calibrated
from labeling.quality import TRUSTED
from voxcurate.atomic import write_atomic
from voxcurate.catalog import Label, Measure
from voxcurate.errors import CurationError
from voxcurate.stage import StageContext, StageResult

STAGE, NAME, CHANCE = "detect", "attention_mm3", "error_probability"
MORE_COLUMNS = ("split", "error_probability", "suspect", "drawn_by_people")
CASES_AT_ONCE = 200
LIST, PLOT = "priority.csv", "priority.png"


@dataclass(frozen=True)
class Entry:
    """A line of a workspace's list.

    Attributes:
        row: the line as any list has it.
        split: of the scan.
        error_probability: calibrated, of the current label, if it was examined.
        suspect: its noisy-or reaches the threshold.
        drawn_by_people: the label that counts is; the list does not ask people to look at it.
    """

    row: Row
    split: str
    error_probability: float | None
    suspect: bool
    drawn_by_people: bool


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
                int(entry.drawn_by_people),
            ]

    text = lines((*PRIORITY_COLUMNS, *MORE_COLUMNS), table())
    write_atomic(folder / LIST, (line.encode() for line in text))
    plot_cases(folder / PLOT, ranked, config.priority.score)
    chosen = sum(case.chosen for case in ranked)
    return StageResult({"cases": len(ranked), "chosen": chosen, "lines": count})


def ranked_cases(ctx: StageContext, config: PriorityConfig) -> list[RankedCase]:
    """The round's train and validation cases with attention, largest score first, with the cut.

    The cut counts cases in which there is something to look at: an attended structure whose label
    no person drew, as the round began. Whoever asks people (the list, the review queue) takes it
    from here.

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
    return rank_cases(totals, config, _Open(ctx, falling(totals), config.score))


class _Open:
    """Whether a case has a structure to look at; read some cases at a time, in their order."""

    def __init__(self, ctx: StageContext, order: Sequence[str], kind: Score) -> None:
        self._ctx, self._order, self._kind = ctx, order, kind
        self._places = {case_id: place for place, case_id in enumerate(order)}
        self._page: dict[str, bool] = {}

    def __call__(self, case_id: str) -> bool:
        if case_id not in self._page:
            start = self._places[case_id] // CASES_AT_ONCE * CASES_AT_ONCE
            self._page = self._read(self._order[start : start + CASES_AT_ONCE])
        return self._page[case_id]

    def _read(self, cases: Sequence[str]) -> dict[str, bool]:
        scores, drawn = _scores(self._ctx, cases), drawn_by_people(self._ctx, cases)
        return {
            case: any(
                s.score(self._kind) > 0 and name not in drawn[case]
                for name, s in scores.get(case, {}).items()
            )
            for case in cases
        }


def drawn_by_people(ctx: StageContext, cases: Sequence[str]) -> dict[str, set[str]]:
    """Case to the classes whose label, as the round began, people drew or confirmed."""
    about = ("label_id", "origin", "gold", "confirmed", "retired")
    theirs = {
        label_id
        for label_id, origin, gold, confirmed, retired in ctx.catalog.columns(
            Label, *about, case_id=list(cases)
        )
        if (origin in TRUSTED or gold or confirmed) and not retired
    }
    found: dict[str, set[str]] = {case: set() for case in cases}
    pointers = ctx.catalog.current(max(ctx.round - 1, 0), case_id=list(cases))
    for (case_id, class_id), pointer in pointers.items():
        if pointer.label_id in theirs:
            found[case_id].add(class_id)
    return found


def entries(
    ctx: StageContext, config: LabelingConfig, ranked: Sequence[RankedCase]
) -> Iterator[Entry]:
    """The lines of ranked cases, in their order, read some hundred cases at a time."""
    splits = ctx.cases()
    n_rows = 0
    for first in range(0, len(ranked), CASES_AT_ONCE):
        part = ranked[first : first + CASES_AT_ONCE]
        cases = [case.case_id for case in part]
        scores, chances = _scores(ctx, cases), _chances(ctx, cases)
        drawn = drawn_by_people(ctx, cases)
        for case in part:
            own, theirs = scores.get(case.case_id, {}), drawn[case.case_id]
            rows = rows_of(case, own, config.priority.score, n_rows + 1, theirs)
            n_rows += len(rows)
            for row in rows:
                chance = chances.get((row.case_id, row.class_id))
                yield Entry(
                    row=row,
                    split=splits[row.case_id],
                    error_probability=None if chance is None else calibrated(chance),
                    suspect=chance is not None and chance >= config.detect.threshold,
                    drawn_by_people=row.class_id in theirs,
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


def _scores(ctx: StageContext, cases: Sequence[str]) -> dict[str, dict[str, ClassScore]]:
    """Scores by case and class, of some cases."""
    scores: dict[str, dict[str, ClassScore]] = {}
    for case_id, class_id, facts in _measured(ctx, cases, NAME, "facts"):
        if class_id and "region" in facts:
            scores.setdefault(case_id, {})[class_id] = score_of(facts)
    return scores


def _chances(ctx: StageContext, cases: Sequence[str]) -> dict[tuple[str, str], float]:
    """Error probabilities by case and class, of some cases."""
    found = _measured(ctx, cases, CHANCE, "value")
    return {(case, name): value for case, name, value in found if value is not None}


def _measured(
    ctx: StageContext, cases: Sequence[str], name: str, column: str
) -> Iterable[Sequence[Any]]:
    where: dict[str, Any] = {"round": ctx.round, "stage": STAGE, "case_id": list(cases)}
    return ctx.catalog.columns(Measure, "case_id", "class_id", column, name=name, **where)


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
