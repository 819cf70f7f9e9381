"""Review by people: the queue, its export to a folder, and what comes back."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from labeling.assembly.history import in_time
from labeling.attention.priority import entries, ranked_cases
from labeling.config import LabelingConfig
from labeling.expert.calibration import calibrated
from labeling.expert.detect import results_of
from labeling.fusion.fuse import attention_path
from labeling.review.folder import (
    QUEUE,
    REVISED,
    VERDICTS,
    item_folder,
    link_or_copy,
    overview,
    read_item,
    read_queue,
    read_revised,
    write_queue,
)
from voxcurate.catalog import Decision, Label, Measure, Scan, Writer
from voxcurate.errors import CurationError, ReviewError
from voxcurate.labels import adopt_mask, read_mask, write_mask
from voxcurate.ledger import Item, run_items
from voxcurate.scrub import Scrubber
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import adopt_file

VERSION = "1"


def export_review(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Build the round's queue and write ``review/<round>/``; a queue once exported stays.

    An empty queue exports nothing.
    """
    folder = review_folder(ctx)
    if (folder / QUEUE).is_file():
        return StageResult({"queued": len(read_queue(folder)), "pending": len(pending(ctx))})
    queue = build_queue(ctx, config)
    scans = {scan.case_id: scan for scan in ctx.scans()}
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=_label_ids(queue))}
    items = [
        Item(q["case_id"], q["class_id"], q, _payload(ctx, q, scans[q["case_id"]], labels))
        for q in queue
    ]

    def record(writer: Writer, item: Item, value: dict[str, Any]) -> dict[str, Any]:
        entry = item.inputs
        _place(ctx, folder / entry["folder"], entry, scans[item.subject], value)
        writer.decide(_decision(ctx, entry, "queued", entry["reason"], "review"))
        return {"folder": entry["folder"]}

    done = run_items(ctx, "review", items, "labeling.review.review:work", record, version=VERSION)
    exported = [q for q in queue if f"{q['case_id']}/{q['class_id']}" in done.results]
    if exported:
        write_queue(folder, ctx.round, exported)
    return StageResult({"queued": len(exported), "pending": len(exported)}, done.failed)


def build_queue(ctx: StageContext, config: LabelingConfig) -> list[dict[str, Any]]:
    """What people should look at, the most urgent first, within the budget.

    First the labels that the judge may not mend or cannot decide, by error probability; a share
    of the budget goes to the outliers of the priority list (their class with most attention).
    Places that one of the two does not use fall to the other.
    """
    cases = ctx.cases("train", "validation").keys()
    asked = ctx.catalog.rows(
        Decision, round=ctx.round, stage=["refine", "judge"], verdict="to_review"
    )
    asked.sort(key=lambda d: d.stage == "judge")  # of two about one label the judge's counts
    about: dict[str, Any] = {"round": ctx.round, "stage": "detect", "name": "error_probability"}
    about["case_id"] = {d.case_id for d in asked}
    chance = {
        (case_id, class_id): value or 0.0
        for case_id, class_id, value in ctx.catalog.columns(
            Measure, "case_id", "class_id", "value", **about
        )
    }
    told = {key: round(calibrated(value), 4) for key, value in chance.items()}
    doubts: dict[tuple[str, str], dict[str, Any]] = {}
    for d in asked:
        if d.case_id in cases:
            doubts[d.case_id, d.class_id] = {
                "case_id": d.case_id,
                "class_id": d.class_id,
                "label_id": d.label_id,
                "candidate_id": d.other_label,
                "error_probability": told.get((d.case_id, d.class_id)),
                "reason": d.reason,
            }
    fused = _fused(ctx, {case for case, _ in doubts})
    for key, entry in doubts.items():
        entry["candidate_id"] = entry["candidate_id"] or fused.get(key[0], {}).get(key[1], "")
    first = [doubts[key] for key in sorted(doubts, key=lambda k: (-chance.get(k, 0.0), k))]
    second = _salient(ctx, config, cases, set(doubts))
    budget = config.review.budget
    reserved = min(len(second), round(budget * config.review.priority_share))
    taken = first[: max(budget - reserved, budget - len(second), 0)]
    chosen = [*taken, *second[: budget - len(taken)]]
    return [
        {"rank": n, "folder": item_folder(n, e["case_id"], e["class_id"]), **e}
        for n, e in enumerate(chosen, 1)
    ]


def import_review(ctx: StageContext, folder: Path | None = None) -> StageResult:
    """Read verdicts and revised masks back; what is wrong with one item leaves the others alone.

    ``revised.nii.gz`` becomes a revised Label version, ``confirm`` and ``retire`` flag the label,
    ``accept`` confirms the candidate, ``skip`` closes the item. Reading the same folder again
    changes nothing. Comments are scrubbed before they enter the catalog.

    Args:
        ctx: of the round that exported.
        folder: where the review folder lies now; the workspace's own if not given, and then a
            round that exported nothing imports nothing.

    Raises:
        ReviewError: there is no queue to read.
    """
    if folder is None and not (review_folder(ctx) / QUEUE).is_file():
        return StageResult(dict.fromkeys((*VERDICTS, "open"), 0))
    folder = folder or review_folder(ctx)
    return _import(ctx, folder, read_queue(folder))


def import_late(ctx: StageContext) -> StageResult:
    """Read what people have answered by now to earlier rounds' items that were open; it is never
    too late.

    Returns:
        The rounds with such answers, each with their number by verdict; failures by round and item.
    """
    found: dict[str, dict[str, int]] = {}
    failed: dict[str, str] = {}
    for number in range(1, ctx.round):
        then = replace(ctx, round=number, cohort=frozenset())
        try:
            taken = _import(then, review_folder(then), pending(then))
        except ReviewError as error:
            failed[f"round {number}"] = str(error)
            continue
        said = {verdict: n for verdict, n in taken.counts.items() if n and verdict != "open"}
        if said:
            found[str(number)] = said
        failed |= {f"round {number} {key}": why for key, why in taken.failed.items()}
    return StageResult(found, failed)


def _import(ctx: StageContext, folder: Path, rows: Iterable[Mapping[str, str]]) -> StageResult:
    counts: dict[str, int] = dict.fromkeys((*VERDICTS, "open"), 0)
    failed: dict[str, str] = {}
    scans = {scan.case_id: scan for scan in ctx.scans("train", "validation")}
    for row in rows:
        key = f"{row['case_id']}/{row['class_id']}"
        try:
            counts[_import_one(ctx, folder, row, scans)] += 1
        except CurationError as error:
            failed[key] = str(error)
    return StageResult(counts, failed)


def pending(ctx: StageContext) -> list[dict[str, Any]]:
    """The items of this round's queue that nobody has answered; empty if nothing was exported."""
    folder = review_folder(ctx)
    if not (folder / QUEUE).is_file():
        return []
    answered = {
        (d.case_id, d.class_id)
        for d in ctx.catalog.rows(Decision, round=ctx.round, stage="review", verdict=VERDICTS)
    }
    return [
        dict(row) for row in read_queue(folder) if (row["case_id"], row["class_id"]) not in answered
    ]


def review_folder(ctx: StageContext) -> Path:
    """``review/<round>/``."""
    return ctx.workspace.root / "review" / str(ctx.round)


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: the overview picture, and masks for versions that have no file."""
    import numpy as np

    from voxcurate.nifti import read_nifti, write_nifti

    volume = read_nifti(Path(payload["root"], payload["ct"]))
    masks = {
        role: read_mask(Path(payload["root"]), payload[role], volume.shape)
        for role in ("label", "candidate")
    }
    scratch = Path(payload["scratch"])
    name = f"{payload['case_id']}_{payload['class_id']}"
    window = "organs" if payload["modality"] == "CT" else "auto"
    picture = scratch / f"{name}_overview.png"
    picture.write_bytes(overview(volume, masks["label"], masks["candidate"], window))
    empty = scratch / f"{name}_empty.nii.gz"
    if not (payload["label"] and payload["candidate"]):
        write_nifti(empty, volume.with_array(np.zeros(volume.shape, np.uint8)))
    return {"overview": str(picture), "empty": str(empty), **{k: payload[k] for k in masks}}


def _salient(
    ctx: StageContext,
    config: LabelingConfig,
    cases: Collection[str],
    taken: set[tuple[str, str]],
) -> list[dict[str, Any]]:
    """What the priority list asks people to look at: of each case the worst structure that is not
    `taken` already."""
    chosen = [c for c in ranked_cases(ctx, config.priority) if c.chosen and c.case_id in cases]
    fused = _fused(ctx, [c.case_id for c in chosen])
    verdicts = ("replace", "remove")
    judged = {
        (d.case_id, d.class_id): d.other_label
        for d in ctx.catalog.rows(Decision, round=ctx.round, stage="judge", verdict=verdicts)
    }
    found: dict[str, dict[str, Any]] = {}
    for entry in entries(ctx, config, chosen):
        case_id, class_id = key = (entry.row.case_id, entry.row.class_id)
        if case_id in found or not entry.row.chosen or key in taken:
            continue
        made = fused.get(case_id, {}).get(class_id)
        if made is not None:
            size = entry.row.attention_mm3
            found[case_id] = {
                "case_id": case_id,
                "class_id": class_id,
                "label_id": judged.get(key) or made,
                "candidate_id": made,
                "error_probability": None,  # nobody has asked
                "reason": f"top of the priority list: attention {size:.0f} mm^3",
            }
    return list(found.values())


def _fused(ctx: StageContext, cases: Collection[str]) -> dict[str, Mapping[str, str]]:
    return {case: result["labels"] for case, result in results_of(ctx, "fuse", cases).items()}


def _payload(
    ctx: StageContext, entry: Mapping[str, Any], scan: Scan, labels: Mapping[str, Label]
) -> dict[str, Any]:
    candidate = labels.get(entry["candidate_id"])
    return {
        "case_id": scan.case_id,
        "class_id": entry["class_id"],
        "root": str(ctx.workspace.root),
        "scratch": str(ctx.workspace.scratch),
        "ct": scan.path,
        "modality": scan.modality,
        "label": labels[entry["label_id"]].path,
        "candidate": candidate.path if candidate else "",
    }


def _place(
    ctx: StageContext, target: Path, entry: Mapping[str, Any], scan: Scan, value: Mapping[str, Any]
) -> None:
    """Fill an item's folder."""
    target.mkdir(parents=True, exist_ok=True)
    root, empty = ctx.workspace.root, Path(value["empty"])
    link_or_copy(root / scan.path, target / "ct.nii.gz")
    for role in ("label", "candidate"):
        source = root / value[role] if value[role] else empty
        link_or_copy(source, target / f"{role}.nii.gz", link=False)
    empty.unlink(missing_ok=True)
    attention = attention_path(ctx, scan.case_id)
    if attention.is_file():
        link_or_copy(attention, target / "attention.nii.gz", link=False)
    adopt_file(Path(value["overview"]), target / "overview.png")
    info = ctx.vocabulary[entry["class_id"]]
    told = {
        **entry,
        "round": ctx.round,
        "name": info.name,
        "description": info.description,
        "standard": info.standard,
        "verdicts": list(VERDICTS),
    }
    (target / "item.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")


def _import_one(
    ctx: StageContext, folder: Path, row: Mapping[str, str], scans: Mapping[str, Scan]
) -> str:
    """Take one answer; the verdict, or "open"."""
    case_id, verdict = row["case_id"], row["verdict"].lower()
    revised = folder / Path(row["folder"]).name / REVISED
    if verdict and verdict not in VERDICTS:
        raise ReviewError(f"want one of {', '.join(VERDICTS)}, found {verdict!r}", case_id=case_id)
    if revised.is_file() and verdict in ("", "revised"):
        verdict = "revised"
    elif verdict == "revised":
        raise ReviewError(f"verdict revised, but no {REVISED} in its folder", case_id=case_id)
    if not verdict:
        return "open"
    if case_id not in scans:
        raise ReviewError(
            "no such case among the round's train and validation cases", case_id=case_id
        )
    item = read_item(folder, row)
    _check_labels(ctx, item)
    actor = f"human:{row.get('reviewer') or 'reviewer'}"
    comment = Scrubber().scrub(row.get("comment", "")).text  # free text: it may name the patient
    made = _decision(ctx, item, verdict, comment, actor)
    if verdict == "revised":
        _adopt_revised(ctx, scans[case_id], item, revised, made)
        return verdict
    if verdict == "accept" and not item["candidate_id"]:
        raise ReviewError("verdict accept, but there is no candidate", case_id=case_id)
    if _is_said(ctx, made):
        return verdict
    made = _anew(ctx, made)
    with ctx.catalog.write() as writer:
        _unsay(writer, item, made)
        if verdict == "confirm":
            writer.flag(item["label_id"], made, confirmed=True, retired=False)
        elif verdict == "retire":
            writer.flag(item["label_id"], made, retired=True, confirmed=False)
        elif verdict == "accept":
            writer.flag(item["candidate_id"], made, confirmed=True, retired=False)
        else:
            writer.decide(made)
    return verdict


def _adopt_revised(
    ctx: StageContext, scan: Scan, item: Mapping[str, Any], path: Path, decision: Decision
) -> None:
    volume = read_revised(path, scan.shape, scan.affine, scan.case_id)
    mask = volume.array != 0
    name = f"{scan.case_id}_{item['class_id']}_revised"
    file = write_mask(ctx.workspace.scratch, name, mask, volume.affine)
    with ctx.catalog.write() as writer:
        old = writer.rows(Label, case_id=scan.case_id, class_id=item["class_id"], origin="revised")
        same = [x for x in old if x.sha256 == file.sha256 and x.parent == item["label_id"]]
        if same:
            label = same[0]
            if file.temporary:
                Path(file.temporary).unlink(missing_ok=True)
        else:
            label = adopt_mask(
                writer,
                ctx.workspace,
                file,
                case_id=scan.case_id,
                class_id=item["class_id"],
                origin="revised",
                round_number=ctx.round,
                parent=item["label_id"],
                facts={"revision": len(old) + 1},
            )
        made = replace(decision, other_label=label.label_id)
        if not (same and _is_said(ctx, made)):
            _unsay(writer, item, made)
            writer.decide(_anew(ctx, made))


def _check_labels(ctx: StageContext, item: Mapping[str, Any]) -> None:
    """An item may only speak of label versions of its own structure: people can edit the file."""
    place = {"case_id": str(item["case_id"]), "class_id": str(item["class_id"])}
    known = [label.label_id for label in ctx.catalog.rows(Label, **place)]
    complete = {"rank", "error_probability"} <= set(item)
    fits = item.get("label_id") in known and item.get("candidate_id") in ["", *known]
    if not complete or not fits:
        raise ReviewError(
            "item.json names label versions that are not of this structure",
            case_id=place["case_id"],
        )


def _is_said(ctx: StageContext, decision: Decision) -> bool:
    """Whether this is the last answer to its item: reading it again must not take back what was
    decided since."""
    place: dict[str, Any] = {"case_id": decision.case_id, "class_id": decision.class_id}
    said = ctx.catalog.rows(
        Decision, round=decision.round, stage="review", verdict=VERDICTS, **place
    )
    last = next(reversed(in_time(said)), None)
    return last is not None and all(
        getattr(last, name) == getattr(decision, name)
        for name in ("verdict", "reason", "actor", "label_id", "other_label")
    )


def _anew(ctx: StageContext, decision: Decision) -> Decision:
    """A further answer to an item has a number: who goes back to an earlier one says it again, and
    the catalog keeps what is said in the same words once."""
    place: dict[str, Any] = {"case_id": decision.case_id, "class_id": decision.class_id}
    n = ctx.catalog.count(Decision, round=decision.round, stage="review", verdict=VERDICTS, **place)
    return replace(decision, evidence={**decision.evidence, "answer": n + 1}) if n else decision


def _unsay(writer: Writer, item: Mapping[str, Any], decision: Decision) -> None:
    """Who answers an item anew no longer confirms what an earlier answer confirmed."""
    said = {"confirm": item["label_id"], "accept": item["candidate_id"]}.get(decision.verdict, "")
    if decision.verdict != "skip":
        for label_id in sorted({item["label_id"], item["candidate_id"]} - {said, ""}):
            writer.flag(label_id, decision, confirmed=False)


def _decision(
    ctx: StageContext, item: Mapping[str, Any], verdict: str, reason: str, actor: str
) -> Decision:
    return Decision(
        decision_id="",
        round=ctx.round,
        stage="review",
        case_id=item["case_id"],
        class_id=item["class_id"],
        label_id=item["label_id"],
        verdict=verdict,
        reason=reason,
        actor=actor,
        other_label=item["candidate_id"],
        evidence={"rank": item["rank"], "error_probability": item["error_probability"]},
    )


def _label_ids(queue: list[dict[str, Any]]) -> list[str]:
    return [i for q in queue for i in (q["label_id"], q["candidate_id"]) if i]
