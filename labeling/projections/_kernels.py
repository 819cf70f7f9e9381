"""Compiled sweeps over whole scans and masks; the array's last axis is contiguous.

An axis that is not wanted has planes of size 0. A plane over axis 0 has the shape of axes 1 and 2,
and so on.
"""

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
def sums(array: Array, low: Array, high: Array, over0: Array, over1: Array, over2: Array) -> None:
    """Add each value, clipped to each window, to the planes of the wanted axes.

    A row stays in the nearest cache while all windows and axes take it, so that the array is read
    once. NaN counts as the lower end.

    Args:
        array: the scan.
        low: lower ends of the windows, of the planes' type.
        high: upper ends.
        over0: planes over axis 0, one per window, ``(W, J, K)``.
        over1: ``(W, I, K)``.
        over2: ``(W, I, J)``.
    """
    n_i, n_j, n_k = array.shape
    row = np.empty(n_k, over0.dtype)
    for i in range(n_i):
        for j in range(n_j):
            for w in range(low.size):
                least, most = low[w], high[w]
                for k in range(n_k):
                    value = array[i, j, k]
                    clipped = value if value > least else least
                    row[k] = clipped if clipped < most else most
                if over0.size:
                    for k in range(n_k):
                        over0[w, j, k] += row[k]
                if over1.size:
                    for k in range(n_k):
                        over1[w, i, k] += row[k]
                if over2.size:
                    total = over2[w, i, j]
                    for k in range(n_k):
                        total += row[k]
                    over2[w, i, j] = total


@_compiled
def shadow(mask: Array, over0: Array, over1: Array, over2: Array) -> None:
    """Set what a mask (uint8) covers in the planes (uint8) of the wanted axes."""
    n_i, n_j, n_k = mask.shape
    for i in range(n_i):
        for j in range(n_j):
            most = np.uint8(0)
            for k in range(n_k):
                most |= mask[i, j, k]
            if most == 0:
                continue
            if over2.size:
                over2[i, j] = 1
            if over1.size:
                for k in range(n_k):
                    over1[i, k] |= mask[i, j, k]
            if over0.size:
                for k in range(n_k):
                    over0[j, k] |= mask[i, j, k]


@_compiled
def shadows(labels: Array, n: int, over0: Array, over1: Array, over2: Array) -> None:
    """As `shadow`, of every label below `n` of a label map; planes ``(n, ...)``."""
    n_i, n_j, n_k = labels.shape
    for i in range(n_i):
        for j in range(n_j):
            most = labels[i, j, 0]
            for k in range(n_k):
                most |= labels[i, j, k]
            if most == 0:
                continue
            for k in range(n_k):
                label = labels[i, j, k]
                if label > 0 and label < n:
                    if over0.size:
                        over0[label, j, k] = 1
                    if over1.size:
                        over1[label, i, k] = 1
                    if over2.size:
                        over2[label, i, j] = 1
