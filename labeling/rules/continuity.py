"""Tubes without gaps: present at every level along the body axis where they must be."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.anatomy import Continuity
from labeling.rules.case import Case, Seen, world_axes
from labeling.rules.outcome import Outcome
from labeling.structures import Structure
from voxcurate.volume import Affine


@dataclass(frozen=True)
class Levels:
    """Where a tube is missing between two heights.

    Attributes:
        n: levels looked at.
        missing: how many of them have no voxel.
        longest_mm: the longest run of those.
        gap: world S coordinates of its ends; NaN where nothing is missing.
    """

    n: int
    missing: int
    longest_mm: float
    gap: tuple[float, float]


def gap(case: Case) -> Iterator[Outcome]:
    """A tube is there at every level between two other structures' centroids, or its own ends."""
    for rule in case.anatomy.continuity:
        class_id = rule.class_
        if class_id not in case.structures or case.about not in ("", class_id):
            continue
        other = "+".join(rule.between or ())
        step = level_mm(case.structures[class_id].affine)
        limit = max(rule.gap_mm, 2 * step)
        told = {"unit": "mm", "limit": limit, "other": other}
        why = case.why_unknown(rule.between or ())
        if why or (rule.between is None and class_id not in case.there):
            if class_id in case.there:
                yield case.told(class_id, "gap", "unknown", why, **told)
            continue
        span = _span(case, rule)
        found = missing_levels(case.structures[class_id], *span)
        if not found.n:
            words = f"no level lies between {_ends(case, rule)}"
            yield case.told(class_id, "gap", "unknown", words, **told)
            continue
        share = found.missing / found.n
        where = {"gap_from_mm": found.gap[0], "gap_to_mm": found.gap[1]} if found.missing else {}
        told |= {
            "value": found.longest_mm,
            "evidence": {
                "missing_share": share, "n_levels": found.n, "from_mm": span[0], "to_mm": span[1],
                **where,
            },
        }  # fmt: skip
        name, ends = case.name(class_id), _ends(case, rule)
        words = f"the {name} is missing at {share:.0%} of the {found.n} levels between {ends}, "
        words += f"the longest gap is {found.longest_mm:.0f} mm"
        if found.longest_mm <= limit:
            whole = f"the {name} is there at all {found.n} levels between {ends}"
            yield case.told(class_id, "gap", "holds", words if found.missing else whole, **told)
            continue
        yield case.broken(
            class_id, "gap", f"{words} ({limit:.0f} mm may be)",
            beyond=(found.longest_mm - limit, 4 * limit),
            box=_gap_box(case, rule, found.gap), **told,
        )  # fmt: skip


def missing_levels(s: Structure, low: float, high: float) -> Levels:
    """At which levels between two S coordinates (mm) a structure has no voxel.

    A level is as high as the step between slices along the body axis. On an oblique grid a voxel
    counts for the level of its centre, so that a tube that moves sideways can miss single levels:
    limits are two levels or more.
    """
    step = level_mm(s.affine)
    n = int(np.floor((high - low) / step + 1e-6))
    if n < 1:
        return Levels(0, 0, 0.0, (float("nan"), float("nan")))
    is_there = np.zeros(n, bool)
    if not s.is_empty:
        level = np.floor((_heights(s) - low) / step + 1e-6).astype(np.int64)
        is_there[level[(level >= 0) & (level < n)]] = True
    gone = np.flatnonzero(np.diff(np.concatenate([[0], ~is_there, [0]]).astype(np.int8)))
    if not gone.size:
        return Levels(n, 0, 0.0, (float("nan"), float("nan")))
    starts, stops = gone[::2], gone[1::2]
    longest = int(np.argmax(stops - starts))
    ends = (low + starts[longest] * step, low + stops[longest] * step)
    return Levels(n, int((stops - starts).sum()), float(ends[1] - ends[0]), ends)


def level_mm(affine: Affine) -> float:
    """How far one step along the array axis nearest the body axis goes up."""
    axis = [world for world, _ in world_axes(affine)].index(2)
    return float(abs(affine[2, axis]))


def _heights(s: Structure) -> npt.NDArray[np.float64]:
    """World S coordinates that occur: of all voxels, or on a straight grid of the slices."""
    axis = [world for world, _ in world_axes(s.affine)].index(2)
    others = [a for a in range(3) if a != axis]
    if np.abs(s.affine[2, others]).max() * max(s.mask.shape) < 0.1 * level_mm(s.affine):
        there = np.flatnonzero(s.mask.any(axis=tuple(others))) + s.box[axis].start
        start = sum(float(s.affine[2, a]) * s.box[a].start for a in others)
        return np.asarray(there * s.affine[2, axis] + start + s.affine[2, 3])
    index = np.argwhere(s.mask) + np.array([side.start for side in s.box])
    return np.asarray(index @ s.affine[2, :3] + s.affine[2, 3])


def _span(case: Case, rule: Continuity) -> tuple[float, float]:
    if rule.between is None:
        low, high = case.there[rule.class_].extent[:, 2]
        return float(low), float(high)
    lower, upper = sorted((case.there[c] for c in rule.between), key=lambda x: x.centroid[2])
    if rule.ends:
        return float(lower.extent[1, 2]), float(upper.extent[0, 2])
    return float(lower.centroid[2]), float(upper.centroid[2])


def _ends(case: Case, rule: Continuity) -> str:
    if rule.between is None:
        return "its ends"
    return " and ".join(f"the {case.name(c)}" for c in rule.between)


def _gap_box(
    case: Case, rule: Continuity, ends: tuple[float, float]
) -> tuple[tuple[int, int], ...]:
    """The voxels between the gap's ends: as wide as the tube, or where it is not there, the
    structures that it lies between."""
    names = [rule.class_] if rule.class_ in case.there else list(rule.between or ())
    seen: list[Seen] = [case.there[c] for c in names]
    s = seen[0].s
    low = np.min([x.extent[0] for x in seen], axis=0)
    high = np.max([x.extent[1] for x in seen], axis=0)
    low[2], high[2] = ends
    corners = np.array([[x[n] for n, x in zip(c, zip(low, high, strict=True), strict=True)]
                        for c in np.ndindex(2, 2, 2)])  # fmt: skip
    inverse = np.linalg.inv(s.affine)
    index = corners @ inverse[:3, :3].T + inverse[:3, 3]
    first = np.clip(np.floor(index.min(axis=0) + 0.5), 0, np.array(s.shape) - 1).astype(int)
    last = np.clip(np.ceil(index.max(axis=0) + 0.5), first + 1, s.shape).astype(int)
    return tuple((int(a), int(b)) for a, b in zip(first, last, strict=True))
