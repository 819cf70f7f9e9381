"""Stage refine: borders of a workspace's labels drawn anew, accepted only if the judge prefers it.

Which labels: those that count as the round began, or what its fusion made where a machine's label
counts. Left alone are a structure of which the judge or people have said in this round what becomes
of it, a label that people have confirmed, one that speaks about a part of the scan only, and the
classes of ``confidence_by_class: 1``.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from labeling.attention.priority import ranked_cases
from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert.conclusions import MACHINE, is_usual
from labeling.expert.contest import is_settled
from labeling.expert.detect import current_labels, label_entry, results_of, scan_entry, usable
from labeling.expert.suspicion import weigh
from labeling.fusion.fuse import known
from labeling.predicted import Predictions, marks_of
from labeling.refine.methods import make_refiner
from voxcurate.catalog import Decision, Label, Scan, ScanHead, WorkItem, Writer
from voxcurate.errors import ConfigError
from voxcurate.executors import SerialExecutor
from voxcurate.ids import content_id
from voxcurate.labels import adopt_mask
from voxcurate.ledger import Item, run_items
from voxcurate.stage import StageContext, StageResult

STAGE, VERSION = "refine", "3"
WORKER = "labeling.refine.work:work"
VERDICTS = ("keep", "replace", "to_review")
SETTLED = ("replace", "remove", "leave_out", "retire", "accept", "revised", "undo")  # by others
APART = {"engine", "vision", "committee", "name"}  # the judge's settings that do not count here
HOW = ("sam_batch", "sam_device", "repairs")  # settings that change no result of this stage


def run(
    ctx: StageContext,
    config: LabelingConfig,
    *,
    classes: Collection[str] = (),
    cases: Collection[str] = (),
    budget: int = 0,
) -> StageResult:
    """Refine the labels of train and validation scans, one Decision of stage "refine" for each.

    A refined mask that the judge prefers becomes a judged Label version. It replaces the label
    where `verdict_on` lets it; an original so replaced is retired, all of which ``voxcurate labels
    undo`` takes back. Elsewhere the decision is to_review and names the proposal. Where the judge
    does not prefer it, the label stays and the decision says why.

    Args:
        ctx: of the round.
        config: of labeling.
        classes: only these of the round's; empty: all.
        cases: only these; empty: all.
        budget: the first so many cases of the priority list; 0: all.

    Returns:
        Counts; failures by case.

    Raises:
        ConfigError: no detection to learn from what is usual; no such case, class or refiner.
    """
    results = results_of(ctx, "detect")
    if not results:
        raise ConfigError(
            f"round {ctx.round} has looked at no label yet, so nothing is known to be usual: run "
            "'voxcurate round', or refine on files alone (--scan)"
        )
    make_refiner(config.refine)
    if unknown := sorted(set(classes) - set(ctx.classes)):
        raise ConfigError(f"no class of this round: {', '.join(unknown)}")
    wanted = chosen_cases(ctx, config, cases, budget)
    suspicions, usual = weigh(ctx, config, results)
    doubted = {
        s.row["label_id"]: s.probability
        for s in suspicions
        if s.probability >= config.judge.mend_probability and s.case_id in wanted
    }
    asking = _Asking(ctx, config, Predictions(ctx, config), usual.plain(), frozenset(classes))
    batches = ctx.batches("train", "validation")
    items = [
        x for scans in batches for x in asking.items([s for s in scans if s.case_id in wanted])
    ]
    items.sort(key=lambda item: wanted[item.subject])

    def record(writer: Writer, item: Item, value: Any) -> dict[str, Any]:
        verdicts = {}
        for row in value["rows"]:
            (old,) = writer.rows(Label, label_id=row["label_id"])
            verdicts[row["class_id"]] = _conclude(
                ctx, config, writer, row, old, doubted.get(row["label_id"], 0.0)
            )
        return {"verdicts": verdicts}

    done = run_items(
        ctx, STAGE, items, WORKER, record,
        version=VERSION,
        config=[
            config.refine.model_dump(exclude=set(HOW)), config.judge.model_dump(exclude=APART),
            config.rules, config.fuse, config.detect, ctx.classes, known(ctx, config),
        ],
        executor=SerialExecutor() if config.refine.method == "sam" else None,
    )  # fmt: skip
    counts = Counter(dict.fromkeys(VERDICTS, 0))
    for result in done.results.values():
        counts.update(result["verdicts"].values())
    told = {"cases": len(items), "computed": done.computed, "reused": done.reused}
    return StageResult({**told, **counts}, done.failed)


def chosen_cases(
    ctx: StageContext, config: LabelingConfig, cases: Collection[str], budget: int
) -> dict[str, int]:
    """The cases to refine, each with its place: by the priority list, then by name.

    Raises:
        ConfigError: one of `cases` is no train or validation scan of the round.
    """
    there = list(ctx.cases("train", "validation"))
    if unknown := sorted(set(cases) - set(there)):
        raise ConfigError(f"no train or validation scan of this round: {', '.join(unknown)}")
    first = [c.case_id for c in ranked_cases(ctx, config.priority)]
    order = list(dict.fromkeys([*(c for c in first if c in set(there)), *there]))
    order = [case for case in order if not cases or case in cases]
    return {case: n for n, case in enumerate(order[: budget or None])}


@dataclass(frozen=True, eq=False)
class _Asking:
    """What is refined, some cases at a time; `only` these classes, if any are named."""

    ctx: StageContext
    config: LabelingConfig
    predictions: Predictions
    usual: Mapping[str, Any]
    only: frozenset[str] = frozenset()

    def items(self, scans: Sequence[Scan]) -> Iterator[Item]:
        """The cases with a label to refine."""
        usual = content_id(self.usual)
        for scan, labels, asked, lines in self._cases(scans):
            if asked:
                ids = {c: x.label_id for c, x in labels.items()}
                inputs = [scan.sha256, ids, asked, marks_of(lines), usual]
                payload = partial(self._payload, scan.case_id)
                yield Item(scan.case_id, "", content_id(inputs), payload)

    def _cases(
        self, scans: Sequence[Scan]
    ) -> Iterator[tuple[Scan, dict[str, Label], list[str], Sequence[WorkItem]]]:
        """Scans with their labels, the classes to refine, and the predictions."""
        ctx, names = self.ctx, [scan.case_id for scan in scans]
        current, lines = current_labels(ctx, names), self.predictions.of(names)
        fused = {case: dict(r["labels"]) for case, r in results_of(ctx, "fuse", names).items()}
        ids = {i for labels in fused.values() for i in labels.values()}
        made = {x.label_id: x for x in ctx.catalog.rows(Label, label_id=ids)}
        settled = {
            (d.case_id, d.class_id)
            for d in ctx.catalog.rows(
                Decision, round=ctx.round, verdict=list(SETTLED), case_id=names
            )
            if d.stage != STAGE
        }
        for scan in scans:
            labels = dict(current.get(scan.case_id, {}))
            for c, label_id in fused.get(scan.case_id, {}).items():
                if label_id in made and (c not in labels or labels[c].origin == "pseudo"):
                    labels[c] = made[label_id]
            asked = [
                c for c in ctx.classes
                if (c in self.only or not self.only) and c in labels
                and labels[c].voxels and not labels[c].known_path
                and not (labels[c].confirmed or labels[c].gold or self.config.refine.leaves(c))
                and (scan.case_id, c) not in settled
            ]  # fmt: skip
            yield scan, labels, asked, lines.get(scan.case_id, [])

    def _payload(self, case_id: str) -> dict[str, Any]:
        """Read when a worker takes it."""
        ((scan, labels, asked, lines),) = self._cases(
            self.ctx.catalog.rows(ScanHead, case_id=case_id)
        )
        return {
            **scan_entry(self.ctx, scan),
            "labels": {c: label_entry(self.ctx, x) for c, x in labels.items()},
            "asked": asked,
            "support": [line.result["path"] for line in usable(lines)[0]],
            "usual": self.usual,
            "config": self.config.model_dump(mode="json"),
            "scratch": str(self.ctx.workspace.scratch),
        }


def verdict_on(
    judge: JudgeConfig, old: Label, row: Mapping[str, Any], chance: float, *, is_lesion: bool
) -> str:
    """What becomes of a label of which the judge accepts a refined version: replace or to_review.

    As stage judge has it: a machine may replace what `auto_mend` names; a person's drawing only
    where the detection is sure that it is wrong and the new one is usual and unbroken, and never a
    lesion's.

    Args:
        judge: how sure one has to be.
        old: the label.
        row: of the worker.
        chance: that the label is wrong, by the detection; 0 below `mend_probability`.
        is_lesion: whether the class is one.
    """
    if old.origin not in judge.auto_mend or old.gold or old.confirmed:
        return "to_review"
    if old.origin in MACHINE:
        return "replace"
    evidence = row["evidence"]
    mark = evidence["marks"][evidence["candidates"].index(row["choice"])]
    is_sure = chance >= judge.mend_probability and is_usual(mark, judge)
    return "replace" if is_sure and not is_lesion else "to_review"


def _conclude(
    ctx: StageContext,
    config: LabelingConfig,
    writer: Writer,
    row: Mapping[str, Any],
    old: Label,
    chance: float,
) -> str:
    """Write the decision on one label, and the judged version where the judge prefers it.

    A version that is only proposed is retired until a person accepts it.
    """
    proposal, verdict = "", "keep"
    if row["choice"]:
        c = old.class_id
        is_lesion = c in ctx.vocabulary and ctx.vocabulary[c].lesion
        verdict = verdict_on(config.judge, old, row, chance, is_lesion=is_lesion)
        proposal = adopt_mask(
            writer, ctx.workspace, row["file"],
            case_id=old.case_id, class_id=old.class_id, origin="judged",
            round_number=ctx.round, parent=old.label_id, model_id=f"refined_{row['choice']}",
            facts={"judge": row["judge"], "refiner": row["refiner"], "proposal": row["choice"]},
        ).label_id  # fmt: skip
    decision = Decision(
        decision_id="",
        round=ctx.round,
        stage=STAGE,
        case_id=old.case_id,
        class_id=old.class_id,
        label_id=old.label_id,
        verdict=verdict,
        reason=row["reason"],
        actor=f"refine:{row['refiner']}",
        other_label=proposal,
        evidence={k: row[k] for k in ("judge", "choice", "confidence", "points", "evidence")},
    )
    writer.decide(decision)
    if verdict == "replace" and old.origin == "original":
        writer.flag(old.label_id, decision, retired=True)
    if proposal and not is_settled(writer, old, proposal):
        writer.flag(proposal, decision, retired=verdict == "to_review")
    return verdict
