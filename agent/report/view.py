"""What the catalog says about a round, read once for the whole report."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from voxcurate.catalog import (
    Assembly,
    Catalog,
    Decision,
    Label,
    LabelHead,
    Measure,
    Model,
    Round,
    Scan,
    ScanHead,
    WorkHead,
    WorkItem,
)
from voxcurate.stage import IN_COHORT, StageContext

Key = tuple[str, str]  # case, class
ATTENTION = "attention_mm3"
EXPLAINING = {"tot_dsc", "tot_nsd"}  # behind the error probability; of each label, and not shown
MOVED = ("assemble", "pointer")  # stage and verdict
ANSWERS = ("confirm", "accept", "revised", "retire", "skip")  # what people say to a review item


@dataclass(frozen=True)
class RoundView:
    """The catalog as one round left it. Statuses and flags are those of now; pointers those of the
    round. `number_before` is the last earlier round that was evaluated (else the one before).

    Of many thousand scans it holds what the page counts, not all that is known: no fingerprints,
    facts of labels and results of the ledger; labels that count, counted before, or that a decision
    names; decisions but for moved pointers; no measures of single classes that only explain others.
    """

    ctx: StageContext
    number: int
    round: Round | None
    scans: Mapping[str, Scan]
    labels: Mapping[str, Label]
    pointers: Mapping[Key, Assembly]
    before: Mapping[Key, Assembly]
    decisions: Sequence[Decision]
    measures: Sequence[Measure]
    number_before: int
    measures_before: Sequence[Measure]
    models: Mapping[str, Model]
    items: Sequence[WorkItem]

    @property
    def folder(self) -> Path:
        """``rounds/<r>/``."""
        return self.ctx.workspace.round_path(self.number)

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved configuration of the round; empty if the round is unknown."""
        return self.round.config if self.round else {}

    @cached_property
    def cohort(self) -> list[Scan]:
        """Scans that the round's query named, whatever cleaning said of them, in case order."""
        named = self.ctx.cohort
        return [s for s in self.scans.values() if not named or s.case_id in named]

    @cached_property
    def used(self) -> list[Scan]:
        """Scans of the cohort that cleaning left in."""
        return [s for s in self.cohort if s.status in IN_COHORT]

    @cached_property
    def mendable(self) -> set[str]:
        """Cases in use whose labels may change: all but test."""
        return {scan.case_id for scan in self.used if scan.split != "test"}

    @cached_property
    def classes(self) -> list[str]:
        """The target classes, else all that have a label."""
        if self.ctx.classes:
            return list(self.ctx.classes)
        order = {class_id: i for i, class_id in enumerate(self.ctx.vocabulary.ids())}
        labelled = {class_id for _, class_id in self.pointers}
        return sorted(labelled, key=lambda c: (order.get(c, len(order)), c))

    def class_name(self, class_id: str) -> str:
        """The name for people."""
        known = class_id in self.ctx.vocabulary
        return (self.ctx.vocabulary[class_id].name if known else "") or class_id.replace("_", " ")

    def current(self, case_id: str, class_id: str) -> Label | None:
        """The label version that counts as of the round."""
        pointer = self.pointers.get((case_id, class_id))
        return self.labels.get(pointer.label_id) if pointer else None

    @cached_property
    def changed(self) -> list[tuple[Label, Label]]:
        """(old, new) where the pointer moved from one version to another, by case and class."""
        pairs = []
        for key, pointer in sorted(self.pointers.items()):
            old = self.before.get(key)
            if old is None or old.label_id == pointer.label_id:
                continue
            if old.label_id in self.labels and pointer.label_id in self.labels:
                pairs.append((self.labels[old.label_id], self.labels[pointer.label_id]))
        return pairs

    @cached_property
    def new_keys(self) -> list[Key]:
        """Structures that had no label before this round."""
        return sorted(set(self.pointers) - set(self.before))

    def decided(self, stage: str, *verdicts: str) -> list[Decision]:
        """The round's decisions of a stage, of the given verdicts (default: all)."""
        return [
            d
            for d in self.decisions
            if d.stage == stage and (not verdicts or d.verdict in verdicts)
        ]

    def why(self, label: Label, old: Label | None = None) -> Decision | None:
        """The weightiest decision about a label or what it replaced; None if nobody said a word."""
        own = self._about.get((label.case_id, label.class_id), ())
        ids = {label.label_id, old.label_id if old else label.label_id}
        about = [d for d in own if ids & {d.label_id, d.other_label}]
        return max(about, key=lambda d: (weight(d), d.created, d.decision_id), default=None)

    @cached_property
    def _about(self) -> dict[Key, list[Decision]]:
        found: dict[Key, list[Decision]] = defaultdict(list)
        for decision in self.decisions:
            found[decision.case_id, decision.class_id].append(decision)
        return dict(found)

    @cached_property
    def waiting(self) -> list[Decision]:
        """Structures queued for review in this round on which nobody has decided yet."""
        answered = {(d.case_id, d.class_id) for d in self.decided("review") if d.verdict in ANSWERS}
        queued = self.decided("review", "queued") or self.decided("judge", "to_review")
        first: dict[Key, Decision] = {}
        for decision in queued:
            key = (decision.case_id, decision.class_id)
            if key not in answered:
                first.setdefault(key, decision)
        return list(first.values())

    def values(self, stage: str, name: str) -> list[Measure]:
        """The round's measures of a stage and name that have a value."""
        return [
            m for m in self.measures if (m.stage, m.name) == (stage, name) and m.value is not None
        ]

    def class_attention(self, cases: Collection[str]) -> list[Measure]:
        """The attention of each class of some cases."""
        where = {"round": self.number, "stage": "detect", "name": ATTENTION}
        rows = self.ctx.catalog.rows(Measure, case_id=list(cases), **where)
        return [m for m in rows if m.class_id and m.value is not None]

    @cached_property
    def by_stage(self) -> dict[str, list[WorkItem]]:
        """Ledger lines of the round, by stage."""
        grouped: dict[str, list[WorkItem]] = defaultdict(list)
        for item in self.items:
            grouped[item.stage].append(item)
        return dict(grouped)


def weight(decision: Decision) -> int:
    """How much a decision explains: a person's answer most, a moved pointer least."""
    if decision.stage == "review":
        return 4 if decision.verdict in ANSWERS else 2
    return {"judge": 3, "detect": 1}.get(decision.stage, 0)


def load_view(ctx: StageContext, number: int) -> RoundView:
    """Read everything that the report of round `number` shows."""
    catalog = ctx.catalog
    earlier = range(number - 1, 0, -1)
    last = next(
        (n for n in earlier if catalog.count(Measure, round=n, stage="evaluate")), number - 1
    )
    pointers, before = catalog.current(number), catalog.current(number - 1)
    decisions = _decisions(catalog, number)
    named = {p.label_id for p in (*pointers.values(), *before.values())}
    named |= {i for d in decisions for i in (d.label_id, d.other_label) if i}
    return RoundView(
        ctx=ctx,
        number=number,
        round=catalog.one(Round, number=number),
        scans={scan.case_id: scan for scan in catalog.rows(ScanHead)},
        labels={label.label_id: label for label in catalog.rows(LabelHead, label_id=named)},
        pointers=pointers,
        before=before,
        decisions=decisions,
        measures=_measures(catalog, number),
        number_before=last,
        measures_before=catalog.rows(Measure, round=last, stage="evaluate"),
        models={model.model_id: model for model in catalog.rows(Model)},
        items=catalog.rows(WorkHead, round=number),
    )


def _decisions(catalog: Catalog, number: int) -> list[Decision]:
    """All but those that only say that a pointer moved: one per label, and nobody reads them."""
    kinds = set(catalog.columns(Decision, "stage", "verdict", round=number)) - {MOVED}
    found: list[Decision] = []
    for stage, verdict in sorted(kinds):
        found += catalog.rows(Decision, round=number, stage=stage, verdict=verdict)
    return sorted(found, key=lambda d: (d.created, d.decision_id))


def _measures(catalog: Catalog, number: int) -> list[Measure]:
    names = {
        name
        for batch in catalog.stream(Measure, "name", round=number, batch=10_000)
        for (name,) in batch
    }
    found = catalog.rows(Measure, round=number, name=names - EXPLAINING - {ATTENTION})
    whole = catalog.rows(Measure, round=number, name=ATTENTION, class_id="")
    return found + (whole or catalog.rows(Measure, round=number, name=ATTENTION))
