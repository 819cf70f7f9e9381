"""Rules about what cannot be absent: by its neighbours, by the other side, by sex and by what the
scan shows; and the volumes of the two sides."""

from collections.abc import Iterator

import numpy as np

from labeling.rules.case import Case, Seen
from labeling.rules.outcome import Outcome
from labeling.rules.sides import middle_at

BODY_SHARE = 0.6  # of the body's width at that height, from its middle
EDGE_MM = 10.0  # from the scan's ends: a structure may begin there


def presence(case: Case) -> Iterator[Outcome]:
    """What cannot be absent where others are there and whole is not; see `Presence`."""
    for rule in case.anatomy.presence:
        if rule.want not in case.structures or (rule.sex and case.facts.sex not in ("", rule.sex)):
            continue
        given = " and ".join(f"the {case.name(c)}" for c in rule.given)
        name = case.name(rule.want)
        told = {"other": "+".join(rule.given), "limit": 1.0}
        told["hard"] = not case.rules(rule.want).removable
        if rule.want in case.there:
            words = f"the {name} is there, as {given}"
            yield case.told(rule.want, "presence", "holds", words, value=1.0, **told)
            continue
        cut = [
            c for c in rule.given
            if c in case.there and case.there[c].cut and c not in rule.may_be_cut
        ]  # fmt: skip
        why = case.why_unknown(rule.given)
        if rule.sex and not case.facts.sex:
            why = why or "the patient's sex is not known"
        if cut:
            why = why or f"the scan cuts off the {', '.join(case.name(c) for c in cut)}"
        if why:
            yield case.told(rule.want, "presence", "unknown", why, value=0.0, **told)
            continue
        words = (
            f"the {name} is empty though {given} {'is' if len(rule.given) == 1 else 'are'} there"
        )
        yield case.broken(
            rule.want, "presence", words + unless(case, rule.want), beyond=(1.0, 1.0),
            value=0.0, **told,
        )  # fmt: skip


def pair(case: Case) -> Iterator[Outcome]:
    """Of a paired structure that lies well inside the scan the other side is not empty.

    Its place is that of the one that is there, mirrored at the body's middle; it has to lie in the
    scan, and with a scan in the body.
    """
    vocabulary = case.anatomy.vocabulary
    for class_id, seen in case.there.items():
        other = vocabulary[class_id].pair if class_id in vocabulary else ""
        if not other or vocabulary[class_id].lesion:
            continue
        told = {"other": class_id, "limit": 1.0, "hard": not case.rules(other).removable}
        if other in case.there:
            yield case.told(other, "pair", "holds", "both sides are there", value=1.0, **told)
            continue
        why = case.why_unknown([other]) if other not in case.structures else _unseen(case, seen)
        if why:
            yield case.told(other, "pair", "unknown", why, **told)
            continue
        words = f"the {case.name(other)} is empty, though the {case.name(class_id)} is there and "
        words += "its place lies in the scan" + unless(case, other)
        yield case.broken(other, "pair", words, beyond=(1.0, 1.0), value=0.0, **told)


def _unseen(case: Case, seen: Seen) -> str:
    """Why the mirrored place of a structure may lie outside the scan; empty: it lies inside."""
    if seen.cut:
        return f"the scan cuts off the {case.name(seen.s.class_id)}"
    place = seen.centroid.copy()
    middle, _ = middle_at(case, float(place[2]))
    if middle is None:
        return "nothing says where the body's middle is"
    place[0] = 2 * middle - place[0]
    inverse = np.linalg.inv(seen.s.affine)
    index = inverse[:3, :3] @ place + inverse[:3, 3]
    edge = EDGE_MM / np.linalg.norm(seen.s.affine[:3, :3], axis=0)
    if (index < edge).any() or (index > np.array(seen.s.shape) - 1 - edge).any():
        return "its place lies outside the scan"
    if case.facts.body is not None:
        r, _, width, _ = case.facts.body.around(place[2], place[2])
        if not abs(place[0] - r) <= BODY_SHARE * width:
            return "its place lies outside the body"
    return ""


def ratio(case: Case) -> Iterator[Outcome]:
    """The two sides of a pair have about the same volume; unknown where the scan cuts one."""
    vocabulary = case.anatomy.vocabulary
    for class_id, seen in case.there.items():
        limit = case.rules(class_id).pair_ratio
        other = vocabulary[class_id].pair if class_id in vocabulary else ""
        if not limit or not other:
            continue
        told = {"limit": limit, "other": other, "unit": "ratio", "box": seen.box}
        if other not in case.there:
            yield case.told(class_id, "ratio", "unknown", case.why_unknown([other]), **told)
            continue
        ml = seen.s.ml, case.there[other].s.ml
        value = max(ml) / min(ml)
        words = f"the {case.name(class_id)} has {ml[0]:.3g} mL, the {case.name(other)} "
        words += f"{ml[1]:.3g} mL: {value:.1f} times; up to {limit:g} times is plausible"
        told["value"] = value
        if seen.cut or case.there[other].cut:
            words += ", but the scan cuts one of them off"
            yield case.told(class_id, "ratio", "unknown", words, **told)
        elif value <= limit:
            yield case.told(class_id, "ratio", "holds", words, **told)
        else:
            over = (float(np.log2(value / limit)), 2.0)
            yield case.broken(class_id, "ratio", words, beyond=over, **told)


def unless(case: Case, class_id: str) -> str:
    """What absence may be due to all the same, in words."""
    removable = case.rules(class_id).removable
    return " (unless it was taken out or never was)" if removable else ""
