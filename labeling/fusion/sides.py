"""Left and right mended on machine-made masks: what lies beyond the midline at its own height.

A piece beyond it goes to the class of the other side if that is empty or touches it; else it is
removed. What seems an organ of its own is neither removed nor made part of its fellow, but told:
crossed and transplanted kidneys are real. Where the whole body seems mirrored nothing is changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.fusion.effects import Work
from labeling.rules.case import Case, CaseFacts
from labeling.rules.sides import is_mirrored, middle_at, side_votes
from labeling.structures import Structure, common_parts
from voxcurate.masks import label_boxes
from voxcurate.volume import Box

OWN_SHARE = 0.15  # of the rest: with the class's least volume, a piece is an organ of its own
FUSED_SHARE = 0.5  # of the fellow that it touches: crossed kidneys grow together, and are as large


@dataclass(frozen=True, eq=False)
class _Part:
    """Pieces of a class that lie beyond the midline."""

    class_id: str
    pair: str
    numbers: Sequence[int]
    whole: bool
    taken: Structure
    reason: str


def mend_sides(work: Work, there: Sequence[str], middle: float | None) -> None:
    """Pieces beyond the midline go to the other side's class, or away where nobody has it.

    Args:
        work: the structures; changed.
        there: those of them that are not empty.
        middle: world R coordinate of the body's middle where no midline structure is there; None:
            unknown, then nothing is on the wrong side.
    """
    anatomy = work.anatomy
    case = Case(anatomy, {c: work.result[c] for c in there}, CaseFacts(middle=middle))
    sided = [c for c in there if anatomy.vocabulary[c].side]
    if not sided or middle_at(case, 0.0)[0] is None or _tell_mirrored(work, case, sided):
        return
    parts = [part for c in sided if (part := _beyond(work, case, c)) is not None]
    fellows = {p.class_id: work.result[p.pair].ml for p in parts if p.pair in work.result}
    for part in parts:
        s = work.result[part.class_id]
        work.result[part.class_id] = s.part(s.mask & ~np.isin(s.pieces[0], part.numbers))
    for part in parts:
        home = work.result.get(part.pair)
        touches = home is not None and not home.is_empty and bool(touching(part.taken, home))
        fits = touches or (home is not None and home.is_empty)
        if _is_own(work, part, fellows.get(part.class_id, 0.0), fits=fits, touches=touches):
            work.result[part.class_id] = work.result[part.class_id].joined(part.taken)
            words = f"{part.reason}: {part.taken.ml:.3g} mL are left there, for they may be an "
            work.tell(part.class_id, "side", words + "organ of their own (crossed, transplanted)")
            continue
        work.add(
            part.class_id, "side", part.reason, part.taken, pieces=len(part.numbers),
            other=part.pair if fits else "", moved=fits,
        )  # fmt: skip


def _tell_mirrored(work: Work, case: Case, sided: Sequence[str]) -> bool:
    """Whether organs of a known side are exchanged, which is told: then no side can be believed."""
    votes = side_votes(case)
    alone = [offset for c, offset in votes.items() if c not in sided]
    if sum(v < 0 for v in alone) <= sum(v > 0 for v in alone) and not is_mirrored(case, votes):
        return False
    wrong = ", ".join(c for c, offset in votes.items() if offset < 0)
    work.tell(
        "", "mirrored",
        f"{wrong}: on the other side of the body; the scan's header or the patient is mirrored "
        "(situs inversus), sides are left as they are",
    )  # fmt: skip
    return True


def _beyond(work: Work, case: Case, class_id: str) -> _Part | None:
    """The pieces of a class that lie beyond the midline at their height; None: none may go."""
    anatomy, s = work.anatomy, work.result[class_id]
    side, pair = anatomy.vocabulary[class_id].side, anatomy.vocabulary[class_id].pair
    sign = 1.0 if side == "right" else -1.0
    limit = min(-anatomy.side_margin_mm, anatomy.margin_of(class_id))
    numbers, furthest = [], 0.0
    for number, place in enumerate(piece_centroids(s), 1):
        middle, slack = middle_at(case, float(place[2]))
        offset = sign * (float(place[0]) - (middle or 0.0))
        if offset < limit - slack:
            numbers.append(number)
            furthest = min(furthest, offset)
    whole = len(numbers) == s.pieces[1].size
    if not numbers or (whole and pair not in work.result):
        return None
    other = "left" if side == "right" else "right"
    reason = f"{-furthest:.0f} mm beyond the midline, on the {other}"
    taken = s.part(s.mask & np.isin(s.pieces[0], numbers))
    return _Part(class_id, pair, numbers, whole, taken, reason)


def _is_own(work: Work, part: _Part, fellow_ml: float, *, fits: bool, touches: bool) -> bool:
    """Whether a part seems an organ of its own, that may not become part of another or vanish."""
    if not part.whole:  # in a list of pieces, only what may lie elsewhere
        kept = [n for n in range(1, part.taken.pieces[1].size + 1) if is_organ(work, part.taken, n)]
        return work.rules(part.class_id).displaced and not fits and bool(kept)
    home = work.result.get(part.pair)
    if home is None or home.is_empty:
        return False  # the two are exchanged, or the only one there gets its side's name
    share = FUSED_SHARE if touches else OWN_SHARE
    least = (work.rules(part.class_id).ml or (0.0, 0.0))[0]
    return part.taken.ml >= max(least, share * fellow_ml)


def is_organ(work: Work, s: Structure, number: int) -> bool:
    """Whether a piece is large enough for an organ of its own: the class's least volume, and
    `OWN_SHARE` of the largest piece; where no volume is written, none is."""
    limits = work.rules(s.class_id).ml
    sizes = work.result[s.class_id].pieces[1]
    largest = max(float(s.pieces[1][0]), float(sizes[0]) if sizes.size else 0.0)
    return limits is not None and s.pieces[1][number - 1] >= max(limits[0], OWN_SHARE * largest)


def piece_centroids(s: Structure) -> npt.NDArray[np.float64]:
    """World centroid of each piece, ``(n, 3)`` in RAS+ mm, largest piece first."""
    numbers, volumes = s.pieces
    if volumes.size == 1:
        return s.centroid[None]
    found = np.empty((volumes.size, 3))
    for number, box in label_boxes(numbers).items():
        start = [a.start + b.start for a, b in zip(box, s.box, strict=True)]
        index = np.argwhere(numbers[box] == number).mean(axis=0) + start
        found[number - 1] = s.affine[:3, :3] @ index + s.affine[:3, 3]
    return found


def touching(s: Structure, other: Structure) -> set[int]:
    """Numbers of the pieces that come within one voxel of another structure."""
    from scipy import ndimage

    wide = grown(s, [1, 1, 1])
    near = ndimage.binary_dilation(other.within(wide), np.ones((3, 3, 3), dtype=bool))
    inner = common_parts(s.box, wide)[1]
    return set(np.unique(s.pieces[0][near[inner] & s.mask]).tolist())


def grown(s: Structure, by: Sequence[int]) -> Box:
    """A structure's box with so many voxels more on each side, inside the volume."""
    i, j, k = (
        slice(max(0, axis.start - g), min(n, axis.stop + g))
        for axis, n, g in zip(s.box, s.shape, by, strict=True)
    )
    return i, j, k
