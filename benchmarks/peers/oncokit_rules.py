"""The medical-prior rules of OncoKit written plainly, in voxel indices, as a peer for ours.

From its description: left and right by the distance of centroids to the liver; the aorta missing in
more than 3 % of the slices that show the postcava and a lung; liver, spleen and stomach against
fixed neighbours by a count of voxels; the prostate between kidneys and femurs. A missing mask is no
error, the slice axis is guessed from the shape, sex and millimetres are not known.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Masks = Mapping[str, npt.NDArray[np.bool_]]
PAIRS = {"kidney": 0, "adrenal_gland": 0, "femur": 0, "lung": 10}  # voxels that may be shared
OVERLAPS = {  # more than ten voxels are an error
    "liver": ("kidney_left", "aorta"),
    "spleen": ("kidney_right", "gall_bladder"),
    "stomach": ("kidney_left", "aorta", "postcava"),
}
MOST_VOXELS = 10
MOST_SLICES = 0.03
FEW = 4  # voxels


def accused(masks: Masks) -> set[str]:
    """The classes that it calls wrong."""
    there = {c: m for c, m in masks.items() if m.any()}
    return _sides(there) | _aorta(there) | _overlaps(there) | _prostate(there)


def _sides(masks: Masks) -> set[str]:
    wrong: set[str] = set()
    for pair, most in PAIRS.items():
        names = f"{pair}_left", f"{pair}_right"
        if not all(n in masks for n in names):
            continue
        left, right = (masks[n] for n in names)
        if np.count_nonzero(left & right) > most:
            wrong |= set(names)
        if "liver" in masks:
            liver = _centroid(masks["liver"])
            distances = [np.linalg.norm(_centroid(m) - liver) for m in (left, right)]
            if distances[0] < distances[1]:
                wrong |= set(names)
    return wrong


def _aorta(masks: Masks) -> set[str]:
    lungs = [masks[n] for n in ("lung_left", "lung_right") if n in masks]
    if "postcava" not in masks or not lungs or "aorta" not in masks:
        return set()
    shape = masks["aorta"].shape
    odd = [a for a in range(3) if shape.count(shape[a]) == 1]
    axis = odd[0] if len(odd) == 1 else 2
    others = tuple(a for a in range(3) if a != axis)
    shown = [m.any(axis=others) for m in (masks["postcava"], lungs[0], masks["aorta"])]
    gone = shown[0] & shown[1] & ~shown[2]
    return {"aorta"} if np.count_nonzero(gone) > MOST_SLICES * shape[axis] else set()


def _overlaps(masks: Masks) -> set[str]:
    wrong: set[str] = set()
    for organ, others in OVERLAPS.items():
        for other in others:
            both = organ in masks and other in masks
            if both and np.count_nonzero(masks[organ] & masks[other]) > MOST_VOXELS:
                wrong |= {organ, other}
    return wrong


def _prostate(masks: Masks) -> set[str]:
    kidneys = [masks[n] for n in ("kidney_left", "kidney_right") if n in masks]
    femurs = [masks[n] for n in ("femur_left", "femur_right") if n in masks]
    if not any(m.sum() > FEW for m in kidneys) or not any(m.sum() > FEW for m in femurs):
        return set()
    if "prostate" not in masks:
        return {"prostate"}
    place = _centroid(masks["prostate"])
    for two in (kidneys, femurs):
        if len(two) == 2:
            low, high = sorted(_centroid(m)[0] for m in two)
            if not low <= place[0] <= high:
                return {"prostate"}
    to_femurs = min(abs(_centroid(m)[2] - place[2]) for m in femurs)
    to_kidneys = min(abs(_centroid(m)[2] - place[2]) for m in kidneys)
    return {"prostate"} if to_femurs > to_kidneys else set()


def _centroid(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    return np.asarray(np.argwhere(mask).mean(axis=0))
