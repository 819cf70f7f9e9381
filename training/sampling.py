"""What a step trains on: kind by the data mix, class by need, case, and place.

Every draw comes from a generator seeded by (seed, step, position in the batch), so that a resumed
run draws what an undisturbed one draws. What the sampler has learnt (losses by place, Dice by
class) is its state and goes into the checkpoint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from training.cases import PreparedCase
from training.config import TrainingConfig

Kind = Literal["labelled", "selective", "unlabeled", "synthetic"]
KINDS: tuple[Kind, ...] = ("labelled", "selective", "unlabeled", "synthetic")
LEARNT = ("labelled", "selective")  # kinds whose loss says where it is hard
CELLS = 6  # of the loss map, per axis
FORGET = 0.3  # how fast a new loss replaces the old one in its cell
NEED_FLOOR = 0.15  # a class that is learnt perfectly is still drawn


@dataclass(frozen=True)
class Draw:
    """One sample to be cut: where, and as what."""

    kind: Kind
    case: int
    centre: tuple[float, float, float]
    class_index: int  # -1: drawn without a class


class Sampler:
    """Draws samples; told how they went.

    Args:
        cases: labelled ones; those from `n_mix` on are for annealing only.
        n_mix: how many of them belong to the mix.
        raw: how many scans without labels there are.
        tumours: (case, lesion class) pairs for synthetic tumours, by case position.
        config: of the training.
        seed: of the run.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        n_mix: int,
        raw: int,
        tumours: Sequence[tuple[int, int]],
        config: TrainingConfig,
        seed: int,
    ) -> None:
        self._cases, self._raw, self._tumours = cases, raw, tumours
        self._mix = range(n_mix)
        self._config, self._seed = config, seed
        n_classes = len(cases[0].known)
        self._members: dict[tuple[int, ...], list[list[int]]] = {}
        self.losses = np.full((n_mix, CELLS, CELLS, CELLS), np.nan, dtype=np.float32)
        self.dice = np.zeros(n_classes, dtype=np.float64)
        self.shares = self._usable(config)

    def generator(self, step: int, position: int) -> np.random.Generator:
        """The random numbers of one sample."""
        return np.random.default_rng([self._seed & 0xFFFFFFFF, step, position])

    def draw(self, generator: np.random.Generator, among: Sequence[int] | None = None) -> Draw:
        """One sample; `among` limits the labelled cases (annealing) and turns the mix off."""
        if among is not None:
            return self._labelled(generator, among)
        kind = KINDS[int(generator.choice(len(KINDS), p=self.shares))]
        if kind == "unlabeled":
            return Draw("unlabeled", int(generator.integers(self._raw)), (-1, -1, -1), -1)
        if kind == "synthetic":
            case, class_index = self._tumours[int(generator.integers(len(self._tumours)))]
            return Draw("synthetic", case, (-1, -1, -1), class_index)
        if kind == "selective" and np.nansum(self.losses) > 0:
            return self._selective(generator)
        return self._labelled(generator, self._mix)

    def learn(self, draws: Sequence[Draw], losses: Sequence[float]) -> None:
        """Note the loss of each labelled sample at its place."""
        for draw, loss in zip(draws, losses, strict=True):
            if draw.kind in LEARNT and draw.case in self._mix and np.isfinite(loss):
                cell = (draw.case, *self._cell(draw))
                old = self.losses[cell]
                self.losses[cell] = loss if np.isnan(old) else old + FORGET * (loss - old)

    def learn_dice(self, dice: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]) -> None:
        """Note how well each class that was in the batch went."""
        self.dice = np.where(seen, 0.95 * self.dice + 0.05 * dice, self.dice)

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs."""
        return {"losses": self.losses.copy(), "dice": self.dice.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take a checkpoint's state."""
        self.losses, self.dice = state["losses"].copy(), state["dice"].copy()

    def _usable(self, config: TrainingConfig) -> npt.NDArray[np.float64]:
        mix = config.mix
        shares = {
            "labelled": mix.labelled,
            "selective": mix.selective,
            "unlabeled": mix.unlabeled if self._raw else 0.0,
            "synthetic": mix.synthetic if self._tumours else 0.0,
        }
        total = mix.labelled + mix.selective + mix.unlabeled + mix.synthetic
        shares["labelled"] += max(0.0, (total or 1.0) - sum(shares.values()))
        values = np.array([shares[kind] for kind in KINDS])
        normalised: npt.NDArray[np.float64] = values / values.sum()
        return normalised

    def _labelled(self, generator: np.random.Generator, among: Sequence[int]) -> Draw:
        members = self._by_class(among)
        present = np.array([bool(cases) for cases in members])
        if generator.random() >= self._config.foreground or not present.any():
            case = among[int(generator.integers(len(among)))]
            centre = generator.random(3) * (np.array(self._cases[case].image.shape) - 1)
            return Draw("labelled", case, _triple(centre), -1)
        need = (NEED_FLOOR + 1 - self.dice) * present
        class_index = int(generator.choice(len(need), p=need / need.sum()))
        case = members[class_index][int(generator.integers(len(members[class_index])))]
        voxels = self._cases[case].centres[class_index]
        centre = voxels[int(generator.integers(len(voxels)))].astype(float)
        jitter = generator.uniform(-0.3, 0.3, 3) * self._config.patch
        return Draw("labelled", case, self._inside(case, centre + jitter), class_index)

    def _by_class(self, among: Sequence[int]) -> list[list[int]]:
        """The cases, of those given, that have foreground of each class."""
        key = tuple(among)
        if key not in self._members:
            classes = range(len(self.dice))
            self._members[key] = [
                [n for n in among if len(self._cases[n].centres[c])] for c in classes
            ]
        return self._members[key]

    def _selective(self, generator: np.random.Generator) -> Draw:
        flat = np.nan_to_num(self.losses).ravel().astype(np.float64)
        place = int(generator.choice(flat.size, p=flat / flat.sum()))
        case, *cell = np.unravel_index(place, self.losses.shape)
        shape = np.array(self._cases[int(case)].image.shape)
        centre = (np.array(cell) + generator.random(3)) / CELLS * shape - 0.5
        return Draw("selective", int(case), self._inside(int(case), centre), -1)

    def _inside(self, case: int, centre: npt.NDArray[np.float64]) -> tuple[float, float, float]:
        return _triple(np.clip(centre, 0, np.array(self._cases[case].image.shape) - 1.0))

    def _cell(self, draw: Draw) -> tuple[int, int, int]:
        shape = np.array(self._cases[draw.case].image.shape)
        i, j, k = np.clip(np.array(draw.centre) / shape * CELLS, 0, CELLS - 1).astype(int)
        return int(i), int(j), int(k)


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
