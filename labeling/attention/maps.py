"""Attention maps: where the models disagree, are unsure, or claim a voxel for two organs.

AbdomenAtlas-8K (arXiv:2305.09666), eqs. 1-4. Inconsistency is the population standard deviation
over models, uncertainty the mean of ``-p ln p`` (one-sided, as published), overlap is 1 where one
model puts a voxel into a class and into another that may not share it; attention is their sum. The
paper's words would also let the two classes come from two models: that is ``overlap: any``. Two
departures: a lesion inside its organ is no overlap, and with one model inconsistency is undefined,
not 0. Sizes are in mm^3 (attention times voxel volume), so that resolutions compare.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from labeling.config import AttentionConfig
from labeling.structures import NOWHERE, Mask
from voxcurate.errors import GeometryError
from voxcurate.predictions import Prediction, ProbabilityBox
from voxcurate.volume import Box

HALF = 127  # uint8 probabilities above it are above 0.5
MAP_SCALE = 64  # a stored map holds attention times 64, cut at 255 (attention 3.98)
Conflicts = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClassAttention:
    """Sizes of one class in mm^3; `inconsistency` is None with fewer than two models."""

    n_models: int
    inconsistency: float | None
    uncertainty: float
    overlap: float

    @property
    def attention(self) -> float:
        """Their sum (eq. 4), what is undefined left out."""
        return (self.inconsistency or 0.0) + self.uncertainty + self.overlap


@dataclass(frozen=True, eq=False)
class Fusion:
    """What one pass over the predictions gives.

    Attributes:
        total: attention summed over classes, float32 ``(I, J, K)``.
        classes: class id to its sizes.
        masks: class id to box and mask of ``mean > threshold``.
        maps: class id to box and stored attention (uint8, `MAP_SCALE` per unit), if asked for.
    """

    total: npt.NDArray[np.float32]
    classes: Mapping[str, ClassAttention]
    masks: Mapping[str, tuple[Box, Mask]] = field(default_factory=dict)
    maps: Mapping[str, tuple[Box, npt.NDArray[np.uint8]]] = field(default_factory=dict)


def fuse_and_attend(
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    conflicts: Conflicts,
    *,
    config: AttentionConfig | None = None,
    threshold: float = 0.5,
    weights: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    class_maps: bool = False,
) -> Fusion:
    """Fused masks and the attention of several models' soft predictions, each read once.

    Args:
        predictions: of one case; a model that lacks a class does not count for it.
        classes: ids, in the order of `conflicts`; one that no model has is left out.
        conflicts: bool ``(C, C)``; True where two classes may not share a voxel.
        config: the plain equations if not given.
        threshold: of the weighted mean probability.
        weights: one per prediction, or of each class one per prediction; equal if not given, and
            for a class where all that know it weigh 0.
        class_maps: keep each class's attention map too.

    Raises:
        GeometryError: no prediction, or they differ in shape.
    """
    config = config or AttentionConfig()
    shape = _common_shape(predictions)
    same = [1.0] * len(predictions)
    given = [
        weights.get(c, same) if isinstance(weights, Mapping) else weights or same for c in classes
    ]
    rows = [
        weights_among(row, [c in p.classes for p in predictions])
        for c, row in zip(classes, given, strict=True)
    ]
    voxel_mm3 = abs(float(np.linalg.det(predictions[0].affine[:3, :3])))
    parts = [[p.box(c) if c in p.classes else None for p in predictions] for c in classes]
    if (
        config.inconsistency_above
        or config.uncertainty_above
        or config.openings
        or config.overlap != "models"
    ):
        found = _plain(parts, classes, conflicts, config, threshold, rows, shape, voxel_mm3)
        return found if class_maps else replace(found, maps={})
    from labeling.attention._kernel import fused_pass

    return fused_pass(
        parts, classes, conflicts, config, threshold, rows, shape, voxel_mm3,
        class_maps=class_maps,
    )  # fmt: skip


def weights_among(weights: Sequence[float], there: Sequence[bool]) -> list[float]:
    """A class's weights, 0 for models that do not know it; equal ones if those of the others are
    all 0, for somebody has to decide."""
    own = [float(w) if knows else 0.0 for w, knows in zip(weights, there, strict=True)]
    return own if any(own) else [float(knows) for knows in there]


def entropy_table(kind: str) -> npt.NDArray[np.float64]:
    """Entropy (nats) of the 256 stored probabilities."""
    p = np.arange(256) / 255.0
    table = _one_sided(p)
    return table if kind == "published" else table + _one_sided(1.0 - p)


def conflict_matrix(classes: Sequence[str], may_overlap: Sequence[tuple[str, str]]) -> Conflicts:
    """True for every pair of different classes that is not in `may_overlap` (either order)."""
    allowed = {frozenset(pair) for pair in may_overlap}
    return np.array(
        [[a != b and frozenset((a, b)) not in allowed for b in classes] for a in classes],
        dtype=bool,
    ).reshape(len(classes), len(classes))


def stored_map(total: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The attention map as stored: uint8, `MAP_SCALE` per unit, the same for every case."""
    scaled = total * np.float32(MAP_SCALE)  # one temporary of the map's size
    np.minimum(scaled, np.float32(255), out=scaled)
    return np.asarray(np.rint(scaled, out=scaled), dtype=np.uint8)


def union_box(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all boxes; empty ones do not count."""
    filled = [b for b in boxes if all(axis.stop > axis.start for axis in b)]
    if not filled:
        return NOWHERE
    i, j, k = (
        slice(min(b[n].start for b in filled), max(b[n].stop for b in filled)) for n in range(3)
    )
    return i, j, k


def _plain(
    parts: Sequence[Sequence[ProbabilityBox | None]],
    classes: Sequence[str],
    conflicts: Conflicts,
    config: AttentionConfig,
    threshold: float,
    weights: Sequence[Sequence[float]],
    shape: tuple[int, int, int],
    voxel_mm3: float,
) -> Fusion:
    """The same in numpy, class by class on boxes: every option, and the kernel's reference."""
    total = np.zeros(shape, np.float32)
    found: dict[str, ClassAttention] = {}
    masks: dict[str, tuple[Box, Mask]] = {}
    maps: dict[str, tuple[Box, npt.NDArray[np.uint8]]] = {}
    means = {}
    for name, row, own in zip(classes, parts, weights, strict=True):
        box = union_box([p.box for p in row if p is not None])
        stack = np.stack([_crop(p, box) for p in row if p is not None]) if any(row) else None
        if stack is not None:
            share = np.array([w for w, p in zip(own, row, strict=True) if p is not None])
            means[name] = (box, np.tensordot(share / share.sum(), stack.astype(np.float64), 1))
            masks[name] = (box, means[name][1] > threshold * 255)
    table = entropy_table(config.entropy)
    for c, (name, row) in enumerate(zip(classes, parts, strict=True)):
        if name not in masks:
            continue
        box = masks[name][0]
        stack = np.stack([_crop(p, box) for p in row if p is not None])
        deviation = _kept(stack.std(axis=0) / 255.0, config.inconsistency_above, config.openings)
        entropy = _kept(table[stack].mean(axis=0), config.uncertainty_above, config.openings)
        overlap = _overlap(c, parts, conflicts, box, config, masks, classes)
        if len(stack) < 2:
            deviation = np.zeros_like(entropy)
        attention = (deviation + entropy + overlap).astype(np.float32)
        total[box] += attention
        maps[name] = (box, stored_map(attention))
        sums = [float(term.sum()) * voxel_mm3 for term in (deviation, entropy, overlap)]
        found[name] = ClassAttention(
            len(stack), sums[0] if len(stack) > 1 else None, sums[1], sums[2]
        )
    return Fusion(total, found, masks, maps)


def _overlap(
    c: int,
    parts: Sequence[Sequence[ProbabilityBox | None]],
    conflicts: Conflicts,
    box: Box,
    config: AttentionConfig,
    masks: Mapping[str, tuple[Box, Mask]],
    classes: Sequence[str],
) -> npt.NDArray[np.float64]:
    size = tuple(axis.stop - axis.start for axis in box)
    both = np.zeros(size, dtype=bool)
    partners = [int(d) for d in np.flatnonzero(conflicts[c])]
    if config.overlap == "mean":
        for d in partners:
            if classes[d] in masks:
                other = ProbabilityBox(masks[classes[d]][0], masks[classes[d]][1].view(np.uint8))
                both |= masks[classes[c]][1] & (_crop(other, box) > 0)
        return both.astype(np.float64)
    for n, own in enumerate(parts[c]):
        if own is not None:
            mine = _crop(own, box) > HALF
            for d in partners:
                others = parts[d] if config.overlap == "any" else [parts[d][n]]
                for theirs in others:
                    if theirs is not None:
                        both |= mine & (_crop(theirs, box) > HALF)
    return both.astype(np.float64)


def _kept(values: npt.NDArray[np.float64], above: float, openings: int) -> npt.NDArray[np.float64]:
    """Values where they are above a limit and survive the opening; 0 elsewhere."""
    if not above and not openings:
        return values
    keep = values > above
    if openings:
        from scipy import ndimage

        full = np.ones((3, 3, 3), dtype=bool)
        keep = ndimage.binary_erosion(keep, full, openings)
        keep = ndimage.binary_dilation(keep, full, openings)
    return np.where(keep, values, 0.0)


def _crop(part: ProbabilityBox, box: Box) -> npt.NDArray[np.uint8]:
    """A class's values in another box; 0 outside its own."""
    out = np.zeros(tuple(axis.stop - axis.start for axis in box), np.uint8)
    inner = [
        (max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(part.box, box, strict=True)
    ]
    if all(low < high for low, high in inner):
        target, source = (
            tuple(slice(lo - x.start, hi - x.start) for (lo, hi), x in zip(inner, b, strict=True))
            for b in (box, part.box)
        )
        out[target] = part.array[source]
    return out


def _one_sided(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(-p * np.log(np.where(p > 0, p, 1.0)))


def _common_shape(predictions: Sequence[Prediction]) -> tuple[int, int, int]:
    shapes = {p.shape for p in predictions}
    if len(shapes) != 1:
        raise GeometryError(f"want predictions of one shape, found {sorted(shapes)}")
    return shapes.pop()
