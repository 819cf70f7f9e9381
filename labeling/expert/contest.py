"""Stage judge, the work behind it: which labels are contested, by which candidates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert.committee import (
    FUSED,
    Answer,
    drawn_first,
    exchanged_together,
    verdict_of,
)
from labeling.expert.detect import current_labels, label_entry, results_of, scan_entry, usable
from labeling.expert.examine import read_structures
from labeling.expert.features import hu_median
from labeling.expert.layout import Layout
from labeling.expert.repairs import Surroundings, repairs, trimmed
from labeling.expert.shape import ShapeProfile
from labeling.expert.support import Support, supports
from labeling.expert.suspicion import Suspicion, Usual, weigh
from labeling.fusion.fuse import known, vocabulary_of
from labeling.fusion.mend import mend
from labeling.predicted import Predictions, marks_of
from labeling.rules import Anatomy, CaseFacts, combined_weight, load_anatomy
from labeling.structures import NOWHERE, Structure, dice
from voxcurate.catalog import Decision, Label, Scan, ScanHead, WorkItem, Writer
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask, write_mask
from voxcurate.ledger import Item, run_items
from voxcurate.protocols import LABEL_JUDGES, load
from voxcurate.stage import StageContext, StageResult
from voxcurate.volume import Volume

VERSION = "3"
WORKER = "labeling.expert.contest:work"
EMPTY = "empty"
CURRENT = "current"


def contest(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """See `labeling.expert.judge.run`."""
    suspicions, usual = weigh(ctx, config, results_of(ctx, "detect"))
    flagged: dict[str, dict[str, Suspicion]] = {}
    for s in suspicions:
        if s.probability >= config.detect.threshold:
            flagged.setdefault(s.case_id, {})[str(s.row["class_id"])] = s
    plain_usual = {
        "profiles": {c: p.plain() for c, p in sorted(usual.profiles.items())},
        "layout": usual.layout.plain(),
        "steps": dict(sorted(usual.steps.items())),
    }
    asking = _Asking(ctx, config, Predictions(ctx, config), flagged, plain_usual)
    items = [item for scans in ctx.batches("train", "validation") for item in asking.items(scans)]

    def record(writer: Writer, item: Item, value: Any) -> dict[str, Any]:
        suspected = flagged.get(item.subject, {})
        verdicts = {}
        for row in value["rows"]:
            (old,) = writer.rows(Label, label_id=row["label_id"])
            suspicion = suspected.get(row["class_id"])
            verdicts[row["class_id"]] = _conclude(ctx, config, writer, row, old, suspicion)
        return {"verdicts": verdicts}

    done = run_items(
        ctx,
        "judge",
        items,
        WORKER,
        record,
        version=VERSION,
        config=[
            config.judge,
            config.rules,
            config.fuse,
            config.detect,
            ctx.classes,
            known(ctx, config),
        ],
    )
    counts: dict[str, Any] = dict.fromkeys(("keep", "replace", "remove", "to_review"), 0)
    for result in done.results.values():
        for verdict in result["verdicts"].values():
            counts[verdict] += 1
    return StageResult({"cases": len(items), **counts}, done.failed)


@dataclass(frozen=True, eq=False)
class _Asking:
    """What the judge is asked, some cases at a time.

    Attributes:
        flagged: case to class to how suspicious its label is, where that is too much.
        usual: what is usual, as plain data.
    """

    ctx: StageContext
    config: LabelingConfig
    predictions: Predictions
    flagged: Mapping[str, Mapping[str, Suspicion]]
    usual: Mapping[str, Any]

    def items(self, scans: Sequence[Scan]) -> Iterator[Item]:
        """The cases in which a label is asked for or a fused one may be doubtful."""
        usual = content_id(self.usual)
        for scan, case in self._cases(scans):
            if case.asked or case.doubtful:
                own = {c: x.label_id for c, x in case.own.items()}
                made = {c: x.label_id for c, x in case.made.items()}
                marks = marks_of(case.lines)
                inputs = [scan.sha256, own, made, case.asked, case.doubtful, marks, usual]
                payload = partial(self._payload, scan.case_id)
                yield Item(scan.case_id, "", content_id(inputs), payload)

    def _cases(self, scans: Sequence[Scan]) -> Iterator[tuple[Scan, "_Case"]]:
        ctx, names = self.ctx, [scan.case_id for scan in scans]
        fused = {case: dict(r["labels"]) for case, r in results_of(ctx, "fuse", names).items()}
        wanted = {i for labels in fused.values() for i in labels.values()}
        pseudo = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=wanted)}
        current, lines = current_labels(ctx, names), self.predictions.of(names)
        for scan in scans:
            own = current.get(scan.case_id, {})
            made = {c: pseudo[i] for c, i in fused.get(scan.case_id, {}).items() if i in pseudo}
            flagged = self.flagged.get(scan.case_id, {})
            asked = [c for c in ctx.classes if c in flagged]
            doubtful = [
                c for c in made if c not in asked and (c not in own or own[c].origin == "pseudo")
            ]
            yield scan, _Case(own, made, asked, doubtful, lines.get(scan.case_id, []))

    def _payload(self, case_id: str) -> dict[str, Any]:
        """Read when a worker takes it: the labels of 25,000 cases would not stay in memory."""
        ((scan, case),) = self._cases(self.ctx.catalog.rows(ScanHead, case_id=case_id))
        return {
            **scan_entry(self.ctx, scan),
            "current": {c: label_entry(self.ctx, x) for c, x in case.own.items()},
            "fused": {c: label_entry(self.ctx, x) for c, x in case.made.items()},
            "asked": case.asked,
            "doubtful": case.doubtful,
            "models": [[line.variant, line.result["path"]] for line in case.lines],
            "support": [line.result["path"] for line in usable(case.lines)[0]],
            "usual": self.usual,
            "config": self.config.model_dump(mode="json"),
            "scratch": str(self.ctx.workspace.scratch),
        }


@dataclass(frozen=True)
class _Case:
    """Labels as the round began, those of the fusion, what is asked, and the predictions."""

    own: Mapping[str, Label]
    made: Mapping[str, Label]
    asked: list[str]
    doubtful: list[str]
    lines: Sequence[WorkItem]


def work(payload: dict[str, Any]) -> dict[str, Any]:
    """Worker: one case; masks that the judge prefers lie in the scratch folder."""
    from voxcurate.nifti import read_nifti

    config = LabelingConfig.model_validate(payload["config"])
    vocabulary = vocabulary_of(payload["vocabulary"])
    anatomy = load_anatomy(vocabulary, config.rules.anatomy, config.rules.weights)
    volume = read_nifti(Path(payload["root"], payload["ct"]))
    current = read_structures({**payload, "labels": payload["current"]}, volume)
    fused = read_structures({**payload, "labels": payload["fused"]}, volume)
    models = _model_masks(payload, config, anatomy, volume)
    context = {**fused, **{c: s for c, s in current.items() if c not in payload["asked"]}}
    hu = {c: hu_median(s, volume.array) for c, s in context.items() if not s.is_empty}
    facts = CaseFacts(hu if payload["modality"] == "CT" else {}, None, payload["sex"])
    judge = load(LABEL_JUDGES, config.judge.name)(
        _usual(payload["usual"]), anatomy, config.judge, context=context, facts=facts,
        supports=_supports(payload),
    )  # fmt: skip
    answers: dict[str, Answer] = {}
    for class_id in payload["asked"]:
        label = current.get(class_id)
        entries = _candidates(judge, class_id, label, fused, models, volume)
        if label is not None:
            entries += repairs(label, _surroundings(anatomy, class_id, current, fused, context))
            sound = [s for c, s in current.items() if c not in payload["asked"]]
            rivals = [s for s in sound if not anatomy.may_share(s.class_id, class_id)]
            entries[1:] = [(name, trimmed(s, rivals)) for name, s in entries[1:]]
        answers[class_id] = _asked(judge, class_id, entries, volume, config.judge)
    pairs = {c: vocabulary[c].pair for c in answers}
    answers = exchanged_together(answers, pairs, config.judge)
    rows = [_judged(judge, payload, answers[c], volume, asked=True) for c in payload["asked"]]
    violations = anatomy.check({**current, **fused}, facts)
    for class_id in payload["doubtful"]:
        weight = combined_weight([v for v in violations if v.class_id == class_id])
        mark = judge.mark(volume, class_id, fused[class_id])
        odd = mark.oddity is not None and mark.oddity > config.detect.shape_z
        if weight >= config.judge.doubt or odd or mark.in_view is False:
            entries = _candidates(judge, class_id, None, fused, models, volume)
            answer = _asked(judge, class_id, entries, volume, config.judge)
            rows.append(_judged(judge, payload, answer, volume, asked=False))
    return {"rows": rows}


def _asked(
    judge: Any,
    class_id: str,
    entries: Sequence[tuple[str, Structure]],
    volume: Volume,
    config: JudgeConfig,
) -> Answer:
    """What the judge says of named candidates; the first is the label in question."""
    verdict = judge.compare(volume, class_id, [s for _, s in entries])
    return drawn_first(Answer(class_id, entries, verdict), config)


def _judged(
    judge: Any, payload: Mapping[str, Any], answer: Answer, volume: Volume, *, asked: bool
) -> dict[str, Any]:
    """An answer as plain data, with the mask that it prefers to the first."""
    class_id, entries, verdict = answer.class_id, answer.entries, answer.verdict
    file = None
    if verdict.choice:
        name = f"{payload['case_id']}_{class_id}_judged"
        chosen = entries[verdict.choice][1]
        file = write_mask(
            Path(payload["scratch"]), name, chosen.mask, volume.affine,
            box=chosen.box, shape=volume.shape,
        )  # fmt: skip
    return {
        "class_id": class_id,
        "label_id": payload["current" if asked else "fused"][class_id]["label_id"],
        "choice": verdict.choice,
        "names": [name for name, _ in entries],
        "dsc_with_first": [dice(entries[0][1], s) for _, s in entries],
        "confidence": verdict.confidence,
        "reason": verdict.reason,
        "evidence": dict(verdict.evidence),
        "file": file,
        "judge": f"{judge.name} {judge.version}",
    }


def _candidates(
    judge: Any,
    class_id: str,
    current: Structure | None,
    fused: Mapping[str, Structure],
    models: Mapping[str, Mapping[str, Structure]],
    volume: Volume,
) -> list[tuple[str, Structure]]:
    """Named candidates in order of preference: the label, the fusion, each model.

    Nothing at all is a candidate only where the class lies outside the scan; an incomplete label
    of a structure that is there is not mended by removing it.
    """
    found = [(CURRENT, current)] if current is not None else []
    if class_id in fused:
        found.append((FUSED, fused[class_id]))
    if len(models) > 1:
        found += [(m, masks[class_id]) for m, masks in models.items() if class_id in masks]
    if judge.in_view(class_id, volume) is False and all(s.voxels for _, s in found):
        found.append((EMPTY, _nothing(class_id, volume)))
    return found


def _surroundings(
    anatomy: Anatomy,
    class_id: str,
    current: Mapping[str, Structure],
    fused: Mapping[str, Structure],
    context: Mapping[str, Structure],
) -> Surroundings:
    """What a label of a class may be repaired with: its other side's label, whatever is thought of
    that, the prediction, and what else lies there."""
    vocabulary = anatomy.vocabulary
    pair = current.get(vocabulary[class_id].pair) if class_id in vocabulary else None
    others = {
        c: s for c, s in context.items() if c != class_id and not anatomy.may_share(c, class_id)
    }
    return Surroundings(fused.get(class_id), pair, others)


def _supports(payload: Mapping[str, Any]) -> dict[str, Support]:
    from voxcurate.predictions import open_prediction

    predictions = [open_prediction(Path(payload["root"], p)) for p in payload["support"]]
    return supports(predictions, [*payload["asked"], *payload["doubtful"]])


def _nothing(class_id: str, volume: Volume) -> Structure:
    import numpy as np

    return Structure(class_id, np.zeros((0, 0, 0), bool), NOWHERE, volume.shape, volume.affine)


def _model_masks(
    payload: Mapping[str, Any], config: LabelingConfig, anatomy: Anatomy, volume: Volume
) -> dict[str, dict[str, Structure]]:
    """Each model's own thresholded and mended masks."""
    from voxcurate.predictions import open_prediction

    wanted = {*payload["asked"], *payload["doubtful"]}
    found: dict[str, dict[str, Structure]] = {}
    for model_id, path in payload["models"]:
        prediction = open_prediction(Path(payload["root"], path))
        masks = {}
        for class_id in prediction.classes:
            if class_id in payload["classes"]:
                part = prediction.box(class_id)
                mask = part.array > config.fuse.threshold * 255
                outer = Structure(class_id, mask, part.box, volume.shape, volume.affine)
                masks[class_id] = outer.part(mask)
        mended = mend(masks, anatomy)[0] if config.fuse.postprocess else masks
        found[model_id] = {c: s for c, s in mended.items() if c in wanted}
    return found


def _conclude(
    ctx: StageContext,
    config: LabelingConfig,
    writer: Writer,
    row: Mapping[str, Any],
    old: Label,
    suspicion: Suspicion | None,
) -> str:
    """Write the decision on one label, and the judged version where the judge prefers one.

    A label that is removed because it is surely wrong leaves nothing in its place: it is retired,
    and nothing is claimed of the structure.
    """
    choice = row["choice"]
    verdict, is_retired = verdict_of(config.judge, row, old, suspicion)
    proposal = ""
    if choice and not is_retired:
        proposal = adopt_mask(
            writer,
            ctx.workspace,
            row["file"],
            case_id=old.case_id,
            class_id=old.class_id,
            origin="judged",
            round_number=ctx.round,
            parent=old.label_id,
            model_id=row["names"][choice],
            facts={"judge": row["judge"], "candidate": row["names"][choice]},
        ).label_id
    decision = Decision(
        decision_id="",
        round=ctx.round,
        stage="judge",
        case_id=old.case_id,
        class_id=old.class_id,
        label_id=old.label_id,
        verdict=verdict,
        reason=row["reason"],
        actor=f"judge:{row['judge']}",
        other_label=proposal,
        evidence={
            "candidates": row["names"],
            "choice": choice,
            "confidence": row["confidence"],
            "dsc_with_first": row["dsc_with_first"],
            **row["evidence"],
            **({"error_probability": round(suspicion.probability, 4)} if suspicion else {}),
        },
    )
    if verdict in ("replace", "remove") and old.origin == "original":
        writer.flag(old.label_id, decision, retired=True)
    else:
        writer.decide(decision)
    return verdict


def _usual(plain: Mapping[str, Any]) -> Usual:
    return Usual(
        {c: ShapeProfile.of_plain(p) for c, p in plain["profiles"].items()},
        Layout.of_plain(plain["layout"]),
        plain["steps"],
    )
