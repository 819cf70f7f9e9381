"""The phases of a run, and which share of its samples each kind has at a step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from training.config import MixConfig, Share, TrainingConfig

Kind = Literal["labelled", "selective", "unlabeled", "synthetic", "replay", "gold"]
MIXED: tuple[Kind, ...] = ("labelled", "selective", "unlabeled", "synthetic", "replay")
KINDS: tuple[Kind, ...] = (*MIXED, "gold")


@dataclass(frozen=True)
class Plan:
    """The phases of a run: `anneal_from` is the first step of annealing on `anneal_cases` (none:
    no such phase)."""

    steps: int
    anneal_from: int
    anneal_cases: tuple[int, ...] = ()

    def phase(self, step: int) -> Literal["mix", "anneal"]:
        """Which phase a step belongs to."""
        return "anneal" if self.anneal_cases and step >= self.anneal_from else "mix"


def plan_of(steps: int, config: TrainingConfig, anneal_cases: Sequence[int]) -> Plan:
    """The phases for so many steps; without cases to anneal on there is one phase."""
    last = round(steps * config.anneal.share) if anneal_cases else 0
    return Plan(steps, steps - last, tuple(anneal_cases) if last else ())


def shares_at(
    step: int, plan: Plan, config: TrainingConfig, there: Mapping[Kind, bool]
) -> npt.NDArray[np.float64]:
    """The share of each of `KINDS` in the samples of a step; they add up to 1.

    Before annealing each kind's share goes in a straight line from its start to its end, and gold
    has none. In the annealing gold's share grows over the first `ramp` of that phase to `gold`,
    and the others keep their proportions (data annealing, ScaleMAI, section A.4, where the paper
    does not say how the mix moves over).

    The first ``pretrain_share`` of the steps are self-supervision only, where there are scans.

    Args:
        there: kinds that there are samples of; what the others would have goes to ``labelled``.
    """
    if step < round(config.pretrain_share * plan.steps) and there.get("unlabeled", False):
        return np.array([float(kind == "unlabeled") for kind in KINDS])
    mix = _mix(step, plan, config.mix, there)
    gold = gold_share(step, plan, config)
    return np.array([*(mix * (1 - gold)), gold])


def gold_share(step: int, plan: Plan, config: TrainingConfig) -> float:
    """Gold's share of the samples of a step: 0 before annealing."""
    if plan.phase(step) == "mix":
        return 0.0
    ramp = config.anneal.ramp * (plan.steps - plan.anneal_from)
    done = step - plan.anneal_from + 1
    return config.anneal.gold * (min(1.0, done / ramp) if ramp else 1.0)


def _mix(
    step: int, plan: Plan, config: MixConfig, there: Mapping[Kind, bool]
) -> npt.NDArray[np.float64]:
    part = min(1.0, step / max(1, plan.anneal_from - 1))
    asked = np.array([_between(getattr(config, kind), part) for kind in MIXED])
    usable = np.array([there.get(kind, False) for kind in MIXED])
    given = np.where(usable, asked, 0.0)
    given[0] += asked.sum() - given.sum()
    total = given.sum()
    labelled_only = np.eye(len(MIXED))[0]
    shares: npt.NDArray[np.float64] = given / total if total else labelled_only
    return shares


def _between(share: Share, part: float) -> float:
    if isinstance(share, tuple):
        return share[0] + (share[1] - share[0]) * part
    return share
