"""One case: several models' predictions become masks that keep to the written anatomy.

The mean of the models' probabilities above a threshold, or STAPLE of their votes; a class that only
some models know is theirs alone to decide. The attention of the same predictions comes along, for
it is the same pass. What the rules took is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.attention.maps import Fusion, conflict_matrix, fuse_and_attend, weights_among
from labeling.config import LabelingConfig
from labeling.fusion.effects import Effect
from labeling.fusion.mend import mend
from labeling.fusion.staple import staple
from labeling.rules import Anatomy
from labeling.structures import Structure, common_parts
from voxcurate.errors import GeometryError
from voxcurate.labelmaps import same_affine
from voxcurate.predictions import Prediction, ProbabilityBox
from voxcurate.volume import Affine, Box, orientation_of

Weights = Mapping[str, Sequence[float]]


@dataclass(frozen=True, eq=False)
class Fused:
    """A fused case.

    Attributes:
        structures: by class id, mended; a class that no model knows is not there.
        effects: what the rules did.
        fusion: masks before the rules, and attention.
        how: class to what decided it: models, weights or STAPLE's estimates.
    """

    structures: Mapping[str, Structure]
    effects: Sequence[Effect]
    fusion: Fusion
    how: Mapping[str, Mapping[str, Any]]


def fuse_case(
    predictions: Sequence[Prediction],
    classes: Sequence[str],
    anatomy: Anatomy,
    config: LabelingConfig,
    *,
    weights: Weights | None = None,
    middle: float | None = None,
    class_maps: bool = False,
) -> Fused:
    """Fuse, attend and mend one case.

    With one model the masks are its own. A class that a model lacks is unknown to it; one that it
    has and predicts nowhere is a vote against. Voxels whose mean is the threshold itself are
    outside: with two models of hard masks what both have remains.

    Args:
        predictions: of the case, on one grid.
        classes: ids; one that no model has is left out.
        anatomy: the written rules.
        config: method, threshold, whether to mend.
        weights: class to the weight of each prediction; equal if not given, not for STAPLE.
        middle: world R coordinate of the body's middle, if it is known (see `mend`).
        class_maps: keep each class's attention map.

    Raises:
        GeometryError: no prediction, or they do not lie on one grid; names the model.
    """
    check_grids(predictions)
    loaded = [
        replace(p, classes={c: p.box(c) for c in classes if c in p.classes}) for p in predictions
    ]
    fusion = fuse_and_attend(
        loaded,
        classes,
        conflict_matrix(classes, anatomy.allowed_overlaps(classes)),
        config=config.attention,
        threshold=config.fuse.threshold,
        weights=weights,
        class_maps=class_maps,
    )
    how: dict[str, dict[str, Any]] = {}
    masks = dict(fusion.masks)
    for name in masks:
        there = [p for p in loaded if name in p.classes]
        how[name] = {"method": config.fuse.method, "models": [p.model_id for p in there]}
        if config.fuse.method == "staple":
            masks[name], estimates = _by_staple(name, there, config)
            how[name] |= estimates
        elif weights and name in weights:
            shares = weights_among(weights[name], [name in p.classes for p in loaded])
            own = zip(loaded, shares, strict=True)
            how[name]["weights"] = {p.model_id: round(w, 4) for p, w in own if p in there}
    fusion = replace(fusion, masks=masks)
    shape, affine = loaded[0].shape, loaded[0].affine
    structures = {
        c: Structure(c, mask, box, shape, affine).part(mask) for c, (box, mask) in masks.items()
    }
    effects: list[Effect] = []
    if config.fuse.postprocess:
        chances = _Chances(loaded, weights or {})
        structures, effects = mend(structures, anatomy, middle=middle, support=chances)
    return Fused(structures, effects, fusion, how)


def check_grids(predictions: Sequence[Prediction], owner: str = "") -> None:
    """Whether all lie on the first one's grid.

    Args:
        predictions: of one case.
        owner: whose grid the first one's is, for the message; empty: its model's.

    Raises:
        GeometryError: no prediction, or one that lies elsewhere; names the models.
    """
    if not predictions:
        raise GeometryError("no prediction of this case")
    first = predictions[0]
    for other in predictions[1:]:
        if other.shape != first.shape or not same_affine(other.affine, first.affine):
            raise GeometryError(
                f"model {other.model_id} lies on another grid than "
                f"{owner or 'model ' + first.model_id}: {_grid(other.shape, other.affine)} and "
                f"{_grid(first.shape, first.affine)}"
            )


def _grid(shape: Sequence[int], affine: Affine) -> str:
    at = ", ".join(f"{x:.1f}" for x in affine[:3, 3])
    spacing = " x ".join(f"{x:.3g}" for x in np.linalg.norm(affine[:3, :3], axis=0))
    return f"{tuple(shape)} {orientation_of(affine)}, {spacing} mm, from ({at})"


def _by_staple(
    class_id: str, predictions: Sequence[Prediction], config: LabelingConfig
) -> tuple[tuple[Box, npt.NDArray[np.bool_]], dict[str, Any]]:
    found = staple(
        [p.box(class_id) for p in predictions],
        predictions[0].shape,
        predictions[0].affine,
        threshold=config.fuse.threshold,
        margin_mm=config.fuse.staple_margin_mm,
    )
    told = {}
    for name in ("sensitivity", "specificity"):
        values = getattr(found, name)
        told[name] = {
            p.model_id: round(float(v), 6)
            for p, v in zip(predictions, values, strict=True)
            if np.isfinite(v)
        }
    return (found.box, found.mask), told


class _Chances:
    """How likely the models find a class in each voxel of a box: the sum of their weighted bytes.

    Of two classes that different models know, means are compared.
    """

    def __init__(self, predictions: Sequence[Prediction], weights: Weights) -> None:
        self._predictions, self._weights = predictions, weights

    def __call__(self, class_id: str, box: Box) -> npt.NDArray[np.float32]:
        size = tuple(side.stop - side.start for side in box)
        total, share = np.zeros(size, np.float32), 0.0
        there = [class_id in p.classes for p in self._predictions]
        own = weights_among(self._weights.get(class_id, [1.0] * len(there)), there)
        for prediction, weight in zip(self._predictions, own, strict=True):
            part: ProbabilityBox | None = prediction.classes.get(class_id)
            if part is not None:
                mine, theirs = common_parts(part.box, box)
                total[theirs] += np.float32(weight) * part.array[mine]
                share += weight
        total /= np.float32(share or 1.0)
        return total
