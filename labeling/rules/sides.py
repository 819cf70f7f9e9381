"""Rules about left and right, in world coordinates: against the midline, the other side's
structure, and the organs whose side everybody knows."""

from collections.abc import Iterator, Mapping

import numpy as np

from labeling.rules.case import Case, Seen
from labeling.rules.outcome import Outcome

TILT = float(np.tan(np.radians(5.0)))  # of a patient on the table: mm sideways per mm along
ACROSS_BODY = np.array([1.0, 1.0, 0.0])  # the plane that left and right are told in
NEAREST = 3  # midline structures that say where the middle is at a height
MIRRORED_VOTES = 3  # for a mirrored scan, at least; and none against it
FULL_MM = 20.0  # beyond the limit: the weight is full


def side(case: Case) -> Iterator[Outcome]:
    """A structure with a side lies on it: of the midline, and of the other side's structure."""
    for class_id, seen in case.asked.items():
        own = case.anatomy.side_of(class_id)
        if not own:
            continue
        sign, right = _sign(own), float(seen.centroid[0])
        margin = case.anatomy.margin_of(class_id)
        pair = _pair(case, class_id)
        references: dict[str, tuple[float | None, float]] = {}
        if class_id not in case.anatomy.midline:
            references["the midline"] = middle_at(case, float(seen.centroid[2]))
        if pair in case.there:
            references[pair] = float(case.there[pair].centroid[0]), 0.0
        for other, (reference, slack) in references.items():
            name = f"the {case.name(other)}" if other == pair else other
            limit = margin - slack
            told = {"limit": limit, "unit": "mm", "other": other, "box": seen.box}
            if reference is None:
                why = "no midline structure and no scan say where the body's middle is"
                yield case.told(class_id, "side", "unknown", why, **told)
                continue
            beyond = sign * (right - reference)
            told |= {"value": beyond, "evidence": {"right_mm": right, "reference_mm": reference}}
            if beyond >= limit:
                words = f"the {case.name(class_id)} lies {beyond:.0f} mm to the {own} of {name}"
                yield case.told(class_id, "side", "holds", words, **told)
                continue
            words = f"the {case.name(class_id)} should lie to the {own} of {name}, but lies "
            lies = f"{-beyond:.0f} mm to the {_mirror(own)}" if beyond < 0 else "at it"
            over = (limit - beyond, FULL_MM)
            yield case.broken(class_id, "side", words + lies, beyond=over, **told)


def middle_at(case: Case, height: float) -> tuple[float | None, float]:
    """World R coordinate of the body's middle at a height (S), and how far off it may be.

    The median of the midline structures nearest in height: in a long scan, or with a bent spine,
    those far away lie beside it. How far off grows with the distance from them, for patients lie
    aslant. Without any the scan's middle; None: unknown.
    """
    there = [case.there[c].centroid for c in case.anatomy.midline if c in case.there]
    if not there:
        return case.facts.middle, 0.0
    nearest = sorted(there, key=lambda place: abs(float(place[2]) - height))[:NEAREST]
    right, _, up = np.median(nearest, axis=0)
    return float(right), TILT * abs(height - float(up))


def anchor(case: Case) -> Iterator[Outcome]:
    """Of two sides, the one that belongs to the liver's side is the nearer one to it.

    Where there is no liver, the next of the anatomy's anchors (spleen, stomach, heart ...) says it.
    The place of the anchor is measured from the middle of the two, along the line through both as
    seen from the feet, so that neither the header's left and right, nor a turned patient, nor one
    side higher than the other (carotids, iliac vessels) counts; far anchors say less, for patients
    lie aslant.
    """
    for class_id, seen in case.there.items():
        pair = _pair(case, class_id)
        if not pair or (pair in case.there and case.anatomy.side_of(class_id) == "left"):
            continue  # told of both at the right one
        found = next(
            (a for a in case.anatomy.anchors if a in case.there and a not in (class_id, pair)), ""
        )
        if not found or pair not in case.there:
            yield case.told(
                class_id, "anchor", "unknown",
                f"cannot be held against an organ of a known side: {_why(case, pair, found)}",
                other=found or pair, unit="mm",
            )  # fmt: skip
            continue
        yield from _anchored(case, seen, case.there[pair], found)


def _anchored(case: Case, right: Seen, left: Seen, anchor_id: str) -> Iterator[Outcome]:
    across = (right.centroid - left.centroid) * ACROSS_BODY
    width = float(np.linalg.norm(across))
    away = case.there[anchor_id].centroid - (left.centroid + right.centroid) / 2
    toward = float(away @ across) / max(width, 1e-6)
    far = float(np.sqrt(max(float(away @ away) - toward**2, 0.0)))
    own = case.anatomy.side_of(anchor_id)
    toward *= _sign(own)
    limit = -TILT * far
    near, other = (right, left) if own == "right" else (left, right)
    state = "holds" if toward >= limit else "broken"
    names = [case.name(x.s.class_id) for x in (near, other)]
    words = f"the {case.name(anchor_id)} lies {abs(toward):.0f} mm nearer the "
    words += f"{names[0]} than the {names[1]}" if toward >= 0 else f"{names[1]} than the {names[0]}"
    told = {
        "value": toward, "limit": limit, "unit": "mm", "other": anchor_id,
        "evidence": {"apart_mm": width, "anchor_off_line_mm": far},
    }  # fmt: skip
    for seen in (right, left):
        class_id = seen.s.class_id
        if state == "holds":
            yield case.told(class_id, "anchor", "holds", words, box=seen.box, **told)
        else:
            yield case.broken(
                class_id, "anchor", f"{words}: left and right seem swapped",
                beyond=(limit - toward, FULL_MM), box=seen.box, **told,
            )  # fmt: skip


def mirrored(case: Case) -> Iterator[Outcome]:
    """The scan as a whole is not mirrored: organs of a known side and pairs do not all lie on the
    wrong side. Told of the scan (no class), beside what `side` says of each structure."""
    votes = side_votes(case)
    right, wrong = ([c for c, v in votes.items() if sign * v > 0] for sign in (1, -1))
    told = {"value": float(len(wrong)), "limit": 0.0, "unit": "structures"}
    told |= {"evidence": {"on_wrong_side": wrong, "on_right_side": right}}
    if is_mirrored(case, votes):
        names = ", ".join(case.name(c) for c in wrong)
        words = (
            f"{names} all lie on the wrong side: the masks or the scan's header are mirrored, or "
            "the patient's organs are (situs inversus)"
        )
        yield case.broken("", "mirrored", words, beyond=(1.0, 1.0), **told)
    elif right or wrong:
        words = f"{len(right)} of {len(right) + len(wrong)} structures with a side lie on it"
        yield case.told("", "mirrored", "holds", words, **told)


def side_votes(case: Case) -> dict[str, float]:
    """How far structures with a side lie on their own one (negative: on the other), in mm; one of
    each pair, held against its fellow. Those near the middle do not vote."""
    found: dict[str, float] = {}
    for class_id, seen in case.there.items():
        own, pair = case.anatomy.side_of(class_id), _pair(case, class_id)
        if not own or (pair in case.there and pair < class_id):
            continue
        middle, slack = middle_at(case, float(seen.centroid[2]))
        if pair in case.there:
            middle, slack = float(case.there[pair].centroid[0]), 0.0
        if middle is None:
            continue
        offset = _sign(own) * (float(seen.centroid[0]) - middle)
        if abs(offset) > case.anatomy.side_margin_mm + slack:
            found[class_id] = offset
    return found


def is_mirrored(case: Case, votes: Mapping[str, float]) -> bool:
    """Whether all `side_votes`, three or more, are for the wrong side; or all of organs that there
    is one of: in situs inversus kidneys and lungs may be called by the patient's sides."""
    alone = [v for c, v in votes.items() if not _pair(case, c)]
    return any(
        len(some) >= MIRRORED_VOTES and max(some) < 0 for some in (list(votes.values()), alone)
    )


def centred(case: Case) -> Iterator[Outcome]:
    """A midline structure lies near the body's middle: the scan's at its height, else the median
    of the other midline structures. Unknown where neither is there."""
    centres = {c: case.there[c].centroid for c in case.anatomy.midline if c in case.there}
    for class_id, seen in case.asked.items():
        limit = case.rules(class_id).midline_mm
        if limit is None:
            continue
        others = [float(r[0]) for c, r in centres.items() if c != class_id]
        low, high = seen.extent[:, 2]
        body = case.facts.body.around(low, high)[0] if case.facts.body else float("nan")
        where, middle = "the body's middle", body
        if not np.isfinite(body):
            where, middle = "the other midline structures", float(np.median(others or [np.nan]))
        told = {"limit": limit, "unit": "mm", "box": seen.box}
        if not np.isfinite(middle):
            why = "no scan and no other midline structure say where the body's middle is"
            yield case.told(class_id, "midline", "unknown", why, **told)
            continue
        off = abs(float(seen.centroid[0]) - middle)
        told |= {"value": off}
        words = f"the {case.name(class_id)} lies {off:.0f} mm from {where}"
        if off <= limit:
            yield case.told(class_id, "midline", "holds", words, **told)
        else:
            words += f"; {limit:g} mm may be"
            yield case.broken(class_id, "midline", words, beyond=(off - limit, limit), **told)


def _pair(case: Case, class_id: str) -> str:
    vocabulary = case.anatomy.vocabulary
    return vocabulary[class_id].pair if class_id in vocabulary else ""


def _sign(side_name: str) -> float:
    return 1.0 if side_name == "right" else -1.0


def _mirror(side_name: str) -> str:
    return "left" if side_name == "right" else "right"


def _why(case: Case, pair: str, anchor_id: str) -> str:
    gone = case.why_unknown([pair])
    return gone if anchor_id else "; ".join(x for x in (gone, "none of those is labelled") if x)
