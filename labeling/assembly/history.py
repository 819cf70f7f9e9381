"""Who drew what and why: a label's lineage, the decisions on it, and the history of a structure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voxcurate.catalog import Assembly, Catalog, Decision, Label
from voxcurate.errors import CatalogError


@dataclass(frozen=True)
class Step:
    """One thing that happened to a structure: a version was drawn, or something was decided.

    `what` is ``drawn`` or the decision's verdict (``pointer``, ``confirm``, ``undo`` ...); `other`
    the version that it was decided against; `ml` the size of the drawn version.
    """

    round: int
    stage: str
    what: str
    who: str
    why: str
    label_id: str
    other: str = ""
    ml: float | None = None
    when: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """All that is known of one class on one scan.

    `current` is the version that counts (None: nothing does), `pointers` what counted as of each
    round in which that changed, `steps` everything in the order of the rounds.
    """

    case_id: str
    class_id: str
    current: Assembly | None
    versions: Sequence[Label]
    pointers: Sequence[Assembly]
    steps: Sequence[Step]


def history(catalog: Catalog, case_id: str, class_id: str) -> History:
    """The history of a structure.

    Raises:
        CatalogError: nobody has ever said anything of this class on this scan.
    """
    where = {"case_id": case_id, "class_id": class_id}
    versions = sorted(catalog.rows(Label, **where), key=lambda v: (v.round, v.label_id))
    decisions = catalog.rows(Decision, **where)
    pointers = sorted(catalog.rows(Assembly, **where), key=lambda p: p.round)
    if not versions and not decisions:
        raise CatalogError(f"nobody has labelled {class_id} on this scan yet", case_id=case_id)
    steps = [_drawn(version, decisions) for version in versions]
    steps += [_decided(decision) for decision in in_time(decisions)]
    steps.sort(key=lambda step: (step.round, step.when))  # stable; a version has no time of its own
    return History(case_id, class_id, pointers[-1] if pointers else None, versions, pointers, steps)


def lineage(label: Label, versions: Mapping[str, Label]) -> list[Label]:
    """The label and the versions that it came from, newest first; a missing parent ends it."""
    chain = [label]
    while (parent := versions.get(chain[-1].parent)) is not None and parent not in chain:
        chain.append(parent)
    return chain


def reasons(chain: Sequence[Label], decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions about any label of a lineage, in the order in which they were made."""
    ids = {label.label_id for label in chain}
    return in_time(d for d in decisions if d.label_id in ids or d.other_label in ids)


def who_drew(label: Label, about: Sequence[Decision]) -> str:
    """Who or what the voxels come from: the last decider on it, else the model, else the source.

    Which version counts (``pointer``, ``undo``) says nothing of who drew it.
    """
    if label.origin == "original":
        return "source"
    own = [
        d for d in about if label.label_id in (d.label_id, d.other_label) and d.verdict not in MOVES
    ]
    if label.origin == "pseudo" or not own:
        return f"model {label.model_id}" if label.model_id else label.origin
    return own[-1].actor


MOVES = ("pointer", "undo")


def in_time(decisions: Iterable[Decision]) -> list[Decision]:
    """Decisions in the order in which they were made."""
    return sorted(decisions, key=lambda d: (d.round, d.created, d.decision_id))


def _drawn(version: Label, decisions: Sequence[Decision]) -> Step:
    flags = [name for name in ("gold", "confirmed", "retired") if getattr(version, name)]
    about = [f"from {version.parent}" if version.parent else "", *flags]
    if version.facts.get("from_copy"):
        about.append(f"carried over from its copy {version.facts['from_copy']}")
    if version.known_path:
        about.append("speaks of a part of the scan only")
    return Step(
        round=version.round,
        stage=version.origin,
        what="drawn",
        who=who_drew(version, in_time(decisions)),
        why=", ".join(x for x in about if x),
        label_id=version.label_id,
        ml=version.ml,
    )


def _decided(decision: Decision) -> Step:
    return Step(
        round=decision.round,
        stage=decision.stage,
        what=decision.verdict,
        who=decision.actor,
        why=decision.reason,
        label_id=decision.label_id,
        other=decision.other_label,
        when=decision.created,
        evidence=decision.evidence,
        cost=decision.cost,
    )
