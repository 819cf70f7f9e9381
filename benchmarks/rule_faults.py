"""Faults planted in the labels of a case, and the other grids that the case is then stored on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.structures import Structure
from voxcurate.volume import Affine, Volume

PAIRS = ("kidney", "parotid", "lung", "adrenal_gland", "hip", "clavicula", "autochthon")
TUBES = ("aorta", "postcava", "spinal_cord", "esophagus")
ORDERED = (
    ("brainstem", "larynx"), ("liver", "bladder"), ("spleen", "bladder"),
    ("vertebrae_T9", "vertebrae_T11"), ("rib_left_6", "rib_left_8"), ("mandible", "esophagus"),
)  # fmt: skip
TOUCHING = (
    ("spleen", "kidney_left"), ("liver", "kidney_right"), ("stomach", "spleen"),
    ("liver", "aorta"), ("parotid_left", "mandible"), ("larynx", "esophagus"),
    ("brainstem", "spinal_cord"), ("liver", "stomach"),
)  # fmt: skip
LUMPS = ("liver", "spleen", "kidney_left", "pancreas", "larynx", "brainstem", "parotid_left")
CUT_MM, LUMP_MM, APART_MM, TAKEN = 40.0, 14.0, 60.0, 0.3
Mask = npt.NDArray[np.bool_]
Fault = Callable[["Labels", np.random.Generator], "tuple[dict[str, Mask], set[str]] | None"]


@dataclass(frozen=True)
class Labels:
    """The masks of one case, and its CT where there is one."""

    name: str
    masks: Mapping[str, Mask]
    affine: Affine
    scan: Volume | None = None

    def structures(self, masks: Mapping[str, Mask] | None = None) -> dict[str, Structure]:
        """As the rules want them."""
        chosen = self.masks if masks is None else masks
        return {c: Structure.of(c, m, self.affine) for c, m in chosen.items()}


# faults: the new masks, and which classes are wrong in them; None where it cannot be planted


def missing_side(labels: Labels, rng: np.random.Generator) -> Any:
    """One side of a pair is said to be absent."""
    found = _pairs(labels)
    if not found:
        return None
    gone = str(rng.choice(found[rng.integers(len(found))]))
    return {**labels.masks, gone: np.zeros_like(labels.masks[gone])}, {gone}


def swapped_sides(labels: Labels, rng: np.random.Generator) -> Any:
    """Left is called right and right left."""
    found = _pairs(labels)
    if not found:
        return None
    a, b = found[rng.integers(len(found))]
    return {**labels.masks, a: labels.masks[b], b: labels.masks[a]}, {a, b}


def cut_tube(labels: Labels, rng: np.random.Generator) -> Any:
    """A tube lacks 40 mm in its middle third."""
    there = [c for c in TUBES if c in labels.masks]
    heights = np.arange(labels.masks[there[0]].shape[2]) * labels.affine[2, 2] if there else None
    found = []
    for c in there:
        levels = np.flatnonzero(labels.masks[c].any(axis=(0, 1)))
        if heights is not None and np.ptp(heights[levels]) > 3 * CUT_MM:
            found.append((c, heights[levels]))
    if not found or heights is None:
        return None
    c, own = found[rng.integers(len(found))]
    low, high = own.min(), own.max()
    start = rng.uniform(low + 0.3 * (high - low), high - 0.3 * (high - low) - 0.5 * CUT_MM)
    gone = (heights >= start) & (heights < start + CUT_MM)
    return {**labels.masks, c: labels.masks[c] & ~gone}, {c}


def extra_piece(labels: Labels, rng: np.random.Generator) -> Any:
    """A ball of 11 mL elsewhere in the scan counts as part of a single organ."""
    there = [c for c in LUMPS if c in labels.masks]
    if not there:
        return None
    c = str(rng.choice(there))
    own = labels.masks[c]
    spacing = np.linalg.norm(labels.affine[:3, :3], axis=0)
    middle = np.argwhere(own).mean(axis=0) * spacing
    axes = np.ogrid[tuple(slice(0, n) for n in own.shape)]
    for _ in range(200):
        at = rng.uniform(0.2, 0.8, 3) * own.shape * spacing
        if np.linalg.norm(at - middle) <= APART_MM:
            continue
        square = [((x * s - a) ** 2) for x, s, a in zip(axes, spacing, at, strict=True)]
        ball = square[0] + square[1] + square[2] <= LUMP_MM**2
        if not (ball & own).any():
            return {**labels.masks, c: own | ball}, {c}
    return None


def overlapping(labels: Labels, rng: np.random.Generator) -> Any:
    """A structure holds the nearest third of its neighbour too."""
    found = [p for p in TOUCHING if all(c in labels.masks for c in p)]
    if not found:
        return None
    a, b = found[rng.integers(len(found))]
    points = np.argwhere(labels.masks[b])
    toward = np.argwhere(labels.masks[a]).mean(axis=0) - points.mean(axis=0)
    line = points @ (toward / np.linalg.norm(toward))
    taken = points[line > np.quantile(line, 1 - TAKEN)]
    grown = labels.masks[a].copy()
    grown[tuple(taken.T)] = True
    return {**labels.masks, a: grown}, {a, b}


def wrong_order(labels: Labels, rng: np.random.Generator) -> Any:
    """Two structures that lie one above the other have each other's name."""
    found = [p for p in ORDERED if all(c in labels.masks for c in p)]
    if not found:
        return None
    a, b = found[rng.integers(len(found))]
    return {**labels.masks, a: labels.masks[b], b: labels.masks[a]}, {a, b}


FAULTS: dict[str, Fault] = {
    "missing side": missing_side,
    "swapped sides": swapped_sides,
    "cut tube": cut_tube,
    "extra piece": extra_piece,
    "overlap": overlapping,
    "wrong order": wrong_order,
}


def _pairs(labels: Labels) -> list[tuple[str, str]]:
    """The pairs that are whole in the scan."""
    found = []
    for name in PAIRS:
        pair = f"{name}_left", f"{name}_right"
        if all(c in labels.masks for c in pair):
            both = labels.structures({c: labels.masks[c] for c in pair})
            if not any(s.touches_border() for s in both.values()):
                found.append(pair)
    return found


# the same case on another grid


def as_stored(masks: Mapping[str, Mask], affine: Affine) -> tuple[dict[str, Mask], Affine]:
    """As it is."""
    return dict(masks), affine


def flipped(masks: Mapping[str, Mask], affine: Affine) -> tuple[dict[str, Mask], Affine]:
    """Axes in another order, two of them backwards; the same place in the patient."""
    shape = next(iter(masks.values())).shape
    turn = np.zeros((4, 4))
    order, signs = (2, 0, 1), (-1, 1, -1)
    for new, (old, sign) in enumerate(zip(order, signs, strict=True)):
        turn[old, new] = sign
        turn[old, 3] = shape[old] - 1 if sign < 0 else 0
    turn[3, 3] = 1
    moved = {}
    for c, m in masks.items():
        turned = m.transpose(order)
        backwards = tuple(n for n, s in enumerate(signs) if s < 0)
        moved[c] = np.flip(turned, backwards)
    return moved, affine @ turn


def thick(masks: Mapping[str, Mask], affine: Affine) -> tuple[dict[str, Mask], Affine]:
    """Every third slice only."""
    return {c: m[:, :, ::3] for c, m in masks.items()}, affine @ np.diag([1.0, 1, 3, 1])


GRIDS = {"as stored": as_stored, "flipped": flipped, "every 3rd slice": thick}
