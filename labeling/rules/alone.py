"""Rules about one structure: volume, height, density, pieces, sex."""

from collections.abc import Iterator

import numpy as np

from labeling.rules.case import Case, Seen, plain_box
from labeling.rules.outcome import Outcome
from labeling.structures import further_pieces
from voxcurate.masks import label_boxes


def volume(case: Case) -> Iterator[Outcome]:
    """The volume lies in its range; the lower end is not asked of what the scan cuts off."""
    for class_id, seen in case.asked.items():
        limits = case.rules(class_id).ml
        if limits:
            yield _range(case, seen, "volume", seen.s.ml, limits, sorted(seen.cut), "mL")


def height(case: Case) -> Iterator[Outcome]:
    """The extent along the body axis lies in its range; as for the volume."""
    for class_id, seen in case.asked.items():
        limits = case.rules(class_id).height_mm
        if limits:
            low, high = seen.extent[:, 2]
            cut = sorted(seen.cut & {"top", "bottom"})
            yield _range(case, seen, "height", float(high - low), limits, cut, "mm")


def _range(
    case: Case,
    seen: Seen,
    rule: str,
    value: float,
    limits: tuple[float, float],
    cut: list[str],
    unit: str,
) -> Outcome:
    class_id, (low, high) = seen.s.class_id, limits
    name = case.name(class_id)
    told = {"value": value, "unit": unit, "box": seen.box, "evidence": {"cut_at": cut}}
    usual = f"{low:g} to {high:g} {unit} are plausible"
    if cut and value <= high:
        why = f"the scan cuts the {name} off at the {' and '.join(cut)}; what is seen of it: "
        return case.told(class_id, rule, "unknown", f"{why}{value:.3g} {unit}", limit=low, **told)
    limit = low if value < low else high
    words = f"the {name} has a {rule} of {value:.3g} {unit}"
    if low <= value <= high:
        return case.told(class_id, rule, "holds", f"{words}; {usual}", limit=limit, **told)
    words += f", limit {limit:g} {unit}: {usual}"
    ratio = abs(np.log2(max(value, 1e-6) / max(limit, 1e-6)))  # twice too much weighs full
    return case.broken(class_id, rule, words, beyond=(float(ratio), 1.0), limit=limit, **told)


def density(case: Case) -> Iterator[Outcome]:
    """The median HU inside lies in its range; unknown without a CT."""
    for class_id, seen in case.asked.items():
        limits = case.rules(class_id).hu
        if not limits:
            continue
        low, high = limits
        name, value = case.name(class_id), case.facts.hu.get(class_id)
        if value is None or not np.isfinite(value):
            yield case.told(class_id, "hu", "unknown", f"no CT values for the {name}", unit="HU")
            continue
        limit = low if value < low else high
        told = {"value": float(value), "limit": limit, "unit": "HU", "box": seen.box}
        words = f"the {name} has a median of {value:.0f} HU; {low:g} to {high:g} HU are plausible"
        if low <= value <= high:
            yield case.told(class_id, "hu", "holds", words, **told)
        else:
            yield case.broken(class_id, "hu", words, beyond=(abs(value - limit), 100.0), **told)


def pieces(case: Case) -> Iterator[Outcome]:
    """A single organ is one piece, but for a little; what may join outside the scan counts as
    joined, see `further_pieces`."""
    vocabulary = case.anatomy.vocabulary
    for class_id, seen in case.asked.items():
        single = class_id in vocabulary and vocabulary[class_id].single
        if not single and case.rules(class_id).pieces_ml is None:
            continue
        s, name = seen.s, case.name(class_id)
        allowed = case.anatomy.tolerated_ml(s)
        further = further_pieces(s, 0.0)
        rest = float(s.pieces[1][[n - 1 for n in further]].sum())
        told = {"value": rest, "limit": allowed, "unit": "mL"}
        if rest <= allowed:
            words = f"the {name} is one piece ({rest:.2g} mL lie apart)"
            yield case.told(class_id, "pieces", "holds", words, **told)
            continue
        inner = label_boxes(s.pieces[0])[further[0]]
        box = plain_box(tuple(  # type: ignore[arg-type]
            slice(o.start + i.start, o.start + i.stop) for o, i in zip(s.box, inner, strict=True)
        ))  # fmt: skip
        many = f"{len(further)} further piece{'s' if len(further) > 1 else ''}"
        words = f"the {name} has {many} with {rest:.3g} mL; it is one organ ({allowed:.2g} mL may)"
        yield case.broken(
            class_id, "pieces", words, beyond=(rest - allowed, max(0.25 * s.ml, allowed)),
            evidence={"n_further_pieces": len(further)}, box=box, **told,
        )  # fmt: skip


def sex(case: Case) -> Iterator[Outcome]:
    """An organ of one sex is not there in the other; unknown where the sex is."""
    for class_id, seen in case.asked.items():
        wanted, name = case.rules(class_id).sex, case.name(class_id)
        if not wanted:
            continue
        told = {"value": seen.s.ml, "limit": 0.0, "unit": "mL", "box": seen.box}
        if not case.facts.sex:
            yield case.told(class_id, "sex", "unknown", "the patient's sex is not known", **told)
        elif wanted == case.facts.sex:
            yield case.told(class_id, "sex", "holds", f"a {name} in a {wanted} patient", **told)
        else:
            words = f"a {name} is labelled in a {case.facts.sex} patient"
            yield case.broken(class_id, "sex", words, beyond=(1.0, 1.0), **told)
