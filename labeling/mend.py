"""Post-processing of pseudo labels by the written anatomy; every effect is told."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from labeling.rules import Anatomy
from labeling.structures import Structure, midline

Effects = dict[str, dict[str, Any]]


def mend(
    structures: Mapping[str, Structure], anatomy: Anatomy
) -> tuple[dict[str, Structure], Effects]:
    """Structures without pieces that the anatomy rules out.

    In this order: pieces of a sided class that lie beyond the midline (unless all do: then it is
    swapped, which is for the judge), all but the largest piece of a `single` class, and pieces of
    a class that lies inside another and do not touch it.

    Returns:
        the structures, and per changed class what was taken away, in voxels and mL.
    """
    there = {c: s for c, s in structures.items() if not s.is_empty}
    middle = midline(there, anatomy.midline)
    result = dict(structures)
    effects: Effects = {}
    for class_id in there:
        info = anatomy.vocabulary[class_id]
        if info.side and middle is not None:
            _take(
                result,
                effects,
                class_id,
                "wrong_side",
                _beyond(result[class_id], info.side, middle, anatomy),
            )
        if info.single:
            _take(
                result,
                effects,
                class_id,
                "further_pieces",
                list(range(2, result[class_id].pieces[1].size + 1)),
            )
    for class_id in there:
        container = result.get(anatomy.vocabulary[class_id].inside)
        if container is not None and not container.is_empty:
            _take(result, effects, class_id, "outside", _apart(result[class_id], container))
    return result, effects


def _take(
    result: dict[str, Structure], effects: Effects, class_id: str, why: str, pieces: list[int]
) -> None:
    if not pieces:
        return
    old = result[class_id]
    new = old.part(old.mask & ~np.isin(old.pieces[0], pieces))
    result[class_id] = new
    lost = old.voxels - new.voxels
    effects.setdefault(class_id, {})[why] = {
        "pieces": len(pieces),
        "voxels": lost,
        "ml": round(lost * old.voxel_ml, 4),
    }


def _beyond(s: Structure, side: str, middle: float, anatomy: Anatomy) -> list[int]:
    """Numbers of the pieces on the wrong side; none if no piece is on the right one."""
    sign = 1.0 if side == "right" else -1.0
    numbers = s.pieces[0][s.mask]
    counts = np.bincount(numbers)[1:]
    right = np.bincount(numbers, weights=s.points[:, 0])[1:] / counts
    wrong = np.flatnonzero(sign * (right - middle) < -anatomy.side_margin_mm) + 1
    return [] if wrong.size == counts.size else [int(n) for n in wrong]


def _apart(s: Structure, container: Structure) -> list[int]:
    """Numbers of the pieces that do not come within one voxel of their container."""
    from scipy import ndimage

    near = ndimage.binary_dilation(container.full()[_grown(s)], np.ones((3, 3, 3), dtype=bool))
    inner = tuple(
        slice(axis.start - grown.start, axis.stop - grown.start)
        for axis, grown in zip(s.box, _grown(s), strict=True)
    )
    touching = set(np.unique(s.pieces[0][near[inner] & s.mask]).tolist())
    return [n for n in range(1, s.pieces[1].size + 1) if n not in touching]


def _grown(s: Structure) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, axis.start - 1), min(n, axis.stop + 1))
        for axis, n in zip(s.box, s.shape, strict=True)
    )
