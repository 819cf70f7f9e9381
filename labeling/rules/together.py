"""Rules about voxels that two structures share: forbidden overlaps, parts within their whole."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from labeling.rules.case import Case, Seen, plain_box
from labeling.rules.outcome import Outcome
from labeling.structures import Structure, common_mask, common_voxels
from voxcurate.masks import dilate
from voxcurate.volume import Box, spacing_of

OVERLAP_SHARE = 0.02  # of the smaller one; contours touch and partial volumes are shared
OUTSIDE_SHARE = 0.10  # of a part that may reach out of its container
FULL_SHARE = 0.2  # beyond the limit
FULL_OUTSIDE = 0.4
MM3_PER_ML = 1000.0


def overlap(case: Case) -> Iterator[Outcome]:
    """Two classes that may not share voxels do not: beyond the written mL of the pair, else
    `OVERLAP_SHARE` of the smaller one. A lesion may lie anywhere."""
    shared = {} if case.facts.disjoint else shared_voxels(case.there, case.about)
    written = {tuple(sorted((o.a, o.b))): o.ml for o in case.anatomy.overlaps}
    for (a, b), ml in written.items():
        there = [c for c in (a, b) if c in case.there]
        if len(there) == 1:
            why = case.why_unknown([a, b])
            yield case.told(
                there[0], "overlap", "unknown", why, other=b if a in there else a,
                limit=ml, unit="mL",
            )  # fmt: skip
        elif there and (a, b) not in shared:
            words = f"the {case.name(a)} and the {case.name(b)} share no voxel"
            for one, other in ((a, b), (b, a)):
                yield case.told(
                    one, "overlap", "holds", words, other=other, value=0.0, limit=ml, unit="mL"
                )
    for (a, b), voxels in shared.items():
        if case.anatomy.may_share(a, b):
            continue
        yield from _overlapping(case, case.there[a].s, case.there[b].s, voxels, written.get((a, b)))


def _overlapping(
    case: Case, a: Structure, b: Structure, voxels: int, written: float | None
) -> Iterator[Outcome]:
    smaller = a if a.voxels <= b.voxels else b
    share, ml = voxels / smaller.voxels, voxels * a.voxel_ml
    limit = OVERLAP_SHARE * smaller.ml if written is None else written
    words = (
        f"the {case.name(a.class_id)} and the {case.name(b.class_id)} share {ml:.3g} mL "
        f"({share:.1%} of the smaller); {limit:.2g} mL may be"
    )
    told = {
        "value": ml, "limit": limit, "unit": "mL",
        "evidence": {"share_of_smaller": share, "mm3": ml * MM3_PER_ML},
        "box": _shared_box(a, b),
    }  # fmt: skip
    for one, other in ((a, b), (b, a)):
        class_id = one.class_id
        if ml <= limit:
            yield case.told(class_id, "overlap", "holds", words, other=other.class_id, **told)
            continue
        beyond = (share - OVERLAP_SHARE, FULL_SHARE)
        yield case.broken(class_id, "overlap", words, other=other.class_id, beyond=beyond, **told)


def _shared_box(a: Structure, b: Structure) -> tuple[tuple[int, int], ...]:
    both, box = common_mask(a.mask, a.box, b.mask, b.box)
    return plain_box(a.of_mask(both, box).box)


def inside(case: Case) -> Iterator[Outcome]:
    """A part lies within its whole and the written reach around it, but for `OUTSIDE_SHARE`.

    Where the two share no voxel at all (one label map, or a whole drawn without its part) the
    part's pieces have to touch the whole instead. A lesion may grow out of its organ, or the organ
    be drawn without it: only one that is nowhere at the organ breaks a hard rule.
    """
    vocabulary = case.anatomy.vocabulary
    for class_id, seen in case.asked.items():
        whole_id = vocabulary[class_id].inside if class_id in vocabulary else ""
        if not whole_id:
            continue
        told = {"limit": OUTSIDE_SHARE, "unit": "share", "other": whole_id}
        if whole_id not in case.structures:
            why = case.why_unknown([whole_id])
            yield case.told(class_id, "inside", "unknown", why, **told)
            continue
        whole = case.structures[whole_id]
        gone = outside(seen.s, whole, case.rules(class_id).reach_mm or 0.0)
        ml = float(np.count_nonzero(gone)) * seen.s.voxel_ml
        share = ml / seen.s.ml
        told |= {"value": share, "evidence": {"outside_ml": ml}}
        words = (
            f"{share:.0%} of the {case.name(class_id)} ({ml:.3g} mL) lies outside "
            f"the {case.name(whole_id)}"
        )
        if share <= OUTSIDE_SHARE:
            yield case.told(class_id, "inside", "holds", words, **told)
            continue
        part = seen.s.part(gone)
        is_apart = bool(gone.sum() == seen.s.voxels)
        yield case.broken(
            class_id, "inside", words, beyond=(share - OUTSIDE_SHARE, FULL_OUTSIDE),
            box=plain_box(part.box), hard=is_apart or not vocabulary[class_id].lesion, **told,
        )  # fmt: skip


def outside(part: Structure, whole: Structure, reach_mm: float = 0.0) -> npt.NDArray[np.bool_]:
    """The voxels of a part (in its box) outside its whole, and further from it than `reach_mm`;
    see `inside`."""
    gone = np.asarray(part.mask & ~whole.within(part.box))
    if whole.is_empty or not gone.any():
        return gone
    if np.count_nonzero(gone) < part.voxels:
        return gone & ~_around(whole, part.box, reach_mm) if reach_mm else gone
    wide = _wider(part.box, part.shape, (1, 1, 1))
    near = ndimage.binary_dilation(whole.within(wide), np.ones((3, 3, 3), bool))
    inner = _moved(part.box, [side.start for side in wide])
    touching = np.unique(part.pieces[0][near[inner] & part.mask])
    return np.asarray(part.mask & ~np.isin(part.pieces[0], touching))


def _around(whole: Structure, box: Box, reach_mm: float) -> npt.NDArray[np.bool_]:
    """Where in a box a structure is at most so far away."""
    spacing = spacing_of(whole.affine)
    wide = _wider(box, whole.shape, [int(np.ceil(reach_mm / step)) for step in spacing])
    near = dilate(whole.within(wide), reach_mm, spacing)
    return np.asarray(near[_moved(box, [side.start for side in wide])])


def _wider(box: Box, shape: tuple[int, int, int], by: Sequence[int]) -> Box:
    """A box with so many voxels more on each side, inside the volume."""
    i, j, k = (
        slice(max(0, side.start - n), min(size, side.stop + n))
        for side, size, n in zip(box, shape, by, strict=True)
    )
    return i, j, k


def shared_voxels(there: Mapping[str, Seen], about: str = "") -> dict[tuple[str, str], int]:
    """How many voxels each two structures of a scan share, pairs in alphabetical order; `about`:
    only those with this one.

    One pass counts how many structures each voxel has; pairs are looked for only where that is
    two or more.
    """
    if about in there:
        one = there[about].s
        return {
            (min(c, about), max(c, about)): n
            for c, seen in there.items()
            if c != about and (n := common_voxels(one, seen.s))
        }
    if len(there) < 2 or about:
        return {}
    structures = [seen.s for seen in there.values()]
    low = [min(s.box[a].start for s in structures) for a in range(3)]
    high = [max(s.box[a].stop for s in structures) for a in range(3)]
    counts = np.zeros([h - b for b, h in zip(low, high, strict=True)], np.uint8)
    for s in structures:
        counts[_moved(s.box, low)] += s.mask
    crowded = counts > 1
    found: dict[str, npt.NDArray[np.bool_]] = {}
    if not crowded.any():
        return {}
    lines = np.flatnonzero(crowded)
    index = np.unravel_index(lines, crowded.shape)
    for s in structures:
        members = np.zeros(lines.size, bool)
        box = _moved(s.box, low)
        within = np.ones(lines.size, bool)
        for i, side in zip(index, box, strict=True):
            within &= (i >= side.start) & (i < side.stop)
        at = tuple(i[within] - side.start for i, side in zip(index, box, strict=True))
        members[within] = s.mask[at]
        if members.any():
            found[s.class_id] = members
    names = sorted(found)
    return {
        (a, b): n
        for k, a in enumerate(names)
        for b in names[k + 1 :]
        if (n := int(np.count_nonzero(found[a] & found[b])))
    }


def _moved(box: Box, start: list[int]) -> Box:
    i, j, k = (slice(s.start - n, s.stop - n) for s, n in zip(box, start, strict=True))
    return i, j, k
