"""Volumes on other grids: reoriented, resampled, cropped, padded; the affine always goes along.

World coordinates never move: a voxel of the result shows what the source shows at the same place in
mm. ``order`` is 0 (nearest: masks and label maps) or 1 (linear: images).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate import _interpolation
from voxcurate.errors import GeometryError
from voxcurate.masks import bounding_box, largest_component
from voxcurate.volume import Affine, Box, Volume, orientation_of

OPPOSITE = dict(zip("RLAPSI", "LRPAIS", strict=True))
BODY_HU = -500
Spacing = tuple[float, float, float]
Shape = tuple[int, int, int]


def reorient(volume: Volume, orientation: str = "RAS") -> Volume:
    """Axes permuted and flipped so that they point as wanted; a view, no value is interpolated.

    Args:
        volume: any volume; of an oblique one each axis counts as its nearest direction.
        orientation: three letters, one of each pair R/L, A/P, S/I.

    Raises:
        GeometryError: `orientation` is no orientation.
    """
    wanted = orientation.upper()
    if sorted(min(letter, OPPOSITE.get(letter, "?")) for letter in wanted) != ["A", "I", "L"]:
        raise GeometryError(f"want an orientation such as 'RAS', found {orientation!r}")
    have = volume.orientation
    axes = [_axis_of(have, letter) for letter in wanted]
    change = np.zeros((4, 4))
    change[3, 3] = 1
    array = volume.array.transpose(axes)
    cut = []
    for new, old in enumerate(axes):
        is_same = have[old] == wanted[new]
        change[old, new] = 1 if is_same else -1
        change[old, 3] = 0 if is_same else volume.shape[old] - 1
        cut.append(slice(None) if is_same else slice(None, None, -1))
    return Volume(array[tuple(cut)], volume.affine @ change)


def resample(
    volume: Volume,
    spacing: Spacing,
    *,
    order: int | None = None,
    is_label: bool = False,
    anti_alias: bool = False,
) -> Volume:
    """The same field of view with another spacing.

    The grid keeps its directions and its centre; the number of voxels is rounded, at least 1.

    Args:
        volume: the source.
        spacing: wanted, mm, in array order; kept exactly.
        order: 0 or 1; None: 0 for labels, else 1.
        is_label: a mask or label map: nearest, no blur.
        anti_alias: blur along axes that get coarser by a factor f, by a Gaussian of
            ``sqrt(f^2 - 1) / 2`` voxels.

    Raises:
        GeometryError: a spacing that is not positive, or an order that is not 0 or 1.
    """
    if not all(0 < step < float("inf") for step in spacing):
        raise GeometryError(f"want a spacing of three positive numbers in mm, found {spacing}")
    have = np.asarray(volume.spacing)
    factor = np.asarray(spacing) / have
    i, j, k = (max(1, round(n / f)) for n, f in zip(volume.shape, factor, strict=True))
    affine = volume.affine.copy()
    affine[:3, :3] *= factor
    middle = (np.asarray(volume.shape) - 1) / 2
    centre = volume.affine[:3, :3] @ middle + volume.affine[:3, 3]
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array([i, j, k]) - 1) / 2)
    chosen = (0 if is_label else 1) if order is None else order
    blurred = blurred_for(volume, factor) if anti_alias and chosen == 1 else volume
    return resample_to(blurred, (i, j, k), affine, order=chosen)


def blurred_for(volume: Volume, factor: npt.NDArray[np.float64]) -> Volume:
    """A volume without the detail that a grid coarser by the given factors cannot hold.

    A Gaussian of ``sqrt(f^2 - 1) / 2`` voxels along each axis whose factor f is above 1.
    """
    from scipy.ndimage import gaussian_filter1d

    array = volume.array.astype(np.float32)
    for axis, f in enumerate(factor):
        if f > 1:
            array = gaussian_filter1d(array, np.sqrt(f * f - 1) / 2, axis=axis, mode="nearest")
    return volume.with_array(_as_type(array, volume.array.dtype))


def resample_to(
    volume: Volume,
    shape: Shape,
    affine: npt.ArrayLike,
    *,
    order: int,
    fill: float | None = None,
) -> Volume:
    """A volume on a given grid.

    Places up to half a voxel beyond the outer centres belong to the outer voxels; what lies farther
    out is filled. Integer types are kept (linear values are rounded), float stays float32.

    Args:
        volume: the source.
        shape: ``(I, J, K)`` of the result.
        affine: of the result.
        order: 0 nearest, 1 linear.
        fill: value outside the source; None: 0 for order 0, else the smallest source value.

    Raises:
        GeometryError: an impossible shape, affine or order.
    """
    if order not in (0, 1):
        raise GeometryError(f"want order 0 (nearest) or 1 (linear), found {order}")
    if min(shape) < 1:
        raise GeometryError(f"want a shape (I, J, K) of at least 1 voxel each, found {shape}")
    target = Volume(np.broadcast_to(np.uint8(0), shape), np.asarray(affine, dtype=np.float64))
    if fill is None:
        fill = float(volume.array.min()) if order == 1 else 0.0
    source = _aligned(volume, target.affine)
    matrix = np.linalg.inv(source.affine) @ target.affine
    diagonal = np.diag(np.diag(matrix[:3, :3]))
    if np.allclose(matrix[:3, :3], diagonal, rtol=0, atol=1e-9 / max(shape)):
        array = _along_axes(source.array, matrix, shape, order, fill)
    else:
        array = _through_affine(source.array, matrix, shape, order, fill)
    return Volume(array, target.affine)


def crop(volume: Volume, box: Box) -> Volume:
    """The part of a volume inside a box; a view.

    Raises:
        GeometryError: the box is empty or leaves the volume.
    """
    for side, n in zip(box, volume.shape, strict=True):
        if side.step not in (None, 1) or not 0 <= side.start < side.stop <= n:
            raise GeometryError(f"want a box within {volume.shape}, found {box}")
    return Volume(volume.array[box], _moved(volume.affine, [side.start for side in box]))


def pad(volume: Volume, before: Shape, after: Shape | None = None, *, value: float = 0) -> Volume:
    """A volume with a margin of voxels.

    Args:
        volume: the source.
        before: voxels to add before the first, per axis.
        after: voxels to add after the last; None: as many.
        value: what they hold (CT: -1000).

    Raises:
        GeometryError: a negative width.
    """
    behind = before if after is None else after
    if min(*before, *behind) < 0:
        raise GeometryError(f"want margins of 0 voxels or more, found {before} and {behind}")
    widths = list(zip(before, behind, strict=True))
    array = np.pad(volume.array, widths, constant_values=value)
    return Volume(array, _moved(volume.affine, [-n for n in before]))


def body_box(ct: Volume, *, margin_mm: float = 0.0, threshold_hu: float = BODY_HU) -> Box | None:
    """Box around the body: the largest 6-connected piece above the threshold.

    Worked out on every n-th voxel, about 4 mm apart, so its sides lie up to that much too far out,
    and parts thinner than that may be missed. A table that touches the body is within the box.

    Returns:
        The box, or None if nothing is above the threshold.
    """
    steps = [max(1, round(4.0 / step)) for step in ct.spacing]
    coarse = ct.array[tuple(slice(None, None, step) for step in steps)] > threshold_hu
    box = bounding_box(largest_component(coarse, connectivity=6))
    if box is None:
        return None
    extra = [round(margin_mm / step) for step in ct.spacing]
    i, j, k = (
        slice(max(0, (side.start - 1) * step + 1 - e), min(n, side.stop * step + e))
        for side, step, e, n in zip(box, steps, extra, ct.shape, strict=True)
    )
    return i, j, k


def ras_axes(affine: npt.NDArray[np.float64]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """For each RAS axis, the array axis nearest to it, and whether that one runs the other way."""
    from itertools import permutations

    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    best = max(permutations(range(3)), key=lambda p: sum(abs(unit[w, p[w]]) for w in range(3)))
    return best, tuple(bool(unit[world, axis] < 0) for world, axis in enumerate(best))


def _axis_of(orientation: str, letter: str) -> int:
    return next(n for n, have in enumerate(orientation) if have in (letter, OPPOSITE[letter]))


def _moved(affine: Affine, index: list[int]) -> Affine:
    """The affine of a grid whose first voxel is the given index of this one."""
    result = affine.copy()
    result[:3, 3] += affine[:3, :3] @ index
    return result


def _aligned(volume: Volume, affine: Affine) -> Volume:
    """The source reoriented to the target's nearest orientation, so that plain axes match."""
    return reorient(volume, orientation_of(affine))


def _along_axes(
    source: npt.NDArray[Any], matrix: Affine, shape: Shape, order: int, fill: float
) -> npt.NDArray[Any]:
    """The fast way where the axes of both grids agree; the margin outside the source is filled."""
    inner, places = [], []
    for axis, n in enumerate(shape):
        at = matrix[axis, axis] * np.arange(n) + matrix[axis, 3]
        last = source.shape[axis] - 1
        within = (at >= -0.5 - 1e-6) & (at <= last + 0.5 + 1e-6)
        first = int(np.argmax(within))
        inner.append(slice(first, first + int(within.sum())))
        places.append(np.clip(at[within], 0, last))
    box = tuple(inner)
    out = np.empty(shape, source.dtype if order == 0 else np.float32)
    if any(len(at) != n for at, n in zip(places, shape, strict=True)):
        out.fill(fill)
    if all(at.size for at in places):
        if order == 0:
            out[box] = source[np.ix_(*((at + 0.5).astype(np.intp) for at in places))]
        else:
            at_i, at_j, at_k = places
            _interpolation.linear_axes(_plain(source), at_i, at_j, at_k, out[box])
    return out if order == 0 else _as_type(out, source.dtype)


def _through_affine(
    source: npt.NDArray[Any], matrix: Affine, shape: Shape, order: int, fill: float
) -> npt.NDArray[Any]:
    plain = _plain(source)
    out = np.empty(shape, plain.dtype if order == 0 else np.float32)
    value = out.dtype.type(fill)
    _interpolation.through_affine(plain, matrix, order == 1, value, out)
    return out.astype(source.dtype, copy=False) if order == 0 else _as_type(out, source.dtype)


def _plain(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """C order and a type that the compiled loops take."""
    replaced = {"bool": "uint8", "float16": "float32"}
    return np.ascontiguousarray(array, dtype=replaced.get(array.dtype.name, array.dtype))


def _as_type(values: npt.NDArray[np.float32], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Linear values in the source's type: integers rounded; bool is True from one half on."""
    if dtype == np.bool_:
        return values >= 0.5
    if dtype.kind not in "iu":
        return values
    return np.rint(values, out=values).astype(dtype)
