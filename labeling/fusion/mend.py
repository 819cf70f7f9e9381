"""The written anatomy applied to machine-made masks; every effect is told, with what it took.

In this order: pieces beyond the midline go to the class of the other side (see
`labeling.fusion.sides`); pieces that lie above or below what they cannot, specks and further pieces
of a single organ are removed; a voxel of two classes that may not share it stays with the likelier
one; what lies apart from its container is removed. The last three are done again where a class lost
voxels to another. From an organ that may rightly lie elsewhere or be double (`displaced`: a pelvic
or transplanted kidney) nothing as large as an organ is removed for its place. Nothing changes where
the scan seems mirrored, and no step leaves an organ that is not there any more: what is broken
beyond that is only told (`labeling.rules`).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.anatomy import DIRECTIONS
from labeling.fusion.effects import Effect, Work
from labeling.fusion.sides import grown, is_organ, mend_sides, piece_centroids, touching
from labeling.rules import Anatomy
from labeling.structures import Structure, common_parts, further_pieces, to_world
from voxcurate.masks import components, surface
from voxcurate.volume import Box, spacing_of

SHARED = 0.5  # of the smaller of two: more is no dispute about a border
BRIDGE_MM = 15.0  # a gap that a missed thin place may leave
RIVAL = 0.5  # of the largest piece
SPECK_SHARE = 0.005  # of the largest piece: less is no part of an organ
LEFT_OVER = 0.2  # of a structure has to stay when wrong pieces go, or its least volume
Support = Callable[[str, Box], npt.NDArray[Any] | None]
Pieces = npt.NDArray[np.unsignedinteger[Any]]


def mend(
    structures: Mapping[str, Structure],
    anatomy: Anatomy,
    *,
    middle: float | None = None,
    support: Support | None = None,
) -> tuple[dict[str, Structure], list[Effect]]:
    """Structures without what the anatomy rules out.

    Args:
        structures: by class id.
        anatomy: the rules.
        middle: world R coordinate of the body's middle, where no midline structure is there; None:
            unknown, then nothing is on the wrong side.
        support: of a class, how likely each voxel of a box is; None: the smaller of two structures
            keeps what both have.

    Returns:
        the structures, and what was done, in the order of doing.
    """
    work = Work(dict(structures), anatomy)
    there = [c for c, s in structures.items() if not s.is_empty and c in anatomy.vocabulary]
    mend_sides(work, there, middle)
    for class_id in there:
        _order(work, class_id)
        _specks(work, class_id)
        _single(work, class_id)
    for class_id in _exclude(work, there, support):
        _specks(work, class_id)
        _single(work, class_id)
    for class_id in there:
        _inside(work, class_id)
    return work.result, work.effects


def _order(work: Work, class_id: str) -> None:
    """Pieces above or below what they cannot: removed if enough of the structure remains."""
    s = work.result[class_id]
    if s.is_empty or s.pieces[1].size < 2:
        return
    heights = None
    for rule in work.anatomy.relations:
        if class_id not in (rule.a, rule.b) or DIRECTIONS[rule.is_][0] != 2:
            continue
        other = rule.b if class_id == rule.a else rule.a
        anchor = work.result.get(other)
        if anchor is None or anchor.is_empty:
            continue
        sign = DIRECTIONS[rule.is_][1] * (1.0 if class_id == rule.a else -1.0)
        heights = piece_centroids(s)[:, 2] if heights is None else heights
        lead = sign * (heights - float(anchor.centroid[2]))
        broken = np.flatnonzero(lead < rule.margin_mm) + 1
        if not broken.size or broken.size == heights.size:
            continue
        where = "above" if sign > 0 else "below"
        reason = f"not {rule.margin_mm:g} mm {where} {other}, as the rest is"
        if work.rules(class_id).displaced:
            own = [n for n in broken.tolist() if is_organ(work, s, n)]
            broken = np.setdiff1d(broken, own)
            if own:
                ml = float(s.pieces[1][np.array(own) - 1].sum())
                work.tell(class_id, "order", f"{ml:.3g} mL are left there: {reason}")
        stays = float(np.delete(s.pieces[1], broken - 1).sum())
        least = (work.rules(class_id).ml or (0.0, 0.0))[0]
        if stays < max(LEFT_OVER * s.ml, least):
            continue
        work.take_pieces(class_id, "order", reason, broken.tolist(), other=other)
        s, heights = work.result[class_id], None


def _specks(work: Work, class_id: str) -> None:
    limit = work.rules(class_id).speck_ml
    if limit is None:
        return
    volumes = work.result[class_id].pieces[1]
    small = (np.flatnonzero(volumes < limit) + 1).tolist()
    work.take_pieces(class_id, "speck", f"pieces below {limit:g} mL", small)


def _single(work: Work, class_id: str) -> None:
    """All but the largest piece of a single organ go; not what may hang together with it.

    That is a piece which the scan's edge may join (`further_pieces`), one within `BRIDGE_MM` that
    is no speck, as predictions and contours break at thin places (in 346 real contours every
    further piece lay within 13 mm), and a `RIVAL` of the largest: sizes do not tell which is the
    organ. Nor what is as large as an organ where there may be two: beside a transplant the own
    kidneys are small. That is told where more is kept than is usual.
    """
    if not work.anatomy.vocabulary[class_id].single:
        return
    s = work.result[class_id]
    tolerated = work.anatomy.tolerated_ml(s)
    further = further_pieces(s, tolerated)
    sizes = s.pieces[1]
    may_be_two = work.rules(class_id).displaced
    rivals = [
        n
        for n in further
        if sizes[n - 1] >= RIVAL * sizes[0] or (may_be_two and is_organ(work, s, n))
    ]
    near = _near_largest(s, [n for n in further if sizes[n - 1] >= SPECK_SHARE * sizes[0]])
    kept = sorted({*rivals, *near})
    ml = float(sizes[[n - 1 for n in kept]].sum())
    if ml > tolerated or rivals:
        is_broken = set(kept) <= set(near)
        why = f"within {BRIDGE_MM:g} mm: it seems broken" if is_broken else "of about the same size"
        if not is_broken and max(sizes[n - 1] for n in kept) < RIVAL * sizes[0]:
            why = "as large as an organ: there may be two"
        work.tell(class_id, "single", f"kept {ml:.3g} mL in {len(kept)} further pieces {why}")
    gone = [n for n in further if n not in kept]
    work.take_pieces(class_id, "single", "pieces besides the largest of a single organ", gone)


def _near_largest(s: Structure, numbers: Sequence[int]) -> list[int]:
    """The pieces that come within `BRIDGE_MM` of the largest one or of each other by steps."""
    from scipy.spatial import cKDTree

    def points(number: int) -> npt.NDArray[np.float64]:
        edge = surface(s.pieces[0] == number)
        start = [side.start for side in s.box]
        indices = np.asarray(np.argwhere(edge) + np.array(start), np.float64)
        return to_world(indices, s.affine)

    limit = BRIDGE_MM + max(spacing_of(s.affine))  # between centres; voxels that touch have no gap
    left, found, front = list(numbers), list[int](), [1]
    while front and left:
        tree = cKDTree(np.concatenate([points(n) for n in front]))
        front = [n for n in left if tree.query(points(n))[0].min() <= limit]
        found += front
        left = [n for n in left if n not in front]
    return sorted(found)


def _exclude(work: Work, there: Sequence[str], support: Support | None) -> list[str]:
    """Voxels of two classes that may not share them stay with the likelier; who lost some."""
    losers = []
    for a, b in work.anatomy.excluding_pairs(there):
        one, two = work.result[a], work.result[b]
        in_one, in_two = common_parts(one.box, two.box)
        both = one.mask[in_one] & two.mask[in_two]
        n = int(np.count_nonzero(both))
        if not n:
            continue
        if n > SHARED * min(one.voxels, two.voxels):
            continue  # one in the other, or one called by two names: `Anatomy.check` tells
        box = tuple(
            slice(side.start + outer.start, side.stop + outer.start)
            for side, outer in zip(in_one, one.box, strict=True)
        )
        to_one = _likelier(one, two, box, both, support)  # type: ignore[arg-type]
        for s, part, lost, winner in (
            (one, in_one, both & ~to_one, b),
            (two, in_two, both & to_one, a),
        ):
            if lost.any():
                gone = np.zeros(s.mask.shape, bool)
                gone[part] = lost
                reason = f"voxels that are {winner} more likely"
                work.take(s.class_id, "exclusion", reason, gone, other=winner)
                losers.append(s.class_id)
    return list(dict.fromkeys(losers))


def _likelier(
    one: Structure, two: Structure, box: Box, both: npt.NDArray[np.bool_], support: Support | None
) -> npt.NDArray[np.bool_]:
    """Which voxels of a box are rather `one`; equal ones are the smaller structure's."""
    smaller = (one.voxels, one.class_id) < (two.voxels, two.class_id)
    chances = [support(s.class_id, box) for s in (one, two)] if support else [None, None]
    if chances[0] is None or chances[1] is None:
        return np.full(both.shape, smaller)
    equal = (chances[0] == chances[1]) & smaller
    return np.asarray((chances[0] > chances[1]) | equal, dtype=bool)


def _inside(work: Work, class_id: str) -> None:
    """Pieces apart from their container, and what reaches too far out of it."""
    name = work.anatomy.vocabulary[class_id].inside
    container, s = work.result.get(name), work.result[class_id]
    if container is None or container.is_empty or s.is_empty:
        return
    work.take_pieces(
        class_id, "inside", f"pieces that do not touch {name}", _apart(s, container), other=name
    )
    reach = work.rules(class_id).reach_mm
    s = work.result[class_id]
    if reach is None or s.is_empty:
        return
    from voxcurate.masks import dilate

    spacing = spacing_of(s.affine)
    wide = grown(s, [int(np.ceil(reach / step)) for step in spacing])
    inner = common_parts(s.box, wide)[1]
    near = _closed(dilate(container.within(wide), reach, spacing))[inner]
    reason = f"more than {reach:g} mm outside {name}"
    work.take(class_id, "inside", reason, ~near, other=name)


def _closed(near: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """A mask with its holes: where a model gives each voxel one class, a large tumour is one."""
    pieces, n = components(~near)
    is_open = np.zeros(n + 1, bool)
    for face in (pieces[[0, -1]], pieces[:, [0, -1]], pieces[:, :, [0, -1]]):
        is_open[np.unique(face)] = True
    is_open[0] = False
    return np.asarray(~is_open[pieces])


def _apart(s: Structure, container: Structure) -> list[int]:
    """Numbers of the pieces that do not come within one voxel of their container."""
    near = touching(s, container)
    return [n for n in range(1, s.pieces[1].size + 1) if n not in near]
