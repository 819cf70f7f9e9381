"""How two small images of scans compare where they lie best on each other.

The images are translated only: copies of an acquisition are not turned or bent against each other.
The offset comes from the landmarks' vote, or from masked normalised cross-correlation over all
shifts by FFT (Padfield, IEEE TIP 2012; real images, no rotation). Then, over the body within the
overlap, at about 7 mm of blur (less for a small scan):

- `ncc`, `detail_ncc`: correlation of the images, and of what differs from their blur.
- `shift_mm`: of blocks of about 45 mm, by how much more each would have to move (Lucas and Kanade,
  IJCAI 1981, with gain and offset per block). A copy does not move anywhere; a patient who
  breathed or lay down again does. Voxels near air are left out: blur moves that edge.
- `misfit`: what is left of the difference after one monotone map of all values, in units of the
  window, in the flat parts of the soft tissue: contrast agent in another phase shows there,
  another window, scale or kernel does not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates._kernels import blur
from cleaning.duplicates.differences import Grid, Vector, block_shifts, mapped, slopes

MIN_SIDE = 3
BLUR_MM = 7.0
BLOCK_MM = 45.0
FULL_SIZE_MM = 250.0  # mean side; of a smaller scan blur and blocks shrink with it
BODY = 0.1
MAX_RATIO = 6.0


@dataclass(frozen=True, eq=False)
class Image:
    """A small image on its canonical axes.

    Attributes:
        values: float32 ``(I, J, K)``, 0..1 of the window.
        cube_mm: voxel size per axis.
        corner_mm: of the first voxel's first corner.
    """

    values: Grid
    cube_mm: Vector
    corner_mm: Vector

    @property
    def size_mm(self) -> Vector:
        """Extent per axis."""
        return np.asarray(self.cube_mm * self.values.shape, np.float64)


@dataclass(frozen=True)
class Agreement:
    """What was measured at the best offset; all 0 (`shift_mm` infinite) where nothing overlaps.

    Attributes:
        ncc, detail_ncc: correlations over the body.
        overlap: share of the smaller scan's body that lies in the overlap.
        offset_mm: from a place in the first to the same in the second.
        shift_mm: 80th percentile over blocks.
        misfit: root mean square, window units.
    """

    ncc: float = 0.0
    detail_ncc: float = 0.0
    overlap: float = 0.0
    offset_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift_mm: float = float("inf")
    misfit: float = 1.0
    n_blocks: int = 0


NONE = Agreement()


def agreement(
    one: Image,
    other: Image,
    offset_mm: Vector | None = None,
    *,
    min_overlap: float = 0.4,
) -> Agreement:
    """Agreement of two images at their best offset.

    Args:
        one, other: images.
        offset_mm: about where, from a place in `one` to the same in `other`; None: searched.
        min_overlap: of the smaller image's volume, for an offset that is searched.
    """
    sizes = one.size_mm, other.size_mm
    if offset_mm is None and (np.maximum(*sizes) > MAX_RATIO * np.minimum(*sizes)).any():
        return NONE
    scale = min(1.0, float(min(np.prod(s) for s in sizes)) ** (1 / 3) / FULL_SIZE_MM)
    voxel = np.maximum(np.maximum(one.cube_mm, other.cube_mm), max(sizes[0].max() / 160, 1e-3))
    voxel = np.minimum(voxel, np.minimum(*sizes) / MIN_SIDE)
    a = _on_voxels(one, voxel)
    b = _on_voxels(other, voxel)
    if offset_mm is None:
        found, shift, _ = best_shift(a.values, b.values, min_overlap)
        if found <= 0:
            return NONE
        offset_mm = b.corner_mm - a.corner_mm - shift * voxel
    blur_mm = np.maximum(BLUR_MM * scale, 0.6 * voxel)
    taps = [_taps(sigma / v) for sigma, v in zip(blur_mm, voxel, strict=True)]
    smooth = _blurred(a.values, taps), _blurred(b.values, taps)
    offset = _refined(smooth, a, b, voxel, np.asarray(offset_mm, np.float64))
    pair = _shared(a, b, voxel, taps, offset)
    if pair is None:
        return NONE
    return _measured(pair, voxel, blur_mm, BLOCK_MM * scale, offset, _share(a, b, voxel, offset))


def aligned(one: Image, other: Image, offset_mm: Vector) -> tuple[Grid, Grid, Vector]:
    """Both images on the overlap at an offset, voxel for voxel, and the voxels' size in mm.

    Where nothing overlaps, the first image and an empty one.
    """
    voxel = np.maximum(one.cube_mm, other.cube_mm)
    a, b = _on_voxels(one, voxel), _on_voxels(other, voxel)
    pair = _overlapping(a.values, b.values, a, b, voxel, np.asarray(offset_mm, np.float64))
    if pair is None:
        return a.values, np.zeros_like(a.values), voxel
    return pair.one, pair.other, voxel


def blurred_on(image: Image, voxel: Vector) -> Image:
    """Block means on voxels of the given size, blurred by 0.7 of a voxel."""
    found = _on_voxels(image, voxel)
    return Image(_blurred(found.values, [_taps(0.7)] * 3), found.cube_mm, found.corner_mm)


def sampled(image: Image, places_mm: Vector) -> Grid:
    """Values at places ``(n, 3)``, linear; NaN outside the voxels' centres."""
    from scipy.ndimage import map_coordinates

    at = ((places_mm - image.corner_mm) / image.cube_mm - 0.5).T
    return np.asarray(map_coordinates(image.values, at, order=1, cval=np.nan), np.float32)


def best_shift(one: Grid, other: Grid, min_overlap: float) -> tuple[float, Vector, float]:
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
    within = tuple(slice(x + y - 1) for x, y in zip(one.shape, other.shape, strict=True))
    ncc = np.where(n < min_overlap * smaller, 0, ncc)[within]
    at = np.unravel_index(int(np.argmax(ncc)), ncc.shape)
    shift = np.array(at, float) - (np.array(other.shape) - 1)
    return float(min(ncc[at], 1.0)), shift, float(n[within][at] / smaller)


def _on_voxels(image: Image, voxel: Vector) -> Image:
    """Block means on voxels of the given size, as many as fit; the image itself if it has them."""
    from cleaning.duplicates._kernels import block_means

    if np.allclose(image.cube_mm, voxel, rtol=1e-3):
        return image
    edges = []
    for n, have, want in zip(image.values.shape, image.cube_mm, voxel, strict=True):
        count = max(MIN_SIDE, int(np.floor(n * have / want + 1e-6)))
        width = min(want / have, n / count)
        edges.append(np.clip((n - count * width) / 2 + np.arange(count + 1) * width, 0, n))
    i, j, k = edges
    values = block_means(np.ascontiguousarray(image.values), i, j, k, -1e9, 1e9)
    corner = image.corner_mm + np.array([e[0] for e in edges]) * image.cube_mm
    cube = np.array([e[1] - e[0] for e in edges]) * image.cube_mm
    return Image(values, cube, corner)


def _taps(sigma: float) -> npt.NDArray[np.float32]:
    reach = max(1, int(np.ceil(2.5 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(taps / taps.sum(), np.float32)


def _blurred(grid: Grid, taps: list[npt.NDArray[np.float32]]) -> Grid:
    if all(len(t) == len(taps[0]) and np.allclose(t, taps[0], atol=1e-3) for t in taps):
        return blur(np.ascontiguousarray(grid, np.float32), taps[0])
    from scipy.ndimage import correlate1d

    result: Any = grid
    for axis, t in enumerate(taps):
        result = correlate1d(result, t, axis=axis, mode="nearest")
    return np.asarray(result, np.float32)


@dataclass(frozen=True, eq=False)
class _Pair:
    """Two images on the overlap, voxel for voxel."""

    one: Grid
    other: Grid


def _shared(
    a: Image, b: Image, voxel: Vector, taps: list[npt.NDArray[np.float32]], offset: Vector
) -> _Pair | None:
    """Both images on their overlap, blurred within it: what lies beyond (more of the body in one,
    padding in the other) must not shine in."""
    parts = []
    start = (a.corner_mm + offset - b.corner_mm) / voxel
    for image, other, begin in ((a, b, start), (b, a, -start)):
        low = np.maximum(np.ceil(-begin - 1e-6), 0).astype(int)
        last = np.floor(np.array(other.values.shape) - 1 - begin + 1e-6).astype(int)
        high = np.minimum(np.array(image.values.shape), last + 1)
        if (high - low < MIN_SIDE).any():
            return None
        inside = image.values[tuple(slice(x, y) for x, y in zip(low, high, strict=True))]
        corner = image.corner_mm + low * image.cube_mm
        parts.append(Image(_blurred(inside, taps), image.cube_mm, corner))
    one, other = parts
    return _overlapping(one.values, other.values, one, other, voxel, offset)


def _overlapping(
    first: Grid, second: Grid, a: Image, b: Image, voxel: Vector, offset: Vector
) -> _Pair | None:
    """The part of the first image that the second covers, and the second there (linear)."""
    start = (a.corner_mm + offset - b.corner_mm) / voxel  # of a's first voxel, in b's voxels
    low = np.maximum(np.ceil(-start - 1e-6), 0).astype(int)
    high = np.minimum(
        np.array(first.shape), np.floor(np.array(second.shape) - 1 - start + 1e-6).astype(int) + 1
    )
    if (high - low < MIN_SIDE).any():
        return None
    here = first[tuple(slice(x, y) for x, y in zip(low, high, strict=True))]
    there = second
    for axis in range(3):
        at = start[axis] + low[axis]
        base = int(np.floor(at + 1e-6))
        part = np.float32(max(at - base, 0.0))
        n = int(high[axis] - low[axis])
        near = np.take(there, range(base, base + n), axis=axis)
        if part > 1e-4:
            far = np.take(
                there, np.minimum(np.arange(base + 1, base + n + 1), there.shape[axis] - 1), axis
            )
            near = near + part * (far - near)
        there = near
    return _Pair(here, np.asarray(there, np.float32))


def _refined(
    smooth: tuple[Grid, Grid], a: Image, b: Image, voxel: Vector, offset: Vector
) -> Vector:
    """The offset moved by Gauss-Newton steps on the whole overlap, gain and offset free."""
    best, value = offset, -1.0
    trial = offset
    for _ in range(6):
        pair = _overlapping(smooth[0], smooth[1], a, b, voxel, trial)
        if pair is None:
            break
        body = (pair.one > BODY) | (pair.other > BODY)
        found = _correlation(pair.one[body], pair.other[body]) if body.sum() > 30 else 0.0
        if found <= value + 1e-5:
            break
        best, value = trial, found
        columns = [np.asarray(g)[body].ravel() for g in slopes(pair.one)]
        design = np.stack([np.ones(int(body.sum()), np.float32), pair.one[body], *columns], axis=1)
        normal = design.T @ design
        right = design.T @ pair.other[body]
        solved = np.linalg.solve(normal + 1e-6 * np.trace(normal) * np.eye(5) / 5, right)
        gain = max(abs(float(solved[1])), 0.05)
        step = np.clip(solved[2:] / gain, -1.0, 1.0)
        trial = best - step * voxel
    return best


def _measured(
    pair: _Pair, voxel: Vector, blur_mm: Vector, block_mm: float, offset: Vector, overlap: float
) -> Agreement:
    body = (pair.one > BODY) | (pair.other > BODY)
    if body.sum() < 60:
        return NONE
    taps = [_taps(2.0 * sigma / v) for sigma, v in zip(blur_mm, voxel, strict=True)]
    details = [image - _blurred(image, taps) for image in (pair.one, pair.other)]
    alike = mapped(pair.other[body], pair.one[body])
    image = np.zeros_like(pair.one)
    image[body] = alike
    image[~body] = pair.one[~body]
    inner = _inside(pair, voxel, blur_mm)
    shift, left, n = block_shifts(
        pair.one, image, inner if inner.sum() >= 60 else body, voxel, block_mm
    )
    i, j, k = (float(v) for v in offset)
    return Agreement(
        _correlation(pair.one[body], pair.other[body]),
        _correlation(details[0][body], details[1][body]),
        overlap,
        (i, j, k),
        shift,
        left,
        n,
    )


def _inside(pair: _Pair, voxel: Vector, blur_mm: Vector) -> npt.NDArray[np.bool_]:
    """Body voxels that lie farther than the blur reaches from air in either image."""
    from scipy.ndimage import minimum_filter

    size = [2 * max(1, round(1.2 * s / v)) + 1 for s, v in zip(blur_mm, voxel, strict=True)]
    darkest = minimum_filter(np.minimum(pair.one, pair.other), size, mode="nearest")
    return np.asarray(darkest > BODY, np.bool_)


def _share(a: Image, b: Image, voxel: Vector, offset: Vector) -> float:
    """Share of the smaller body that lies within the overlap of both images."""
    shares = []
    start = (a.corner_mm + offset - b.corner_mm) / voxel
    for image, other, begin in ((a, b, start), (b, a, -start)):
        low = np.clip(np.rint(-begin), 0, image.values.shape).astype(int)
        high = np.clip(np.rint(np.array(other.values.shape) - begin), 0, image.values.shape)
        body = image.values > BODY
        box = tuple(slice(int(x), int(y)) for x, y in zip(low, high, strict=True))
        shares.append((float(body[box].sum()), float(max(body.sum(), 1))))
    inside, total = min(shares, key=lambda s: s[1])
    return inside / total


def _correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    a, b = one - one.mean(dtype=np.float64), other - other.mean(dtype=np.float64)
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size > 1e-6 else 0.0
