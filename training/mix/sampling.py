"""What a step trains on: kind by the data mix, class by need, case, and place.

Every draw comes from a generator seeded by (seed, step, position in the batch), so that a resumed
run draws what an undisturbed one draws. What the sampler has learnt (losses by place, Dice by
class, what the memory of later rounds needs) is its state and goes into the checkpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.config import TrainingConfig
from training.data.cases import PreparedCase
from training.mix.hardness import LossMap
from training.mix.schedule import KINDS, Kind, Plan, shares_at
from training.replay.memory import Memory

LEARNT = ("labelled", "selective", "replay")  # kinds whose loss says how hard a case is
BEYOND = 0.1  # of its sides that a patch may leave the scan
NEED_FLOOR = 0.15  # a class that is learnt perfectly is still drawn
CANDIDATES = 8  # places of a class among which its hardest is looked for


@dataclass(frozen=True)
class Draw:
    """One sample to be cut: where, and as what; once cut, with how many synthetic tumours."""

    kind: Kind
    case: int
    centre: tuple[float, float, float]
    class_index: int  # -1: drawn without a class
    grown: int = 0


@dataclass(frozen=True)
class Pools:
    """What there is to draw from.

    Attributes:
        mix: number of labelled cases of this round, the first ones.
        memory: number of cases of earlier rounds, right behind them; cases behind these are drawn
            in annealing only.
        raw: number of scans without labels.
        tumours: (case, lesion class) pairs for synthetic tumours, by position.
    """

    mix: int
    memory: int = 0
    raw: int = 0
    tumours: Sequence[tuple[int, int]] = ()


class Sampler:
    """Draws samples; told how they went.

    Args:
        cases: labelled ones, in the order of `pools`.
        plan: of the run: it says when the mix moves over to which best cases.
        config: of the training.
        seed: of the run.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        pools: Pools,
        plan: Plan,
        config: TrainingConfig,
        seed: int,
    ) -> None:
        self._cases, self._pools, self._plan = cases, pools, plan
        self._config, self._seed = config, seed
        self._mix = range(pools.mix)
        self._memory = range(pools.mix, pools.mix + pools.memory)
        self._members: dict[tuple[int, ...], list[list[int]]] = {}
        self._there: dict[Kind, bool] = {
            "labelled": True,
            "selective": True,
            "unlabeled": pools.raw > 0,
            "synthetic": bool(pools.tumours),
            "replay": pools.memory > 0,
        }
        self.losses = LossMap(pools.mix, config.selective)
        self.dice = np.zeros(len(cases[0].known), dtype=np.float64)
        self.grown = np.zeros(len(cases[0].known), dtype=np.int64)  # synthetic tumours
        known = [case.case_id for case in cases[: pools.mix + pools.memory]]
        self.memory = Memory([*known[pools.mix :], *known[: pools.mix]])

    def generator(self, step: int, position: int) -> np.random.Generator:
        """The random numbers of one sample."""
        return np.random.default_rng([self._seed & 0xFFFFFFFF, step, position])

    def shares(self, step: int) -> npt.NDArray[np.float64]:
        """Share of each of `KINDS` in the samples of a step."""
        return shares_at(step, self._plan, self._config, self._there)

    def has_labels(self) -> bool:
        """Whether any step has samples with labels: without them no class is learnt."""
        plan = self._plan
        first = round(self._config.pretrain_share * plan.steps)
        steps = {min(first, plan.steps - 1), max(0, plan.anneal_from - 1), plan.steps - 1}
        unlabeled = KINDS.index("unlabeled")
        return any(self.shares(step)[unlabeled] < 1 for step in steps)

    def draw(self, generator: np.random.Generator, step: int) -> Draw:
        """One sample of a step."""
        kind = KINDS[int(generator.choice(len(KINDS), p=self.shares(step)))]
        if kind == "unlabeled":
            return Draw("unlabeled", int(generator.integers(self._pools.raw)), (-1, -1, -1), -1)
        if kind == "synthetic":
            tumours = self._pools.tumours
            case, class_index = tumours[int(generator.integers(len(tumours)))]
            return Draw("synthetic", case, (-1, -1, -1), class_index)
        if kind == "gold":
            return self._labelled(generator, self._plan.anneal_cases, kind)
        if kind == "replay":
            return self._labelled(generator, self._memory, kind)
        if kind == "selective" and self.losses.is_known:
            return self._selective(generator)
        return self._labelled(generator, self._mix, "labelled")

    def class_shares(self, step: int) -> npt.NDArray[np.float64]:
        """Expected share of a step's samples that are drawn for each class, ``(classes,)``.

        Places that are drawn for no class in particular show classes too; they are not counted,
        so that this is what a class has at the least.
        """
        share = dict(zip(KINDS, self.shares(step), strict=True))
        if not self.losses.is_known:
            share["labelled"] += share["selective"]
            share["selective"] = 0.0
        foreground = self._config.foreground
        found: npt.NDArray[np.float64] = foreground * share["labelled"] * self._need(self._mix)
        found += foreground * share["replay"] * self._need(self._memory)
        found += foreground * share["gold"] * self._need(self._plan.anneal_cases)
        present = self._present(self._mix)
        found += share["selective"] * self._config.selective.by_class * _even(present)
        for _, class_index in self._pools.tumours:
            found[class_index] += share["synthetic"] / len(self._pools.tumours)
        return found

    def learn(
        self,
        draws: Sequence[Draw],
        losses: Sequence[float],
        features: npt.NDArray[np.floating[Any]] | None = None,
    ) -> None:
        """Note the loss of each labelled sample at its place, and what the memory needs.

        Args:
            losses: per sample; one that is no number says nothing.
            features: ``(samples, features)``; None: the memory compares no features.
        """
        for position, (draw, loss) in enumerate(zip(draws, losses, strict=True)):
            if draw.grown:
                self.grown[draw.class_index] += draw.grown
            if draw.kind not in LEARNT or not np.isfinite(loss):
                continue
            case = self._cases[draw.case]
            feature = None if features is None else features[position]
            self.memory.observe(case.case_id, loss, feature)
            if draw.case in self._mix:
                self.losses.learn(draw.case, draw.centre, case.image.shape, loss)

    def learn_dice(self, dice: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]) -> None:
        """Note how well each class that was in the batch went."""
        self.dice = np.where(seen, 0.95 * self.dice + 0.05 * dice, self.dice)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {
            "losses": self.losses.state(),
            "dice": self.dice.copy(),
            "grown": self.grown.copy(),
            "memory": self.memory.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a checkpoint's state."""
        self.losses.restore(state["losses"])
        self.dice, self.grown = state["dice"].copy(), state["grown"].copy()
        self.memory.load_state_dict(state["memory"])

    def _labelled(self, generator: np.random.Generator, among: Sequence[int], kind: Kind) -> Draw:
        need = self._need(among)
        if generator.random() >= self._config.foreground or not need.any():
            case = among[int(generator.integers(len(among)))]
            centre = generator.random(3) * (np.array(self._cases[case].image.shape) - 1)
            return Draw(kind, case, self._inside(case, centre), -1)
        class_index = int(generator.choice(len(need), p=need))
        return self._around(generator, among, class_index, kind)

    def _around(
        self, generator: np.random.Generator, among: Sequence[int], class_index: int, kind: Kind
    ) -> Draw:
        """A place around a voxel of a class, in any case that has it."""
        members = self._by_class(among)[class_index]
        case = members[int(generator.integers(len(members)))]
        voxels = self._cases[case].centres[class_index]
        centre = voxels[int(generator.integers(len(voxels)))].astype(float)
        jitter = generator.uniform(-0.3, 0.3, 3) * self._config.patch
        return Draw(kind, case, self._inside(case, centre + jitter), class_index)

    def _selective(self, generator: np.random.Generator) -> Draw:
        """A hard place: of a class in turn, or anywhere."""
        present = self._present(self._mix)
        if generator.random() < self._config.selective.by_class and present.any():
            class_index = int(generator.choice(len(present), p=_even(present)))
            places = [
                self._around(generator, self._mix, class_index, "selective")
                for _ in range(CANDIDATES)
            ]
            weights = np.array([self._hardness(place) for place in places])
            return places[int(generator.choice(CANDIDATES, p=weights / weights.sum()))]
        case, part = self.losses.draw(generator)
        centre = part * np.array(self._cases[case].image.shape) - 0.5
        return Draw("selective", case, self._inside(case, centre), -1)

    def _hardness(self, draw: Draw) -> float:
        return self.losses.at(draw.case, draw.centre, self._cases[draw.case].image.shape)

    def _need(self, among: Sequence[int]) -> npt.NDArray[np.float64]:
        """Probability of each class: the less of it is learnt, the more; never 0 if it is there."""
        if not len(among):
            return np.zeros(len(self.dice))
        need: npt.NDArray[np.float64] = (NEED_FLOOR + 1 - self.dice) * self._present(among)
        total = need.sum()
        return need / total if total else need

    def _present(self, among: Sequence[int]) -> npt.NDArray[np.bool_]:
        return np.array([bool(cases) for cases in self._by_class(among)])

    def _by_class(self, among: Sequence[int]) -> list[list[int]]:
        """The cases, of those given, that have foreground of each class."""
        key = (among[0], len(among)) if isinstance(among, range) and among else tuple(among)
        if key not in self._members:
            classes = range(len(self.dice))
            self._members[key] = [
                [n for n in among if len(self._cases[n].centres[c])] for c in classes
            ]
        return self._members[key]

    def _inside(self, case: int, centre: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        """Moved so that the patch leaves the scan by little more than it must: prediction's windows
        do not leave it, and what lies outside teaches nothing."""
        shape, patch = np.array(self._cases[case].image.shape), np.array(self._config.patch)
        middle, half = (shape - 1) / 2, (patch - 1) / 2
        first = np.minimum(half, middle) - BEYOND * patch
        last = np.maximum(shape - 1 - half, middle) + BEYOND * patch
        return _triple(np.clip(centre, first, last))


def _even(present: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    even: npt.NDArray[np.float64] = present / max(1, int(present.sum()))
    return even


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
