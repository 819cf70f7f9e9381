"""Which scans may be the same: those whose landmarks agree in code and place, or whose views do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._votes import best_offsets
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanCodes
from cleaning.duplicates.landmarks import Bits, Landmarks, flipped, joined, turned
from cleaning.duplicates.placing import UPRIGHT, Turn, inverse_turn, turned_places
from cleaning.duplicates.search import ClosePairs, close_pairs
from cleaning.duplicates.voxel_marks import CUBE, Powers

MAX_EQUAL = 64
STRONGEST = 48  # landmarks of a scan that are turned
SAME_CUBE = 0.01

Offset = tuple[float, float, float]


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
        vote_turn: the same, before the landmarks agreed; places of the second are turned with it.
        voxel_offset: the same offset in voxels, of landmarks on the scans' own voxels.
        voxel_turn: how the second was turned before those agreed.
    """

    first: int
    second: int
    votes: int = 0
    offset_mm: Offset | None = None
    spread_mm: float = 0.0
    view_distance: int = 256
    turn: Turn = UPRIGHT
    vote_turn: Turn = UPRIGHT
    voxel_offset: Offset | None = None
    voxel_turn: Turn = UPRIGHT

    def swapped(self) -> "Candidate":
        """The same two, the other first."""
        return replace(
            self,
            first=self.second,
            second=self.first,
            offset_mm=_undone(self.offset_mm, self.vote_turn),
            turn=inverse_turn(self.turn),
            vote_turn=inverse_turn(self.vote_turn),
            voxel_offset=_undone(self.voxel_offset, self.voxel_turn),
            voxel_turn=inverse_turn(self.voxel_turn),
        )


def _undone(offset: Offset | None, turn: Turn) -> Offset | None:
    """The offset from the second to the first."""
    if offset is None:
        return None
    i, j, k = -turned_places(np.array([offset]), inverse_turn(turn))[0]
    return float(i), float(j), float(k)


def candidates(
    prints: Sequence[ScanCodes], config: DuplicateConfig, *, known: int = 0
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
    for c in by_turned_landmarks(prints, config, known=known):
        found.setdefault((c.first, c.second), c)
    for c in by_views(prints, config, known=known):
        key = c.first, c.second
        old = found.get(key)
        if old is None:
            found[key] = c
        else:
            found[key] = replace(old, view_distance=c.view_distance, turn=c.turn)
    for c in by_voxels(prints, config, known=known):
        key = c.first, c.second
        old = found.get(key, c)
        found[key] = replace(old, voxel_offset=c.voxel_offset, voxel_turn=c.voxel_turn)
    return [found[key] for key in sorted(found)]


def by_landmarks(
    prints: Sequence[ScanCodes], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Pairs with enough votes for one offset."""
    marks = _Marks.of(prints, range(len(prints)))
    pairs = close_pairs(
        marks.codes,
        config.radius_bits,
        known=sum(len(p.landmarks) for p in prints[:known]),
        max_equal=MAX_EQUAL,
    )
    return _voted(marks, pairs, config, UPRIGHT)


def by_turned_landmarks(
    prints: Sequence[ScanCodes], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Pairs with enough votes once the second is turned and flipped: a header is wrong.

    Only the strongest landmarks of the new scans are turned; of the 47 ways those that undo each
    other are asked once where all scans are new.
    """
    base = _Marks.of(prints, range(len(prints)))
    asked = _Marks.of(prints, range(known, len(prints)), strongest=STRONGEST)
    n, m = len(base.codes), len(asked.codes)
    turns = [turn for turn in all_turns()[1:] if known or inverse_turn(turn) >= turn]
    at_once = max(1, n // max(m, 1))  # few new scans: many of their turns in one search
    found: dict[tuple[int, int], Candidate] = {}
    for start in range(0, len(turns), at_once):
        both = base.joined([asked.turned(turn) for turn in turns[start : start + at_once]])
        pairs = close_pairs(both.codes, config.radius_bits, known=n, max_equal=MAX_EQUAL)
        pairs = pairs.only(pairs.first < n)
        for number, turn in enumerate(turns[start : start + at_once]):
            mine = (pairs.second - n) // max(m, 1) == number
            for c in _voted(both, pairs.only(mine), config, turn):
                each = c if c.first < c.second else c.swapped()
                old = found.get((each.first, each.second))
                if old is None or old.votes < each.votes:
                    found[each.first, each.second] = each
    return [found[key] for key in sorted(found)]


@dataclass(frozen=True, eq=False)
class _Marks:
    """Landmarks of several scans, side by side."""

    scan: npt.NDArray[np.int64]
    codes: Bits
    places: npt.NDArray[np.float32]
    cubes: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls, prints: Sequence[ScanCodes], numbers: range, *, strongest: int | None = None
    ) -> "_Marks":
        """Those of some of the scans."""
        parts = [prints[n].landmarks.first(strongest) for n in numbers]
        every = joined(parts)
        scan = np.repeat(np.array(numbers, np.int64), [len(part) for part in parts])
        return cls(scan, every.codes, every.places_mm, every.cube_mm)

    @classmethod
    def one(cls, number: int, marks: Landmarks) -> "_Marks":
        """Those of one scan."""
        scan = np.full(len(marks), number, np.int64)
        return cls(scan, marks.codes, marks.places_mm, marks.cube_mm)

    def turned(self, turn: Turn) -> "_Marks":
        """Turned and flipped about the origin."""
        return replace(
            self, codes=_turned(self.codes, turn), places=turned_places(self.places, turn)
        )

    def joined(self, others: "list[_Marks]") -> "_Marks":
        """All, one after the other."""
        every = [self, *others]
        return _Marks(
            np.concatenate([one.scan for one in every]),
            np.concatenate([one.codes for one in every]),
            np.concatenate([one.places for one in every]),
            np.concatenate([one.cubes for one in every]),
        )


def _voted(
    marks: _Marks, pairs: ClosePairs, config: DuplicateConfig, turn: Turn
) -> list[Candidate]:
    """Scans whose close landmarks agree on one offset often enough."""
    scan, a, b = marks.scan, pairs.first, pairs.second
    cubes = marks.cubes
    fits = (scan[a] != scan[b]) & (np.abs(cubes[a] - cubes[b]) <= SAME_CUBE * cubes[a])
    a, b, near = a[fits], b[fits], pairs.distance[fits]
    order = np.lexsort((scan[b], scan[a]))
    a, b, near = a[order], b[order], near[order]
    offsets = (marks.places[b] - marks.places[a]).astype(np.float64)
    keys = scan[a] * (int(scan.max(initial=0)) + 1) + scan[b]
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if len(keys) else keys
    votes, offset, spread, nearest = best_offsets(
        offsets, near, np.append(starts, len(keys)), config.vote_mm
    )
    if turn == UPRIGHT:
        keep = (votes >= config.min_votes) | (nearest <= config.lone_radius_bits)
    else:
        keep = votes >= config.min_turned_votes
    return [
        Candidate(
            int(scan[a[starts[n]]]),
            int(scan[b[starts[n]]]),
            int(votes[n]),
            (float(offset[n, 0]), float(offset[n, 1]), float(offset[n, 2])),
            float(spread[n]),
            vote_turn=turn,
        )
        for n in np.flatnonzero(keep)
    ]


def by_voxels(
    prints: Sequence[ScanCodes], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Pairs with enough votes on their voxels, where at least one of them lost its spacing.

    Those that did are turned and flipped in all 48 ways and compared with all others.
    """
    sets = [(n, one) for n, each in enumerate(prints) for one in each.voxels]
    lost = [s for s, (n, _) in enumerate(sets) if len(prints[n].voxels) > 1]
    if not lost or known >= len(prints):
        return []
    numbers = np.array([n for n, _ in sets])
    powers = [one.powers for _, one in sets]
    parts = [_Marks.one(s, one.landmarks) for s, (_, one) in enumerate(sets)]
    base, asked = parts[0].joined(parts[1:]), parts[lost[0]].joined([parts[s] for s in lost[1:]])
    n, m = len(base.codes), max(1, len(asked.codes))
    turns, at_once = all_turns(), max(1, n // m)
    found: dict[tuple[int, int], Candidate] = {}
    for start in range(0, len(turns), at_once):
        part = turns[start : start + at_once]
        both = base.joined([asked.turned(turn) for turn in part])
        pairs = close_pairs(both.codes, config.radius_bits, known=n, max_equal=MAX_EQUAL)
        one, other = numbers[both.scan[pairs.first]], numbers[both.scan[pairs.second]]
        pairs = pairs.only((pairs.first < n) & (one != other) & (np.maximum(one, other) >= known))
        for number, turn in enumerate(part):
            mine = pairs.only((pairs.second - n) // m == number)
            rungs = (
                np.array([_rung(p) for p in powers]),
                np.array([_rung(_turned_powers(p, turn)) for p in powers]),
            )
            same = rungs[0][both.scan[mine.first]] == rungs[1][both.scan[mine.second]]
            for c in _voted(both, mine.only(same), config, turn):
                _note_voxels(found, c, numbers, powers[c.first])
    return [found[key] for key in sorted(found)]


def _note_voxels(
    found: dict[tuple[int, int], Candidate],
    c: Candidate,
    numbers: npt.NDArray[np.int64],
    powers: Powers,
) -> None:
    """The candidate of two rungs as one of their scans, kept if it has the most votes so far."""
    assert c.offset_mm is not None
    i, j, k = (x / CUBE * 2**power for x, power in zip(c.offset_mm, powers, strict=True))
    one = Candidate(
        int(numbers[c.first]),
        int(numbers[c.second]),
        c.votes,
        voxel_offset=(i, j, k),
        voxel_turn=c.vote_turn,
    )
    each = one if one.first < one.second else one.swapped()
    old = found.get((each.first, each.second))
    if old is None or old.votes < each.votes:
        found[each.first, each.second] = each


def _turned_powers(powers: Powers, turn: Turn) -> Powers:
    i, j, k = (powers[axis] for axis in turn[0])
    return i, j, k


def _rung(powers: Powers) -> int:
    return powers[0] * 64 + powers[1] * 8 + powers[2]


def by_views(
    prints: Sequence[ScanCodes], config: DuplicateConfig, *, known: int = 0
) -> list[Candidate]:
    """Pairs with a view in common, in any of the 48 ways of turning and flipping the second."""
    n = len(prints)
    found: dict[tuple[int, int], Candidate] = {}
    if n - known < 1 or n < 2:
        return []
    turns = all_turns()
    at_once = max(1, n // (n - known))  # few new scans: many of their turns in one search
    for view in ("whole", "body"):
        codes = np.array([getattr(p, view) for p in prints], np.uint8)
        for start in range(0, len(turns), at_once):
            part = turns[start : start + at_once]
            asked = [_turned(codes[known:], turn) for turn in part]
            pairs = close_pairs(
                np.concatenate([codes, *asked]),
                config.view_radius_bits,
                known=n,
                max_equal=MAX_EQUAL,
            )
            _note(found, pairs, part, n, known)
    return [found[key] for key in sorted(found)]


def _note(
    found: dict[tuple[int, int], Candidate],
    pairs: ClosePairs,
    turns: Sequence[Turn],
    n: int,
    known: int,
) -> None:
    """Pairs of a scan (below `n`) and a new one in one of the turns, kept if nearest so far."""
    plain = pairs.first < n
    for one, which, near in zip(
        pairs.first[plain].tolist(),
        (pairs.second[plain] - n).tolist(),
        pairs.distance[plain].tolist(),
        strict=True,
    ):
        turn, other = turns[which // (n - known)], known + which % (n - known)
        if one == other:
            continue
        low, high = min(one, other), max(one, other)
        old = found.get((low, high))
        if old is None or (near, turn != UPRIGHT) < (old.view_distance, old.turn != UPRIGHT):
            way = turn if high == other else inverse_turn(turn)
            found[low, high] = Candidate(low, high, view_distance=near, turn=way)


def all_turns() -> list[Turn]:
    """The 48 ways to permute and flip three axes, the plain one first."""
    from itertools import permutations, product

    flips = [(bool(i), bool(j), bool(k)) for i, j, k in product((0, 1), repeat=3)]
    return [((a, b, c), flip) for a, b, c in permutations(range(3)) for flip in flips]


def _turned(codes: Bits, turn: Turn) -> Bits:
    return flipped(turned(codes, turn[0]), turn[1])
