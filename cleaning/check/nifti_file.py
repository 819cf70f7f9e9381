"""Is a NIfTI file what it says? Rules on its header and length, before the data are read."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check.config import CheckConfig
from cleaning.check.reasons import Reason, Severity
from voxcurate.errors import GeometryError, VolumeReadError
from voxcurate.indexed_gzip import MAX_RATIO
from voxcurate.nifti import read_start
from voxcurate.nifti_header import REFUSED, TYPES, coded_affine, raw_header
from voxcurate.volume import orientation_of, spacing_of

UNITS = {0: "unknown", 1: "metres", 2: "mm", 3: "micrometres"}
Array = npt.NDArray[np.float64]


def nifti_rules(path: Path, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    """What the header says against a file; everything that is wrong, not only the first.

    Args:
        path: the file.
        config: limits.
        evidence: measured values; more are added.
    """
    try:
        start, is_packed = read_start(path)
        with np.errstate(all="ignore"):
            header = raw_header(start)
    except VolumeReadError as error:
        yield Reason("unreadable", "reject", 0, 0, str(error))
        return
    with np.errstate(all="ignore"):
        yield from _size(path, header, is_packed, config, evidence)
        yield from _scale(header)
        yield from _pose(header, config, evidence)


def _size(
    path: Path, header: Any, is_packed: bool, config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    dim = [int(n) for n in header["dim"]]
    n_axes = dim[0]
    sides = dim[1 : n_axes + 1] if 1 <= n_axes <= 7 else []
    if not sides or min(sides) < 1:
        found = min(sides) if sides else n_axes
        yield Reason("impossible_shape", "reject", found, 1, "impossible number of voxels")
        return
    extra = int(np.prod([float(n) for n in sides[3:]])) if len(sides) > 3 else 1
    if extra > 1:
        yield Reason("four_d", "reject", extra, 1, "volumes in one file: want one")
    code = int(header["datatype"])
    if code not in TYPES:
        text = f"unsupported voxel type: {REFUSED.get(code, 'unknown')}"
        yield Reason("voxel_type", "reject", code, 0, text)
        return
    itemsize = np.dtype(TYPES[code]).itemsize
    if int(header["bitpix"]) != 8 * itemsize:
        text = "bits per voxel do not fit the voxel type"
        yield Reason("voxel_type", "suspect", int(header["bitpix"]), 8 * itemsize, text)
    n_bytes = itemsize * float(np.prod([float(n) for n in sides]))
    evidence["gib"] = n_bytes / 2**30
    if evidence["gib"] > config.max_gib:
        text = "GiB are promised"
        yield Reason("too_large", "reject", evidence["gib"], config.max_gib, text)
    size = path.stat().st_size
    if n_bytes > (size * MAX_RATIO if is_packed else size):
        text = "share of the promised data that the file can hold: truncated, or a wrong header"
        share = size * (MAX_RATIO if is_packed else 1) / n_bytes
        yield Reason("truncated", "reject", share, 1.0, text)


def _scale(header: Any) -> Iterator[Reason]:
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope != 0 and np.isfinite(slope) and not np.isfinite(inter):
        yield Reason("wrong_rescale", "reject", 0, 0, "scl_inter is not finite")
    if np.isfinite(slope) and slope < 0:
        text = "negative scl_slope: values are inverted"
        yield Reason("wrong_rescale", "suspect", slope, 0, text)
    units = int(header["xyzt_units"]) & 7
    if units not in (0, 2):
        known = UNITS.get(units, "unknown units")
        text = f"the header's unit of length is {known}, and mm are meant by most readers"
        yield Reason("units", "suspect", units, 2, text)


def _pose(header: Any, config: CheckConfig, evidence: dict[str, float]) -> Iterator[Reason]:
    """The affines of sform and qform: usable, alike, at right angles, as pixdim says."""
    found: dict[str, Array] = {}
    problems = {}
    for name in ("sform", "qform"):
        try:
            affine = coded_affine(header, name)
            if affine is not None:
                found[name] = affine
        except GeometryError as error:
            problems[name] = str(error)
    for name, problem in problems.items():
        how: Severity = "suspect" if found else "reject"
        yield Reason("impossible_affine", how, 0, 0, f"{name}: {problem}")
    if not found:
        if not problems:
            text = "neither sform nor qform is set: left and right are unknown"
            yield Reason("no_orientation", "reject", 0, 1, text)
        return
    shape = [max(1, int(n)) for n in header["dim"][1:4]]
    if len(found) == 2:
        yield from _apart(found["sform"], found["qform"], shape, config, evidence)
    affine = found.get("sform", found.get("qform"))
    assert affine is not None
    shear = evidence["shear_deg"] = _shear(affine)
    if shear > config.suspect_shear_deg:
        how = "reject" if shear > config.reject_shear_deg else "suspect"
        text = "degrees that the axes are off the right angle: gantry tilt or a wrong affine"
        yield Reason("sheared", how, shear, config.suspect_shear_deg, text)
    spacing = np.array(spacing_of(affine))
    pixdim = np.abs(np.array([float(v) for v in header["pixdim"][1:4]]))
    off = np.abs(pixdim - spacing) / spacing
    worst = float(np.nan_to_num(off, nan=np.inf, posinf=np.inf).max())
    if worst > 0.02:
        text = "share by which the spacing in pixdim differs from that of the affine"
        yield Reason("spacing_disagrees", "suspect", min(worst, 1e6), 0.02, text)


def _apart(
    sform: Array, qform: Array, shape: list[int], config: CheckConfig, evidence: dict[str, float]
) -> Iterator[Reason]:
    corners = np.array(np.meshgrid(*([0, n - 1] for n in shape))).reshape(3, -1)
    homogeneous = np.vstack([corners, np.ones(corners.shape[1])])
    apart = float(np.linalg.norm((sform - qform)[:3] @ homogeneous, axis=0).max())
    evidence["pose_apart_mm"] = apart
    if orientation_of(sform) != orientation_of(qform):
        text = f"mm apart: sform says {orientation_of(sform)}, qform {orientation_of(qform)}"
        yield Reason("poses_disagree", "reject", apart, config.suspect_pose_mm, text)
    elif apart > config.suspect_pose_mm:
        text = "mm between the places that sform and qform give a corner"
        yield Reason("poses_disagree", "suspect", apart, config.suspect_pose_mm, text)


def _shear(affine: Array) -> float:
    """Largest deviation of two axes from the right angle, degrees."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    angles = [
        np.degrees(np.arcsin(min(1.0, abs(float(axes[:, a] @ axes[:, b])))))
        for a, b in (*pairwise(range(3)), (0, 2))
    ]
    return float(max(angles))
