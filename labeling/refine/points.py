"""Point prompts: where a structure surely is and is not, near the part of its border in doubt."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.refine.border import Border, Floats, Mask
from labeling.structures import to_world
from voxcurate.volume import Affine

BORDER_HU = 40.0  # a step across the border that leaves little doubt
LEAST_DOUBT = 0.1  # so that points spread even where nothing is in doubt
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Points:
    """Prompts of one structure.

    Attributes:
        indices: voxels of the scan, ``(n, 3)``.
        positive: inside (True) or outside, ``(n,)``.
        affine: voxel to RAS+ mm.
    """

    indices: Ints
    positive: npt.NDArray[np.bool_]
    affine: Affine

    @property
    def world(self) -> npt.NDArray[np.float64]:
        """RAS+ mm, ``(n, 3)``."""
        return to_world(self.indices.astype(np.float64), self.affine)

    def mask(self, border: Border, *, positive: bool = False) -> Mask:
        """The voxels of one kind of points in the border's box."""
        found = np.zeros(border.mask.shape, bool)
        at = self.indices[self.positive == positive] - [side.start for side in border.box]
        at = at[((at >= 0) & (at < border.mask.shape)).all(axis=1)]
        found[tuple(at.T)] = True
        return found

    def plain(self) -> list[dict[str, Any]]:
        """As plain data: place in RAS+ mm and sign."""
        pairs = zip(self.world.round(3).tolist(), self.positive.tolist(), strict=True)
        return [{"ras_mm": place, "positive": sign} for place, sign in pairs]


def choose_points(border: Border, n: int = 10) -> Points:
    """Points for a segmenter, the same for the same border.

    Half of them lie well inside, half outside, near the parts of the border where the models are
    unsure (without models: where the values hardly change across it). Each next point is the
    one whose distance in mm to those of its kind, times the doubt of the border beside it, is the
    largest. Fewer where a structure has fewer voxels.

    Args:
        border: not of an empty label.
        n: number of points.
    """
    doubt = _nearest(border, doubt_of_border(border))
    near = border.outside & ~border.taken & (border.depth >= -2.0 * border.band_mm)
    inner = _spread(border, border.inside, doubt, (n + 1) // 2)
    outer = _spread(border, near if near.any() else border.outside, doubt, n // 2)
    start = np.array([side.start for side in border.box], np.int64)
    signs = np.repeat([True, False], [len(inner), len(outer)])
    return Points(np.concatenate([inner, outer]) + start, signs, border.label.affine)


def doubt_of_border(border: Border) -> Floats:
    """How unsure the border is, 0 to 1, at the voxels on both sides of it; 0 elsewhere."""
    doubt = np.zeros(border.mask.shape, np.float32)
    for axis in range(3):
        mask, values, out = (np.moveaxis(a, axis, 0) for a in (border.mask, border.values, doubt))
        edge = mask[:-1] != mask[1:]
        if border.chance is not None:
            chance = np.moveaxis(border.chance, axis, 0)
            fall = np.where(mask[:-1], 1.0, -1.0) * (chance[:-1] - chance[1:])
            unsure = np.clip(1.0 - fall, 0.0, 1.0)
        else:
            unsure = 1.0 / (1.0 + np.abs(values[:-1] - values[1:]) / BORDER_HU)
        for side in (out[:-1], out[1:]):
            np.maximum(side, np.where(edge, unsure, 0.0), out=side)
    return doubt


def _nearest(border: Border, doubt: Floats) -> Floats:
    """The doubt of the border voxel that lies nearest to each voxel."""
    from scipy import ndimage

    if not doubt.any():
        return np.ones_like(doubt)
    at = ndimage.distance_transform_edt(
        doubt == 0, sampling=border.spacing, return_distances=False, return_indices=True
    )
    return np.asarray(doubt[tuple(at)])


def _spread(border: Border, where: Mask, doubt: Floats, n: int) -> Ints:
    """Voxels of a part of the box, far from each other and near doubt; the first is the one
    whose border is least sure."""
    voxels = np.argwhere(where)
    if not len(voxels) or not n:
        return np.zeros((0, 3), np.int64)
    weight = LEAST_DOUBT + doubt[where]
    close = np.abs(np.abs(border.depth[where]) - border.band_mm)
    weight = weight / (1.0 + close / border.band_mm)  # the core and its border, not the middle
    places = voxels @ border.label.affine[:3, :3].T
    chosen = [int(np.argmax(weight))]
    away = np.full(len(voxels), np.inf)
    while len(chosen) < min(n, len(voxels)):
        step = np.linalg.norm(places - places[chosen[-1]], axis=1)
        away = np.minimum(away, step)
        chosen.append(int(np.argmax(away * weight)))
    return np.asarray(voxels[chosen], np.int64)


def markups(points: Points, class_id: str) -> str:
    """The points as the JSON of 3D Slicer's markups (``.mrk.json``): inside and outside apart."""
    schema = (
        "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/"
        "Resources/Schema/markups-schema-v1.0.3.json#"
    )
    kinds = (("inside", True, (0, 1, 0)), ("outside", False, (1, 0, 0)))
    lists = [
        _markup(f"{class_id} {name}", points.world[points.positive == sign].round(4), colour)
        for name, sign, colour in kinds
    ]
    return json.dumps({"@schema": schema, "markups": lists}, indent=1) + "\n"


def _markup(name: str, places: npt.NDArray[np.float64], colour: Sequence[float]) -> dict[str, Any]:
    controls = [
        {"id": str(n), "label": f"{name} {n}", "position": place}
        for n, place in enumerate(places.tolist(), 1)
    ]
    return {
        "type": "Fiducial",
        "name": name,
        "coordinateSystem": "RAS",
        "coordinateUnits": "mm",
        "controlPoints": controls,
        "display": {"color": list(colour), "selectedColor": list(colour)},
    }
