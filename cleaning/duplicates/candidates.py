"""Which scans may be the same: those whose landmarks agree in code and place, or whose views do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cleaning.duplicates._votes import best_offsets
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanFingerprint
from cleaning.duplicates.landmarks import Bits, flipped, turned
from cleaning.duplicates.placing import UPRIGHT, Turn, inverse_turn
from cleaning.duplicates.search import close_pairs

MAX_EQUAL = 64
SAME_CUBE = 0.01


@dataclass(frozen=True)
class Candidate:
    """Two scans that may be one.

    Attributes:
        first, second: positions, ``first < second``.
        votes: pairs of landmarks alike in code whose places differ by one and the same offset.
        offset_mm: from a place in the first to the same in the second, along the canonical axes;
            None if only the views agree.
        spread_mm: root mean square of what the votes differ from the offset.
        view_distance: smaller Hamming distance of the two views of 256 bits; 256 if not found.
        turn: how the second was turned and flipped against its header before its view agreed.
    """

    first: int
    second: int
    votes: int = 0
    offset_mm: tuple[float, float, float] | None = None
    spread_mm: float = 0.0
    view_distance: int = 256
    turn: Turn = UPRIGHT

    def swapped(self) -> "Candidate":
        """The same two, the other first."""
        offset = None
        if self.offset_mm is not None:
            i, j, k = self.offset_mm
            offset = (-i, -j, -k)
        return replace(
            self,
            first=self.second,
            second=self.first,
            offset_mm=offset,
            turn=inverse_turn(self.turn),
        )


def candidates(
    prints: Sequence[ScanFingerprint], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Every candidate pair, ascending.

    Args:
        prints: of different, non-empty scans.
        config: radii and votes.
        known: so many first scans were compared before: pairs among them are left out.
    """
    found: dict[tuple[int, int], Candidate] = {
        (c.first, c.second): c for c in by_landmarks(prints, config, known=known)
    }
    for c in by_views(prints, config, known=known):
        key = c.first, c.second
        old = found.get(key)
        if old is None:
            found[key] = c
        else:
            found[key] = replace(old, view_distance=c.view_distance, turn=c.turn)
    return [found[key] for key in sorted(found)]


def by_landmarks(
    prints: Sequence[ScanFingerprint], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Pairs with enough votes for one offset."""
    counts = [len(p.landmarks) for p in prints]
    if sum(counts) < 2:
        return []
    scan = np.repeat(np.arange(len(prints)), counts)
    codes = np.concatenate([p.landmarks.codes for p in prints])
    places = np.concatenate([p.landmarks.places_mm for p in prints])
    cubes = np.concatenate([p.landmarks.cube_mm for p in prints])
    pairs = close_pairs(codes, config.radius_bits, known=sum(counts[:known]), max_equal=MAX_EQUAL)
    a, b = pairs.first, pairs.second
    fits = (scan[a] != scan[b]) & (np.abs(cubes[a] - cubes[b]) <= SAME_CUBE * cubes[a])
    a, b, near = a[fits], b[fits], pairs.distance[fits]
    order = np.lexsort((scan[b], scan[a]))
    a, b, near = a[order], b[order], near[order]
    offsets = (places[b] - places[a]).astype(np.float64)
    keys = scan[a] * len(prints) + scan[b]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else keys
    votes, offset, spread, nearest = best_offsets(
        offsets, near, np.append(starts, len(keys)), config.vote_mm
    )
    keep = (votes >= config.min_votes) | (nearest <= config.lone_radius_bits)
    return [
        Candidate(
            int(scan[a[starts[n]]]),
            int(scan[b[starts[n]]]),
            int(votes[n]),
            (float(offset[n, 0]), float(offset[n, 1]), float(offset[n, 2])),
            float(spread[n]),
        )
        for n in np.flatnonzero(keep)
    ]


def by_views(
    prints: Sequence[ScanFingerprint], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Pairs with a view in common, in any of the 48 ways of turning and flipping the second."""
    n = len(prints)
    found: dict[tuple[int, int], Candidate] = {}
    if n < 2:
        return []
    for view in ("whole", "body"):
        codes = np.array([getattr(p, view) for p in prints], np.uint8)
        for turn in all_turns():
            both = np.concatenate((codes[:known], _turned(codes[known:], turn), codes))
            # pairs of turned new ones with all, and of turned known with new, are what is wanted
            pairs = close_pairs(both, config.view_radius_bits, known=n, max_equal=MAX_EQUAL)
            for x, y, near in zip(
                pairs.first.tolist(), pairs.second.tolist(), pairs.distance.tolist(), strict=True
            ):
                one, other = y - n, x
                if x >= n or other < known or one == other:
                    continue
                low, high = min(one, other), max(one, other)
                old = found.get((low, high))
                if old is None or (near, turn != UPRIGHT) < (
                    old.view_distance,
                    old.turn != UPRIGHT,
                ):
                    way = turn if high == other else inverse_turn(turn)
                    found[low, high] = Candidate(low, high, view_distance=near, turn=way)
    return [found[key] for key in sorted(found)]


def all_turns() -> list[Turn]:
    """The 48 ways to permute and flip three axes, the plain one first."""
    from itertools import permutations, product

    flips = [(bool(i), bool(j), bool(k)) for i, j, k in product((0, 1), repeat=3)]
    return [((a, b, c), flip) for a, b, c in permutations(range(3)) for flip in flips]


def _turned(codes: Bits, turn: Turn) -> Bits:
    return flipped(turned(codes, turn[0]), turn[1])
