"""Weights of votes that learn from what people decided: Bayesian logistic regression.

Each weight has a written prior: a value, which is what the program would do had nobody ever looked
at anything, and a scale, how far from it a weight may be believed to lie. The posterior's mode is
found by Newton's method; few decisions move the weights little, and none leave them as written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Votes = Mapping[str, float]
BINS = 5
STEPS = 60
FOLDS = 5
DIGITS = 6  # of weights: the same decisions, the same bits


@dataclass(frozen=True)
class Prior:
    """A weight before anybody decided anything: its value and its standard deviation."""

    value: float
    scale: float


@dataclass(frozen=True)
class Weights:
    """The weights of one question's votes, by name.

    Attributes:
        values: vote to weight; the vote ``bias`` is always 1.
        n: decisions that they were learned from; 0: as written.
    """

    values: Mapping[str, float]
    n: int = 0

    def log_odds(self, votes: Votes) -> float:
        """Of the question's answer being yes."""
        return sum(w * (1.0 if k == "bias" else votes.get(k, 0.0)) for k, w in self.values.items())

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {"values": dict(self.values), "n": self.n}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Weights":
        """From `plain`."""
        return cls(dict(plain["values"]), int(plain["n"]))


@dataclass(frozen=True)
class Case:
    """One decided question: the votes as they were, the answer, and whose scan it is about.

    Attributes:
        said: the probability that was told when people were asked; None if nobody told one.
    """

    votes: Votes
    answer: bool
    group: str
    said: float | None = None


@dataclass(frozen=True)
class Calibration:
    """How well probabilities fitted the answers.

    Attributes:
        brier: mean squared distance, 0 is best; always saying 1/2 has 0.25.
        log_loss: mean negative log-likelihood.
        ece: mean distance of said and seen over bins of equal width, by the number in each.
        table: of each bin that holds any: how many, the mean that was said, the share that was yes.
    """

    n: int
    brier: float
    log_loss: float
    ece: float
    table: Sequence[tuple[int, float, float]] = field(default_factory=tuple)

    def plain(self) -> dict[str, Any]:
        """As plain data, rounded."""
        return {
            "n": self.n,
            "brier": round(self.brier, 4),
            "log_loss": round(self.log_loss, 4),
            "ece": round(self.ece, 4),
            "table": [[n, round(said, 4), round(seen, 4)] for n, said, seen in self.table],
        }


@dataclass(frozen=True)
class Learned:
    """What came of learning: the weights to use, and how they and the written ones do.

    Attributes:
        weights: the learned ones if there were enough decisions and they did better than the
            written ones on cases that they were not learned from; else the written ones.
        why: in words.
        written: calibration of the written weights.
        held_out: of learned ones, each case by weights learned without its group; None where there
            was too little to learn from.
        said: of what was told when people were asked; None if nothing was.
    """

    weights: Weights
    why: str
    n: int
    written: Calibration | None = None
    held_out: Calibration | None = None
    said: Calibration | None = None

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        told = {"written": self.written, "held_out": self.held_out, "said": self.said}
        return {
            "weights": dict(self.weights.values),
            "why": self.why,
            "n": self.n,
            **{k: c.plain() for k, c in told.items() if c is not None},
        }


def written(prior: Mapping[str, Prior]) -> Weights:
    """The weights before anybody decided anything."""
    return Weights({name: p.value for name, p in prior.items()})


def learn(
    cases: Sequence[Case], prior: Mapping[str, Prior], *, minimum: int, minimum_each: int
) -> Learned:
    """Weights from decided cases, in any order; the same cases give the same weights.

    Args:
        cases: all that is known.
        prior: of the weights.
        minimum: cases that are wanted before anything is learned.
        minimum_each: of these, how many at least must have been answered yes, and how many no.
    """
    start = written(prior)
    cases = sorted(cases, key=lambda c: (c.group, sorted(c.votes.items()), c.answer))
    told = [(c.said, c.answer) for c in cases if c.said is not None]
    said = calibration(*zip(*told, strict=True)) if told else None
    if not cases:
        return Learned(start, "nobody has decided anything yet", 0)
    answers = [c.answer for c in cases]
    first = calibration([_chance(start, c.votes) for c in cases], answers)
    n, fewest = len(cases), min(sum(answers), len(cases) - sum(answers))
    if n < minimum or fewest < minimum_each:
        why = f"{n} decisions, {fewest} of the rarer answer; want {minimum} and {minimum_each}"
        return Learned(start, why, n, first, None, said)
    held_out = calibration(_held_out(cases, prior), answers)
    if held_out.log_loss >= first.log_loss:
        why = "learned weights did no better than the written ones on cases held out"
        return Learned(start, why, n, first, held_out, said)
    return Learned(fit(cases, prior), f"learned from {n} decisions", n, first, held_out, said)


def fit(cases: Sequence[Case], prior: Mapping[str, Prior]) -> Weights:
    """The mode of the posterior: logistic likelihood, independent Gaussian priors."""
    names = list(prior)
    rows = np.array([[1.0 if k == "bias" else c.votes.get(k, 0.0) for k in names] for c in cases])
    answers = np.array([c.answer for c in cases], np.float64)
    centre = np.array([prior[k].value for k in names])
    precision = 1.0 / np.array([prior[k].scale for k in names]) ** 2
    found = _mode(rows.reshape(-1, len(names)), answers, centre, precision)
    values = {k: round(float(w), DIGITS) for k, w in zip(names, found, strict=True)}
    return Weights(values, len(cases))


def _mode(rows: Matrix, answers: Vector, centre: Vector, precision: Vector) -> Vector:
    """Newton's method with halved steps: the function is strictly convex."""

    def loss(w: Vector) -> float:
        z = rows @ w
        own = np.logaddexp(0.0, z) - answers * z
        return float(own.sum() + 0.5 * (precision * (w - centre) ** 2).sum())

    w, least = centre.copy(), loss(centre)
    for _ in range(STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(rows @ w, -50.0, 50.0)))
        slope = rows.T @ (p - answers) + precision * (w - centre)
        curve = (rows * (p * (1.0 - p))[:, None]).T @ rows + np.diag(precision)
        step = np.linalg.solve(curve, slope)
        size = 1.0
        while size > 1e-6 and (next_loss := loss(w - size * step)) > least:
            size /= 2
        if size <= 1e-6 or least - next_loss < 1e-12:
            break
        w, least = w - size * step, next_loss
    return w


def _held_out(cases: Sequence[Case], prior: Mapping[str, Prior]) -> list[float]:
    """Each case's chance by weights that were learned without its group's part of the groups."""
    groups = sorted({c.group for c in cases})
    part = {group: n % min(FOLDS, len(groups)) for n, group in enumerate(groups)}
    found = np.zeros(len(cases))
    for n in sorted(set(part.values())):
        weights = fit([c for c in cases if part[c.group] != n], prior)
        for k, c in enumerate(cases):
            if part[c.group] == n:
                found[k] = _chance(weights, c.votes)
    return [float(p) for p in found]


def calibration(chances: Sequence[float], answers: Sequence[bool]) -> Calibration:
    """Of probabilities and what was true.

    Raises:
        ValueError: there is none.
    """
    if not chances:
        raise ValueError("want at least one probability")
    p, y = np.array(chances, np.float64), np.array(answers, np.float64)
    safe = np.clip(p, 1e-6, 1 - 1e-6)
    loss = -(y * np.log(safe) + (1 - y) * np.log(1 - safe)).mean()
    place = np.minimum((p * BINS).astype(int), BINS - 1)
    table = [
        (int((place == b).sum()), float(p[place == b].mean()), float(y[place == b].mean()))
        for b in range(BINS)
        if (place == b).any()
    ]
    ece = sum(n * abs(said - seen) for n, said, seen in table) / len(p)
    return Calibration(len(p), float(((p - y) ** 2).mean()), float(loss), float(ece), table)


def _chance(weights: Weights, votes: Votes) -> float:
    return float(1 / (1 + np.exp(-np.clip(weights.log_odds(votes), -50.0, 50.0))))
