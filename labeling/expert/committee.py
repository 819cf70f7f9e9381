"""The committee: all that is known of two labels, joined into one probability.

Votes are numbers, most of them log-odds: what the anatomy judge and the vision judge say of the
candidates, how far the models agree with each, and what detection's witnesses (test-on-training
among them) say of the label. Their weights as written give what the anatomy judge and detection
say, plus the vision judge's vote where there is one; reviewed decisions move them
(`labeling.expert.learning`, `labeling.expert.reviewed`).

Two questions: is the candidate better than the label, and is the label wrong?
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.expert.case import CaseJudge, JudgedCase, judge_of
from labeling.expert.judge import AnatomyJudge, chance_of, preferred
from labeling.expert.learning import Prior, Votes, Weights, written
from labeling.expert.support import Support
from labeling.expert.tot import combine
from labeling.structures import Structure, dice
from labeling.vision.protocol import Play
from voxcurate.protocols import Verdict
from voxcurate.volume import Volume

MOST = 12.0  # log-odds that one vote can have
BOTH_BAD = 1.0  # log-odds that a label is wrong if the model calls all candidates bad
# Values as written give the anatomy judge's and detection's own chances. Scales let some tens of
# answers shift and stretch those (they are too sure of what they ask people about) and only
# hundreds change which votes count: wider ones ranked worse on patients not learned from
# (benchmarks.label_errors.learning).
PRIORS: Mapping[str, Mapping[str, Prior]] = {
    # is the candidate better than the label?
    "better": {
        "bias": Prior(0.0, 1.0),
        "anatomy": Prior(1.0, 0.3),
        "vision": Prior(1.0, 0.3),
        "models": Prior(0.0, 0.2),
        "detection": Prior(0.0, 0.05),
        "rules": Prior(0.0, 0.1),
        "step": Prior(0.0, 0.2),
        "alike": Prior(0.0, 0.1),
    },
    # is the label wrong?
    "wrong": {
        "bias": Prior(0.0, 1.0),
        "detection": Prior(1.0, 0.2),
        "tot": Prior(0.0, 0.1),
        "rules": Prior(0.0, 0.1),
        "shape": Prior(0.0, 0.1),
        "anatomy": Prior(0.0, 0.03),
        "vision": Prior(0.5, 0.3),
        "models": Prior(0.0, 0.2),
    },
}
AS_WRITTEN: Mapping[str, Weights] = {head: written(prior) for head, prior in PRIORS.items()}


class CommitteeJudge:
    """A `LabelJudge` that joins the votes on each candidate; what nobody says does not count.

    Args:
        anatomy: the judge without a network.
        vision: the judge with one, if there is one.
        weights: of the votes, by question; default: as written.
        parts: class to what detection's witnesses say of its label.
    """

    name = "committee"
    version = "1"

    def __init__(
        self,
        anatomy: AnatomyJudge,
        *,
        vision: CaseJudge | None = None,
        weights: Mapping[str, Weights] | None = None,
        parts: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        self.anatomy = anatomy
        self.vision = vision
        self.weights = {**AS_WRITTEN, **(weights or {})}
        self.parts = dict(parts or {})

    @classmethod
    def of_case(cls, case: JudgedCase) -> "CommitteeJudge":
        """The committee of one case; the vision judge sits in it if there is an engine."""
        vision = judge_of(case, "vision") if case.engine is not None else None
        anatomy = AnatomyJudge.of_case(case)
        return cls(anatomy, vision=vision, weights=case.weights, parts=case.parts)

    def judge(
        self, volume: Volume, class_id: str, candidates: Sequence[npt.NDArray[np.bool_]]
    ) -> Verdict:
        """The candidate that wins, or None for "cannot tell"; the rules are `AnatomyJudge`'s, the
        log-odds those of all votes."""
        found = [Structure.of(class_id, mask, volume.affine) for mask in candidates]
        return self.judge_all(volume, {class_id: found})[class_id]

    def judge_all(
        self, volume: Volume, candidates: Mapping[str, Sequence[Structure]]
    ) -> dict[str, Verdict]:
        """As `judge`, of several classes, for structures."""
        seen = self.vision.judge_all(volume, candidates) if self.vision else {}
        return self._all(volume, candidates, seen)

    def asking(
        self, volume: Volume, candidates: Mapping[str, Sequence[Structure]]
    ) -> Play[dict[str, Verdict]]:
        """As `judge_all`; who runs it sends the requests."""
        seen: Mapping[str, Verdict] = {}
        if self.vision:
            seen = yield from self.vision.asking(volume, candidates)
        return self._all(volume, candidates, seen)

    def _all(
        self,
        volume: Volume,
        candidates: Mapping[str, Sequence[Structure]],
        seen: Mapping[str, Verdict],
    ) -> dict[str, Verdict]:
        return {c: self._joined(volume, c, found, seen.get(c)) for c, found in candidates.items()}

    def _joined(
        self, volume: Volume, class_id: str, found: Sequence[Structure], seen: Verdict | None
    ) -> Verdict:
        marks = self.anatomy.marks(volume, class_id, found)
        plain = [m.plain() for m in marks]
        support, parts = self.anatomy.supports.get(class_id), self.parts.get(class_id)
        scores = []
        for n in range(len(found)):
            votes = better_votes(plain, found, n, support=support, seen=seen, parts=parts)
            lead = marks[n].score - marks[0].score
            beyond = self.weights["better"].values["anatomy"] * (lead - votes["anatomy"])
            scores.append(self.weights["better"].log_odds(votes) + beyond if n else 0.0)
        verdict = preferred(scores, marks, found, self.anatomy.config)
        if seen is not None:
            told = {"choice": seen.choice, "confidence": seen.confidence, "reason": seen.reason}
            more = {**verdict.evidence, "vision": {**told, **seen.evidence}}
            verdict = replace(verdict, evidence=more)
        return verdict


def better_votes(
    marks: Sequence[Mapping[str, Any]],
    candidates: Sequence[Structure],
    n: int,
    *,
    support: Support | None,
    seen: Verdict | None,
    parts: Mapping[str, float] | None,
) -> dict[str, float]:
    """Votes on whether candidate `n` is better than the label, which is candidate 0.

    Args:
        marks: the anatomy judge's, as plain data.
        candidates: the structures.
        n: of the candidate.
        support: the models' probabilities of the class.
        seen: the vision judge's verdict on all candidates.
        parts: what detection's witnesses say of the label.
    """
    label, candidate = candidates[0], candidates[n]
    return _rounded(
        anatomy=_bounded(marks[n]["score"] - marks[0]["score"]),
        vision=_seen(seen, n),
        models=support.agreement(candidate) - support.agreement(label) if support else 0.0,
        detection=_log_odds(combine(parts)) if parts else 0.0,
        rules=marks[0]["weight"] - marks[n]["weight"],
        step=_difference(marks[n]["step"], marks[0]["step"]),
        alike=dice(label, candidate) or 0.0,
    )


def wrong_votes(
    better: Votes, *, seen: Verdict | None, parts: Mapping[str, float]
) -> dict[str, float]:
    """Votes on whether the label is wrong.

    Args:
        better: the votes on the candidate that would take its place.
        seen: the vision judge's verdict.
        parts: what detection's witnesses say of the label.
    """
    models = {k: p for k, p in parts.items() if k not in ("rules", "shape")}
    against = 0.0
    if seen is not None:
        told = _log_odds(seen.confidence)
        against = told if seen.choice else -told
        if seen.choice is None:
            against = BOTH_BAD if seen.evidence.get("both_bad") else 0.0
    return _rounded(
        detection=_log_odds(combine(parts)),
        tot=combine(models),
        rules=parts.get("rules", 0.0),
        shape=parts.get("shape", 0.0),
        anatomy=better["anatomy"],
        vision=against,
        models=better["models"],
    )


def statement(
    weights: Mapping[str, Weights],
    better: Votes,
    wrong: Votes | None,
) -> dict[str, Any]:
    """What a decision keeps of the committee: votes, both probabilities, and on how many reviewed
    decisions they rest. Kept whoever judges, so that there is something to learn from."""
    chances = {"better": chance_of(weights["better"].log_odds(better))}
    votes = {"better": dict(better)}
    if wrong is not None:
        chances["wrong"] = chance_of(weights["wrong"].log_odds(wrong))
        votes["wrong"] = dict(wrong)
    return {
        **{head: round(p, 4) for head, p in chances.items()},
        "votes": votes,
        "learned_from": {head: weights[head].n for head in chances},
    }


def seen_of(verdict: Verdict) -> Verdict | None:
    """The vision judge's part of a verdict, its own or the committee's; None if it had none."""
    told = verdict.evidence.get("vision")
    if told is not None:
        return Verdict(told["choice"], told["confidence"], told["reason"], told)
    return verdict if "comparisons" in verdict.evidence else None


def _seen(seen: Verdict | None, n: int) -> float:
    """The vision judge's vote: for the candidate that it chose, and against all others if that is
    the label."""
    if seen is None or seen.choice is None or not n:
        return 0.0
    if seen.choice == 0:
        return -_log_odds(seen.confidence)
    return _log_odds(seen.confidence) if seen.choice == n else 0.0


def _difference(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else one - other


def _log_odds(chance: float) -> float:
    safe = min(max(chance, 1e-9), 1.0 - 1e-9)
    return _bounded(float(np.log(safe / (1.0 - safe))))


def _bounded(vote: float) -> float:
    return float(np.clip(vote, -MOST, MOST))


def _rounded(**votes: float) -> dict[str, float]:
    return {name: round(float(vote), 4) for name, vote in votes.items()}
