"""Scores of one class in one scan, arrays in and plain data out.

Written decisions. Both masks empty: not scored (``both_empty``), counted apart. One of them empty
(``missed``, ``false``): DSC and NSD 0, HD95 infinite. Relative volume error needs a truth that is
not empty. The NSD tolerance is the class's, never below one voxel diagonal of the scan; the strict
one (1 mm) is taken as it is, and finer than a coarse grid can be. Where a label does not speak
(outside its `known` mask), truth and prediction are both taken as empty; surface that this cuts
open is cut in both alike.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluation import calibration
from training.evaluation.config import CaseConfig
from training.evaluation.lesions import detect
from voxcurate.classes import Vocabulary
from voxcurate.lesions.candidates import find_candidates
from voxcurate.lesions.matching import match
from voxcurate.masks import dilate
from voxcurate.metrics import dsc, surface_scores
from voxcurate.predictions import ProbabilityBox, tight_box
from voxcurate.volume import ML_PER_MM3, Affine, Box, spacing_of

IMPLEMENTATION = "voxcurate.metrics"
NAMES = ("dsc", "nsd", "nsd_strict", "hd95", "volume_error_ml", "volume_error")
DEFAULT_TOLERANCE_MM = 2.0  # of a class that the vocabulary does not know
STATES = ("scored", "both_empty", "missed", "false")
Shape = tuple[int, int, int]
Bools = npt.NDArray[np.bool_]


def score_class(
    truth: ProbabilityBox,
    prediction: ProbabilityBox,
    shape: Shape,
    affine: Affine,
    config: CaseConfig,
    *,
    tolerance_mm: float,
    known: Bools | None = None,
    is_lesion: bool = False,
) -> dict[str, Any]:
    """All scores of one class.

    Args:
        truth: mask in its box; 128 and more is inside.
        prediction: 255 times the probability, in its box.
        shape: of the scan.
        affine: of the scan, voxel to RAS+ mm.
        config: threshold, tolerances, lesion rules.
        tolerance_mm: the class's.
        known: where the truth speaks, over the whole scan; None: everywhere.
        is_lesion: score lesions one by one too.

    Returns:
        Plain data: ``state``, the scores of `NAMES` (None where not defined; HD95 None where it is
        infinite), volumes, ``calibration`` of soft predictions, ``lesions`` and ``is_partial`` (the
        truth speaks about a part of the scan only).
    """
    spacing = spacing_of(affine)
    least = max(1, round(config.threshold * 255))
    mask = tight_box((prediction.array >= least).view(np.uint8))
    mask = ProbabilityBox(_moved(mask.box, prediction.box), mask.array)
    box = _union(truth.box, mask.box)
    inner = None if known is None else known[box]
    true, mine = _inside(truth, box, 128, inner), _inside(mask, box, 1, inner)
    n_true, n_mine = int(np.count_nonzero(true)), int(np.count_nonzero(mine))
    voxel_ml = abs(float(np.linalg.det(affine[:3, :3]))) * ML_PER_MM3
    tolerance = max(
        tolerance_mm if config.tolerance_mm is None else config.tolerance_mm,
        float(np.linalg.norm(spacing)),
    )
    found: dict[str, Any] = {
        "state": STATES[0 if n_true and n_mine else 1 + bool(n_true) + 2 * bool(n_mine)],
        **dict.fromkeys(NAMES),
        "tolerance_mm": round(tolerance, 4),
        "truth_ml": round(n_true * voxel_ml, 6),
        "predicted_ml": round(n_mine * voxel_ml, 6),
        "voxels": n_true,
        "predicted": n_mine,
    }
    if n_true and n_mine:
        shares, hd95 = surface_scores(true, mine, spacing, (tolerance, config.strict_mm))
        found |= {"dsc": dsc(true, mine), "nsd": shares[0], "nsd_strict": shares[1], "hd95": hd95}
    elif n_true or n_mine:
        found |= {"dsc": 0.0, "nsd": 0.0, "nsd_strict": 0.0}
    if n_true or n_mine:
        found["volume_error_ml"] = round((n_mine - n_true) * voxel_ml, 6)
    if n_true:
        found["volume_error"] = (n_mine - n_true) / n_true
    is_soft = bool(((prediction.array > 0) & (prediction.array < 255)).any())
    found["is_soft"] = is_soft
    if config.calibration and is_soft:
        found["calibration"] = _calibration(truth, prediction, mask, box, shape, spacing, config,
                                            known)  # fmt: skip
    if is_lesion:
        found["is_partial"] = known is not None and not bool(known.all())
        found["lesions"] = {
            **detect(true, mine, affine, config.match, inner),
            **_candidates(truth, prediction, shape, affine, config, known),
        }
    return found


def rules_of(class_id: str, vocabulary: Vocabulary, config: CaseConfig) -> tuple[float, bool]:
    """The NSD tolerance of a class in mm, and whether it is scored lesion by lesion."""
    tolerance_mm, is_lesion = DEFAULT_TOLERANCE_MM, False
    if class_id in vocabulary:
        tolerance_mm, is_lesion = vocabulary[class_id].tolerance_mm, vocabulary[class_id].lesion
    if config.lesion_classes:
        is_lesion = class_id in config.lesion_classes
    return tolerance_mm, is_lesion


def _candidates(
    truth: ProbabilityBox,
    prediction: ProbabilityBox,
    shape: Shape,
    affine: Affine,
    config: CaseConfig,
    known: Bools | None,
) -> dict[str, Any]:
    """What the free-response curve is made of: candidates above a low threshold, their scores, the
    true lesions that each hits (several may hit one)."""
    candidates = find_candidates([prediction], shape, affine, config.match)
    full = np.zeros(shape, bool)
    full[truth.box] = truth.array >= 128
    if known is not None:
        full &= known
    matches = match(candidates, full, config.match, known=known)
    return {
        "scores": [c.scores[config.match.score] for c in candidates.candidates],
        "hits": [list(hits) for hits in matches.hits],
        "ignored": list(matches.ignored),
        "lesions_ml": list(matches.lesions_ml),
    }


def _calibration(
    truth: ProbabilityBox,
    prediction: ProbabilityBox,
    mask: ProbabilityBox,
    box: Box,
    shape: Shape,
    spacing: tuple[float, float, float],
    config: CaseConfig,
    known: Bools | None,
) -> dict[str, Any] | None:
    if box[0].start == box[0].stop:
        return None
    reach = [int(config.calibration_band_mm / step) + 1 for step in spacing]
    i, j, k = (
        slice(max(0, side.start - r), min(n, side.stop + r))
        for side, r, n in zip(box, reach, shape, strict=True)
    )
    wide: Box = (i, j, k)
    true = _inside(truth, wide, 128, None)
    band = dilate(true | _inside(mask, wide, 1, None), config.calibration_band_mm, spacing)
    if known is not None:
        band &= known[wide]
    probability = np.zeros(true.shape, np.uint8)
    mine, theirs = _overlap(prediction.box, wide)
    probability[theirs] = prediction.array[mine]
    return calibration.counts(probability[band], true[band], config.calibration_bins)


def _inside(part: ProbabilityBox, box: Box, least: int, known: Bools | None) -> Bools:
    """A part's mask in another box."""
    is_fortran = part.array.flags.f_contiguous and not part.array.flags.c_contiguous
    result = np.zeros([s.stop - s.start for s in box], bool, order="F" if is_fortran else "C")
    mine, theirs = _overlap(part.box, box)
    result[theirs] = part.array[mine] >= least
    return result if known is None else result & known


def _overlap(part: Box, box: Box) -> tuple[Box, Box]:
    """The common part of two boxes, within each of them."""
    low = [max(a.start, b.start) for a, b in zip(part, box, strict=True)]
    high = [max(n, min(a.stop, b.stop)) for n, a, b in zip(low, part, box, strict=True)]
    one, two = (
        tuple(slice(n - s.start, m - s.start) for n, m, s in zip(low, high, side, strict=True))
        for side in (part, box)
    )
    if any(m <= n for n, m in zip(low, high, strict=True)):
        nothing: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
        return nothing, nothing
    return one, two  # type: ignore[return-value]


def _union(one: Box, two: Box) -> Box:
    filled = [box for box in (one, two) if all(s.stop > s.start for s in box)]
    if not filled:
        return slice(0, 0), slice(0, 0), slice(0, 0)
    i, j, k = (
        slice(min(b[n].start for b in filled), max(b[n].stop for b in filled)) for n in range(3)
    )
    return i, j, k


def _moved(inner: Box, outer: Box) -> Box:
    if any(side.stop <= side.start for side in inner):
        return slice(0, 0), slice(0, 0), slice(0, 0)
    i, j, k = (
        slice(a.start + b.start, a.stop + b.start) for a, b in zip(inner, outer, strict=True)
    )
    return i, j, k
