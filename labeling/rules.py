"""One engine for the written anatomy of ``configs/anatomy/*.yaml``: find violations, mend masks.

Sides, order and relations are decided in world coordinates (RAS+ mm), never by raw indices. Only
what is known is asked: a class without a label is no violation, an empty label may be one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labeling.anatomy import DIRECTIONS, AnatomyFile, ClassRules
from labeling.structures import Structure, common_voxels, further_pieces, midline
from voxcurate.classes import Vocabulary
from voxcurate.config import build, read_yaml, shipped

# how sure a violation alone makes us of an error, 0..1, when it is as bad as it gets
RULE_WEIGHTS = {
    "pieces": 0.6,
    "volume": 0.9,
    "height": 0.6,
    "hu": 0.8,
    "inside": 0.6,
    "overlap": 0.6,
    "side": 0.95,
    "relation": 0.8,
    "presence": 0.5,
    "sex": 0.95,
}
OVERLAP_SHARE = 0.02  # of the smaller one; contours touch and partial volumes are shared
OUTSIDE_SHARE = 0.10  # of a part that may reach out of its container


@dataclass(frozen=True)
class Violation:
    """One broken rule, with its numbers.

    `weight` (0..1) grows with how far `value` is beyond `limit`; `other` is the second structure.
    """

    class_id: str
    rule: str
    value: float
    limit: float
    weight: float
    other: str = ""
    detail: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)

    def text(self) -> str:
        """In words, for people."""
        other = f" ({self.other})" if self.other else ""
        return f"{self.rule}{other}: {self.detail} {self.value:g}, limit {self.limit:g}"


@dataclass(frozen=True)
class CaseFacts:
    """What the rules know of a scan besides its masks; None is unknown.

    `middle` is the world R coordinate of the body's middle, used where no midline structure is
    there.
    """

    hu: Mapping[str, float] = field(default_factory=dict)
    middle: float | None = None
    sex: str = ""


class Anatomy:
    """The rules of one or more regions.

    Args:
        files: their content; what a later file says of a class counts more than an earlier one,
            what it does not say stays.
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
        self.midline = list(dict.fromkeys(c for f in files for c in f.midline))
        self.side_margin_mm = min((f.side_margin_mm for f in files), default=5.0)

    def check(
        self, structures: Mapping[str, Structure], facts: CaseFacts | None = None
    ) -> list[Violation]:
        """Everything that is wrong with the structures of one scan.

        Args:
            structures: by class id; an empty one says "known to be absent".
            facts: of the scan.

        Returns:
            Violations in class order. A relation between two structures is held against both, its
            weight lowered for the one that breaks fewer of them.
        """
        facts = facts or CaseFacts()
        there = {c: s for c, s in structures.items() if not s.is_empty}
        middle = midline(there, self.midline)
        middle = facts.middle if middle is None else middle
        found: list[Violation] = []
        for class_id in sorted(there):
            found += self._alone(there[class_id], facts)
            found += self._side(class_id, there, middle)
        found += self._shared(there)
        found += self._absent(structures, there)
        related = self._related(there)
        return sorted(
            found + _blamed(related), key=lambda v: (v.class_id, v.rule, v.other, v.detail)
        )

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
        organs = [c for c in classes if c in self.vocabulary and not self.vocabulary[c].lesion]
        return [
            (a, b)
            for n, a in enumerate(organs)
            for b in organs[n + 1 :]
            if not self.vocabulary.may_overlap(a, b)
        ]

    def tolerated_ml(self, s: Structure) -> float:
        """What may lie outside the largest piece of a structure, mL."""
        written = self.classes.get(s.class_id, ClassRules()).pieces_ml
        return 0.05 * s.ml if written is None else written

    def side_of(self, class_id: str) -> str:
        """``left``, ``right`` or empty: where the class lies by vocabulary or written rule."""
        if class_id in self.vocabulary and self.vocabulary[class_id].side:
            return self.vocabulary[class_id].side
        return self.classes[class_id].lies if class_id in self.classes else ""

    def _alone(self, s: Structure, facts: CaseFacts) -> list[Violation]:
        rules = self.classes.get(s.class_id, ClassRules())
        found = []
        cut = s.touches_border()
        if rules.ml:
            found += self._range(s.class_id, "volume", s.ml, rules.ml, cut, "mL")
        if rules.height_mm:
            height = float(s.extent[1, 2] - s.extent[0, 2])
            found += self._range(s.class_id, "height", height, rules.height_mm, cut, "mm")
        if rules.hu and s.class_id in facts.hu:
            value, (low, high) = facts.hu[s.class_id], rules.hu
            if not low <= value <= high:
                limit = low if value < low else high
                weight = self.weights["hu"] * _grown(abs(value - limit), 100.0)
                found.append(Violation(s.class_id, "hu", value, limit, weight, "", "median HU"))
        single = s.class_id in self.vocabulary and self.vocabulary[s.class_id].single
        if single or rules.pieces_ml is not None:
            allowed = self.tolerated_ml(s)
            further = further_pieces(s, allowed)
            rest = float(s.pieces[1][[n - 1 for n in further]].sum())
            if rest > allowed:
                weight = self.weights["pieces"] * _grown(rest - allowed, max(0.25 * s.ml, allowed))
                found.append(
                    Violation(
                        s.class_id, "pieces", rest, allowed, weight, "", "mL in further pieces"
                    )
                )
        if rules.sex and facts.sex and rules.sex != facts.sex:
            found.append(
                Violation(s.class_id, "sex", s.ml, 0.0, self.weights["sex"], "", "mL present")
            )
        return found

    def _range(
        self,
        class_id: str,
        rule: str,
        value: float,
        limits: tuple[float, float],
        cut: bool,
        unit: str,
    ) -> list[Violation]:
        low, high = limits
        if value > high or (value < low and not cut):
            limit = low if value < low else high
            ratio = abs(np.log2(max(value, 1e-6) / max(limit, 1e-6)))  # twice too much weighs full
            weight = self.weights[rule] * (0.5 + 0.5 * min(1.0, ratio))
            return [Violation(class_id, rule, value, limit, weight, "", unit)]
        return []

    def _side(
        self, class_id: str, there: Mapping[str, Structure], middle: float | None
    ) -> list[Violation]:
        side = self.side_of(class_id)
        if not side:
            return []
        right = there[class_id].centroid[0]
        sign = 1.0 if side == "right" else -1.0
        found = []
        pair = self.vocabulary[class_id].pair if class_id in self.vocabulary else ""
        references = {"the midline": middle}
        if pair in there:
            references[pair] = float(there[pair].centroid[0])
        for name, reference in references.items():
            if reference is None or (name == "the midline" and class_id in self.midline):
                continue
            beyond = sign * (right - reference)
            if beyond < self.side_margin_mm:
                weight = self.weights["side"] * _grown(self.side_margin_mm - beyond, 20.0)
                found.append(
                    Violation(
                        class_id,
                        "side",
                        float(beyond),
                        self.side_margin_mm,
                        weight,
                        name,
                        f"mm to the {side}",
                    )
                )
        return found

    def _shared(self, there: Mapping[str, Structure]) -> list[Violation]:
        found = []
        names = sorted(there)
        for n, a in enumerate(names):
            for b in names[n + 1 :]:
                if not self._known(a, b):
                    continue
                common = common_voxels(there[a], there[b])
                if self.vocabulary.may_overlap(a, b):
                    found += self._contained(there[a], there[b], common)
                    continue
                smaller = min(there[a].voxels, there[b].voxels)
                if common > OVERLAP_SHARE * smaller:
                    share = common / smaller
                    weight = self.weights["overlap"] * _grown(share - OVERLAP_SHARE, 0.2)
                    for one, other in ((a, b), (b, a)):
                        found.append(
                            Violation(
                                one,
                                "overlap",
                                share,
                                OVERLAP_SHARE,
                                weight,
                                other,
                                "of the smaller one shared",
                            )
                        )
        return found

    def _contained(self, a: Structure, b: Structure, common: int) -> list[Violation]:
        for part, whole in ((a, b), (b, a)):
            if self.vocabulary[part.class_id].inside == whole.class_id:
                outside = 1.0 - common / part.voxels
                if outside > OUTSIDE_SHARE:
                    weight = self.weights["inside"] * _grown(outside - OUTSIDE_SHARE, 0.4)
                    return [
                        Violation(
                            part.class_id,
                            "inside",
                            outside,
                            OUTSIDE_SHARE,
                            weight,
                            whole.class_id,
                            "outside its container",
                        )
                    ]
        return []

    def _absent(
        self, structures: Mapping[str, Structure], there: Mapping[str, Structure]
    ) -> list[Violation]:
        found = []
        for rule in self.presence:
            wanted = structures.get(rule.want)
            if (
                wanted is not None
                and wanted.is_empty
                and all(c in there and not there[c].touches_border() for c in rule.given)
            ):
                found.append(
                    Violation(
                        rule.want,
                        "presence",
                        0.0,
                        1.0,
                        self.weights["presence"],
                        "+".join(rule.given),
                        "absent though given:",
                    )
                )
        return found

    def _related(self, there: Mapping[str, Structure]) -> list[Violation]:
        found = []
        for rule in self.relations:
            if rule.a not in there or rule.b not in there:
                continue
            axis, sign = DIRECTIONS[rule.is_]
            distance = sign * float(there[rule.a].centroid[axis] - there[rule.b].centroid[axis])
            if distance < rule.margin_mm:
                weight = self.weights["relation"] * _grown(rule.margin_mm - distance, 15.0)
                detail = f"mm {rule.a} is {rule.is_} {rule.b}"
                for one, other in ((rule.a, rule.b), (rule.b, rule.a)):
                    found.append(
                        Violation(one, "relation", distance, rule.margin_mm, weight, other, detail)
                    )
        return found

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


def combined_weight(violations: Sequence[Violation]) -> float:
    """Noisy-or of the weights: the chance of an error if each violation spoke for itself."""
    return float(1.0 - np.prod([1.0 - min(v.weight, 0.99) for v in violations]))


def _blamed(related: Sequence[Violation]) -> list[Violation]:
    """Relations weighed by blame: who breaks three is more likely wrong than its partners."""
    counts: dict[str, int] = {}
    for v in related:
        counts[v.class_id] = counts.get(v.class_id, 0) + 1
    return [
        Violation(
            **{
                **asdict(v),
                "weight": v.weight * counts[v.class_id] / max(counts[v.class_id], counts[v.other]),
            }
        )
        for v in related
    ]


def _grown(beyond: float, full: float) -> float:
    """Half at the limit, growing to 1 at `full` beyond it."""
    return float(0.5 + 0.5 * min(1.0, max(0.0, beyond) / full))
