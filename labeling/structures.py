"""One structure of one scan: its mask cropped to its box, and what can be measured from it.

A whole-body scan with 25 classes does not fit in memory as full arrays; cropped, it does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate import masks
from voxcurate.errors import GeometryError
from voxcurate.masks import centroid_mm, components, label_boxes
from voxcurate.volume import ML_PER_MM3, Affine, Box, spacing_of

Mask = npt.NDArray[np.bool_]
NEAR_BORDER_MM = 3.0  # masks that were resampled may end so far before the scan does
NOWHERE: Box = (slice(0, 0), slice(0, 0), slice(0, 0))


@dataclass(frozen=True, eq=False)
class Structure:
    """A binary mask of one class, cropped.

    Attributes:
        class_id: what it shows.
        mask: bool, the content of `box`; empty for an empty structure.
        box: where it lies in the volume.
        shape: ``(I, J, K)`` of the volume.
        affine: voxel to RAS+ mm.
    """

    class_id: str
    mask: Mask
    box: Box
    shape: tuple[int, int, int]
    affine: Affine

    @classmethod
    def of(cls, class_id: str, mask: npt.NDArray[Any], affine: Affine) -> "Structure":
        """A structure from a whole-volume mask.

        Raises:
            GeometryError: the mask is not 3-D.
        """
        if mask.ndim != 3:
            raise GeometryError(f"want a mask (I, J, K), found shape {mask.shape}")
        i, j, k = mask.shape
        box = bounding_box(mask)
        return cls(class_id, np.ascontiguousarray(mask[box], dtype=bool), box, (i, j, k), affine)

    def part(self, mask: Mask) -> "Structure":
        """The voxels of `mask` (of this box), cropped anew."""
        inner = bounding_box(mask)
        if inner == NOWHERE:
            return Structure(self.class_id, mask[inner], NOWHERE, self.shape, self.affine)
        i, j, k = (
            slice(outer.start + part.start, outer.start + part.stop)
            for outer, part in zip(self.box, inner, strict=True)
        )
        cropped = np.ascontiguousarray(mask[inner])
        return Structure(self.class_id, cropped, (i, j, k), self.shape, self.affine)

    def full(self) -> Mask:
        """The mask over the whole volume."""
        whole = np.zeros(self.shape, dtype=bool)
        whole[self.box] = self.mask
        return whole

    def within(self, box: Box) -> Mask:
        """The mask in another box; False where it has nothing."""
        out = np.zeros(tuple(side.stop - side.start for side in box), dtype=bool)
        mine, theirs = common_parts(self.box, box)
        out[theirs] = self.mask[mine]
        return out

    def of_mask(self, mask: Mask, box: Box) -> "Structure":
        """Another mask of this class, given in a box of the volume; cropped."""
        return Structure(self.class_id, mask, box, self.shape, self.affine).part(mask)

    def joined(self, other: "Structure") -> "Structure":
        """What is in this or in another structure of the volume."""
        if self.is_empty:
            return Structure(self.class_id, other.mask, other.box, self.shape, self.affine)
        if other.is_empty:
            return self
        i, j, k = (
            slice(min(a.start, b.start), max(a.stop, b.stop))
            for a, b in zip(self.box, other.box, strict=True)
        )
        return self.of_mask(self.within((i, j, k)) | other.within((i, j, k)), (i, j, k))

    @cached_property
    def voxels(self) -> int:
        """Voxels inside."""
        return int(np.count_nonzero(self.mask))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is inside."""
        return self.voxels == 0

    @cached_property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) * ML_PER_MM3

    @property
    def ml(self) -> float:
        """Volume in mL."""
        return self.voxels * self.voxel_ml

    @cached_property
    def indices(self) -> npt.NDArray[np.float64]:
        """Voxel indices inside, ``(n, 3)``, in the whole volume."""
        start = [axis.start for axis in self.box]
        return np.asarray(np.argwhere(self.mask) + np.array(start, np.float64))

    @cached_property
    def points(self) -> npt.NDArray[np.float64]:
        """World coordinates (RAS+ mm) of the voxel centres inside, ``(n, 3)``."""
        return to_world(self.indices, self.affine)

    @cached_property
    def centroid(self) -> npt.NDArray[np.float64]:
        """Mean world position in RAS+ mm; NaN if empty."""
        start = np.array([side.start for side in self.box], np.float64)
        return centroid_mm(self.mask, moved_affine(self.affine, start))

    @cached_property
    def extent(self) -> npt.NDArray[np.float64]:
        """Lowest and highest world coordinate per axis, ``(2, 3)`` in mm; NaN if empty."""
        if self.is_empty:
            return np.full((2, 3), np.nan)
        return np.stack([self.points.min(axis=0), self.points.max(axis=0)])

    @cached_property
    def pieces(self) -> tuple[npt.NDArray[np.unsignedinteger[Any]], npt.NDArray[np.float64]]:
        """26-connected pieces: their map (of the box, 1 is the largest) and volumes in mL."""
        if self.is_empty:
            return self.mask.view(np.uint8), np.zeros(0)
        found, n = components(self.mask)
        if n == 1:
            return self.mask.view(np.uint8), np.array([self.ml])
        counts = np.bincount(found.ravel(order="K"))[1:]
        order = np.argsort(-counts, kind="stable")  # equal ones: the first found
        rank = np.zeros(counts.size + 1, found.dtype)
        rank[order + 1] = np.arange(1, counts.size + 1)
        return rank[found], np.asarray(counts[order] * self.voxel_ml, np.float64)

    def touches_border(self) -> bool:
        """Whether it reaches the edge of the volume, and so may be cut off."""
        return not self.is_empty and any(
            axis.start == 0 or axis.stop == n for axis, n in zip(self.box, self.shape, strict=True)
        )


def bounding_box(mask: npt.NDArray[Any]) -> Box:
    """The smallest box that holds all non-zero voxels; ``0:0`` on each axis if there are none."""
    return (masks.bounding_box(mask) if mask.size else None) or NOWHERE


def moved_affine(affine: Affine, start: npt.NDArray[np.float64]) -> Affine:
    """The affine of a part of a volume that begins at a voxel."""
    moved = np.array(affine)
    moved[:3, 3] = affine[:3, :3] @ start + affine[:3, 3]
    return moved


def to_world(indices: npt.NDArray[np.float64], affine: Affine) -> npt.NDArray[np.float64]:
    """Voxel indices ``(..., 3)`` as RAS+ mm."""
    world: npt.NDArray[np.float64] = indices @ affine[:3, :3].T + affine[:3, 3]
    return world


def common_voxels(a: Structure, b: Structure) -> int:
    """Voxels that two structures of one volume share.

    Raises:
        GeometryError: their volumes differ in shape.
    """
    if a.shape != b.shape:
        raise GeometryError(f"want structures of one volume, found {a.shape} and {b.shape}")
    return int(np.count_nonzero(common_mask(a.mask, a.box, b.mask, b.box)[0]))


def common_mask(
    one: npt.NDArray[Any], one_box: Box, two: npt.NDArray[Any], two_box: Box
) -> tuple[Mask, Box]:
    """What two masks of one volume share, each cropped to its box (non-zero is inside), and where
    in the volume that lies; nothing at `NOWHERE` if the boxes are apart."""
    in_one, in_two = common_parts(one_box, two_box)
    shared = (one[in_one] != 0) & (two[in_two] != 0)
    if in_one == NOWHERE:
        return shared, NOWHERE
    i, j, k = (
        slice(outer.start + inner.start, outer.start + inner.stop)
        for outer, inner in zip(one_box, in_one, strict=True)
    )
    return shared, (i, j, k)


def common_parts(one: Box, two: Box) -> tuple[Box, Box]:
    """What two boxes share, as a part of each; `NOWHERE` in both for nothing."""
    low = [max(a.start, b.start) for a, b in zip(one, two, strict=True)]
    high = [min(a.stop, b.stop) for a, b in zip(one, two, strict=True)]
    if any(a >= b for a, b in zip(low, high, strict=True)):
        return NOWHERE, NOWHERE
    in_one, in_two = (
        tuple(slice(a - s.start, b - s.start) for a, b, s in zip(low, high, box, strict=True))
        for box in (one, two)
    )
    return in_one, in_two  # type: ignore[return-value]


def dice(a: Structure, b: Structure) -> float | None:
    """Dice similarity coefficient; None if both are empty (nothing to agree about)."""
    total = a.voxels + b.voxels
    return 2.0 * common_voxels(a, b) / total if total else None


def margin_box(structure: Structure, margin_mm: float) -> Box:
    """The structure's box widened by at least `margin_mm` on each side, inside the volume."""
    i, j, k = (
        slice(max(0, a.start - grow), min(n, a.stop + grow))
        for a, n, grow in zip(
            structure.box,
            structure.shape,
            (int(np.ceil(margin_mm / s)) for s in spacing_of(structure.affine)),
            strict=True,
        )
    )
    return i, j, k


def further_pieces(s: Structure, tolerated_ml: float) -> list[int]:
    """Numbers of the pieces that a single organ cannot have.

    One that reaches the same face of the scan as the largest, or as one that so hangs together with
    it, and that is no speck, may join it outside the scan (the aorta below its arch).
    """
    if s.pieces[1].size < 2:
        return []
    boxes = label_boxes(s.pieces[0])
    reached = {number: faces_reached(box, s) for number, box in boxes.items()}
    left = [n for n in range(2, s.pieces[1].size + 1) if s.pieces[1][n - 1] > tolerated_ml]
    joined, faces = {1}, reached[1]
    while found := [n for n in left if n not in joined and reached[n] & faces]:
        joined.update(found)
        faces = faces.union(*(reached[n] for n in found))
    return [n for n in range(2, s.pieces[1].size + 1) if n not in joined]


def faces_reached(box: Box, s: Structure) -> frozenset[tuple[int, int]]:
    """Faces of the scan (axis and end) that a part of a structure's box reaches, to
    `NEAR_BORDER_MM`: there it may go on."""
    found = set()
    spacing = spacing_of(s.affine)
    for axis, (side, outer, n) in enumerate(zip(box, s.box, s.shape, strict=True)):
        near = int((NEAR_BORDER_MM + 1e-3) / spacing[axis])
        if side.start + outer.start <= near:
            found.add((axis, 0))
        if side.stop + outer.start >= n - near:
            found.add((axis, 1))
    return frozenset(found)


def midline(structures: Mapping[str, Structure], classes: Iterable[str]) -> float | None:
    """World R coordinate (mm) of the body's middle: the median of midline structures.

    None if none of `classes` is there.
    """
    there = [structures[c].centroid[0] for c in classes if c in structures]
    there = [r for r in there if np.isfinite(r)]
    return float(np.median(there)) if there else None
