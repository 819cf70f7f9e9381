"""Sliding windows in slabs: memory for a slab of the scan, not for all of it.

Windows go along one axis, the one along which the grid is longest for the patch. What no later
window touches is finished: it is weighed, given away and forgotten. Outputs are blended with
Gaussian weights (MONAI's importance map). Windows without body are left out; every window that
touches the body is run, so that nothing changes inside it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from monai.data.utils import compute_importance_map
from scipy import ndimage

Floats = npt.NDArray[np.float32]
Shape = tuple[int, int, int]
Corner = tuple[int, int, int]
Network = Callable[[torch.Tensor], torch.Tensor]
Cut = Callable[[Corner], Floats]
COARSE_MM = 4.0  # the body is looked for on every n-th voxel, about so far apart
SMALL_PART = 0.02  # of the largest piece: arms and legs belong to the body, dust does not
MARGIN_MM = 8.0
PLANES = 16  # of a slab at most
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class Slab:
    """Finished planes: `values` ``(C, I, J, K)`` float32 lie at `start` along `axis`."""

    axis: int
    start: int
    values: Floats


@torch.inference_mode()
def slabs(
    network: Network,
    cut: Cut,
    shape: Shape,
    patch: Shape,
    *,
    overlap: float,
    device: torch.device,
    batch: int = 1,
    body: npt.NDArray[np.bool_] | None = None,
    finish: Network | None = None,
    bell: torch.Tensor | None = None,
) -> Iterator[Slab]:
    """Blended outputs of a network over a grid, slab after slab.

    Args:
        network: ``(B, channels in, *patch)`` to ``(B, C, *patch)``.
        cut: the input ``(channels in, *patch)`` whose first voxel is the given corner; beyond the
            grid it fills up.
        shape: of the grid.
        patch: sides of a window; may be larger than the grid.
        overlap: of neighbouring windows, share of a window's side.
        device: where the network runs and the outputs add up.
        batch: windows at once.
        body: bool of `shape`; windows without True are left out. What no window covers is 0.
        finish: applied to ``(1, C, ...)`` blended values, for networks whose logits are blended.
        bell: weights of a window's voxels; None: MONAI's.

    Yields:
        slabs in order; planes that no window covers are in none.
    """
    starts = [_starts(n, p, overlap) for n, p in zip(shape, patch, strict=True)]
    axis = int(np.argmax([n / p for n, p in zip(shape, patch, strict=True)]))
    across = [a for a in range(3) if a != axis]
    if bell is None:
        bell = compute_importance_map(
            patch, mode="gaussian", sigma_scale=0.125, device=device, dtype=torch.float32
        )
    rows = starts[axis]
    room = _Room(shape, patch, axis, rows[0], device)
    for n, row in enumerate(rows):
        corners = []
        for pair in product(*(starts[a] for a in across)):
            place = {axis: row, across[0]: pair[0], across[1]: pair[1]}
            corner = (place[0], place[1], place[2])
            if body is None or body[_box(corner, patch, shape)].any():
                corners.append(corner)
        room.move_to(row)
        for first in range(0, len(corners), batch):
            some = corners[first : first + batch]
            inputs = torch.from_numpy(np.stack([cut(corner) for corner in some])).to(device)
            outputs = network(inputs.contiguous(memory_format=torch.channels_last_3d))
            for corner, output in zip(some, outputs, strict=True):
                room.add(corner, output.to(torch.float32), bell)
        end = rows[n + 1] if n + 1 < len(rows) else shape[axis]
        yield from room.take(end, finish)


class _Room:
    """Sums and weights of the planes that windows still add to."""

    def __init__(
        self, shape: Shape, patch: Shape, axis: int, first: int, device: torch.device
    ) -> None:
        self.shape, self.patch, self.axis, self.device = shape, patch, axis, device
        self.first = first
        self.size = list(shape)
        self.size[axis] = min(patch[axis], shape[axis] - first)
        self.total: torch.Tensor | None = None
        self.weight: torch.Tensor | None = None

    def move_to(self, first: int) -> None:
        """The first plane of the next row of windows; earlier planes were taken."""
        self.first = first

    def add(self, corner: Corner, output: torch.Tensor, bell: torch.Tensor) -> None:
        if self.total is None or self.weight is None:
            self.total = torch.zeros((len(output), *self.size), device=self.device)
            self.weight = torch.zeros(self.size, device=self.device)
        inner = [
            slice(0, min(p, n - c)) for c, p, n in zip(corner, self.patch, self.shape, strict=True)
        ]
        outer = [slice(c, c + s.stop) for c, s in zip(corner, inner, strict=True)]
        outer[self.axis] = slice(0, inner[self.axis].stop)
        part = bell[tuple(inner)]
        self.total[(slice(None), *outer)].addcmul_(output[(slice(None), *inner)], part)
        self.weight[tuple(outer)] += part

    def take(self, end: int, finish: Network | None) -> Iterator[Slab]:
        """The planes before `end`, which nothing is added to any more; the rest moves up."""
        if self.total is None or self.weight is None:
            return
        n = end - self.first
        along = self.axis + 1
        for k in range(0, n, PLANES):
            m = min(PLANES, n - k)
            heavy = self.weight.narrow(self.axis, k, m)
            if not heavy.any():
                continue
            values = self.total.narrow(along, k, m) / heavy.clamp(min=TINY)
            if finish is not None:
                values = finish(values[None])[0] * (heavy > 0)
            yield Slab(self.axis, self.first + k, values.cpu().numpy())
        left = self.size[self.axis] - n
        for array, dimension in ((self.total, along), (self.weight, self.axis)):
            for k in range(0, left, n):  # in steps that do not read what they have written
                m = min(n, left - k)
                array.narrow(dimension, k, m).copy_(array.narrow(dimension, k + n, m))
            array.narrow(dimension, left, n).zero_()


def body_mask(
    image: npt.NDArray[Any], spacing: Sequence[float], threshold: float, *, head_axis: int = 2
) -> npt.NDArray[np.bool_]:
    """Where the body is: its pieces above a threshold without the table, lungs and gas filled in.

    Args:
        image: HU.
        spacing: of it, mm, in array order.
        threshold: HU; tissue is above.
        head_axis: the array axis along the body.

    Returns:
        bool, shape of `image`, with a margin; True everywhere where there is no body.
    """
    steps = [max(1, round(COARSE_MM / s)) for s in spacing]
    coarse = image[tuple(slice(None, None, step) for step in steps)] > threshold
    pieces, n_pieces = ndimage.label(ndimage.binary_opening(coarse))
    if not n_pieces:
        return np.ones(image.shape, dtype=bool)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    kept = np.isin(pieces, np.flatnonzero(sizes >= SMALL_PART * sizes.max()))
    first, second = (axis for axis in range(3) if axis != head_axis)
    filled = _between(kept, first) & _between(kept, second)
    margin = [max(1, round(MARGIN_MM / (s * n))) for s, n in zip(spacing, steps, strict=True)]
    for axis, n in enumerate(margin):
        filled = ndimage.maximum_filter1d(filled, 2 * n + 1, axis=axis)
    for axis, step in enumerate(steps):
        filled = np.repeat(filled, step, axis=axis)
    full: npt.NDArray[np.bool_] = filled[tuple(slice(0, n) for n in image.shape)]
    return full


def _between(mask: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """True from the first to the last True along an axis."""
    before = np.logical_or.accumulate(mask, axis=axis)
    behind = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
    both: npt.NDArray[np.bool_] = before & behind
    return both


def _starts(n: int, patch: int, overlap: float) -> list[int]:
    """Evenly spread first voxels of windows that cover `n` voxels."""
    if n <= patch:
        return [0]
    step = max(1, int(patch * (1 - overlap)))
    count = -(-(n - patch) // step) + 1
    return [round(k * (n - patch) / (count - 1)) for k in range(count)]


def _box(corner: Sequence[int], patch: Shape, shape: Shape) -> tuple[slice, slice, slice]:
    i, j, k = (slice(c, min(c + p, n)) for c, p, n in zip(corner, patch, shape, strict=True))
    return i, j, k
