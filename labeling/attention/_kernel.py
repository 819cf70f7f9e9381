"""The compiled pass behind `labeling.attention.maps`: plane by plane, so that it stays in cache.

The models' arrays are read where they lie, through their addresses: nothing is copied. Threads take
turns of planes; sums are kept per plane and added in order, so that the result does not depend on
their number.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from labeling.attention.maps import MAP_SCALE, ClassAttention, Fusion, entropy_table, union_box
from labeling.config import AttentionConfig
from labeling.structures import NOWHERE, Mask
from voxcurate.predictions import EMPTY_BOX, ProbabilityBox
from voxcurate.volume import Box

Array = npt.NDArray[Any]
WORD = 64
MAX_THREADS = 4  # more of them wait for memory
PLANES = 8  # a turn of a thread


def fused_pass(
    parts: Sequence[Sequence[ProbabilityBox | None]],
    classes: Sequence[str],
    conflicts: npt.NDArray[np.bool_],
    config: AttentionConfig,
    threshold: float,
    weights: Sequence[Sequence[float]],
    shape: tuple[int, int, int],
    voxel_mm3: float,
    *,
    class_maps: bool = False,
) -> Fusion:
    """As `labeling.attention.maps.fuse_and_attend`, the plain equations only."""
    n_classes, n_models = len(classes), len(parts[0]) if parts else 0
    boxes = np.zeros((n_classes, n_models, 7), np.int64)
    unions = np.zeros((n_classes, 7), np.int64)
    held: list[Array] = []  # alive as long as their addresses are in use
    mask_start = 0
    outer: list[Box] = []
    for c, row in enumerate(parts):
        union = union_box([p.box for p in row if p is not None])
        outer.append(union)
        unions[c] = [*_ends(union), mask_start]
        mask_start += _size(union)
        for m, part in enumerate(row):
            boxes[c, m] = [*_ends(part.box if part else EMPTY_BOX), 0]
            if part is not None:
                held.append(np.ascontiguousarray(part.array))
                boxes[c, m, 6] = held[-1].ctypes.data or 1
    total = np.zeros(shape, np.float32)
    fused = np.zeros(mask_start, np.uint8)
    maps = np.zeros(mask_start if class_maps else 0, np.uint8)
    sums = np.zeros((shape[0], n_classes, 3))
    partners = _words(conflicts)
    shares = np.asarray(weights, np.float64).reshape(n_classes, n_models)
    table = entropy_table(config.entropy)

    def planes(first: int) -> None:
        _pass(
            first, min(first + PLANES, shape[0]), boxes, unions, partners, shares,
            threshold * 255.0, table, total, fused, maps, sums,
        )  # fmt: skip

    turns = range(0, shape[0], PLANES)
    n_threads = min(MAX_THREADS, len(os.sched_getaffinity(0)), len(turns))
    if n_threads == 1 or mask_start < 1 << 20:
        for first in turns:
            planes(first)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(planes, turns))
    sizes = sums.sum(axis=0) * voxel_mm3
    del held
    found: dict[str, ClassAttention] = {}
    masks: dict[str, tuple[Box, Mask]] = {}
    kept: dict[str, tuple[Box, npt.NDArray[np.uint8]]] = {}
    for c, name in enumerate(classes):
        n = sum(p is not None for p in parts[c])
        if n:
            deviation, entropy, overlap = (float(s) for s in sizes[c])
            found[name] = ClassAttention(n, deviation if n > 1 else None, entropy, overlap)
            box = outer[c]
            size = tuple(axis.stop - axis.start for axis in box)
            here = slice(int(unions[c, 6]), int(unions[c, 6]) + _size(box))
            masks[name] = (box, fused[here].view(bool).reshape(size))
            if class_maps:
                kept[name] = (box, maps[here].reshape(size))
    return Fusion(total, found, masks, kept)


@intrinsic  # type: ignore[untyped-decorator]
def _pointer(_context: Any, address: Any) -> Any:
    """The bytes at an address, for `numba.carray`."""

    def code(_context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = _context.get_value_type(signature.return_type)
        return builder.inttoptr(arguments[0], kind)

    return types.CPointer(types.uint8)(types.int64), code  # type: ignore[attr-defined]


def _ends(box: Box) -> list[int]:
    return [end for axis in box for end in (axis.start, axis.stop)]


def _size(box: Box) -> int:
    return 0 if box == NOWHERE else int(np.prod([axis.stop - axis.start for axis in box]))


def _words(conflicts: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Each class's partners as bits, ``(C, W)``."""
    n = len(conflicts)
    words = np.zeros((n, max(1, -(-n // WORD))), np.uint64)
    for c, d in zip(*np.nonzero(conflicts), strict=True):
        words[c, d // WORD] |= np.uint64(1) << np.uint64(d % WORD)
    return words


@numba.njit(cache=True, nogil=True)
def _pass(  # type: ignore[no-untyped-def]
    begin, end, boxes, unions, partners, weights, threshold, entropy, total, fused, maps, sums
):  # pragma: no cover - compiled
    n_j, n_k = total.shape[1], total.shape[2]
    n_classes, n_models = boxes.shape[0], boxes.shape[1]
    n_words = partners.shape[1]
    bits = np.zeros((n_words, n_models, n_j, n_k), np.uint64)
    s1 = np.zeros(n_k, np.int64)
    s2 = np.zeros(n_k, np.int64)
    mean = np.zeros(n_k, np.float64)
    nats = np.zeros(n_k, np.float64)
    both = np.zeros(n_k, np.uint8)
    for i in range(begin, end):
        for c in range(n_classes):  # clear what the plane before has set
            for m in range(n_models):
                b = boxes[c, m]
                if i > begin and b[6] != 0 and b[0] < i <= b[1]:
                    bits[c // 64, m, b[2] : b[3], b[4] : b[5]] = 0
        for c in range(n_classes):
            one = np.uint64(1) << np.uint64(c % 64)
            for m in range(n_models):
                b = boxes[c, m]
                if b[6] == 0 or i < b[0] or i >= b[1]:
                    continue
                width = b[5] - b[4]
                size = (b[1] - b[0]) * (b[3] - b[2]) * width
                values = numba.carray(_pointer(b[6]), (size,))
                for j in range(b[2], b[3]):
                    row = ((i - b[0]) * (b[3] - b[2]) + (j - b[2])) * width
                    line = bits[c // 64, m, j]
                    for k in range(width):
                        if values[row + k] > 127:
                            line[b[4] + k] |= one
        for c in range(n_classes):
            u = unions[c]
            if i < u[0] or i >= u[1]:
                continue
            n_there = 0
            share = 0.0
            for m in range(n_models):
                if boxes[c, m, 6] != 0:
                    n_there += 1
                    share += weights[c, m]
            for j in range(u[2], u[3]):
                is_empty = True
                for m in range(n_models):
                    b = boxes[c, m]
                    if b[6] == 0 or i < b[0] or i >= b[1] or j < b[2] or j >= b[3]:
                        continue
                    width = b[5] - b[4]
                    size = (b[1] - b[0]) * (b[3] - b[2]) * width
                    values = numba.carray(_pointer(b[6]), (size,))
                    row = ((i - b[0]) * (b[3] - b[2]) + (j - b[2])) * width
                    any_value = np.uint8(0)
                    for k in range(width):
                        any_value |= values[row + k]
                    if any_value == 0:
                        continue
                    if is_empty:
                        is_empty = False
                        for k in range(u[4], u[5]):
                            s1[k] = 0
                            s2[k] = 0
                            mean[k] = 0.0
                            nats[k] = 0.0
                            both[k] = 0
                    for at in range(width):
                        v = np.int64(values[row + at])
                        if v == 0:
                            continue
                        k = b[4] + at
                        s1[k] += v
                        s2[k] += v * v
                        mean[k] += weights[c, m] * v
                        nats[k] += entropy[v]
                        if v > 127:
                            for w in range(n_words):
                                if bits[w, m, j, k] & partners[c, w]:
                                    both[k] = 1
                if is_empty:
                    continue
                first = u[6] + ((i - u[0]) * (u[3] - u[2]) + (j - u[2])) * (u[5] - u[4]) - u[4]
                for k in range(u[4], u[5]):
                    if s1[k] == 0:
                        continue
                    if s1[k] == 255 * n_there and both[k] == 0:  # all are sure: no attention
                        fused[first + k] = 1
                        continue
                    deviation = 0.0
                    if n_there > 1:  # exact: N * S2 - S1^2 in integers
                        deviation = np.sqrt(np.float64(n_there * s2[k] - s1[k] * s1[k]))
                        deviation /= 255.0 * n_there
                    nat = nats[k] / n_there
                    sums[i, c, 0] += deviation
                    sums[i, c, 1] += nat
                    sums[i, c, 2] += both[k]
                    attention = deviation + nat + both[k]
                    total[i, j, k] += np.float32(attention)
                    if maps.size:
                        maps[first + k] = np.uint8(min(attention * MAP_SCALE + 0.5, 255.0))
                    if mean[k] > threshold * share:
                        fused[first + k] = 1
