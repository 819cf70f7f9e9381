"""Compiled loops of the search for close codes."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import compiled

Array = npt.NDArray[Any]
FULLER = 3  # buckets hold a few codes each: visiting empty ones costs more than comparing


@compiled
def _ones(x: Any) -> Any:
    """Set bits of a 64-bit word; LLVM makes one instruction of it."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@compiled
def deal(codes: Array, table: Array) -> Array:
    """Every code's words as the table says: ``(32, 256, 4)``, per byte and its value."""
    out = np.empty((len(codes), 4), np.uint64)
    for n in range(len(codes)):
        w0, w1, w2, w3 = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
        for byte in range(codes.shape[1]):
            value = codes[n, byte]
            w0 |= table[byte, value, 0]
            w1 |= table[byte, value, 1]
            w2 |= table[byte, value, 2]
            w3 |= table[byte, value, 3]
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = w0, w1, w2, w3
    return out


@compiled
def chunk_values(words: Array, start: int, width: int) -> Array:
    """Bits ``start..start+width`` of every code, uint32."""
    out = np.empty(len(words), np.uint32)
    word, shift = start // 64, np.uint64(start % 64)
    mask = np.uint64((1 << width) - 1)
    crosses = start % 64 + width > 64
    for n in range(len(words)):
        value = words[n, word] >> shift
        if crosses:
            value |= words[n, word + 1] << (np.uint64(64) - shift)
        out[n] = np.uint32(value & mask)
    return out


@compiled
def by_bucket(values: Array, drop: int, n_buckets: int) -> tuple[Array, Array]:
    """Stable order of the codes by ``value >> drop``, and where each bucket starts."""
    starts = np.zeros(n_buckets + 1, np.int64)
    for value in values:
        starts[(value >> np.uint32(drop)) + 1] += 1
    for n in range(n_buckets):
        starts[n + 1] += starts[n]
    order = np.empty(len(values), np.int32)
    at = starts[:-1].copy()
    for n in range(len(values)):
        bucket = values[n] >> np.uint32(drop)
        order[at[bucket]] = n
        at[bucket] += 1
    return order, starts


@compiled
def _grown(array: Array) -> Array:
    more = np.empty(2 * len(array), array.dtype)
    more[: len(array)] = array
    return more


@compiled
def _join(
    words: Array,
    lead: Array,
    values: Array,
    order: Array,
    starts: Array,
    masks: Array,
    chunk: int,
    drop: int,
    prefix: int,
    slack: int,
    radius: int,
    n_query: int,
) -> tuple[Array, Array, Array]:
    """Pairs of this chunk.

    Args:
        words: codes, unsorted.
        lead: two of their words, sorted by bucket: they reject nearly all that is not near.
        values: their chunk, sorted.
        order: positions before the sort; those below `n_query` are queries.
        starts: of each bucket.
        masks: of the bits of each chunk, uint64 ``(m, 4)``.
        slack: bits of the chunk that may differ, 0 or 1.
    """
    n_buckets = len(starts) - 1
    first, second = np.empty(1024, np.int32), np.empty(1024, np.int32)
    distance = np.empty(1024, np.uint8)
    n = 0
    is_join = n_query == len(order)
    flips = prefix if slack else 0
    for bucket in range(n_buckets):
        low, high = starts[bucket], starts[bucket + 1]
        if low == high:
            continue
        for flip in range(-1, flips):
            other = bucket
            bit = np.uint32(0)
            if flip >= 0:
                other = bucket ^ (1 << flip)
                if is_join and other < bucket:
                    continue
                bit = np.uint32(1) << np.uint32(flip + drop)
            begin, end = starts[other], starts[other + 1]
            if begin == end:
                continue
            for x in range(low, high):
                if order[x] >= n_query:
                    continue
                from_ = x + 1 if is_join and flip < 0 else begin
                mine = values[x] ^ bit
                head, next_ = lead[x, 0], lead[x, 1]
                for y in range(from_, end):
                    rest = values[y] ^ mine
                    if flip >= 0 or slack == 0:
                        if rest != 0:
                            continue
                    elif rest & (rest - np.uint32(1)):
                        continue
                    if _ones(lead[y, 0] ^ head) + _ones(lead[y, 1] ^ next_) > radius:
                        continue
                    one, two = order[x], order[y]
                    x0, x1 = words[one, 0] ^ words[two, 0], words[one, 1] ^ words[two, 1]
                    x2, x3 = words[one, 2] ^ words[two, 2], words[one, 3] ^ words[two, 3]
                    near = _ones(x0) + _ones(x1) + _ones(x2) + _ones(x3)
                    if near > radius:
                        continue
                    if not is_join and order[y] <= order[x] < n_query:
                        continue  # found from the other side, or itself
                    is_first = True
                    for c in range(chunk):
                        differ = _ones(x0 & masks[c, 0]) + _ones(x1 & masks[c, 1])
                        differ += _ones(x2 & masks[c, 2]) + _ones(x3 & masks[c, 3])
                        if differ <= slack:
                            is_first = False
                            break
                    if is_first:
                        if n == len(first):
                            first, second = _grown(first), _grown(second)
                            distance = _grown(distance)
                        first[n], second[n], distance[n] = order[x], order[y], near
                        n += 1
    return first[:n], second[:n], distance[:n]


def find_pairs(
    words: Array, n_query: int, widths: Array, radius: int, threads: int
) -> tuple[Array, Array, Array]:
    """Pairs of different codes within the radius of which at least one is below `n_query`."""
    n, m = len(words), len(widths)
    slack = radius // m
    edges = np.concatenate(([0], np.cumsum(widths)))
    masks = _masks(edges)

    def part(chunk: int) -> tuple[Array, Array, Array]:
        width = int(widths[chunk])
        prefix = min(width, max(1, int(n).bit_length() - FULLER))
        drop = width - prefix
        values = chunk_values(words, int(edges[chunk]), width)
        order, starts = by_bucket(values, drop, 1 << prefix)
        lead, values = words[:, 2:] if edges[chunk] < 128 else words[:, :2], values[order]
        lead = np.ascontiguousarray(lead)[order]
        return _join(
            *(words, lead, values, order, starts, masks),
            *(chunk, drop, prefix, slack, radius, n_query),
        )

    with ThreadPoolExecutor(max_workers=threads) as pool:
        parts = list(pool.map(part, range(m)))
    a, b, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return a, b, distance


def _masks(edges: Array) -> Array:
    masks = np.zeros((len(edges) - 1, 4), np.uint64)
    for chunk, (low, high) in enumerate(pairwise(edges)):
        whole = ((1 << int(high)) - 1) ^ ((1 << int(low)) - 1)
        masks[chunk] = [(whole >> (64 * w)) & (2**64 - 1) for w in range(4)]
    return masks


@compiled
def _keys(words: Array) -> Array:
    out = np.empty(len(words), np.uint64)
    for n in range(len(words)):
        key = np.uint64(0)
        for w in range(4):
            key = (key ^ words[n, w]) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
        out[n] = key
    return out


@compiled
def _split(words: Array, keys: Array, order: Array) -> Array:
    """Starts of runs of equal codes; codes of one key that differ are sorted apart (in place)."""
    n = len(order)
    starts = np.empty(n + 1, np.int64)
    n_runs = 0
    low = 0
    while low < n:
        high = low + 1
        while high < n and keys[order[high]] == keys[order[low]]:
            high += 1
        at = low
        while at < high:
            starts[n_runs] = at
            n_runs += 1
            end = at + 1
            for y in range(at + 1, high):
                same = True
                for w in range(4):
                    if words[order[y], w] != words[order[at], w]:
                        same = False
                        break
                if same:
                    kept = order[y]
                    for z in range(y, end, -1):
                        order[z] = order[z - 1]
                    order[end] = kept
                    end += 1
            at = end
        low = high
    starts[n_runs] = n
    return starts[: n_runs + 1]


def same_codes(words: Array) -> tuple[Array, Array]:
    """Positions in groups of equal codes, ascending within each, and where each group starts."""
    keys = _keys(words)
    order = np.argsort(keys, kind="stable")
    return order, _split(words, keys, order)


@compiled
def expand(
    a: Array,
    b: Array,
    distance: Array,
    order: Array,
    starts: Array,
    sizes: Array,
    known: int,
    max_equal: int,
) -> tuple[Array, Array, Array]:
    """Pairs of codes from pairs of groups, and those within groups."""
    first, second = np.empty(1024, np.int64), np.empty(1024, np.int64)
    near = np.empty(1024, np.uint8)
    n = 0
    n_groups = len(sizes)
    for p in range(len(a) + n_groups):
        within = p >= len(a)
        one = p - len(a) if within else a[p]
        other = one if within else b[p]
        if within and sizes[one] < 2:
            continue
        for x in range(starts[one], starts[one + 1]):
            if x > starts[one] and 0 < max_equal < sizes[one]:
                break
            from_ = x + 1 if within else starts[other]
            for y in range(from_, starts[other + 1]):
                if order[x] < known and order[y] < known:
                    continue
                if not within and y > starts[other] and 0 < max_equal < sizes[other]:
                    break
                if n == len(first):
                    first, second, near = _grown(first), _grown(second), _grown(near)
                first[n], second[n] = min(order[x], order[y]), max(order[x], order[y])
                near[n] = 0 if within else distance[p]
                n += 1
    return first[:n], second[:n], near[:n]
