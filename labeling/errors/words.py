"""Witnesses that a label is wrong, in words for people."""

from collections.abc import Mapping, Sequence
from typing import Any

TELLING = 0.1  # chance below which a witness has nothing to say
MOST = 4  # witnesses, and broken rules, that are told
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
    more = f" and {len(told) - MOST} more" if len(told) > MOST else ""
    return "; ".join(told[:MOST]) + more


def oddities_in_words(oddities: Mapping[str, float]) -> str:
    """Features in SD from what is usual, the oddest first."""
    ranked = sorted(oddities.items(), key=lambda kv: (-abs(kv[1]), kv[0]))
    return ", ".join(f"{FEATURES.get(k, k)} {z:+.1f} SD" for k, z in ranked if abs(z) >= 1)
