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


def _compiled(function: F) -> F:
    """Compiled at first use and kept on disk; other threads run meanwhile."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))


@_compiled
def survey(
    array: Array, threshold: int, tissue_low: float, tissue_high: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Everything the checks need of an integer scan, in one pass.

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
    for i in range(n_i):
        for j in range(n_j):
            for k in range(n_k):
                value = np.int64(array[i, j, k])
                lows[0, i] = min(lows[0, i], value)
                lows[1, j] = min(lows[1, j], value)
                lows[2, k] = min(lows[2, k], value)
                highs[0, i] = max(highs[0, i], value)
                highs[1, j] = max(highs[1, j], value)
                highs[2, k] = max(highs[2, k], value)
                if value > threshold:
                    filled[0, i] += 1
                    filled[1, j] += 1
                    filled[2, k] += 1
                word = np.uint64(value & 0xFFFFFFFF)
                hashes[0, i] += _mix(word, np.uint64(j), np.uint64(k))
                hashes[1, j] += _mix(word, np.uint64(i), np.uint64(k))
                hashes[2, k] += _mix(word, np.uint64(i), np.uint64(j))
                if 2 <= k < n_k - 2:
                    near = np.float64(array[i, j, k - 1]) + np.float64(array[i, j, k + 1])
                    far = np.float64(array[i, j, k - 2]) + np.float64(array[i, j, k + 2])
                    if tissue_low <= (near + far) / 4.0 <= tissue_high:
                        second = abs(near - 2.0 * value) / 2.449489742783178
                        noise[min(int(second / NOISE_STEP), NOISE_BINS - 1)] += 1
    return lows, highs, hashes, filled, noise


@_compiled
def _mix(word: np.uint64, a: np.uint64, b: np.uint64) -> np.uint64:
    x = (word ^ (a << np.uint64(32)) ^ (b << np.uint64(48))) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    return x ^ (x >> np.uint64(32))


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
