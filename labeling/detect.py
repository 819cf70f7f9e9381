"""Stage detect: the chance that a current label is wrong, and who should look first.

Items are cases; the statistics of a class are computed by the driver from all items, so that a
repeated call gives the same result.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from labeling import priority
from labeling.config import LabelingConfig
from labeling.fuse import known, plain_vocabulary, predictions_of
from labeling.rules import Violation
from labeling.suspicion import Suspicion, weigh
from voxcurate.catalog import Decision, Label, Measure, Scan, WorkItem, Writer
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult

VERSION = "2"
ACTOR = "detect"
RETIRING = ("replace", "remove", "retire", "undo")  # verdicts that may lower a version


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Judge every current label of the round's train and validation cases.

    Writes Measures tot_dsc, tot_nsd and error_probability per case and class, a Decision
    "suspect_label" where the probability reaches the threshold, and ``rounds/<r>/priority.csv``.
    """
    done = run_items(
        ctx,
        "detect",
        _items(ctx, config),
        "labeling.examine:work",
        lambda writer, item, value: _record(ctx, writer, item.subject, value),
        version=VERSION,
        config=[config.rules, config.fuse, ctx.classes, known(ctx, config)],
    )
    suspicions, _ = weigh(ctx, config, done.results)
    flagged = [s for s in suspicions if s.probability >= config.detect.threshold]
    with ctx.catalog.write() as writer:
        for case_id in sorted(done.revived):  # other settings have measured them since
            _record(ctx, writer, case_id, done.results[case_id])
        told = {
            (d.case_id, d.class_id, d.label_id)
            for d in writer.rows(Decision, round=ctx.round, stage="detect", verdict="suspect_label")
        }
        for s in suspicions:
            writer.put(_measure(ctx, s))
        for s in flagged:
            if (s.case_id, s.row["class_id"], s.row["label_id"]) not in told:
                writer.decide(_decision(ctx, s))
    priority.run(ctx, config)
    counts = {
        "cases": len(done.results),
        "labels": len(suspicions),
        "suspect": len(flagged),
        "computed": done.computed,
        "reused": done.reused,
    }
    return StageResult(counts, done.failed)


def results_of(
    ctx: StageContext, stage: str, cases: Collection[str] | None = None
) -> dict[str, Mapping[str, Any]]:
    """The newest result of each case (default: all) in this round's ledger lines of a stage."""
    which = {} if cases is None else {"subject": list(cases)}
    lines = ctx.catalog.rows(WorkItem, stage=stage, round=ctx.round, status="done", **which)
    lines.sort(key=lambda line: (line.updated, line.fingerprint))
    return {line.subject: line.result for line in lines}


def label_entry(ctx: StageContext, label: Label) -> dict[str, Any]:
    """What a worker needs to know of a label version."""
    return {
        "label_id": label.label_id,
        "origin": label.origin,
        "gold": label.gold,
        "confirmed": label.confirmed,
        "path": label.path,
    }


def current_labels(ctx: StageContext, case_ids: Sequence[str]) -> dict[str, dict[str, Label]]:
    """The label versions that the round began with, by case and class.

    Those retired in earlier rounds are left out; what this round retires stays, so that a stage
    that is called again sees what it saw before.
    """
    pointers = ctx.catalog.current(ctx.round - 1, case_id=list(case_ids))
    wanted = {p.label_id for key, p in pointers.items() if key[1] in ctx.classes}
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=wanted)}
    decisions = ctx.catalog.rows(Decision, round=ctx.round, verdict=RETIRING)
    now_retired = {d.label_id for d in decisions}
    found: dict[str, dict[str, Label]] = {}
    for (case_id, class_id), pointer in sorted(pointers.items()):
        label = labels.get(pointer.label_id)
        if label is not None and (not label.retired or label.label_id in now_retired):
            found.setdefault(case_id, {})[class_id] = label
    return found


def _items(ctx: StageContext, config: LabelingConfig) -> list[Item]:
    lines = predictions_of(ctx, config)
    scans = ctx.scans("train", "validation")
    labels = current_labels(ctx, [scan.case_id for scan in scans])
    items = []
    for scan in scans:
        own = {c: label_entry(ctx, x) for c, x in labels.get(scan.case_id, {}).items()}
        used, out_of_fold = _usable(lines.get(scan.case_id, []))
        inputs = [
            scan.sha256,
            {c: e["label_id"] for c, e in own.items()},
            [[line.variant, line.fingerprint] for line in used],
        ]
        items.append(
            Item(
                scan.case_id,
                "",
                inputs,
                partial(_payload, ctx, config, scan, own, used, out_of_fold),
            )
        )
    return items


def _usable(lines: Sequence[WorkItem]) -> tuple[list[WorkItem], bool]:
    """The out-of-fold predictions if there are any, else all of them."""
    apart = [line for line in lines if line.result.get("out_of_fold")]
    return (apart, True) if apart else (list(lines), False)


def _payload(
    ctx: StageContext,
    config: LabelingConfig,
    scan: Scan,
    labels: Mapping[str, Any],
    lines: Sequence[WorkItem],
    out_of_fold: bool,
) -> dict[str, Any]:
    return {
        "case_id": scan.case_id,
        "root": str(ctx.workspace.root),
        "ct": scan.path,
        "modality": scan.modality,
        "sex": {"m": "male", "f": "female"}.get(str(scan.facts.get("sex", ""))[:1].lower(), ""),
        "classes": list(ctx.classes),
        "vocabulary": plain_vocabulary(ctx.vocabulary, ctx.classes),
        "labels": dict(labels),
        "predictions": [line.result["path"] for line in lines],
        "out_of_fold": out_of_fold,
        "config": config.model_dump(mode="json"),
    }


def _record(
    ctx: StageContext, writer: Writer, case_id: str, value: Mapping[str, Any]
) -> dict[str, Any]:
    for row in value["rows"]:
        comparison = row["comparison"]
        facts = {k: comparison[k] for k in ("n_models", "out_of_fold", "best_class", "best_dsc")}
        if not comparison["n_models"]:
            continue
        for name, key in (("tot_dsc", "dsc"), ("tot_nsd", "nsd")):
            writer.put(
                Measure(
                    ctx.round,
                    "detect",
                    case_id,
                    row["class_id"],
                    "",
                    name,
                    comparison[key],
                    {**facts, "label_id": row["label_id"]},
                )
            )
    return {"rows": value["rows"]}


def _measure(ctx: StageContext, s: Suspicion) -> Measure:
    facts = {
        "label_id": s.row["label_id"],
        "kind": s.kind,
        "parts": {k: round(v, 4) for k, v in sorted(s.parts.items())},
    }
    return Measure(
        round=ctx.round,
        stage="detect",
        case_id=s.case_id,
        class_id=s.row["class_id"],
        model_id="",
        name="error_probability",
        value=round(s.probability, 4),
        facts=facts,
    )


def _decision(ctx: StageContext, s: Suspicion) -> Decision:
    broken = [Violation(**v) for v in s.row["violations"]]
    words = [f"{k} {v:.2f}" for k, v in sorted(s.parts.items(), key=lambda x: -x[1]) if v >= 0.1]
    return Decision(
        decision_id="",
        round=ctx.round,
        stage="detect",
        case_id=s.case_id,
        class_id=s.row["class_id"],
        label_id=s.row["label_id"],
        verdict="suspect_label",
        reason="; ".join([*words, *(v.text() for v in broken)]),
        actor=ACTOR,
        evidence={
            "error_probability": round(s.probability, 4),
            "kind": s.kind,
            "parts": {k: round(v, 4) for k, v in sorted(s.parts.items())},
            "comparison": s.row["comparison"],
            "violations": s.row["violations"],
            "oddities": dict(s.oddities),
        },
    )
