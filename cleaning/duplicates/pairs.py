"""Duplicate scans: candidates by hash, proof by registered thumbnails, clusters, and which to keep.

Only scans that show the same thing voxel for voxel count: re-encoded, reoriented, cropped, padded,
resampled, windowed or noisy copies. Two scans of one patient at two times look alike, but their
detail does not fit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import BITS, ScanFingerprint, hamming
from cleaning.duplicates.registration import agreement

Codes = npt.NDArray[np.uint8]
QUERY_CHUNK = 4096
COARSE_NCC = 0.85
STRETCH_BITS = 16  # as near as this although the sizes differ: the spacing is wrong
DEFAULT = DuplicateConfig()


@dataclass(frozen=True)
class DuplicatePair:
    """Two scans found to be one, `first` < `second`, with what says so.

    `distance` is the smaller Hamming distance of the two views, of 256 bits.
    """

    first: str
    second: str
    kind: Literal["identical_pixels", "transformed"]
    distance: int
    ncc: float = 1.0
    detail_ncc: float = 1.0
    overlap: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a decision's evidence."""
        return {
            "kind": self.kind,
            "distance": self.distance,
            "ncc": round(self.ncc, 4),
            "detail_ncc": round(self.detail_ncc, 4),
            "overlap": round(self.overlap, 3),
        }


def group(
    fingerprints: Mapping[str, ScanFingerprint], config: DuplicateConfig = DEFAULT
) -> list[DuplicatePair]:
    """Every confirmed pair of a collection, in order of its ids.

    Scans with the same pixels are joined first, each to the smallest id of theirs; only that one
    goes on, so that many copies of one scan cost no more than their number. Empty scans can be
    identical but never alike.

    Args:
        fingerprints: by case id.
        config: radius and thresholds.
    """
    pairs: list[DuplicatePair] = []
    same: dict[str, list[str]] = defaultdict(list)
    for key in sorted(fingerprints):
        same[fingerprints[key].pixel_sha256].append(key)
    for keys in same.values():
        pairs += [DuplicatePair(keys[0], key, "identical_pixels", 0) for key in keys[1:]]
    unique = sorted(keys[0] for keys in same.values() if not fingerprints[keys[0]].is_empty)
    for i, j in candidate_pairs([fingerprints[key] for key in unique], config):
        pair = confirm(
            unique[i], fingerprints[unique[i]], unique[j], fingerprints[unique[j]], config
        )
        if pair is not None:
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def confirm(
    first: str,
    one: ScanFingerprint,
    second: str,
    other: ScanFingerprint,
    config: DuplicateConfig = DEFAULT,
) -> DuplicatePair | None:
    """The pair if its registered thumbnails agree, in the image and in its detail; else None."""
    distance = min(hamming(one.whole, other.whole), hamming(one.body, other.body))
    extents = one.extent_mm, other.extent_mm
    if distance <= STRETCH_BITS and _differ(*extents):
        extents = one.extent_mm, one.extent_mm  # a copy whose header lost its spacing
    images = one.thumbnail, extents[0], other.thumbnail, extents[1]
    coarse = agreement(*images, min_overlap=config.min_overlap, step=2)
    if coarse.ncc < COARSE_NCC:
        return None
    found = agreement(*images, min_overlap=config.min_overlap)
    if found.ncc < config.min_ncc or found.detail_ncc < config.min_detail_ncc:
        return None
    return DuplicatePair(
        first, second, "transformed", distance, found.ncc, found.detail_ncc, found.overlap
    )


def _differ(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return any(abs(a - b) > 0.1 * max(a, b) for a, b in zip(one, other, strict=True))


def candidate_pairs(
    fingerprints: Sequence[ScanFingerprint], config: DuplicateConfig = DEFAULT
) -> list[tuple[int, int]]:
    """Pairs of positions whose hash of either view lies within the radius, ascending."""
    found: set[tuple[int, int]] = set()
    for view in ("whole", "body"):
        codes = np.array([getattr(f, view) for f in fingerprints], np.uint8)
        found.update(
            (int(i), int(j))
            for i, j in close_codes(codes, config.radius_bits, flat_limit=config.flat_limit)
        )
    return sorted(found)


def close_codes(
    codes: Codes, radius: int, *, flat_limit: int = DEFAULT.flat_limit
) -> npt.NDArray[np.int64]:
    """All pairs i < j of packed 256-bit codes within a Hamming radius, shape ``(m, 2)``, ascending.

    Equal codes are searched once, and each of them is paired with the first of its kind only: a
    thousand equal codes give 999 pairs, and each pairs with outsiders through its first.
    Up to `flat_limit` different codes the search is exhaustive. Beyond it, multi-index hashing
    (Norouzi et al., arXiv:1307.2982): a code within radius r differs by at most ``r // 16`` bits in
    one of 16 chunks, so that trying those flips finds every pair.
    """
    if len(codes) < 2:
        return np.zeros((0, 2), np.int64)
    unique, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    own = first[inverse.ravel()]
    extra = np.flatnonzero(own != np.arange(len(codes)))
    pairs = [np.stack((own[extra], extra), axis=1)]
    index = _index(unique, radius, flat_limit)
    for start in range(0, len(unique), QUERY_CHUNK):
        limits, _, found = index.range_search(unique[start : start + QUERY_CHUNK], radius + 1)
        queries = np.repeat(
            np.arange(start, start + len(limits) - 1), np.diff(limits.astype(np.int64))
        )
        keep = queries < found
        pairs.append(np.stack((first[queries[keep]], first[found[keep]]), axis=1))
    result = np.unique(np.sort(np.concatenate(pairs).astype(np.int64), axis=1), axis=0)
    return np.asarray(result, np.int64)


def _index(codes: Codes, radius: int, flat_limit: int) -> Any:
    import faiss

    index: Any = faiss.IndexBinaryFlat(BITS)
    if len(codes) > flat_limit:
        index = faiss.IndexBinaryMultiHash(BITS, 16, 16)
        index.nflip = radius // 16
    index.add(np.ascontiguousarray(codes))
    return index


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
    members: Sequence[str], *, n_labels: Mapping[str, int], voxel_ml: Mapping[str, float]
) -> str:
    """The scan of a cluster that stays: most labels, then the smallest voxel, then the first id."""
    return min(members, key=lambda m: (-n_labels.get(m, 0), voxel_ml.get(m, np.inf), m))
