"""What kind of error a label has, told from what made it suspect and what was put in its place.

The kinds are those that ScaleMAI (arXiv:2501.03410, figure 5) and AbdomenAtlas-8K
(arXiv:2305.09666) report of public labels, the same that the synthetic cohort plants. Nobody sees
the masks here: the numbers that detection, the rules and the judge have left decide, the most
telling first. A label of another patient cannot be told from a misplaced one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labeling.expert.difference import NEARLY, Difference
from labeling.expert.tot import RELIABLE


@dataclass(frozen=True)
class Kind:
    """One kind of error: its name for people and what is meant."""

    name: str
    about: str


KINDS: Mapping[str, Kind] = {
    "missing": Kind("missing", "the structure is there, its label is empty"),
    "false_positive": Kind("false positive", "the label shows what is not there"),
    "left_right_swap": Kind("left and right swapped", "the label lies on the other side's organ"),
    "wrong_class": Kind("wrong class", "the label shows another organ"),
    "misplaced": Kind("misplaced", "the label hardly meets the organ, or is another patient's"),
    "cut_off": Kind("cut off", "an end or a part of the organ is lacking"),
    "disconnected": Kind("extra pieces", "pieces that do not belong to the organ"),
    "merged": Kind("merged", "a part of a neighbour is in the label"),
    "eroded": Kind("too small", "too small all around"),
    "dilated": Kind("too large", "too large all around, or in a part"),
    "noisy_border": Kind("noisy border", "a frayed border, or noise"),
    "abnormal_shape": Kind("abnormal shape", "unlike other labels of the class, no more is known"),
    "unclear": Kind("unclear", "models, rules or people object, no more is known"),
}
PLANTED_ONLY = {"other_patient": "misplaced"}  # kinds that are planted -> what they look like
OF_EFFECTS = {  # rule of the fusion -> kind of the error that it took away
    "side": "left_right_swap", "mirrored": "left_right_swap", "order": "misplaced",
    "inside": "misplaced", "speck": "disconnected", "single": "disconnected", "exclusion": "merged",
}  # fmt: skip
MEANT = 0.3  # chance from which a witness names the kind, as in `labeling.expert.suspicion`
FEW = 0.05  # share below which nothing is shared
HARDLY = 0.3  # share of a label in the right place below which it is in a wrong one
LARGELY = 0.5
MOSTLY = 0.6  # share of a label in another one from which it shows that one
APART = 1.2  # ratio of two volumes from which they differ
ODD = 3.0  # SD from which a feature is telling
SHRUNK = 2.0  # SD from which a side is shorter than usual
WELL = 0.8  # usual DSC of a class from which its predictions are drawn well
SWAP_RULES = ("side", "anchor", "mirrored")
PLACE_RULES = ("relation", "order", "between", "near", "nearer", "midline", "side", "anchor")
SIZES = ("height_mm", "width_mm", "depth_mm")
PLACES = ("place_r", "place_a", "place_s")


@dataclass(frozen=True)
class Clues:
    """What is known of a label that is thought to be wrong; anything may be unknown.

    Attributes:
        ml: of the label.
        other_ml: of what was put in its place, else of the prediction.
        predicted_ml: of the prediction.
        dsc: of the label and the prediction.
        kept: DSC of the label and what was put in its place.
        chosen: name of the candidate that won (`labeling.expert.repairs.DRAWN`, a model ...).
        removed: nothing was put in its place, or an empty mask.
        is_paired: the class has another side.
        parts: witness to its chance.
        rules: broken rules, as `labeling.rules.Violation.plain` gives them.
        oddities: feature to SD from the usual.
        difference: of label and prediction (`labeling.expert.difference.Difference`), as plain
            data: of a part that is lacking or too much it tells where that lies.
        is_well_drawn: the models find the class well: where their prediction differs they are
            likely right. With models of a DSC of 0.7 the difference took the name from 20 of 82
            errors that had the right one (docs/errors.md).
    """

    ml: float | None = None
    other_ml: float | None = None
    predicted_ml: float | None = None
    dsc: float | None = None
    kept: float | None = None
    chosen: str = ""
    removed: bool = False
    is_paired: bool = False
    parts: Mapping[str, float] = field(default_factory=dict)
    rules: Sequence[Mapping[str, Any]] = ()
    oddities: Mapping[str, float] = field(default_factory=dict)
    difference: Mapping[str, Any] = field(default_factory=dict)
    is_well_drawn: bool = False

    @property
    def broken(self) -> set[str]:
        """The names of the broken rules."""
        return {str(rule["rule"]) for rule in self.rules}

    @property
    def inside(self) -> float | None:
        """Share of the label that lies in what it should be, as far as that is known."""
        return None if self._common is None or not self.ml else self._common / self.ml

    @property
    def found(self) -> float | None:
        """Share of what should be labelled that the label holds."""
        return None if self._common is None or not self.true_ml else self._common / self.true_ml

    @property
    def true_ml(self) -> float | None:
        """What the label's volume should be, as far as that is known."""
        return self.predicted_ml if self.other_ml is None else self.other_ml

    @property
    def _common(self) -> float | None:
        """mL in both, from their Dice coefficient and volumes."""
        dsc = self.dsc if self.other_ml is None else self.kept
        if dsc is None or self.ml is None or self.true_ml is None:
            return None
        return dsc * (self.ml + self.true_ml) / 2

    @property
    def ratio(self) -> float | None:
        """The label's volume over what it should be; without that, as far as it is unusual."""
        if self.ml and self.true_ml:
            return self.ml / self.true_ml
        z = self.oddities.get("log_ml", 0.0)
        return None if abs(z) < ODD else (2.0 if z > 0 else 0.5)

    def n_odd(self, names: Collection[str]) -> int:
        """How many of the features are odd."""
        return sum(abs(self.oddities.get(name, 0.0)) >= ODD for name in names)

    @property
    def n_short(self) -> int:
        """How many sides are shorter than usual."""
        return sum(self.oddities.get(name, 0.0) <= -SHRUNK for name in SIZES)


def clues_of(evidence: Mapping[str, Any], *, is_paired: bool) -> Clues:
    """What a suspicion's evidence (`labeling.expert.suspicion.evidence_of`) tells of the kind.

    Where the models do not find the class, or there are none, their prediction tells nothing;
    where they find it well, the parts in which it differs tell more than anything else.
    """
    comparison: Mapping[str, Any] = evidence.get("comparison") or {}
    usual = evidence.get("usual_dsc")
    is_told = (usual is None or usual >= RELIABLE[0]) and comparison.get("n_models", 1) > 0
    predicted = comparison if is_told and comparison.get("dsc") is not None else {}
    return Clues(
        ml=comparison.get("label_ml"),
        predicted_ml=predicted.get("predicted_ml"),
        dsc=predicted.get("dsc"),
        is_paired=is_paired,
        parts=evidence.get("parts", {}),
        rules=evidence.get("violations", ()),
        oddities=evidence.get("oddities", {}),
        difference=(evidence.get("difference") or {}) if predicted else {},
        is_well_drawn=usual is not None and usual >= WELL,
    )


def kind_of(clues: Clues) -> str:
    """The kind of error, of `KINDS`."""
    if clues.ml == 0:
        return "missing"
    if _is_swapped(clues):
        return "left_right_swap"
    if _is_nothing(clues):
        return "false_positive"
    if _is_of_another_class(clues):
        return "wrong_class"
    kind = _of_border(clues) or _of_extent(clues) or _of_place(clues) or _of_looks(clues)
    if kind == "misplaced" or clues.chosen or not clues.difference:
        return kind
    found = Difference(**clues.difference)
    is_slight = min(found.inside, found.found) >= NEARLY  # what predictions hardly see rules name
    is_named = kind not in ("abnormal_shape", "unclear")
    if is_named and (is_slight or not clues.is_well_drawn):
        return kind
    return found.kind() or kind


def of_volumes(before_ml: float | None, after_ml: float | None) -> str:
    """The kind as far as the sizes before and after tell it: of what a person has drawn anew."""
    if before_ml is None or after_ml is None:
        return "unclear"
    if not before_ml:
        return "missing" if after_ml else "unclear"
    return kind_of(Clues(ml=before_ml, other_ml=after_ml, removed=not after_ml))


def _is_swapped(clues: Clues) -> bool:
    if not clues.is_paired:
        return False
    parts = clues.parts
    wrong = parts.get("tot_wrong_class", 0.0)
    if clues.chosen.startswith("exchanged") or parts.get("tot_swapped", 0.0) >= max(MEANT, wrong):
        return True
    is_aside = bool(clues.broken & set(SWAP_RULES))
    return is_aside and wrong < MEANT and (clues.inside or 0.0) < HARDLY


def _is_nothing(clues: Clues) -> bool:
    if clues.removed or clues.chosen == "empty" or "sex" in clues.broken:
        return True
    if clues.chosen or not clues.ml or clues.dsc is None or clues.predicted_ml is None:
        return False
    return clues.predicted_ml < FEW * clues.ml and clues.dsc < FEW


def _is_of_another_class(clues: Clues) -> bool:
    if (clues.found or 0.0) >= LARGELY:
        return False  # the organ itself is in the label, too
    is_other = clues.parts.get("tot_wrong_class", 0.0) >= MEANT
    return is_other or ((clues.inside or 0.0) < HARDLY and _claimed(clues) >= MOSTLY)


def _claimed(clues: Clues) -> float:
    """The largest part of the label that another label claims."""
    if not clues.ml:
        return 0.0
    found = [r for r in clues.rules if r["rule"] == "overlap" and r.get("unit") == "mL"]
    return max((float(r.get("value") or 0.0) / clues.ml for r in found), default=0.0)


def _of_border(clues: Clues) -> str:
    """Noise, parts of neighbours and loose pieces; noise makes pieces, too."""
    name = clues.chosen
    is_rough = clues.oddities.get("rough", 0.0) >= ODD
    if (is_rough and _or(clues.inside, 1.0) >= FEW) or name.startswith("smoothed"):
        return "noisy_border"
    is_loose = clues.oddities.get("loose_share", 0.0) >= ODD or "pieces" in clues.broken
    if _or(clues.found, 1.0) >= LARGELY and _or(clues.ratio, 1.0) >= 1.0:
        beyond = 1.0 - _or(clues.inside, 0.5)
        if _claimed(clues) >= max(FEW, MOSTLY * beyond) or name.startswith("without_neighbours"):
            return "merged"
    if name.startswith(("largest", "predicted_pieces")):
        return "disconnected"
    return "disconnected" if is_loose and _or(clues.found, 1.0) >= HARDLY else ""


def _of_extent(clues: Clues) -> str:
    """By what is lacking, or too much."""
    ratio = clues.ratio
    if ratio is not None and ratio > 1.0 and _or(clues.found, 1.0) >= LARGELY:
        is_shared = _claimed(clues) >= FEW or clues.parts.get("tot_wrong_class", 0.0) >= MEANT
        if clues.true_ml and is_shared:
            return "merged"
        return "dilated" if ratio > APART else ""
    if ratio is not None and ratio < 1 / APART and _or(clues.inside, 1.0) >= HARDLY:
        return "eroded" if clues.n_short > 1 and "gap" not in clues.broken else "cut_off"
    return ""


def _of_place(clues: Clues) -> str:
    is_aside = clues.n_odd(PLACES) > 0 or bool(clues.broken & set(PLACE_RULES))
    if clues.inside is None:
        return "misplaced" if is_aside else ""
    return "misplaced" if clues.inside < (LARGELY if is_aside else HARDLY) else ""


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def _of_looks(clues: Clues) -> str:
    is_odd = clues.parts.get("shape", 0.0) >= MEANT or bool(clues.oddities)
    return "abnormal_shape" if is_odd else "unclear"
