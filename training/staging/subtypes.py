"""The subtype of a tumour from the segmented lesion's class scores, lesion by lesion and patient by
patient."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from training.staging.config import SubtypeConfig
from voxcurate.masks import bounding_box, components
from voxcurate.volume import ML_PER_MM3, Affine

NONE = "none"  # no lesion
FULL = 255.0


@dataclass(frozen=True)
class ScoredLesion:
    """A segmented lesion.

    Attributes:
        ml: its volume.
        scores: class to the mean or the sum of its probability over the lesion's voxels (the sum
            in mL).
    """

    ml: float
    scores: Mapping[str, float]

    @property
    def subtype(self) -> str:
        """The class with the highest score; of equals the first."""
        return max(self.scores, key=lambda name: self.scores[name])

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        scores = {name: round(value, 4) for name, value in self.scores.items()}
        return {"ml": round(self.ml, 3), "subtype": self.subtype, "scores": scores}


def lesions_of_scores(
    probabilities: Mapping[str, npt.NDArray[np.uint8]], affine: Affine, config: SubtypeConfig
) -> list[ScoredLesion]:
    """The lesions of a scan with their scores, the largest first.

    Voxels whose classes together reach the threshold are lesion; lesions are 26-connected.

    Args:
        probabilities: class to probability times 255, ``(I, J, K)``, all of one shape.
        affine: voxel to RAS+ mm.
        config: threshold, score, smallest lesion.
    """
    names = list(probabilities)
    if not names:
        return []
    boxes = [bounding_box(array) for array in probabilities.values()]
    known = [box for box in boxes if box is not None]
    if not known:
        return []
    box = tuple(
        slice(min(b[axis].start for b in known), max(b[axis].stop for b in known))
        for axis in range(3)
    )
    stack = np.stack([probabilities[name][box] for name in names]).astype(np.float32) / FULL
    lesion = stack.sum(axis=0) >= config.threshold
    numbers, n = components(np.ascontiguousarray(lesion))
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * ML_PER_MM3
    flat = numbers.ravel()
    sizes = np.bincount(flat, minlength=n + 1)[1:] * voxel_ml
    sums = [np.bincount(flat, part.ravel(), minlength=n + 1)[1:] * voxel_ml for part in stack]
    found = []
    for i in np.argsort(-sizes, kind="stable"):
        if sizes[i] >= config.speck_ml:
            by = 1.0 if config.score == "sum" else float(sizes[i])
            scores = {name: float(total[i]) / by for name, total in zip(names, sums, strict=True)}
            found.append(ScoredLesion(float(sizes[i]), scores))
    return found


def subtype_of(lesions: Iterable[ScoredLesion], config: SubtypeConfig) -> str:
    """The subtype of a patient by all lesions of all scans; `NONE` without any.

    ``volume`` adds the scores up, each lesion by its volume (of sums: as they are).
    """
    every = sorted(lesions, key=lambda lesion: -lesion.ml)
    if not every:
        return NONE
    if config.patient == "largest":
        return every[0].subtype
    if config.patient == "malignant":
        order = {name: rank for rank, name in enumerate(config.malignancy)}
        return min((x.subtype for x in every), key=lambda name: order.get(name, len(order)))
    totals: dict[str, float] = {}
    for lesion in every:
        weight = 1.0 if config.score == "sum" else lesion.ml
        for name, value in lesion.scores.items():
            totals[name] = totals.get(name, 0.0) + weight * value
    return max(totals, key=lambda name: totals[name])


def patients_of(
    scans: Mapping[str, Sequence[ScoredLesion]],
    owners: Mapping[str, str],
    config: SubtypeConfig,
) -> dict[str, str]:
    """Patient to predicted subtype, over all of the patient's scans.

    Args:
        scans: case to its lesions.
        owners: case to patient; a case that is not there is a patient of its own.
        config: which lesion speaks.
    """
    together: dict[str, list[ScoredLesion]] = {}
    for case, lesions in sorted(scans.items()):
        together.setdefault(owners.get(case, case), []).extend(lesions)
    return {patient: subtype_of(lesions, config) for patient, lesions in together.items()}
