"""Stage detect: the chance that a current label is wrong, and who should look first.

Items are cases; the statistics of a class are computed by the driver from all items, so that a
repeated call gives the same result.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from labeling.attention import priority
from labeling.config import LabelingConfig
from labeling.expert.suspicion import Suspicion, Usual, evidence_of, weigh
from labeling.fusion.fuse import known, plain_vocabulary
from labeling.predicted import Predictions, marks_of
from labeling.rules import Violation
from voxcurate.catalog import Decision, Label, Measure, Scan, ScanHead, WorkItem, Writer
from voxcurate.ids import content_id
from voxcurate.ledger import Item, Recorded, run_items
from voxcurate.stage import StageContext, StageResult

VERSION = "12"
WORKER = "labeling.expert.examine:work"
AT_ONCE = 5000  # labels whose chances are written together
ACTOR = "detect"
RETIRING = ("replace", "remove", "retire", "undo", "leave_out")  # verdicts that may lower a version


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Judge every current label of the round's train and validation cases.

    Writes Measures tot_dsc, tot_nsd and error_probability per case and class, a Decision
    "suspect_label" where the probability reaches the threshold, and ``rounds/<r>/priority.csv``.
    """
    done = run_items(
        ctx,
        "detect",
        list(_items(ctx, config)),
        WORKER,
        lambda writer, item, value: _record(ctx, writer, item.subject, value),
        version=VERSION,
        config=[config.rules, config.fuse, ctx.classes, known(ctx, config)],
    )
    with ctx.catalog.write() as writer:
        for case_id in sorted(done.revived):  # other settings have measured them since
            _record(ctx, writer, case_id, done.results[case_id])
    suspicions, usual = weigh(ctx, config, done.results)
    labels = suspect = 0
    while some := list(islice(suspicions, AT_ONCE)):
        labels += len(some)
        suspect += _tell(ctx, some, usual, config.detect.threshold)
    priority.run(ctx, config)
    counts = {
        "cases": len(done.results),
        "labels": labels,
        "suspect": suspect,
        "computed": done.computed,
        "reused": done.reused,
    }
    return StageResult(counts, done.failed)


def _tell(ctx: StageContext, some: Sequence[Suspicion], usual: Usual, threshold: float) -> int:
    """Write down the chance of some labels, and a decision where it reaches the threshold; how many
    do."""
    flagged = [s for s in some if s.probability >= threshold]
    where: dict[str, Any] = {"stage": "detect", "verdict": "suspect_label"}
    with ctx.catalog.write() as writer:
        writer.put_all([_measure(ctx, s) for s in some])
        cases = {s.case_id for s in flagged}
        told = {
            (d.case_id, d.class_id, d.label_id)
            for d in writer.rows(Decision, round=ctx.round, case_id=cases, **where)
        }
        for s in flagged:
            if (s.case_id, s.row["class_id"], s.row["label_id"]) not in told:
                writer.decide(_decision(ctx, s, usual))
    return len(flagged)


def results_of(
    ctx: StageContext, stage: str, cases: Collection[str] | None = None
) -> Mapping[str, Mapping[str, Any]]:
    """The newest result of each case (default: all) in this round's ledger lines of a stage, in
    case order; read when asked for."""
    which = {} if cases is None else {"subject": list(cases)}
    where: dict[str, Any] = {"stage": stage, "round": ctx.round, "status": "done", **which}
    lines = ctx.catalog.columns(WorkItem, "updated", "fingerprint", "subject", "variant", **where)
    newest = {subject: (subject, variant, mark) for _, mark, subject, variant in sorted(lines)}
    return Recorded(ctx.catalog, ctx.round, stage, dict(sorted(newest.items())))


def label_entry(ctx: StageContext, label: Label) -> dict[str, Any]:
    """What a worker needs to know of a label version."""
    return {
        "label_id": label.label_id,
        "origin": label.origin,
        "gold": label.gold,
        "confirmed": label.confirmed,
        "path": label.path,
        **({"known": label.known_path} if label.known_path else {}),
    }


def current_labels(ctx: StageContext, case_ids: Sequence[str]) -> dict[str, dict[str, Label]]:
    """The label versions that the round began with, by case and class.

    Those retired in earlier rounds are left out; what this round retires stays, so that a stage
    that is called again sees what it saw before.
    """
    cases = list(case_ids)
    pointers = ctx.catalog.current(ctx.round - 1, case_id=cases)
    wanted = {p.label_id for key, p in pointers.items() if key[1] in ctx.classes}
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=wanted)}
    where: dict[str, Any] = {"round": ctx.round, "verdict": RETIRING, "case_id": cases}
    now_retired = {label_id for (label_id,) in ctx.catalog.columns(Decision, "label_id", **where)}
    found: dict[str, dict[str, Label]] = {}
    for (case_id, class_id), pointer in sorted(pointers.items()):
        label = labels.get(pointer.label_id)
        if label is not None and (not label.retired or label.label_id in now_retired):
            found.setdefault(case_id, {})[class_id] = label
    return found


def _items(ctx: StageContext, config: LabelingConfig) -> Iterator[Item]:
    predictions = Predictions(ctx, config)
    for scans in ctx.batches("train", "validation"):
        cases = [scan.case_id for scan in scans]
        lines, labels = predictions.of(cases), current_labels(ctx, cases)
        for scan in scans:
            used, _ = usable(lines.get(scan.case_id, []))
            own = {c: x.label_id for c, x in labels.get(scan.case_id, {}).items()}
            inputs = content_id(scan.sha256, own, marks_of(used))
            payload = partial(_payload, ctx, config, scan.case_id, predictions)
            yield Item(scan.case_id, "", inputs, payload)


def usable(lines: Sequence[WorkItem]) -> tuple[list[WorkItem], bool]:
    """The out-of-fold predictions if there are any, else all of them."""
    apart = [line for line in lines if line.result.get("out_of_fold")]
    return (apart, True) if apart else (list(lines), False)


def _payload(
    ctx: StageContext, config: LabelingConfig, case_id: str, predictions: Predictions
) -> dict[str, Any]:
    """Read when a worker takes it: the labels of 25,000 cases would not stay in memory."""
    (scan,) = ctx.catalog.rows(ScanHead, case_id=case_id)
    labels = current_labels(ctx, [case_id]).get(case_id, {})
    lines, out_of_fold = usable(predictions.of([case_id]).get(case_id, []))
    return {
        **scan_entry(ctx, scan),
        "labels": {c: label_entry(ctx, x) for c, x in labels.items()},
        "predictions": [line.result["path"] for line in lines],
        "out_of_fold": out_of_fold,
        "config": config.model_dump(mode="json"),
    }


def scan_entry(ctx: StageContext, scan: Scan) -> dict[str, Any]:
    """What a worker needs to know of a scan, and of the classes."""
    return {
        "case_id": scan.case_id,
        "root": str(ctx.workspace.root),
        "ct": scan.path,
        "modality": scan.modality,
        "sex": {"m": "male", "f": "female"}.get(str(scan.facts.get("sex", ""))[:1].lower(), ""),
        "classes": list(ctx.classes),
        "vocabulary": plain_vocabulary(ctx.vocabulary, ctx.classes),
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
    return {"rows": value["rows"], "view": value["view"]}


def _measure(ctx: StageContext, s: Suspicion) -> Measure:
    facts = {
        "label_id": s.row["label_id"],
        "kind": s.kind,
        "calibrated": round(s.chance, 4),
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


def _decision(ctx: StageContext, s: Suspicion, usual: Usual) -> Decision:
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
        evidence=evidence_of(s, usual),
    )
