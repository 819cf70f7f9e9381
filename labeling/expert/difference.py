"""How a label and a prediction of one class differ, in the words that tell kinds of errors apart.

Dice says how much two masks differ, not how: a liver cut in half and one that reaches into the
stomach may have the same. What is lost and what is too much are described by themselves.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.structures import Structure, common_voxels

SAME = 0.95  # shares from which two masks are the same but for their borders
NEARLY = 0.85  # share from which a mask holds all of another
MOSTLY = HALF = 0.5
ASIDE = 0.3  # radii; a shell around has 0
LOOSE_VOXELS = 2  # a piece of fewer is no piece


@dataclass(frozen=True)
class Difference:
    """What a label lacks of a prediction, and has beyond it.

    Attributes:
        inside: share of the label that the prediction holds, 0..1.
        found: share of the prediction that the label holds, 0..1.
        shift_mm: distance of their centroids.
        radius_mm: root mean square distance of the prediction from its centroid.
        lost_ml, more_ml: volumes that are lacking, and too much.
        aside: how far what is lacking lies from the prediction's centroid, or what is there, if
            that is more, in radii: 0 for a shell all around, about 1 for an end that is cut off.
        more_loose: share of what is too much in pieces of the label that do not touch the
            prediction.
        more_in: another predicted class that holds most of what is too much; empty: none.
        more_in_share: share of it that this class holds.
    """

    inside: float
    found: float
    shift_mm: float
    radius_mm: float
    lost_ml: float
    more_ml: float
    aside: float
    more_loose: float
    more_in: str
    more_in_share: float

    def kind(self) -> str:
        """What is wrong with the label if the prediction is right, of
        `labeling.errors.kinds.KINDS`; empty where they are nearly the same."""
        if min(self.inside, self.found) >= SAME:
            return ""
        if max(self.inside, self.found) < HALF and self.shift_mm >= HALF * self.radius_mm:
            return "misplaced"
        if self.more_ml >= self.lost_ml:
            if self.more_loose >= MOSTLY:
                return "disconnected"
            if self.more_in_share >= MOSTLY:
                return "merged"
            return "dilated" if self.found >= NEARLY else "noisy_border"
        if self.aside >= ASIDE:
            return "cut_off"
        return "eroded" if self.inside >= NEARLY else "noisy_border"

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}


def difference(label: Structure, predicted: Mapping[str, Structure]) -> Difference | None:
    """How a label differs from the prediction of its class; None if one of them is empty.

    Args:
        label: of one class.
        predicted: class to predicted structure of the same volume.
    """
    own = predicted.get(label.class_id)
    if own is None or own.is_empty or label.is_empty:
        return None
    held = own.within(label.box) & label.mask
    more = label.mask & ~held
    lost = own.mask & ~label.within(own.box)
    common = int(np.count_nonzero(held))
    radius = float(np.sqrt(((own.points - own.centroid) ** 2).sum(axis=1).mean()))
    lost_part, more_part, held_part = own.part(lost), label.part(more), label.part(held)
    aside = 0.0
    if not lost_part.is_empty and not held_part.is_empty:
        away = [np.linalg.norm(p.centroid - own.centroid) for p in (lost_part, held_part)]
        aside = float(max(away)) / max(radius, 1e-6)
    other, share = _holder(more_part, predicted)
    return Difference(
        inside=common / label.voxels,
        found=common / own.voxels,
        shift_mm=float(np.linalg.norm(label.centroid - own.centroid)),
        radius_mm=radius,
        lost_ml=lost_part.ml,
        more_ml=more_part.ml,
        aside=aside,
        more_loose=_loose(label, held, more),
        more_in=other,
        more_in_share=share,
    )


def _loose(label: Structure, held: npt.NDArray[np.bool_], more: npt.NDArray[np.bool_]) -> float:
    """Share of the voxels in `more` that belong to pieces without a voxel in `held`."""
    n = int(np.count_nonzero(more))
    if not n or label.pieces[1].size < 2:
        return 0.0
    numbers = label.pieces[0]
    touched = np.unique(numbers[held])
    counts = np.bincount(numbers[more].ravel(), minlength=label.pieces[1].size + 1)
    counts[touched] = 0
    counts[0] = 0
    return float(counts[counts >= LOOSE_VOXELS].sum()) / n


def _holder(part: Structure, predicted: Mapping[str, Structure]) -> tuple[str, float]:
    """The other predicted class that holds most of a part, and its share of it."""
    if part.is_empty:
        return "", 0.0
    shares = {
        c: common_voxels(part, p) / part.voxels for c, p in predicted.items() if c != part.class_id
    }
    best = max(sorted(shares), key=lambda c: shares[c], default="")
    return (best, shares[best]) if best and shares[best] > 0 else ("", 0.0)
