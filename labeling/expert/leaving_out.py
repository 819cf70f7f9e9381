"""Regions of labels that are kept are left out where models surely contradict them: `known` masks.

What `labeling.expert.regions` finds in a label that detection suspects (`region_from`) and that the
judge neither replaces nor removes becomes a new version of the label: the same mask, with a
`known` mask that is False in the regions. It counts at once
only where `auto_mend` names the label's origin; of the others a decision notes volume and box, for
people. ``voxcurate labels undo`` takes it back, and what was taken back is not done again.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from labeling.config import LabelingConfig
from labeling.expert.examine import read_structures
from labeling.expert.regions import contradicted, known_without
from labeling.expert.support import supports
from labeling.predicted import Predictions, marks_of
from voxcurate.catalog import Decision, Label, Measure, ScanHead, Writer
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult

VERSION = "1"
STAGE = "regions"
WORKER = "labeling.expert.leaving_out:work"
ACTOR = "regions"
LEFT_OUT, DOUBTED = "leave_out", "doubtful_region"


def leave_out(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Leave contradicted regions out of the round's labels, or note them; after the judge.

    Without `config.detect.regions` nothing is done and nothing is counted.
    """
    if not config.detect.regions:
        return StageResult({})
    limits = config.detect.model_dump(mode="json", include=set(_LIMITS))
    done = run_items(
        ctx,
        STAGE,
        [
            item
            for scans in ctx.batches("train", "validation")
            for item in _items(ctx, config, scans)
        ],
        WORKER,
        partial(_record, ctx, config),
        version=VERSION,
        config=[limits, sorted(config.judge.auto_mend)],
        title="leave regions out",
    )
    told = [verdict for result in done.results.values() for verdict in result["verdicts"].values()]
    counts = {"regions_left_out": told.count(LEFT_OUT), "regions_noted": told.count(DOUBTED)}
    return StageResult(counts, done.failed)


_LIMITS = (
    "region_from", "region_ml", "region_ml_by_class", "region_share", "region_sure",
    "region_depth_mm",
)  # fmt: skip


def _items(ctx: StageContext, config: LabelingConfig, scans: Sequence[Any]) -> Iterator[Item]:
    from labeling.expert.detect import current_labels, usable

    names = [scan.case_id for scan in scans]
    labels, lines = current_labels(ctx, names), Predictions(ctx, config).of(names)
    where: dict[str, Any] = {"round": ctx.round, "stage": "detect", "name": "error_probability"}
    told = ctx.catalog.columns(Measure, "case_id", "class_id", "value", case_id=names, **where)
    gone = {
        (case, c)
        for case, c in ctx.catalog.columns(
            Decision, "case_id", "class_id", case_id=names, round=ctx.round, stage="judge",
            verdict=["replace", "remove"],
        )
    }  # fmt: skip
    kept = {
        (case, c)
        for case, c, value in told
        if value >= config.detect.region_from and (case, c) not in gone
    }
    taken_back = {
        parent
        for parent, facts in ctx.catalog.columns(Label, "parent", "facts", case_id=names)
        if "regions" in facts
    }
    for scan in scans:
        used, is_apart = usable(lines.get(scan.case_id, []))
        own = {
            c: x
            for c, x in labels.get(scan.case_id, {}).items()
            if (scan.case_id, c) in kept
            and x.voxels
            and not x.known_path
            and x.label_id not in taken_back
        }
        if own and used and is_apart:
            ids = {c: x.label_id for c, x in own.items()}
            paths = [line.result["path"] for line in used]
            payload = partial(_payload, ctx, config, scan.case_id, ids, paths)
            yield Item(scan.case_id, "", content_id(scan.sha256, ids, marks_of(used)), payload)


def _payload(
    ctx: StageContext,
    config: LabelingConfig,
    case_id: str,
    ids: Mapping[str, str],
    paths: Sequence[str],
) -> dict[str, Any]:
    from labeling.expert.detect import label_entry

    (scan,) = ctx.catalog.rows(ScanHead, case_id=case_id)
    labels = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=list(ids.values()))}
    return {
        "case_id": case_id,
        "root": str(ctx.workspace.root),
        "scratch": str(ctx.workspace.scratch),
        "shape": list(scan.shape),
        "affine": scan.affine,
        "labels": {c: label_entry(ctx, labels[i]) for c, i in ids.items()},
        "predictions": list(paths),
        "config": config.model_dump(mode="json"),
    }


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: the regions of a case's labels; masks without them lie in the scratch folder."""
    import numpy as np

    from voxcurate.predictions import open_prediction
    from voxcurate.volume import Volume

    config = LabelingConfig.model_validate(payload["config"])
    shape = tuple(payload["shape"])
    affine = np.asarray(payload["affine"], np.float64)
    like = Volume(np.broadcast_to(np.uint8(0), shape), affine)
    labels = read_structures(payload, like)
    predictions = [open_prediction(Path(payload["root"], p)) for p in payload["predictions"]]
    rows = []
    for class_id, support in supports(predictions, labels).items():
        s = labels[class_id]
        regions = contradicted(s, support, config.detect)
        if not regions:
            continue
        name = f"{payload['case_id']}_{class_id}_regions"
        known = known_without(regions, s.shape)
        scratch = Path(payload["scratch"])
        rows.append(
            {
                "class_id": class_id,
                "label_id": payload["labels"][class_id]["label_id"],
                "regions": [r.plain() for r in regions],
                "words": "; ".join(r.text() for r in regions),
                "known": write_mask(scratch, f"{name}_known", known, affine),
                "file": write_mask(scratch, name, s.mask, affine, box=s.box, shape=s.shape),
            }
        )
    return {"rows": rows}


def _record(
    ctx: StageContext, config: LabelingConfig, writer: Writer, item: Item, value: Mapping[str, Any]
) -> dict[str, Any]:
    verdicts = {}
    for row in value["rows"]:
        (old,) = writer.rows(Label, label_id=row["label_id"])
        is_free = old.origin in config.judge.auto_mend and not (old.gold or old.confirmed)
        made = ""
        if is_free:
            made = adopt_mask(
                writer, ctx.workspace, row["file"], case_id=old.case_id, class_id=old.class_id,
                origin="judged", round_number=ctx.round, parent=old.label_id, known=row["known"],
                facts={"regions": row["regions"]},
            ).label_id  # fmt: skip
        else:
            for file in (row["file"], row["known"]):
                Path(file.temporary).unlink(missing_ok=True)
        verdicts[old.class_id] = LEFT_OUT if is_free else DOUBTED
        decision = Decision(
            decision_id="",
            round=ctx.round,
            stage=STAGE,
            case_id=old.case_id,
            class_id=old.class_id,
            label_id=old.label_id,
            verdict=verdicts[old.class_id],
            reason=row["words"],
            actor=ACTOR,
            other_label=made,
            evidence={"regions": row["regions"]},
        )
        if is_free and old.origin == "original":
            writer.flag(old.label_id, decision, retired=True)
        else:
            writer.decide(decision)
    return {"verdicts": verdicts}
