"""Whether the judge accepts a refined label in the place of the old one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from labeling.refine.config import RefineConfig
from labeling.refine.methods import Refined
from labeling.structures import Structure, dice
from voxcurate.protocols import Verdict
from voxcurate.volume import Volume


class ComparesStructures(Protocol):
    """A judge that takes structures (`labeling.expert.judge.AnatomyJudge` does)."""

    name: str
    version: str

    def compare(
        self, volume: Volume, class_id: str, candidates: Sequence[Structure]
    ) -> Verdict: ...


@dataclass(frozen=True)
class Said:
    """The judge's word on proposals.

    Attributes:
        choice: the one that is to count; None: the label stays.
        confidence: chance that it is better than the label; 0 where the judge does not say so.
        reason: in words.
        evidence: the judge's own, with the candidates' names and their Dice with the label.
    """

    choice: str | None
    confidence: float
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


def choose(
    judge: ComparesStructures, volume: Volume, refined: Refined, config: RefineConfig
) -> Said:
    """Ask the judge: the label defends itself, and stays unless the judge is sure enough.

    Args:
        judge: with what is usual and the scan's other structures.
        volume: the scan.
        refined: the label and the proposals.
        config: how sure the judge must be.
    """
    label, names = refined.label, list(refined.proposals)
    if not names:
        return Said(None, 0.0, "refining does not change the label")
    verdict = judge.compare(volume, label.class_id, [label, *refined.proposals.values()])
    agreement = {n: round(dice(label, s) or 0.0, 4) for n, s in refined.proposals.items()}
    evidence = {**verdict.evidence, "candidates": ["current", *names], "dsc": agreement}
    if not verdict.choice:
        kept = "the judge cannot tell" if verdict.choice is None else "the judge keeps the label"
        return Said(None, 0.0, f"{kept}: {verdict.reason}", evidence)
    wanted = config.confidence_of(label.class_id)
    if verdict.confidence < wanted:
        why = f"better with a chance of {verdict.confidence:.2f}, want {wanted:.2f}"
        return Said(None, verdict.confidence, f"{why}: {verdict.reason}", evidence)
    return Said(names[verdict.choice - 1], verdict.confidence, verdict.reason, evidence)
