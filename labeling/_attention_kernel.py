"""The compiled pass behind `labeling.attention`: one plane at a time, so that it stays in cache."""

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from labeling.attention import ClassAttention, Fusion, entropy_table, union_box
from labeling.config import AttentionConfig
from labeling.structures import NOWHERE, Mask
from voxcurate.predictions import EMPTY_BOX, ProbabilityBox
from voxcurate.volume import Box

Array = npt.NDArray[Any]
WORD = 64


def fused_pass(
    parts: Sequence[Sequence[ProbabilityBox | None]],
    classes: Sequence[str],
    conflicts: npt.NDArray[np.bool_],
    config: AttentionConfig,
    threshold: float,
    weights: Sequence[float],
    shape: tuple[int, int, int],
    voxel_mm3: float,
) -> Fusion:
    """As `labeling.attention.fuse_and_attend`, the plain equations only."""
    n_classes, n_models = len(classes), len(weights)
    boxes = np.zeros((n_classes, n_models, 7), np.int64)
    unions = np.zeros((n_classes, 7), np.int64)
    flats: list[Array] = []
    start = mask_start = 0
    outer: list[Box] = []
    for c, row in enumerate(parts):
        union = union_box([p.box for p in row if p is not None])
        outer.append(union)
        unions[c] = [*_ends(union), mask_start]
        mask_start += _size(union)
        for m, part in enumerate(row):
            boxes[c, m] = [*_ends(part.box if part else EMPTY_BOX), start if part else -1]
            if part is not None:
                flats.append(part.array.reshape(-1))
                start += part.array.size
    values = np.concatenate(flats) if flats else np.zeros(0, np.uint8)
    total = np.zeros(shape, np.float32)
    fused = np.zeros(mask_start, np.uint8)
    sums = np.zeros((n_classes, 3))
    _pass(
        values, boxes, unions, _words(conflicts), np.asarray(weights, np.float64),
        threshold * 255.0, entropy_table(config.entropy), total, fused, sums,
    )  # fmt: skip
    found: dict[str, ClassAttention] = {}
    masks: dict[str, tuple[Box, Mask]] = {}
    for c, name in enumerate(classes):
        n = sum(p is not None for p in parts[c])
        if n:
            deviation, entropy, overlap = (float(s) * voxel_mm3 for s in sums[c])
            found[name] = ClassAttention(n, deviation if n > 1 else None, entropy, overlap)
            box = outer[c]
            size = tuple(axis.stop - axis.start for axis in box)
            first = int(unions[c, 6])
            masks[name] = (box, fused[first : first + _size(box)].view(bool).reshape(size))
    return Fusion(total, found, masks)


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
    values, boxes, unions, partners, weights, threshold, entropy, total, fused, sums
):  # pragma: no cover - compiled
    n_i, n_j, n_k = total.shape
    n_classes, n_models = boxes.shape[0], boxes.shape[1]
    n_words = partners.shape[1]
    bits = np.zeros((n_words, n_models, n_j, n_k), np.uint64)
    s1 = np.zeros(n_k, np.int64)
    s2 = np.zeros(n_k, np.int64)
    mean = np.zeros(n_k, np.float64)
    nats = np.zeros(n_k, np.float64)
    both = np.zeros(n_k, np.uint8)
    for i in range(n_i):
        bits[:] = 0
        for c in range(n_classes):
            one = np.uint64(1) << np.uint64(c % 64)
            for m in range(n_models):
                b = boxes[c, m]
                if b[6] < 0 or i < b[0] or i >= b[1]:
                    continue
                width = b[5] - b[4]
                for j in range(b[2], b[3]):
                    row = b[6] + ((i - b[0]) * (b[3] - b[2]) + (j - b[2])) * width
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
                if boxes[c, m, 6] >= 0:
                    n_there += 1
                    share += weights[m]
            for j in range(u[2], u[3]):
                for k in range(u[4], u[5]):
                    s1[k] = 0
                    s2[k] = 0
                    mean[k] = 0.0
                    nats[k] = 0.0
                    both[k] = 0
                for m in range(n_models):
                    b = boxes[c, m]
                    if b[6] < 0 or i < b[0] or i >= b[1] or j < b[2] or j >= b[3]:
                        continue
                    row = b[6] + ((i - b[0]) * (b[3] - b[2]) + (j - b[2])) * (b[5] - b[4]) - b[4]
                    for k in range(b[4], b[5]):
                        v = np.int64(values[row + k])
                        if v == 0:
                            continue
                        s1[k] += v
                        s2[k] += v * v
                        mean[k] += weights[m] * v
                        nats[k] += entropy[v]
                        if v > 127:
                            for w in range(n_words):
                                if bits[w, m, j, k] & partners[c, w]:
                                    both[k] = 1
                first = u[6] + ((i - u[0]) * (u[3] - u[2]) + (j - u[2])) * (u[5] - u[4]) - u[4]
                for k in range(u[4], u[5]):
                    if s1[k] == 0:
                        continue
                    deviation = 0.0
                    if n_there > 1:  # exact: N * S2 - S1^2 in integers
                        deviation = np.sqrt(np.float64(n_there * s2[k] - s1[k] * s1[k]))
                        deviation /= 255.0 * n_there
                    nat = nats[k] / n_there
                    sums[c, 0] += deviation
                    sums[c, 1] += nat
                    sums[c, 2] += both[k]
                    total[i, j, k] += np.float32(deviation + nat + both[k])
                    if mean[k] > threshold * share:
                        fused[first + k] = 1
