"""From what a judge says of candidates to what becomes of a label.

A repair of what a person drew comes before a model's mask unless that is clearly better, two sides
are exchanged together or not at all, and what follows for the label depends on how sure the
detection and the judge are, and on who drew it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from labeling.config import JudgeConfig
from labeling.expert.repairs import EXCHANGED, is_drawn
from labeling.expert.suspicion import Suspicion, sure_witnesses
from labeling.structures import Structure
from voxcurate.catalog import Label
from voxcurate.protocols import Verdict

MACHINE = ("pseudo", "judged")
FUSED = "ensemble"
SURE = 2  # witnesses of different kinds that must be sure before a person's drawing is removed
UNTOUCHED = 0.1  # Dice below which a prediction finds nothing of a label


@dataclass(frozen=True, eq=False)
class Answer:
    """What the judge says of one class's named candidates; the first is the label in question."""

    class_id: str
    entries: Sequence[tuple[str, Structure]]
    verdict: Verdict

    @property
    def scores(self) -> list[float]:
        """The log-odds of the candidates; empty if this judge gives none."""
        return [float(score) for score in self.verdict.evidence.get("scores", ())]

    @property
    def marks(self) -> Sequence[Mapping[str, Any]]:
        """What the anatomy says of each candidate, whoever judged."""
        found: Sequence[Mapping[str, Any]] = self.verdict.evidence["marks"]
        return found

    def choosing(self, n: int, why: str) -> "Answer":
        """The same with another choice than the judge's."""
        lead = self.scores[n] - self.scores[0]
        confidence = round(float(1 / (1 + np.exp(-np.clip(lead, -50.0, 50.0)))), 4)
        verdict = self.verdict
        made = Verdict(n, confidence, f"{why}; {verdict.reason}", verdict.evidence)
        return replace(self, verdict=made)


def drawn_first(answer: Answer, config: JudgeConfig) -> Answer:
    """The best repair of what was drawn, where the judge prefers a model's mask but is not sure
    (`mend_confidence`) that it is better than that repair."""
    choice, scores = answer.verdict.choice, answer.scores
    if not choice or not scores or is_drawn(answer.entries[choice][0]):
        return answer
    found = [
        n
        for n, (name, s) in enumerate(answer.entries)
        if is_drawn(name)
        and not s.is_empty
        and scores[choice] - scores[n] < slack_of(config)
        and is_usual(answer.marks[n], config)
        and scores[n] - scores[0] >= slack_of(config)
    ]
    if not found:
        return answer
    return answer.choosing(max(found, key=lambda n: scores[n]), "keeps what was drawn")


def exchanged_together(
    answers: Mapping[str, Answer], pairs: Mapping[str, str], config: JudgeConfig
) -> dict[str, Answer]:
    """Answers in which the sides of a pair are exchanged both or neither.

    A swap is one error of two labels: their exchanges are weighed together against the best other
    candidates, which must be better by what models have to be for both.

    Args:
        answers: by class.
        pairs: class to that of the other side; empty for none.
        config: how sure one has to be.
    """
    found = dict(answers)
    for one, two in pairs.items():
        if one >= two or two not in answers:
            continue
        both = [answers[one], answers[two]]
        at = [_exchange_of(answer) for answer in both]
        if not all(n is not None and _mends(a, n, config) for a, n in zip(both, at, strict=True)):
            continue
        behind = sum(max(a.scores) - a.scores[n or 0] for a, n in zip(both, at, strict=True))
        if behind < len(both) * slack_of(config):
            for answer, n in zip(both, at, strict=True):
                found[answer.class_id] = answer.choosing(n or 0, "the sides are exchanged")
    return found


def _exchange_of(answer: Answer) -> int | None:
    names = [name for name, _ in answer.entries]
    return names.index(EXCHANGED) if EXCHANGED in names and answer.scores else None


def _mends(answer: Answer, n: int, config: JudgeConfig) -> bool:
    is_better = answer.scores[n] - answer.scores[0] >= slack_of(config)
    return is_better and is_usual(answer.marks[n], config)


def slack_of(config: JudgeConfig) -> float:
    """The log-odds of `mend_confidence`."""
    limit = min(config.mend_confidence, 1.0 - 1e-6)
    return float(np.log(limit / (1.0 - limit)))


def is_usual(mark: Mapping[str, Any], config: JudgeConfig) -> bool:
    """Whether a candidate may take a person's drawing's place: usual, and not much broken."""
    is_whole = float(mark["weight"]) <= config.usual_weight
    return is_whole and (mark["oddity"] or 0.0) <= config.usual_oddity


def verdict_of(
    judge: JudgeConfig, row: Mapping[str, Any], old: Label, suspicion: Suspicion | None
) -> tuple[str, bool]:
    """What follows from the judge's choice, and whether the label goes with nothing in its place.

    A person's drawing (origin original, where `auto_mend` names it) is replaced only if the
    detection is sure too and the winner is itself usual and unbroken. It is removed only if the
    models and another kind of witness are each sure that it is wrong.
    """
    choice = row["choice"]
    if choice == 0 or row["evidence"].get("alike"):
        return "keep", False
    is_better = choice is not None and row["confidence"] >= judge.mend_confidence
    if choice is not None and not is_better:
        agreement = row["dsc_with_first"][choice]
        if agreement is None or agreement >= judge.similar_dsc:
            return "keep", False
    if old.origin not in judge.auto_mend or old.gold or old.confirmed:
        return "to_review", False
    is_empty = bool(choice) and row["file"].voxels == 0
    if old.origin in MACHINE:
        return ("remove" if is_empty else "replace") if is_better else "to_review", False
    chance = suspicion.probability if suspicion else 0.0
    if row.get("is_committee"):
        chance = row["evidence"].get("committee", {}).get("wrong", chance)
    if chance < judge.mend_probability:
        return "to_review", False
    sure = sure_witnesses(suspicion.parts, judge.sure) if suspicion else set()
    if is_better and not is_empty and is_usual(row["evidence"]["marks"][choice], judge):
        return "replace", False
    # of the witnesses only the models have looked for the structure itself
    if "models" not in sure or len(sure) < SURE or old.voxels == 0 or _is_predicted(row):
        return "to_review", False
    is_absent = is_better and is_empty and row["evidence"]["marks"][choice]["in_view"] is False
    return "remove", not is_absent


def _is_predicted(row: Mapping[str, Any]) -> bool:
    """Whether the models find something of the label."""
    scores = zip(row["names"], row["dsc_with_first"], strict=True)
    return any(name == FUSED and (dsc or 0.0) >= UNTOUCHED for name, dsc in scores)
