"""Do the planes of a CT follow each other? Lost planes, joined scans, a patient who moved, slabs.

From one plane to the next all of the body changes about as much as it does around there. Where
planes are missing, or another scan begins, most of the body changes more at once; where a new
structure begins (arms, the table's end) only a part of it does. So the change is compared spot by
spot with that of the planes around, and the median over the spots counts.

Slabs are seen by their noise: planes that share most of what they were averaged from share the
noise of it, and planes that are the maxima of overlapping slabs share whole voxels.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check._kernels import spot_ratios
from cleaning.check.anatomy import Anatomy
from cleaning.check.texture import axial
from voxcurate.volume import Volume

CHANGE_HU = (-1000.0, 500.0)
TISSUE_HU = -700.0  # of a block: some of the body lies in it
FLOOR_HU = 2.0  # changes of less are noise
FULL_SHARE = 0.15  # of the fullest plane: planes that are compared
REACH = 3  # planes before and after
MIN_BESIDE = 2
MIN_SPOTS = 30  # blocks that hold tissue in both planes
STEP_HU = (-300.0, 400.0)
STEP_REACH = 6  # blocks
STEP_JUMP = 1.25  # the least change at which a sideways step is looked for
STEP_GAIN = 0.7  # of the difference that is left after the shift
SLAB_PLANES = 48  # in the middle, where noise is compared
SLAB_HU = (-50.0, 150.0)
EVEN_HU = 80.0  # between the voxels on both sides
MIN_VOXELS = 2000
Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Jumps:
    """The most sudden places along the foot-head axis; planes are indices in RAS order.

    Attributes:
        jump: the largest change that no sideways shift explains, in changes around it; 0 if no
            plane can be compared.
        jump_plane: the plane after it.
        step_mm: the largest sideways shift that explains a sudden change.
        step_plane: the plane after it.
    """

    jump: float = 0.0
    jump_plane: int = 0
    step_mm: float = 0.0
    step_plane: int = 0


@dataclass(frozen=True)
class Slabs:
    """What neighbouring planes share, in even soft tissue; 0 where it cannot be measured.

    Attributes:
        equal: share of voxels that equal the one in the next plane.
        equal_beside: share of voxels that equal the next one within the plane.
        third: correlation of the noise of planes three apart.
        third_beside: of the noise of voxels three apart within the plane: a scan that was
            smoothed has as much.
        bend: one minus the correlation of planes two apart, over the same of neighbours: 2 for
            slabs that overlap, 3 and more for planes that were interpolated, near 1 for others.
    """

    equal: float = 0.0
    equal_beside: float = 0.0
    third: float = 0.0
    third_beside: float = 0.0
    bend: float = 0.0


def jumps_of(body: Anatomy) -> Jumps:
    """The largest jump and the largest sideways step of a coarse look."""
    planes = np.clip(np.moveaxis(body.planes, 2, 0), *CHANGE_HU)
    changes = sudden_changes(planes)
    jump, jump_plane, step, step_plane = 0.0, 0, 0.0, 0
    for k in np.argsort(-changes, kind="stable"):
        change = float(changes[k])
        if change < STEP_JUMP:
            jump, jump_plane = max((jump, jump_plane), (change, int(k) + 1))
            break
        shift = _shift_mm(planes[k], planes[k + 1], body.spacing)
        if shift > step:
            step, step_plane = shift, int(k) + 1
        if not shift and change > jump:
            jump, jump_plane = change, int(k) + 1
    return Jumps(jump, jump_plane, step, step_plane)


def sudden_changes(planes: Image) -> npt.NDArray[np.float64]:
    """How much more suddenly each plane differs from the next one than planes around there do.

    Args:
        planes: pictures ``(n, I, J)`` in HU.

    Returns:
        ``(n - 1,)``: for each spot of the body the change over the median of the three changes
        before and after, and over the larger of the two next to it; medians over the spots, and of
        the two their geometric mean. 1 is usual. 0 where it is less than 1.25 in the spots that
        hold tissue in both planes, where a plane holds little or nothing, or fewer than two
        changes are known before or after.
    """
    n = len(planes)
    result = np.zeros(max(0, n - 1))
    if n < 2 * MIN_BESIDE + 2:
        return result
    tissue = planes > TISSUE_HU
    area = tissue.sum(axis=(1, 2))
    full = (area > FULL_SHARE * area.max()) & (np.ptp(planes.reshape(n, -1), axis=1) > 0)
    known = full[1:] & full[:-1]
    moves = np.abs(np.diff(planes, axis=0)).reshape(n - 1, -1)
    for k in np.flatnonzero(known).tolist():
        before = [j for j in range(k - 1, max(-1, k - 1 - REACH), -1) if known[j]]
        after = [j for j in range(k + 1, min(n - 1, k + 1 + REACH)) if known[j]]
        if min(len(before), len(after)) < MIN_BESIDE:
            continue
        places, nearest = np.array([k, *before, *after]), 1 + len(before)
        either, both = tissue[k] | tissue[k + 1], tissue[k] & tissue[k + 1]
        if both.sum() < MIN_SPOTS or _suddenness(moves, places, both, nearest) < STEP_JUMP:
            continue  # where a body ends, a couch may go on unchanged
        result[k] = _suddenness(moves, places, either, nearest)
    return result


def _suddenness(
    moves: Image, places: npt.NDArray[np.int64], spots: npt.NDArray[np.bool_], nearest: int
) -> float:
    """The first of some changes against the others; numbers 1 and `nearest` are next to it."""
    usual, beside = spot_ratios(moves, places, np.flatnonzero(spots), nearest, FLOOR_HU)
    return float(np.sqrt(np.median(usual) * np.median(beside)))


def _shift_mm(before: Image, after: Image, spacing: tuple[float, ...]) -> float:
    """Millimetres by which a plane lies aside; 0 unless that explains it clearly."""
    one, other = np.clip(before, *STEP_HU), np.clip(after, *STEP_HU)
    best, left = 0.0, STEP_GAIN
    for axis in (0, 1):
        n = one.shape[axis]
        reach = min(STEP_REACH, n // 4)
        inner = np.arange(reach, n - reach)
        fixed = np.take(one, inner, axis=axis)
        away = [
            float(np.abs(fixed - np.take(other, inner + shift, axis=axis)).mean())
            for shift in range(-reach, reach + 1)
        ]
        shift = int(np.argmin(away)) - reach
        if away[shift + reach] < left * away[reach]:
            best, left = abs(shift) * spacing[axis], away[shift + reach] / away[reach]
    return best


def slabs_of(volume: Volume) -> Slabs:
    """What planes of a CT in HU share with their neighbours along the foot-head axis."""
    array, _ = axial(volume)
    first = max(0, array.shape[2] // 2 - SLAB_PLANES // 2)
    part = _soft_part(array[:, :, first : first + SLAB_PLANES]).astype(np.float32)
    if part.shape[0] < 3 or part.shape[2] < 6:
        return Slabs()
    middle, one, other = part[1:-1], part[:-2], part[2:]
    even = (middle > SLAB_HU[0]) & (middle < SLAB_HU[1]) & (np.abs(one - other) < EVEN_HU)
    if even.sum() < MIN_VOXELS:
        return Slabs()
    noise = middle - (one + other) / 2
    sigma = 1.4826 * float(np.median(np.abs(noise[even])))
    if sigma <= 0:
        return Slabs()
    both = even[:, :, 1:] & even[:, :, :-1]
    within = even[1:] & even[:-1]
    equal = _share((middle[:, :, 1:] == middle[:, :, :-1])[both])
    beside = _share((middle[1:] == middle[:-1])[within])
    even &= np.abs(noise) < 3 * sigma
    acf = [_lag_correlation(noise, even, lag) for lag in (1, 2, 3)]
    across = _lag_correlation(noise.transpose(0, 2, 1), even.transpose(0, 2, 1), 3)
    bend = (1 - acf[1]) / (1 - acf[0]) if acf[0] < 1 else 0.0
    return Slabs(equal, beside, acf[2], across, bend)


def _soft_part(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What holds all soft tissue, and one voxel more along the first axis."""
    soft = (array > SLAB_HU[0]) & (array < SLAB_HU[1])
    rows, columns = (np.flatnonzero(soft.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    if not rows.size:
        return array[:0]
    return array[max(0, rows[0] - 1) : rows[-1] + 2, columns[0] : columns[-1] + 1]


def _share(found: npt.NDArray[np.bool_]) -> float:
    return float(found.mean()) if found.size else 0.0


def _lag_correlation(noise: npt.NDArray[Any], even: npt.NDArray[np.bool_], lag: int) -> float:
    both = even[:, :, lag:] & even[:, :, :-lag]
    x: Any = noise[:, :, lag:][both].astype(np.float64)
    y: Any = noise[:, :, :-lag][both].astype(np.float64)
    spread = float((x @ x) * (y @ y))
    return float(x @ y / np.sqrt(spread)) if x.size >= MIN_VOXELS // 4 and spread > 0 else 0.0
