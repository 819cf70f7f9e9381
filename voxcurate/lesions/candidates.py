"""Candidates for lesions: connected regions of a soft prediction above a low threshold.

Probabilities are uint8 (255 times the probability) in the box where they are not 0. Several models
are averaged to find the candidates; a candidate's score is the mean of what each model alone would
give it, so that scores of scans with one model and with several can share a threshold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.errors import GeometryError
from voxcurate.lesions._split_kernel import split_regions
from voxcurate.lesions.config import LesionConfig
from voxcurate.masks import components, dilate, label_boxes
from voxcurate.predictions import EMPTY_BOX, ProbabilityBox
from voxcurate.volume import ML_PER_MM3, Affine, Box, spacing_of

SCORES = ("max", "quantile", "top", "mean")
HALF = 128  # of 255: the usual threshold


@dataclass(frozen=True)
class Candidate:
    """One connected region.

    Attributes:
        number: its value in `Found.labels`, from 1, in the order of falling highest probability.
        box: around it, in the volume.
        ml: volume above the low threshold.
        centre_mm: centre of mass, weighted by probability, RAS+ mm.
        scores: 0 to 1, by name (`SCORES`).
    """

    number: int
    box: Box
    ml: float
    centre_mm: tuple[float, float, float]
    scores: Mapping[str, float] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "number": self.number,
            "ml": self.ml,
            "centre_mm": list(self.centre_mm),
            "scores": dict(self.scores),
            "box": [[side.start, side.stop] for side in self.box],
        }


@dataclass(frozen=True, eq=False)
class Found:
    """The candidates of one class in one scan.

    Attributes:
        candidates: by falling highest probability.
        box: of the arrays, in the volume.
        labels: number of the candidate at each voxel, 0 outside.
        probability: uint8, the models' mean.
        shape: ``(I, J, K)`` of the volume.
        affine: voxel to RAS+ mm.
        dropped: how many were too small, and how many apart from their organ.
    """

    candidates: tuple[Candidate, ...]
    box: Box
    labels: npt.NDArray[np.int32]
    probability: npt.NDArray[np.uint8]
    shape: tuple[int, int, int]
    affine: Affine
    dropped: Mapping[str, int] = field(default_factory=dict)

    def drawn(self, number: int, share: float) -> tuple[npt.NDArray[np.bool_], Box]:
        """The mask of a candidate in its box, as people get it.

        Args:
            number: of the candidate.
            share: of its highest probability, from which a voxel is inside; all voxels of 0.5 and
                more are.
        """
        part = self.candidates[number - 1].box
        inner = _relative(part, self.box)
        own = self.labels[inner] == number
        values = self.probability[inner]
        least = min(HALF, int(np.ceil(share * int(values[own].max()))))
        return own & (values >= least), part


def find_candidates(
    models: Sequence[ProbabilityBox],
    shape: tuple[int, int, int],
    affine: Affine,
    config: LesionConfig,
    *,
    organ: npt.NDArray[np.bool_] | None = None,
    reach_mm: float | None = None,
) -> Found:
    """The candidates in the mean of some models' predictions of one class.

    Args:
        models: one or more; all on one grid.
        shape: of the volume.
        affine: voxel to RAS+ mm.
        config: thresholds and sizes.
        organ: mask of the volume, where the lesion has to be; None: unknown, nothing is dropped
            for its place. An empty organ is taken for unknown too: a lesion may have replaced it.
        reach_mm: probabilities farther from the organ do not count, but for regions of at least
            0.5 that come so near to it: where a map gives each voxel one class, a large tumour is a
            hole in its organ. None: no such limit.

    Returns:
        The candidates; none where nothing is above the threshold. Regions are 26-connected, and
        cut where a deep valley lies between two peaks (`config.split_below`).

    Raises:
        GeometryError: no model, or an organ of another shape.
    """
    if not models:
        raise GeometryError("want the prediction of one model at least, found none")
    if organ is not None and organ.shape != shape:
        raise GeometryError(f"want an organ of shape {shape}, found {organ.shape}")
    box, mean, each = _mean(models)
    above = mean > config.candidate_above * 255
    held = organ is not None and config.contain and bool(organ.any())
    if held and reach_mm is not None and above.any():
        near = _near(organ, reach_mm, affine, box, shape)  # type: ignore[arg-type]
        above &= near | _touching(mean >= HALF, near)
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * ML_PER_MM3
    least = max(1, int(np.ceil(config.minimum_ml / voxel_ml)))
    labels, n = _regions(above, mean, config.split_below, least)
    sizes = np.bincount(labels.ravel(), minlength=n + 1)
    large = sizes * voxel_ml >= config.minimum_ml
    kept = large.copy()
    if held and n:
        near = _near(organ, config.organ_gap_mm, affine, box, shape)  # type: ignore[arg-type]
        touching = np.bincount(labels[near].ravel(), minlength=n + 1) > 0
        kept &= touching
    kept[0] = False
    dropped = {"small": int((~large[1:]).sum()), "apart": int((large[1:] & ~kept[1:]).sum())}
    highest = np.zeros(n + 1, np.int64)
    np.maximum.at(highest, labels.ravel(), mean.ravel())
    order = sorted(np.flatnonzero(kept).tolist(), key=lambda c: (-highest[c], c))
    numbers = np.zeros(n + 1, np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    renumbered = numbers[labels]
    boxes = label_boxes(renumbered) if order else {}
    top = max(1, round(config.top_ml / voxel_ml))
    found = [
        _candidate(m, boxes[m], renumbered, mean, each, box, affine, voxel_ml, top, config.quantile)
        for m in range(1, len(order) + 1)
    ]
    return Found(tuple(found), box, renumbered, mean, shape, affine, dropped)


def region_scores(values: npt.NDArray[np.uint8], *, top: int, quantile: float) -> dict[str, float]:
    """The scores of a region from one model's bytes in it, 0 to 1.

    Args:
        values: 1-D, at least one.
        top: voxels in the mean of the highest; all where there are fewer.
        quantile: of `quantile`; the smallest value that so many are at most (no interpolation).
    """
    ordered = np.sort(values.ravel())[::-1].astype(np.float64) / 255
    at = min(ordered.size - 1, int(np.floor((1 - quantile) * ordered.size + 1e-9)))
    return {
        "max": float(ordered[0]),
        "quantile": float(ordered[at]),
        "top": float(ordered[:top].mean()),
        "mean": float(ordered.mean()),
    }


def _regions(
    above: npt.NDArray[np.bool_], mean: npt.NDArray[np.uint8], share: float, least: int
) -> tuple[npt.NDArray[Any], int]:
    if not above.any():
        return np.zeros(above.shape, np.int32), 0
    if not share:
        return components(above)
    return split_regions(above, mean, share=share, least=least)


def _candidate(
    number: int,
    inner: Box,
    labels: npt.NDArray[np.int32],
    mean: npt.NDArray[np.uint8],
    each: Sequence[npt.NDArray[np.uint8]],
    box: Box,
    affine: Affine,
    voxel_ml: float,
    top: int,
    quantile: float,
) -> Candidate:
    own = labels[inner] == number
    marks = [region_scores(part[inner][own], top=top, quantile=quantile) for part in each]
    scores = {k: round(float(np.mean([m[k] for m in marks])), 4) for k in SCORES}
    where = np.argwhere(own) + [a.start + b.start for a, b in zip(box, inner, strict=True)]
    weights = mean[inner][own].astype(np.float64)
    index = weights @ where / weights.sum()
    x, y, z = (round(float(v), 2) for v in affine[:3, :3] @ index + affine[:3, 3])
    place = _absolute(inner, box)
    return Candidate(number, place, round(int(own.sum()) * voxel_ml, 4), (x, y, z), scores)


def _mean(
    models: Sequence[ProbabilityBox],
) -> tuple[Box, npt.NDArray[np.uint8], list[npt.NDArray[np.uint8]]]:
    """The box around all predictions, their mean in it (rounded), and each of them in it."""
    filled = [m.box for m in models if m.array.size]
    if not filled:
        empty = np.zeros((0, 0, 0), np.uint8)
        return EMPTY_BOX, empty, [empty] * len(models)
    i, j, k = (
        slice(min(b[axis].start for b in filled), max(b[axis].stop for b in filled))
        for axis in range(3)
    )
    box: Box = (i, j, k)
    each = []
    for model in models:
        part = np.zeros([side.stop - side.start for side in box], np.uint8)
        if model.array.size:
            part[_relative(model.box, box)] = model.array
        each.append(part)
    if len(each) == 1:
        return box, each[0], each
    total: npt.NDArray[Any] = np.zeros(each[0].shape, np.uint16)
    for part in each:
        total += part
    n = len(each)
    return box, ((2 * total.astype(np.uint32) + n) // (2 * n)).astype(np.uint8), each


def _near(
    organ: npt.NDArray[np.bool_],
    gap_mm: float,
    affine: Affine,
    box: Box,
    shape: tuple[int, int, int],
) -> npt.NDArray[np.bool_]:
    """Where in a box an organ is near: within the gap, at least one voxel's diagonal."""
    spacing = spacing_of(affine)
    gap = max(gap_mm, float(np.linalg.norm(spacing)) + 1e-6)
    i, j, k = (
        slice(max(0, side.start - int(gap / step) - 1), min(n, side.stop + int(gap / step) + 1))
        for side, step, n in zip(box, spacing, shape, strict=True)
    )
    wide: Box = (i, j, k)
    return dilate(organ[wide], gap, spacing)[_relative(box, wide)]


def _touching(mask: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pieces of a mask that have a voxel in another one, whole."""
    if not (mask & ~near).any():
        return mask
    pieces, n = components(mask)
    is_near = np.zeros(n + 1, bool)
    is_near[np.unique(pieces[near])] = True
    is_near[0] = False
    return np.asarray(is_near[pieces])


def _relative(inner: Box, outer: Box) -> Box:
    i, j, k = (
        slice(a.start - b.start, a.stop - b.start) for a, b in zip(inner, outer, strict=True)
    )
    return i, j, k


def _absolute(inner: Box, outer: Box) -> Box:
    i, j, k = (
        slice(a.start + b.start, a.stop + b.start) for a, b in zip(inner, outer, strict=True)
    )
    return i, j, k
