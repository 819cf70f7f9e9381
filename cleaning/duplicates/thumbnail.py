"""The small picture of a scan that is kept to compare it with others."""

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import block_means
from cleaning.duplicates.grid import Canonical, Grid, cube_edges

LEVELS = 31
SIDES_MM = tuple(round(3.2 * 1.12**n, 3) for n in range(28))
MAX_VOXELS = 200_000
MAX_BYTES = 9000
MARGIN_MM = 10.0
BODY = 0.1  # of the window: -150 HU
BODY_SHARE = 0.02

Box = tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A scan in cubes of some mm, cut to the body and a margin.

    Attributes:
        levels: uint8 ``(I, J, K)``, RAS+ order, the window in 32 steps.
        cube_mm: side of a voxel, per axis.
        corner_mm: of the first voxel's first corner, along the canonical axes from the
            scan's first corner.
    """

    levels: npt.NDArray[np.uint8]
    cube_mm: tuple[float, float, float]
    corner_mm: tuple[float, float, float]

    @property
    def image(self) -> Grid:
        """Values 0..1."""
        return np.asarray(self.levels / np.float32(LEVELS), np.float32)

    def as_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "shape": list(self.levels.shape),
            "cube_mm": list(self.cube_mm),
            "corner_mm": [round(v, 3) for v in self.corner_mm],
            "levels": base64.b85encode(_packed(self.levels)).decode("ascii"),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Thumbnail":
        """What `as_dict` wrote."""
        raw = np.frombuffer(zlib.decompress(base64.b85decode(data["levels"])), np.uint8)
        shape = tuple(data["shape"])
        steps = raw.reshape(shape)
        levels = np.asarray(np.cumsum(steps, axis=2, dtype=np.uint8) & LEVELS, np.uint8)
        i, j, k = data["cube_mm"]
        x, y, z = data["corner_mm"]
        return cls(levels, (float(i), float(j), float(k)), (float(x), float(y), float(z)))


def thumbnail(scan: Canonical) -> Thumbnail:
    """The finest thumbnail that takes no more than 9 kB."""
    box = body_box(scan.grid, round(MARGIN_MM / scan.cube_mm))
    part = np.ascontiguousarray(scan.grid[tuple(slice(a, b) for a, b in box)])
    made = _at(scan, part, box, scan.cube_mm)
    for side in SIDES_MM:
        if side < scan.cube_mm * 0.999 or part.size * (scan.cube_mm / side) ** 3 > MAX_VOXELS:
            continue
        made = _at(scan, part, box, side)
        if len(_packed(made.levels)) <= MAX_BYTES:
            break
    return made


def body_box(grid: Grid, margin: int = 0) -> Box:
    """From the first to the last plane of each axis with at least 2 % of the fullest's body."""
    body = grid > BODY
    box = []
    for axis in range(3):
        other = tuple(a for a in range(3) if a != axis)
        count = body.sum(axis=other)
        inside = np.flatnonzero(count >= max(1.0, BODY_SHARE * count.max()))
        if not len(inside):
            return tuple((0, n) for n in grid.shape)
        box.append((max(0, int(inside[0]) - margin), min(len(count), int(inside[-1]) + 1 + margin)))
    return tuple(box)


def resized(grid: Grid, shape: tuple[int, int, int]) -> Grid:
    """Block means of a grid on another number of blocks."""
    edges = [np.linspace(0, n, m + 1) for n, m in zip(grid.shape, shape, strict=True)]
    return block_means(np.ascontiguousarray(grid), edges[0], edges[1], edges[2], -1e9, 1e9)


def _at(scan: Canonical, part: Grid, box: Box, side: float) -> Thumbnail:
    edges = [cube_edges(n, scan.cube_mm, side) for n in part.shape]
    means = block_means(part, edges[0], edges[1], edges[2], 0.0, 1.0)
    levels = np.rint(means * LEVELS).astype(np.uint8)
    cube = [float(e[1] - e[0]) * scan.cube_mm for e in edges]
    corner = [
        float(a + e[0]) * scan.cube_mm + float(first)
        for (a, _), e, first in zip(box, edges, scan.corner_mm, strict=True)
    ]
    return Thumbnail(levels, (cube[0], cube[1], cube[2]), (corner[0], corner[1], corner[2]))


def _packed(levels: npt.NDArray[np.uint8]) -> bytes:
    """Differences along the last axis, modulo 32, deflated."""
    steps = np.asarray(np.diff(levels.astype(np.int16), axis=2, prepend=0), np.int16) & LEVELS
    return zlib.compress(steps.astype(np.uint8).tobytes(), 9)
