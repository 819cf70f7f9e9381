"""Rules about where structures lie to one another, in mm along the body's axes."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from labeling.anatomy import DIRECTIONS, Nearer, Order
from labeling.rules.case import FACES, Case, Seen
from labeling.rules.outcome import Outcome
from labeling.rules.presence import unless

FULL_MM = 15.0  # beyond the limit: the weight is full
WORDS = {
    "left_of": "left of",
    "right_of": "right of",
    "in_front_of": "in front of",
    "behind": "behind",
    "above": "above",
    "below": "below",
}


def relation(case: Case) -> Iterator[Outcome]:
    """One centroid lies so far in a direction from another.

    Where the scan cuts one of them so that its centroid is moved against the rule, only structures
    that lie apart in the wrong order break it; else it is unknown. Of the two the one that breaks
    fewer relations is blamed less.
    """
    broken: list[Outcome] = []
    for rule in case.anatomy.relations:
        there = [c for c in (rule.a, rule.b) if c in case.there]
        told = {"limit": rule.margin_mm, "unit": "mm"}
        if len(there) < 2:
            for known in there:
                other = rule.b if known == rule.a else rule.a
                why = case.why_unknown([other])
                yield case.told(known, "relation", "unknown", why, other=other, **told)
            continue
        a, b = case.there[rule.a], case.there[rule.b]
        axis, sign = DIRECTIONS[rule.is_]
        distance = sign * float(a.centroid[axis] - b.centroid[axis])
        told["value"] = distance
        words = f"the {case.name(rule.a)} lies {distance:.0f} mm {WORDS[rule.is_]} the "
        words += f"{case.name(rule.b)}; it should be {rule.margin_mm:g} mm or more"
        pairs = ((a, rule.b), (b, rule.a))
        if distance >= rule.margin_mm:
            for one, other in pairs:
                yield case.told(
                    one.s.class_id, "relation", "holds", words, other=other, box=one.box, **told
                )
        elif cut_against(a, b, axis, sign) and not apart(a, b, axis, sign):
            words += ", but the scan cuts one of them off"
            for one, other in pairs:
                yield case.told(
                    one.s.class_id, "relation", "unknown", words, other=other, box=one.box, **told
                )
        else:
            over = (rule.margin_mm - distance, FULL_MM)
            broken += [
                case.broken(
                    one.s.class_id, "relation", words, other=other, beyond=over, box=one.box, **told
                )
                for one, other in pairs
            ]
    yield from blamed(broken)


def cut_against(a: Seen, b: Seen, axis: int, sign: float) -> bool:
    """Whether the scan's end moves the centroids of `a` (wanted further in the direction) or `b`
    towards each other."""
    low, high = FACES[axis] if sign > 0 else FACES[axis][::-1]
    return high in a.cut or low in b.cut


def apart(a: Seen, b: Seen, axis: int, sign: float) -> bool:
    """Whether all of `a` lies on the wrong side of all of `b`."""
    if sign > 0:
        return bool(a.extent[1, axis] < b.extent[0, axis])
    return bool(a.extent[0, axis] > b.extent[1, axis])


def blamed(related: Sequence[Outcome]) -> list[Outcome]:
    """Violations weighed by blame: who breaks three is more likely wrong than its partners."""
    counts: dict[str, int] = {}
    for v in related:
        counts[v.class_id] = counts.get(v.class_id, 0) + 1
    return [
        replace(
            v,
            weight=v.weight * counts[v.class_id] / max(counts[v.class_id], counts.get(v.other, 0)),
        )
        for v in related
    ]


def row(case: Case) -> Iterator[Outcome]:
    """Classes in a row (vertebrae, ribs, lobes) lie in their order, and none between is absent."""
    for rule in case.anatomy.orders:
        there = [c for c in rule.classes if c in case.there]
        if len(there) > 1:
            yield from _ordered(case, rule, there)
        elif there:
            why = "no other of its row is there"
            yield case.told(there[0], "order", "unknown", why, unit="mm", limit=rule.margin_mm)
        if rule.complete and len(there) > 1:
            first, last = (rule.classes.index(c) for c in (there[0], there[-1]))
            for n in range(first + 1, last):
                if case.is_absent(rule.classes[n]):
                    yield _gone(case, rule, n, there)


def _gone(case: Case, rule: Order, n: int, there: Sequence[str]) -> Outcome:
    class_id = rule.classes[n]
    before = max((c for c in there if rule.classes.index(c) < n), key=rule.classes.index)
    after = min((c for c in there if rule.classes.index(c) > n), key=rule.classes.index)
    words = f"no {case.name(class_id)} between {case.name(before)} and {case.name(after)}"
    return case.broken(
        class_id, "presence", words + unless(case, class_id), beyond=(1.0, 1.0), value=0.0,
        limit=1.0, other=before, hard=not case.rules(class_id).removable,
    )  # fmt: skip


def _ordered(case: Case, rule: Order, there: Sequence[str]) -> Iterator[Outcome]:
    axis, sign = DIRECTIONS[rule.is_]
    places = [_place(case.there[c], rule, axis, sign) for c in there]
    broken: dict[str, list[Outcome]] = {}
    doubtful = set()
    for n, one in enumerate(there):
        for m in range(n + 1, len(there)):
            other, distance = there[m], places[n] - places[m]
            if distance >= rule.margin_mm:
                continue
            a, b = case.there[one], case.there[other]
            if cut_against(a, b, axis, sign) and not apart(a, b, axis, sign):
                doubtful |= {one, other}
                continue
            words = f"the {case.name(one)} lies {distance:.0f} mm {WORDS[rule.is_]} the "
            words += f"{case.name(other)}; it should be {rule.margin_mm:g} mm or more"
            for c, d in ((one, other), (other, one)):
                broken.setdefault(c, []).append(
                    case.broken(
                        c, "order", words, beyond=(rule.margin_mm - distance, FULL_MM),
                        value=distance, limit=rule.margin_mm, unit="mm", other=d,
                        box=case.there[c].box,
                    )
                )  # fmt: skip
    weighed = blamed([v for found in broken.values() for v in found])
    for c, found in broken.items():
        own = [v for v in weighed if v.class_id == c]
        worst = max(own, key=lambda v: v.weight)
        yield replace(worst, evidence={"out_of_order_with": [v.other for v in found]})
    for c in there:
        if c not in broken:
            state, words = "holds", f"the {case.name(c)} lies in its row ({len(there)} are there)"
            if c in doubtful:
                state, words = "unknown", f"the scan cuts the {case.name(c)} or its neighbour off"
            told = {"unit": "mm", "limit": rule.margin_mm, "box": case.there[c].box}
            yield case.told(c, "order", state, words, **told)  # type: ignore[arg-type]


def _place(seen: Seen, rule: Order, axis: int, sign: float) -> float:
    if rule.by == "centroid":
        return sign * float(seen.centroid[axis])
    return sign * float(seen.extent[1 if sign > 0 else 0, axis])


def between(case: Case) -> Iterator[Outcome]:
    """From left to right a centroid lies between two others, whichever of these is the left one."""
    for rule in case.anatomy.between:
        if rule.class_ not in case.there:
            continue
        seen, other = case.there[rule.class_], "+".join(rule.of)
        told = {"unit": "mm", "other": other, "limit": -rule.margin_mm, "box": seen.box}
        why = case.why_unknown(rule.of)
        if why:
            yield case.told(rule.class_, "between", "unknown", why, **told)
            continue
        low, high = sorted(float(case.there[c].centroid[0]) for c in rule.of)
        right = float(seen.centroid[0])
        room = min(right - low, high - right)
        names = " and ".join(f"the {case.name(c)}" for c in rule.of)
        where = f"{room:.0f} mm within" if room >= 0 else f"{-room:.0f} mm beyond"
        words = f"the {case.name(rule.class_)} lies {where} the room between {names}"
        if room >= -rule.margin_mm:
            yield case.told(rule.class_, "between", "holds", words, value=room, **told)
        else:
            over = (-rule.margin_mm - room, FULL_MM)
            yield case.broken(rule.class_, "between", words, beyond=over, value=room, **told)


def nearer(case: Case) -> Iterator[Outcome]:
    """Along the body axis a centroid lies nearer to some structures than to others.

    Measured to their nearest level: the middle of a femur lies far below the hip where legs are
    seen whole, and at it where the scan ends there.
    """
    for rule in case.anatomy.nearer:
        if rule.class_ not in case.there:
            continue
        seen = case.there[rule.class_]
        to, than = (_nearest(case, seen, group) for group in (rule.to, rule.than))
        told = {"unit": "mm", "limit": 0.0, "other": "+".join(rule.to), "box": seen.box}
        if to is None or than is None:
            why = case.why_unknown(rule.to if to is None else rule.than)
            yield case.told(rule.class_, "nearer", "unknown", why, **told)
            continue
        words = (
            f"along the body the {case.name(rule.class_)} lies {to:.0f} mm from "
            f"{_names(case, rule, 'to')} and {than:.0f} mm from {_names(case, rule, 'than')}"
        )
        told |= {"value": than - to, "evidence": {"to_mm": to, "than_mm": than}}
        if to <= than:
            yield case.told(rule.class_, "nearer", "holds", words, **told)
        else:
            words += "; it should be the other way round"
            over = (to - than, FULL_MM)
            yield case.broken(rule.class_, "nearer", words, beyond=over, **told)


def _nearest(case: Case, seen: Seen, group: Sequence[str]) -> float | None:
    up = seen.centroid[2]
    ends = [case.there[c].extent[:, 2] for c in group if c in case.there]
    return min((float(max(low - up, up - high, 0.0)) for low, high in ends), default=None)


def _names(case: Case, rule: Nearer, which: str) -> str:
    return " or ".join(f"the {case.name(c)}" for c in getattr(rule, which) if c in case.there)


def near(case: Case) -> Iterator[Outcome]:
    """Two centroids lie no further apart than written; unknown where the scan cuts one of them."""
    for rule in case.anatomy.near:
        there = [c for c in (rule.a, rule.b) if c in case.there]
        told = {"unit": "mm", "limit": rule.mm}
        if len(there) < 2:
            for known in there:
                other = rule.b if known == rule.a else rule.a
                why = case.why_unknown([other])
                yield case.told(known, "near", "unknown", why, other=other, **told)
            continue
        a, b = case.there[rule.a], case.there[rule.b]
        distance = float(np.linalg.norm(a.centroid - b.centroid))
        words = f"the centres of the {case.name(rule.a)} and the {case.name(rule.b)} lie "
        words += f"{distance:.0f} mm apart; {rule.mm:g} mm may be"
        for one, other in ((a, rule.b), (b, rule.a)):
            c = one.s.class_id
            told |= {"value": distance, "other": other, "box": one.box}
            if distance <= rule.mm:
                yield case.told(c, "near", "holds", words, **told)
            elif a.cut or b.cut:
                yield case.told(c, "near", "unknown", f"{words}; the scan cuts one off", **told)
            else:
                yield case.broken(c, "near", words, beyond=(distance - rule.mm, rule.mm), **told)
