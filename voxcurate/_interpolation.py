"""Compiled interpolation (numba): along aligned axes, and through any affine."""

import numpy as np

from voxcurate._kernels import Array, _compiled


@_compiled
def linear_axes(source: Array, at_i: Array, at_j: Array, at_k: Array, out: Array) -> None:
    """Trilinear interpolation where the axes of both grids agree.

    Args:
        source: ``(I, J, K)``.
        at_i: float64, positions along source axis 0 of the output's planes, all within the array.
        at_j: likewise for axis 1.
        at_k: likewise for axis 2.
        out: float32, shape of the three.
    """
    n_i, n_j, n_k = source.shape
    row = np.empty(n_k, np.float32)
    first_k = np.empty(at_k.size, np.int64)
    part_k = np.empty(at_k.size, np.float32)
    for k in range(at_k.size):
        first_k[k] = min(int(at_k[k]), max(n_k - 2, 0))
        part_k[k] = at_k[k] - first_k[k]
    step_k = 1 if n_k > 1 else 0
    for i in range(at_i.size):
        i0 = min(int(at_i[i]), max(n_i - 2, 0))
        i1 = min(i0 + 1, n_i - 1)
        w_i = np.float32(at_i[i] - i0)
        for j in range(at_j.size):
            j0 = min(int(at_j[j]), max(n_j - 2, 0))
            j1 = min(j0 + 1, n_j - 1)
            w_j = np.float32(at_j[j] - j0)
            a, b, c, d = source[i0, j0], source[i0, j1], source[i1, j0], source[i1, j1]
            w_d = w_i * w_j
            w_c = w_i - w_d
            w_b = w_j - w_d
            w_a = np.float32(1) - w_i - w_b
            for k in range(n_k):
                row[k] = (
                    w_a * np.float32(a[k])
                    + w_b * np.float32(b[k])
                    + w_c * np.float32(c[k])
                    + w_d * np.float32(d[k])
                )
            line = out[i, j]
            for k in range(at_k.size):
                low = row[first_k[k]]
                line[k] = low + part_k[k] * (row[first_k[k] + step_k] - low)


@_compiled
def through_affine(source: Array, matrix: Array, is_linear: bool, fill: float, out: Array) -> None:
    """Nearest or trilinear interpolation at ``matrix @ (i, j, k, 1)`` for each voxel of `out`.

    Up to half a voxel outside the outer centres the edge goes on; beyond is `fill`.
    """
    n_i, n_j, n_k = source.shape
    o_i, o_j, o_k = out.shape
    tiny = 1e-6
    for i in range(o_i):
        for j in range(o_j):
            for k in range(o_k):
                x = matrix[0, 0] * i + matrix[0, 1] * j + matrix[0, 2] * k + matrix[0, 3]
                y = matrix[1, 0] * i + matrix[1, 1] * j + matrix[1, 2] * k + matrix[1, 3]
                z = matrix[2, 0] * i + matrix[2, 1] * j + matrix[2, 2] * k + matrix[2, 3]
                if (
                    x < -0.5 - tiny
                    or y < -0.5 - tiny
                    or z < -0.5 - tiny
                    or x > n_i - 0.5 + tiny
                    or y > n_j - 0.5 + tiny
                    or z > n_k - 0.5 + tiny
                ):
                    out[i, j, k] = fill
                    continue
                x = min(max(x, 0.0), n_i - 1.0)
                y = min(max(y, 0.0), n_j - 1.0)
                z = min(max(z, 0.0), n_k - 1.0)
                if not is_linear:  # halves go up
                    out[i, j, k] = source[int(x + 0.5), int(y + 0.5), int(z + 0.5)]
                    continue
                i0, j0, k0 = int(x), int(y), int(z)
                i1, j1, k1 = min(i0 + 1, n_i - 1), min(j0 + 1, n_j - 1), min(k0 + 1, n_k - 1)
                u, v, w = x - i0, y - j0, z - k0
                low = (1 - v) * ((1 - w) * source[i0, j0, k0] + w * source[i0, j0, k1]) + v * (
                    (1 - w) * source[i0, j1, k0] + w * source[i0, j1, k1]
                )
                high = (1 - v) * ((1 - w) * source[i1, j0, k0] + w * source[i1, j0, k1]) + v * (
                    (1 - w) * source[i1, j1, k0] + w * source[i1, j1, k1]
                )
                out[i, j, k] = (1 - u) * low + u * high
