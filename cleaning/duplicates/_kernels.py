"""Compiled loops over whole scans; each has a plain numpy reference beside its test."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compiled at first use and kept on disk; other threads run meanwhile."""
    return cast("F", numba.njit(cache=True, nogil=True)(function))


def _fast(function: F) -> F:
    """The same where sums may be taken in any order, which lets them run in vector registers."""
    return cast("F", numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})(function))


@_fast
def block_means(
    array: Array,
    edges_a: Array,
    edges_b: Array,
    edges_c: Array,
    low: float,
    high: float,
    step: int = 1,
) -> Array:
    """Means of exact blocks, values clipped to ``low..high``, in one pass over the array.

    A block's edges may lie inside a voxel, which then counts by its share (area weighting). Rows
    are clipped and summed whole, in vector registers; only the sums are cut into blocks.

    Args:
        array: shape ``(A, B, C)``, C order.
        edges_a, edges_b, edges_c: block edges per axis in voxels, ascending, within the array.
        step: so many neighbours along the first axis are told by the middle one of them; the
            others are not read.

    Returns:
        float32, one value per block.
    """
    n_a, n_b, n_c = len(edges_a) - 1, len(edges_b) - 1, len(edges_c) - 1
    size_c = array.shape[2]
    out = np.empty((n_a, n_b, n_c), np.float32)
    sums = np.empty((n_b, size_c), np.float32)
    bottom, top = np.float32(low), np.float32(high)
    for a in range(n_a):
        a0, a1 = edges_a[a], edges_a[a + 1]
        sums[:] = np.float32(0)
        for i in range(int(a0) // step * step, int(np.ceil(a1)), step):
            weight_a = min(a1, i + float(step)) - max(a0, float(i))
            plane = array[min(i + step // 2, array.shape[0] - 1)]
            b = 0
            for j in range(int(edges_b[0]), int(np.ceil(edges_b[n_b]))):
                line = plane[j]
                while b < n_b - 1 and edges_b[b + 1] <= j:
                    b += 1
                for c in range(b, n_b):  # all blocks that the row reaches into
                    weight_b = min(edges_b[c + 1], j + 1.0) - max(edges_b[c], float(j))
                    if weight_b <= 0:
                        break
                    weight, row = np.float32(weight_a * weight_b), sums[c]
                    for k in range(size_c):
                        row[k] += weight * min(max(np.float32(line[k]), bottom), top)
        for b in range(n_b):
            area = (a1 - a0) * (edges_b[b + 1] - edges_b[b])
            row = sums[b]
            for c in range(n_c):
                c0, c1 = edges_c[c], edges_c[c + 1]
                first, last = int(c0), int(np.ceil(c1)) - 1
                total = row[first] * np.float32(min(c1, first + 1.0) - c0)
                for k in range(first + 1, last):
                    total += row[k]
                if last > first:
                    total += row[last] * np.float32(c1 - last)
                out[a, b, c] = total / np.float32(area * (c1 - c0))
    return out


@_fast
def blur(grid: Array, taps: Array) -> Array:
    """Separable convolution along all three axes with a symmetric kernel; edges are repeated.

    Plane by plane, all three axes while it is in cache.

    Args:
        grid: float32 ``(A, B, C)``, C order.
        taps: float32, odd length.
    """
    n_a, n_b, n_c = grid.shape
    r = len(taps) // 2
    flat = grid.reshape(n_a, n_b * n_c)
    out = np.empty_like(grid)
    plane = np.empty(n_b * n_c, np.float32)
    padded = np.empty(n_c + 2 * r, np.float32)
    row = padded[r : r + n_c]
    for a in range(n_a):
        here = flat[a]
        for c in range(n_b * n_c):
            plane[c] = taps[r] * here[c]
        for t in range(1, r + 1):
            up, down, tap = flat[min(a + t, n_a - 1)], flat[max(a - t, 0)], taps[r + t]
            for c in range(n_b * n_c):
                plane[c] += tap * (up[c] + down[c])
        for b in range(n_b):
            here = plane[b * n_c : (b + 1) * n_c]
            for c in range(n_c):
                row[c] = taps[r] * here[c]
            for t in range(1, r + 1):
                b0, b1, tap = max(b - t, 0) * n_c, min(b + t, n_b - 1) * n_c, taps[r + t]
                up, down = plane[b1 : b1 + n_c], plane[b0 : b0 + n_c]
                for c in range(n_c):
                    row[c] += tap * (up[c] + down[c])
            padded[:r] = row[0]
            padded[r + n_c :] = row[n_c - 1]
            line = out[a, b]
            for c in range(n_c):
                line[c] = taps[r] * row[c]
            for t in range(1, r + 1):
                up, down, tap = (
                    padded[r + t : r + t + n_c],
                    padded[r - t : r - t + n_c],
                    taps[r + t],
                )
                for c in range(n_c):
                    line[c] += tap * (up[c] + down[c])
    return out


@compiled
def extrema(grid: Array, floor: float) -> Array:
    """Voxels greater (or less) than all their 26 neighbours and beyond ``floor`` (``-floor``).

    Returns:
        int64 ``(n, 3)``, in C order; none at the grid's faces.
    """
    n_a, n_b, n_c = grid.shape
    found = np.empty((grid.size // 8 + 8, 3), np.int64)
    n = 0
    for a in range(1, n_a - 1):
        for b in range(1, n_b - 1):
            for c in range(1, n_c - 1):
                here = grid[a, b, c]
                if abs(here) < floor:
                    continue
                sign = np.float32(1) if here > 0 else np.float32(-1)
                here = here * sign
                is_peak = here > sign * grid[a, b, c - 1] and here > sign * grid[a, b, c + 1]
                if not is_peak:
                    continue
                for i in range(a - 1, a + 2):
                    for j in range(b - 1, b + 2):
                        for k in range(c - 1, c + 2):
                            if (i != a or j != b or k != c) and sign * grid[i, j, k] >= here:
                                is_peak = False
                                break
                        if not is_peak:
                            break
                    if not is_peak:
                        break
                if is_peak and n < len(found):
                    found[n, 0], found[n, 1], found[n, 2] = a, b, c
                    n += 1
    return found[:n]


@compiled
def patches(
    grid: Array, places: Array, offsets: Array, limit: int, apart: float, air: float, unknown: float
) -> tuple[Array, Array]:
    """Cubes sampled around places by linear interpolation, best places first, until enough.

    A place is passed over if it lies closer than `apart` voxels to one that was taken, or if more
    than the share `unknown` of the inner samples lies outside the grid where its edge is no air:
    there the scan ends within the body.

    Args:
        grid: float32 ``(A, B, C)``.
        places: float64 ``(n, 3)``, voxels, best first.
        offsets: float64 ``(m,)``, of the samples of each axis from the place, voxels.
        limit: cubes at most.

    Returns:
        indices of the places taken, int64 ``(t,)``; the cubes, float32 ``(t, m, m, m)``.
    """
    n_a, n_b, n_c = grid.shape
    m = len(offsets)
    limit = min(limit, len(places))
    taken = np.empty(limit, np.int64)
    cubes = np.empty((limit, m, m, m), np.float32)
    inner_low, inner_high = m // 10, m - m // 10
    n_inner = (inner_high - inner_low) ** 3
    n = 0
    low_b, part_b = np.empty(m, np.int64), np.empty(m, np.float32)
    low_c, part_c = np.empty(m, np.int64), np.empty(m, np.float32)
    for p in range(len(places)):
        if n >= limit:
            break
        is_near = False
        for q in range(n):
            d0 = places[p, 0] - places[taken[q], 0]
            d1 = places[p, 1] - places[taken[q], 1]
            d2 = places[p, 2] - places[taken[q], 2]
            if d0 * d0 + d1 * d1 + d2 * d2 < apart * apart:
                is_near = True
                break
        if is_near:
            continue
        for t in range(m):
            at = min(max(places[p, 1] + offsets[t], 0.0), n_b - 1.0)
            low_b[t] = min(int(at), max(n_b - 2, 0))
            part_b[t] = at - low_b[t]
            at = min(max(places[p, 2] + offsets[t], 0.0), n_c - 1.0)
            low_c[t] = min(int(at), max(n_c - 2, 0))
            part_c[t] = at - low_c[t]
        lost = 0
        for x in range(m):
            raw_a = places[p, 0] + offsets[x]
            at = min(max(raw_a, 0.0), n_a - 1.0)
            low_a = min(int(at), max(n_a - 2, 0))
            part_a = np.float32(at - low_a)
            next_a = min(low_a + 1, n_a - 1)
            out_a = raw_a < -0.5 or raw_a > n_a - 0.5
            in_a = inner_low <= x < inner_high
            for y in range(m):
                raw_b = places[p, 1] + offsets[y]
                b0, wb = low_b[y], part_b[y]
                b1 = min(b0 + 1, n_b - 1)
                out_b = raw_b < -0.5 or raw_b > n_b - 0.5
                in_b = inner_low <= y < inner_high
                for z in range(m):
                    c0, wc = low_c[z], part_c[z]
                    c1 = min(c0 + 1, n_c - 1)
                    v00 = grid[low_a, b0, c0] + wc * (grid[low_a, b0, c1] - grid[low_a, b0, c0])
                    v01 = grid[low_a, b1, c0] + wc * (grid[low_a, b1, c1] - grid[low_a, b1, c0])
                    v10 = grid[next_a, b0, c0] + wc * (grid[next_a, b0, c1] - grid[next_a, b0, c0])
                    v11 = grid[next_a, b1, c0] + wc * (grid[next_a, b1, c1] - grid[next_a, b1, c0])
                    v0, v1 = v00 + wb * (v01 - v00), v10 + wb * (v11 - v10)
                    value = v0 + part_a * (v1 - v0)
                    cubes[n, x, y, z] = value
                    if in_a and in_b and inner_low <= z < inner_high and value > air:
                        raw_c = places[p, 2] + offsets[z]
                        if out_a or out_b or raw_c < -0.5 or raw_c > n_c - 0.5:
                            lost += 1
        if lost <= unknown * n_inner:
            taken[n] = p
            n += 1
    return taken[:n], cubes[:n]


@_fast
def spectra(cubes: Array, window: Array, basis: Array) -> Array:
    """Separable transform of cubes less their weighted mean, times the window.

    Args:
        cubes: float32 ``(n, m, m, m)``.
        window: float32 ``(m, m, m)``, weights.
        basis: float32 ``(f, m)``, one row per frequency.

    Returns:
        float32 ``(n, f, f, f)``.
    """
    n, m, f = cubes.shape[0], cubes.shape[1], basis.shape[0]
    out = np.zeros((n, f, f, f), np.float32)
    rows = np.ascontiguousarray(basis.T)
    plane = np.empty((m, f), np.float32)
    small = np.empty((f, f), np.float32)
    total = np.float32(0)
    for x in range(m):
        for y in range(m):
            for z in range(m):
                total += window[x, y, z]
    for cube in range(n):
        mean = np.float32(0)
        for x in range(m):
            for y in range(m):
                for z in range(m):
                    mean += cubes[cube, x, y, z] * window[x, y, z]
        mean /= total
        for x in range(m):
            plane[:] = np.float32(0)
            for y in range(m):
                for z in range(m):
                    value = (cubes[cube, x, y, z] - mean) * window[x, y, z]
                    for c in range(f):
                        plane[y, c] += value * rows[z, c]
            small[:] = np.float32(0)
            for y in range(m):
                for b in range(f):
                    for c in range(f):
                        small[b, c] += rows[y, b] * plane[y, c]
            for a in range(f):
                for b in range(f):
                    for c in range(f):
                        out[cube, a, b, c] += rows[x, a] * small[b, c]
    return out
