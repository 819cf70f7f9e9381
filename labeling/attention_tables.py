"""The attention of many cases as tables: every score, the priority list, and their distribution."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeling.attention_plot import plot_distribution
from labeling.attention_scores import ClassScore, Region, Score, case_score
from labeling.config import PriorityConfig
from labeling.priority import outliers
from voxcurate.atomic import write_text

UNITS = {"sum": "mm3", "per-ml": "mm3 per mL of organ", "per-slice": "voxels per slice"}
SCORE_COLUMNS = (
    "case_id", "class_id", "n_models", "inconsistency", "uncertainty", "overlap", "attention",
    "attention_mm3", "organ_ml", "per_ml", "per_slice", "reason",
)  # fmt: skip
PRIORITY_COLUMNS = (
    "rank", "case_rank", "case_id", "class_id", "score", "case_score", "chosen", "reason",
    "i_start", "i_stop", "j_start", "j_stop", "k_start", "k_stop", "region_mm3",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A line of the priority list; cases in falling order, in each the worst class first."""

    rank: int
    case_rank: int
    case_id: str
    class_id: str
    score: float
    case_score: float
    chosen: bool
    reason: str
    region: Region | None


def priority_rows(
    scores: Mapping[str, Mapping[str, ClassScore]], score: Score, config: PriorityConfig
) -> list[Row]:
    """Cases by falling score, equal ones by name; in each its classes, the worst first."""
    totals = {case: case_score(classes, score) for case, classes in scores.items()}
    order = sorted(totals, key=lambda case: (-totals[case], case))
    chosen = outliers([totals[case] for case in order], config)
    rows: list[Row] = []
    for place, (case, is_chosen) in enumerate(zip(order, chosen, strict=True), 1):
        classes = sorted(scores[case].items(), key=lambda item: (-item[1].score(score), item[0]))
        for name, s in classes:
            if s.attention > 0:
                rows.append(
                    Row(
                        len(rows) + 1,
                        place,
                        case,
                        name,
                        s.score(score),
                        totals[case],
                        is_chosen,
                        s.reason,
                        s.region,
                    )
                )
    return rows


def write_tables(
    out: Path,
    scores: Mapping[str, Mapping[str, ClassScore]],
    rows: Sequence[Row],
    score: Score,
) -> None:
    """``scores.csv``, ``priority.csv`` and ``distribution.png``, each whole or not there."""
    write_text(out / "scores.csv", _table(SCORE_COLUMNS, _score_lines(scores)))
    write_text(out / "priority.csv", _table(PRIORITY_COLUMNS, map(_priority_line, rows)))
    if scores:
        totals = {case: case_score(classes, score) for case, classes in scores.items()}
        chosen = {row.case_id for row in rows if row.chosen}
        order = sorted(totals, key=lambda case: (-totals[case], case))
        plot_distribution(
            out / "distribution.png",
            [totals[case] for case in order],
            [case in chosen for case in order],
            UNITS[score],
        )


def _score_lines(scores: Mapping[str, Mapping[str, ClassScore]]) -> Iterator[list[Any]]:
    for case, classes in scores.items():
        for name, s in classes.items():
            numbers = (
                s.inconsistency, s.uncertainty, s.overlap, s.attention, s.attention_mm3,
                s.organ_ml, s.per_ml, s.per_slice,
            )  # fmt: skip
            shown = ("" if value is None else f"{value:.6g}" for value in numbers)
            yield [case, name, s.n_models, *shown, s.reason]


def _priority_line(row: Row) -> list[Any]:
    region = row.region
    ends = [end for side in region.box for end in side] if region else [""] * 6
    return [
        row.rank, row.case_rank, row.case_id, row.class_id, f"{row.score:.6g}",
        f"{row.case_score:.6g}", int(row.chosen), row.reason, *ends,
        f"{region.attention_mm3:.6g}" if region else "",
    ]  # fmt: skip


def _table(columns: Sequence[str], lines: Any) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    table.writerows(lines)
    return stream.getvalue()
