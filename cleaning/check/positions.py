"""The places of a series' slices: even and complete, repeated, missing, tilted."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from cleaning.check.config import CheckConfig
from cleaning.check.reasons import Reason, Severity
from voxcurate.dicom_survey import FileFacts
from voxcurate.slice_gaps import digit_along, judge_gaps

MOST_SHOWN = 4
Array = npt.NDArray[np.float64]


def place_rules(
    files: Sequence[FileFacts], config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    """Rules on positions and orientations.

    Args:
        files: readable files, copies left out; enhanced files are for `read_series` to judge.
        config: limits.
        evidence: gains the slice distance and the tilt.
    """
    single = [f for f in files if not f.is_multi_frame]
    if not single:
        return
    n = sum(not {"position", "axes", "spacing"} <= set(f.vectors) for f in single)
    if n:
        text = f"{n} of {len(single)} images without position, orientation or pixel spacing"
        yield Reason("no_position", "reject", n, 0, text)
    placed = [f for f in single if {"position", "axes", "spacing"} <= set(f.vectors)]
    if not placed:
        return
    yield from _possible(placed)
    axes = np.array([f.vectors["axes"] for f in placed]).reshape(-1, 2, 3)
    usual = np.median(axes, axis=0)
    same = (np.abs(axes - usual) < 0.02).all(axis=(1, 2))  # a localiser among them is said already
    normal = np.cross(*usual)
    if np.linalg.norm(normal) < 0.5:
        return
    positions = np.array([f.vectors["position"] for f in placed])[same]
    stack = [f for f, one in zip(placed, same, strict=True) if one]
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    yield from _distances(positions, normal, [stack[at] for at in order], config, evidence)


def _possible(files: Sequence[FileFacts]) -> Iterator[Reason]:
    axes = np.array([f.vectors["axes"] for f in files]).reshape(-1, 2, 3)
    square = np.einsum("nij,nkj->nik", axes, axes)
    off = float(np.abs(square - np.eye(2)).max())
    if off > 0.02:
        text = "row and column directions are no unit vectors at right angles"
        yield Reason("impossible_orientation", "reject", off, 0.02, text)
    least = float(min(min(f.vectors["spacing"]) for f in files))
    if least <= 0:
        yield Reason("spacing", "reject", least, 0, "pixel spacing (mm) that is not positive")


def _distances(
    positions: Array,
    normal: Array,
    files: Sequence[FileFacts],
    config: CheckConfig,
    evidence: dict[str, float],
) -> Iterator[Reason]:
    if len(positions) < 2:
        return
    along = positions @ normal
    decimals = [f.decimals for f in files if f.decimals]
    found = judge_gaps(along, digit_mm=digit_along(decimals, normal / np.linalg.norm(normal)))
    usual, repeated, kept = found.usual_mm, found.repeated, found.kept
    if not usual:
        text = f"all {len(files)} images lie at one place"
        yield Reason("repeated_positions", "reject", len(files), 1, text)
        return
    evidence["slice_distance_mm"] = usual
    if repeated.size:
        yield _repeated(repeated, along, files)
    gaps = found.gaps_mm
    if found.missing.size:
        where = _where(found.missing, gaps)
        text = f"slices are missing between the first and the last ({where})"
        span = _span(found.missing, repeated)
        yield Reason("missing_slices", "reject", found.n_missing, 0, text, span)
    uneven = found.uneven
    if uneven.size:
        text = f"mm from slice to slice instead of {usual:.4g} ({_where(uneven, gaps)})"
        worst = float(gaps[uneven][np.argmax(np.abs(gaps[uneven] - usual))])
        yield Reason("uneven_slices", "reject", worst, usual, text, _span(uneven, repeated))
    yield from _tilt(positions[kept], normal, files, config, evidence)
    thickness = np.median([f.numbers.get("thickness", 0) for f in files])
    if thickness > 0 and usual > config.suspect_slice_gap * thickness:
        text = f"mm from slice to slice, which are {thickness:.3g} mm thick: gaps between them"
        yield Reason("slice_gaps", "suspect", usual, config.suspect_slice_gap * thickness, text)
    elif thickness > config.suspect_slice_overlap * usual:
        limit = config.suspect_slice_overlap * usual
        text = f"mm thick slices, one every {usual:.3g} mm: slabs that overlap"
        yield Reason("slabs", "suspect", float(thickness), limit, text)


def _repeated(repeated: npt.NDArray[np.intp], along: Array, files: Sequence[FileFacts]) -> Reason:
    """Two images at one place: another phase or acquisition, or the same again."""
    first, second = ([files[at + step] for at in repeated] for step in (0, 1))
    differing = [
        word
        for word in ("acquisition", "temporal")
        if any(
            a.numbers.get(word) != b.numbers.get(word) for a, b in zip(first, second, strict=True)
        )
    ]
    where = ", ".join(f"{along[at] - along[0]:.4g} mm" for at in repeated[:MOST_SHOWN])
    more = " ..." if repeated.size > MOST_SHOWN else ""
    why = " of different acquisitions or phases: mixed series" if differing else ""
    code = "mixed_acquisitions" if differing else "repeated_positions"
    text = f"images lie where another does{why} (at {where}{more})"
    return Reason(code, "reject", repeated.size, 0, text, _span(repeated, repeated[:0]))


def _where(at: npt.NDArray[np.intp], gaps: Array) -> str:
    shown = [f"after slice {k + 1}: {gaps[k]:.4g} mm" for k in at[:MOST_SHOWN]]
    return "; ".join(shown) + (f"; {at.size - MOST_SHOWN} more" if at.size > MOST_SHOWN else "")


def _span(at: npt.NDArray[np.intp], repeated: npt.NDArray[np.intp]) -> tuple[int, int, int] | None:
    return (2, int(at[0]), int(at[-1]) + 1) if repeated.size == 0 else None


def _tilt(
    positions: Array,
    normal: Array,
    files: Sequence[FileFacts],
    config: CheckConfig,
    evidence: dict[str, float],
) -> Iterator[Reason]:
    """Degrees between the slices' normal and the line of their positions, and what is said."""
    if len(positions) < 2:
        return
    step = positions[-1] - positions[0]
    length = float(np.linalg.norm(step))
    unit = normal / np.linalg.norm(normal)
    cosine = float(np.clip(abs(step @ unit) / length, 0, 1)) if length > 0 else 1.0
    tilt = evidence["tilt_deg"] = float(np.degrees(np.arccos(cosine)))
    told = max((abs(f.numbers.get("tilt", 0.0)) for f in files), default=0.0)
    limit = config.suspect_tilt_deg
    if tilt > limit:
        how: Severity = "reject" if tilt > config.reject_tilt_deg else "suspect"
        text = f"degrees of gantry tilt (header: {told:.3g}): the axes are not at right angles"
        yield Reason("gantry_tilt", how, tilt, limit, text)
    elif told > max(1.0, limit):
        text = "degrees of gantry tilt in the header, none in the positions: corrected or lost"
        yield Reason("tilt_unseen", "suspect", told, limit, text)
    line = positions[0] + np.linspace(0, 1, len(positions))[:, None] * step
    across = positions - line
    off = float(np.linalg.norm(across - (across @ unit)[:, None] * unit, axis=1).max())
    limit_mm = 0.5 * min(files[0].vectors["spacing"]) + 0.01
    if off > limit_mm:
        text = "mm that slices lie beside the line of the others"
        yield Reason("crooked_stack", "reject", off, limit_mm, text)
