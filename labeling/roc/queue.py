"""The list of lesions that people look at: ``review/<round>/lesions/``, a row per candidate.

First what a report names and nothing found, then labels that contradict their report, then the
candidates of scans with a tumour, the likeliest scan first; a scan's candidates stay together. The
round waits for them, so there are as many as its budget; others are listed in ``waiting.csv``.
"""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labeling.config import LabelingConfig
from labeling.predicted import Predictions
from labeling.review.folder import link_or_copy, overview, read_queue
from labeling.roc.budget import KINDS, within_budget
from labeling.roc.config import RocConfig
from labeling.roc.reports import Asked, Said, said_of
from labeling.roc.stage import NAME, STAGE, payload_of
from labeling.roc.work import candidates_of
from voxcurate.atomic import adopt_file, write_text
from voxcurate.catalog import Decision, Label, Measure, Scan
from voxcurate.labels import read_mask
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult
from voxcurate.volume import Volume

VERSION = "2"
ANSWERS = {
    "candidate": ("accept", "erase", "revised", "skip"),
    "missed": ("revised", "confirm", "skip"),
    "contradicts": ("confirm", "erase", "revised", "skip"),
}
COLUMNS = (
    "rank", "folder", "case_id", "class_id", "kind", "number", "score", "ml", "reason",
    "verdict", "reviewer", "comment",
)  # fmt: skip
WAITING_COLUMNS = ("rank", "case_id", "class_id", "kind", "number", "score", "ml", "reason")
CANDIDATE, WAITING = "candidate.nii.gz", "waiting.csv"
INSTRUCTIONS = """\
Lesions of round {round}: {n} rows, the most urgent first.

missed       the report names a lesion, nothing was found
contradicts  the report says that there is none, the label shows one
candidate    a region that reached the threshold {thresholds}

Each folder holds ct.nii.gz, label.nii.gz, candidate.nii.gz, overview.png and item.json.
Write into the verdict column of queue.csv:
  accept    candidate: it is a lesion. If its border is wrong, correct candidate.nii.gz first
  erase     candidate: it is none; contradicts: the label is wrong, there is no lesion
  confirm   missed: there is none; contradicts: the label is right
  revised   you drew it: save it as revised.nii.gz in its folder
  skip      leave it for another time
A scan's candidates become its new label together, once all of them are answered. Masks must have
the geometry of ct.nii.gz. The reviewer and comment columns go into every export: write initials,
not names. Then run: voxcurate review import
"""
MORE = """
{n} more wait in {path}: the budget of a round (labeling.roc.budget) had no room for them. The next
round brings the next ones, once these are answered.
"""


def lesion_folder(ctx: StageContext) -> Path:
    """``review/<round>/lesions/``."""
    return ctx.workspace.root / "review" / str(ctx.round) / "lesions"


def export_lesions(
    ctx: StageContext, config: LabelingConfig, asked: Mapping[str, Asked]
) -> StageResult:
    """Write the folder; one that was exported stays. An empty list exports nothing. Counts the
    rows, and those that wait for want of room."""
    folder = lesion_folder(ctx)
    if (folder / "queue.csv").is_file():
        return _counted(len(read_queue(folder)), waiting_lesions(folder))
    queue, waiting = lesion_queue(ctx, config.roc, asked)
    if waiting:
        write_text(folder / WAITING, _table(WAITING_COLUMNS, waiting))
    else:
        (folder / WAITING).unlink(missing_ok=True)
    if not queue:
        return _counted(0, len(waiting)) if waiting else StageResult()
    cases = {q["case_id"] for q in queue}
    scans = {s.case_id: s for s in ctx.scans("train", "validation") if s.case_id in cases}
    predictions = Predictions(ctx, config)
    named = {q["label_id"] for q in queue}
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=named)}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in queue:
        groups.setdefault((entry["case_id"], entry["class_id"]), []).append(entry)
    items = [
        Item(
            case_id, class_id, rows,
            _payload(ctx, config, scans[case_id], class_id, rows, labels, predictions),
        )
        for (case_id, class_id), rows in groups.items()
    ]  # fmt: skip

    def record(_: Any, item: Item, value: Mapping[str, Any]) -> Mapping[str, Any]:
        for entry in item.inputs:
            made = value["made"][str(entry["number"])]
            _place(ctx, folder / entry["folder"], entry, scans[item.subject], value, made)
        for path in value["temporary"]:
            Path(path).unlink(missing_ok=True)
        return {"rows": len(item.inputs)}

    done = run_items(ctx, "roc_review", items, f"{__name__}:work", record, version=VERSION)
    exported = [q for q in queue if f"{q['case_id']}/{q['class_id']}" in done.results]
    if exported:
        _write_queue(ctx, folder, exported, len(waiting))
    return _counted(len(exported), len(waiting), done.failed)


def _counted(queued: int, waiting: int, failed: Mapping[str, str] | None = None) -> StageResult:
    counts = {"lesions_queued": queued, **({"lesions_waiting": waiting} if waiting else {})}
    return StageResult(counts, failed or {})


def lesion_queue(
    ctx: StageContext, config: RocConfig, asked: Mapping[str, Asked]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows within the budget, and those that wait, in their order; see
    `labeling.roc.budget.within_budget`."""
    at = {
        m.class_id: round(float(m.facts["operating_point"]["threshold"]), 6)
        for m in ctx.catalog.rows(Measure, round=ctx.round, stage=STAGE, name=NAME)
        if m.facts["operating_point"]
    }
    cases = ctx.cases("train", "validation")
    made = {  # said again with other evidence, the last counts
        (d.case_id, d.class_id, d.verdict, d.evidence.get("number", 0)): d
        for d in sorted(
            ctx.catalog.rows(Decision, round=ctx.round, stage=STAGE, verdict=KINDS),
            key=lambda d: d.created,
        )
        if d.case_id in cases and d.evidence["threshold"] == at.get(d.class_id, 0.5)
    }
    chosen, waiting = within_budget(list(made.values()), config)
    said = said_of(ctx.catalog, asked, [d.case_id for d in chosen], config.finding_confidence)
    rows = [
        _row(rank, d, said.get((d.case_id, d.class_id), Said())) for rank, d in enumerate(chosen, 1)
    ]
    return rows, [_row(n, d, Said()) for n, d in enumerate(waiting, len(chosen) + 1)]


def waiting_lesions(folder: Path) -> int:
    """How many rows of a round found no room in its budget; 0 without a list of them."""
    try:
        with (folder / WAITING).open(encoding="utf-8") as lines:
            return max(0, sum(1 for _ in lines) - 1)
    except OSError:
        return 0


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: the masks and pictures of one scan's rows; they lie in the scratch folder."""
    from voxcurate.nifti import read_nifti, write_nifti

    config = RocConfig.model_validate(payload["config"])
    volume = read_nifti(Path(payload["root"], payload["ct"]))
    label = read_mask(Path(payload["root"]), payload["label"], volume.shape)
    found = candidates_of(payload, payload["class_id"], config)
    scratch, window = Path(payload["scratch"]), "organs" if payload["modality"] == "CT" else "auto"
    base = f"{payload['case_id']}_{payload['class_id']}"
    label_path = scratch / f"{base}_label.nii.gz"
    write_nifti(label_path, volume.with_array(label.astype(np.uint8)))
    made: dict[str, dict[str, str]] = {}
    for number in payload["numbers"]:
        mask = np.zeros(volume.shape, bool)
        if number and found is not None:
            part, box = found.drawn(number, config.drawn_share)
            mask[box] = part
        path, picture = scratch / f"{base}_{number}.nii.gz", scratch / f"{base}_{number}.png"
        write_nifti(path, Volume(mask.astype(np.uint8), volume.affine))
        picture.write_bytes(overview(volume, label, mask, window))
        made[str(number)] = {"candidate": str(path), "overview": str(picture)}
    return {"made": made, "label": str(label_path), "temporary": [str(label_path)]}


def _payload(
    ctx: StageContext,
    config: LabelingConfig,
    scan: Scan,
    class_id: str,
    rows: Sequence[Mapping[str, Any]],
    labels: Mapping[str, Label],
    predictions: Predictions,
) -> dict[str, Any]:
    label = labels.get(rows[0]["label_id"])
    return {
        **payload_of(ctx, config, scan, [class_id], predictions),
        "ct": scan.path,
        "modality": scan.modality,
        "class_id": class_id,
        "label": label.path if label is not None else "",
        "numbers": [row["number"] for row in rows],
    }


def _row(rank: int, d: Decision, said: Said) -> dict[str, Any]:
    number = int(d.evidence.get("number", 0))
    suffix = f"_{number}" if number else ""
    return {
        "rank": rank,
        "folder": f"{rank:04d}_{d.case_id}_{d.class_id}{suffix}",
        "case_id": d.case_id,
        "class_id": d.class_id,
        "kind": d.verdict,
        "number": number,
        "score": d.evidence.get("score", ""),
        "ml": d.evidence.get("ml", ""),
        "centre_mm": d.evidence.get("centre_mm", []),
        "threshold": d.evidence["threshold"],
        "label_id": d.label_id,
        "reason": d.reason,
        "report_sentence": said.sentence,
    }


def _place(
    ctx: StageContext,
    target: Path,
    entry: Mapping[str, Any],
    scan: Scan,
    value: Mapping[str, Any],
    made: Mapping[str, str],
) -> None:
    """Fill a row's folder."""
    target.mkdir(parents=True, exist_ok=True)
    link_or_copy(ctx.workspace.root / scan.path, target / "ct.nii.gz")
    link_or_copy(Path(value["label"]), target / "label.nii.gz", link=False)
    adopt_file(Path(made["candidate"]), target / CANDIDATE)
    adopt_file(Path(made["overview"]), target / "overview.png")
    info = ctx.vocabulary[entry["class_id"]]
    told = {
        **entry, "round": ctx.round, "name": info.name, "standard": info.standard,
        "verdicts": list(ANSWERS[entry["kind"]]),
    }  # fmt: skip
    write_text(target / "item.json", json.dumps(told, indent=2, sort_keys=True) + "\n")


def _write_queue(
    ctx: StageContext,
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    n_waiting: int,
) -> None:
    """``README.txt``, then ``queue.csv``, whose being there says that the export is whole."""
    at = {row["class_id"]: row["threshold"] for row in rows}
    words = ", ".join(f"({c}: {v:g})" for c, v in sorted(at.items()))
    text = INSTRUCTIONS.format(round=ctx.round, n=len(rows), thresholds=words)
    if n_waiting:
        text += MORE.format(n=n_waiting, path=WAITING)
    write_text(folder / "README.txt", text)
    write_text(folder / "queue.csv", _table(COLUMNS, rows))


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(columns)
    table.writerows([row.get(column, "") for column in columns] for row in rows)
    return stream.getvalue()
