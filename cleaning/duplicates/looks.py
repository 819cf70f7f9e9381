"""Looks at two scans: their images compared with the second placed in one way after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.candidates import Candidate
from cleaning.duplicates.config import DuplicateConfig
from cleaning.duplicates.hashing import ScanFingerprint
from cleaning.duplicates.leaning import degrees, found_lean, leaned_image, told_lean
from cleaning.duplicates.placing import (
    UPRIGHT,
    Turn,
    is_same_size,
    scaled_by,
    scaled_to,
    turned_image,
)
from cleaning.duplicates.registration import Agreement, Image, agreement

Size = Literal["", "voxels", "bodies"]
STILL_MM = 0.8  # blocks of a leaning scan move farther


@dataclass(frozen=True, eq=False)
class Look:
    """What was measured with the second image placed in one way.

    Attributes:
        way: of the second's canonical mm.
        turn: the part of it that turns by quarters and flips.
        placed: the second's images, so placed.
        lean_deg: by how much it was turned beyond what the headers say.
        size: what was taken for the same size.
    """

    found: Agreement
    way: npt.NDArray[np.float64]
    turn: Turn
    placed: tuple[Image, ...]
    lean_deg: float = 0.0
    size: Size = ""


def best_look(
    one: ScanFingerprint,
    other: ScanFingerprint,
    images: Sequence[Image],
    others: Sequence[Image],
    candidate: Candidate,
    config: DuplicateConfig,
) -> Look | None:
    """The best of all ways of placing the second scan that the candidate allows.

    Args:
        one, other: fingerprints, for what their headers say.
        images, others: small images: the thumbnails, or finer ones: of the window, and beyond it.
        candidate: where to look.
        config: thresholds.
    """
    told = told_lean(one, other)
    best: Look | None = None
    for offset, turn, size in _tries(candidate, np.array(one.spacing)):
        lean = told if turn == UPRIGHT else np.eye(3)
        placed = [
            _placed(image, other_image, turn, size, one, other, lean)
            for image, other_image in zip(images, others, strict=True)
        ]
        start = offset
        if offset is not None and (lean != np.eye(3)).any():
            middle = images[0].corner_mm + images[0].size_mm / 2
            start = lean @ (middle + offset) - middle if len(images) > 1 else None
        for image, (there, way) in zip(images, placed, strict=True):
            found = agreement(image, there, start, min_overlap=config.min_overlap)
            look = Look(found, way, turn, tuple(there for there, _ in placed), size=size)
            best = _better(look, best)
        if best is not None and best.found.ncc >= config.min_ncc:
            break
    return None if best is None else _straightened(best, images, config)


def _placed(
    image: Image,
    other_image: Image,
    turn: Turn,
    size: str,
    one: ScanFingerprint,
    other: ScanFingerprint,
    lean: npt.NDArray[np.float64],
) -> tuple[Image, npt.NDArray[np.float64]]:
    """The second image in one way of placing it, and the matrix from its old to its new mm."""
    there, way = turned_image(other_image, turn)
    if size == "voxels":
        spacing = np.array(other.spacing)[list(turn[0])]
        there, way = scaled_by(there, way, np.array(one.spacing) / spacing)
    elif size == "bodies":
        there, way = scaled_to(image, there, way)
    if (lean != np.eye(3)).any():
        there, leaned = leaned_image(there, lean)
        way = leaned @ way
    return there, way


def _better(new: Look, old: Look | None) -> Look:
    """The better of two looks at one pair, with the smaller shift and misfit of both."""
    if old is None:
        return new
    if _quality(new.found) > _quality(old.found):
        return replace(new, found=_merged(new.found, old.found))
    return replace(old, found=_merged(old.found, new.found))


def _straightened(look: Look, images: Sequence[Image], config: DuplicateConfig) -> Look:
    """The look without the lean that the headers do not tell, if there is one.

    It is looked for where the images are alike somewhat; by thumbnails only where it matters, by
    fine images unless all blocks lie still.
    """
    found = look.found
    if found.ncc < config.min_lean_ncc or not is_same_size(look.way):
        return look
    is_copy = is_alike(found, config.min_ncc, config.min_detail_ncc)
    limit = STILL_MM if len(images) > 1 else config.max_coarse_shift_mm
    if is_copy and found.shift_mm <= limit:
        return look
    lean = found_lean(images[0], look.placed[0], np.asarray(look.found.offset_mm))
    if lean is None:
        return look
    best: Look | None = None
    placed = [leaned_image(other, lean[0]) for other in look.placed]
    for image, (there, way) in zip(images, placed, strict=True):
        straight = replace(
            look,
            found=agreement(image, there, lean[1], min_overlap=config.min_overlap),
            way=way @ look.way,
            placed=tuple(there for there, _ in placed),
            lean_deg=degrees(lean[0]),
        )
        best = _better(straight, best)
    return best if best is not None and _quality(best.found) > _quality(look.found) else look


Try = tuple[npt.NDArray[np.float64] | None, Turn, Size]


def _tries(candidate: Candidate, spacing: npt.NDArray[np.float64]) -> list[Try]:
    """Offset, turn and what is taken for the same size.

    The landmarks' vote first, then that on the voxels (of the first's `spacing`, mm), then the
    views: as the headers say, voxel for voxel (a header lost its spacing), body for body.
    """
    tries: list[Try] = []
    if candidate.offset_mm is not None:
        tries.append((np.asarray(candidate.offset_mm), candidate.vote_turn, ""))
    if candidate.voxel_offset is not None:
        offset = np.asarray(candidate.voxel_offset) * spacing
        tries.append((offset, candidate.voxel_turn, "voxels"))
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


def is_alike(found: Agreement, ncc: float, detail_ncc: float) -> bool:
    return found.ncc >= ncc and found.detail_ncc >= detail_ncc
