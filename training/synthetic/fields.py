"""Smooth random fields in millimetres: cubic B-splines over random knots, unit variance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def smooth_noise(
    shape: Sequence[int],
    spacing: Sequence[float],
    length_mm: float,
    generator: np.random.Generator,
) -> Floats:
    """Gaussian noise of mean 0 and variance 1 at every voxel, correlated over about `length_mm`.

    One small matrix per axis spreads the knots over the voxels; a Gaussian filter over white
    noise of the same length takes some twenty times as long. A length below a voxel is a voxel.
    """
    matrices = [
        _spread(n, max(length_mm / s, 1.0), generator) for n, s in zip(shape, spacing, strict=True)
    ]
    field = generator.standard_normal([m.shape[1] for m in matrices], dtype=np.float32)
    for axis, matrix in enumerate(matrices):
        field = np.moveaxis(np.tensordot(matrix, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field)


def _spread(n: int, step: float, generator: np.random.Generator) -> Floats:
    """Weights ``(n, knots)`` of knots `step` voxels apart from a random start; rows of length 1."""
    place = np.arange(n) / step + generator.random()
    first = np.floor(place).astype(int)
    t = place - first
    weights = np.stack(
        [
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        ],
        axis=1,
    )
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    matrix = np.zeros((n, int(first[-1]) + 4), dtype=np.float32)
    np.put_along_axis(matrix, first[:, None] + np.arange(4), weights.astype(np.float32), axis=1)
    return matrix
