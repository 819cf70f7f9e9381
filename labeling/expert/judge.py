"""The Label Expert without a network: shape, place and written anatomy compare candidates.

ScaleMAI (arXiv:2501.03410) section 2.2.2 asks a vision-language model which of two labels fits an
organ's description. `AnatomyJudge` answers from what is usual among trusted labels and, where it
has them, from the models' probabilities at the border; it says "cannot tell" only where all of
that does not tell candidates apart. Stage judge takes every flagged label and every doubtful
pseudo label to the judge; what may not be mended automatically goes to people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.body import BodyFrame, body_frame
from labeling.config import JudgeConfig, LabelingConfig
from labeling.expert.case import JudgedCase
from labeling.expert.features import features, hu_median
from labeling.expert.shape import oddity
from labeling.expert.support import Support
from labeling.expert.suspicion import Usual
from labeling.rules import Anatomy, CaseFacts
from labeling.structures import Structure, dice
from labeling.vision.protocol import Play
from voxcurate.protocols import Verdict
from voxcurate.stage import StageContext, StageResult
from voxcurate.volume import Volume

LARGEST_ODDITY = 6.0  # beyond, a mask is not of this class at all, and no more says how much
CREDIT = 1.3  # of the usual fall of the probability: more speaks for a prediction, not for a label


@dataclass(frozen=True)
class Mark:
    """What the judge thinks of one candidate.

    Differences of scores are log-odds: of two candidates the first is the better one with the
    chance ``1 / (1 + exp(second - first))``. `weight` is the sum of the broken rules' weights,
    `step` what `labeling.expert.support.Support.step` says.
    """

    score: float
    oddity: float | None
    violations: tuple[str, ...] = ()
    oddities: Mapping[str, float] = field(default_factory=dict)
    in_view: bool | None = None
    weight: float = 0.0
    step: float | None = None

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "score": round(self.score, 3),
            "oddity": None if self.oddity is None else round(self.oddity, 3),
            "violations": list(self.violations),
            "oddities": dict(self.oddities),
            "in_view": self.in_view,
            "weight": round(self.weight, 3),
            "step": None if self.step is None else round(self.step, 3),
        }


class AnatomyJudge:
    """A `LabelJudge` that knows the usual shape and place of each class.

    A candidate scores ``-oddity^2 / 2`` (see `shape.oddity`) times `oddity_weight`, less
    the weights of the rules it breaks times `violation_cost`, and more by how far the models'
    probability falls across its border times `step_weight`, but for no more than what trusted
    labels get: a prediction fits itself best. The weights were fitted to pairs of a trusted label
    and a wrong copy of it (``benchmarks.label_errors.pairs``), so that scores are log-odds.

    An empty candidate scores `absent_score` where the class should be in view, and 0 where the
    other structures say that it lies outside the scan; there a candidate that is not empty loses
    as much.

    Args:
        usual: profiles and layout from trusted labels.
        anatomy: the written rules.
        config: margins and costs.
        context: the other structures of the scan, for relations and the field of view.
        facts: of the scan, for the rules.
        supports: class to the models' probabilities; without them shape and rules decide.
    """

    name = "anatomy"
    version = "3"

    def __init__(
        self,
        usual: Usual,
        anatomy: Anatomy,
        config: JudgeConfig | None = None,
        *,
        context: Mapping[str, Structure] | None = None,
        facts: CaseFacts | None = None,
        supports: Mapping[str, Support] | None = None,
    ) -> None:
        self.supports = dict(supports or {})
        self.usual = usual
        self.anatomy = anatomy
        self.config = config or JudgeConfig()
        self.context = dict(context or {})
        self.facts = facts or CaseFacts()
        self._frame: tuple[int, BodyFrame] | None = None

    @classmethod
    def of_case(cls, case: JudgedCase) -> "AnatomyJudge":
        """The judge of one case."""
        return cls(
            case.usual, case.anatomy, case.config,
            context=case.context, facts=case.facts, supports=case.supports,
        )  # fmt: skip

    def judge(
        self, volume: Volume, class_id: str, candidates: Sequence[npt.NDArray[np.bool_]]
    ) -> Verdict:
        """The candidate that wins, compared in pairs in their order, or None for "cannot tell".

        The order is a preference: a later candidate must beat the one that leads by the margin,
        which is small: below it nothing is known. If none beats the first but one that differs
        comes within the margin, nobody can tell. If all are alike (DSC at least `similar_dsc` and
        within the margin) the choice is None too, and evidence "alike" is true. The confidence is
        the chance that the choice is better than the first (or the first than the next best).
        """
        found = [Structure.of(class_id, mask, volume.affine) for mask in candidates]
        return self.compare(volume, class_id, found)

    def judge_all(
        self, volume: Volume, candidates: Mapping[str, Sequence[Structure]]
    ) -> dict[str, Verdict]:
        """As `compare`, of several classes."""
        return {c: self.compare(volume, c, found) for c, found in candidates.items()}

    def asking(
        self, volume: Volume, candidates: Mapping[str, Sequence[Structure]]
    ) -> Play[dict[str, Verdict]]:
        """As `judge_all`: no model is asked."""
        yield from ()
        return self.judge_all(volume, candidates)

    def compare(self, volume: Volume, class_id: str, candidates: Sequence[Structure]) -> Verdict:
        """As `judge`, for structures."""
        marks = self.marks(volume, class_id, candidates)
        return preferred([m.score for m in marks], marks, candidates, self.config)

    def marks(self, volume: Volume, class_id: str, candidates: Sequence[Structure]) -> list[Mark]:
        """The candidates' scores."""
        return [self.mark(volume, class_id, s) for s in candidates]

    def mark(self, volume: Volume, class_id: str, s: Structure) -> Mark:
        """Score one candidate."""
        in_view = self.in_view(class_id, volume)
        if s.is_empty:
            return Mark(
                0.0 if in_view is False else self.config.absent_score, None, (), {}, in_view
            )
        config = self.config
        vector = features(s, volume.array, self._body(volume))
        profile = self.usual.profiles.get(class_id)
        others = {c: o.centroid for c, o in self.context.items() if c != class_id}
        place = self.usual.layout.distance(class_id, s.centroid, others)
        odd = oddity(profile.distance(vector) if profile else None, place)
        odd = None if odd is None or not np.isfinite(odd) else odd
        broken = self._broken(volume, class_id, s)
        weight = sum(v.weight for v in broken)
        score = -0.5 * config.oddity_weight * min(1.0 if odd is None else odd, LARGEST_ODDITY) ** 2
        score -= config.violation_cost * weight
        step = self.supports[class_id].step(s) if class_id in self.supports else None
        if step is not None and class_id in self.usual.steps:
            score += config.step_weight * min(step, CREDIT * self.usual.steps[class_id])
        if in_view is False:
            score += config.absent_score
        oddities = profile.oddities(vector) if profile else {}
        texts = tuple(v.text() for v in broken)
        return Mark(score, odd, texts, oddities, in_view, weight, step)

    def _broken(self, volume: Volume, class_id: str, s: Structure) -> list[Any]:
        hu = {**self.facts.hu, class_id: hu_median(s, volume.array)} if self.facts.hu else {}
        body = self._body(volume)
        facts = CaseFacts(hu, body.middle, self.facts.sex, body)
        together = {**self.context, class_id: s}
        return self.anatomy.check(together, facts, about=class_id)

    def in_view(self, class_id: str, volume: Volume) -> bool | None:
        """Whether the class's expected centroid lies in the scan; None if nobody can say."""
        centroids = {
            c: s.centroid for c, s in self.context.items() if c != class_id and not s.is_empty
        }
        place = self.usual.layout.expected(class_id, centroids)
        if place is None:
            return None
        view = self._body(volume).view
        middle, scatter = place
        inside = (middle > view[0] - scatter) & (middle < view[1] + scatter)
        return bool(inside.all())

    def _body(self, volume: Volume) -> BodyFrame:
        if self._frame is None or self._frame[0] != id(volume.array):
            self._frame = (id(volume.array), body_frame(volume.array, volume.affine))
        return self._frame[1]


def preferred(
    scores: Sequence[float],
    marks: Sequence[Mark],
    candidates: Sequence[Structure],
    config: JudgeConfig,
) -> Verdict:
    """The verdict that log-odds give, see `AnatomyJudge.judge`; evidence: scores and marks."""
    evidence: dict[str, Any] = {
        "scores": [round(score, 3) for score in scores],
        "marks": [m.plain() for m in marks],
        "alike": False,
    }
    if not scores:
        return Verdict(None, 0.0, "no candidates", evidence)
    choice = 0
    for n, score in enumerate(scores):
        if score - scores[choice] >= config.margin:
            choice = n
    others = [scores[0]]
    if choice == 0:
        rivals = [n for n in range(1, len(scores)) if scores[0] - scores[n] < config.margin]
        if any(not _are_alike(candidates[0], candidates[n], config) for n in rivals):
            return Verdict(None, 0.5, "the candidates are too close to tell apart", evidence)
        if rivals and len(rivals) == len(scores) - 1:
            evidence["alike"] = True
            return Verdict(None, 0.5, "the candidates are alike", evidence)
        others = [score for n, score in enumerate(scores) if n and n not in rivals]
    lead = scores[choice] - max(others) if others else 0.0
    reason = _reason(marks[choice], lead)
    return Verdict(choice, round(chance_of(lead), 4), reason, evidence)


def chance_of(log_odds: float) -> float:
    """The chance that log-odds stand for."""
    return float(1 / (1 + np.exp(-np.clip(log_odds, -50.0, 50.0))))


def _are_alike(a: Structure, b: Structure, config: JudgeConfig) -> bool:
    agreement = dice(a, b)
    return agreement is None or agreement >= config.similar_dsc


def run(ctx: StageContext, config: LabelingConfig) -> StageResult:
    """Take every flagged label and every doubtful pseudo label to the judge.

    Per (case, class) one Decision of stage "judge": keep, replace, remove, or to_review. A mask
    that the judge prefers becomes a judged Label version. It replaces at once only where the old
    version's origin is in `auto_mend`; an original that is replaced so is retired. Where it may
    not, the decision is to_review and names the proposal.
    """
    from labeling.expert.contest import contest

    return contest(ctx, config)


def _reason(mark: Mark, lead: float) -> str:
    if mark.oddity is None and mark.in_view is False:
        return "the class lies outside the scan"
    broken = f", breaks: {'; '.join(mark.violations)}" if mark.violations else ""
    odd = "no usual shape known" if mark.oddity is None else f"{mark.oddity:.1f} SD from the usual"
    return f"leads the next candidate by {lead:.1f}; {odd}{broken}"
