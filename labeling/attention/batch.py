"""Attention of folders of ready predictions: case by case, resumable, then the tables."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labeling.attention.evaluation import Detection, detect_errors, ranking, table_one
from labeling.attention.files import CASE_FILE, Attended, Wanted, attend_case
from labeling.attention.maps import MAP_SCALE
from labeling.attention.scores import STRONG, ClassScore, case_score, score_of
from labeling.attention.tables import Row, priority_rows, write_tables
from labeling.config import PriorityConfig, Score
from labeling.output_folder import FILES, check_apart, read_case_file
from voxcurate.atomic import write_text
from voxcurate.case_files import CaseFiles
from voxcurate.classes import Vocabulary
from voxcurate.errors import CurationError
from voxcurate.ids import content_id
from voxcurate.predictions import axes_reversed
from voxcurate.ready_predictions import Grid, read_prediction

VERSION = "4"


@dataclass(frozen=True)
class Batch:
    """What came out of a run.

    Attributes:
        scores: case to class to scores.
        rows: the priority list.
        failed: case to what is wrong with it.
        missing: case to the models that lack it; it was done with the others.
        reused: cases that were done before.
        evaluation: Table 1 and rankings, if there was a truth.
    """

    scores: Mapping[str, Mapping[str, ClassScore]]
    rows: Sequence[Row]
    failed: Mapping[str, str]
    missing: Mapping[str, Sequence[str]]
    reused: int
    evaluation: Mapping[str, Any] = field(default_factory=dict)


def attend_folders(
    models: Mapping[str, Mapping[str, CaseFiles]],
    vocabulary: Vocabulary,
    out: Path,
    wanted: Wanted | None = None,
    *,
    priority: PriorityConfig | None = None,
    truth: Mapping[str, CaseFiles] | None = None,
    min_region_mm3: float = 0.0,
    above: float = STRONG,
    done: Callable[[str], None] = lambda _: None,
) -> Batch:
    """Attention of all cases; a case that is done with the same inputs and settings is kept.

    Args:
        models: model to its cases.
        vocabulary: tells which classes may share voxels.
        out: folder to write to.
        wanted: what to compute and write.
        priority: which score ranks, and where to cut.
        truth: true labels of cases; adds the evaluation.
        min_region_mm3: regions below do not count there.
        above: attention that counts as attended there.
        done: called with each case.

    Raises:
        ConfigError: `out` has to do with what is read.
    """
    read = [*models.values(), truth or {}]
    check_apart(out, (files for found in read for files in found.values()))
    wanted = wanted or Wanted()
    priority = priority or PriorityConfig()
    scores: dict[str, dict[str, ClassScore]] = {}
    failed: dict[str, str] = {}
    missing: dict[str, list[str]] = {}
    errors: list[tuple[str, str, Detection, float | None]] = []
    reused = 0
    for case in sorted({case for cases in models.values() for case in cases}):
        files = {model: cases[case] for model, cases in models.items() if case in cases}
        lacking = [model for model in models if model not in files]
        if lacking:
            missing[case] = lacking
        true = (truth or {}).get(case)
        key = _fingerprint(files, true, vocabulary, wanted, min_region_mm3, above)
        try:
            known = _read_case(out / case / CASE_FILE, key)
            if known is None:
                found = attend_case(files, vocabulary, wanted, folder=out / case)
                seen = _against(found, true, min_region_mm3, above) if true else []
                known = dict(found.scores), seen
                files_written = (read_case_file(out / case / CASE_FILE) or {}).get(FILES, [])
                write_text(out / case / CASE_FILE, _case_text(key, files_written, *known))
            else:
                reused += 1
            scores[case] = known[0]
            errors += [(case, *line) for line in known[1]]
        except CurationError as error:
            failed[case] = str(error)
        done(case)
    rows = priority_rows(scores, priority)
    evaluation = _evaluation(errors, scores, priority.score) if truth is not None else {}
    if evaluation:
        write_text(out / "evaluation.json", json.dumps(evaluation, indent=2) + "\n")
    write_tables(out, scores, rows, priority)
    return Batch(scores, rows, failed, missing, reused, evaluation)


def _against(
    found: Attended, truth: CaseFiles, min_region_mm3: float, above: float
) -> list[tuple[str, Detection, float | None]]:
    """Each class's detection and ``1 - DSC``; a class that the truth does not have is left out."""
    grid = Grid(found.shape, found.affine, "the predictions")
    try:
        true = axes_reversed(read_prediction(truth, "truth", grid=grid))
    except CurationError as error:
        raise type(error)(f"the truth: {error}") from None
    voxel_mm3 = abs(float(np.linalg.det(found.affine[:3, :3])))
    least = max(1, int(np.ceil(min_region_mm3 / voxel_mm3)))
    lines: list[tuple[str, Detection, float | None]] = []
    for name in found.fusion.maps:
        if name not in true.classes:
            continue
        right = true.full(name) > 0
        pseudo, attention = np.zeros_like(right), np.zeros(right.shape, np.uint8)
        pseudo[found.fusion.masks[name][0]] = found.fusion.masks[name][1]
        attention[found.fusion.maps[name][0]] = found.fusion.maps[name][1]
        seen = detect_errors(
            attention, pseudo, right, above=above * MAP_SCALE, min_region_voxels=least
        )
        both = int(np.count_nonzero(pseudo)) + int(np.count_nonzero(right))
        same = 2 * int(np.count_nonzero(pseudo & right))
        lines.append((name, seen, 1 - same / both if both else None))
    return lines


def _evaluation(
    errors: Sequence[tuple[str, str, Detection, float | None]],
    scores: Mapping[str, Mapping[str, ClassScore]],
    score: Score,
) -> dict[str, Any]:
    """Of what the truth knows: a case's score and error are those of its true classes."""
    classes = dict.fromkeys(name for _, name, _, _ in errors)
    table = {
        name: [seen for _, other, seen, _ in errors if other == name] for name in sorted(classes)
    }
    ranks: dict[str, Any] = {}
    for name in sorted(classes):
        pairs = [
            (scores[case][name].score(score), error)
            for case, other, _, error in errors
            if other == name and error is not None
        ]
        ranks[name] = asdict(ranking([p[0] for p in pairs], [p[1] for p in pairs]))
    known: dict[str, dict[str, float]] = {}
    for case, name, _, error in errors:
        if error is not None:
            known.setdefault(case, {})[name] = error
    totals = [
        case_score({c: scores[case][c] for c in found}, score) for case, found in known.items()
    ]
    mean = [float(np.mean(list(found.values()))) for found in known.values()]
    return {"table_1": table_one(table), "ranking": ranks, "cases": asdict(ranking(totals, mean))}


def _fingerprint(
    files: Mapping[str, CaseFiles],
    truth: CaseFiles | None,
    vocabulary: Vocabulary,
    wanted: Wanted,
    *settings: float,
) -> str:
    """Of what a case is made from; files by size and time, as ``make`` does."""
    return content_id(
        VERSION,
        {model: case.state() for model, case in files.items()},
        truth.state() if truth else None,
        [info.model_dump(mode="json") for info in vocabulary],
        wanted.attention.model_dump(mode="json"),
        [wanted.threshold, sorted(wanted.classes), wanted.masks, wanted.class_maps, *settings],
    )


Known = tuple[dict[str, ClassScore], list[tuple[str, Detection, float | None]]]


def _case_text(
    key: str,
    files: Sequence[str],
    scores: Mapping[str, ClassScore],
    seen: Sequence[tuple[str, Detection, float | None]],
) -> str:
    data = {
        "fingerprint": key,
        FILES: list(files),
        "classes": {name: s.plain() for name, s in scores.items()},
        "errors": [[name, asdict(d), error] for name, d, error in seen],
    }
    return json.dumps(data, indent=1) + "\n"


def _read_case(path: Path, key: str) -> Known | None:
    """What an earlier run found, if it had the same inputs and settings."""
    data = read_case_file(path)
    if data is None or data.get("fingerprint") != key:
        return None
    if not all((path.parent / name).is_file() for name in data[FILES]):
        return None
    scores = {name: score_of(plain) for name, plain in data["classes"].items()}
    return scores, [(name, Detection(**d), error) for name, d, error in data["errors"]]
