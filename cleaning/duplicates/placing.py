"""Where scans lie to each other: turned, flipped, scaled and moved; in mm and in the world."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.hashing import ScanCodes, ScanFingerprint
from cleaning.duplicates.registration import BODY, Image

Turn = tuple[tuple[int, int, int], tuple[bool, bool, bool]]
Matrix = npt.NDArray[np.float64]
UPRIGHT: Turn = ((0, 1, 2), (False, False, False))
MIRROR: Turn = ((0, 1, 2), (True, False, False))
IDENTITY: Matrix = np.eye(4)
SAME_SIZE = 0.08


def image_of(mark: ScanFingerprint) -> Image:
    """A fingerprint's thumbnail, to compare."""
    small = mark.thumbnail
    return Image(small.image, np.array(small.cube_mm), np.array(small.corner_mm))


def is_mirror(turn: Turn) -> bool:
    """Left for right and nothing else: what an odd number of flips against upside down is not."""
    return turn == MIRROR


def is_same_size(way: Matrix) -> bool:
    """Whether no axis was scaled by more than 8 %."""
    scales = np.linalg.norm(way[:3, :3], axis=0)
    return bool((np.abs(np.log(scales)) < SAME_SIZE).all())


def inverse_turn(turn: Turn) -> Turn:
    """The turn that undoes one."""
    order, flips = turn
    back = [0, 0, 0]
    undone = [False, False, False]
    for new, old in enumerate(order):
        back[old] = new
        undone[old] = flips[new]
    return (back[0], back[1], back[2]), (undone[0], undone[1], undone[2])


def turned_places(places: npt.NDArray[Any], turn: Turn) -> npt.NDArray[Any]:
    """Places ``(n, 3)`` turned and flipped about the origin."""
    order, flips = turn
    signs = np.where(flips, -1, 1).astype(places.dtype)
    return np.asarray(places[:, list(order)] * signs)


def turned_image(image: Image, turn: Turn) -> tuple[Image, Matrix]:
    """The image turned and flipped about the origin, and the matrix from old to new mm."""
    order, flips = turn
    if turn == UPRIGHT:
        return image, IDENTITY
    steps = tuple(slice(None, None, -1) if flip else slice(None) for flip in flips)
    values = np.ascontiguousarray(image.values.transpose(order)[steps])
    cube, corner = image.cube_mm[list(order)], image.corner_mm[list(order)]
    corner = np.where(flips, -(corner + cube * values.shape), corner)
    way = np.eye(4)
    way[:3, :3] = turned_places(np.eye(3), turn).T
    return Image(values, cube, corner), way


def scaled_to(image: Image, other: Image, way: Matrix) -> tuple[Image, Matrix]:
    """The other image with its body box scaled to the first's, and the matrix after `way`."""
    sizes = []
    for each in (image, other):
        body = each.values > BODY
        size = []
        for axis in range(3):
            inside = np.flatnonzero(body.any(axis=tuple(a for a in range(3) if a != axis)))
            size.append(len(inside) and (inside[-1] + 1 - inside[0]) * each.cube_mm[axis])
        sizes.append(np.maximum(np.array(size, np.float64), 1e-3))
    return scaled_by(other, way, sizes[0] / sizes[1])


def scaled_by(image: Image, way: Matrix, scale: npt.NDArray[np.float64]) -> tuple[Image, Matrix]:
    """The image larger by a factor per axis, and the matrix after `way`."""
    matrix = np.diag([*scale, 1.0])
    larger = replace(image, cube_mm=image.cube_mm * scale, corner_mm=image.corner_mm * scale)
    return larger, matrix @ way


def world_transform(
    one: ScanCodes,
    other: ScanCodes,
    offset_mm: tuple[float, float, float] | None,
    way: Matrix,
) -> Matrix:
    """World mm of `other` to world mm of `one`.

    Args:
        one, other: fingerprints.
        offset_mm: from a place in `one` to the same in `other` after `way`; None: none.
        way: of the canonical mm of `other`: turned, flipped, scaled.
    """
    back = np.eye(4)
    if offset_mm is not None:
        back[:3, 3] = -np.asarray(offset_mm)
    return np.asarray(one.frame @ back @ way @ np.linalg.inv(other.frame), np.float64)
