"""Labels as people draw them: a little rough at the border, and now and then plainly wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]
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
_TUMOR_KINDS = ("missing", "false_positive", "misplaced", "noisy_border")
GOOD_DSC = 0.9
_TRIES = 6


@dataclass(frozen=True)
class Drawn:
    """A drawn label and how it compares with the truth."""

    mask: Mask
    dsc: float


def dsc(first: Mask, second: Mask) -> float:
    """Dice coefficient; 1 when both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total


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


def plant(kind: str, name: str, masks: Masks, spacing: tuple[float, ...], seed: list[int]) -> Drawn:
    """A label of class `name` with a planted error, worse than `GOOD_DSC`.

    Args:
        kind: one of `KINDS`, for which `can_plant` holds.
        name: the class.
        masks: the true masks of all classes of the scan.
        spacing: mm, in axis order.
        seed: of the random draw.
    """
    truth = masks[name]
    if kind == "missing":
        return Drawn(np.zeros_like(truth), 0.0)
    rng = np.random.default_rng(seed)
    for effort in range(1, _TRIES + 1):
        drawn = _MAKERS[kind](name, masks, spacing, rng, effort)
        score = dsc(drawn, truth)
        if score < GOOD_DSC:
            break
    return Drawn(drawn, score)


def _false_positive(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    """A blob where such a thing might be thought to be: beside another organ."""
    anchors = {
        "gall_bladder": "duodenum",
        "spleen": "stomach",
        "kidney_left": "spleen",
        "kidney_right": "liver",
        "pancreatic_tumor": "pancreas",
        "bladder": "aorta",
    }
    shape = masks[name].shape
    anchor = masks.get(anchors.get(name, "liver"))
    if anchor is not None and anchor.any():
        voxels = np.argwhere(anchor)
        center = voxels[int(rng.integers(len(voxels)))].astype(float)
    else:
        center = np.array(shape) / 2 + rng.normal(0, 4, 3)
    radius = rng.uniform(6, 10) if name == "pancreatic_tumor" else rng.uniform(15, 26)
    return _ball(shape, center, radius, spacing, rng)


def _swap(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    other = "kidney_right" if name == "kidney_left" else "kidney_left"
    return annotate(masks[other], rng)


def _misplaced(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    direction = rng.normal(size=3)
    distance = rng.uniform(14, 26) + 8 * effort
    offset = np.rint(direction / np.linalg.norm(direction) * distance / spacing).astype(int)
    return _shifted(masks[name], tuple(offset.tolist()))


def _cut_off(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    truth = masks[name]
    voxels = np.argwhere(truth) * np.asarray(spacing)
    axis = rng.normal(size=3)
    heights = voxels @ axis
    limit = np.quantile(heights, rng.uniform(0.3, 0.45) + 0.03 * effort)
    grid = np.tensordot(axis * spacing, np.indices(truth.shape), axes=1)
    return np.asarray(annotate(truth, rng) & (grid > limit))


def _disconnected(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    drawn = annotate(masks[name], rng)
    slices = np.flatnonzero(drawn.any((0, 1)))
    gaps = max(1, len(slices) // 6) + effort - 1
    start = slices[len(slices) // 3]
    drawn[:, :, start : start + gaps] = False
    body = np.argwhere(masks[name])
    for _ in range(2 + effort):
        away = body.mean(0) + rng.normal(0, 1, 3) * (body.std(0) + 30 / np.asarray(spacing))
        size = 0.3 * (len(body) * float(np.prod(spacing))) ** (1 / 3)
        drawn |= _ball(drawn.shape, away, float(np.clip(size, 6, 18)), spacing, rng)
    return drawn


def _merged(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    return annotate(masks[name], rng) | masks[_NEIGHBOUR[name]]


def _noisy_border(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    truth = masks[name]
    box = _box(truth, 6)
    soft = ndimage.gaussian_filter(truth[box].astype(np.float32), 1.4 + 0.3 * effort)
    noise = ndimage.gaussian_filter(rng.standard_normal(soft.shape).astype(np.float32), 0.9)
    drawn = np.zeros_like(truth)
    drawn[box] = soft + (0.2 + 0.07 * effort) * noise / noise.std() > 0.5
    return drawn


def _wrong_class(
    name: str, masks: Masks, spacing: tuple[float, ...], rng: np.random.Generator, effort: int
) -> Mask:
    return annotate(masks[_NEIGHBOUR[name]], rng)


_MAKERS: dict[str, Callable[[str, Masks, tuple[float, ...], np.random.Generator, int], Mask]] = {
    "false_positive": _false_positive,
    "left_right_swap": _swap,
    "misplaced": _misplaced,
    "cut_off": _cut_off,
    "disconnected": _disconnected,
    "merged": _merged,
    "noisy_border": _noisy_border,
    "wrong_class": _wrong_class,
}


def _box(mask: Mask, margin: int) -> tuple[slice, ...]:
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, s.start - margin), min(n, s.stop + margin))
        for s, n in zip(found, mask.shape, strict=True)
    )


def _shifted(mask: Mask, offset: tuple[int, ...]) -> Mask:
    """The mask moved by whole voxels; what leaves the volume is lost."""
    moved = np.zeros_like(mask)
    to, source = [], []
    for step, n in zip(offset, mask.shape, strict=True):
        to.append(slice(max(0, step), min(n, n + step)))
        source.append(slice(max(0, -step), min(n, n - step)))
    moved[tuple(to)] = mask[tuple(source)]
    return moved


def _ball(
    shape: tuple[int, ...],
    center: npt.NDArray[np.float64],
    radius_mm: float,
    spacing: tuple[float, ...],
    rng: np.random.Generator,
) -> Mask:
    indices = np.indices(shape).astype(np.float32)
    stretch = rng.uniform(0.75, 1.3, 3)
    total = np.zeros(shape, np.float32)
    for axis in range(3):
        total += ((indices[axis] - center[axis]) * spacing[axis] / stretch[axis]) ** 2
    return np.asarray(total < radius_mm**2)
