"""Compiled loops over voxels (numba). Each has its plain reference beside its tests."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])
FAR = 1 << 62  # where the box of a label that does not occur starts
_EIGHT = np.uint64(0x0101010101010101)
# place of a word's only set bit: the top six bits of its product with a de Bruijn sequence
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BYTE_OF = np.zeros(64, np.int64)
_BYTE_OF[(np.uint64(1) << np.arange(64, dtype=np.uint64)) * _DE_BRUIJN >> np.uint64(58)] = (
    np.arange(64) // 8
)


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
def _grow_box(box: Array, first: int, stop: int, n_j: int, n_k: int) -> None:
    """Grow a box ``(axis, start/stop)`` so that it holds the flat voxels ``first .. stop - 1``."""
    row, last_row = first // n_k, (stop - 1) // n_k
    i, i_last = row // n_j, last_row // n_j
    j, j_last = row - i * n_j, last_row - i_last * n_j
    k, k_stop = first - row * n_k, stop - last_row * n_k
    if row != last_row:  # it holds the end of a row and the beginning of the next
        k, k_stop = 0, n_k
    if i != i_last:
        j, j_last = 0, n_j - 1
    box[0, 0], box[0, 1] = min(box[0, 0], i), max(box[0, 1], i_last + 1)
    box[1, 0], box[1, 1] = min(box[1, 0], j), max(box[1, 1], j_last + 1)
    box[2, 0], box[2, 1] = min(box[2, 0], k), max(box[2, 1], k_stop)


def empty_survey() -> tuple[Array, Array]:
    """Counts and boxes for `joint_survey` to begin with."""
    boxes = np.empty((256, 3, 2), np.int64)
    boxes[:, :, 0], boxes[:, :, 1] = FAR, -1
    return np.zeros((256, 256), np.int64), boxes


@_compiled
def joint_survey(one: Array, two: Array, counts: Array, boxes: Array) -> None:
    """Count pairs of labels and grow each label's box, run by run of equal pairs.

    A run's end is found eight voxels at a time: where a word differs from the run's value, its
    lowest bit that does tells the voxel.

    Args:
        one: uint8 ``(I, J, K)``, C order.
        two: likewise; may be the same array.
        counts: int64 ``(256, 256)``, added to.
        boxes: int64 ``(256, axis, start/stop)``, grown to hold a label of either map; stop stays
            -1 for label 0 and one that does not occur.
    """
    n_j, n_k = one.shape[1], one.shape[2]
    flat_one, flat_two = one.reshape(-1), two.reshape(-1)
    n_words = flat_one.size // 8
    words_one = flat_one[: n_words * 8].view(np.uint64)
    words_two = flat_two[: n_words * 8].view(np.uint64)
    none = np.uint64(0)
    i = j = begin = 0  # the row where the last run began
    n = 0
    while n < flat_one.size:
        first = n
        u, v = np.uint64(flat_one[n]), np.uint64(flat_two[n])
        all_u, all_v = u * _EIGHT, v * _EIGHT
        w = n >> 3
        if w < n_words:
            shift = np.uint64((n & 7) * 8)
            differ = ((words_one[w] ^ all_u) | (words_two[w] ^ all_v)) >> shift
            if differ == none:
                w += 1
                n = w * 8
                while w < n_words:
                    differ = (words_one[w] ^ all_u) | (words_two[w] ^ all_v)
                    if differ != none:
                        break
                    w += 1
                n = w * 8
            if differ != none:
                lowest = differ & (~differ + np.uint64(1))
                n += _BYTE_OF[(lowest * _DE_BRUIJN) >> np.uint64(58)]
        else:
            n += 1
        counts[u, v] += n - first
        if (u | v) == none:
            continue
        if first < begin or n > begin + n_k:
            row = first // n_k
            begin = row * n_k
            i = row // n_j
            j = row - i * n_j
        for label in (u, v):
            box = boxes[label]
            if label == none:
                continue
            if n > begin + n_k:
                _grow_box(box, first, n, n_j, n_k)
                continue
            box[0, 0], box[0, 1] = min(box[0, 0], i), max(box[0, 1], i + 1)
            box[1, 0], box[1, 1] = min(box[1, 0], j), max(box[1, 1], j + 1)
            box[2, 0], box[2, 1] = min(box[2, 0], first - begin), max(box[2, 1], n - begin)
            if u == v:
                break


@_compiled
def labels_present(flat: Array, found: Array) -> None:
    """Set ``found[v]`` for each value of a flat uint8 array, eight equal ones at a time."""
    n_words = flat.size // 8
    words = flat[: n_words * 8].view(np.uint64)
    known = np.uint64(1)  # no word of eight equal values
    for w in range(n_words):
        word = words[w]
        if word == known:
            continue
        low = word & np.uint64(255)
        if word == low * _EIGHT:
            found[low] = 1
            known = word
        else:
            for n in range(w * 8, w * 8 + 8):
                found[flat[n]] = 1
    for n in range(n_words * 8, flat.size):
        found[flat[n]] = 1


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
def _count_surface(codes: Array) -> int:
    """How many flat corner codes are on the surface: neither 0 nor 255."""
    count = 0
    for code in codes:
        count += int(np.uint8(code + np.uint8(1)) > 1)
    return count


@_compiled
def _surface_places(codes: Array, at: Array) -> int:
    """Where the surface corners are, into `at`, which has room for one more; how many."""
    found = 0
    n_words = codes.size // 8
    words = codes[: n_words * 8].view(np.uint64)
    for w in range(n_words + 1):
        if w < n_words and (words[w] == 0 or words[w] == np.uint64(0xFFFFFFFFFFFFFFFF)):
            continue
        for n in range(w * 8, min(w * 8 + 8, codes.size)):
            at[found] = n
            found += int(np.uint8(codes[n] + np.uint8(1)) > 1)  # no branch to guess wrong
    return found


@_compiled
def surface_within(one: Array, two: Array, areas: Array, offsets: Array) -> tuple[float, float]:
    """Surface area of `one`, and how much of it has surface of `two` at one of the offsets.

    Args:
        one: flat corner codes with a margin that no offset leaves.
        two: likewise, same length.
        areas: float64 ``(256,)``, area of each code.
        offsets: int64, flat offsets of the ball, nearest first.
    """
    at = np.empty(_count_surface(one) + 1, np.int64)
    found = _surface_places(one, at)
    total = 0.0
    near = 0.0
    n_first = min(8, offsets.size)
    for n in at[:found]:
        area = areas[one[n]]
        total += area
        hit = False
        for k in range(n_first):  # guessing wrong costs more than looking eight times
            hit |= bool(np.uint8(two[n + offsets[k]] + np.uint8(1)) > 1)
        for k in range(n_first, offsets.size):
            if hit:
                break
            hit = bool(np.uint8(two[n + offsets[k]] + np.uint8(1)) > 1)
        near += area * hit
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
    at = np.empty(_count_surface(one) + 1, np.int64)
    at = at[: _surface_places(one, at)]
    hits = np.full(at.size, -1, np.int64)
    for found in range(at.size):
        n = at[found]
        for k in range(offsets.size):
            if np.uint8(two[n + offsets[k]] + np.uint8(1)) > 1:
                hits[found] = k
                break
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
