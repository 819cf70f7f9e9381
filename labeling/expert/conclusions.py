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
from labeling.expert.removed import Gone
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
    candidates, which must be better by what models have to be for both. Where only one of them is
    to be exchanged, both sides would have the same label: the best other candidate is taken if it
    is better than the label, else nobody can tell.

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
    for class_id, answer in list(found.items()):
        other = found.get(pairs.get(class_id, ""))
        if _is_exchanged(answer) and not (other and _is_exchanged(other)):
            found[class_id] = _not_exchanged(answer, config)
    return found


def _is_exchanged(answer: Answer) -> bool:
    choice = answer.verdict.choice
    return bool(choice) and answer.entries[choice or 0][0] == EXCHANGED


def _not_exchanged(answer: Answer, config: JudgeConfig) -> Answer:
    """The best candidate but the exchange; none where that is not better than the label, or this
    judge gives no scores."""
    why = "the other side is not exchanged"
    rest = [n for n, (name, _) in enumerate(answer.entries) if name != EXCHANGED]
    if answer.scores:
        best = max(rest, key=lambda n: answer.scores[n])
        if best and answer.scores[best] - answer.scores[0] >= config.margin:
            return answer.choosing(best, why)
    reason = f"{why}; {answer.verdict.reason}"
    return replace(answer, verdict=Verdict(None, 0.5, reason, answer.verdict.evidence))


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
    judge: JudgeConfig,
    row: Mapping[str, Any],
    old: Label,
    suspicion: Suspicion | None,
    *,
    is_lesion: bool = False,
) -> tuple[str, bool]:
    """What follows from the judge's choice, and whether the label goes with nothing in its place.

    Nothing is mended where the judge cannot tell, or a model that was asked calls all candidates
    bad. A suspect label that had nothing to be compared with is not kept for that, nor is one that
    is surely wrong and unusual because the candidates are worse: people look at it.

    A person's drawing (origin original, where `auto_mend` names it) is replaced only if the
    detection is sure too and the winner is itself usual and unbroken. It is removed only if the
    models and another kind of witness are each sure that it is wrong. A person's drawing of a
    lesion is neither: what is usual says nothing of lesions, and models overlook small ones.

    Args:
        judge: how sure one has to be.
        row: the answer, see `labeling.expert.consult`.
        old: the label in question.
        suspicion: detection's; None: it is not suspect.
        is_lesion: whether the class is one.
    """
    choice = row["choice"]
    if row["evidence"].get("alike"):
        return "keep", False
    if is_both_bad(row["evidence"]):
        return "to_review", False
    if choice == 0:
        return ("to_review" if suspicion and _is_bad(judge, row, suspicion) else "keep"), False
    is_better = choice is not None and row["confidence"] >= judge.mend_confidence
    if choice is not None and not is_better:
        agreement = row["dsc_with_first"][choice]
        if agreement is None or agreement >= judge.similar_dsc:
            return "keep", False
    if choice is None or old.origin not in judge.auto_mend or old.gold or old.confirmed:
        return "to_review", False
    is_empty = bool(choice) and row["file"].voxels == 0
    if old.origin in MACHINE:
        return ("remove" if is_empty else "replace") if is_better else "to_review", False
    if is_lesion or _chance(row, suspicion) < judge.mend_probability:
        return "to_review", False
    sure = sure_witnesses(suspicion.parts, judge.sure) if suspicion else set()
    if is_better and not is_empty and is_usual(row["evidence"]["marks"][choice], judge):
        return "replace", False
    # of the witnesses only the models have looked for the structure itself
    if "models" not in sure or len(sure) < SURE or old.voxels == 0 or _is_predicted(row):
        return "to_review", False
    is_absent = is_better and is_empty and row["evidence"]["marks"][choice]["in_view"] is False
    return "remove", not is_absent


def together(
    rows: Mapping[str, Mapping[str, Any]],
    verdicts: Mapping[str, tuple[str, bool]],
    pairs: Mapping[str, str],
) -> dict[str, tuple[str, bool]]:
    """Verdicts in which two sides are exchanged both or neither: where one of them may not be,
    people exchange them.

    Args:
        rows: the answers, by class.
        verdicts: `verdict_of` each.
        pairs: class to that of the other side; empty for none.
    """
    found = dict(verdicts)
    for class_id, row in rows.items():
        is_exchange = row["choice"] and row["names"][row["choice"]] == EXCHANGED
        other = verdicts.get(pairs.get(class_id, ""), ("", False))
        if is_exchange and verdicts[class_id][0] == "replace" and other[0] != "replace":
            found[class_id] = ("to_review", False)
    return found


def after_surgery(verdict: tuple[str, bool], old: Label, gone: Gone) -> tuple[str, bool]:
    """The verdict on an empty label of what a report calls removed: where all of it is surely gone
    the label is right, else people look before it is filled."""
    if old.voxels:
        return verdict
    if gone.is_whole:
        return "keep", False
    return ("to_review" if verdict[0] == "replace" else verdict[0]), verdict[1]


def is_both_bad(evidence: Mapping[str, Any]) -> bool:
    """Whether a model that was asked, alone or in the committee, calls all candidates bad."""
    return bool(evidence.get("both_bad") or evidence.get("vision", {}).get("both_bad"))


def _is_bad(judge: JudgeConfig, row: Mapping[str, Any], suspicion: Suspicion) -> bool:
    """Whether a suspect label that the judge prefers was alone, or is surely wrong and unusual."""
    is_sure = _chance(row, suspicion) >= judge.mend_probability
    is_alone = len(row["names"]) == 1
    return is_alone or (is_sure and not is_usual(row["evidence"]["marks"][0], judge))


def _chance(row: Mapping[str, Any], suspicion: Suspicion | None) -> float:
    """The chance that the label is wrong: the committee's if it judged, else detection's."""
    chance = suspicion.probability if suspicion else 0.0
    if row.get("is_committee"):
        chance = float(row["evidence"].get("committee", {}).get("wrong", chance))
    return chance


def _is_predicted(row: Mapping[str, Any]) -> bool:
    """Whether the models find something of the label."""
    scores = zip(row["names"], row["dsc_with_first"], strict=True)
    return any(name == FUSED and (dsc or 0.0) >= UNTOUCHED for name, dsc in scores)
