"""Groups of copies: who belongs together, which copy stays, which lie in several splits.

A family is everything that copies join, however long the chain: no split may tear it apart. But a
scan is dropped only if it was compared itself with the one that stays and found to be a copy of
it. In a chain A ~ B ~ C, where A and C are crops that do not overlap, A or C may stay beside B's
keeper; nothing leaves that is not shown, for the larger part, by a scan that stays.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.pairs import DuplicatePair


@dataclass(frozen=True)
class Standing:
    """What decides which copy stays.

    Attributes:
        n_labels: how many structures are labelled on it.
        voxel_ml: size of a voxel.
        source_rank: place of its source in the order of trust, 0 for an original source.
    """

    n_labels: int = 0
    voxel_ml: float = float("inf")
    source_rank: int = 0


@dataclass(frozen=True, eq=False)
class Dropped:
    """A copy that leaves.

    Attributes:
        scan, keeper: ids.
        pair: what says that they are one.
        to_keeper: world mm of the scan to world mm of the keeper, ``(4, 4)``; None if unknown: its
            labels can then not be carried over.
    """

    scan: str
    keeper: str
    pair: DuplicatePair
    to_keeper: npt.NDArray[np.float64] | None


@dataclass(frozen=True)
class Leak:
    """A family whose scans lie in several splits; `models` were trained on one of them."""

    members: tuple[str, ...]
    splits: tuple[str, ...]
    sources: tuple[str, ...]
    kinds: tuple[str, ...]
    models: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "members": list(self.members),
            "splits": list(self.splits),
            "sources": list(self.sources),
            "kinds": list(self.kinds),
            "models": list(self.models),
        }


def families(pairs: Iterable[DuplicatePair]) -> list[tuple[str, ...]]:
    """Scans joined by copies, each family sorted, in order of their first members."""
    return clusters((pair.first, pair.second) for pair in pairs if pair.is_copy)


def clusters(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Connected components of the pairs, each sorted, in order of their first members."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for one, other in pairs:
        a, b = sorted((root(one), root(other)))
        parent[b] = a
    members: dict[str, list[str]] = defaultdict(list)
    for key in sorted(parent):
        members[root(key)].append(key)
    return sorted(tuple(keys) for keys in members.values())


def keep_one(
    members: Sequence[str],
    *,
    n_labels: Mapping[str, int],
    voxel_ml: Mapping[str, float],
    source_rank: Mapping[str, int] | None = None,
) -> str:
    """The scan that stays: most labels, then the smallest voxel, then the most original source,
    then the first id."""
    rank = source_rank or {}
    return min(
        members,
        key=lambda m: (-n_labels.get(m, 0), voxel_ml.get(m, np.inf), rank.get(m, 0), m),
    )


def settle(
    pairs: Sequence[DuplicatePair],
    standing: Mapping[str, Standing],
    *,
    compare: Callable[[str, str], DuplicatePair | None] | None = None,
    may_stay: Callable[[str], bool] = lambda scan: True,
) -> list[Dropped]:
    """Which scans leave, family by family.

    The best scan stays; each other that is a copy of it leaves; of the rest again the best stays.

    Args:
        pairs: all that was found.
        standing: of each scan; absent: no labels, voxel of unknown size.
        compare: compares two scans, first id first, of which no pair is known (chains, known scans
            that were compared through one with the same pixels); None: such pairs count as no pair.
        may_stay: scans that may not stay (their split is less strict than another's) are kept only
            where no other of their copies is.
    """
    known = {(pair.first, pair.second): pair for pair in pairs if pair.is_copy}
    dropped: list[Dropped] = []
    for family in families(pairs):
        left = list(family)
        while len(left) > 1:
            able = [scan for scan in left if may_stay(scan)] or left
            keeper = _best(able, standing)
            left.remove(keeper)
            for scan in list(left):
                key = (min(scan, keeper), max(scan, keeper))
                pair = known.get(key) or _through_twin(known, *key)
                if pair is None and compare is not None:
                    pair = compare(*key)
                if pair is None or not pair.is_copy:
                    continue
                left.remove(scan)
                dropped.append(Dropped(scan, keeper, pair, _towards(pair, keeper)))
    return dropped


def leakage(
    pairs: Sequence[DuplicatePair],
    splits: Mapping[str, str],
    sources: Mapping[str, str] | None = None,
    *,
    trained: Mapping[str, Collection[str]] | None = None,
    with_patients: bool = False,
) -> list[Leak]:
    """Families that lie in more than one split.

    Args:
        pairs: all that was found.
        splits: of each scan; scans without one are left out.
        sources: of each scan, to tell between which data sets it leaks.
        trained: cases that each model was trained on, to tell which one has seen a copy.
        with_patients: scans of one patient, and mirror images, join families too.
    """
    used = [pair for pair in pairs if pair.is_copy or with_patients]
    kinds: dict[str, set[str]] = defaultdict(set)
    for pair in used:
        kinds[pair.first].add(pair.kind)
        kinds[pair.second].add(pair.kind)
    leaks = []
    for family in clusters((pair.first, pair.second) for pair in used):
        members = [scan for scan in family if scan in splits]
        found = sorted({splits[scan] for scan in members})
        if len(found) > 1:
            where = sorted({(sources or {}).get(scan, "") for scan in members})
            why = sorted(set().union(*(kinds[scan] for scan in family)))
            seen = sorted(m for m, cases in (trained or {}).items() if set(family) & set(cases))
            leaks.append(Leak(tuple(members), tuple(found), tuple(where), tuple(why), tuple(seen)))
    return leaks


def _best(scans: Sequence[str], standing: Mapping[str, Standing]) -> str:
    facts = {scan: standing.get(scan, Standing()) for scan in scans}
    return keep_one(
        scans,
        n_labels={scan: fact.n_labels for scan, fact in facts.items()},
        voxel_ml={scan: fact.voxel_ml for scan, fact in facts.items()},
        source_rank={scan: fact.source_rank for scan, fact in facts.items()},
    )


def _through_twin(
    known: Mapping[tuple[str, str], DuplicatePair], one: str, other: str
) -> DuplicatePair | None:
    """The pair of two scans of which one is a twin, pixel for pixel, of a scan compared with the
    other."""
    twins: dict[str, dict[str, DuplicatePair]] = {one: {}, other: {}}
    for (a, b), pair in known.items():
        if pair.kind != "identical_pixels":
            continue
        for scan in (one, other):
            if scan in (a, b):
                twins[scan][b if scan == a else a] = pair
    for x, y in [*((one, t) for t in twins[other]), *((t, other) for t in twins[one])]:
        found = known.get((min(x, y), max(x, y)))
        if found is not None:
            return DuplicatePair(
                one,
                other,
                found.kind,
                found.votes,
                found.view_distance,
                found.agreement,
                None,
                found.turn,
                found.is_proved,
            )
    for x, y in combinations(sorted(set(twins[one]) | set(twins[other])), 2):
        if x in twins[one] and y in twins[other] and (x, y) in known:
            return DuplicatePair(one, other, known[x, y].kind)
    if set(twins[one]) & set(twins[other]):
        return DuplicatePair(one, other, "identical_pixels")
    return None


def _towards(pair: DuplicatePair, keeper: str) -> npt.NDArray[np.float64] | None:
    if pair.transform is None:
        return None
    back = np.linalg.inv(pair.transform)
    return pair.transform if pair.first == keeper else np.asarray(back, np.float64)
