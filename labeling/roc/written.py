"""What is written of an analysis: JSON, tables and the picture."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeling.roc.analysis import Analysis
from labeling.roc.plot import plot_analysis
from voxcurate.atomic import write_text
from voxcurate.classes import Vocabulary
from voxcurate.lesions.matching import CaseRow

CANDIDATES = ("case", "number", "score", "ml", "right_mm", "front_mm", "up_mm", "state", "truth")


def write_analysis(
    folder: Path,
    found: Analysis,
    vocabulary: Vocabulary,
    candidates: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Write ``roc.json``, ``curve.csv``, ``cases.csv``, ``roc.png``, and ``candidates.csv`` where
    the candidates are given by case. Files of the same names are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "roc.json", json.dumps(told(found), indent=1) + "\n")
    curve = found.curve()
    _csv(folder / "curve.csv", list(curve[0]), (row.values() for row in curve))
    at = found.threshold
    head = ("case", "patient", "lesion", "report", "score", "lesions", "missed", "false", "removed")
    _csv(folder / "cases.csv", head, (case_line(row, at) for row in found.rows))
    if candidates is not None:
        lines = [
            line
            for row in found.rows
            for line in _candidate_lines(row, candidates.get(row.case_id, ()), at)
        ]
        _csv(folder / "candidates.csv", CANDIDATES, lines)
    known = found.class_id in vocabulary
    name = (vocabulary[found.class_id].name if known else "") or found.class_id
    plot_analysis(folder / "roc.png", found, name)


def told(found: Analysis) -> dict[str, Any]:
    """The analysis and its settings as plain data."""
    return {**found.to_json(), "config": found.config.model_dump(mode="json")}


def case_line(row: CaseRow, threshold: float | None) -> list[Any]:
    """What becomes of a scan at a threshold."""
    counted = [(s, hits) for s, hits in row.counted if threshold is not None and s >= threshold]
    found = {lesion for _, hits in counted for lesion in hits}
    false = sum(not hits for _, hits in counted)
    known = row.positive is not None
    lesion = {True: "yes", False: "no", None: "unknown"}[row.positive]
    score = max((s for s, _ in row.counted), default=0.0)
    said_no = row.said == "no"
    return [
        row.case_id, row.patient, lesion, row.said, f"{score:.4f}",
        len(row.lesions_ml) if known else "", len(row.lesions_ml) - len(found) if known else "",
        false if known else "", false if said_no and known else (0 if known else ""),
    ]  # fmt: skip


def state_of(row: CaseRow, score: float, threshold: float | None) -> str:
    """What becomes of a candidate: below the threshold, removed (its report says that there is no
    lesion), or kept for people to look at."""
    if threshold is not None and score < threshold:
        return "below"
    return "removed" if row.said == "no" else "kept"


def _candidate_lines(
    row: CaseRow, candidates: Sequence[Mapping[str, Any]], threshold: float | None
) -> Iterable[list[Any]]:
    ignored = row.ignored or (False,) * len(row.scores)
    for entry, score, hits, is_ignored in zip(
        candidates, row.scores, row.hits, ignored, strict=True
    ):
        truth = "lesion" if hits else ("not counted" if is_ignored else "false")
        yield [
            row.case_id, entry["number"], f"{score:.4f}", entry["ml"], *entry["centre_mm"],
            state_of(row, score, threshold), truth if row.positive is not None else "unknown",
        ]  # fmt: skip


def _csv(path: Path, head: Sequence[str], rows: Iterable[Iterable[Any]]) -> None:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(head)
    table.writerows(rows)
    write_text(path, stream.getvalue())
