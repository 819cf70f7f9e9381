"""The minimal cut of a band of voxels, by a primal-dual method over the voxels that count."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def minimise(
    cost: Floats,
    weights: Floats,
    free: npt.NDArray[np.bool_],
    edges: npt.NDArray[np.int64],
    strides: npt.NDArray[np.int64],
    start: Floats,
    steps: int,
    step: float,
) -> Any:
    """Minimise ``sum cost u + sum |weights * grad u|`` over 0 <= u <= 1 where `free`.

    Chambolle and Pock, "A first-order primal-dual algorithm" (2011), algorithm 1 with both steps
    equal. All arrays are flat and have a margin of one voxel on each side.

    Args:
        cost: of being inside.
        weights: ``(3, n)``, of the difference to the next voxel along each axis.
        free: voxels that may change.
        edges: voxels whose gradient touches a free one.
        strides: from a voxel to the next along each axis.
        start: u to begin with; kept where not free.
        steps: iterations.
        step: at most ``1 / |weights * grad|``.

    Returns:
        u; its level set at any height is a minimal cut.
    """
    u = start.copy()
    ahead = start.copy()
    dual = np.zeros_like(weights)
    inner = edges[free[edges]]
    s0, s1, s2 = strides[0], strides[1], strides[2]
    for _ in range(steps):
        for n in edges:
            here = ahead[n]
            a = dual[0, n] + step * weights[0, n] * (ahead[n + s0] - here)
            b = dual[1, n] + step * weights[1, n] * (ahead[n + s1] - here)
            c = dual[2, n] + step * weights[2, n] * (ahead[n + s2] - here)
            size = np.sqrt(a * a + b * b + c * c)
            if size > 1.0:
                a, b, c = a / size, b / size, c / size
            dual[0, n], dual[1, n], dual[2, n] = a, b, c
        for n in inner:
            spread = (
                weights[0, n - s0] * dual[0, n - s0] - weights[0, n] * dual[0, n]
                + weights[1, n - s1] * dual[1, n - s1] - weights[1, n] * dual[1, n]
                + weights[2, n - s2] * dual[2, n - s2] - weights[2, n] * dual[2, n]
            )  # fmt: skip
            old = u[n]
            new = min(1.0, max(0.0, old - step * (spread + cost[n])))
            u[n] = new
            ahead[n] = 2.0 * new - old
    return u
