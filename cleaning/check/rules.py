"""Is this a usable scan? Rules on one volume, each with what was measured and its limit.

Geometry and structure are checked for every modality; whatever speaks of HU for CT alone. A verdict
is the worst of its reasons: ``reject`` where nothing useful can be learned from the scan or its
values mean something else than HU, ``suspect`` where a person should look but the scan may stay.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check.body import body_rules
from cleaning.check.config import CheckConfig
from cleaning.check.hounsfield import BODY_HU, hounsfield
from cleaning.check.planes import structure
from cleaning.check.reasons import Reason, Verdict, worst
from voxcurate.volume import Volume

CHECK_VERSION = "5"
DEFAULT = CheckConfig()
CT_STRUCTURE = {"all_noise", "noise", "shuffled_slices"}  # judged by limits in HU
MASKED_SHARE, MASK_CONTRAST_HU, AIR_HU = 0.1, 300.0, -1000


@dataclass(frozen=True)
class Check:
    """What was found about a scan; `evidence` holds the measured values, broken rules or not."""

    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    evidence: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for the ledger."""
        return asdict(self)


def check(volume: Volume, modality: str = "CT", config: CheckConfig = DEFAULT) -> Check:
    """Every rule on one scan.

    Args:
        volume: any voxel type; NaN and infinite values are a reason to reject, not an error.
        modality: DICOM modality; HU rules are for ``CT`` alone.
        config: the limits.
    """
    evidence: dict[str, float] = {}
    reasons = list(_geometry(volume, config, evidence))
    array = volume.array
    n_bad = 0 if array.dtype.kind != "f" else int(array.size - np.isfinite(array).sum())
    evidence["nonfinite_share"] = n_bad / array.size
    if n_bad:
        reasons.append(
            Reason("nan", "reject", n_bad / array.size, 0.0, "values are NaN or infinite")
        )
    low, high = _range(array)
    evidence |= {"min": low, "max": high}
    if low == high:
        reasons.append(Reason("constant", "reject", low, low, "every voxel has the same value"))
    elif not n_bad:
        if modality == "CT":
            volume = _with_air(volume, low)
            array = volume.array
        reasons += structure(volume, modality, config, evidence)
        if modality == "CT":
            values = list(hounsfield(volume, config, evidence))
            if any(reason.code == "mr_values" for reason in values):  # planes of MR, then
                reasons = [r for r in reasons if r.code not in CT_STRUCTURE]
            reasons += values
            # without air and tissue at their HU there is nothing to look at
            if worst(values) != "reject" and "clipped_low" not in {r.code for r in values}:
                reasons += body_rules(volume, config, evidence)
    return Check(worst(reasons), tuple(reasons), {k: float(v) for k, v in evidence.items()})


def _with_air(volume: Volume, low: float) -> Volume:
    """The scan with air around the body, where it was masked with a value of tissue, as 0.

    Such a value fills all corners, and lower ones are found inside; else the scan as it is.
    """
    array = volume.array
    corners = array[np.ix_(*[(0, size - 1) for size in array.shape])]
    value = corners.flat[0]
    is_tissue = BODY_HU < value <= MASK_CONTRAST_HU  # an inverted scan has more around it
    if np.any(corners != value) or not is_tissue or low > value - MASK_CONTRAST_HU:
        return volume
    masked = array == value
    if masked.mean() < MASKED_SHARE:
        return volume
    return volume.with_array(np.where(masked, np.asarray(AIR_HU, array.dtype), array))


def _range(array: npt.NDArray[Any]) -> tuple[float, float]:
    if array.dtype.kind == "f":
        finite = array[np.isfinite(array)]
        return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    return float(array.min()), float(array.max())


def _geometry(volume: Volume, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    spacing, shape = np.array(volume.spacing), np.array(volume.shape)
    extent = spacing * shape
    evidence["min_spacing_mm"], evidence["max_spacing_mm"] = spacing.min(), spacing.max()
    evidence["min_extent_mm"], evidence["max_extent_mm"] = extent.min(), extent.max()
    n_planes = evidence["n_planes"] = int(shape.min())
    if n_planes < config.min_slices:
        yield Reason("few_slices", "reject", n_planes, config.min_slices, "too few planes")
    elif n_planes < config.suspect_slices:
        yield Reason("few_slices", "suspect", n_planes, config.suspect_slices, "few planes")
    if spacing.min() < config.min_spacing_mm:
        limit = config.min_spacing_mm
        yield Reason("spacing", "reject", spacing.min(), limit, "spacing (mm) too small to be true")
    elif spacing.min() < config.suspect_min_spacing_mm:
        limit = config.suspect_min_spacing_mm
        yield Reason("spacing", "suspect", spacing.min(), limit, "spacing (mm) of no body scanner")
    if spacing.max() > config.max_spacing_mm:
        limit = config.max_spacing_mm
        yield Reason("spacing", "reject", spacing.max(), limit, "spacing (mm) too large to be true")
    elif spacing.max() > config.suspect_max_spacing_mm:
        limit = config.suspect_max_spacing_mm
        yield Reason("spacing", "suspect", spacing.max(), limit, "mm from plane to plane: gaps")
    if extent.min() < config.min_extent_mm:
        yield Reason(
            "extent", "suspect", extent.min(), config.min_extent_mm, "extent (mm) too small"
        )
    if extent.max() > config.max_extent_mm:
        yield Reason(
            "extent", "reject", extent.max(), config.max_extent_mm, "extent (mm) too large"
        )
