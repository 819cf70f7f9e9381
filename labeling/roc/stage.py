"""Stage roc: where to set the threshold for each lesion class, what reports rule out, and what
people should look at.

Candidates of train and validation scans are compared with the labels that people drew, by
predictions of models that have not seen the scan where there are any. Test scans take no part.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from labeling.config import LabelingConfig
from labeling.expert.detect import current_labels
from labeling.predicted import Predictions, marks_of
from labeling.quality import TRUSTED
from labeling.roc.analysis import Analysis, analyse
from labeling.roc.conclude import Scene, conclude
from labeling.roc.config import RocConfig
from labeling.roc.reach import organs_of, reach_of
from labeling.roc.reports import Asked, Key, Said, said_of
from labeling.roc.resampling import Intervals
from labeling.roc.sweep import cheapest_index, operating_index
from voxcurate.catalog import Label, Measure, Scan, WorkItem
from voxcurate.config import build
from voxcurate.ids import content_id
from voxcurate.ledger import Item, Recorded, run_items
from voxcurate.lesions.curves import sweep
from voxcurate.lesions.matching import CaseRow, row_of
from voxcurate.stage import StageContext, StageResult

STAGE, NAME, VERSION = "roc", "analysis", "2"
WORKER = "labeling.roc.work:work"
# settings that decide what a candidate is; the others only say what follows from it
MEASURED = (
    "candidate_above", "split_below", "quantile", "top_ml", "drawn_share", "minimum_ml", "contain",
    "organs", "organ_gap_mm", "hit", "hit_iou",
)  # fmt: skip


@dataclass(frozen=True)
class _Source:
    """Where the facts of a scan's class come from; `truth` None: nobody knows."""

    truth: str | None
    truth_id: str
    known: str
    organs: Mapping[str, str]
    organ_ids: Sequence[str]


def run(ctx: StageContext, config: LabelingConfig, asked: Mapping[str, Asked]) -> StageResult:
    """Measure the lesion classes of the round, and conclude what follows.

    Writes per class a Measure "analysis"; per scan and class a Measure "candidates" (those that
    are left at the operating point); and the decisions of `labeling.roc.conclude`.

    Args:
        ctx: of the round.
        config: settings of the stage.
        asked: lesion class to the questions of the reports about it.

    Returns:
        Counts; none if the round has no lesion class.
    """
    classes = lesion_classes(ctx, config.roc)
    if not classes:
        return StageResult()
    items, sources = _items(ctx, config, classes)
    chosen = {k: v for k, v in config.roc.model_dump(mode="json").items() if k in MEASURED}
    done = run_items(
        ctx, STAGE, items, WORKER, lambda _writer, _item, value: value,
        version=VERSION, config=chosen,
    )  # fmt: skip
    scans = list(ctx.cases("train", "validation"))
    said = said_of(ctx.catalog, asked, scans, config.roc.finding_confidence)
    patients = _patients(ctx)
    counts: dict[str, Any] = {
        "lesion_classes": len(classes), "scans": len(done.results),
        "computed": done.computed, "reused": done.reused,
    }  # fmt: skip
    scene = Scene(ctx, config, said)
    for class_id in classes:
        rows = rows_of(done.results, class_id, config.roc, said, patients)
        found = analyse(class_id, rows, config.roc, seed=ctx.seed)
        _keep(ctx, found, said, len(sources))
        for name, value in conclude(scene, found, candidates_of(done.results, class_id)).items():
            counts[name] = counts.get(name, 0) + value
    return StageResult(counts, done.failed)


def lesion_classes(ctx: StageContext, config: RocConfig) -> list[str]:
    """The classes analysed: those of the round that are lesions."""
    return [c for c in ctx.classes if c in ctx.vocabulary and ctx.vocabulary[c].lesion]


def rows_of(
    results: Mapping[str, Mapping[str, Any]],
    class_id: str,
    config: RocConfig,
    said: Mapping[Key, Said],
    patients: Mapping[str, str],
) -> list[CaseRow]:
    """The rows of one class from the ledger's results.

    A scan without a trusted label is negative if its report says that there is no lesion; else
    nobody knows.
    """
    rows: list[CaseRow] = []
    for case_id, result in results.items():
        entry = result["classes"].get(class_id)
        if entry is None:
            continue
        word = said.get((case_id, class_id), Said()).value
        more: dict[str, Any] = {"said": word}
        if "positive" in entry:
            more |= {"positive": entry["positive"], "truth": "label"}
            more["lesions_ml"] = tuple(entry["lesions_ml"])
        elif word == "no":
            more |= {"positive": False, "truth": "report"}
        patient = patients.get(case_id, case_id)
        rows.append(row_of(case_id, patient, entry["candidates"], config.score, **more))
    return rows


def candidates_of(
    results: Mapping[str, Mapping[str, Any]], class_id: str
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Scan and its candidates of one class, one after the other: of 25,000 scans they would fill
    the memory."""
    for case_id, result in results.items():
        if class_id in result["classes"]:
            yield case_id, result["classes"][class_id]["candidates"]


def stored(ctx: StageContext, round_number: int | None = None) -> list[Analysis]:
    """What a round has measured, by class; empty if it has not."""
    number = ctx.round if round_number is None else round_number
    found = []
    for row in ctx.catalog.rows(Measure, round=number, stage=STAGE, name=NAME):
        config = build(RocConfig, row.facts["config"])
        said = {(c, row.class_id): Said(word) for c, word in row.facts["said"].items()}
        results = _recorded(ctx, number)
        rows = rows_of(results, row.class_id, config, said, _patients(ctx))
        swept = sweep(rows)
        found.append(
            Analysis(
                row.class_id, config, tuple(rows), swept, _intervals(row.facts["intervals"]),
                operating_index(swept, config), cheapest_index(swept, config),
                tuple(row.facts["notes"]),
            )
        )  # fmt: skip
    return sorted(found, key=lambda a: a.class_id)


def _keep(ctx: StageContext, found: Analysis, said: Mapping[Key, Said], n_scans: int) -> None:
    spans = found.intervals
    bands = {"froc": spans.froc, "roc": spans.roc}
    facts = {
        "config": found.config.model_dump(mode="json"),
        "intervals": {
            "values": {k: list(v) for k, v in spans.values.items()},
            "unseen": spans.unseen,
            **{k: [_rounded(part) for part in v] if v else None for k, v in bands.items()},
        },
        "notes": list(found.notes),
        "operating_point": found.point(found.operating),
        "said": {c: s.value for (c, k), s in sorted(said.items()) if k == found.class_id},
        "scans": n_scans,
    }
    value = found.threshold
    with ctx.catalog.write() as writer:
        writer.put(Measure(ctx.round, STAGE, "", found.class_id, "", NAME, value, facts))


def _intervals(plain: Mapping[str, Any]) -> Intervals:
    bands = {k: tuple(np.asarray(p) for p in plain[k]) if plain[k] else None for k in BANDS}
    values = {k: (float(v[0]), float(v[1])) for k, v in plain["values"].items()}
    return Intervals(values, plain["unseen"], **bands)  # type: ignore[arg-type]


BANDS = ("froc", "roc")


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 5) for v in values]


def _recorded(ctx: StageContext, number: int) -> Recorded:
    """The newest result of each scan."""
    where: dict[str, Any] = {"stage": STAGE, "round": number, "status": "done"}
    lines = ctx.catalog.columns(WorkItem, "updated", "fingerprint", "subject", "variant", **where)
    newest = {subject: (subject, variant, mark) for _, mark, subject, variant in sorted(lines)}
    return Recorded(ctx.catalog, number, STAGE, dict(sorted(newest.items())))


def _patients(ctx: StageContext) -> dict[str, str]:
    return dict(ctx.catalog.columns(Scan, "case_id", "patient"))


def _items(
    ctx: StageContext, config: LabelingConfig, classes: Sequence[str]
) -> tuple[list[Item], list[str]]:
    """An item per scan of train and validation that has predictions."""
    predictions = Predictions(ctx, config)
    items: list[Item] = []
    for scans in ctx.batches("train", "validation"):
        cases = [scan.case_id for scan in scans]
        lines = predictions.of(cases)
        sources = _sources(ctx, config.roc, scans, classes)
        for scan in scans:
            used = usable(lines.get(scan.case_id, []))
            if not used:
                continue
            own = sources[scan.case_id]
            marks = {c: [s.truth, s.truth_id, s.known, list(s.organ_ids)] for c, s in own.items()}
            inputs = content_id(scan.sha256, marks, marks_of(used))
            make = partial(payload_of, ctx, config, scan, classes, predictions)
            items.append(Item(scan.case_id, "", inputs, make))
    return items, [item.subject for item in items]


def usable(lines: Sequence[WorkItem]) -> list[WorkItem]:
    """The out-of-fold predictions if there are any, else all of them."""
    return [line for line in lines if line.result.get("out_of_fold")] or list(lines)


def payload_of(
    ctx: StageContext,
    config: LabelingConfig,
    scan: Scan,
    classes: Sequence[str],
    predictions: Predictions,
) -> dict[str, Any]:
    """What the worker needs of a scan."""
    sources = _sources(ctx, config.roc, [scan], classes)[scan.case_id]
    lines = usable(predictions.of([scan.case_id]).get(scan.case_id, []))
    told = {
        class_id: {
            "truth": s.truth,
            "known": s.known,
            "organs": dict(s.organs),
            "reach_mm": reach_of(class_id, ctx.vocabulary, config.rules.anatomy),
        }
        for class_id, s in sources.items()
    }
    return {
        "case_id": scan.case_id,
        "root": str(ctx.workspace.root),
        "scratch": str(ctx.workspace.scratch),
        "shape": list(scan.shape),
        "predictions": [line.result["path"] for line in lines],
        "classes": told,
        "config": config.roc.model_dump(mode="json"),
    }


def _sources(
    ctx: StageContext, config: RocConfig, scans: Sequence[Scan], classes: Sequence[str]
) -> dict[str, dict[str, _Source]]:
    """Truth and organs of some scans: labels of people; of organs whatever counts."""
    labels = _labels(ctx, [scan.case_id for scan in scans])
    found: dict[str, dict[str, _Source]] = {}
    for scan in scans:
        own = labels.get(scan.case_id, {})
        found[scan.case_id] = {}
        for class_id in classes:
            label, organs = own.get(class_id), organs_of(class_id, ctx.vocabulary, config)
            truth, truth_id, known = None, "", ""
            if label is not None and (label.origin in TRUSTED or label.gold or label.confirmed):
                truth, truth_id, known = label.path, label.label_id, label.known_path
            elif label is None and class_id in scan.complete:
                truth, truth_id = "", "complete"  # the source annotates it: it is not there
            drawn = {o: own[o].path for o in organs if o in own and own[o].voxels}
            ids = [own[o].label_id for o in drawn]
            paths = {o: drawn.get(o, "") for o in organs}
            found[scan.case_id][class_id] = _Source(truth, truth_id, known, paths, ids)
    return found


def _labels(ctx: StageContext, cases: Collection[str]) -> dict[str, dict[str, Label]]:
    """The labels that the round began with, of the round's classes and of the organs that hold its
    lesions, whether or not the round asks for those."""
    organs = {
        organ
        for class_id in ctx.classes
        if class_id in ctx.vocabulary and ctx.vocabulary[class_id].lesion
        for organ in (*ctx.vocabulary.containers(class_id), *ctx.vocabulary[class_id].overlaps)
    }
    wide = replace(ctx, classes=tuple(dict.fromkeys((*ctx.classes, *sorted(organs)))))
    return current_labels(wide, list(cases))
