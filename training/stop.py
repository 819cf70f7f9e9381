"""When rounds stop: each reason is said, and none is a feeling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.config import StopConfig

NEEDS_NO_REVISION = ("keep", "confirm")


@dataclass(frozen=True)
class RoundFacts:
    """What the decision to stop looks at.

    Attributes:
        number: of the round, from 1.
        top_verdicts: verdicts on the top of the priority list, most urgent first.
        agreement: mean DSC per class between people's or models' masks and the current labels.
        inter_annotator: DSC of two people per class, where known.
        gain: mean paired DSC difference against the last round; None in the first.
        noise: half width of its confidence interval.
        budget_left: items that may still be judged or reviewed; None without a limit.
    """

    number: int
    top_verdicts: Sequence[str] = ()
    agreement: Mapping[str, float] | None = None
    inter_annotator: Mapping[str, float] | None = None
    gain: float | None = None
    noise: float = 0.0
    budget_left: int | None = None


def stop_reason(facts: RoundFacts, config: StopConfig) -> str:
    """Why to stop after this round; empty to go on.

    In this order: the budget is spent; the rounds are used up; the top of the priority list needs
    no revision (AbdomenAtlas); every class with a known inter-annotator DSC has reached it; the
    gain is neither worth a round nor above its noise.
    """
    if facts.budget_left is not None and facts.budget_left <= 0:
        return "the budget is spent"
    if facts.number >= config.max_rounds:
        return f"round {facts.number} of at most {config.max_rounds}"
    top = list(facts.top_verdicts)[: config.top]
    if len(top) == config.top and all(verdict in NEEDS_NO_REVISION for verdict in top):
        return f"the {len(top)} most urgent labels need no revision"
    if _agrees(facts.agreement or {}, facts.inter_annotator or {}):
        return "the agreement has reached that of two people"
    if facts.gain is not None and facts.gain <= max(config.min_gain, facts.noise):
        return f"a gain of {facts.gain:.4f} DSC is within the noise ({facts.noise:.4f})"
    return ""


def _agrees(agreement: Mapping[str, float], people: Mapping[str, float]) -> bool:
    shared = [class_id for class_id in agreement if class_id in people]
    return bool(shared) and all(agreement[c] >= people[c] for c in shared)
