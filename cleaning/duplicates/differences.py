"""What is left between two images that lie on each other: of values, and of places by blocks."""

from typing import Any

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float64]
MIN_BLOCK_VOXELS = 24
MAP_BINS = 24
SOFT = (0.2, 0.8)  # of the window: -100 to 200 HU
FLAT_SHARE = 0.4  # of the soft tissue, away from edges, which blur and sharpening change


def mapped(values: npt.NDArray[Any], onto: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values through the monotone map, in quantile bins, that brings them nearest to `onto`."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, MAP_BINS + 1)))
    if len(edges) < 3:
        return np.full_like(values, onto.mean())
    which = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    counts = np.maximum(np.bincount(which, minlength=len(edges) - 1), 1)
    centres = np.bincount(which, values, len(edges) - 1) / counts
    means = np.bincount(which, onto, len(edges) - 1) / counts
    return np.asarray(np.interp(values, centres, np.maximum.accumulate(means)), np.float32)


def block_shifts(
    one: Grid, other: Grid, body: npt.NDArray[np.bool_], voxel: Vector, block_mm: float
) -> tuple[float, float, int]:
    """By how much blocks of two images would still have to move, and what is left then.

    Lucas and Kanade (IJCAI 1981), with gain and offset per block.

    Args:
        one, other: images ``(I, J, K)``, voxel for voxel, values 0..1 of the window.
        body: voxels that count, bool.
        voxel: mm per axis.
        block_mm: about the side of a block.

    Returns:
        80th percentile of the blocks' shifts in mm (infinite where no block has enough voxels);
        root mean square of what is left in flat soft tissue; number of blocks.
    """
    sides = np.maximum(np.rint(block_mm / voxel), 2).astype(int)
    index = np.zeros(one.shape, np.int64)
    total = 1
    for axis, side in enumerate(sides):
        n = max(1, round(one.shape[axis] / side))
        at = np.minimum(np.arange(one.shape[axis]) * n // one.shape[axis], n - 1)
        shape = [1, 1, 1]
        shape[axis] = -1
        index = index * n + at.reshape(shape)
        total *= n
    steps = slopes(one)
    inner = body.copy()
    for axis in range(3):  # one-sided slopes at the faces are worse
        cut = [slice(None)] * 3
        for end in (0, -1):
            cut[axis] = end  # type: ignore[call-overload]
            inner[tuple(cut)] = False
    if inner.sum() < 60:
        inner = body
    where = index[inner]
    columns = [np.ones(len(where)), one[inner].astype(np.float64)]
    columns += [s[inner].astype(np.float64) for s in steps]
    target = other[inner].astype(np.float64)
    sums = np.zeros((total, 5, 5))
    right = np.zeros((total, 5))
    for x in range(5):
        right[:, x] = np.bincount(where, columns[x] * target, total)
        for y in range(x, 5):
            sums[:, x, y] = sums[:, y, x] = np.bincount(where, columns[x] * columns[y], total)
    counts = np.bincount(where, minlength=total)
    ridge = np.diag([1e-6, 1e-4, 1e-5, 1e-5, 1e-5])
    solved = np.linalg.solve(
        sums + ridge * np.maximum(counts, 1)[:, None, None],
        (right + np.array([0, 1e-4, 0, 0, 0]) * np.maximum(counts, 1)[:, None])[..., None],
    )[..., 0]
    gain = np.maximum(np.abs(solved[:, 1]), 0.2)
    moved = solved[:, 2:] / gain[:, None] * voxel
    good = counts >= MIN_BLOCK_VOXELS
    textured = np.linalg.eigvalsh(sums[:, 2:, 2:])[:, 0] / np.maximum(counts, 1) > 1e-4
    good = good & textured if (good & textured).sum() >= 3 else good
    if not good.any():
        return float("inf"), 1.0, 0
    shift = float(np.percentile(np.linalg.norm(moved[good], axis=1), 80))
    motion = (solved[where, 2:].T * np.stack(columns[2:])).sum(axis=0)
    left = target - columns[1] - motion
    steep = np.asarray(columns[2] ** 2 + columns[3] ** 2 + columns[4] ** 2, np.float64)
    soft = (columns[1] > SOFT[0]) & (columns[1] < SOFT[1])
    flat = soft & (steep <= np.quantile(steep[soft], FLAT_SHARE)) if soft.sum() > 60 else soft
    misfit = float(np.sqrt(np.mean((left if flat.sum() < 30 else left[flat]) ** 2)))
    return shift, misfit, int(good.sum())


def slopes(grid: Grid) -> list[Grid]:
    return [np.asarray(np.gradient(grid, axis=axis), np.float32) for axis in range(3)]
