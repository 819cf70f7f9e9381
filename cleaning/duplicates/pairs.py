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
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.candidates import Candidate, candidates
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanCodes, ScanFingerprint
from cleaning.duplicates.looks import Look, best_look, is_alike
from cleaning.duplicates.placing import (
    UPRIGHT,
    Turn,
    image_of,
    is_mirror,
    is_same_size,
    turned_image,
    world_transform,
)
from cleaning.duplicates.projections import projection_bits
from cleaning.duplicates.registration import Agreement, Image

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
        vote_turn: how it was turned for the votes.
        lean_deg: by how many degrees its axes lean beyond what the headers say.
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
    vote_turn: Turn = UPRIGHT
    lean_deg: float = 0.0
    projection_bits: int = 0
    voxel_offset: tuple[float, float, float] | None = None
    voxel_turn: Turn = UPRIGHT

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
                "projection_bits": self.projection_bits,
            }
        if self.turn != UPRIGHT:
            result["turned"] = {"axes": list(self.turn[0]), "flipped": list(self.turn[1])}
        if self.lean_deg:
            result["lean_deg"] = round(self.lean_deg, 2)
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
) -> list[DuplicatePair]:
    """Every pair that is no pair of different scans, in order of its ids.

    Args:
        fingerprints: by id.
        config: radii and thresholds.
        known: fingerprints that were compared with each other before: only pairs with at least one
            new scan are looked for. None of their ids may be among the new ones.
    """
    old = dict(known or {})
    both = {**old, **fingerprints}
    if len(both) != len(old) + len(fingerprints):
        raise ValueError("want new ids that are not among the known ones")
    pairs, tries = suspects(both, config, known=set(old))
    for one in tries:
        pair = confirm(
            one.first, both[one.first], one.second, both[one.second], one.candidate, config
        )
        if pair is not None:
            pairs.append(pair)
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))


class Suspect(NamedTuple):
    """Two ids in ascending order, and why they may be one scan."""

    first: str
    second: str
    candidate: Candidate


def suspects(
    codes: Mapping[str, ScanCodes],
    config: DuplicateConfig = DEFAULT,
    *,
    known: Set[str] = frozenset(),
) -> tuple[list[DuplicatePair], list[Suspect]]:
    """Pairs with the same pixels, which need no comparison, and pairs that are to be compared.

    Scans with the same pixels are joined first, each to the first id of theirs; only that one goes
    on, so that many copies of one scan cost no more than their number. Empty scans can be identical
    but never alike.

    Args:
        codes: by id.
        config: radii and votes.
        known: ids that were compared with each other before.
    """
    pairs, heads = same_pixels(codes, known)
    ids = sorted(h for h in heads if h in known) + sorted(h for h in heads if h not in known)
    found = candidates([codes[key] for key in ids], config, known=sum(key in known for key in ids))
    ordered = (c if ids[c.first] < ids[c.second] else c.swapped() for c in found)
    return pairs, [Suspect(ids[c.first], ids[c.second], c) for c in ordered]


def same_pixels(
    fingerprints: Mapping[str, ScanCodes], known: Set[str]
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
        first,
        second,
        "transformed",
        candidate.votes,
        candidate.view_distance,
        turn=candidate.turn,
        vote_turn=candidate.vote_turn,
        voxel_offset=candidate.voxel_offset,
        voxel_turn=candidate.voxel_turn,
    )
    image, there = image_of(one), image_of(other)
    if candidate.offset_mm is not None and candidate.view_distance == 256:
        turned, _ = turned_image(there, candidate.vote_turn)
        offset = np.asarray(candidate.offset_mm)
        if projection_bits(image, turned, offset) > config.max_projection_bits:
            return None
    return judged(pair, one, other, (image,), (there,), candidate, config)


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
    best = best_look(one, other, images, others, candidate, config)
    if best is None:
        return None
    kind = _kind(best, pair, max(*one.spacing, *other.spacing), config, len(images) > 1)
    if kind is None:
        return None
    return replace(
        pair,
        kind=kind,
        agreement=best.found,
        turn=best.turn,
        transform=world_transform(one, other, best.found.offset_mm, best.way),
        lean_deg=best.lean_deg,
        projection_bits=projection_bits(
            images[0], best.placed[0], np.asarray(best.found.offset_mm)
        ),
        is_proved=len(images) > 1,
    )


def _voxels_agree(look: Look, pair: DuplicatePair) -> bool:
    """Whether the look is the one that landmarks on the scans' own voxels asked for."""
    return pair.voxel_offset is not None and look.size == "voxels" and look.turn == pair.voxel_turn


def _kind(
    look: Look, pair: DuplicatePair, coarsest_mm: float, config: DuplicateConfig, is_fine: bool
) -> Kind | None:
    found = look.found
    if found.overlap < config.min_overlap:
        return None
    has_votes = pair.votes > 0 and look.turn == pair.vote_turn and is_same_size(look.way)
    if not has_votes and (look.turn != UPRIGHT or not is_same_size(look.way)):
        is_far = pair.view_distance > config.odd_view_radius_bits and not _voxels_agree(look, pair)
        if is_far or not is_alike(found, config.min_odd_ncc, config.min_odd_detail_ncc):
            return None
    if not is_alike(found, config.min_ncc, config.min_detail_ncc):
        is_patient = look.turn == UPRIGHT and is_alike(
            found, config.min_patient_ncc, config.min_patient_detail_ncc
        )
        return "same_patient" if is_patient else None
    if is_mirror(look.turn):
        return "mirrored"
    if not is_same_size(look.way):  # found by their views and alike: blocks move with the size
        return "transformed"
    if is_fine:
        limit = config.max_shift_mm + config.max_shift_voxels * coarsest_mm
        if look.lean_deg:
            limit *= config.leaning_shift_share
        odds = (found.shift_mm / limit) ** 2 + (found.misfit / config.max_misfit) ** 2
        if odds > config.max_odds:
            return "same_patient"
    elif found.n_blocks and found.shift_mm > config.max_coarse_shift_mm:
        return "same_patient"
    return "transformed"
