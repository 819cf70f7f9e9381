"""Test-on-training: a label that a model trained on its peers cannot reproduce is suspect.

ScaleMAI (arXiv:2501.03410) section 2.2.1 flags a label that is not empty and that the prediction
does not touch (DSC = 0). We keep that criterion and add what a reader of the two masks would say:
the label is another class, a structure is missing, the agreement is far below its peers'. A network
that cannot find a class at all accuses nobody: every chance is scaled by the class's reliability.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.config import DetectConfig
from labeling.structures import Structure, dice

MAD_TO_SIGMA = 1.4826
RELIABLE = (0.3, 0.7)  # median DSC at which a class's predictions start to count, and fully count
Floats = npt.NDArray[np.float64]
NO_OVERLAP = 0.9  # chance of an error if a reliable prediction does not touch the label at all


@dataclass(frozen=True)
class Comparison:
    """A current label against the (out-of-fold where possible) prediction.

    `dsc` and `nsd` are None where both are empty. `best_class` is the predicted class that fits
    the label best, with its DSC. `soft` is the mean probability within the predicted mask.
    """

    dsc: float | None
    nsd: float | None
    label_ml: float
    predicted_ml: float
    soft: float
    best_class: str
    best_dsc: float
    n_models: int
    out_of_fold: bool

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class ClassStatistics:
    """How well predictions of a class agree with its labels, on train and validation.

    Attributes:
        n: labels that are not empty.
        middle: median DSC, shrunk towards that of all classes.
        scatter: robust standard deviation of the DSC, shrunk towards a prior.
        reliability: 0..1, how much a disagreement says about the label.
        typical_ml: median volume.
    """

    n: int
    middle: float
    scatter: float
    reliability: float
    typical_ml: float


def compare(
    label: Structure,
    predictions: Mapping[str, Structure],
    soft: Mapping[str, float],
    *,
    tolerance_mm: float,
    n_models: int,
    out_of_fold: bool,
) -> Comparison:
    """Compare a label with the predictions of all classes of its scan.

    Args:
        label: of one class.
        predictions: class id to predicted structure; a class that is not there was not predicted.
        soft: class id to mean probability within the predicted mask.
        tolerance_mm: of the NSD.
        n_models: that made the predictions.
        out_of_fold: whether none of them was trained on this case.
    """
    own = predictions.get(label.class_id)
    value = dice(label, own) if own is not None else None
    scores = {c: dice(label, p) or 0.0 for c, p in predictions.items() if not label.is_empty}
    best = max(sorted(scores), key=lambda c: scores[c], default="")
    return Comparison(
        dsc=value,
        nsd=surface_agreement(label, own, tolerance_mm) if own is not None else None,
        label_ml=label.ml,
        predicted_ml=own.ml if own is not None else 0.0,
        soft=soft.get(label.class_id, 0.0),
        best_class=best,
        best_dsc=scores.get(best, 0.0),
        n_models=n_models,
        out_of_fold=out_of_fold,
    )


def surface_agreement(a: Structure, b: Structure, tolerance_mm: float) -> float | None:
    """NSD of two structures; the tolerance is never below one voxel diagonal. None if both are
    empty."""
    if a.is_empty and b.is_empty:
        return None
    if a.is_empty or b.is_empty:
        return 0.0
    from voxcurate.metrics import nsd
    from voxcurate.volume import spacing_of

    low = [min(x.start, y.start) for x, y in zip(a.box, b.box, strict=True)]
    high = [max(x.stop, y.stop) for x, y in zip(a.box, b.box, strict=True)]
    both = []
    for s in (a, b):
        crop = np.zeros([n - m for m, n in zip(low, high, strict=True)], dtype=bool)
        crop[tuple(slice(x.start - m, x.stop - m) for x, m in zip(s.box, low, strict=True))] = (
            s.mask
        )
        both.append(crop)
    spacing = spacing_of(a.affine)
    return float(nsd(both[0], both[1], spacing, max(tolerance_mm, float(np.linalg.norm(spacing)))))


def class_statistics(
    numbers: Mapping[str, Floats], config: DetectConfig
) -> dict[str, ClassStatistics]:
    """Robust statistics per class over the labels that are not empty.

    The median is shrunk towards the median of all classes, the scatter (MAD) towards
    `config.prior_scale`, both with the weight of `config.prior_n` labels.

    Args:
        numbers: class to ``(n, 2)``: of each label's comparison the DSC, NaN where there is none,
            and the mL of the label.
        config: the priors.
    """
    filled = {c: rows[rows[:, 1] > 0] for c, rows in numbers.items()}
    scores = {c: rows[np.isfinite(rows[:, 0]), 0] for c, rows in filled.items()}
    pooled = np.concatenate([np.zeros(0), *scores.values()])
    overall = float(np.median(pooled)) if pooled.size else 0.0
    result = {}
    for class_id, values in scores.items():
        n, n0 = len(values), config.prior_n
        own = float(np.median(values)) if n else overall
        mad = MAD_TO_SIGMA * float(np.median(np.abs(values - own))) if n else 0.0
        weight = n + n0
        middle = (n * own + n0 * overall) / weight if weight else 0.0
        scatter = np.sqrt((n * mad**2 + n0 * config.prior_scale**2) / weight) if weight else 1.0
        low, high = RELIABLE
        enough = 1.0 if n >= config.minimum_n else 0.0
        result[class_id] = ClassStatistics(
            n=n,
            middle=middle,
            scatter=float(max(scatter, 1e-3)),
            reliability=enough * float(np.clip((own - low) / (high - low), 0.0, 1.0)),
            typical_ml=float(np.median(filled[class_id][:, 1])) if n else 0.0,
        )
    return result


def chances(
    class_id: str,
    comparison: Comparison,
    statistics: Mapping[str, ClassStatistics],
    config: DetectConfig,
    *,
    pair: str = "",
) -> dict[str, float]:
    """Chances (0..1) of an error, by what kind of error it would be.

    ``tot_outlier``: logistic in the robust z of a low DSC. ``tot_no_overlap``: the published
    criterion, DSC = 0 and a label that is not empty. ``tot_swapped`` and ``tot_wrong_class``:
    another predicted class (the other side, or any) fits better by `config.wrong_class_margin`.
    ``tot_missing``: an empty label although the prediction is large and sure.
    """
    own = statistics.get(class_id)
    found: dict[str, float] = {}
    if own is None or comparison.dsc is None:
        return found
    if comparison.label_ml == 0:
        enough = max(config.missing_ml_of(class_id), 0.25 * own.typical_ml)
        if comparison.predicted_ml >= enough and comparison.soft >= config.missing_probability:
            found["tot_missing"] = own.reliability * min(comparison.soft, 0.95)
        return found
    z = (own.middle - comparison.dsc) / own.scatter
    found["tot_outlier"] = own.reliability * _logistic(config.tot_slope * (z - config.tot_z))
    if comparison.dsc == 0:
        found["tot_no_overlap"] = own.reliability * NO_OVERLAP
    gain = comparison.best_dsc - comparison.dsc
    if comparison.best_class not in ("", class_id) and gain >= config.wrong_class_margin:
        trust = (
            statistics[comparison.best_class].reliability
            if (comparison.best_class in statistics)
            else 0.0
        )
        kind = "tot_swapped" if comparison.best_class == pair else "tot_wrong_class"
        found[kind] = trust * min(0.95, 0.5 + 0.5 * gain)
    return found


def combine(parts: Mapping[str, float]) -> float:
    """Noisy-or: 1 minus the chance that no part points at an error.

    It treats the parts as independent witnesses, which overstates slightly where two of them see
    the same thing (a swap breaks rules and fits the other class); the threshold absorbs that.
    """
    return float(1.0 - np.prod([1.0 - min(max(p, 0.0), 0.999) for p in parts.values()]))


def _logistic(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(x, -50, 50))))
