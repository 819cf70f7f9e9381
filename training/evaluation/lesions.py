"""Lesions of one scan: which are found, which predicted ones are false.

Lesions are the 26-connected pieces of a mask. Those below the smallest volume are specks and in no
count. Predicted and true lesions are paired one to one: among the pairs that the hit rule allows,
as many as possible, and of these the ones with the largest sum of intersection over union
(Hungarian method). Then

- a true lesion with a partner is *found*; without one it is *merged*, if half of it or more lies in
  predicted lesions that have other partners, else *missed*;
- a predicted lesion with a partner is a *hit*; without one it is *split*, if the rule allows it a
  true lesion or half of it or more lies in true lesions, *ignored*, if it meets only specks of the
  truth or has its centre where the truth is unknown, else *false*.

By default merged lesions are not found (nobody has told them apart) and split ones are not false
(they point at a lesion).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation.config import MatchConfig
from voxcurate.masks import components, label_boxes, surface
from voxcurate.volume import ML_PER_MM3, Affine, Box

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[Any]
SIZES = ("small", "medium", "large")


@dataclass(frozen=True, eq=False)
class Pieces:
    """The lesions of a mask: `labels` are 1..n by falling volume, n + 1 for all specks; `voxels`
    and `boxes` of the n lesions."""

    labels: Ints
    voxels: npt.NDArray[np.int64]
    boxes: Mapping[int, Box]

    @property
    def n(self) -> int:
        """How many lesions."""
        return int(self.voxels.size)


def detect(
    truth: Bools, predicted: Bools, affine: Affine, config: MatchConfig, known: Bools | None = None
) -> dict[str, Any]:
    """True and predicted lesions of one scan and what became of each.

    Args:
        truth: mask, ``(I, J, K)``, or a part of it that holds both.
        predicted: likewise.
        affine: voxel to RAS+ mm, for sizes only.
        config: the rules.
        known: where the truth speaks; None: everywhere.

    Returns:
        ``truth``: of each lesion volume, diameter, size class, state, and the IoU with its partner;
        ``predicted``: likewise without IoU. Largest first.
    """
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * ML_PER_MM3
    true, mine = (_pieces(mask, config.minimum_ml / voxel_ml) for mask in (truth, predicted))
    pairs = np.bincount(
        (true.labels.astype(np.int64) * (mine.n + 2) + mine.labels).ravel(),
        minlength=(true.n + 2) * (mine.n + 2),
    ).reshape(true.n + 2, mine.n + 2)[1:, 1:]
    shared = pairs[: true.n, : mine.n]
    union = true.voxels[:, None] + mine.voxels[None, :] - shared
    iou = shared / np.maximum(union, 1)
    centres = [_centre(mine, m) for m in range(mine.n)]
    allowed = _allowed(shared, iou, centres, true, config)
    partner = _assign(allowed, iou)
    states_true = [_true_state(t, partner, shared, true.voxels[t], config) for t in range(true.n)]
    states_mine = [
        _my_state(m, set(partner.values()), allowed, shared, pairs, mine, known, centres[m])
        for m in range(mine.n)
    ]
    result: dict[str, Any] = {"truth": [], "predicted": []}
    for t, state in enumerate(states_true):
        row = _size(true, t, affine, voxel_ml, config)
        best = iou[t, partner[t]] if t in partner else 0.0
        result["truth"].append({**row, "state": state, "iou": round(float(best), 4)})
    for m, state in enumerate(states_mine):
        result["predicted"].append({**_size(mine, m, affine, voxel_ml, config), "state": state})
    return result


def is_found(lesion: Any, config: MatchConfig) -> bool:
    """Whether a true lesion counts as found."""
    return lesion["state"] == "found" or (config.merged_is_found and lesion["state"] == "merged")


def is_false(lesion: Any, config: MatchConfig) -> bool:
    """Whether a predicted lesion counts as a false positive."""
    return lesion["state"] == "false" or (config.split_is_false and lesion["state"] == "split")


def size_class(diameter_mm: float, config: MatchConfig) -> str:
    """small, medium or large; the edges themselves are medium."""
    low, high = config.size_edges_mm
    return SIZES[0] if diameter_mm < low else SIZES[2] if diameter_mm > high else SIZES[1]


def _pieces(mask: Bools, least: float) -> Pieces:
    if not mask.any():
        return Pieces(np.zeros(mask.shape, np.int32), np.zeros(0, np.int64), {})
    found, n = components(mask)
    sizes = np.bincount(found.ravel(order="K"), minlength=n + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] >= least]
    rank = np.full(n + 1, order.size + 1, np.int32)
    rank[0] = 0
    rank[order + 1] = np.arange(1, order.size + 1)
    labels = rank[found]
    return Pieces(labels, sizes[order], label_boxes(labels))


def _allowed(
    shared: Ints, iou: Ints, centres: list[tuple[int, int, int]], true: Pieces, config: MatchConfig
) -> Bools:
    if config.hit == "voxel":
        return np.asarray(shared > 0)
    if config.hit == "iou":
        return np.asarray(iou >= config.hit_iou)
    allowed = np.zeros(shared.shape, bool)
    for m, centre in enumerate(centres):
        at = int(true.labels[centre])
        if 0 < at <= true.n:
            allowed[at - 1, m] = True
    return allowed


def _assign(allowed: Bools, iou: Ints) -> dict[int, int]:
    """True lesion to its predicted one."""
    if not allowed.any():
        return {}
    from scipy.optimize import linear_sum_assignment

    profit = allowed * (min(allowed.shape) + 1 + iou)
    rows, columns = linear_sum_assignment(profit, maximize=True)
    return {int(t): int(m) for t, m in zip(rows, columns, strict=True) if allowed[t, m]}


def _true_state(
    t: int, partner: dict[int, int], shared: Ints, voxels: int, config: MatchConfig
) -> str:
    if t in partner:
        return "found"
    others = [m for other, m in partner.items() if other != t]
    return "merged" if 2 * int(shared[t, others].sum()) >= voxels else "missed"


def _my_state(
    m: int,
    taken: set[int],
    allowed: Bools,
    shared: Ints,
    pairs: Ints,
    mine: Pieces,
    known: Bools | None,
    centre: tuple[int, int, int],
) -> str:
    if m in taken:
        return "hit"
    if allowed[:, m].any() or 2 * int(shared[:, m].sum()) >= mine.voxels[m]:
        return "split"
    only_specks = pairs[:, m].any() and not shared[:, m].any()
    is_unknown = known is not None and not known[centre]
    return "ignored" if only_specks or is_unknown else "false"


def _size(
    pieces: Pieces, n: int, affine: Affine, voxel_ml: float, config: MatchConfig
) -> dict[str, Any]:
    from training.staging.diameters import axial_mm, feret_mm

    own = surface(pieces.labels[pieces.boxes[n + 1]] == n + 1)  # has its extreme points too
    ml = int(pieces.voxels[n]) * voxel_ml
    if config.diameter == "sphere":
        diameter = 2 * (3 * ml / ML_PER_MM3 / (4 * np.pi)) ** (1 / 3)
    else:
        diameter = (feret_mm if config.diameter == "feret" else axial_mm)(own, affine)
    return {
        "ml": round(ml, 4),
        "diameter_mm": round(float(diameter), 2),
        "size": size_class(diameter, config),
    }


def _centre(pieces: Pieces, n: int) -> tuple[int, int, int]:
    """The voxel at the mean position of a lesion."""
    box = pieces.boxes[n + 1]
    inside = np.argwhere(pieces.labels[box] == n + 1).mean(axis=0)
    i, j, k = np.rint(inside + [side.start for side in box]).astype(int).tolist()
    return i, j, k
