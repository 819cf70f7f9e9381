"""Surfaces between voxels as in google-deepmind/surface-distance: their areas and distances.

The table (marching cubes) is that project's (Apache-2.0, copyright 2018 Google Inc.), in another
form: the eight voxels around a corner make a code; a code's patches are unsigned normals in
eighths; a code and its complement have the same patches.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate import _kernels

Mask = npt.NDArray[Any]
Spacing = tuple[float, float, float]
BALL_LIMIT = 3000  # corners within the tolerance; above, a search tree is faster

# bit of each voxel around a corner: [before/after along axis 0][axis 1][axis 2]
BITS = np.array([[[128, 64], [32, 16]], [[8, 4], [2, 1]]], np.uint8)

_PATCHES = [
    "",
    "111",
    "004+004",
    "022+022",
    "040+040",
    "111+111",
    "202+202",
    "220+220",
    "400+400",
    "004+111+222",
    "022+022+111",
    "040+111+222",
    "111+111+111",
    "111+202+202",
    "111+220+220",
    "111+222+400",
    "004+111+111+222",
    "022+022+022+022",
    "022+111+202+333",
    "022+111+220+333",
    "040+111+111+222",
    "111+111+111+111",
    "111+111+222+222",
    "111+111+222+400",
    "111+202+220+333",
    "202+202+202+202",
    "220+220+220+220",
]
_CODES = (
    "ABBHBGFPBFGPHPPIBDFLFJMWFKNSOTXPBFDLFNKSFMJWOXTPHLLEOYULOUYLaOOH"
    "BFFODJKTFMNXLWSPGJNYJCQJNQZNYJNGFMKUKQRKMVQMUMKFPWSLTJKDXMNFOFFB"
)


def surface_areas(spacing: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """Area in mm2 of the surface at a corner, for each of the 256 codes."""
    i, j, k = spacing
    scale = np.array([j * k, i * k, i * j])
    each = []
    for patches in _PATCHES:
        normals = np.array([[int(n) for n in patch] for patch in patches.split("+") if patch])
        each.append(np.linalg.norm(normals.reshape(-1, 3) / 8 * scale, axis=1).sum())
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZa"
    half = [each[letters.index(code)] for code in _CODES]
    return np.array(half + half[::-1])


@dataclass(frozen=True, eq=False)
class Grid:
    """Spacing, corner bits and areas for arrays whose axes may have been reversed."""

    spacing: Spacing
    bits: npt.NDArray[np.uint8]
    areas: npt.NDArray[np.float64]
    is_reversed: bool

    def lengths(self, steps: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Length in mm of vectors ``(n, 3)`` in voxels; summed alike for both memory orders."""
        squares = (steps * np.asarray(self.spacing)) ** 2
        return np.asarray(np.sqrt((squares[:, ::-1] if self.is_reversed else squares).sum(axis=1)))


def grid_of(array: Mask, spacing: Spacing) -> Grid:
    """Fortran-ordered arrays are worked on transposed; codes and areas stay the original's."""
    areas = surface_areas(spacing)
    if is_fortran(array):
        i, j, k = spacing
        return Grid((k, j, i), np.ascontiguousarray(BITS.T), areas, is_reversed=True)
    return Grid(spacing, BITS, areas, is_reversed=False)


def is_fortran(array: Mask) -> bool:
    """Whether the first axis is the fastest in memory, and the last is not."""
    return bool(array.flags.f_contiguous and not array.flags.c_contiguous)


def share_within(
    one: Mask,
    two: Mask,
    label: int,
    grid: Grid,
    tolerance_mm: float,
) -> float:
    """Share of both surfaces of a label that is within tolerance of the other; one may be empty."""
    reach = [int(tolerance_mm / step + 1e-9) for step in grid.spacing]
    if np.prod([2 * n + 1 for n in reach]) > BALL_LIMIT:
        return _share_by_tree(one, two, label, grid, tolerance_mm)
    offsets, _, codes = _prepared(one, two, label, grid, tolerance_mm)
    flat_one, flat_two = (part.reshape(-1) for part in codes)
    all_one, near_one = _kernels.surface_within(flat_one, flat_two, grid.areas, offsets)
    all_two, near_two = _kernels.surface_within(flat_two, flat_one, grid.areas, offsets)
    return float((near_one + near_two) / (all_one + all_two))


def hausdorff95(one: Mask, two: Mask, label: int, grid: Grid) -> float:
    """95th percentile of the distances in mm, the larger direction; infinite if one is empty."""
    return shares_and_hausdorff95(one, two, label, grid, ())[1]


def shares_and_hausdorff95(
    one: Mask, two: Mask, label: int, grid: Grid, tolerances_mm: Sequence[float]
) -> tuple[list[float], float]:
    """`share_within` at several tolerances, and `hausdorff95`, of distances found once."""
    radius = _search_radius(grid.spacing)
    offsets, lengths, codes = _prepared(one, two, label, grid, radius)
    there, back = (_distances(codes[n], codes[1 - n], offsets, lengths, grid) for n in (0, 1))
    if not there[0].size or not back[0].size:
        return [0.0] * len(tolerances_mm), float("inf")
    whole = float(there[1].sum() + back[1].sum())
    near = [sum(float(area[d <= at].sum()) for d, area in (there, back)) for at in tolerances_mm]
    return [n / whole for n in near], max(_percentile95(*there), _percentile95(*back))


def _prepared(
    one: Mask, two: Mask, label: int, grid: Grid, radius_mm: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], tuple[Mask, Mask]]:
    """A ball as flat offsets, nearest first, with their lengths, and corner codes it can walk."""
    reach = [int(radius_mm / step + 1e-9) for step in grid.spacing]
    codes_one, codes_two = (
        _kernels.corner_codes(part, label, grid.bits, max(reach)) for part in (one, two)
    )
    spans = (np.arange(-n, n + 1) for n in reach)
    steps = np.stack(np.meshgrid(*spans, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = grid.lengths(steps)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] <= radius_mm]
    strides = [codes_one.shape[1] * codes_one.shape[2], codes_one.shape[2], 1]
    flat = np.asarray(steps[order] @ strides, dtype=np.int64)
    return flat, lengths[order], (codes_one, codes_two)


def _search_radius(spacing: Spacing) -> float:
    """Far enough for usual errors of a segmentation, small enough to walk."""
    affordable = (BALL_LIMIT * float(np.prod(spacing)) * 3 / (4 * np.pi)) ** (1 / 3)
    return float(min(3 * max(spacing), affordable))


def _distances(
    of: Mask,
    to: Mask,
    offsets: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.float64],
    grid: Grid,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Distance from each surface corner to the other surface, and the area at each.

    The first hit of the ball is the nearest; only what it does not reach goes to a search tree.
    """
    at, hits = _kernels.nearest_offset(of.reshape(-1), to.reshape(-1), offsets)
    distances = lengths[np.maximum(hits, 0)]
    far = hits < 0
    if far.any():
        targets = np.argwhere((to != 0) & (to != 255))
        if not len(targets):
            return np.empty(0), np.empty(0)
        points = np.stack(np.unravel_index(at[far], of.shape), axis=-1)
        distances[far] = _nearest(points, targets, grid)
    return distances, grid.areas[of.reshape(-1)[at]]


def _surface_points(mask: Mask, label: int, grid: Grid) -> tuple[Mask, Mask]:
    """Corner indices ``(n, 3)`` of the surface and the area at each."""
    codes = _kernels.corner_codes(mask, label, grid.bits, 0)
    at = np.nonzero((codes != 0) & (codes != 255))
    return np.stack(at, axis=-1), grid.areas[codes[at]]


def _nearest(of: Mask, to: Mask, grid: Grid) -> npt.NDArray[np.float64]:
    """Distance in mm of each corner to the nearest of the others."""
    from scipy.spatial import cKDTree

    scale = np.asarray(grid.spacing)
    nearest = cKDTree(to * scale).query(of * scale)[1]
    # from integers again: the tree's own distances carry the rounding of large coordinates
    return grid.lengths(of - to[nearest])


def _percentile95(distances: Mask, areas: Mask) -> float:
    order = np.lexsort((areas, distances))
    share = np.cumsum(areas[order]) / np.sum(areas[order])
    at = min(int(np.searchsorted(share, 0.95)), len(order) - 1)
    return float(distances[order][at])


def _share_by_tree(one: Mask, two: Mask, label: int, grid: Grid, tolerance_mm: float) -> float:
    (at_one, area_one), (at_two, area_two) = (
        _surface_points(part, label, grid) for part in (one, two)
    )
    if not len(at_one) or not len(at_two):
        return 0.0
    near_one = area_one[_nearest(at_one, at_two, grid) <= tolerance_mm].sum()
    near_two = area_two[_nearest(at_two, at_one, grid) <= tolerance_mm].sum()
    return float((near_one + near_two) / (area_one.sum() + area_two.sum()))
