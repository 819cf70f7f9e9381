"""Labels as people draw them: a little rough at the border, and now and then plainly wrong."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from agent.cohort.label_errors import (
    Drawn,
    Mask,
    Scene,
    Severity,
    corrupt_label,
    dsc,
    severities,
)

Masks = Mapping[str, Mask]

KINDS = (
    "missing",
    "false_positive",
    "left_right_swap",
    "misplaced",
    "cut_off",
    "disconnected",
    "merged",
    "noisy_border",
    "wrong_class",
)
_NEIGHBOUR = {
    "liver": "stomach",
    "spleen": "kidney_left",
    "kidney_left": "spleen",
    "kidney_right": "liver",
    "pancreas": "duodenum",
    "stomach": "spleen",
    "gall_bladder": "duodenum",
    "aorta": "postcava",
    "postcava": "aorta",
    "duodenum": "pancreas",
}
_ANCHORS = {  # what a false positive lies beside
    "gall_bladder": "duodenum",
    "spleen": "stomach",
    "kidney_left": "spleen",
    "kidney_right": "liver",
    "pancreatic_tumor": "pancreas",
    "bladder": "aorta",
}
_TYPICAL_ML = {"pancreatic_tumor": 3.0}
_SIDES = {"kidney_left": "kidney_right", "kidney_right": "kidney_left"}
_MODERATE: tuple[Severity, ...] = ("moderate", "gross", "subtle")
_GROSS: tuple[Severity, ...] = ("gross", "moderate", "subtle")
_FIRST = dict.fromkeys(("cut_off", "disconnected", "noisy_border"), _MODERATE)
_TUMOR_KINDS = ("missing", "false_positive", "misplaced", "noisy_border")
GOOD_DSC = 0.9
_TRIES = 6


def annotate(mask: Mask, rng: np.random.Generator, *, roughness: float = 0.10) -> Mask:
    """A careful person's drawing: the true mask with a slightly wandering border."""
    if not mask.any():
        return mask.copy()
    box = _box(mask, 3)
    inside = ndimage.gaussian_filter(mask[box].astype(np.float32), 0.65)
    noise = ndimage.gaussian_filter(rng.standard_normal(inside.shape).astype(np.float32), 1.0)
    drawn = np.zeros_like(mask)
    drawn[box] = inside + roughness * noise / noise.std() > 0.48
    return drawn if dsc(drawn, mask) > 0.8 else mask.copy()  # a few voxels are drawn exactly


def can_plant(kind: str, name: str, masks: Masks, *, complete: bool = True) -> bool:
    """Whether an error of `kind` makes sense for class `name` on a scan with these true masks.

    An empty label is an error only where the source is `complete`: elsewhere it says "unknown".
    """
    present = bool(masks[name].any())
    if kind == "false_positive":
        return not present
    if not present or (name == "pancreatic_tumor" and kind not in _TUMOR_KINDS):
        return False
    if kind == "missing":
        return complete
    if kind == "left_right_swap":
        return name == "kidney_left" and bool(masks["kidney_right"].any())
    if kind in ("merged", "wrong_class"):
        other = _NEIGHBOUR.get(name, "")
        return other in masks and bool(masks[other].any())
    return True


def plant(
    kind: str, name: str, masks: Masks, affine: npt.NDArray[np.float64], seed: list[int]
) -> Drawn:
    """A label of class `name` with a planted error (`agent.cohort.label_errors`), worse than
    `GOOD_DSC`, its border as rough as that of a right one.

    Args:
        kind: one of `KINDS`, for which `can_plant` holds.
        name: the class.
        masks: the true masks of all classes of the scan.
        affine: voxel to RAS+ mm.
        seed: of the random draw.

    Raises:
        RuntimeError: the structure is too small for an error of this kind.
    """
    anchor = _ANCHORS.get(name, "liver")
    near = {n: m for n, m in masks.items() if n in (name, anchor)}
    scene = Scene(
        near if kind == "false_positive" else masks,
        affine, pairs=_SIDES, neighbours=_NEIGHBOUR, typical_ml=_TYPICAL_ML,
    )  # fmt: skip
    for effort in range(_TRIES):
        for severity in _FIRST.get(kind, _GROSS):
            if severity not in severities(kind):
                continue
            made = corrupt_label(kind, name, scene, severity, [*seed, effort])
            if made is None:
                continue
            rng = np.random.default_rng([*seed, effort])
            mask = made.mask if kind == "noisy_border" else annotate(made.mask, rng)
            score = dsc(mask, masks[name])
            if score < GOOD_DSC:
                return Drawn(mask, score)
    raise RuntimeError(f"no {kind} error of {name} can be drawn here")


def _box(mask: Mask, margin: int) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, s.start - margin), min(n, s.stop + margin))
        for s, n in zip(found, mask.shape, strict=True)
    )
