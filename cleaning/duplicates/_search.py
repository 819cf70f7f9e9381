"""Compiled loops of the search for close codes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import compiled

Array = npt.NDArray[Any]
FULLER = 3  # buckets hold a few codes each: visiting empty ones costs more than comparing
FEW = 50_000  # codes for which to start threads takes longer than it spares
ROOM = 1 << 16  # hits that are kept before they are looked at


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
def by_bucket(words: Array, word: int, shift: int, prefix: int) -> tuple[Array, Array, Array]:
    """One word of every code, stably sorted by `prefix` bits of it from `shift` on.

    Returns:
        The words, the positions before the sort, and where each bucket starts.
    """
    low, mask = np.uint64(shift), np.uint64((1 << prefix) - 1)
    starts = np.zeros((1 << prefix) + 1, np.int64)
    for n in range(len(words)):
        starts[np.int64((words[n, word] >> low) & mask) + 1] += 1
    for n in range(len(starts) - 1):
        starts[n + 1] += starts[n]
    key, order = np.empty(len(words), np.uint64), np.empty(len(words), np.int32)
    at = starts[:-1].copy()
    for n in range(len(words)):
        bucket = np.int64((words[n, word] >> low) & mask)
        key[at[bucket]], order[at[bucket]] = words[n, word], n
        at[bucket] += 1
    return key, order, starts


@compiled
def _grown(array: Array) -> Array:
    more = np.empty(2 * len(array), array.dtype)
    more[: len(array)] = array
    return more


@compiled
def _near(
    key: Array,
    order: Array,
    starts: Array,
    n_query: int,
    flips: int,
    limit: Any,
    hits: Array,
    at: tuple[int, int, int],
) -> tuple[int, tuple[int, int, int]]:
    """Codes of a bucket and of those one bit away whose words differ by at most `limit` bits.

    A function of its own that allocates nothing: where arrays may be replaced, numba counts
    references at every comparison, which costs ten times the comparison.

    Args:
        at: bucket, flipped bit (-1: none) and code to go on from.

    Returns:
        How many hits there are, and where there may be no more room; past the last bucket at the
        end.
    """
    n = 0
    is_join = n_query == len(order)
    bucket, flip, x = at
    while bucket < len(starts) - 1:
        high = starts[bucket + 1]
        while flip < flips and x < high:
            other = bucket if flip < 0 else bucket ^ (1 << flip)
            begin, end = starts[other], starts[other + 1]
            if begin < end and not (is_join and other < bucket):
                while x < high:
                    from_ = x + 1 if is_join and flip < 0 else begin
                    if n + end - from_ > len(hits):
                        return n, (bucket, flip, x)
                    mine = key[x]
                    if order[x] >= n_query:
                        from_ = end
                    for y in range(np.uint64(from_), np.uint64(end)):  # unsigned: none from behind
                        if _ones(key[y] ^ mine) <= limit:
                            hits[n, 0], hits[n, 1] = x, y
                            n += 1
                    x += 1
            x = starts[bucket]
            flip += 1
        bucket, flip, x = bucket + 1, -1, high
    return n, (bucket, flip, x)


@compiled
def _kept(
    words: Array,
    order: Array,
    n_query: int,
    masks: Array,
    chunk: int,
    limits: tuple[int, int, int],
    hits: Array,
) -> tuple[Array, Array, Array]:
    """Hits that are within the radius, and were not found by an earlier chunk."""
    radius, limit, slack = limits
    per_word = len(masks) // 4
    first, second = np.empty(len(hits), np.int32), np.empty(len(hits), np.int32)
    distance = np.empty(len(hits), np.uint8)
    ones = np.empty(4, np.int64)
    n = 0
    for h in range(len(hits)):
        one, two = order[hits[h, 0]], order[hits[h, 1]]
        near = 0
        for w in range(4):
            ones[w] = np.int64(_ones(words[one, w] ^ words[two, w]))
            near += ones[w]
        if near > radius:
            continue
        if n_query < len(order) and two <= one < n_query:
            continue  # found from the other side, or itself
        is_first = True
        for c in range(chunk):
            w = c // per_word
            differ = (words[one, w] ^ words[two, w]) & masks[c]
            if ones[w] <= limit and np.int64(_ones(differ)) <= slack:
                is_first = False
                break
        if is_first:
            first[n], second[n], distance[n] = one, two, near
            n += 1
    return first[:n], second[:n], distance[:n]


@compiled
def _join(
    words: Array,
    key: Array,
    order: Array,
    starts: Array,
    n_query: int,
    masks: Array,
    chunk: int,
    prefix: int,
    limits: tuple[int, int, int],
) -> tuple[Array, Array, Array]:
    """Pairs of this chunk.

    Args:
        words: codes, unsorted.
        key: the word of the chunk, sorted by bucket.
        order: positions before the sort; those below `n_query` are queries.
        starts: of each bucket.
        masks: of the sorted bits of each chunk within its word.
        limits: bits that may differ: in all, in the word, in the sorted bits of the chunk (0, 1).
    """
    first, second = np.empty(1024, np.int32), np.empty(1024, np.int32)
    distance = np.empty(1024, np.uint8)
    total = 0
    flips = prefix if limits[2] else 0
    limit = np.uint64(limits[1])
    hits = np.empty((ROOM + np.max(np.diff(starts)), 2), np.int32)
    at = (0, -1, 0)
    while at[0] < len(starts) - 1:
        n, at = _near(key, order, starts, n_query, flips, limit, hits, at)
        a, b, d = _kept(words, order, n_query, masks, chunk, limits, hits[:n])
        while total + len(a) > len(first):
            first, second, distance = _grown(first), _grown(second), _grown(distance)
        first[total : total + len(a)] = a
        second[total : total + len(a)] = b
        distance[total : total + len(a)] = d
        total += len(a)
    return first[:total], second[:total], distance[:total]


def find_pairs(
    words: Array, n_query: int, widths: Array, radius: int, threads: int
) -> tuple[Array, Array, Array]:
    """Pairs of different codes within the radius of which at least one is below `n_query`."""
    n, m = len(words), len(widths)
    limit = radius // 4
    limits = (radius, limit, limit // (m // 4))
    edges = np.concatenate(([0], np.cumsum(widths)))
    prefixes = np.minimum(widths, max(1, int(n).bit_length() - FULLER))
    shifts = edges[1:] % 64 + 64 * (edges[1:] % 64 == 0) - prefixes  # the highest bits
    ones = (np.uint64(1) << prefixes.astype(np.uint64)) - np.uint64(1)
    masks = ones << shifts.astype(np.uint64)

    def part(chunk: int) -> tuple[Array, Array, Array]:
        prefix = int(prefixes[chunk])
        key, order, starts = by_bucket(words, chunk // (m // 4), int(shifts[chunk]), prefix)
        return _join(words, key, order, starts, n_query, masks, chunk, prefix, limits)

    if threads == 1 or n < FEW:
        parts = [part(chunk) for chunk in range(m)]
    else:
        with ThreadPoolExecutor(max_workers=threads) as pool:
            parts = list(pool.map(part, range(m)))
    a, b, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
    return a, b, distance


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
