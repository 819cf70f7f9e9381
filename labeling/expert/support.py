"""What the models' probabilities say of a mask: its support.

Masks of predictions only tell where probabilities cross a threshold; how sure the models were is in
the probabilities themselves. cleanlab scores a segmentation by them voxel by voxel (softmin,
arXiv:2307.05080); here they are summed to volumes, which compare between scans of different size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labeling.structures import NOWHERE, Structure, common_parts
from voxcurate.predictions import Prediction
from voxcurate.volume import Box

SHARPNESS = 10.0  # cleanlab's softmin: a voxel's weight grows by e for each tenth of doubt
LEVELS = np.arange(256) / 255.0
SHARP = np.expm1(SHARPNESS * LEVELS) / np.expm1(SHARPNESS)


@dataclass(frozen=True, eq=False)
class Support:
    """The mean probability of one class over the models that know it.

    Attributes:
        box: where `array` lies in the volume; outside the probability is 0.
        array: uint8, the probability times 255.
    """

    box: Box
    array: npt.NDArray[np.uint8]

    def within(self, box: Box) -> npt.NDArray[np.uint8]:
        """The probabilities times 255 in another box of the volume."""
        out = np.zeros(tuple(side.stop - side.start for side in box), np.uint8)
        mine, theirs = common_parts(self.box, box)
        out[theirs] = self.array[mine]
        return out

    def agreement(self, s: Structure) -> float:
        """The Dice coefficient with the probabilities themselves, 0..1; 1 if both are empty."""
        inside = float(self.within(s.box).sum(where=s.mask)) / 255.0
        total = float(self.array.sum(dtype=np.float64)) / 255.0 + s.voxels
        return 2.0 * inside / total if total else 1.0

    def mean(self, s: Structure) -> float:
        """The mean probability within a structure; 0 if it is empty."""
        if s.is_empty:
            return 0.0
        return float(self.within(s.box).mean(where=s.mask)) / 255.0

    def step(self, s: Structure) -> float:
        """By how much the probability falls across the border, -1..1: the mean over pairs of
        neighbours of which one is inside. 0 if the structure has no border."""
        box = _wider(s)
        values, mask = self.within(box).astype(np.float32), s.within(box)
        total = n = 0.0
        for low, high in neighbours(mask.ndim):
            border = mask[low] != mask[high]
            falls = np.where(mask[low], 1.0, -1.0)[border] * (values[low] - values[high])[border]
            total += float(falls.sum(dtype=np.float64))
            n += falls.size
        return total / n / 255.0 if n else 0.0

    def doubt(self, s: Structure) -> "Doubt":
        """How much of a label the probabilities doubt, and how much they miss in it, mL."""
        counts = np.bincount(self.array.ravel(), minlength=256).astype(np.float64)
        inside = np.bincount(self.within(s.box)[s.mask], minlength=256).astype(np.float64)
        outside = np.maximum(counts - inside, 0.0)
        return Doubt(
            inside=float(inside @ (1.0 - LEVELS)) * s.voxel_ml,
            outside=float(outside @ LEVELS) * s.voxel_ml,
            sharp_inside=float(inside @ SHARP[::-1]) * s.voxel_ml,
            sharp_outside=float(outside @ SHARP) * s.voxel_ml,
        )


@dataclass(frozen=True)
class Doubt:
    """Volumes in mL that the probabilities hold against a label.

    Attributes:
        inside: expected volume of the label that is not the structure.
        outside: expected volume of the structure that is not in the label.
        sharp_inside: as `inside`, of what the models are sure about (see `SHARPNESS`).
        sharp_outside: as `outside`, likewise.
    """

    inside: float
    outside: float
    sharp_inside: float
    sharp_outside: float

    def listed(self) -> list[float]:
        """As plain data."""
        values = (self.inside, self.outside, self.sharp_inside, self.sharp_outside)
        return [round(v, 5) for v in values]


def supports(predictions: Sequence[Prediction], classes: Iterable[str]) -> dict[str, Support]:
    """The support of each class that some model knows."""
    found = {}
    for class_id in classes:
        parts = [p.box(class_id) for p in predictions if class_id in p.classes]
        if parts:
            found[class_id] = _mean([(part.box, part.array) for part in parts])
    return found


def neighbours(ndim: int) -> list[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Two views for each axis that hold neighbours along it at the same place."""
    found = []
    for axis in range(ndim):
        low, high = ([slice(None)] * ndim for _ in range(2))
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        found.append((tuple(low), tuple(high)))
    return found


def _wider(s: Structure) -> Box:
    """The structure's box and one voxel more on each side, inside the volume."""
    i, j, k = (
        slice(max(0, side.start - 1), min(n, side.stop + 1))
        for side, n in zip(s.box, s.shape, strict=True)
    )
    return i, j, k


def _mean(parts: Sequence[tuple[Box, npt.NDArray[np.uint8]]]) -> Support:
    there = [(box, array) for box, array in parts if array.size]
    if not there:
        return Support(NOWHERE, np.zeros((0, 0, 0), np.uint8))
    i, j, k = (
        slice(min(box[n].start for box, _ in there), max(box[n].stop for box, _ in there))
        for n in range(3)
    )
    total = np.zeros((i.stop - i.start, j.stop - j.start, k.stop - k.start), np.float32)
    for box, array in there:
        mine, theirs = common_parts(box, (i, j, k))
        total[theirs] += array[mine]
    return Support((i, j, k), np.rint(total / len(parts)).astype(np.uint8))
