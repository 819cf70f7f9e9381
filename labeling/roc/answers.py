"""What people said of lesions: read back, and made into label versions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.review.folder import REVISED, read_item, read_queue, read_revised
from labeling.roc.queue import ANSWERS, CANDIDATE, lesion_folder
from labeling.roc.stage import STAGE
from voxcurate.catalog import Decision, Label, Scan, Writer
from voxcurate.errors import CurationError, ReviewError
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.scrub import Scrubber
from voxcurate.stage import StageContext, StageResult

VERDICTS = ("accept", "erase", "confirm", "revised", "skip")
DONE = "lesions_drawn"  # verdict of the decision on a whole structure


def pending_lesions(ctx: StageContext) -> list[dict[str, str]]:
    """The rows that nobody has answered; none if nothing was exported."""
    folder = lesion_folder(ctx)
    if not (folder / "queue.csv").is_file():
        return []
    where: dict[str, Any] = {"round": ctx.round, "stage": STAGE, "verdict": VERDICTS}
    answered = {
        (d.case_id, d.class_id, str(d.evidence["number"]))
        for d in ctx.catalog.rows(Decision, **where)
    }
    return [
        row
        for row in read_queue(folder)
        if (row["case_id"], row["class_id"], row["number"]) not in answered
    ]


def import_lesions(ctx: StageContext, folder: Path | None = None) -> StageResult:
    """Read the verdicts; what is wrong with one structure leaves the others alone.

    A structure (class of a scan) whose rows are all answered gets a revised label version: the
    accepted candidates as they lie in their folders now, and what was drawn. Erased ones are not
    in it; with nothing left it is empty. The version's parent is the label that was there, so that
    ``voxcurate labels undo`` takes it back. ``confirm`` on a contradiction confirms the label.
    A structure with an open or skipped row waits. Reading the same answers again changes nothing.

    Raises:
        ReviewError: `folder` was given and has no queue.
    """
    if folder is None and not (lesion_folder(ctx) / "queue.csv").is_file():
        return StageResult()
    folder = folder or lesion_folder(ctx)
    counts: dict[str, int] = dict.fromkeys((*(f"lesions_{v}" for v in VERDICTS), "lesions_open"), 0)
    failed: dict[str, str] = {}
    scans = {scan.case_id: scan for scan in ctx.scans("train", "validation")}
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in read_queue(folder):
        groups.setdefault((row["case_id"], row["class_id"]), []).append(row)
    for (case_id, class_id), rows in groups.items():
        try:
            found = _structure(ctx, folder, scans.get(case_id), rows)
        except CurationError as error:
            failed[f"{case_id}/{class_id}"] = str(error)
            continue
        for name in found:
            counts[f"lesions_{name}"] += 1
    return StageResult(counts, failed)


def _structure(
    ctx: StageContext, folder: Path, scan: Scan | None, rows: Sequence[Mapping[str, str]]
) -> list[str]:
    """Take the answers on one structure; the verdict of each row, or "open"."""
    if scan is None:
        raise ReviewError(
            "no such case among the round's train and validation cases",
            case_id=rows[0]["case_id"],
        )
    verdicts = [_verdict(folder, row) for row in rows]
    given = [(r, v) for r, v in zip(rows, verdicts, strict=True) if v != "open"]
    items = [read_item(folder, row) for row, _ in given]
    _check(ctx, items, scan)
    made = [_decision(ctx, item, row, v) for item, (row, v) in zip(items, given, strict=True)]
    masks = [
        _mask(folder, scan, row, verdict)
        for row, verdict in given
        if verdict in ("accept", "revised")
    ]
    is_whole = len(given) == len(rows) and all(v != "skip" for v in verdicts)
    with ctx.catalog.write() as writer:
        for decision in made:
            writer.decide(decision)
        if is_whole:
            _conclude(ctx, writer, scan, items, made, masks)
    return verdicts


def _conclude(
    ctx: StageContext,
    writer: Writer,
    scan: Scan,
    items: Sequence[Mapping[str, Any]],
    made: Sequence[Decision],
    masks: Sequence[npt.NDArray[np.bool_]],
) -> None:
    """The new version of a structure."""
    parent = str(items[0]["label_id"])
    verdicts = {str(i["number"]): d.verdict for i, d in zip(items, made, strict=True)}
    summary = replace(
        made[0], verdict=DONE, reason=", ".join(f"{n}: {v}" for n, v in verdicts.items()),
        evidence={"answers": verdicts, "number": "all"},
    )  # fmt: skip
    keeps = items[0]["kind"] == "contradicts" and made[0].verdict == "confirm"
    if keeps:
        writer.flag(parent, summary, confirmed=True, retired=False)
        return
    class_id = str(items[0]["class_id"])
    whole = np.zeros(tuple(scan.shape), bool)
    for mask in masks:
        whole |= mask
    name = f"{scan.case_id}_{class_id}_lesions"
    file = write_mask(ctx.workspace.scratch, name, whole, np.asarray(scan.affine))
    old = writer.rows(Label, case_id=scan.case_id, class_id=class_id, origin="revised")
    same = [x for x in old if x.sha256 == file.sha256 and x.parent == parent]
    if same:
        if file.temporary:
            Path(file.temporary).unlink(missing_ok=True)
        label = same[0]
    else:
        label = adopt_mask(
            writer, ctx.workspace, file, case_id=scan.case_id, class_id=class_id,
            origin="revised", round_number=ctx.round, parent=parent,
            facts={"revision": len(old) + 1, "answers": verdicts},
        )  # fmt: skip
    writer.decide(replace(summary, other_label=label.label_id))


def _verdict(folder: Path, row: Mapping[str, str]) -> str:
    case_id, verdict, kind = row["case_id"], row["verdict"].lower(), row["kind"]
    if kind not in ANSWERS:
        raise ReviewError(f"want kind {', '.join(ANSWERS)}, found {kind!r}", case_id=case_id)
    is_drawn = (folder / Path(row["folder"]).name / REVISED).is_file()
    if is_drawn and not verdict:
        verdict = "revised"
    if verdict and verdict not in ANSWERS[kind]:
        wanted = ", ".join(ANSWERS[kind])
        raise ReviewError(f"{kind}: want one of {wanted}, found {verdict!r}", case_id=case_id)
    if verdict == "revised" and not is_drawn:
        raise ReviewError(f"verdict revised, but no {REVISED} in its folder", case_id=case_id)
    return verdict or "open"


def _mask(folder: Path, scan: Scan, row: Mapping[str, str], verdict: str) -> npt.NDArray[np.bool_]:
    name = REVISED if verdict == "revised" else CANDIDATE
    path = folder / Path(row["folder"]).name / name
    mask = read_revised(path, scan.shape, scan.affine, scan.case_id).array != 0
    return np.asarray(mask)


def _check(ctx: StageContext, items: Sequence[Mapping[str, Any]], scan: Scan) -> None:
    """Rows may only speak of the label version of their own structure: people can edit the file."""
    for item in items:
        place = {"case_id": scan.case_id, "class_id": str(item["class_id"])}
        known = [label.label_id for label in ctx.catalog.rows(Label, **place)]
        if item.get("label_id") not in ["", *known] or "number" not in item:
            raise ReviewError(
                "item.json names a label version that is not of this structure",
                case_id=scan.case_id,
            )


def _decision(
    ctx: StageContext, item: Mapping[str, Any], row: Mapping[str, str], verdict: str
) -> Decision:
    return Decision(
        decision_id="",
        round=ctx.round,
        stage=STAGE,
        case_id=item["case_id"],
        class_id=item["class_id"],
        label_id=item["label_id"],
        verdict=verdict,
        reason=Scrubber().scrub(row.get("comment", "")).text,  # free text: it may name the patient
        actor=f"human:{row.get('reviewer') or 'reviewer'}",
        evidence={k: item[k] for k in ("number", "kind", "score", "ml", "threshold")},
    )
