"""Stage judge, the work behind it: which labels are contested, by which candidates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert.conclusions import after_surgery, together, verdict_of
from labeling.expert.detect import current_labels, label_entry, results_of, scan_entry, usable
from labeling.expert.removed import Gone, removed_of
from labeling.expert.reviewed import learn_weights
from labeling.expert.side_by_side import SideBySide
from labeling.expert.suspicion import Suspicion, weigh
from labeling.fusion.fuse import known
from labeling.predicted import Predictions, marks_of
from labeling.rules import Anatomy, load_anatomy
from voxcurate.catalog import Decision, Label, Scan, ScanHead, WorkItem, Writer
from voxcurate.errors import ConfigError
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult

VERSION = "6"
WORKER = "labeling.expert.consult:work"


def contest(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """See `labeling.expert.judge.run`.

    A judge that asks a model works in this process: the model is loaded once, and the requests of
    some cases go out side by side. Reports that say that surgery has taken an organ keep its empty
    label.

    Raises:
        ConfigError: judge vision without an engine.
    """
    if config.judge.name == "vision" and not config.judge.engine.engine:
        raise ConfigError("judge vision wants an engine: labeling.judge.engine")
    learned = learn_weights(ctx, config.judge)
    suspicions, usual = weigh(ctx, config, results_of(ctx, "detect"))
    flagged: dict[str, dict[str, Suspicion]] = {}
    for s in suspicions:
        if s.probability >= config.detect.threshold:
            flagged.setdefault(s.case_id, {})[str(s.row["class_id"])] = s
    weights = {head: plain["weights"] for head, plain in learned.items()}
    anatomy = load_anatomy(ctx.vocabulary, config.rules.anatomy, config.rules.weights)
    predictions = Predictions(ctx, config)
    asking = _Asking(ctx, config, anatomy, predictions, flagged, usual.plain(), weights)
    items = [item for scans in ctx.batches("train", "validation") for item in asking.items(scans)]

    def record(writer: Writer, item: Item, value: Any) -> dict[str, Any]:
        suspected = flagged.get(item.subject, {})
        rows = {row["class_id"]: row for row in value["rows"]}
        labels = {
            x.label_id: x
            for x in writer.rows(Label, label_id=[r["label_id"] for r in rows.values()])
        }
        verdicts = together(
            rows,
            {
                c: verdict_of(
                    config.judge,
                    row,
                    labels[row["label_id"]],
                    suspected.get(c),
                    is_lesion=_is_lesion(ctx, c),
                )
                for c, row in rows.items()
            },
            {c: ctx.vocabulary[c].pair for c in rows if c in ctx.vocabulary},
        )
        for c, gone in asking.removed([item.subject], writer).get(item.subject, {}).items():
            if c in rows:
                verdicts[c] = after_surgery(verdicts[c], labels[rows[c]["label_id"]], gone)
                if not labels[rows[c]["label_id"]].voxels:
                    rows[c] = _told(rows[c], gone)
        for c, row in rows.items():
            _conclude(ctx, writer, row, labels[row["label_id"]], verdicts[c], suspected.get(c))
        told = {c: verdict for c, (verdict, _) in verdicts.items()}
        return {"verdicts": told, "asked_model": value["asked_model"]}

    done = run_items(
        ctx,
        "judge",
        items,
        WORKER,
        record,
        version=VERSION,
        config=[
            _deciding(config.judge),
            config.rules,
            config.fuse,
            config.detect,
            ctx.classes,
            known(ctx, config),
            _wordings(ctx, config.judge),
            *([config.refine] if config.refine.repairs else []),
        ],
        executor=SideBySide(config.judge, str(ctx.workspace.root))
        if config.judge.asks_model
        else None,
    )
    counts: dict[str, Any] = dict.fromkeys(("keep", "replace", "remove", "to_review"), 0)
    for result in done.results.values():
        for verdict in result["verdicts"].values():
            counts[verdict] += 1
        for what, n in result["asked_model"].items():
            counts[what] = counts.get(what, 0) + n
    if learned:
        counts["committee"] = {head: plain["why"] for head, plain in learned.items()}
    return StageResult({"cases": len(items), **counts}, done.failed)


@dataclass(frozen=True, eq=False)
class _Asking:
    """What the judge is asked, some cases at a time.

    Attributes:
        flagged: case to class to how suspicious its label is, where that is too much.
        usual: what is usual, as plain data.
        weights: the committee's, as plain data.
        anatomy: the written rules.
    """

    ctx: StageContext
    config: LabelingConfig
    anatomy: Anatomy
    predictions: Predictions
    flagged: Mapping[str, Mapping[str, Suspicion]]
    usual: Mapping[str, Any]
    weights: Mapping[str, Any]

    def items(self, scans: Sequence[Scan]) -> Iterator[Item]:
        """The cases in which a label is asked for or a fused one may be doubtful."""
        known = content_id(self.usual, self.weights)
        gone = self.removed([scan.case_id for scan in scans])
        for scan, case in self._cases(scans):
            if case.asked or case.doubtful:
                own = {c: x.label_id for c, x in case.own.items()}
                made = {c: x.label_id for c, x in case.made.items()}
                marks = marks_of(case.lines)
                inputs = [scan.sha256, own, made, case.asked, case.doubtful, marks, known]
                inputs.append(self._parts(scan.case_id))
                own_gone = gone.get(scan.case_id, {})
                if told := {c: own_gone[c].mark() for c in case.asked if c in own_gone}:
                    inputs.append(told)
                payload = partial(self._payload, scan.case_id)
                yield Item(scan.case_id, "", content_id(inputs), payload)

    def removed(
        self, cases: Sequence[str], writer: Writer | None = None
    ) -> Mapping[str, Mapping[str, Gone]]:
        """What reports say of suspected labels of some cases, where they call an organ removed."""
        wanted = {c for case in cases for c in self.flagged.get(case, {})}
        known = writer or self.ctx.catalog
        return removed_of(known, self.anatomy, self.ctx.vocabulary, wanted, cases)

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
            "weights": self.weights,
            "parts": self._parts(case_id),
            "config": self.config.model_dump(mode="json"),
            "scratch": str(self.ctx.workspace.scratch),
        }

    def _parts(self, case_id: str) -> dict[str, dict[str, float]]:
        flagged = self.flagged.get(case_id, {})
        return {c: {k: round(p, 6) for k, p in s.parts.items()} for c, s in flagged.items()}


def _deciding(config: JudgeConfig) -> list[Any]:
    """The settings that answers depend on: not how the engine is reached, nor those of judges that
    are not asked."""
    apart = {"engine", "vision", "committee"}  # the committee's are in its weights
    engine, how = config.engine, config.vision.model_dump(exclude={"cases_at_once"})
    asked = [engine.engine, engine.model, engine.sampling, how]
    return [config.model_dump(exclude=apart), asked if config.asks_model else []]


def _wordings(ctx: StageContext, config: JudgeConfig) -> str:
    """A hash of all that a model is told of the round's classes; empty where none is asked."""
    if not config.asks_model:
        return ""
    from labeling.vision.judge import load_wordings
    from labeling.vision.prompts import COMPARE, PRESENCE, text_of

    wordings = load_wordings(ctx.vocabulary, config.vision.anatomy)
    told = [wordings[c] for c in ctx.classes]
    words = [[w.version, w.is_optional, w.prompt.model_dump(mode="json")] for w in told]
    return content_id(words, text_of(COMPARE), text_of(PRESENCE))


@dataclass(frozen=True)
class _Case:
    """Labels as the round began, those of the fusion, what is asked, and the predictions."""

    own: Mapping[str, Label]
    made: Mapping[str, Label]
    asked: list[str]
    doubtful: list[str]
    lines: Sequence[WorkItem]


def _told(row: Mapping[str, Any], gone: Gone) -> dict[str, Any]:
    """An answer with what a report says of the organ."""
    evidence = {**row["evidence"], "removed": dict(gone.finding)}
    return {**row, "reason": f"{gone.words}; {row['reason']}", "evidence": evidence}


def _is_lesion(ctx: StageContext, class_id: str) -> bool:
    return class_id in ctx.vocabulary and ctx.vocabulary[class_id].lesion


def _conclude(
    ctx: StageContext,
    writer: Writer,
    row: Mapping[str, Any],
    old: Label,
    concluded: tuple[str, bool],
    suspicion: Suspicion | None,
) -> None:
    """Write the decision on one label, and the judged version where the judge prefers one.

    A label that is removed because it is surely wrong leaves nothing in its place: it is retired,
    and nothing is claimed of the structure. A version that is only proposed does not count until a
    person accepts it: it is retired, for `assemble` would trust it more than a machine's label. Of
    a label that is kept nothing is proposed.
    """
    choice = row["choice"]
    verdict, is_retired = concluded
    proposal = ""
    if choice and not is_retired and verdict != "keep":
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
            known=row["known"],
            facts={"judge": row["judge"], "candidate": row["names"][choice]},
        ).label_id
    elif choice:
        for file in (row["file"], row["known"]):
            if file is not None and file.temporary:
                Path(file.temporary).unlink(missing_ok=True)
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
            **({"error_probability": round(suspicion.chance, 4)} if suspicion else {}),
        },
        cost=row["cost"],
    )
    writer.decide(decision)
    if verdict in ("replace", "remove") and old.origin == "original":
        writer.flag(old.label_id, decision, retired=True)
    if proposal and not is_settled(writer, old, proposal):
        writer.flag(proposal, decision, retired=verdict == "to_review")


def is_settled(writer: Writer, old: Label, proposal: str) -> bool:
    """Whether people have said since what becomes of a proposal that was made before."""
    (made,) = writer.rows(Label, label_id=proposal)
    place = {"case_id": old.case_id, "class_id": old.class_id}
    said = writer.rows(Decision, verdict=["retire", "undo"], **place)
    about = {i for d in said for i in (d.label_id, d.other_label, *d.evidence.get("set_aside", ()))}
    return bool(made.confirmed or made.gold or proposal in about)
