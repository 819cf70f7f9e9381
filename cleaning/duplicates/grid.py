"""A scan on the canonical grid: cubes of fixed size in mm, RAS+ order, the window's values as 0..1.

The axes are the scan's own, each counted as its nearest anatomical direction: an oblique scan is
not turned, a tilted one not sheared back. The cubes lie centred in the scan; what is left at its
ends, less than one cube in all, is left out, so that a flipped array gives the flipped grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import block_means
from cleaning.duplicates.intensity import Window, found_window, hu_window, sample
from cleaning.duplicates.threads import in_threads, thread_count
from voxcurate.geometry import ras_axes
from voxcurate.volume import Affine, Volume

STATISTICS_MM = 6.0
FAR = 1e9  # no clipping
MAX_CUBES = 6_000_000
LARGE = 4_000_000  # voxels from which threads are worth their start

Grid = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Canonical:
    """A scan on the canonical grid.

    Attributes:
        grid: float32 ``(I, J, K)``, RAS+ order, 0 at the window's low end and 1 at its high end.
        cube_mm: side of a cube.
        window: of source values that were kept apart; equal ends for a constant scan.
        corner_mm: of the grid's first corner, along its axes, from the scan's first corner.
        frame: from mm along the axes, counted from the scan's first corner, to RAS+ world mm.
    """

    grid: Grid
    cube_mm: float
    window: Window
    corner_mm: npt.NDArray[np.float64]
    frame: npt.NDArray[np.float64]

    @property
    def is_constant(self) -> bool:
        """Nothing to compare."""
        return self.window[0] >= self.window[1] or float(np.ptp(self.grid)) < 1e-6


def canonical(
    volume: Volume,
    cube_mm: float,
    window: Window | None = None,
    *,
    beyond: float = 0.0,
    planes: int = 0,
) -> Canonical:
    """A scan on the canonical grid; NaN counts as the lowest value.

    Args:
        volume: any orientation and type.
        cube_mm: side of the cubes; enlarged where there would be more than 6 million of them.
        window: source values that become 0 and 1; None: found from the values.
        beyond: values are kept so many window widths beyond 0 and 1 before they are cut.
        planes: of voxels that are read of a cube along the axis that is slowest in memory, at
            least, where it has as many; 0: all. Rows within a plane would save nothing.
    """
    return canonicals(volume, [(volume.affine, cube_mm)], window, beyond=beyond, planes=planes)[0]


def canonicals(
    volume: Volume,
    asked: Sequence[tuple[Affine, float]],
    window: Window | None = None,
    *,
    beyond: float = 0.0,
    planes: int = 0,
) -> list[Canonical]:
    """Several grids of one scan, which is read once; see `canonical`.

    Args:
        volume: any orientation and type.
        asked: of each grid the affine that is believed, which may differ from the volume's in the
            size of the voxels only, and the side of its cubes.
        window, beyond, planes: of all of them.
    """
    array = plain(volume.array)
    order, flips = ras_axes(volume.affine)
    believed = [Volume(array, affine) for affine, _ in asked]
    sides_mm = [_cube_mm(one, cube_mm) for one, (_, cube_mm) in zip(believed, asked, strict=True)]
    if window is None:
        window = window_of(array, np.asarray(volume.spacing))
    low, high = window
    edges = [
        [cube_edges(n, step, side) for n, step in zip(array.shape, one.spacing, strict=True)]
        for one, side in zip(believed, sides_mm, strict=True)
    ]
    more = beyond * (high - low)
    turn = tuple(slice(None, None, -1) if f else slice(None) for f in flips)
    found = []
    for one, side, own, means in zip(
        believed,
        sides_mm,
        edges,
        _means(array, edges, low - more, high + more, planes),
        strict=True,
    ):
        ras = means.transpose(order)[turn]
        grid = (ras - np.float32(low)) * np.float32(1 / (high - low) if high > low else 0)
        corner = [
            float(array.shape[axis] - own[axis][-1] if flip else own[axis][0]) * one.spacing[axis]
            for axis, flip in zip(order, flips, strict=True)
        ]
        found.append(
            Canonical(
                np.ascontiguousarray(grid, np.float32),
                side,
                window,
                np.array(corner),
                _frame(one, order, flips),
            )
        )
    return found


def _cube_mm(volume: Volume, cube_mm: float) -> float:
    """The side of the cubes, enlarged where there would be too many."""
    sides = np.maximum(np.asarray(volume.spacing) * volume.array.shape, 1e-3)
    return max(cube_mm, float(np.cbrt(np.prod(sides) / MAX_CUBES)))


def window_of(array: npt.NDArray[Any], spacing: npt.NDArray[np.float64]) -> Window:
    """The window of source values: fixed for Hounsfield units, else found from the values."""
    values = sample(array)
    known = hu_window(values)
    if known is not None or not values.size:
        return known or (0.0, 0.0)
    side = max(STATISTICS_MM, float(np.prod(spacing * array.shape) / MAX_CUBES) ** (1 / 3))
    edges = [cube_edges(n, step, side) for n, step in zip(array.shape, spacing, strict=True)]
    return found_window(values, _means(array, [edges], -FAR, FAR)[0].ravel())


def cube_edges(n: int, step_mm: float, cube_mm: float) -> npt.NDArray[np.float64]:
    """Edges of the cubes along an axis, in voxels: as many as fit, at least one, centred."""
    count = max(1, int(np.floor(n * step_mm / cube_mm + 1e-6)))
    width = min(cube_mm / step_mm, n / count)
    edges = (n - count * width) / 2 + np.arange(count + 1) * width
    return np.asarray(np.clip(edges, 0, n), np.float64)


def plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in a type and byte order that the compiled loops take; no NaN."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype.byteorder == ">" or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind == "f":
        if array.dtype != np.float32:
            array = array.astype(np.float32)
        if not np.isfinite(array).all():
            array = np.nan_to_num(array, nan=-FAR, posinf=FAR, neginf=-FAR)
    return array


def _means(
    array: npt.NDArray[Any],
    edges: Sequence[Sequence[npt.NDArray[np.float64]]],
    low: float,
    high: float,
    planes: int = 0,
) -> list[Grid]:
    """Block means of several grids, with the fastest axis of the memory innermost.

    The grids' layers of blocks are made in the order in which they end along the slowest axis, so
    that what one has read is still in the cache for the others.
    """
    axes = sorted(range(3), key=lambda axis: -abs(array.strides[axis]))
    view = array.transpose(axes)
    flips = tuple(slice(None, None, -1) if stride < 0 else slice(None) for stride in view.strides)
    view = np.ascontiguousarray(view[flips])
    sides = [
        [
            own[axis] if flip.step is None else array.shape[axis] - own[axis][::-1]
            for axis, flip in zip(axes, flips, strict=True)
        ]
        for own in edges
    ]
    steps = [max(1, int((s[0][1] - s[0][0]) / planes + 1e-6)) if planes else 1 for s in sides]
    grids = [np.empty(tuple(len(edge) - 1 for edge in own), np.float32) for own in sides]
    layers = sorted((s[0][n + 1], g, n) for g, s in enumerate(sides) for n in range(len(s[0]) - 1))
    n_threads = min(thread_count(), len(layers)) if array.size >= LARGE else 1
    cuts = np.linspace(0, len(layers), n_threads + 1).astype(int)

    def fill(part: int) -> None:
        for _, g, n in layers[cuts[part] : cuts[part + 1]]:
            a, b, c = sides[g]
            grids[g][n] = block_means(view, a[n : n + 2], b, c, low, high, steps[g])[0]

    in_threads(fill, range(n_threads), n_threads)
    back = np.argsort(axes)
    return [np.asarray(means[flips].transpose(back), np.float32) for means in grids]


def _frame(
    volume: Volume, order: tuple[int, ...], flips: tuple[bool, ...]
) -> npt.NDArray[np.float64]:
    """Millimetres along the RAS-ordered axes, from the scan's first corner, to the world."""
    frame = np.eye(4)
    corner = np.zeros(4)
    corner[3] = 1
    for world, (axis, flip) in enumerate(zip(order, flips, strict=True)):
        unit = volume.affine[:3, axis] / volume.spacing[axis]
        frame[:3, world] = -unit if flip else unit
        corner[axis] = (volume.shape[axis] if flip else 0) - 0.5
    frame[:3, 3] = (volume.affine @ corner)[:3]
    return frame
