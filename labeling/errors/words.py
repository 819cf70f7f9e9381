"""Witnesses that a label is wrong, in words for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from labeling.errors.kinds import KINDS
from labeling.errors.record import MENDS, LabelError

TELLING = 0.1  # chance below which a witness has nothing to say
MOST = 4  # witnesses that are told
MOST_RULES = 2
FOUND_BY = {  # part of the error probability -> of `labeling.errors.record.FOUND`
    "doubt": "probabilities", "rules": "rules", "shape": "shape", "absent": "view",
}  # fmt: skip
FEATURES = {
    "log_ml": "volume",
    "height_mm": "height",
    "width_mm": "width",
    "depth_mm": "depth",
    "place_r": "place from right to left",
    "place_a": "place from front to back",
    "place_s": "place from foot to head",
    "loose_share": "share in loose pieces",
    "long": "elongation",
    "flat": "flatness",
    "rough": "roughness",
    "hu_median": "median HU",
    "hu_spread": "spread of HU",
    "hu_border": "HU at the border",
    "log_contrast": "contrast at the border",
}


def found_by(parts: Mapping[str, float]) -> tuple[str, ...]:
    """Which kinds of witnesses spoke, the strongest first."""
    strongest: dict[str, float] = {}
    for name, chance in parts.items():
        kind = FOUND_BY.get(name, "models" if name.startswith("tot_") else name)
        strongest[kind] = max(chance, strongest.get(kind, 0.0))
    told = [k for k, chance in strongest.items() if chance >= TELLING]
    return tuple(sorted(told, key=lambda k: (-strongest[k], k)))


def in_words(evidence: Mapping[str, Any]) -> tuple[str, ...]:
    """What the witnesses of a suspected label say, the strongest first.

    Args:
        evidence: of the decision ``suspect_label``.
    """
    parts: Mapping[str, float] = evidence.get("parts", {})
    told = sorted((k for k in parts if parts[k] >= TELLING), key=lambda k: (-parts[k], k))
    lines = []
    for name in told[:MOST]:
        lines.append(f"{_witness(name, evidence)} ({_chance(parts[name])})")
    return tuple(lines)


def _chance(value: float) -> str:
    return "over 99 %" if value > 0.99 else f"{100 * value:.0f} %"


def _witness(name: str, evidence: Mapping[str, Any]) -> str:
    comparison = evidence.get("comparison", {})
    best = str(comparison.get("best_class", "")).replace("_", " ")
    if name == "tot_outlier":
        return f"predictions agree far less than usual{_agreement(comparison)}"
    if name == "tot_no_overlap":
        return "the prediction does not touch the label"
    if name == "tot_missing":
        return f"the label is empty, the models find {comparison.get('predicted_ml', 0.0):.3g} mL"
    if name == "tot_swapped":
        return f"it fits the other side, {best} (DSC {comparison.get('best_dsc', 0.0):.2f})"
    if name == "tot_wrong_class":
        return f"it fits another class, {best} (DSC {comparison.get('best_dsc', 0.0):.2f})"
    if name == "doubt":
        return "the models' probabilities doubt more of it than usual"
    if name == "absent":
        return "it is empty, but the structure should be in view"
    if name == "rules":
        return "anatomy: " + rules_in_words(evidence.get("violations", ()))
    if name == "shape":
        return "unusual " + (oddities_in_words(evidence.get("oddities", {})) or "shape or place")
    return name.replace("_", " ")


def _agreement(comparison: Mapping[str, Any]) -> str:
    dsc = comparison.get("dsc")
    return "" if dsc is None else f" (DSC {dsc:.2f})"


def rules_in_words(violations: Sequence[Mapping[str, Any]]) -> str:
    """The heaviest broken rules."""
    ranked = sorted(violations, key=lambda v: -float(v.get("weight") or 0.0))
    told = list(dict.fromkeys(str(v["detail"]) for v in ranked))
    left = len(told) - MOST_RULES
    return "; ".join(told[:MOST_RULES]) + (f"; and {left} more" if left > 0 else "")


def oddities_in_words(oddities: Mapping[str, float]) -> str:
    """Features in SD from what is usual, the oddest first."""
    ranked = sorted(oddities.items(), key=lambda kv: (-abs(kv[1]), kv[0]))
    return ", ".join(f"{FEATURES.get(k, k)} {z:+.1f} SD" for k, z in ranked if abs(z) >= 1)


def became(error: LabelError) -> str:
    """What became of an error, and who decided it."""
    done = MENDS.get(error.mended, "")
    if error.mended in ("prediction", "repair") and error.chosen:
        done += f" ({error.chosen.replace('_', ' ')})"
    when = f" in round {error.mended_round}" if error.mended_round else ""
    who = f", by {error.by}" if error.by else ""
    if error.standing == "verified":
        return f"wrong, a person says; {done}{when}{who}"
    if error.standing == "refuted":
        taken = f": what had mended it ({done}) was taken back" if done else ""
        return f"right, a person says{taken}{who}"
    if error.standing == "kept":
        return f"kept: no other candidate is clearly better{who}"
    if error.standing == "mended":
        return f"{done}{when}{who}"
    return "waits for a person" + (f" ({error.by})" if error.by else "")


def undoing(error: LabelError) -> str:
    """How to take a decision back, or to make one; empty where there is nothing to undo."""
    place = f"{error.case_id} {error.class_id}"
    if error.standing == "open":
        return f"answer it in review/{max(error.seen, default=0)}/ (voxcurate review list)"
    is_done = error.mended not in ("", "rule") and error.standing in ("mended", "verified")
    if not is_done or not error.label_id:
        return ""
    return f'voxcurate labels undo {place} --to {error.label_id} --reason "..."'


def repeated(error: LabelError) -> str:
    """That an error came back; empty if it did not."""
    if not error.again:
        return ""
    what = "the same kind" if error.again == error.kind else KINDS[error.again].name
    how = "what mended it is at fault" if error.is_relapse else "a new drawing is at fault"
    return f"came back: {what} was found in round {error.again_round} and mended; {how}"
