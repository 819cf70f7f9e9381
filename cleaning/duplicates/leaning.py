"""Scans whose axes lean against each other by some degrees, or are sheared by a gantry's tilt.

What the headers say of it is taken as told. What they do not say (a copy turned to augment it, or
brought onto an atlas) is found by Gauss-Newton steps on coarse images: shift, turn, gain, offset.
"""

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.differences import Vector
from cleaning.duplicates.hashing import ScanCodes
from cleaning.duplicates.placing import Matrix
from cleaning.duplicates.registration import BODY, Image, blurred_on, sampled

VOXELS = 28  # mean side of the coarse images
STEPS = 14
LEAST_GAIN = 1e-4  # of correlation
MAX_STEP_DEGREES = 2.0
MAX_DEGREES = 12.0
UPRIGHT_DEGREES = 0.4  # less is none: images of 4 mm do not show it


def told_lean(one: ScanCodes, other: ScanCodes) -> Matrix:
    """How the axes of the second lie on those of the first, as the headers say, ``(3, 3)``.

    The unit matrix if they do not lean, or by more than can be a lean.
    """
    told = np.linalg.solve(one.frame[:3, :3], other.frame[:3, :3])
    most = np.abs(told - np.eye(3)).max()
    is_lean = np.deg2rad(UPRIGHT_DEGREES) < most < np.deg2rad(2 * MAX_DEGREES)
    return np.asarray(told, np.float64) if is_lean else np.eye(3)


def degrees(lean: Matrix) -> float:
    """The angle of a lean: of the turn in it."""
    u, _, v = np.linalg.svd(lean)
    return float(np.rad2deg(np.arccos(np.clip((np.trace(u @ v) - 1) / 2, -1, 1))))


def leaned_image(image: Image, lean: Matrix) -> tuple[Image, Matrix]:
    """The image on leaning axes, and the matrix ``(4, 4)`` from old to new mm (about the origin).

    Where it does not reach, its border goes on: air there would be an edge that nobody has.
    """
    from scipy.ndimage import affine_transform

    ends = np.array(np.meshgrid(*zip(np.zeros(3), image.size_mm, strict=True))).reshape(3, -1).T
    ends = (ends + image.corner_mm) @ lean.T
    corner, shape = ends.min(axis=0), np.ceil(np.ptp(ends, axis=0) / image.cube_mm).astype(int)
    back = np.linalg.inv(lean)
    step = back * image.cube_mm / image.cube_mm[:, None]
    first = (back @ (corner + image.cube_mm / 2) - image.corner_mm) / image.cube_mm - 0.5
    values = affine_transform(
        image.values, step, first, output_shape=tuple(shape), order=1, mode="nearest"
    )
    way = np.eye(4)
    way[:3, :3] = lean
    return Image(np.asarray(values, np.float32), image.cube_mm, corner), way


def found_lean(one: Image, other: Image, offset_mm: Vector) -> tuple[Matrix, Vector] | None:
    """The lean of the second image against the first, and the offset once it is leaned by it.

    Args:
        one, other: images.
        offset_mm: about where they fit without a lean.

    Returns:
        None where there is none that helps.
    """
    voxel = np.full(3, float(min(np.prod(one.size_mm), np.prod(other.size_mm))) ** (1 / 3) / VOXELS)
    voxel = np.maximum(voxel, np.maximum(one.cube_mm, other.cube_mm))
    a, b = blurred_on(one, voxel), blurred_on(other, voxel)
    places = a.corner_mm + (np.indices(a.values.shape).reshape(3, -1).T + 0.5) * a.cube_mm
    middle = places[a.values.ravel() > BODY].mean(axis=0) if (a.values > BODY).any() else places[0]
    turn, shift = np.eye(3), np.asarray(offset_mm, np.float64)
    best: tuple[float, Matrix, Vector] = (-1.0, turn, shift)
    first = None
    for _ in range(STEPS):
        step, near = _step(a, b, places - middle, turn, middle + shift)
        first = near if first is None else first
        is_nearer = near > best[0] + LEAST_GAIN
        if near > best[0]:
            best = near, turn, shift
        if step is None or not is_nearer:
            break
        shift = shift + np.clip(step[:3], -1.5 * voxel, 1.5 * voxel)
        turn = _rotation(step[3:]) @ turn
    near, turn, shift = best
    angle = degrees(turn)
    if first is None or near <= first or not UPRIGHT_DEGREES < angle < MAX_DEGREES:
        return None
    return turn.T, turn.T @ (middle + shift) - middle


def _step(
    a: Image, b: Image, arms: npt.NDArray[np.float64], turn: Matrix, middle: Vector
) -> tuple[npt.NDArray[np.float64] | None, float]:
    """Shift in mm and turn in radians that bring the second nearer, and the correlation before."""
    turned = arms @ turn.T
    there = sampled(b, turned + middle)
    image = there.reshape(a.values.shape)
    body = (a.values > BODY) | (np.nan_to_num(image) > BODY)
    slopes = np.stack([g / s for g, s in zip(np.gradient(image), a.cube_mm, strict=True)], axis=-1)
    good = (body & np.isfinite(image) & np.isfinite(slopes).all(axis=-1)).ravel()
    if good.sum() < 200:
        return None, -1.0
    x, y = a.values.ravel()[good].astype(np.float64), there[good].astype(np.float64)
    near = float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else 0.0
    steep = slopes.reshape(-1, 3)[good] @ turn.T  # of the second, along its own axes
    arm = turned[good]
    design = np.concatenate(
        [-steep, -np.cross(arm, steep), x[:, None], np.ones((len(x), 1))], axis=1
    )
    normal = design.T @ design
    scale = np.sqrt(np.maximum(np.diag(normal), 1e-12))
    normal = normal / scale / scale[:, None] + 1e-6 * np.eye(8)
    solved = np.linalg.solve(normal, design.T @ y / scale) / scale
    angle = np.linalg.norm(solved[3:6])
    most = np.deg2rad(MAX_STEP_DEGREES)
    return np.concatenate([solved[:3], solved[3:6] * min(1.0, most / max(angle, 1e-9))]), near


def _rotation(vector: npt.NDArray[np.float64]) -> Matrix:
    from scipy.spatial.transform import Rotation

    return np.asarray(Rotation.from_rotvec(vector).as_matrix(), np.float64)
