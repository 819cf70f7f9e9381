"""A second, independent view: imagehash's phash of mean projections. Cheap, and for pictures.

Two scans are laid on each other where their landmarks say, cut to what both show, and projected
from the side, the front and above: so a crop changes nothing. Copies, leaning ones and other
phases, differ in at most 40 of the 192 bits, other patients in 36 to 98, half of them in 60 and
more (docs/duplicates.md). Far ones need no comparison, which costs ten times as much.
"""

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.differences import Vector
from cleaning.duplicates.registration import Image, aligned

PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
BITS = 3 * 64


def projections(image: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.uint8]]:
    """Mean projections of a small image ``(I, J, K)`` in RAS+ order, 0..255, as seen upright."""
    result = {}
    for name, axis in PLANES.items():
        mean = image.mean(axis=axis)
        span = max(float(np.ptp(mean)), 1e-6)
        shown = np.rint((mean - mean.min()) / span * 255).astype(np.uint8)
        result[name] = np.ascontiguousarray(np.flipud(shown.T))
    return result


def projection_bits(one: Image, other: Image, offset_mm: Vector) -> int:
    """Bits of 192 in which the projections of what both show differ.

    Args:
        one, other: images.
        offset_mm: from a place in `one` to the same in `other`.
    """
    import imagehash
    from PIL import Image as Picture

    first, second, _ = aligned(one, other, offset_mm)
    differ = 0
    for a, b in zip(projections(first).values(), projections(second).values(), strict=True):
        differ += imagehash.phash(Picture.fromarray(a)) - imagehash.phash(Picture.fromarray(b))
    return int(differ)
