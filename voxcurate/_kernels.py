"""Compiled loops over voxels (numba). Each has its plain reference beside its tests."""

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
def occupied(array: Array, low: int, high: int) -> tuple[Array, Array, Array]:
    """Which planes of each axis hold a value in ``low..high`` (C order is the fast one)."""
    n_i, n_j, n_k = array.shape
    on_i = np.zeros(n_i, np.uint8)
    on_j = np.zeros(n_j, np.uint8)
    on_k = np.zeros(n_k, np.uint8)
    for i in range(n_i):
        for j in range(n_j):
            row = array[i, j]
            found = False
            for k in range(n_k):  # a reduction without branches becomes SIMD
                found |= (row[k] >= low) & (row[k] <= high)
            if found:
                on_i[i] = 1
                on_j[j] = 1
                for k in range(n_k):
                    on_k[k] |= (row[k] >= low) & (row[k] <= high)
    return on_i, on_j, on_k


@_compiled
def quantise(probability: Array, floor: int, out: Array) -> bool:
    """``round(p * 255)`` of flat `probability` into `out`, 0 below `floor`; False if not 0..1."""
    good = True
    for n in range(probability.size):
        p = probability[n]
        good &= (p >= -1e-3) & (p <= 1.001)  # NaN fails both
        value = np.int32(
            min(max(p, np.float32(0)), np.float32(1)) * np.float32(255) + np.float32(0.5)
        )
        out[n] = value if value >= floor else 0
    return good
