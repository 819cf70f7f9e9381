"""Regions that join at a low threshold, cut apart at the valley between their peaks."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int32]


def split_regions(
    labels: npt.NDArray[Any], values: npt.NDArray[np.uint8], *, share: float, least: int
) -> tuple[npt.NDArray[np.int32], int]:
    """Cut connected regions where two peaks are parted by a deep valley.

    Voxels are taken from the highest value down. Where two regions meet they become one, unless
    the value there is below `share` of the lower region's peak and that region has `least` voxels
    by then: so a noisy peak does not become a region of its own.

    Args:
        labels: not 0 in the regions, ``(I, J, K)``.
        values: of the voxels, same shape.
        share: 0 cuts nothing.
        least: voxels above the valley.

    Returns:
        Regions 1..n (0 outside), numbered by falling peak; and n. Every voxel keeps a region. Of
        voxels with equal values the first in memory is taken first.
    """
    inside = np.pad(labels != 0, 1).ravel()
    padded = np.pad(values, 1)
    where = np.flatnonzero(inside)
    order = where[np.argsort(-padded.ravel()[where].astype(np.int16), kind="stable")]
    _, j, k = padded.shape
    steps = np.array(
        [
            (a * j + b) * k + c
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            for c in (-1, 0, 1)
            if (a, b, c) != (0, 0, 0)
        ],
        np.int64,
    )
    regions, n = _flood(padded.ravel(), order, steps, share, least)
    inner = regions.reshape(padded.shape)[1:-1, 1:-1, 1:-1]
    return np.ascontiguousarray(inner), int(n)


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _root(above: Ints, region: int) -> int:
    while above[region] != region:
        above[region] = above[above[region]]
        region = above[region]
    return region


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _flood(
    values: npt.NDArray[np.uint8],
    order: npt.NDArray[np.int64],
    steps: npt.NDArray[np.int64],
    share: float,
    least: int,
) -> tuple[Ints, int]:
    regions = np.zeros(values.size, np.int32)
    above = np.zeros(order.size + 1, np.int32)  # union-find over regions; older ones have the
    peak = np.zeros(order.size + 1, np.float64)  # higher peak, so the smaller number is the root
    size = np.zeros(order.size + 1, np.int64)
    met = np.zeros(steps.size, np.int64)
    n = 0
    for at in order:
        value = float(values[at])
        n_met = 0
        nearest, highest = 0, -1
        for step in steps:
            other = regions[at + step]
            if other == 0:
                continue
            root = _root(above, other)
            if values[at + step] > highest:
                nearest, highest = root, values[at + step]
            is_new = True
            for m in range(n_met):
                if met[m] == root:
                    is_new = False
            if is_new:
                met[n_met] = root
                n_met += 1
        if n_met == 0:
            n += 1
            above[n] = n
            peak[n] = value
            size[n] = 1
            regions[at] = n
            continue
        for a in range(n_met):
            for b in range(a + 1, n_met):
                one, two = _root(above, met[a]), _root(above, met[b])
                if one == two:
                    continue
                high, low = min(one, two), max(one, two)
                if value >= share * peak[low] or size[low] < least:
                    above[low] = high
                    size[high] += size[low]
        root = _root(above, nearest)
        regions[at] = root
        size[root] += 1
    numbers = np.zeros(n + 1, np.int32)
    count = 0
    for region in range(1, n + 1):
        if _root(above, region) == region:
            count += 1
            numbers[region] = count
    for at in order:
        regions[at] = numbers[_root(above, regions[at])]
    return regions, count
