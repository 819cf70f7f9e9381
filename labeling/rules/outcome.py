"""What a rule says of a structure: broken, holds or unknown, with its numbers and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

State = Literal["broken", "holds", "unknown"]

# how sure a violation alone makes us of an error, 0..1, when it is as bad as it gets
RULE_WEIGHTS = {
    "pieces": 0.6,
    "volume": 0.9,
    "height": 0.6,
    "hu": 0.8,
    "inside": 0.6,
    "overlap": 0.6,
    "side": 0.95,
    "anchor": 0.9,
    "mirrored": 0.9,
    "relation": 0.8,
    "order": 0.8,
    "between": 0.6,
    "nearer": 0.7,
    "near": 0.5,
    "gap": 0.8,
    "presence": 0.5,
    "pair": 0.5,
    "ratio": 0.25,
    "midline": 0.4,
    "sex": 0.95,
}
# anatomy knows no exception but surgery, malformation and a wrong header; the others are ranges
# that disease may leave, or that the ways of drawing differ in
HARD = frozenset({
    "side", "anchor", "mirrored", "relation", "order", "between", "nearer", "gap", "overlap",
    "inside", "presence", "pair", "sex",
})  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What one rule says of one class.

    Attributes:
        class_id: the class; empty: the scan.
        rule: of `RULE_WEIGHTS`.
        value: what was measured, in `unit`; None: nothing could be.
        limit: what it is compared with.
        weight: 0..1, how much a broken rule speaks for an error; grows with how far `value` is
            beyond `limit`. 0 for the others.
        other: the second structure, or what takes its place.
        detail: in words.
        state: broken, holds, or unknown: something that is needed is not there, not labelled, or
            cut off by the scan.
        unit: of `value` and `limit`.
        hard: whether anatomy knows no exception (see `HARD`).
        evidence: further numbers; names end with their unit.
        box: start and stop per axis of the region in question, in voxels; empty: nowhere.
    """

    class_id: str
    rule: str
    value: float | None
    limit: float | None
    weight: float = 0.0
    other: str = ""
    detail: str = ""
    state: State = "broken"
    unit: str = ""
    hard: bool = False
    evidence: Mapping[str, Any] = field(default_factory=dict)
    box: Sequence[Sequence[int]] = ()

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "evidence": dict(self.evidence), "box": [list(b) for b in self.box]}

    def text(self) -> str:
        """In words, for people."""
        return f"{self.rule}: {self.detail}"


Violation = Outcome  # one that is broken


def combined_weight(violations: Sequence[Outcome]) -> float:
    """Noisy-or of the weights: the chance of an error if each violation spoke for itself."""
    return float(1.0 - np.prod([1.0 - min(v.weight, 0.99) for v in violations]))


def grown(beyond: float, full: float) -> float:
    """Half at the limit, growing to 1 at `full` beyond it."""
    return float(0.5 + 0.5 * min(1.0, max(0.0, beyond) / full))
