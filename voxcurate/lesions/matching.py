"""Which candidate hits which lesion, and the table of one scan that the curves are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.errors import GeometryError
from voxcurate.lesions.candidates import Candidate, Found
from voxcurate.lesions.config import LesionConfig
from voxcurate.masks import bounding_box, components
from voxcurate.volume import ML_PER_MM3, Box


@dataclass(frozen=True)
class CaseRow:
    """One scan, one class.

    Attributes:
        case_id: the scan.
        patient: whose; curves are per patient, intervals too.
        scores: of its candidates.
        hits: of each candidate, the lesions that it hits (numbers from 0); empty: a false positive.
        lesions_ml: volume of each lesion.
        positive: whether the patient has such a lesion; None: nobody knows, then the scan is in no
            curve.
        said: what the report says: yes, no, uncertain, or nothing.
        ignored: candidates that count neither way: in specks of the truth, or where it is unknown.
        truth: who says it: label, report, source, or nobody.
    """

    case_id: str
    patient: str
    scores: tuple[float, ...] = ()
    hits: tuple[tuple[int, ...], ...] = ()
    lesions_ml: tuple[float, ...] = ()
    positive: bool | None = None
    said: str = ""
    ignored: tuple[bool, ...] = ()
    truth: str = ""

    def __post_init__(self) -> None:
        n = len(self.scores)
        if len(self.hits) != n or len(self.ignored or self.scores) != n:
            raise GeometryError(f"want hits and ignored of {n} candidates", case_id=self.case_id)
        if self.lesions_ml and not self.positive:
            raise GeometryError("a scan with lesions is positive", case_id=self.case_id)

    @property
    def counted(self) -> list[tuple[float, tuple[int, ...]]]:
        """Score and lesions of the candidates that count."""
        ignored = self.ignored or (False,) * len(self.scores)
        rows = zip(self.scores, self.hits, ignored, strict=True)
        return [(score, hits) for score, hits, is_ignored in rows if not is_ignored]


@dataclass(frozen=True)
class Matches:
    """Candidates against a truth.

    Attributes:
        hits: of each candidate, the lesions that it hits, numbered from 0.
        lesions_ml: volume of each lesion, largest first.
        ignored: of each candidate, whether it counts neither way.
        centres_mm: of each lesion, RAS+ mm.
    """

    hits: tuple[tuple[int, ...], ...]
    lesions_ml: tuple[float, ...]
    ignored: tuple[bool, ...]
    centres_mm: tuple[tuple[float, float, float], ...] = field(default=())


def match(
    found: Found,
    truth: npt.NDArray[Any],
    config: LesionConfig,
    *,
    known: npt.NDArray[Any] | None = None,
) -> Matches:
    """Candidates against the lesions of a truth: its 26-connected pieces.

    A lesion may be hit by several candidates, and a candidate may hit several lesions: none of
    them is a false positive. With rule ``iou`` a candidate far larger than the lesion is a false
    positive; one that lies in it by half or more, but is far smaller, counts neither way.

    Args:
        found: the candidates.
        truth: mask of the volume; empty: no lesion.
        config: the hit rule and the smallest lesion. Candidates that meet only smaller pieces
            count neither way.
        known: mask where the truth speaks; candidates with their centre elsewhere count neither
            way. None: everywhere.

    Raises:
        GeometryError: a truth of another shape.
    """
    for role, mask in (("truth", truth), ("known", known)):
        if mask is not None and mask.shape != found.shape:
            raise GeometryError(f"{role}: want shape {found.shape}, found {mask.shape}")
    voxel_ml = abs(float(np.linalg.det(found.affine[:3, :3]))) * ML_PER_MM3
    pieces, box = _pieces(truth)
    sizes = np.bincount(pieces.ravel())[1:] if pieces.size else np.zeros(0, np.int64)
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] * voxel_ml >= config.minimum_ml]
    place = {int(piece) + 1: n for n, piece in enumerate(order)}
    hits: list[tuple[int, ...]] = []
    ignored: list[bool] = []
    for candidate in found.candidates:
        met, is_part = _met(found, candidate, pieces, box, sizes, config)
        hits.append(tuple(sorted(place[p] for p in met if p in place)))
        counts = not (met or is_part or _is_unknown(found, candidate, known))
        ignored.append(not hits[-1] and not counts)
    centres = tuple(_centre(pieces, box, int(piece) + 1, found) for piece in order)
    lesions = tuple(round(float(sizes[p]) * voxel_ml, 4) for p in order)
    return Matches(tuple(hits), lesions, tuple(ignored), centres)


def row_of(
    case_id: str, patient: str, candidates: Sequence[Mapping[str, Any]], score: str, **more: Any
) -> CaseRow:
    """A row from what the ledger keeps of candidates: ``scores``, ``hits``, ``ignored``."""
    return CaseRow(
        case_id,
        patient,
        tuple(float(c["scores"][score]) for c in candidates),
        tuple(tuple(c.get("hits", ())) for c in candidates),
        ignored=tuple(bool(c.get("ignored", False)) for c in candidates),
        **more,
    )


def _met(
    found: Found,
    candidate: Candidate,
    pieces: npt.NDArray[Any],
    box: Box,
    sizes: npt.NDArray[Any],
    config: LesionConfig,
) -> tuple[list[int], bool]:
    """The pieces of the truth that a candidate hits, and whether it is part of one all the same."""
    if not sizes.size:
        return [], False
    if config.hit == "centre":
        index = _voxel(found, candidate)
        inside = all(a.start <= n < a.stop for a, n in zip(box, index, strict=True))
        if not inside:
            return [], False
        piece = int(pieces[tuple(n - a.start for n, a in zip(index, box, strict=True))])
        return ([piece] if piece else []), False
    mask, part = found.drawn(candidate.number, config.drawn_share)
    mine = tuple(
        slice(max(a.start, b.start) - a.start, max(min(a.stop, b.stop) - a.start, 0))
        for a, b in zip(part, box, strict=True)
    )
    theirs = tuple(
        slice(max(a.start, b.start) - b.start, max(min(a.stop, b.stop) - b.start, 0))
        for a, b in zip(part, box, strict=True)
    )
    if any(s.start >= s.stop for s in (*mine, *theirs)):
        return [], False
    shared = np.bincount(pieces[theirs][mask[mine]], minlength=sizes.size + 1)[1:]
    if config.hit == "voxel":
        return (np.flatnonzero(shared) + 1).tolist(), False
    size = int(mask.sum())
    hit = (shared > 0) & (shared >= config.hit_iou * (size + sizes - shared))
    return (np.flatnonzero(hit) + 1).tolist(), 2 * int(shared.sum()) >= size


def _is_unknown(found: Found, candidate: Candidate, known: npt.NDArray[Any] | None) -> bool:
    return known is not None and not bool(known[_voxel(found, candidate)])


def _voxel(found: Found, candidate: Candidate) -> tuple[int, int, int]:
    """The voxel at a candidate's centre of mass."""
    world = np.append(np.asarray(candidate.centre_mm), 1.0)
    index = np.rint(np.linalg.solve(found.affine, world)[:3]).astype(int)
    i, j, k = (int(np.clip(n, 0, side - 1)) for n, side in zip(index, found.shape, strict=True))
    return i, j, k


def _pieces(truth: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], Box]:
    box = bounding_box(truth)
    if box is None:
        return np.zeros((0, 0, 0), np.uint16), (slice(0, 0), slice(0, 0), slice(0, 0))
    return components(truth[box] != 0)[0], box


def _centre(
    pieces: npt.NDArray[Any], box: Box, piece: int, found: Found
) -> tuple[float, float, float]:
    index = np.argwhere(pieces == piece).mean(axis=0) + [side.start for side in box]
    x, y, z = (round(float(v), 2) for v in found.affine[:3, :3] @ index + found.affine[:3, 3])
    return x, y, z
