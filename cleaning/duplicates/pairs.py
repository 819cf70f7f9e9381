"""Duplicate scans: candidates by their codes, confirmed by comparing small images.

What a pair can be:

- ``identical_pixels``: the same voxels, however stored.
- ``transformed``: one acquisition: resampled, reoriented, cropped, padded, windowed, noisy,
  compressed, in other units, or with a wrong header.
- ``same_patient``: another phase or reconstruction of the study, or a follow-up: the anatomy is the
  same and does not lie still, or its contrast differs. Both stay, linked.
- ``mirrored``: the one is the other's mirror image, left for right: a wrong header or an augmented
  copy. Nobody can tell which is right, so both stay, linked.

Everything else is different and makes no pair.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.candidates import Candidate, candidates
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanFingerprint
from cleaning.duplicates.placing import (
    UPRIGHT,
    Turn,
    image_of,
    is_mirror,
    is_same_size,
    scaled_by,
    scaled_to,
    turned_image,
    world_transform,
)
from cleaning.duplicates.registration import Agreement, Image, agreement

Kind = Literal["identical_pixels", "transformed", "same_patient", "mirrored"]
COPIES: tuple[Kind, ...] = ("identical_pixels", "transformed")
DEFAULT = DuplicateConfig()


@dataclass(frozen=True, eq=False)
class DuplicatePair:
    """Two scans found to belong together, `first` < `second`, with what says so.

    Attributes:
        kind: see the module.
        votes: landmarks that agree on one offset.
        view_distance: Hamming distance of the nearer view, of 256 bits; 256 if not searched.
        agreement: what the comparison measured; None for identical pixels.
        transform: world mm of `second` to world mm of `first`, ``(4, 4)``; None if unknown.
        turn: how `second` was turned and flipped against its header.
        is_proved: compared on a finer grid than the thumbnails'.
    """

    first: str
    second: str
    kind: Kind
    votes: int = 0
    view_distance: int = 256
    agreement: Agreement | None = None
    transform: npt.NDArray[np.float64] | None = field(default=None, repr=False)
    turn: Turn = UPRIGHT
    is_proved: bool = False

    @property
    def is_copy(self) -> bool:
        """One of the two may go."""
        return self.kind in COPIES

    def as_dict(self) -> dict[str, Any]:
        """Plain data for a decision's evidence."""
        found = self.agreement
        result: dict[str, Any] = {"kind": self.kind, "votes": self.votes}
        if self.view_distance < 256:
            result["distance"] = self.view_distance
        if found is not None:
            result |= {
                "ncc": round(found.ncc, 4),
                "detail_ncc": round(found.detail_ncc, 4),
                "overlap": round(found.overlap, 3),
                "shift_mm": round(min(found.shift_mm, 999.0), 2),
                "misfit": round(found.misfit, 4),
            }
        if self.turn != UPRIGHT:
            result["turned"] = {"axes": list(self.turn[0]), "flipped": list(self.turn[1])}
        if self.transform is not None:
            result["transform"] = np.round(self.transform[:3], 5).tolist()
        return result


def group(
    fingerprints: Mapping[str, ScanFingerprint], config: DuplicateConfig = DEFAULT
) -> list[DuplicatePair]:
    """Every pair of copies of a collection, in order of its ids, by the fingerprints alone.

    Args:
        fingerprints: by case id.
        config: radii and thresholds.
    """
    return [pair for pair in compare(fingerprints, config) if pair.is_copy]


def compare(
    fingerprints: Mapping[str, ScanFingerprint],
    config: DuplicateConfig = DEFAULT,
    *,
    known: Mapping[str, ScanFingerprint] | None = None,
    on_pair: Callable[[int], None] | None = None,
) -> list[DuplicatePair]:
    """Every pair that is no pair of different scans, in order of its ids.

    Scans with the same pixels are joined first, each to the first id of theirs; only that one goes
    on, so that many copies of one scan cost no more than their number. Empty scans can be identical
    but never alike.

    Args:
        fingerprints: by id.
        config: radii and thresholds.
        known: fingerprints that were compared with each other before: only pairs with at least one
            new scan are looked for. None of their ids may be among the new ones.
        on_pair: called with the number of candidates, then with 0 after each.
    """
    old = dict(known or {})
    both = {**old, **fingerprints}
    if len(both) != len(old) + len(fingerprints):
        raise ValueError("want new ids that are not among the known ones")
    pairs, heads = same_pixels(both, set(old))
    ids = sorted((h for h in heads if h in old), key=str) + sorted(h for h in heads if h not in old)
    prints = [both[key] for key in ids]
    found = candidates(prints, config, known=sum(key in old for key in ids))
    if on_pair is not None:
        on_pair(len(found))
    for each in found:
        candidate = each if ids[each.first] < ids[each.second] else each.swapped()
        pair = confirm(
            ids[candidate.first],
            prints[candidate.first],
            ids[candidate.second],
            prints[candidate.second],
            candidate,
            config,
        )
        if pair is not None:
            pairs.append(pair)
        if on_pair is not None:
            on_pair(0)
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


def same_pixels(
    fingerprints: Mapping[str, ScanFingerprint], known: set[str]
) -> tuple[list[DuplicatePair], list[str]]:
    """Pairs with the same pixels, and one id of each kind of pixels that is not empty.

    A known scan stands for its pixels before a new one; pairs of two known ones are left out. The
    first new scan is paired with every known one of its pixels: they may be of several families.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for key in sorted(fingerprints, key=lambda k: (k not in known, k)):
        same[fingerprints[key].pixels].append(key)
    pairs = []
    for keys in same.values():
        new = [key for key in keys if key not in known]
        for key in new:
            partners = [k for k in keys if k in known] if key == new[0] else keys[:1]
            for partner in partners:
                first, second = sorted((partner, key))
                one, other = fingerprints[first], fingerprints[second]
                way = np.diag([*(np.array(one.spacing) / other.spacing), 1.0])
                move = world_transform(one, other, None, way)
                pairs.append(DuplicatePair(first, second, "identical_pixels", transform=move))
    heads = [keys[0] for keys in same.values() if not fingerprints[keys[0]].is_empty]
    return pairs, heads


def confirm(
    first: str,
    one: ScanFingerprint,
    second: str,
    other: ScanFingerprint,
    candidate: Candidate,
    config: DuplicateConfig = DEFAULT,
) -> DuplicatePair | None:
    """The pair that two candidates make by their thumbnails; None if they are different.

    Raises:
        ValueError: the ids are not in ascending order.
    """
    if first > second:
        raise ValueError("want the ids in ascending order")
    pair = DuplicatePair(
        first, second, "transformed", candidate.votes, candidate.view_distance, turn=candidate.turn
    )
    return judged(pair, one, other, (image_of(one),), (image_of(other),), candidate, config)


def judged(
    pair: DuplicatePair,
    one: ScanFingerprint,
    other: ScanFingerprint,
    images: Sequence[Image],
    others: Sequence[Image],
    candidate: Candidate,
    config: DuplicateConfig = DEFAULT,
) -> DuplicatePair | None:
    """The pair with its kind, by one or more images of each scan; None if they are different.

    Args:
        pair: what is known so far.
        one, other: fingerprints, for their places in the world.
        images, others: small images: the thumbnails, or finer ones: of the window, and beyond it.
        candidate: where to look.
        config: thresholds.
    """
    best: tuple[Agreement, npt.NDArray[np.float64], Turn] | None = None
    for offset, turn, size in _tries(candidate):
        for image, plain in zip(images, others, strict=True):
            turned, way = turned_image(plain, turn)
            if size == "voxels":
                spacing = np.array(other.spacing)[list(turn[0])]
                turned, way = scaled_by(turned, way, np.array(one.spacing) / spacing)
            elif size == "bodies":
                turned, way = scaled_to(image, turned, way)
            found = agreement(image, turned, offset, min_overlap=config.min_overlap)
            if best is None:
                best = found, way, turn
            elif _quality(found) > _quality(best[0]):
                best = _merged(found, best[0]), way, turn
            else:
                best = _merged(best[0], found), best[1], best[2]
        if best is not None and best[0].ncc >= config.min_ncc:
            break
    if best is None:
        return None
    found, way, turn = best
    kind = _kind(found, turn, way, pair, max(*one.spacing, *other.spacing), config, len(images) > 1)
    if kind is None:
        return None
    return replace(
        pair,
        kind=kind,
        agreement=found,
        turn=turn,
        transform=world_transform(one, other, found.offset_mm, way),
        is_proved=len(images) > 1,
    )


Try = tuple[npt.NDArray[np.float64] | None, Turn, Literal["", "voxels", "bodies"]]


def _tries(candidate: Candidate) -> list[Try]:
    """Offset, turn and what is taken for the same size: the landmarks' vote first, then the views:
    as the headers say, voxel for voxel (a header lost its spacing), body for body."""
    tries: list[Try] = []
    if candidate.offset_mm is not None:
        tries.append((np.asarray(candidate.offset_mm), UPRIGHT, ""))
    if candidate.view_distance < 256:
        tries += [
            (None, candidate.turn, ""),
            (None, candidate.turn, "voxels"),
            (None, candidate.turn, "bodies"),
        ]
    return tries


def _quality(found: Agreement) -> float:
    return found.ncc + found.detail_ncc


def _merged(better: Agreement, other: Agreement) -> Agreement:
    """Two looks at one pair: the smaller shift and misfit of both, the rest of the better."""
    if other.ncc < 0.8 or better.offset_mm is None:
        return better
    return replace(
        better,
        shift_mm=min(better.shift_mm, other.shift_mm),
        misfit=min(better.misfit, other.misfit),
    )


def _kind(
    found: Agreement,
    turn: Turn,
    way: npt.NDArray[np.float64],
    pair: DuplicatePair,
    coarsest_mm: float,
    config: DuplicateConfig,
    is_fine: bool,
) -> Kind | None:
    if found.overlap < config.min_overlap:
        return None
    is_plain = turn == UPRIGHT and is_same_size(way)
    if not is_plain and (
        found.ncc < config.min_odd_ncc
        or found.detail_ncc < config.min_odd_detail_ncc
        or pair.view_distance > config.odd_view_radius_bits
    ):
        return None
    if found.ncc < config.min_ncc or found.detail_ncc < config.min_detail_ncc:
        is_patient = (
            is_plain
            and found.ncc >= config.min_patient_ncc
            and found.detail_ncc >= config.min_patient_detail_ncc
        )
        return "same_patient" if is_patient else None
    if is_mirror(turn):
        return "mirrored"
    if not is_same_size(way):  # found by their views and alike: blocks move with the size
        return "transformed"
    if is_fine:
        limit = config.max_shift_mm + config.max_shift_voxels * coarsest_mm
        odds = (found.shift_mm / limit) ** 2 + (found.misfit / config.max_misfit) ** 2
        if odds > config.max_odds:
            return "same_patient"
    elif found.shift_mm > config.max_coarse_shift_mm:
        return "same_patient"
    return "transformed"
