"""Compiled loops over whole scans; each has a plain numpy reference beside its test."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])

NOISE_BINS = 4096
NOISE_STEP = 0.5
NOISE_REACH = 5018  # absolute second differences from here on all lie in the last bin


def _compiled(function: F) -> F:
    """Compiled at first use and kept on disk; other threads run meanwhile."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))


@_compiled
def survey(
    array: Array, threshold: int, tissue_low: float, tissue_high: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Everything the checks need of an integer scan, in one pass.

    A plane's hash is the sum of its values times a random odd number for each of its places, modulo
    2 ** 64: equal for equal planes, and for others only by a chance of one in 10 ** 18 or so.

    Returns:
        per axis (padded to the longest) plane minima, plane maxima, plane hashes and voxels above
        `threshold` per plane, shape ``(3, n)``; and the histogram, in steps of 0.5, of
        absolute second differences along the last axis over sqrt(6) where the four neighbours
        around average to tissue.
    """
    n_i, n_j, n_k = array.shape
    longest = max(n_i, n_j, n_k)
    lows = np.full((3, longest), np.iinfo(np.int64).max)
    highs = np.full((3, longest), np.iinfo(np.int64).min)
    hashes = np.zeros((3, longest), np.uint64)
    filled = np.zeros((3, longest), np.int64)
    noise = np.zeros(NOISE_BINS, np.int64)
    weight = np.empty((3, longest), np.uint64)
    for axis in range(3):
        for n in range(longest):
            weight[axis, n] = _mix(np.uint64(axis), np.uint64(n), np.uint64(7)) | np.uint64(1)
    bins = np.empty(NOISE_REACH, np.int64)  # of absolute second differences
    for n in range(NOISE_REACH):
        bins[n] = min(int(n / 2.449489742783178 / NOISE_STEP), NOISE_BINS - 1)
    least, most = np.ceil(tissue_low * 4.0), np.floor(tissue_high * 4.0)
    row = np.empty(n_k, np.int64)
    for i in range(n_i):
        for j in range(n_j):
            for k in range(n_k):
                row[k] = array[i, j, k]
            both = weight[0, i] * weight[1, j]
            low, high, total = row[0], row[0], np.uint64(0)
            n = 0
            for k in range(n_k):
                value = row[k]
                is_body = int(value > threshold)
                lows[2, k] = min(lows[2, k], value)
                highs[2, k] = max(highs[2, k], value)
                filled[2, k] += is_body
                low = min(low, value)
                high = max(high, value)
                n += is_body
            for k in range(n_k):
                word = np.uint64(row[k])
                hashes[2, k] += word * both
                total += word * weight[2, k]
            lows[0, i], highs[0, i] = min(lows[0, i], low), max(highs[0, i], high)
            lows[1, j], highs[1, j] = min(lows[1, j], low), max(highs[1, j], high)
            filled[0, i] += n
            filled[1, j] += n
            hashes[0, i] += total * weight[1, j]
            hashes[1, j] += total * weight[0, i]
            for k in range(2, n_k - 2):
                near = row[k - 1] + row[k + 1]
                around = near + row[k - 2] + row[k + 2]
                if least <= around <= most:
                    noise[bins[min(abs(near - 2 * row[k]), NOISE_REACH - 1)]] += 1
    return lows, highs, hashes, filled, noise


@_compiled
def _mix(word: np.uint64, a: np.uint64, b: np.uint64) -> np.uint64:
    x = (word ^ (a << np.uint64(32)) ^ (b << np.uint64(48))) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    return x ^ (x >> np.uint64(32))


@_compiled
def block_sums(array: Array, sides: tuple[int, int, int], low: float, high: float) -> Array:
    """Sums over blocks of whole voxels, values clipped; a rest at an axis' end is left out.

    Args:
        array: ``(A, B, C)``, any type.
        sides: of a block per axis, voxels.

    Returns:
        float64, one value per block.
    """
    side_a, side_b, side_c = sides
    n_a, n_b, n_c = (
        array.shape[0] // side_a,
        array.shape[1] // side_b,
        array.shape[2] // side_c,
    )
    out = np.zeros((n_a, n_b, n_c))
    for i in range(n_a * side_a):
        for j in range(n_b * side_b):
            row = out[i // side_a, j // side_b]
            for c in range(n_c):
                total = 0.0
                for k in range(c * side_c, (c + 1) * side_c):
                    total += min(max(float(array[i, j, k]), low), high)
                row[c] += total
    return out


@_compiled
def spot_ratios(
    moves: Array, places: Array, spots: Array, nearest: int, floor: float
) -> tuple[Array, Array]:
    """For each spot a change over the median of those around, and over the larger beside it.

    Args:
        moves: float32 ``(n, all spots)``, changes from plane to plane.
        places: rows of `moves`: the change that is judged, then those around it.
        spots: columns of `moves`.
        nearest: which of `places` lies beside the first; number 1 does too.
        floor: added to all.
    """
    m, n = len(places) - 1, len(spots)
    usual, beside = np.empty(n, np.float32), np.empty(n, np.float32)
    values = np.empty(m, np.float32)
    low = np.float32(floor)
    for s in range(n):
        spot = spots[s]
        here = moves[places[0], spot] + low
        for x in range(m):
            value = moves[places[x + 1], spot]
            y = x
            while y > 0 and values[y - 1] > value:
                values[y] = values[y - 1]
                y -= 1
            values[y] = value
        middle = values[m // 2]
        if m % 2 == 0:
            middle = (values[m // 2 - 1] + middle) / np.float32(2)
        usual[s] = here / (middle + low)
        beside[s] = here / (max(moves[places[1], spot], moves[places[nearest], spot]) + low)
    return usual, beside


@_compiled
def histogram(values: Array, low: int, n: int) -> Array:
    """Counts of whole numbers from ``low`` on, those beyond at the ends.

    Args:
        values: integers ``(m,)``.
        low: of the first bin.
        n: bins.
    """
    counts = np.zeros((4, n), np.int64)  # four: equal values that follow each other wait less
    for v in range(len(values)):
        at = int(values[v]) - low
        at = 0 if at < 0 else at
        at = n - 1 if at >= n else at
        counts[v & 3, at] += 1
    total: Array = counts[0] + counts[1] + counts[2] + counts[3]
    return total


@_compiled
def neighbour_sums(array: Array, low: float, high: float) -> Array:
    """Sums n, x, y, xx, yy, xy over pairs of neighbours along the last axis, values clipped."""
    n_i, n_j, n_k = array.shape
    total = np.zeros(6)
    for i in range(n_i):
        for j in range(n_j):
            x = min(max(float(array[i, j, 0]), low), high)
            for k in range(1, n_k):
                y = min(max(float(array[i, j, k]), low), high)
                total[1] += x
                total[2] += y
                total[3] += x * x
                total[4] += y * y
                total[5] += x * y
                x = y
    total[0] = n_i * n_j * (n_k - 1)
    return total
