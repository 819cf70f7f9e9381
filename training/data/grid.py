"""The network's grid: a scan seen along right, front and head at one spacing, body box only.

Grid axes are the scan's own axes, permuted and flipped to run to the right, the front and the
head as nearly as they can; an oblique scan stays oblique. Resampling is therefore one small
weight matrix per axis, in both directions; the way back is `training.predictors.spool`.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse

from voxcurate.volume import Affine, Box, orientation_of, spacing_of

Floats = npt.NDArray[np.float32]
MARGIN = 2  # voxels around the body
MIN_BODY = 0.005  # a smaller share of the grid is no body: the whole grid is kept


@dataclass(frozen=True)
class Grid:
    """How a network's grid lies in a scan.

    Attributes:
        shape: of the grid.
        spacing: of the grid, mm.
        start: first voxel of the box within the full grid.
        source_shape: of the scan.
        source_spacing: of the scan, mm, along the grid's axes.
        axes: the scan's array axis of each grid axis.
        flips: whether it runs the other way.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    start: tuple[int, int, int]
    source_shape: tuple[int, int, int]
    source_spacing: tuple[float, float, float]
    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def index(self, axis: int) -> npt.NDArray[np.float64]:
        """Where the grid's voxel centres of an axis lie, in the (flipped) scan's voxels."""
        ratio = self.spacing[axis] / self.source_spacing[axis]
        n_source = self.source_shape[self.axes[axis]]
        full = full_length(n_source, self.source_spacing[axis], self.spacing[axis])
        first = (n_source - full * ratio) / 2 + ratio / 2 - 0.5
        steps = self.start[axis] + np.arange(self.shape[axis], dtype=np.float64)
        centres: npt.NDArray[np.float64] = first + steps * ratio
        return centres

    def cropped(self, box: Box) -> "Grid":
        """The part of the grid inside a box."""
        start = tuple(s + b.start for s, b in zip(self.start, box, strict=True))
        shape = tuple(b.stop - b.start for b in box)
        return replace(self, start=start, shape=shape)


def full_length(n: int, spacing: float, wanted: float) -> int:
    """Voxels of the wanted spacing that fit into `n` of `spacing`, at least one."""
    return max(1, round(n * spacing / wanted))


def full_grid(
    shape: tuple[int, int, int], affine: Affine, spacing: tuple[float, float, float]
) -> Grid:
    """The grid over a whole scan.

    Args:
        shape: of the scan.
        affine: of the scan, voxel to RAS+ mm.
        spacing: wanted, mm, to the right, the front and the head.
    """
    letters = orientation_of(affine)
    found = [next(i for i, c in enumerate(letters) if c in pair) for pair in ("RL", "AP", "SI")]
    axes = (found[0], found[1], found[2])
    flips = tuple(letters[a] in "LPI" for a in axes)
    own = spacing_of(affine)
    source = tuple(own[a] for a in axes)
    sides = tuple(
        full_length(shape[a], s, w) for a, s, w in zip(axes, source, spacing, strict=True)
    )
    return Grid(sides, spacing, (0, 0, 0), shape, source, axes, flips)  # type: ignore[arg-type]


def to_grid(array: npt.NDArray[Any], grid: Grid) -> Floats:
    """A scan's array on the grid: averaged where the grid is coarser, else linear.

    Args:
        array: shape `grid.source_shape`.
    """
    result: npt.NDArray[Any] = _oriented(array, grid)
    for axis in _cheapest_first(result.shape, grid.shape):
        ratio = grid.spacing[axis] / grid.source_spacing[axis]
        result = _apply(result, axis, weights(result.shape[axis], grid.index(axis), ratio))
    return np.ascontiguousarray(result, dtype=np.float32)


def body_box(image: Floats, threshold: float) -> Box:
    """Box of the largest piece above a threshold, after an opening that drops the table.

    Returns:
        the box with a margin of `MARGIN` voxels; the whole array where there is no body.
    """
    solid = ndimage.binary_opening(image > threshold, iterations=1)
    pieces, n_pieces = ndimage.label(solid)
    if n_pieces:
        sizes = np.bincount(pieces.ravel())
        sizes[0] = 0
        if sizes.max() >= MIN_BODY * solid.size:
            found = ndimage.find_objects(pieces)[int(sizes.argmax()) - 1]
            return _grown(found, image.shape)
    return _grown(tuple(slice(0, n) for n in image.shape), image.shape)


def _grown(box: Any, shape: tuple[int, ...]) -> Box:
    i, j, k = (
        slice(max(0, b.start - MARGIN), min(n, b.stop + MARGIN))
        for b, n in zip(box, shape, strict=True)
    )
    return i, j, k


def _oriented(array: npt.NDArray[Any], grid: Grid) -> npt.NDArray[Any]:
    turned = array.transpose(grid.axes)
    return turned[tuple(slice(None, None, -1 if flip else 1) for flip in grid.flips)]


def weights(
    n: int,
    position: npt.NDArray[np.float64],
    ratio: float,
    goes_on: tuple[bool, bool] = (True, True),
) -> Any:
    """Rows of a tent as wide as the coarser of the two grids, around each position (sparse).

    Beyond an end of the `n` voxels the last value goes on, or else there is 0.

    Args:
        n: voxels of the source.
        position: of the target's voxels, in the source's voxels.
        ratio: the target's spacing over the source's.
        goes_on: at the first and at the last voxel.
    """
    half = max(1.0, ratio)
    first = np.floor(position - half).astype(int) + 1
    width = int(np.ceil(2 * half)) + 1
    columns = first[:, None] + np.arange(width)
    values = np.maximum(0.0, 1 - np.abs(columns - position[:, None]) / half)
    values /= values.sum(axis=1, keepdims=True)
    for is_outside, stays in zip((columns < 0, columns >= n), goes_on, strict=True):
        if not stays:
            values[is_outside] = 0.0
    rows = np.repeat(np.arange(len(position)), width)
    kept = values.ravel() > 0
    columns = np.clip(columns, 0, n - 1).ravel()
    return sparse.csr_matrix(
        (values.ravel()[kept].astype(np.float32), (rows[kept], columns[kept])),
        shape=(len(position), n),
    )


def _apply(array: npt.NDArray[Any], axis: int, weights: Any) -> npt.NDArray[Any]:
    moved = np.moveaxis(array, axis, 0)
    flat = np.ascontiguousarray(moved, dtype=np.float32).reshape(moved.shape[0], -1)
    result = (weights @ flat).reshape(weights.shape[0], *moved.shape[1:])
    return np.moveaxis(result, 0, axis)


def _cheapest_first(before: tuple[int, ...], after: tuple[int, ...]) -> list[int]:
    return sorted(range(3), key=lambda axis: after[axis] / before[axis])
