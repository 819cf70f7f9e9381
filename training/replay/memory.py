"""Memories of earlier rounds: which cases are kept for replay when not all can be.

The kinds are those of online learning on medical streams (linear, dynamic and selective memory of
the OnlineLearning code, MIT; written anew from their description). A sample is a case: its feature
and its loss are running means over the patches that were drawn from it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

Kind = Literal["full", "linear", "reservoir", "dynamic", "selective"]
KINDS: tuple[Kind, ...] = get_args(Kind)
GAMMA = 0.5  # weight of a case's old feature and loss against its new ones
PROTECTED = 4  # selective: the hardest 1/4 stay
ENOUGH = 2  # similarity decides only among so many times as many seen cases as have to go
ROWS = 2048  # of the similarity matrix at a time
EQUAL = 12  # digits to which likeness is compared: a product of matrices is not quite symmetric
Floats = npt.NDArray[np.float64]


class Memory:
    """Cases in the order in which they arrived, and what was seen of them.

    Args:
        cases: ids, the oldest first; a second mention counts as nothing.
        gamma: weight of the old feature and loss in the running means (Polyak averaging).
    """

    def __init__(self, cases: Sequence[str] = (), *, gamma: float = GAMMA) -> None:
        self.cases = list(dict.fromkeys(cases))
        self.gamma = gamma
        self.features: dict[str, Floats] = {}
        self.losses: dict[str, float] = {}

    def add(self, cases: Sequence[str]) -> None:
        """Take in new cases, behind the old ones."""
        self.cases = list(dict.fromkeys([*self.cases, *cases]))

    def observe(
        self, case_id: str, loss: float, feature: npt.NDArray[np.floating[Any]] | None = None
    ) -> None:
        """Note how a sample of a case went; a feature that is no number, or 0, says nothing."""
        old = self.losses.get(case_id)
        self.losses[case_id] = loss if old is None else self._mean(old, loss)
        if feature is None:
            return
        new = np.asarray(feature, dtype=np.float64).ravel()
        length = float(np.linalg.norm(new))
        if not np.isfinite(length) or length == 0:
            return
        new = new / length
        kept = self.features.get(case_id)
        same = kept is not None and kept.shape == new.shape
        self.features[case_id] = self._mean(kept, new) if same else new

    def trimmed(self, kind: Kind, size: int, *, seed: int = 0) -> list[str]:
        """The cases that stay, oldest first.

        - ``full``: all (ScaleMAI: "the full samples from each task are retained").
        - ``linear``: the latest `size`.
        - ``reservoir``: any `size` of them, each as likely (Vitter 1985).
        - ``dynamic``: one by one the case goes that is most like another; only cases that were
          seen can go, and while these are fewer than twice as many as have to go, the oldest go.
        - ``selective``: the same, but the quarter with the highest loss cannot go.

        Args:
            size: cases that may stay; 0: all.
            seed: of ``reservoir``.
        """
        over = len(self.cases) - size
        if kind == "full" or size <= 0 or over <= 0:
            return list(self.cases)
        if kind == "linear":
            return self.cases[over:]
        if kind == "reservoir":
            chosen = np.random.default_rng(seed).choice(len(self.cases), size, replace=False)
            return [self.cases[n] for n in sorted(chosen.tolist())]
        hard = min(size, len(self.cases) // PROTECTED) if kind == "selective" else 0
        protected = self._hardest(hard)
        return self._without_alike(over, protected)

    def state_dict(self) -> dict[str, Any]:
        """Plain data: JSON can hold it."""
        return {
            "cases": list(self.cases),
            "gamma": self.gamma,
            "losses": dict(self.losses),
            "features": {case: feature.tolist() for case, feature in self.features.items()},
        }

    def only(self, cases: Sequence[str]) -> dict[str, Any]:
        """`state_dict` of some cases; empty if there are none."""
        if not cases:
            return {}
        told = self.state_dict()
        parts = {name: {c: told[name][c] for c in cases if c in told[name]}
                 for name in ("losses", "features")}  # fmt: skip
        return {**told, **parts, "cases": list(cases)}

    def put_before(self, state: Mapping[str, Any]) -> None:
        """Take in older cases (`state_dict`), before those that are here; what is known of these
        stays."""
        older = Memory()
        older.load_state_dict(state)
        self.cases = list(dict.fromkeys([*older.cases, *self.cases]))
        self.losses = {**older.losses, **self.losses}
        self.features = {**older.features, **self.features}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what `state_dict` gave."""
        self.cases, self.gamma = list(state["cases"]), float(state["gamma"])
        self.losses = {case: float(loss) for case, loss in state["losses"].items()}
        self.features = {
            case: np.asarray(feature, dtype=np.float64)
            for case, feature in state["features"].items()
        }

    def _mean(self, old: Any, new: Any) -> Any:
        return self.gamma * old + (1 - self.gamma) * new

    def _hardest(self, n: int) -> set[str]:
        known = [case for case in self.cases if case in self.losses]
        return set(sorted(known, key=lambda case: -self.losses[case])[:n])

    def _without_alike(self, over: int, protected: set[str]) -> list[str]:
        seen = [case for case in self.cases if case in self.features]
        may_go = np.array([case not in protected for case in seen], dtype=bool)
        if may_go.sum() < ENOUGH * over:
            gone = [case for case in self.cases if case not in protected][:over]
        else:
            rows = np.stack([self.features[case] for case in seen])
            gone = [seen[n] for n in most_alike(rows, over, may_go)]
        return [case for case in self.cases if case not in set(gone)]


def most_alike(features: Floats, n: int, may_go: npt.NDArray[np.bool_]) -> list[int]:
    """The rows to remove, one after the other: each time the one most like another that is left.

    Likeness is ``(cos + 1) / 2``; of two rows that are each other's nearest the first goes.

    Args:
        features: ``(rows, dimensions)``, none of them 0.
        n: how many; at most as many as may go.
        may_go: ``(rows,)``; the others stay, and count as neighbours.
    """
    rows = features / np.linalg.norm(features, axis=1, keepdims=True)
    left = np.ones(len(rows), dtype=bool)
    nearest, likeness = _nearest(rows, np.arange(len(rows)), left)
    gone: list[int] = []
    for _ in range(n):
        worst = int(np.argmax(np.where(left & may_go, likeness, -np.inf)))
        left[worst] = False
        gone.append(worst)
        lost = np.flatnonzero(left & (nearest == worst))
        if lost.size:
            nearest[lost], likeness[lost] = _nearest(rows, lost, left)
    return gone


def _nearest(
    rows: Floats, which: npt.NDArray[np.intp], left: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.intp], Floats]:
    """The nearest other row, of those left, of some rows; alone: itself, as unlike as can be."""
    nearest, likeness = which.copy(), np.zeros(which.size)
    for start in range(0, which.size, ROWS):
        some = which[start : start + ROWS]
        found = (rows[some] @ rows.T + 1) / 2
        found[:, ~left] = -1.0
        found[np.arange(some.size), some] = -1.0
        best = found.argmax(axis=1)
        value = np.round(found[np.arange(some.size), best], EQUAL)
        alone = value < 0
        nearest[start : start + ROWS] = np.where(alone, some, best)
        likeness[start : start + ROWS] = np.where(alone, 0.0, value)
    return nearest, likeness
