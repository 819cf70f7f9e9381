"""Scores of a case's attention, and where to look first.

The published score is the sum over voxels and classes. It favours large organs, long scans and
scans with many organs in view, so normalised forms stand beside it. The one that ranks by default
is the share ``A / (A + V)`` of a class's attended volume `A` (attention of `STRONG` or more, as in
the evaluation of Table 1) over the sum of it and the fused organ `V`: the soft border that every
organ has does not count, and for two hard labellings it is 1 - intersection over union of the two,
so that it orders as their DSC does. A case's share is that of its worst class. docs/attention.md
has the figures.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from labeling.attention.maps import MAP_SCALE, ClassAttention, Fusion
from labeling.config import Score
from voxcurate.masks import bounding_box, components
from voxcurate.volume import ML_PER_MM3, Box

STRONG = 0.45  # one of three models sure of the opposite: standard deviation 0.47
UNSURE = 0.18  # with one model, whose -p ln p is at most 0.37
MIN_ORGAN_ML = 1.0  # a class that nearly nobody sees must not divide by nothing
SEEN_ML = 0.1  # a ball of 6 mm: what is so small does not lead the list


@dataclass(frozen=True)
class Region:
    """The region of a class that deserves a look first.

    `box` are voxels, first and last + 1 of each axis; `attention_mm3` is the attention in it.
    """

    box: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    attention_mm3: float


@dataclass(frozen=True)
class ClassScore:
    """One class of one case.

    Attributes:
        n_models: models that know the class.
        inconsistency: sum over voxels (eq. 1); None with one model: not defined.
        uncertainty: sum over voxels (eq. 2).
        overlap: voxels (eq. 3).
        attention: their sum (eq. 4, as published).
        voxels: voxels with attention (the released code's score, with its thresholds).
        attention_mm3: `attention` times the voxel's volume.
        organ_ml: volume of the fused mask.
        attended_ml: volume with strong attention.
        share: of that in itself and the organ; near 0 where both are small.
        per_ml: `attention_mm3` per mL of the organ (of 1 mL at least).
        per_slice: `attention` per axial slice of the scan.
        reason: what makes most of it.
        region: None without attention.
    """

    n_models: int
    inconsistency: float | None
    uncertainty: float
    overlap: float
    attention: float
    voxels: int
    attention_mm3: float
    organ_ml: float
    attended_ml: float
    share: float
    per_ml: float
    per_slice: float
    reason: str
    region: Region | None

    def score(self, kind: Score) -> float:
        """The one that ranks."""
        return {
            "share": self.share,
            "sum": self.attention_mm3,
            "per-ml": self.per_ml,
            "per-slice": self.per_slice,
            "voxels": float(self.voxels),
        }[kind]

    def plain(self) -> dict[str, Any]:
        """For JSON; `score_of` reads it back."""
        return asdict(self)


def score_of(plain: Mapping[str, Any]) -> ClassScore:
    """What `ClassScore.plain` wrote, after JSON too."""
    fields = dict(plain)
    region = fields.pop("region")
    if region is not None:
        i, j, k = ((int(a), int(b)) for a, b in region["box"])
        region = Region((i, j, k), region["attention_mm3"])
    return ClassScore(**fields, region=region)


def class_scores(fusion: Fusion, voxel_mm3: float, n_slices: int) -> dict[str, ClassScore]:
    """Scores of every class of a fusion that kept its class maps.

    Args:
        fusion: with `maps`.
        voxel_mm3: volume of a voxel.
        n_slices: axial slices of the scan.
    """
    found = {}
    for name, sizes in fusion.classes.items():
        organ_ml = int(np.count_nonzero(fusion.masks[name][1])) * voxel_mm3 * ML_PER_MM3
        box, stored = fusion.maps[name]
        attention = sizes.attention / voxel_mm3
        attended_ml = _attended(stored, sizes.n_models) * voxel_mm3 * ML_PER_MM3
        found[name] = ClassScore(
            n_models=sizes.n_models,
            inconsistency=None if sizes.inconsistency is None else sizes.inconsistency / voxel_mm3,
            uncertainty=sizes.uncertainty / voxel_mm3,
            overlap=sizes.overlap / voxel_mm3,
            attention=attention,
            voxels=int(np.count_nonzero(stored)),
            attention_mm3=sizes.attention,
            organ_ml=organ_ml,
            attended_ml=attended_ml,
            share=attended_ml / (attended_ml + organ_ml + SEEN_ML),
            per_ml=sizes.attention / max(organ_ml, MIN_ORGAN_ML),
            per_slice=attention / n_slices,
            reason=reason(sizes),
            region=worst_region(stored, box, voxel_mm3),
        )
    return found


def case_score(classes: Mapping[str, ClassScore], kind: Score) -> float:
    """Of the whole case: the sum; for ``per-ml`` of all its organs together; for ``share`` that of
    its worst class: one failed organ among many good ones is to be seen."""
    if kind == "per-ml":
        total = sum(c.organ_ml for c in classes.values())
        return sum(c.attention_mm3 for c in classes.values()) / max(total, MIN_ORGAN_ML)
    if kind == "share":
        return max((c.share for c in classes.values()), default=0.0)
    return sum(c.score(kind) for c in classes.values())


def case_scores(classes: Mapping[str, ClassScore]) -> dict[str, float]:
    """The case's score of every kind."""
    kinds: tuple[Score, ...] = get_args(Score)
    return {kind: case_score(classes, kind) for kind in kinds}


def _attended(stored: npt.NDArray[np.uint8], n_models: int) -> int:
    """Voxels of a class map with strong attention."""
    least = STRONG if n_models > 1 else UNSURE
    return int(np.count_nonzero(stored >= round(least * MAP_SCALE)))


def reason(sizes: ClassAttention) -> str:
    """The largest term in words, with its share."""
    if not sizes.attention:
        return "none"
    terms = {
        "models disagree": sizes.inconsistency or 0.0,
        "models unsure": sizes.uncertainty,
        "overlaps another class": sizes.overlap,
    }
    largest = max(terms, key=lambda name: terms[name])
    end = "; one model: inconsistency undefined" if sizes.inconsistency is None else ""
    return f"{largest} ({terms[largest] / sizes.attention:.0%}){end}"


def worst_region(stored: npt.NDArray[np.uint8], box: Box, voxel_mm3: float) -> Region | None:
    """The connected region (26 neighbours) of strong attention with the most of it.

    Strong is `STRONG` or more, so that the soft border that every organ has does not join
    everything; where nothing is that strong, half of the largest value.

    Args:
        stored: a class map, uint8, `MAP_SCALE` per unit, the content of `box`.
        box: where it lies.
        voxel_mm3: volume of a voxel.
    """
    peak = int(stored.max(initial=0))
    if not peak:
        return None
    strong = stored >= min(round(STRONG * MAP_SCALE), max(1, peak // 2))
    inner = bounding_box(strong)
    assert inner is not None
    values = stored[inner]
    labels, n = components(strong[inner])
    sums = np.bincount(labels.ravel(), weights=values.ravel(), minlength=n + 1)
    best = 1 + int(np.argmax(sums[1:]))
    own = bounding_box(labels == best)
    assert own is not None
    i, j, k = (
        (outer.start + middle.start + side.start, outer.start + middle.start + side.stop)
        for outer, middle, side in zip(box, inner, own, strict=True)
    )
    return Region((i, j, k), float(sums[best]) / MAP_SCALE * voxel_mm3)
