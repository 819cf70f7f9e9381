"""Planted duplicates: the same scan again, under another name and in another guise."""

import numpy as np
from scipy import ndimage

from agent.cohort.scanner import Acquired, reorient

_COARSER = 1.2


def duplicate(scan: Acquired, kind: str, rng: np.random.Generator) -> Acquired:
    """The copy of a scan; the kinds that copy bytes or re-encode leave it as it is.

    Raises:
        KeyError: no such kind.
    """
    return _MAKERS[kind](scan, rng)


def _same(scan: Acquired, rng: np.random.Generator) -> Acquired:
    return scan


def _reoriented(scan: Acquired, rng: np.random.Generator) -> Acquired:
    return reorient(scan, "PSL")


def _rescaled(scan: Acquired, rng: np.random.Generator) -> Acquired:
    changed = scan.image * np.float32(1.03) + np.float32(9) + rng.normal(0, 6, scan.image.shape)
    image = np.rint(np.clip(changed, -1024, 3071)).astype(np.int16)
    return Acquired(image, scan.organs, scan.tumor, scan.affine)


def _cropped(scan: Acquired, rng: np.random.Generator) -> Acquired:
    low = rng.integers(1, 4, 3)
    high = np.asarray(scan.organs.shape) - rng.integers(1, 4, 3)
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    affine = scan.affine.copy()
    affine[:3, 3] += affine[:3, :3] @ low
    arrays = (np.ascontiguousarray(array[box]) for array in (scan.image, scan.organs, scan.tumor))
    image, organs, tumor = arrays
    return Acquired(image, organs, tumor, affine)  # type: ignore[arg-type]


def _resampled(scan: Acquired, rng: np.random.Generator) -> Acquired:
    """Coarser along the two axes of the plane of acquisition with the finest voxels."""
    spacing = np.asarray(scan.spacing)
    factors = np.where(spacing == spacing.max(), 1.0, _COARSER)
    shape = np.floor((np.asarray(scan.organs.shape) - 1) / factors).astype(int) + 1
    affine = scan.affine.copy()
    affine[:3, :3] = affine[:3, :3] @ np.diag(factors)
    output = tuple(shape.tolist())

    def pick(array: np.ndarray, order: int) -> np.ndarray:
        matrix = np.diag(factors)
        moved = ndimage.affine_transform(
            array, matrix, output_shape=output, order=order, mode="nearest"
        )
        return np.asarray(moved, array.dtype)

    image = np.rint(pick(scan.image.astype(np.float32), 1)).astype(np.int16)
    tumor = pick(scan.tumor.astype(np.uint8), 0).astype(np.bool_)
    return Acquired(image, pick(scan.organs, 0), tumor, affine)


_MAKERS = {
    "exact": _same,
    "exact_elsewhere": _same,
    "reencoded": _same,
    "reoriented": _reoriented,
    "rescaled": _rescaled,
    "cropped": _cropped,
    "resampled": _resampled,
}
