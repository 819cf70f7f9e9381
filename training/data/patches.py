"""Patches: what a network gets to see of a case, augmented with what is cheap on a CPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.config import AugmentConfig
from training.data.cases import LOWEST_HU, PreparedCase
from voxcurate._interpolation import through_affine
from voxcurate.classes import ClassInfo, Vocabulary

COORDINATE_MM = 200.0  # a coordinate of 1
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pose:
    """How a patch lies in its case: ``index = matrix @ (q - middle) + centre``."""

    centre: tuple[float, float, float]
    matrix: npt.NDArray[np.float64]
    is_mirrored: bool = False

    def affine(self, shape: Sequence[int]) -> npt.NDArray[np.float64]:
        """``(3, 4)`` from the voxels of a patch of that shape to the case's."""
        middle = (np.asarray(shape) - 1) / 2
        offset = np.asarray(self.centre) - self.matrix @ middle
        return np.column_stack([self.matrix, offset])


class Strength(NamedTuple):
    """How a patch's HU are varied: ``hu * gain + level`` plus noise of a standard deviation."""

    gain: float
    level: float
    noise: float


@dataclass(frozen=True)
class Patch:
    """One sample: HU, masks, what is known, and where it lies.

    `hu` and `position` (3 channels) have the patch's shape, `target` and `weight` a leading class
    axis.
    """

    hu: Floats
    position: Floats
    target: Floats
    weight: Floats


def straight(centre: Sequence[float]) -> Pose:
    """A pose without augmentation."""
    return Pose((float(centre[0]), float(centre[1]), float(centre[2])), np.eye(3))


def random_pose(
    centre: Sequence[float],
    spacing: Sequence[float],
    config: AugmentConfig,
    can_mirror: bool,
    generator: np.random.Generator,
) -> Pose:
    """A small rotation and scaling in millimetres, and left for right where that is allowed."""
    angles = np.deg2rad(generator.uniform(-1, 1, 3) * config.rotation_deg)
    scale = 1 + generator.uniform(-1, 1, 3) * config.scale
    is_mirrored = bool(can_mirror and generator.random() < 0.5)
    turn = _rotation(angles) @ np.diag(scale)
    if is_mirrored:
        turn = np.diag((-1.0, 1.0, 1.0)) @ turn
    size = np.asarray(spacing)
    matrix = turn * size[None, :] / size[:, None]
    return Pose((float(centre[0]), float(centre[1]), float(centre[2])), matrix, is_mirrored)


def cut(
    case: PreparedCase, pose: Pose, shape: Sequence[int], swap: npt.NDArray[np.int64] | None = None
) -> Patch:
    """A patch of a case; outside it there is air without structures.

    Args:
        shape: of the patch.
        swap: class of each class after mirroring (-1: unknown then); used by mirrored poses.
    """
    n_classes = len(case.known)
    affine = pose.affine(shape)
    hu = np.empty(tuple(shape), np.float32)
    through_affine(np.asarray(case.image), affine, True, LOWEST_HU, hu)
    bits = _bits(case.packed, affine, shape)
    target = np.unpackbits(bits, axis=0, count=n_classes).astype(np.float32)
    weight = np.broadcast_to(
        (case.weight * case.known)[:, None, None, None], (n_classes, 1, 1, 1)
    ).astype(np.float32)
    if case.known_packed is not None:
        speaks = _bits(case.known_packed, affine, shape)
        weight = weight * np.unpackbits(speaks, axis=0, count=n_classes)
    if pose.is_mirrored and swap is not None:
        target = target[swap]
        target[swap < 0] = 0.0  # unknown: no organ to grow a tumour in either
        weight = weight[swap] * (swap >= 0)[:, None, None, None].astype(np.float32)
    return Patch(hu, positions(case.image.shape, case.spacing, pose, shape), target, weight)


def _bits(
    packed: npt.NDArray[np.uint8], affine: npt.NDArray[np.float64], shape: Sequence[int]
) -> npt.NDArray[np.uint8]:
    """The nearest voxel's bits; none outside."""
    found = np.empty((len(packed), *shape), np.uint8)
    for source, target in zip(packed, found, strict=True):
        through_affine(np.asarray(source), affine, False, 0, target)
    return found


def positions(
    case_shape: Sequence[int], spacing: Sequence[float], pose: Pose, shape: Sequence[int]
) -> Floats:
    """Where each voxel lies: mm from the body's middle to the right and the front, over 200; and
    the height within the body, -1 to 1."""
    result = np.empty((3, *shape), dtype=np.float32)
    for axis in range(3):
        half = (case_shape[axis] - 1) / 2
        away = pose.centre[axis] - half
        if axis == 0 and pose.is_mirrored:
            away = -away
        line = away + np.arange(shape[axis]) - (shape[axis] - 1) / 2
        unit = max(half, 1.0) if axis == 2 else COORDINATE_MM / spacing[axis]
        view = [1, 1, 1]
        view[axis] = shape[axis]
        result[axis] = (line / unit).reshape(view)
    return result


def vary(hu: Floats, config: AugmentConfig, generator: np.random.Generator) -> Floats:
    """HU with another level, contrast and noise."""
    drawn = strength(config, generator)
    varied = hu * np.float32(drawn.gain) + np.float32(drawn.level)
    if drawn.noise:
        varied += generator.standard_normal(hu.shape, dtype=np.float32) * np.float32(drawn.noise)
    return varied


def strength(config: AugmentConfig, generator: np.random.Generator) -> Strength:
    """How much a sample is varied."""
    return Strength(
        gain=1 + float(generator.uniform(-1, 1)) * config.contrast,
        level=float(generator.uniform(-1, 1)) * config.shift_hu,
        noise=float(generator.random()) * config.noise_hu,
    )


def channels(hu: Floats, position: Floats, windows: Sequence[tuple[float, float]]) -> Floats:
    """The network's input ``(C, I, J, K)``: each window scaled to -1..1, then the position."""
    result = np.empty((len(windows) + len(position), *hu.shape), dtype=np.float32)
    for n, (low, high) in enumerate(windows):
        np.clip((hu - low) * (2 / (high - low)) - 1, -1, 1, out=result[n])
    result[len(windows) :] = position
    return result


def mirror_swap(
    classes: Sequence[str], vocabulary: Vocabulary, config: AugmentConfig
) -> npt.NDArray[np.int64] | None:
    """Which class each class shows in a mirror; None if mirroring is not allowed.

    A class whose other side is not in the list, or that lies in a region that is not alike on both
    sides (a mirrored liver would be a lie), is unknown (-1) in a mirrored patch. Left to itself,
    mirroring happens if at least half of the classes can be learnt from it. `mirror: true` takes
    every class without a side as alike on both sides.
    """
    if config.mirror is False:
        return None
    swap = np.arange(len(classes))
    for n, class_id in enumerate(classes):
        known = class_id in vocabulary
        info = vocabulary[class_id] if known else ClassInfo(id=class_id)
        if info.side:
            swap[n] = classes.index(info.pair) if info.pair in classes else -1
        elif not config.mirror and info.region not in config.symmetric_regions:
            swap[n] = -1
    enough = config.mirror or 2 * int((swap >= 0).sum()) >= len(classes)
    return swap if enough else None


def _rotation(angles: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    (a, b, c), (x, y, z) = np.cos(angles), np.sin(angles)
    about_x = np.array([[1, 0, 0], [0, a, -x], [0, x, a]])
    about_y = np.array([[b, 0, y], [0, 1, 0], [-y, 0, b]])
    about_z = np.array([[c, -z, 0], [z, c, 0], [0, 0, 1]])
    rotated: npt.NDArray[np.float64] = about_z @ about_y @ about_x
    return rotated
