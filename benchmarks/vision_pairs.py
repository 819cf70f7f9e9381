"""How many of ScaleMAI's 34.7 million pairs the knock-out and its skip rules ask, by count.

Run: ``python -m benchmarks.vision_pairs [--structures 20000] [--rates 0.02 0.05 0.1 0.2]``. The
paper's count is 3 iterations x 19 candidates x 24 classes x 25,362 scans. Here so many structures
are drawn at random, spread over the 24 classes, and go through the real protocol
(`labeling.vision.tournament`) three times: in the first iteration with the current label and 19
candidates, in the next two with one more each time, the flagship's new prediction. A pair that was
asked before is answered from the kept answers, as in a real rerun. Two right labels of a class
agree as well as good public models do (`AGREEMENT`, standard deviation `SPREAD`); a wrong one
agrees with nothing; a third of them is empty. The distance to 1 in pictures is 2/3 of that in 3-D.
The model prefers a right label to a wrong one in 97 of 100 requests, calls two wrong ones both bad
in half of them and two right ones that are asked at all the same. Intervals are 95 %, over
structures. Limit: 5 % of the pairs.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np
from rich.console import Console
from rich.table import Table

from labeling.vision.answers import Comparison, FieldOfView, Opinion
from labeling.vision.config import VisionConfig
from labeling.vision.judge import alike_limits, load_wordings
from labeling.vision.prompts import Request
from labeling.vision.tournament import Contest, contest
from labeling.vision.wording import LANDMARKS, Wordings
from voxcurate.classes import load_vocabulary
from voxcurate.protocols import Reply, Verdict

ITERATIONS, CANDIDATES, SCANS = 3, 19, 25_362
LIMIT = 0.05
SPREAD = 0.05
# DSC of two good labels of one structure: what good public models reach on it
AGREEMENT = {
    "liver": 0.97, "spleen": 0.96, "kidney_left": 0.95, "kidney_right": 0.95, "stomach": 0.93,
    "gall_bladder": 0.88, "pancreas": 0.86, "aorta": 0.93, "postcava": 0.88, "bladder": 0.92,
    "adrenal_gland_left": 0.79, "adrenal_gland_right": 0.79, "celiac_trunk": 0.72, "colon": 0.87,
    "duodenum": 0.80, "esophagus": 0.84, "femur_left": 0.96, "femur_right": 0.96,
    "hepatic_vessel": 0.68, "lung_left": 0.97, "lung_right": 0.97, "prostate": 0.84,
    "rectum": 0.84, "superior_mesenteric_artery": 0.76,
}  # fmt: skip
CONFIG = VisionConfig()


@dataclass
class Structure:
    """One structure on one scan: which labels are right, and what was asked about them.

    Label 0 is the current one, then the candidates, then the flagship's of later iterations.
    """

    class_id: str
    right: Sequence[bool]
    empty: Sequence[bool]
    dsc: np.ndarray[tuple[int, int], np.dtype[np.float64]]
    chance: random.Random
    answers: dict[tuple[int, int], str] = field(default_factory=dict)
    requests: int = 0

    def alike(self, a: int, b: int, limits: tuple[float, float]) -> bool:
        """As the judge decides it."""
        if self.empty[a] or self.empty[b]:
            return self.empty[a] and self.empty[b]
        dsc = float(self.dsc[min(a, b), max(a, b)])
        return dsc >= limits[0] and 1 - (1 - dsc) * 2 / 3 >= limits[1]

    def answer(self, request: Request) -> Reply:
        """What the model says; a comparison in one order is counted once."""
        if request.schema is FieldOfView:
            return Reply(FieldOfView(**dict.fromkeys(LANDMARKS, True)), "", "")
        images = request.conversation[-1].images
        if request.schema is Opinion:
            self.requests += 1
            said = "yes" if self.right[images[-1][0]] == (self.chance.random() < 0.97) else "no"
            return Reply(Opinion(overlay="", right=said), "", "")
        pair = (images[-2][0], images[-1][0])
        if pair not in self.answers:
            self.answers[pair] = self._compared(*pair)
            self.requests += 1
        better = self.answers[pair]
        return Reply(Comparison(overlay_1="", overlay_2="", better=better), "", "")

    def _compared(self, a: int, b: int) -> str:
        if self.right[a] and self.right[b]:
            return "same"
        if self.right[a] == self.right[b]:
            return "both_bad" if self.chance.random() < 0.5 else self.chance.choice("12")
        good = "1" if self.right[a] else "2"
        return good if self.chance.random() < 0.97 else {"1": "2", "2": "1"}[good]

    @property
    def pairs(self) -> int:
        """Pairs asked, whatever the order."""
        return len({frozenset(pair) for pair in self.answers})


def drawn(class_id: str, rate: float, seed: int) -> Structure:
    """A structure whose labels are wrong at a rate."""
    rng = np.random.default_rng(seed)
    n = 1 + CANDIDATES + ITERATIONS - 1
    right = rng.random(n) >= rate
    empty = ~right & (rng.random(n) < 1 / 3)
    dsc = np.minimum(rng.normal(AGREEMENT[class_id], SPREAD, (n, n)), 1.0)
    wrong = ~(right[:, None] & right[None])
    dsc[wrong] = rng.uniform(0, 0.6, int(wrong.sum()))
    return Structure(class_id, right.tolist(), empty.tolist(), dsc, random.Random(seed))


def judged(structure: Structure, wordings: Wordings) -> int:
    """Three iterations of the real protocol; the label that counts at the end."""
    wording, current = wordings[structure.class_id], 0
    limits = alike_limits(wording, CONFIG)
    for iteration in range(ITERATIONS):
        n = 1 + CANDIDATES + iteration
        players = [current, *(k for k in range(1, n) if k != current)]
        given = Contest(
            wording,
            [structure.empty[k] for k in players],
            lambda a, b, p=players: structure.alike(p[a], p[b], limits),  # type: ignore[misc]
            lambda k, p=players: bytes([p[k]]),  # type: ignore[misc]
            lambda: b"skeleton",
        )
        verdict = _run(structure, given)
        if verdict.choice is not None:
            current = players[verdict.choice]
    return current


def _run(structure: Structure, given: Contest) -> Verdict:
    play = contest(given, CONFIG)
    try:
        requests = next(play)
        while True:
            requests = play.send([structure.answer(request) for request in requests])
    except StopIteration as done:
        verdict: Verdict = done.value
        return verdict


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--structures", type=int, default=20_000)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.02, 0.05, 0.1, 0.2])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    wordings = load_wordings(load_vocabulary(), CONFIG.anatomy)
    whole = SCANS * len(AGREEMENT)
    published = ITERATIONS * CANDIDATES * whole
    table = Table(title=f"of {published:,} pairs ({given.structures:,} structures of {whole:,})")
    for column in ("labels wrong", "pairs asked", "share", "95 %", "requests", "wrong after"):
        table.add_column(column, justify="right")
    worst = 0.0
    for rate in given.rates:
        rows, classes = [], cycle(AGREEMENT)
        for n in range(given.structures):
            structure = drawn(next(classes), rate, given.seed * given.structures + n)
            last = judged(structure, wordings)
            rows.append((structure.pairs, structure.requests, not structure.right[last]))
        pairs, requests, wrong = (np.array(column, float) for column in zip(*rows, strict=True))
        per_structure = ITERATIONS * CANDIDATES
        share = pairs.mean() / per_structure
        error = 1.96 * pairs.std() / np.sqrt(len(pairs)) / per_structure
        worst = max(worst, share + error)
        table.add_row(
            f"{rate:.0%}", f"{pairs.mean() * whole:,.0f}", f"{share:.2%}",
            f"{share - error:.2%} - {share + error:.2%}",
            f"{requests.mean() * whole + SCANS:,.0f}", f"{wrong.mean():.2%}",
        )  # fmt: skip
    Console(width=110).print(table)
    Console().print(f"most: {worst:.2%}, limit {LIMIT:.0%}; one look at each scan's skeleton is in")


if __name__ == "__main__":
    main()
