"""STAPLE: what several masks probably show, each model's sensitivity and specificity estimated.

Warfield, Zou and Wells 2004 (doi:10.1109/TMI.2004.828354), equations 14-19, as ITK computes it: the
prior is the mean of the masks, the start is their mean at each voxel, and it ends when the squared
change of all sensitivities and specificities falls below `SETTLED`. Voxels with the same votes have
the same probability, so that the iterations work on the few patterns of votes that occur, and a
volume is passed over twice. We depart from ITK where it gives NaN: nothing voted for is nothing,
everything voted for by all is everything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
import numpy.typing as npt

from labeling.structures import NOWHERE, Mask, bounding_box, common_parts
from voxcurate.errors import GeometryError
from voxcurate.predictions import ProbabilityBox
from voxcurate.volume import Affine, Box, spacing_of

SETTLED = 1e-14
TIE = 1e-6  # where the estimate cannot tell it is the threshold itself, to rounding
MAX_ITERATIONS = 10_000
MAX_MODELS = 24
Row = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What STAPLE makes of patterns of votes.

    Attributes:
        probability: of each pattern, ``(P,)``.
        sensitivity: of each model, ``(N,)``.
        specificity: of each model, ``(N,)``.
        iterations: until it settled.
    """

    probability: Row
    sensitivity: Row
    specificity: Row
    iterations: int


@dataclass(frozen=True, eq=False)
class Staple:
    """A class by STAPLE: what is above the threshold in a box, and the estimate behind it.

    `probability` holds that of each voxel's pattern: ``probability[codes]`` is the map.
    """

    box: Box
    mask: Mask
    codes: npt.NDArray[np.uint32]
    probability: Row
    sensitivity: Row
    specificity: Row
    iterations: int


def staple(
    parts: Sequence[ProbabilityBox],
    shape: tuple[int, int, int],
    affine: Affine,
    *,
    threshold: float = 0.5,
    margin_mm: float = 10.0,
) -> Staple:
    """One class of several models' predictions by STAPLE.

    It looks at the box of all votes with a margin: in the whole scan every model's specificity
    would be nearly 1. One model gives its own mask. Where two models disagree, neither can be told
    to be right: what both vote for remains. A model that votes for nothing counts as one of no
    sensitivity: of two others what both vote for remains, of one other nothing. No votes at all:
    an empty mask.

    Args:
        parts: of the models that know the class.
        shape: ``(I, J, K)`` of the scan.
        affine: of the scan.
        threshold: of a model's probability for its vote, and of the result.
        margin_mm: around the votes; infinite: the whole scan.

    Raises:
        GeometryError: more than `MAX_MODELS` models.
    """
    if len(parts) > MAX_MODELS:
        raise GeometryError(f"want at most {MAX_MODELS} models for STAPLE, found {len(parts)}")
    box = _box(parts, shape, affine, threshold, margin_mm)
    codes = np.zeros(tuple(side.stop - side.start for side in box), np.uint32)
    for m, part in enumerate(parts):
        inner, outer = common_parts(part.box, box)
        votes = part.array[inner] > threshold * 255
        codes[outer] |= votes.astype(np.uint32) << np.uint32(m)
    counts = _counted(codes.reshape(-1), 1 << len(parts))
    seen = np.flatnonzero(counts)
    votes_of = (seen[:, None] >> np.arange(len(parts))) & 1 == 1
    found = estimate(votes_of, counts[seen])
    probability = np.zeros(counts.size)
    probability[seen] = found.probability
    mask: Mask = (probability > threshold + TIE)[codes]
    return Staple(
        box, mask, codes, probability, found.sensitivity, found.specificity, found.iterations
    )


def estimate(votes: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64]) -> Estimate:
    """The probability of each pattern of votes.

    Args:
        votes: ``(P, N)``, what each model says in each pattern.
        counts: ``(P,)``, how many voxels have it.
    """
    n = np.asarray(counts, np.float64)
    n_models = votes.shape[1]
    total = float(n.sum())
    weight = votes.mean(axis=1) if n_models else np.zeros(len(n))
    prior = float(n @ weight) / total if total else 0.0
    p, q = np.full(n_models, np.nan), np.full(n_models, np.nan)
    if prior in (0.0, 1.0):  # nobody votes, or all do everywhere
        return Estimate(np.full(len(n), prior), p, q, 0)
    iteration = 0
    for iteration in range(1, MAX_ITERATIONS + 1):  # noqa: B007 - told
        inside, outside = n * weight, n * (1.0 - weight)
        last = np.concatenate([p, q])
        p = (inside @ votes) / inside.sum()
        q = (outside @ ~votes) / outside.sum()
        alpha = prior * np.where(votes, p, 1.0 - p).prod(axis=1)
        beta = (1.0 - prior) * np.where(votes, 1.0 - q, q).prod(axis=1)
        both = alpha + beta
        weight = np.divide(alpha, both, out=weight.copy(), where=both > 0)
        change = float(((np.concatenate([p, q]) - last) ** 2).sum())
        if change < SETTLED or not (0 < float(n @ weight) < total):
            break
    return Estimate(weight, p, q, iteration)


def _box(
    parts: Sequence[ProbabilityBox],
    shape: tuple[int, int, int],
    affine: Affine,
    threshold: float,
    margin_mm: float,
) -> Box:
    """The smallest box of all votes, with its margin inside the scan."""
    boxes = []
    for part in parts:
        tight = bounding_box(part.array > threshold * 255)
        if tight != NOWHERE:
            boxes.append(
                [
                    (t.start + b.start, t.stop + b.start)
                    for t, b in zip(tight, part.box, strict=True)
                ]
            )
    if not boxes:
        return NOWHERE
    spacing = spacing_of(affine)
    grow = [int(np.ceil(min(margin_mm / s, n))) for n, s in zip(shape, spacing, strict=True)]
    i, j, k = (
        slice(
            max(0, min(b[axis][0] for b in boxes) - grow[axis]),
            min(shape[axis], max(b[axis][1] for b in boxes) + grow[axis]),
        )
        for axis in range(3)
    )
    return i, j, k


@numba.njit(cache=True, nogil=True)
def _counted(codes, n):  # type: ignore[no-untyped-def] # pragma: no cover - compiled
    counts = np.zeros(n, np.int64)
    for at in range(codes.size):
        counts[codes[at]] += 1
    return counts
