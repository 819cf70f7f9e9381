"""The rules engine: the content of anatomy files, held against the structures of a scan."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labeling.anatomy import AnatomyFile, ClassRules
from labeling.rules.alone import density, height, pieces, sex, volume
from labeling.rules.case import Case, CaseFacts
from labeling.rules.continuity import gap
from labeling.rules.order import between, near, nearer, relation, row
from labeling.rules.outcome import RULE_WEIGHTS, Outcome
from labeling.rules.presence import pair, presence, ratio
from labeling.rules.sides import anchor, centred, mirrored, side
from labeling.rules.together import inside, overlap
from labeling.structures import Structure
from voxcurate.classes import Vocabulary
from voxcurate.config import build, read_yaml, shipped

PIECES_SHARE = 0.05  # of a structure that may lie apart where nothing is written
LISTS = ("relations", "presence", "overlaps", "continuity", "orders", "between", "nearer", "near")
NAMING = ("a", "b", "class_", "classes", "given", "want", "between", "of", "to", "than")
RULES: tuple[Callable[[Case], Iterator[Outcome]], ...] = (
    volume, height, density, pieces, sex, side, anchor, mirrored, centred, overlap, inside,
    relation, row, between, nearer, near, gap, presence, pair, ratio,
)  # fmt: skip


class Anatomy:
    """The rules of one or more regions.

    Args:
        files: their content; what a later file says of a class counts more than an earlier one,
            what it does not say stays. Lists are joined.
        vocabulary: for sides, containment and which classes may share voxels.
        weights: rule to weight, over `RULE_WEIGHTS`.
    """

    def __init__(
        self,
        files: Sequence[AnatomyFile],
        vocabulary: Vocabulary,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.vocabulary = vocabulary
        self.weights = {**RULE_WEIGHTS, **(weights or {})}
        self.classes: dict[str, ClassRules] = {}
        for class_id, rules in ((c, r) for f in files for c, r in f.classes.items()):
            own = {name: getattr(rules, name) for name in rules.model_fields_set}
            self.classes[class_id] = self.classes.get(class_id, rules).model_copy(update=own)
        self.relations = [r for f in files for r in f.relations]
        self.presence = [p for f in files for p in f.presence]
        self.overlaps = [o for f in files for o in f.overlaps]
        self.continuity = [c for f in files for c in f.continuity]
        self.orders = [o for f in files for o in f.orders]
        self.between = [b for f in files for b in f.between]
        self.nearer = [n for f in files for n in f.nearer]
        self.near = [n for f in files for n in f.near]
        self.midline = list(dict.fromkeys(c for f in files for c in f.midline))
        self.anchors = list(dict.fromkeys(c for f in files for c in f.anchors))
        self.side_margin_mm = min((f.side_margin_mm for f in files), default=5.0)

    def outcomes(
        self,
        structures: Mapping[str, Structure],
        facts: CaseFacts | None = None,
        *,
        about: str = "",
    ) -> list[Outcome]:
        """What every rule says of the structures of one scan: broken, holds or unknown.

        Args:
            structures: by class id; an empty one says "known to be absent", one that is not there
                is unknown, and so is what is asked of its neighbours.
            facts: of the scan.
            about: only of this class; saves most of the time.

        Returns:
            In class order. What two structures break together is held against both; of relations
            and rows the weight is lowered for the one that breaks fewer.
        """
        case = Case(self, structures, facts or CaseFacts(), about)
        found = [v for rule in RULES for v in rule(case) if about in ("", v.class_id)]
        return sorted(found, key=lambda v: (v.class_id, v.rule, v.other, v.detail))

    def check(
        self,
        structures: Mapping[str, Structure],
        facts: CaseFacts | None = None,
        *,
        about: str = "",
    ) -> list[Outcome]:
        """Everything that is wrong with the structures of one scan: `outcomes` that are broken."""
        return [v for v in self.outcomes(structures, facts, about=about) if v.state == "broken"]

    def allowed_overlaps(self, classes: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs among `classes` that may share voxels."""
        return [
            (a, b)
            for n, a in enumerate(classes)
            for b in classes[n + 1 :]
            if self._known(a, b) and self.vocabulary.may_overlap(a, b)
        ]

    def excluding_pairs(self, classes: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs among `classes` that may not share voxels; a lesion may lie anywhere."""
        return [
            (a, b)
            for n, a in enumerate(classes)
            for b in classes[n + 1 :]
            if self._known(a, b) and not self.may_share(a, b)
        ]

    def may_share(self, a: str, b: str) -> bool:
        """Whether two classes may share voxels: said so, one is a lesion, or one is not known."""
        if not self._known(a, b):
            return True
        lesion = self.vocabulary[a].lesion or self.vocabulary[b].lesion
        return lesion or self.vocabulary.may_overlap(a, b)

    def tolerated_ml(self, s: Structure) -> float:
        """What may lie outside the largest piece of a structure, mL."""
        written = self.classes.get(s.class_id, ClassRules()).pieces_ml
        return PIECES_SHARE * s.ml if written is None else written

    def side_of(self, class_id: str) -> str:
        """``left``, ``right`` or empty: where the class lies by vocabulary or written rule."""
        if class_id in self.vocabulary and self.vocabulary[class_id].side:
            return self.vocabulary[class_id].side
        return self.classes[class_id].lies if class_id in self.classes else ""

    def margin_of(self, class_id: str) -> float:
        """How far to its side a centroid lies at least, mm; negative: how far beyond it may lie."""
        written = self.classes.get(class_id, ClassRules()).side_margin_mm
        return self.side_margin_mm if written is None else written

    def named(self) -> set[str]:
        """Every class that something is written of."""
        found = {*self.classes, *self.midline, *self.anchors}
        for rule in (r for name in LISTS for r in getattr(self, name)):
            for key in NAMING:
                value = getattr(rule, key, None) or ()
                found |= {value} if isinstance(value, str) else set(value)
        return found

    def plain(self) -> dict[str, Any]:
        """All that is written, as plain data: what results depend on."""
        return {
            "classes": {c: r.model_dump(mode="json") for c, r in sorted(self.classes.items())},
            **{n: [r.model_dump(mode="json") for r in getattr(self, n)] for n in LISTS},
            "midline": list(self.midline),
            "anchors": list(self.anchors),
            "side_margin_mm": self.side_margin_mm,
            "weights": dict(self.weights),
        }

    def _known(self, a: str, b: str) -> bool:
        return a in self.vocabulary and b in self.vocabulary


def load_anatomy(
    vocabulary: Vocabulary, names: Sequence[str], weights: Mapping[str, float] | None = None
) -> Anatomy:
    """The rules of shipped files (by name) or of the user's own (by path).

    Raises:
        ConfigError: a file is missing or wrong.
    """
    files = []
    for name in names:
        path = (
            Path(name) if name.endswith((".yaml", ".yml")) else shipped("anatomy", f"{name}.yaml")
        )
        files.append(build(AnatomyFile, read_yaml(path)))
    return Anatomy(files, vocabulary, weights)


def shipped_anatomies() -> list[str]:
    """The names of all shipped files."""
    return sorted(path.stem for path in shipped("anatomy").glob("*.yaml"))
