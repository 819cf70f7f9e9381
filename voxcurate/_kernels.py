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


@_compiled
def label_boxes(labels: Array, n_labels: int) -> tuple[Array, Array]:
    """Boxes ``(label, axis, start/stop)`` of the values 0..n-1 and their voxel counts.

    Values outside are passed over; a value that does not occur has count 0. Equal neighbours along
    the last axis are handled as one run, so that C order is the fast one.
    """
    n_i, n_j, n_k = labels.shape
    boxes = np.empty((n_labels, 3, 2), np.int64)
    boxes[:, :, 0] = 1 << 62
    boxes[:, :, 1] = -1
    counts = np.zeros(n_labels, np.int64)
    for i in range(n_i):
        for j in range(n_j):
            row = labels[i, j]
            k = 0
            while k < n_k:
                value = row[k]
                first = k
                k += 1
                while k < n_k and row[k] == value:
                    k += 1
                if value < 0 or value >= n_labels:
                    continue
                counts[value] += k - first
                box = boxes[value]
                box[0, 0], box[0, 1] = min(box[0, 0], i), max(box[0, 1], i + 1)
                box[1, 0], box[1, 1] = min(box[1, 0], j), max(box[1, 1], j + 1)
                box[2, 0], box[2, 1] = min(box[2, 0], first), max(box[2, 1], k)
    return boxes, counts


@_compiled
def joint_histogram(one: Array, two: Array, n_labels: int) -> Array:
    """Counts of pairs of labels, ``(n, n)``, of two flat uint8 arrays of equal length.

    Eight voxels at a time where both hold the same value eight times, as most of a volume does.
    """
    counts = np.zeros((n_labels, n_labels), np.int64)
    n_words = one.size // 8
    words_one = one[: n_words * 8].view(np.uint64)
    words_two = two[: n_words * 8].view(np.uint64)
    spread = np.uint64(0x0101010101010101)
    w = 0
    while w < n_words:
        a = words_one[w]
        b = words_two[w]
        low_a = a & np.uint64(255)
        low_b = b & np.uint64(255)
        if a == low_a * spread and b == low_b * spread:
            first = w
            w += 1
            while w < n_words and words_one[w] == a and words_two[w] == b:
                w += 1
            counts[low_a, low_b] += 8 * (w - first)
        else:
            for n in range(w * 8, w * 8 + 8):
                counts[one[n], two[n]] += 1
            w += 1
    for n in range(n_words * 8, one.size):
        counts[one[n], two[n]] += 1
    return counts


@_compiled
def corner_codes(labels: Array, value: int, bits: Array, margin: int) -> Array:
    """For each corner between voxels, which of the eight around it hold `value`, as one byte.

    Args:
        labels: ``(I, J, K)``.
        value: what counts as inside.
        bits: ``(2, 2, 2)`` uint8, the bit of the voxel before or after the corner on each axis.
        margin: zeros around the result, whose sides are ``I + 1 + 2 * margin`` and so on.
    """
    n_i, n_j, n_k = labels.shape
    pad = 1 + 2 * margin
    codes = np.zeros((n_i + pad, n_j + pad, n_k + pad), np.uint8)
    inside = np.zeros(n_k + 2, np.uint8)
    for i in range(n_i):
        for j in range(n_j):
            row = labels[i, j]
            found = False
            for k in range(n_k):
                found |= row[k] == value
            if not found:
                continue
            for k in range(n_k):
                inside[k + 1] = 255 if row[k] == value else 0
            for di in range(2):
                for dj in range(2):
                    before, after = bits[1 - di, 1 - dj, 0], bits[1 - di, 1 - dj, 1]
                    out = codes[margin + i + di, margin + j + dj, margin:]
                    for k in range(n_k + 1):  # corner k lies between voxels k - 1 and k
                        out[k] |= (inside[k] & before) | (inside[k + 1] & after)
    return codes


@_compiled
def surface_within(one: Array, two: Array, areas: Array, offsets: Array) -> tuple[float, float]:
    """Surface area of `one`, and how much of it has surface of `two` at one of the offsets.

    Args:
        one: flat corner codes with a margin that no offset leaves.
        two: likewise, same length.
        areas: float64 ``(256,)``, area of each code.
        offsets: int64, flat offsets of the ball, nearest first.
    """
    total = 0.0
    near = 0.0
    n_words = one.size // 8
    words = one[: n_words * 8].view(np.uint64)
    for w in range(n_words + 1):
        if w < n_words and (words[w] == 0 or words[w] == np.uint64(0xFFFFFFFFFFFFFFFF)):
            continue
        for n in range(w * 8, min(w * 8 + 8, one.size)):
            code = one[n]
            if code == 0 or code == 255:
                continue
            total += areas[code]
            for offset in offsets:
                other = two[n + offset]
                if other != 0 and other != 255:
                    near += areas[code]
                    break
    return total, near


@_compiled
def nearest_offset(one: Array, two: Array, offsets: Array) -> tuple[Array, Array]:
    """For each surface corner of `one`, which offset first meets the surface of `two`.

    Args:
        one: flat corner codes with a margin that no offset leaves.
        two: likewise, same length.
        offsets: int64, flat offsets of the ball, nearest first.

    Returns:
        Flat indices of the corners, and numbers of offsets (-1: none).
    """
    count = 0
    for code in one:
        count += (code != 0) & (code != 255)
    at = np.empty(count, np.int64)
    hits = np.full(count, -1, np.int64)
    found = 0
    for n in range(one.size):
        code = one[n]
        if code == 0 or code == 255:
            continue
        at[found] = n
        for k in range(offsets.size):
            other = two[n + offsets[k]]
            if other != 0 and other != 255:
                hits[found] = k
                break
        found += 1
    return at, hits


@_compiled
def stamp_ball(mask: Array, out: Array, reach: Array) -> None:
    """Set `out` within a ball around each surface voxel of `mask`.

    Args:
        mask: uint8 ``(I, J, K)`` with a margin of zeros as wide as the ball.
        out: same shape, set to 1.
        reach: int64 ``(2 * r_i + 1, 2 * r_j + 1)``: how far the ball goes along the last axis at
            that offset along the first two; -1 for not at all.
    """
    r_i, r_j = reach.shape[0] // 2, reach.shape[1] // 2
    n_i, n_j, n_k = mask.shape
    for i in range(n_i):
        for j in range(n_j):
            for k in range(n_k):
                if not mask[i, j, k]:
                    continue
                out[i, j, k] = 1
                is_inner = 0 < i < n_i - 1 and 0 < j < n_j - 1 and 0 < k < n_k - 1
                if (
                    is_inner
                    and mask[i - 1, j, k]
                    and mask[i + 1, j, k]
                    and mask[i, j - 1, k]
                    and mask[i, j + 1, k]
                    and mask[i, j, k - 1]
                    and mask[i, j, k + 1]
                ):
                    continue
                for di in range(-r_i, r_i + 1):
                    for dj in range(-r_j, r_j + 1):
                        far = reach[di + r_i, dj + r_j]
                        if far < 0 or not (0 <= i + di < n_i and 0 <= j + dj < n_j):
                            continue
                        for at in range(max(0, k - far), min(n_k, k + far + 1)):
                            out[i + di, j + dj, at] = 1
