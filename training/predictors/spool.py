"""From a network's grid back to the scan, one class at a time.

Finished slabs go to a file on disk, each class cropped to where it is above a threshold; what is
not there is 0. Then each class is read, resampled to the scan in slabs, quantised and cropped.
Memory: one class of the grid and one of the scan, both as small integers.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.grid import Grid, weights
from training.predictors.windows import Slab
from voxcurate.errors import PredictionError
from voxcurate.predictions import EMPTY_BOX, ProbabilityBox, probability_box
from voxcurate.volume import Box

Floats = npt.NDArray[np.float32]
Stored = npt.NDArray[np.uint16]
FULL = 65535  # 1.0 in the spool: finer than 1/255, so that values are rounded once only
FAINTEST = 1e-3  # rounds to 0 of 255
BLOCK_VOXELS = 8 << 20  # of the scan resampled at once


@dataclass(frozen=True)
class Axis:
    """Where a scan's voxels lie along one axis of the grid.

    Attributes:
        source: the scan's array axis.
        position: of each of its voxels, in the grid's voxels.
        ratio: the scan's spacing over the grid's.
    """

    source: int
    position: npt.NDArray[np.float64]
    ratio: float


@dataclass(frozen=True)
class _Part:
    box: tuple[slice, slice, slice]
    offset: int


@dataclass
class Spool:
    """Probabilities of classes on a grid, on disk.

    Args:
        folder: for the file; it is gone when the spool is closed.
        shape: of the grid.
        n_classes: of the slabs that come.
        floor: what is at least this will be kept; values below half of it may be lost.
    """

    folder: Path | None
    shape: tuple[int, int, int]
    n_classes: int
    floor: float = 0.0
    _parts: list[list[_Part]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._file = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 - closed on exit
        self._end = 0
        self._parts = [[] for _ in range(self.n_classes)]

    def __enter__(self) -> "Spool":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, slab: Slab) -> None:
        """Take a slab in.

        Raises:
            PredictionError: it holds NaN or values that are no probabilities.
        """
        threshold = max(self.floor / 2, FAINTEST)
        for n, values in enumerate(slab.values):
            low, high = float(values.min()), float(values.max())
            if not (low >= -1e-4 and high <= 1 + 1e-4):  # NaN fails too
                raise PredictionError(
                    f"want probabilities from 0 to 1 of channel {n}, found {low:g} to {high:g}"
                )
            if high < threshold:
                continue
            box = _occupied(values >= threshold)
            kept = np.rint(np.clip(values[box], 0, 1) * FULL).astype(np.uint16)
            place = list(box)
            along = box[slab.axis]
            place[slab.axis] = slice(slab.start + along.start, slab.start + along.stop)
            self._parts[n].append(_Part((place[0], place[1], place[2]), self._end))
            self._file.seek(self._end)
            self._file.write(kept.data)
            self._end += kept.nbytes

    def read(self, n: int) -> tuple[Box, Stored]:
        """A class in the box of its parts, with a voxel around them."""
        parts = self._parts[n]
        if not parts:
            return EMPTY_BOX, np.zeros((0, 0, 0), np.uint16)
        spans = []
        for axis, side in enumerate(self.shape):
            first = min(part.box[axis].start for part in parts)
            last = max(part.box[axis].stop for part in parts)
            spans.append(slice(max(0, first - 1), min(side, last + 1)))
        array = np.zeros([s.stop - s.start for s in spans], np.uint16)
        for part in parts:
            sides = [s.stop - s.start for s in part.box]
            self._file.seek(part.offset)
            raw = self._file.read(2 * int(np.prod(sides)))
            inner = tuple(
                slice(p.start - s.start, p.stop - s.start)
                for p, s in zip(part.box, spans, strict=True)
            )
            array[inner] = np.frombuffer(raw, np.uint16).reshape(sides)
        return (spans[0], spans[1], spans[2]), array

    def back(self, n: int, axes: Sequence[Axis]) -> ProbabilityBox:
        """A class in the scan's own geometry; 0 outside the grid.

        Linear where the scan is finer, averaged where it is coarser than the grid. At the grid's
        own ends the last value goes on for a voxel, so that nothing fades at the edge of the scan.
        """
        box, stored = self.read(n)
        if not stored.size:
            return ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8))
        rows: list[Any] = []
        spans: list[tuple[int, int]] = []
        for axis, span, side in zip(axes, box, self.shape, strict=True):
            position = axis.position - span.start
            reach = max(1.0, axis.ratio)
            at_ends = span.start == 0, span.stop == side
            inside = (position > -reach) & (position < span.stop - span.start - 1 + reach)
            found = np.flatnonzero(inside)
            if not found.size:
                return ProbabilityBox(EMPTY_BOX, np.zeros((0, 0, 0), np.uint8))
            spans.append((int(found[0]), int(found[-1]) + 1))
            kept = position[found[0] : found[-1] + 1]
            rows.append(weights(stored.shape[len(rows)], kept, axis.ratio, at_ends))
        scan = np.empty([stop - start for start, stop in spans], np.uint8)
        for first, block in _blocks(stored, rows, scan.shape):
            scan[first : first + len(block)] = block
        order = np.argsort([axis.source for axis in axes])
        part = probability_box(np.ascontiguousarray(scan.transpose(order)), floor=self.floor)
        if not part.array.size:
            return part
        i, j, k = (
            slice(spans[a][0] + side.start, spans[a][0] + side.stop)
            for a, side in zip(order, part.box, strict=True)
        )
        return ProbabilityBox((i, j, k), part.array)


def axes_of(grid: Grid) -> list[Axis]:
    """How a scan lies on a grid of ours."""
    found = []
    for axis in range(3):
        source = grid.axes[axis]
        ratio = grid.source_spacing[axis] / grid.spacing[axis]
        voxels = np.arange(grid.source_shape[source], dtype=np.float64)
        if grid.flips[axis]:
            voxels = voxels[::-1]
        found.append(Axis(source, (voxels - grid.index(axis)[0]) * ratio, ratio))
    return found


def _blocks(
    stored: Stored, rows: Sequence[Any], shape: Sequence[int]
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """The resampled class in blocks of planes along the grid's first axis."""
    step = max(1, BLOCK_VOXELS // max(1, shape[1] * shape[2]))
    for first in range(0, shape[0], step):
        own = rows[0][first : first + step]
        used = np.unique(own.indices)
        if not used.size:
            yield first, np.zeros((own.shape[0], *shape[1:]), np.uint8)
            continue
        low, high = int(used[0]), int(used[-1]) + 1
        values: Floats = stored[low:high].astype(np.float32)
        for axis, matrix in ((2, rows[2]), (1, rows[1]), (0, own[:, low:high])):
            moved = np.moveaxis(values, axis, 0)
            flat = np.ascontiguousarray(moved).reshape(moved.shape[0], -1)
            values = np.moveaxis(
                (matrix @ flat).reshape(matrix.shape[0], *moved.shape[1:]), 0, axis
            )
        yield first, np.rint(values * np.float32(255 / FULL)).astype(np.uint8)


def _occupied(above: npt.NDArray[np.bool_]) -> Box:
    spans = []
    for axis in range(3):
        line = np.flatnonzero(above.any(axis=tuple(a for a in range(3) if a != axis)))
        spans.append(slice(int(line[0]), int(line[-1]) + 1))
    return spans[0], spans[1], spans[2]
