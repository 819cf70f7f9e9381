"""Candidates made from a wrong label itself: what is right in it is kept.

A prediction is as good as its network; a person's drawing that is wrong in one way is often better
once that is put right: the two sides of a pair exchanged, a stray piece dropped, a neighbour cut
off, a missing end filled in, a frayed border smoothed, a border drawn anew. Each repair is a
candidate for the judge (`labeling.expert.contest`), none is applied by itself.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from labeling.structures import Structure, dice, margin_box
from voxcurate.volume import Box, spacing_of

ALIKE = 0.98  # Dice from which a repair is the label itself or another repair again
SHARED = 0.25  # of a candidate: less of it in a neighbour is a border drawn differently
LEAST = 0.05  # share of the label that a repair leaves of it
SMOOTH_MM = 2.5  # wider than a frayed border's teeth, narrower than any organ
REACH_MM = 4.0  # around the prediction in which a label may be right
EXCHANGED = "exchanged"
REFINED = "refined"
DRAWN = (EXCHANGED, "without_neighbours", "largest_piece", "predicted_pieces", "near_prediction",
         "smoothed")  # fmt: skip
Repair = tuple[str, Structure]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What repairs of one class are made of; what is not there is left out.

    Attributes:
        predicted: the models' mask of the class.
        pair: the label of the class on the other side of the body.
        others: labels or predictions of classes that may not share voxels with this one.
        refined: named borders drawn anew (`labeling.refine`), where that is wanted.
    """

    predicted: Structure | None = None
    pair: Structure | None = None
    others: Mapping[str, Structure] = field(default_factory=dict)
    refined: Mapping[str, Structure] = field(default_factory=dict)


def repairs(label: Structure, around: Surroundings) -> list[Repair]:
    """Named repairs of a label, in order of how little they invent.

    An empty label has none, but for the exchange with its other side. Repairs that come out empty,
    like the label or like an earlier one are left out.
    """
    found: list[Repair] = []
    for name, s in _all(label, around):
        known = [label, *(other for _, other in found)]
        if not s.is_empty and all((dice(s, other) or 0.0) < ALIKE for other in known):
            found.append((name, s))
    return found


def is_drawn(name: str) -> bool:
    """Whether a candidate is a repair that holds nothing but what was drawn (or smooths it)."""
    return name.startswith(DRAWN) and "filled" not in name


def _all(label: Structure, around: Surroundings) -> Iterator[Repair]:
    pair, predicted = around.pair, around.predicted
    if pair is not None and not pair.is_empty:
        yield EXCHANGED, label.of_mask(pair.mask, pair.box)
    if label.is_empty:
        return
    apart = _without(label, around.others)
    if apart is not None:
        yield "without_neighbours", apart
    for s, suffix in ((label, ""), (apart, "_without_neighbours")):
        if s is None:
            continue
        if s.pieces[1].size > 1:
            yield f"largest_piece{suffix}", s.part(s.pieces[0] == 1)
        if predicted is not None and not predicted.is_empty:
            yield from _with_prediction(s, predicted, suffix)
    yield "smoothed", smoothed(label)
    for name, s in around.refined.items():
        yield f"{REFINED}_{name}", s


def _with_prediction(s: Structure, predicted: Structure, suffix: str) -> Iterator[Repair]:
    from voxcurate.masks import dilate

    near = s.pieces[0][predicted.within(s.box) & s.mask]
    touched = np.unique(near)
    if 0 < touched.size < s.pieces[1].size:
        yield f"predicted_pieces{suffix}", s.part(np.isin(s.pieces[0], touched) & s.mask)
    if not touched.size:
        return
    yield f"filled{suffix}", s.joined(predicted)
    box = margin_box(predicted, REACH_MM)
    reach = dilate(predicted.within(box), REACH_MM, spacing_of(s.affine))
    common = s.of_mask(s.within(box) & reach, box)
    if common.voxels >= LEAST * s.voxels:
        yield f"near_prediction{suffix}", common
        yield f"near_prediction_filled{suffix}", common.joined(predicted)


def trimmed(s: Structure, rivals: Iterable[Structure]) -> Structure:
    """A candidate without the border voxels that sound labels hold whose classes exclude its own.

    Where they hold more than `SHARED` of it that is no dispute about a border, and it stays as it
    is.
    """
    apart = _without(s, {str(n): rival for n, rival in enumerate(rivals)})
    return s if apart is None or apart.voxels < (1.0 - SHARED) * s.voxels else apart


def _without(label: Structure, others: Mapping[str, Structure]) -> Structure | None:
    """The label without what others hold; None if that is nothing, or all of it."""
    left = label.mask.copy()
    for other in others.values():
        if not other.is_empty:
            left &= ~other.within(label.box)
    n = int(np.count_nonzero(left))
    if n == label.voxels or n < LEAST * label.voxels:
        return None
    return label.part(left)


def smoothed(s: Structure, sigma_mm: float = SMOOTH_MM) -> Structure:
    """The structure where a Gaussian of it is above one half; frayed borders become even.

    Args:
        s: not empty.
        sigma_mm: of the Gaussian, in millimetres along each axis.
    """
    from scipy import ndimage

    box: Box = margin_box(s, 2 * sigma_mm)
    sigma = [sigma_mm / step for step in spacing_of(s.affine)]
    soft = ndimage.gaussian_filter(s.within(box).astype(np.float32), sigma, truncate=3.0)
    mask: Mask = soft > 0.5
    return s.of_mask(mask, box)
