"""How well two thumbnails agree where they overlap best: normalised correlation over all shifts.

Masked normalised cross-correlation by FFT (Padfield, IEEE TIP 2012; real images, no rotation): for
every whole-voxel shift the correlation over the overlap alone. Then the shift is refined below a
voxel, and the correlation taken again of the images and of their detail.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Grid = npt.NDArray[np.float32]
MIN_SIDE = 3


@dataclass(frozen=True)
class Agreement:
    """Correlations of two registered images; 0 where there is nothing to correlate.

    Attributes:
        ncc: of the images.
        detail_ncc: of the images less their blur (sigma 2 voxels): edges and small structures.
        overlap: share of the smaller image that lies in the overlap.
        shift_mm: of the second image.
    """

    ncc: float
    detail_ncc: float
    overlap: float
    shift_mm: tuple[float, float, float]


def agreement(
    one: npt.NDArray[np.uint8],
    one_mm: tuple[float, float, float],
    other: npt.NDArray[np.uint8],
    other_mm: tuple[float, float, float],
    *,
    min_overlap: float = 0.6,
    step: int = 1,
) -> Agreement:
    """Agreement of two thumbnails of boxes of known size at their best shift.

    Args:
        one, other: uint8, same number of blocks per axis.
        one_mm, other_mm: box sizes in mm, array order.
        min_overlap: of the smaller image's volume, for a shift to count.
        step: blocks averaged per axis before the search, for a quick look.
    """
    sizes = np.array(one_mm), np.array(other_mm)
    if min(s.min() for s in sizes) <= 0 or (np.maximum(*sizes) > 4 * np.minimum(*sizes)).any():
        return Agreement(0.0, 0.0, 0.0, (0.0, 0.0, 0.0))
    voxel = np.maximum(*sizes) / one.shape[0] * step
    first, second = (_on_grid(t, s, voxel) for t, s in zip((one, other), sizes, strict=True))
    ncc, shift, overlap = best_shift(first, second, min_overlap)
    if step > 1 or ncc <= 0:
        return Agreement(ncc, 0.0, overlap, _mm(shift, voxel))
    best, detail, fine = _refine(first, second, shift)
    return Agreement(max(best, ncc), detail, overlap, _mm(fine, voxel))


def best_shift(
    one: Grid, other: Grid, min_overlap: float
) -> tuple[float, npt.NDArray[np.float64], float]:
    """The whole-voxel shift with the highest correlation over an overlap that is large enough.

    Returns:
        correlation, the shift s with ``one[x] ~ other[x - s]``, and the overlap's share of the
        smaller image; correlation 0 where either overlap is constant everywhere.
    """
    from scipy.fft import irfftn, next_fast_len, rfftn

    size = [
        next_fast_len(a + b - 1, real=True) for a, b in zip(one.shape, other.shape, strict=True)
    ]
    a, b = one - one.mean(), (other - other.mean())[::-1, ::-1, ::-1]

    def spectrum(x: Grid) -> npt.NDArray[np.complex64]:
        return np.asarray(rfftn(x, size), np.complex64)

    ones_a, ones_b = spectrum(np.ones_like(a)), spectrum(np.ones_like(b))
    fa, fb, fa2, fb2 = spectrum(a), spectrum(b), spectrum(a * a), spectrum(b * b)
    n, sa, sb, sab, saa, sbb = (
        irfftn(x, size)
        for x in (ones_a * ones_b, fa * ones_b, ones_a * fb, fa * fb, fa2 * ones_b, ones_a * fb2)
    )
    n = np.maximum(np.rint(n), 1)
    covariance = sab - sa * sb / n
    variance = np.maximum(saa - sa * sa / n, 0) * np.maximum(sbb - sb * sb / n, 0)
    floor = 1e-6 * max(float(a.var() * b.var()), 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        ncc = np.where(variance > floor * n * n, covariance / np.sqrt(variance), 0)
    smaller = min(one.size, other.size)
    ncc[n < min_overlap * smaller] = 0
    at = np.unravel_index(int(np.argmax(ncc)), ncc.shape)
    shift = np.array(at, float) - (np.array(other.shape) - 1)
    return float(min(ncc[at], 1.0)), shift, float(n[at] / smaller)


def _on_grid(
    thumbnail: npt.NDArray[np.uint8], size: npt.NDArray[np.float64], voxel: npt.NDArray[np.float64]
) -> Grid:
    """Block means of the thumbnail on voxels of the given size, as many as fit (at least three)."""
    grid = thumbnail.astype(np.float32)
    for axis in range(3):
        n_blocks = thumbnail.shape[axis]
        n = max(MIN_SIDE, int(np.floor(size[axis] / voxel[axis] + 1e-6)))
        edges = np.arange(n + 1) * min(voxel[axis] / size[axis], 1 / n) * n_blocks
        total = np.concatenate(([0.0], np.cumsum(np.ones(n_blocks))))
        sums = np.concatenate(
            (
                np.zeros((1, *np.moveaxis(grid, axis, 0).shape[1:])),
                np.cumsum(np.moveaxis(grid, axis, 0), 0),
            )
        )
        low = np.minimum(edges.astype(int), n_blocks - 1)
        part = (edges - total[low])[:, None, None]
        at_edges = sums[low] * (1 - part) + sums[low + 1] * part
        means = np.diff(at_edges, axis=0) / np.diff(edges)[:, None, None]
        grid = np.moveaxis(means, 0, axis).astype(np.float32)
    return grid


def _refine(
    one: Grid, other: Grid, shift: npt.NDArray[np.float64]
) -> tuple[float, float, npt.NDArray[np.float64]]:
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(one, 0.6), gaussian_filter(other, 0.6)
    best, value = shift.copy(), _ncc_at(*smooth, shift)
    for step in (0.5, 0.25, 0.125):
        for axis in range(3):
            for sign in (-1, 1):
                trial = best.copy()
                trial[axis] += sign * step
                found = _ncc_at(*smooth, trial)
                if found > value:
                    best, value = trial, found
    detail = [image - gaussian_filter(image, 2.0) for image in smooth]
    return value, _ncc_at(detail[0], detail[1], best), best


def _ncc_at(one: Grid, other: Grid, shift: npt.NDArray[np.float64]) -> float:
    from scipy.ndimage import shift as moved

    low = np.maximum(np.ceil(shift), 0).astype(int)
    high = np.minimum(np.array(one.shape), np.floor(np.array(other.shape) + shift)).astype(int)
    if (high - low < MIN_SIDE).any():
        return 0.0
    here = one[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    whole = np.floor(shift).astype(int)
    there = (
        other if (shift == whole).all() else moved(other, shift - whole, order=1, mode="nearest")
    )
    part = tuple(slice(a - w, b - w) for a, b, w in zip(low, high, whole, strict=True))
    a, b = here - here.mean(), there[part] - there[part].mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 1e-6 else 0.0


def _mm(
    shift: npt.NDArray[np.float64], voxel: npt.NDArray[np.float64]
) -> tuple[float, float, float]:
    i, j, k = shift * voxel
    return float(i), float(j), float(k)
