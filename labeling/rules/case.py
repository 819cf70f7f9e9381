"""One scan as the rules see it: its structures, measured when asked, and what is known besides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from labeling.anatomy import ClassRules
from labeling.body import BodyFrame
from labeling.rules.outcome import HARD, Outcome, State, grown
from labeling.structures import Structure, faces_reached, to_world
from voxcurate.volume import Affine, Box

if TYPE_CHECKING:
    from labeling.rules.engine import Anatomy

FACES = (("left", "right"), ("back", "front"), ("bottom", "top"))  # by world axis, low and high


@dataclass(frozen=True)
class CaseFacts:
    """What the rules know of a scan besides its masks; None is unknown.

    Attributes:
        hu: class to the median value inside; CT only.
        middle: world R coordinate of the body's middle, used where no midline structure is there.
        sex: ``male``, ``female`` or empty.
        body: where the body lies in the scan.
        disjoint: all masks are from one label map, in which a voxel has one class.
    """

    hu: Mapping[str, float] = field(default_factory=dict)
    middle: float | None = None
    sex: str = ""
    body: BodyFrame | None = None
    disjoint: bool = False


@dataclass(frozen=True, eq=False)
class Seen:
    """A structure that is not empty, in world coordinates (RAS+ mm)."""

    s: Structure

    @property
    def centroid(self) -> npt.NDArray[np.float64]:
        """Mean position."""
        return self.s.centroid

    @cached_property
    def cut(self) -> frozenset[str]:
        """The ends of the scan (``left``, ``top`` ...) that it reaches: there it may go on."""
        axes = world_axes(self.s.affine)
        whole = tuple(slice(0, n) for n in self.s.mask.shape)
        found = set()
        for axis, end in faces_reached(whole, self.s):  # type: ignore[arg-type]
            world, sign = axes[axis]
            found.add(FACES[world][end if sign > 0 else 1 - end])
        return frozenset(found)

    @cached_property
    def extent(self) -> npt.NDArray[np.float64]:
        """Lowest and highest world coordinates of voxel centres, ``(2, 3)``.

        Found at the first and last voxel of each line along the last axis, for coordinates are
        linear in the index.
        """
        mask = self.s.mask
        lines = np.argwhere(mask.any(axis=2))
        rows = mask[lines[:, 0], lines[:, 1]]
        first, last = rows.argmax(axis=1), mask.shape[2] - 1 - rows[:, ::-1].argmax(axis=1)
        start = np.array([side.start for side in self.s.box])
        ends = [np.column_stack([lines, k]) + start for k in (first, last)]
        points = to_world(np.concatenate(ends).astype(np.float64), self.s.affine)
        return np.stack([points.min(axis=0), points.max(axis=0)])

    @property
    def box(self) -> tuple[tuple[int, int], ...]:
        """Start and stop per axis."""
        return plain_box(self.s.box)


@dataclass(frozen=True, eq=False)
class Case:
    """The structures of a scan, the anatomy to hold them against, and the facts.

    `structures` has those with a label; an empty one says "known to be absent". With `about` only
    what is said of that class matters; rules may leave out what they would say of others.
    """

    anatomy: "Anatomy"
    structures: Mapping[str, Structure]
    facts: CaseFacts
    about: str = ""

    @cached_property
    def there(self) -> dict[str, Seen]:
        """Those that are not empty, by class in alphabetical order."""
        return {
            c: Seen(s if s.class_id == c else replace(s, class_id=c))
            for c, s in sorted(self.structures.items())
            if not s.is_empty
        }

    @property
    def asked(self) -> dict[str, Seen]:
        """Of these, those that something has to be said of."""
        return {c: seen for c, seen in self.there.items() if self.about in ("", c)}

    def is_absent(self, class_id: str) -> bool:
        """Whether it is labelled as not there."""
        return class_id in self.structures and class_id not in self.there

    def rules(self, class_id: str) -> ClassRules:
        """What is written of a class alone."""
        return self.anatomy.classes.get(class_id, NOTHING)

    def name(self, class_id: str) -> str:
        """What people call it."""
        vocabulary = self.anatomy.vocabulary
        known = vocabulary[class_id].name if class_id in vocabulary else ""
        return known or class_id.replace("_", " ")

    def why_unknown(self, classes: Sequence[str]) -> str:
        """Which of some classes are not there, in words; empty if all are."""
        gone = [c for c in classes if c not in self.there]
        return ", ".join(
            f"{self.name(c)} is {'empty' if c in self.structures else 'not labelled'}" for c in gone
        )

    def broken(
        self, class_id: str, rule: str, detail: str, *, beyond: tuple[float, float], **told: Any
    ) -> Outcome:
        """A violation whose weight is half the rule's at the limit.

        Args:
            class_id: who breaks it.
            rule: which.
            detail: in words.
            beyond: how far beyond the limit it is, and where the weight is full.
            told: the other fields; `share` lowers the weight, `hard` overrides the rule's.
        """
        told.setdefault("hard", rule in HARD)
        weight = self.anatomy.weights[rule] * grown(*beyond) * told.pop("share", 1.0)
        told = {"value": None, "limit": None, **told}
        return Outcome(class_id, rule, detail=detail, weight=weight, **told)

    def told(self, class_id: str, rule: str, state: State, detail: str, **told: Any) -> Outcome:
        """An outcome that is no violation."""
        told.setdefault("hard", rule in HARD)
        told = {"value": None, "limit": None, **told}
        return Outcome(class_id, rule, detail=detail, state=state, **told)


NOTHING = ClassRules()


def world_axes(affine: Affine) -> list[tuple[int, float]]:
    """For each array axis the world axis that it is closest to, each once, and its sign."""
    cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    left, found = np.abs(cosines), [(0, 1.0)] * 3
    for _ in range(3):
        world, axis = np.unravel_index(int(np.argmax(left)), (3, 3))
        found[int(axis)] = (int(world), float(np.sign(cosines[world, axis])))
        left[world, :] = left[:, axis] = -1.0
    return found


def plain_box(box: Box) -> tuple[tuple[int, int], ...]:
    """A box as numbers."""
    return tuple((int(side.start), int(side.stop)) for side in box)
