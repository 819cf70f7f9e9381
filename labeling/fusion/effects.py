"""What the rules of anatomy did to masks: each effect with its voxels, place and reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labeling.anatomy import ClassRules
from labeling.rules import Anatomy
from labeling.structures import Structure


@dataclass(frozen=True, eq=False)
class Effect:
    """What one rule did to one class.

    Attributes:
        class_id: the class; empty: the scan.
        rule: ``side``, ``order``, ``speck``, ``single``, ``exclusion``, ``inside``, ``mirrored``.
        action: ``removed``, ``moved`` (to `other`), or ``told``: nothing was changed.
        reason: in words.
        other: the class that it is about besides.
        pieces: connected pieces that went as a whole.
        voxels: that went.
        ml: the same in mL.
        box: of them in the scan, start and stop per axis.
        part: the voxels themselves.
    """

    class_id: str
    rule: str
    action: Literal["removed", "moved", "told"]
    reason: str
    other: str = ""
    pieces: int = 0
    voxels: int = 0
    ml: float = 0.0
    box: tuple[tuple[int, int], ...] = ()
    part: Structure | None = field(default=None, repr=False)

    def plain(self) -> dict[str, Any]:
        """As plain data, without the voxels."""
        names = (
            "class_id", "rule", "action", "other", "pieces", "voxels", "ml", "box", "reason",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"box": [list(b) for b in self.box]}


class Work:
    """The structures as they are by now, and what was done."""

    def __init__(self, result: dict[str, Structure], anatomy: Anatomy) -> None:
        self.result, self.anatomy = result, anatomy
        self.effects: list[Effect] = []

    def rules(self, class_id: str) -> ClassRules:
        """What is written of a class."""
        return self.anatomy.classes.get(class_id, ClassRules())

    def take(
        self,
        class_id: str,
        rule: str,
        reason: str,
        gone: npt.NDArray[np.bool_],
        *,
        pieces: int = 0,
        other: str = "",
    ) -> None:
        """Take voxels (of the structure's box) away."""
        old = self.result[class_id]
        part = old.part(old.mask & gone)
        if not part.is_empty:
            self.result[class_id] = old.part(old.mask & ~gone)
            self.add(class_id, rule, reason, part, pieces=pieces, other=other)

    def add(
        self,
        class_id: str,
        rule: str,
        reason: str,
        part: Structure,
        *,
        pieces: int = 0,
        other: str = "",
        moved: bool = False,
    ) -> None:
        """Write down what was taken, and give it to another class if it moves."""
        if moved:
            self.result[other] = self.result[other].joined(part)
        self.effects.append(
            Effect(
                class_id, rule, "moved" if moved else "removed", reason, other, pieces,
                part.voxels, round(part.ml, 4),
                tuple((side.start, side.stop) for side in part.box), part,
            )
        )  # fmt: skip

    def take_pieces(
        self, class_id: str, rule: str, reason: str, numbers: Sequence[int], **how: Any
    ) -> None:
        """Take pieces away, by their numbers."""
        if len(numbers):
            gone = np.isin(self.result[class_id].pieces[0], list(numbers))
            self.take(class_id, rule, reason, gone, pieces=len(numbers), **how)

    def tell(self, class_id: str, rule: str, reason: str) -> None:
        """Write down what is left as it is."""
        self.effects.append(Effect(class_id, rule, "told", reason))
