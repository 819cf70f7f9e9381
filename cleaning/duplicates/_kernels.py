"""Compiled loops over whole scans; each has a plain numpy reference beside its test."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    """Compiled at first use and kept on disk; other threads run meanwhile."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))


@_compiled
def block_means(
    array: Array,
    starts: Array,
    edges_i: Array,
    edges_j: Array,
    edges_k: Array,
    low: float,
    high: float,
) -> Array:
    """Means of exact blocks of a box, values clipped to ``low..high``, in one pass over the box.

    A block's edges may lie inside a voxel, which then counts by its share (area weighting), so that
    any size gives any grid and flips of the array flip the result exactly.

    Args:
        array: shape ``(I, J, K)``.
        starts: first voxel of the box per axis.
        edges_i, edges_j, edges_k: block edges per axis in voxels from the box's start, from 0 up.
    """
    n_i, n_j, n_k = len(edges_i) - 1, len(edges_j) - 1, len(edges_k) - 1
    out = np.zeros((n_i, n_j, n_k))
    plane = np.zeros((n_j, n_k))
    row = np.zeros(n_k)
    size_i, size_j, size_k = int(edges_i[-1]), int(edges_j[-1]), int(edges_k[-1])
    at_i = 0
    for i in range(size_i):
        plane[:] = 0.0
        at_j = 0
        for j in range(size_j):
            row[:] = 0.0
            at_k = 0
            for k in range(size_k):
                value = min(
                    max(float(array[starts[0] + i, starts[1] + j, starts[2] + k]), low), high
                )
                while edges_k[at_k + 1] <= k:
                    at_k += 1
                here = at_k
                left = float(k)
                while edges_k[here + 1] < k + 1:
                    row[here] += (edges_k[here + 1] - left) * value
                    left = edges_k[here + 1]
                    here += 1
                row[here] += (k + 1 - left) * value
            while edges_j[at_j + 1] <= j:
                at_j += 1
            here = at_j
            left = float(j)
            while edges_j[here + 1] < j + 1:
                plane[here] += (edges_j[here + 1] - left) * row
                left = edges_j[here + 1]
                here += 1
            plane[here] += (j + 1 - left) * row
        while edges_i[at_i + 1] <= i:
            at_i += 1
        here = at_i
        left = float(i)
        while edges_i[here + 1] < i + 1:
            out[here] += (edges_i[here + 1] - left) * plane
            left = edges_i[here + 1]
            here += 1
        out[here] += (i + 1 - left) * plane
    for a in range(n_i):
        for b in range(n_j):
            for c in range(n_k):
                size = edges_i[a + 1] - edges_i[a]
                size *= (edges_j[b + 1] - edges_j[b]) * (edges_k[c + 1] - edges_k[c])
                out[a, b, c] /= size
    return out


@_compiled
def profiles(array: Array, threshold: float) -> tuple[Array, Array, Array]:
    """How many voxels of each plane of each axis lie above a threshold."""
    n_i, n_j, n_k = array.shape
    along_i = np.zeros(n_i, np.int64)
    along_j = np.zeros(n_j, np.int64)
    along_k = np.zeros(n_k, np.int64)
    for i in range(n_i):
        for j in range(n_j):
            count = 0
            for k in range(n_k):
                above = array[i, j, k] > threshold
                along_k[k] += above
                count += above
            along_i[i] += count
            along_j[j] += count
    return along_i, along_j, along_k
