"""The attention of many cases as tables: every score, the priority list, and their distribution."""

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.attention.outliers import outliers
from labeling.attention.plot import plot_distribution
from labeling.attention.scores import ClassScore, Region, case_score
from labeling.config import PriorityConfig, Score
from voxcurate.atomic import write_text

UNITS = {
    "share": "attended share of the organ",
    "sum": "attention in mm3",
    "per-ml": "attention in mm3 per mL of organ",
    "per-slice": "attention in voxels per slice",
    "voxels": "voxels with attention",
}
SCORE_COLUMNS = (
    "case_id", "class_id", "n_models", "inconsistency", "uncertainty", "overlap", "attention",
    "voxels", "attention_mm3", "organ_ml", "attended_ml", "share", "per_ml", "per_slice",
    "reason",
)  # fmt: skip
PRIORITY_COLUMNS = (
    "rank", "case_rank", "case_id", "class_id", "score", "case_score", "chosen", "reason",
    "i_start", "i_stop", "j_start", "j_stop", "k_start", "k_stop", "region_mm3",
    "attention_mm3", "organ_ml", "attended_ml", "share", "per_ml", "per_slice", "n_models",
)  # fmt: skip


@dataclass(frozen=True)
class RankedCase:
    """A case of the list: its place from 1, its score, and whether people look at it."""

    rank: int
    case_id: str
    score: float
    chosen: bool


@dataclass(frozen=True)
class Row:
    """A line of the priority list; cases in falling order, in each the worst class first.

    `chosen`: people look at this structure. `region` is None where nothing of it is attended.
    """

    rank: int
    case_rank: int
    case_id: str
    class_id: str
    score: float
    case_score: float
    chosen: bool
    reason: str
    region: Region | None
    attention_mm3: float
    organ_ml: float
    attended_ml: float
    share: float
    per_ml: float
    per_slice: float
    n_models: int


def falling(totals: Mapping[str, float]) -> list[str]:
    """Cases by falling score, equal ones by name."""
    return sorted(totals, key=lambda case: (-totals[case], case))


def rank_cases(
    totals: Mapping[str, float],
    config: PriorityConfig,
    is_open: Callable[[str], bool] = lambda _: True,
) -> list[RankedCase]:
    """Cases by falling score, with the cut; `is_open`: whether a case has anything to look at."""
    order = falling(totals)
    chosen = outliers([totals[c] for c in order], config, lambda place: is_open(order[place]))
    return [
        RankedCase(place, case, totals[case], is_chosen)
        for place, (case, is_chosen) in enumerate(zip(order, chosen, strict=True), 1)
    ]


def rows_of(
    place: RankedCase,
    classes: Mapping[str, ClassScore],
    kind: Score,
    first: int,
    drawn: Collection[str] = (),
) -> list[Row]:
    """A case's lines, the worst class first.

    A class without attention has none. One with a score of 0 (only its soft border has some) has
    no region, and nobody looks at it.

    Args:
        place: the case in the list.
        classes: its scores.
        kind: which of them ranks.
        first: the rank of its first line.
        drawn: classes whose label is a person's: the models' attention says nothing of it, and
            nobody looks at it for that.
    """
    worst = sorted(classes.items(), key=lambda item: (-item[1].score(kind), item[0]))
    seen = [(name, s) for name, s in worst if s.attention > 0]
    return [
        Row(
            rank=rank,
            case_rank=place.rank,
            case_id=place.case_id,
            class_id=name,
            score=s.score(kind),
            case_score=place.score,
            chosen=place.chosen and s.score(kind) > 0 and name not in drawn,
            reason=s.reason,
            region=s.region if s.score(kind) > 0 else None,
            attention_mm3=s.attention_mm3,
            organ_ml=s.organ_ml,
            attended_ml=s.attended_ml,
            share=s.share,
            per_ml=s.per_ml,
            per_slice=s.per_slice,
            n_models=s.n_models,
        )
        for rank, (name, s) in enumerate(seen, first)
    ]


def priority_rows(
    scores: Mapping[str, Mapping[str, ClassScore]], config: PriorityConfig
) -> list[Row]:
    """The list of cases that are all in memory."""
    totals = {case: case_score(classes, config.score) for case, classes in scores.items()}
    rows: list[Row] = []
    for place in rank_cases(totals, config):
        rows += rows_of(place, scores[place.case_id], config.score, len(rows) + 1)
    return rows


def write_tables(
    out: Path,
    scores: Mapping[str, Mapping[str, ClassScore]],
    rows: Sequence[Row],
    config: PriorityConfig,
) -> None:
    """``scores.csv``, ``priority.csv`` and ``distribution.png``, each whole or not there."""
    write_text(out / "scores.csv", "".join(lines(SCORE_COLUMNS, _score_lines(scores))))
    write_text(out / "priority.csv", "".join(lines(PRIORITY_COLUMNS, map(priority_line, rows))))
    totals = {case: case_score(classes, config.score) for case, classes in scores.items()}
    plot_cases(out / "distribution.png", rank_cases(totals, config), config.score)


def plot_cases(path: Path, ranked: Sequence[RankedCase], kind: Score) -> None:
    """The distribution of the cases' scores with the cut; nothing without cases."""
    if ranked:
        scores, chosen = [c.score for c in ranked], [c.chosen for c in ranked]
        plot_distribution(path, scores, chosen, UNITS[kind])


def lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """A table as CSV, line by line, so that a long one is never whole in memory."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        table.writerow(row)
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()
    yield stream.getvalue()


def priority_line(row: Row) -> list[Any]:
    """As `PRIORITY_COLUMNS`."""
    region = row.region
    ends = [end for side in region.box for end in side] if region else [""] * 6
    return [
        row.rank, row.case_rank, row.case_id, row.class_id, _short(row.score),
        _short(row.case_score), int(row.chosen), row.reason, *ends,
        _short(region.attention_mm3) if region else "",
        _short(row.attention_mm3), _short(row.organ_ml), _short(row.attended_ml),
        _short(row.share), _short(row.per_ml), _short(row.per_slice), row.n_models,
    ]  # fmt: skip


def _score_lines(scores: Mapping[str, Mapping[str, ClassScore]]) -> Iterator[list[Any]]:
    for case, classes in scores.items():
        for name, s in classes.items():
            yield [
                case, name, s.n_models, _short(s.inconsistency), _short(s.uncertainty),
                _short(s.overlap), _short(s.attention), s.voxels, _short(s.attention_mm3),
                _short(s.organ_ml), _short(s.attended_ml), _short(s.share), _short(s.per_ml),
                _short(s.per_slice), s.reason,
            ]  # fmt: skip


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
