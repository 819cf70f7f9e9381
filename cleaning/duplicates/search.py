"""All pairs of codes within a Hamming radius: exact, without comparing all pairs.

Multi-index hashing (Norouzi et al., arXiv:1307.2982) as a join, pigeonholes within pigeonholes: of
two codes within r bits one of the four 64-bit words agrees but for ``r // 4`` bits, and of that
word's k chunks, ``r // 4 // k`` at most 1, one agrees but for one bit. For each chunk the words are
sorted by it, and compared within a bucket and with the buckets one bit away: one XOR and one count
of bits per comparison, streams through memory, no table look-ups. What passes is compared whole. A
pair counts at its first such chunk.

Bits of real codes are correlated, neighbours in frequency most, which would make a few buckets
huge. So bit n goes to chunk ``n mod m`` of all m, which puts far frequencies together; for the
radius that is used an order was measured that leaves half as many chance hits as that.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._search import deal, expand, find_pairs, same_codes
from cleaning.duplicates.threads import thread_count

BITS = 256
WORDS = 4
WIDEST = 32
# Bits in the order of the twelve chunks of radius 22 and 23: of 4,608 codes of 36 scans the sum of
# squared correlations within chunks was made small. It costs or spares time, never a pair.
MEASURED_CHUNKS = 12
MEASURED_ORDER = bytes.fromhex(
    "0e151c2024454b5a617790959badb8c5d9dbe2eaf5fd02060b26393f4c4e56637a81868fa2b0bae8f0f8fa01"
    "0f191d2123485e6e7d8e9697afc6cbdadef1fbfc03141a1f3336606c757f849498a1acb1bbd3d4d7dcef080c"
    "283d444d575f647276798283888cbcc0cce6fe00091b1e22515358595b5c62686b6d8a9ca7c2c7f611131829"
    "2f4f506570747e808ba3abaeb4c4cfd5e7e90d162e353c40475485878999a5a6a8b3cdd0d1dde11025343b3e"
    "41464955939a9d9fbfcacee0edf2f3f9070a373842434a66698d9192aac8c9d6d8e3e4e5ecf70412172c323a"
    "52676a6f7c9eb2b9c1c3d2dfebf4ff05272a2b2d30315d7173787ba0a4a9b5b6b7bdbeee"
)
Codes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class ClosePairs:
    """Pairs of positions ``first < second`` with their distances, in ascending order."""

    first: npt.NDArray[np.int64]
    second: npt.NDArray[np.int64]
    distance: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """How many pairs."""
        return len(self.first)

    def only(self, wanted: npt.NDArray[np.bool_]) -> "ClosePairs":
        """Some of them."""
        return ClosePairs(self.first[wanted], self.second[wanted], self.distance[wanted])


def close_pairs(
    codes: Codes, radius: int, *, known: int = 0, max_equal: int = 0, threads: int = 0
) -> ClosePairs:
    """All pairs of packed 256-bit codes within the radius.

    Args:
        codes: uint8 ``(n, 32)``.
        radius: bits that may differ, 0 to 127.
        known: so many first codes were compared before: pairs among them are left out.
        max_equal: of a group of more equal codes than this only the first is compared with others,
            and paired with the rest; 0: no such limit. Without it a thousand equal codes give half
            a million pairs.
        threads: 0: as many as OMP_NUM_THREADS says, else one per core.

    Raises:
        ValueError: an impossible radius.
    """
    if not 0 <= radius < BITS // 2:
        raise ValueError(f"want a radius from 0 to {BITS // 2 - 1}, got {radius}")
    n = len(codes)
    if n < 2 or known >= n:
        return ClosePairs(*(np.zeros(0, t) for t in (np.int64, np.int64, np.uint8)))  # type: ignore[arg-type]
    words = dealt(codes, radius)
    order, starts = same_codes(words)  # groups of equal codes, members ascending
    heads = order[starts[:-1]]
    by_head = np.argsort(heads)
    sizes = np.diff(starts)
    # a group is known if its first member is: all pairs of two known groups are still needed when
    # either has new members
    has_new = order[starts[1:] - 1] >= known
    place = by_head[np.argsort(~has_new[by_head], kind="stable")] if known else by_head
    widths = chunk_widths(radius)
    n_query = int(has_new.sum()) if known else len(place)
    a, b, distance = find_pairs(
        words[heads[place]], n_query, widths, radius, threads or thread_count()
    )
    first, second, near = expand(
        place[a], place[b], distance, order, starts, sizes, known, max_equal
    )
    ascending = np.argsort(first * n + second)
    return ClosePairs(first[ascending], second[ascending], near[ascending])


def chunk_widths(radius: int) -> npt.NDArray[np.int64]:
    """Bits of each chunk, word by word: so many that one of a word's differs by at most one bit."""
    k = max(64 // WIDEST, radius // WORDS // 2 + 1)
    return np.array([64 // k + (c < 64 % k) for c in range(k)] * WORDS, np.int64)


def dealt(codes: Codes, radius: int) -> Words:
    """The codes with the bits of each chunk side by side, as words ``(n, 4)``."""
    return deal(np.ascontiguousarray(codes), _table(len(chunk_widths(radius))))


@cache
def _table(m: int) -> Words:
    """Words of each byte's values, ``(32, 256, 4)``, for so many chunks."""
    place = np.empty(BITS, np.int64)
    order = np.concatenate([np.arange(c, BITS, m) for c in range(m)])
    if m == MEASURED_CHUNKS:
        order = np.frombuffer(MEASURED_ORDER, np.uint8).astype(np.int64)
    place[order] = np.arange(BITS)
    table = np.zeros((BITS // 8, 256, WORDS), np.uint64)
    values = np.arange(256)
    for bit, to in enumerate(place):
        is_set = (values >> (7 - bit % 8)) & 1  # packbits puts the first bit highest
        table[bit // 8, :, to // 64] |= is_set.astype(np.uint64) << np.uint64(to % 64)
    return table
