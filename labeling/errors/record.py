"""One label error: what it is, who drew it, how it was found, what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from labeling.errors.kinds import KINDS
from voxcurate.catalog import Decision, Label

Scope = Literal["label", "drawing"]
Standing = Literal["verified", "mended", "open", "kept", "refuted"]
STANDINGS: Mapping[Standing, str] = {
    "verified": "a person said that the label was wrong",
    "mended": "mended or removed by the program, no person has looked",
    "open": "waits for a person, or for the judge",
    "kept": "the judge prefers no other candidate",
    "refuted": "a person said that the label was right, or took the mending back",
}
ERRORS: tuple[Standing, ...] = ("verified", "mended", "open")  # what counts as an error
FOUND = {
    "models": "predictions disagree",
    "probabilities": "models doubt it",
    "rules": "written anatomy",
    "shape": "unusual shape or place",
    "view": "empty where it should be seen",
    "fusion": "rules, while predictions were fused",
    "report": "the radiology report",
    "judge": "the judge",
    "person": "a person",
}
MENDS = {
    "prediction": "replaced by a prediction",
    "repair": "repaired from what was drawn",
    "removed": "removed",
    "report": "emptied, for the report says no",
    "rule": "taken away by a rule",
    "ignored": "regions set to ignore",
    "redrawn": "drawn anew by a person",
    "accepted": "a person took another candidate",
    "retired": "removed by a person",
    "taken_back": "a person took an earlier version",
}


@dataclass(frozen=True)
class LabelError:
    """One error of one label version; found once, however often it is seen again.

    Attributes:
        source: data set that the scan is from.
        round: in which it was found.
        scope: ``label``: of a label that counted when the round began; ``drawing``: of what
            machines drew in this round, caught before it counted.
        label_id: the version that is wrong; may be empty where nothing was labelled.
        drawn_by: ``source``, ``person``, ``ensemble``, ``repair``, ``refinement``, ``report`` or a
            model's name.
        kind: of `KINDS`.
        probability: that the label is wrong, by the detection; None if it was not asked.
        found_by: of `FOUND`, the strongest first.
        witnesses: the same with their numbers, in words.
        standing: of `STANDINGS`.
        mended: of `MENDS`; empty: nothing was done.
        by: who decided that.
        mended_round: when; 0 if nothing was done.
        instead: the version that took its place, or is proposed; may be empty.
        chosen: the name of the candidate that won.
        overlap: DSC of the label and that candidate.
        seen: rounds in which it was flagged.
        again: kind of the earlier error that was mended on this structure; empty: none was.
        again_round: in which that one was found; 0: none.
        is_relapse: the label at fault is what mended that one, or was made from it.
        seconds: of a processor, for judging it.
        minutes: of a person's time, written down or reckoned.
        ml: volume of the label; None if unknown.
    """

    case_id: str
    class_id: str
    source: str
    round: int
    scope: Scope
    label_id: str
    drawn_by: str
    kind: str
    probability: float | None = None
    found_by: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    standing: Standing = "open"
    mended: str = ""
    by: str = ""
    mended_round: int = 0
    instead: str = ""
    chosen: str = ""
    overlap: float | None = None
    seen: tuple[int, ...] = ()
    again: str = ""
    again_round: int = 0
    is_relapse: bool = False
    seconds: float = 0.0
    minutes: float = 0.0
    ml: float | None = None

    @property
    def is_error(self) -> bool:
        """Whether it counts: nobody has said that the label is right."""
        return self.standing in ERRORS

    @property
    def rank(self) -> tuple[float, str, str, int]:
        """Order for people, worst first: labels before drawings, what came back, what is open, what
        is most surely wrong."""
        weight = {"open": 1.0, "verified": 0.6, "mended": 0.4}.get(self.standing, 0.0)
        chance = 0.5 if self.probability is None else self.probability
        worst = 2.0 * bool(self.again) + weight + chance + 2.0 * (self.scope == "label")
        return (-worst, self.case_id, self.class_id, -self.round)

    def plain(self) -> dict[str, Any]:
        """As plain data, with the names of kind and mending."""
        return {**asdict(self), "kind_name": KINDS[self.kind].name}


@dataclass(frozen=True)
class Prices:
    """What people's time is reckoned with, in minutes.

    Attributes:
        look: to confirm, accept or remove; ScaleMAI (arXiv:2501.03410) A.3: 5 s.
        draw: class to the time to draw it by hand.
        draw_other: the same for other classes.
    """

    look: float = 5.0 / 60.0
    draw: Mapping[str, float] = field(default_factory=dict)
    draw_other: float = 25.6  # mean of AbdomenAtlas-8K's table 4


@dataclass(frozen=True)
class Past:
    """What the catalog knows of one scan that has to do with label errors.

    Attributes:
        source: data set.
        patient: keyed hash.
        decisions: on its labels, in any order.
        labels: versions that the decisions name and those that these were made from, by id.
        models: id to name.
        judge_seconds: round to processor seconds of the judge for each label that it looked at.
    """

    case_id: str
    source: str
    patient: str
    decisions: Sequence[Decision]
    labels: Mapping[str, Label]
    models: Mapping[str, str] = field(default_factory=dict)
    judge_seconds: Mapping[int, float] = field(default_factory=dict)
