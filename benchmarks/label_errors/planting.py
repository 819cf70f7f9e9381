"""Which labels of a workspace are made wrong, and how: by rate, seed and severities."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.cohort.label_errors import (
    KINDS,
    Donor,
    Drawn,
    Scene,
    Severity,
    corrupt_label,
    severities,
)
from voxcurate.catalog import Label
from voxcurate.labels import read_mask
from voxcurate.stage import StageContext

N_DONORS = 8
TRIES = 40
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Planted:
    """One wrong label; `known` says whether its truth is (a class that nobody drew is not)."""

    case_id: str
    class_id: str
    kind: str
    severity: Severity
    dsc: float
    known: bool = True

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def half_of(case_id: str) -> str:
    """``even`` (to develop on) or ``odd`` (to report on), by a hash of the case."""
    return "odd" if hashlib.sha256(case_id.encode()).digest()[0] % 2 else "even"


class Truth:
    """The labels of a workspace as it was ingested, which count as true."""

    def __init__(self, ctx: StageContext, cases: Sequence[str] = ()) -> None:
        scans = [s for s in ctx.scans("train", "validation") if not cases or s.case_id in cases]
        self.scans = {scan.case_id: scan for scan in scans}
        self.labels: dict[str, dict[str, Label]] = {case: {} for case in self.scans}
        for label in ctx.catalog.rows(Label, origin="original", round=0):
            if label.case_id in self.labels:
                self.labels[label.case_id][label.class_id] = label
        self.classes = sorted({c for own in self.labels.values() for c in own})
        self.pairs = {c: ctx.vocabulary[c].pair for c in self.classes if ctx.vocabulary[c].pair}
        self.typical_ml = {
            c: float(np.median([o[c].ml for o in self.labels.values() if c in o and o[c].voxels]))
            for c in self.classes
        }
        root = ctx.workspace.root
        self.mask = lru_cache(maxsize=150)(lambda case, name: self._read(root, case, name))

    def _read(self, root: Path, case: str, name: str) -> Mask:
        label = self.labels[case].get(name)
        return read_mask(root, label.path if label else "", tuple(self.scans[case].shape))

    def affine(self, case: str) -> npt.NDArray[np.float64]:
        """Of a case's scan."""
        return np.asarray(self.scans[case].affine, np.float64)

    def scene(self, case: str, donors_of: str, rng: np.random.Generator) -> Scene:
        """What errors of one class of a case can be made of."""
        others = [
            c
            for c, own in self.labels.items()
            if c != case and donors_of in own and own[donors_of].voxels
        ]
        chosen = [others[int(n)] for n in rng.permutation(len(others))[:N_DONORS]]
        donors = [Donor(self.mask(c, donors_of), self.affine(c)) for c in chosen]
        masks = {name: self.mask(case, name) for name in self.labels[case]}
        masks.setdefault(donors_of, self.mask(case, donors_of))
        return Scene(
            masks,
            self.affine(case),
            pairs=self.pairs,
            donors={donors_of: donors},
            typical_ml=self.typical_ml,
        )


def draw(
    truth: Truth, case: str, name: str, kind: str, severity: Severity, seed: int
) -> Drawn | None:
    """One wrong label, the same for the same arguments whatever else is planted."""
    mark = hashlib.sha256(f"{case}/{name}/{kind}/{severity}".encode()).digest()
    numbers = [seed, *np.frombuffer(mark[:8], np.uint32).tolist()]
    scene = truth.scene(case, name, np.random.default_rng([*numbers, 1]))
    return corrupt_label(kind, name, scene, severity, numbers)


def choose(
    truth: Truth, rate: float, seed: int, wanted: Sequence[Severity]
) -> list[tuple[Planted, Mask]]:
    """Wrong labels at a rate: all kinds and severities in turn, on cases and classes at random.

    The rate is of all labels of the cases. False positives are planted where a class has no label
    (or an empty one); of a left-right swap both sides are wrong, where both are drawn.
    """
    rng = np.random.default_rng([seed, 7])
    drawn = [(c, name) for c, own in truth.labels.items() for name in own if own[name].voxels]
    absent = [(c, n) for c in truth.labels for n in truth.classes if (c, n) not in set(drawn)]
    total = round(rate * sum(len(own) for own in truth.labels.values()))
    ways = [(k, s) for k in KINDS for s in severities(k) if s in wanted]
    ways = [ways[int(n)] for n in rng.permutation(len(ways))]
    taken: set[tuple[str, str]] = set()
    found: list[tuple[Planted, Mask]] = []
    turn = 0
    while len(found) < total and turn < 20 * (total + len(ways)):
        kind, severity = ways[turn % len(ways)]
        turn += 1
        places = absent if kind == "false_positive" else drawn
        for n in rng.permutation(len(places))[:TRIES]:
            case, name = places[int(n)]
            partner = (case, truth.pairs.get(name, ""))
            both = kind == "left_right_swap"
            if (case, name) in taken or (both and partner in taken):
                continue
            wrong = draw(truth, case, name, kind, severity, seed)
            if wrong is None:
                continue
            sides = [(name, wrong)]
            if both:
                other = draw(truth, case, partner[1], kind, severity, seed)
                sides += [(partner[1], other)] if other else []
            for side, made in sides:
                is_known = side in truth.labels[case]
                planted = Planted(case, side, kind, severity, round(made.dsc, 4), is_known)
                found.append((planted, made.mask))
                taken.add((case, side))
            break
    return found
