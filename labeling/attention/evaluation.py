"""How well attention finds errors, as in Table 1 of AbdomenAtlas-8K (arXiv:2305.09666, 4.1).

Error regions are where the pseudo label and the truth differ (false positives and negatives).
Attended regions are where attention is above a threshold. Both are connected regions (26
neighbours); the paper counts regions, not voxels: an error region that an attended one touches is a
hit, else a miss; an attended region that touches no error is a false alarm. Voxel figures stand
beside them. The paper leaves open the threshold of attention and the smallest region that counts;
both are arguments here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.errors import GeometryError
from voxcurate.masks import bounding_box, components

Mask = npt.NDArray[Any]


@dataclass(frozen=True)
class Detection:
    """One class of one case.

    Attributes:
        errors: error regions.
        hits: of them, those that attention touches.
        attended: attended regions.
        right: of them, those that touch an error.
        error_voxels: voxels in error regions.
        attended_voxels: voxels in attended regions.
        both_voxels: voxels in both.
    """

    errors: int
    hits: int
    attended: int
    right: int
    error_voxels: int
    attended_voxels: int
    both_voxels: int

    @property
    def sensitivity(self) -> float | None:
        """Share of error regions that are found; None without an error."""
        return self.hits / self.errors if self.errors else None

    @property
    def precision(self) -> float | None:
        """Share of attended regions that hold an error; None if nothing is attended."""
        return self.right / self.attended if self.attended else None

    @property
    def voxel_sensitivity(self) -> float | None:
        """Share of wrong voxels that are attended; None without an error."""
        return self.both_voxels / self.error_voxels if self.error_voxels else None

    @property
    def voxel_precision(self) -> float | None:
        """Share of attended voxels that are wrong; None if nothing is attended."""
        return self.both_voxels / self.attended_voxels if self.attended_voxels else None


def detect_errors(
    attention: Mask,
    pseudo: Mask,
    truth: Mask,
    *,
    above: float = 0.0,
    min_region_voxels: int = 1,
) -> Detection:
    """Attended regions against error regions of one class.

    Args:
        attention: of the class, ``(I, J, K)``; larger than `above` is attended.
        pseudo: mask of the pseudo label.
        truth: mask of the truth.
        above: threshold of attention.
        min_region_voxels: smaller regions of either kind do not count.

    Raises:
        GeometryError: the shapes differ.
    """
    if not attention.shape == pseudo.shape == truth.shape:
        raise GeometryError(
            f"want one shape, found {attention.shape}, {pseudo.shape} and {truth.shape}"
        )
    wrong = (pseudo != 0) != (truth != 0)
    attended = attention > above
    box = bounding_box(wrong | attended)
    if box is None:
        return Detection(0, 0, 0, 0, 0, 0, 0)
    errors, n_errors = _regions(wrong[box], min_region_voxels)
    found, n_found = _regions(attended[box], min_region_voxels)
    both = (errors > 0) & (found > 0)
    return Detection(
        errors=n_errors,
        hits=len(np.unique(errors[both])),
        attended=n_found,
        right=len(np.unique(found[both])),
        error_voxels=int(np.count_nonzero(errors)),
        attended_voxels=int(np.count_nonzero(found)),
        both_voxels=int(np.count_nonzero(both)),
    )


def table_one(found: Mapping[str, Sequence[Detection]]) -> dict[str, dict[str, Any]]:
    """Per class: mean and standard deviation over scans, as the paper has it, and pooled figures.

    Args:
        found: class to the detections of its scans. A scan without an error has no sensitivity,
            one without attention no precision; neither is counted there.
    """
    rows = {}
    for name, scans in found.items():
        row: dict[str, Any] = {"scans": len(scans)}
        for figure in ("sensitivity", "precision", "voxel_sensitivity", "voxel_precision"):
            values = [v for scan in scans if (v := getattr(scan, figure)) is not None]
            row[figure] = float(np.mean(values)) if values else None
            row[f"{figure}_sd"] = float(np.std(values)) if values else None
        row["errors"] = sum(scan.errors for scan in scans)
        row["attended"] = sum(scan.attended for scan in scans)
        row["pooled_sensitivity"] = _share(sum(s.hits for s in scans), row["errors"])
        row["pooled_precision"] = _share(sum(s.right for s in scans), row["attended"])
        rows[name] = row
    return rows


@dataclass(frozen=True)
class Ranking:
    """How well a score orders cases by their true error.

    Attributes:
        n: cases.
        spearman: rank correlation of score and error; None with fewer than three cases.
        precision_at_top: share of the `fraction` with the highest scores that is among the
            `fraction` with the largest errors.
        random: what a random order reaches on average: the fraction itself, rounded to cases.
        random_sd: standard deviation of what random orders reach.
        fraction: of the cases.
    """

    n: int
    spearman: float | None
    precision_at_top: float | None
    random: float | None
    random_sd: float | None
    fraction: float


def ranking(scores: Sequence[float], errors: Sequence[float], *, fraction: float = 0.1) -> Ranking:
    """Rank correlation and precision in the top of the list.

    Args:
        scores: of the cases; the largest is looked at first.
        errors: of the same cases, for example ``1 - DSC``.
        fraction: of the cases that is the top, at least one case.
    """
    n = len(scores)
    if n != len(errors):
        raise GeometryError(f"want a score and an error per case, found {n} and {len(errors)}")
    if n < 3:
        return Ranking(n, None, None, None, None, fraction)
    from scipy.stats import spearmanr

    constant = len(set(scores)) == 1 or len(set(errors)) == 1
    rho = None if constant else float(spearmanr(scores, errors).statistic)
    top = max(1, round(fraction * n))
    first, worst = (set(np.argsort(-np.asarray(v), kind="stable")[:top]) for v in (scores, errors))
    share = top / n  # the number of hits of a random order is hypergeometric
    spread = float(np.sqrt(share * (1 - share) * (n - top) / ((n - 1) * top)))
    return Ranking(n, rho, len(first & worst) / top, share, spread, fraction)


def _regions(mask: Mask, min_voxels: int) -> tuple[npt.NDArray[np.unsignedinteger[Any]], int]:
    """Numbered regions without small ones, and how many there are."""
    labels, n = components(np.ascontiguousarray(mask))
    if min_voxels > 1 and n:
        sizes = np.bincount(labels.ravel(), minlength=n + 1)
        keep = sizes >= min_voxels
        keep[0] = False
        labels = np.where(keep[labels], labels, 0)
        n = int(keep.sum())
    return labels, n


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
