"""Compiled loop of the vote for one offset between two scans."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import compiled

Array = npt.NDArray[Any]
MOST = 400  # votes that are compared with each other


@compiled
def best_offsets(
    offsets: Array, distances: Array, starts: Array, tolerance: float
) -> tuple[Array, Array, Array, Array]:
    """Per group of votes the offset that most of them agree on.

    Args:
        offsets: mm, ``(n, 3)``.
        distances: of the codes, ``(n,)``.
        starts: first vote of each group, and n.
        tolerance: mm.

    Returns:
        votes that agree, their mean offset, their root mean square from it, their smallest
        distance.
    """
    groups = len(starts) - 1
    votes = np.zeros(groups, np.int64)
    mean = np.zeros((groups, 3))
    spread = np.zeros(groups)
    nearest = np.full(groups, 256, np.int64)
    for g in range(groups):
        low, high = starts[g], min(starts[g + 1], starts[g] + MOST)
        best, centre = 0, low
        for x in range(low, high):
            count = 0
            for y in range(low, high):
                d0 = offsets[x, 0] - offsets[y, 0]
                d1 = offsets[x, 1] - offsets[y, 1]
                d2 = offsets[x, 2] - offsets[y, 2]
                count += d0 * d0 + d1 * d1 + d2 * d2 <= tolerance * tolerance
            if count > best:
                best, centre = count, x
        around = offsets[centre].copy()
        for _turn in range(2):  # the second time around the mean of the first
            total = np.zeros(3)
            square, n, least = 0.0, 0, 256
            for x in range(low, starts[g + 1]):
                step = offsets[x] - around
                far = step[0] * step[0] + step[1] * step[1] + step[2] * step[2]
                if far <= tolerance * tolerance:
                    total += step
                    square += far
                    n += 1
                    least = min(least, distances[x])
            if n == 0:
                break
            shift = total / n
            around = around + shift
            spread[g] = np.sqrt(max(square / n - (shift * shift).sum(), 0.0))
            votes[g] = n
            nearest[g] = least
        mean[g] = around
    return votes, mean, spread, nearest
