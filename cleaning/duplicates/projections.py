"""A second, independent view: imagehash's phash of mean projections. Cheap, and for pictures.

It knows neither crops nor units, so it proves nothing; but where landmarks say copy and all three
projections differ much, a person should look.
"""

import numpy as np
import numpy.typing as npt

from cleaning.duplicates.thumbnail import Thumbnail

PLANES = {"sagittal": 0, "coronal": 1, "axial": 2}
BITS = 64


def projections(image: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.uint8]]:
    """Mean projections of a small image ``(I, J, K)`` in RAS+ order, 0..255, as seen upright."""
    result = {}
    for name, axis in PLANES.items():
        mean = image.mean(axis=axis)
        span = max(float(np.ptp(mean)), 1e-6)
        shown = np.rint((mean - mean.min()) / span * 255).astype(np.uint8)
        result[name] = np.ascontiguousarray(np.flipud(shown.T))
    return result


def projection_hashes(small: Thumbnail) -> dict[str, str]:
    """phash of each projection of the body, as hex text."""
    import imagehash
    from PIL import Image

    return {
        name: str(imagehash.phash(Image.fromarray(shown)))
        for name, shown in projections(small.image).items()
    }


def projection_distances(one: Thumbnail, other: Thumbnail) -> dict[str, int]:
    """Bits of 64 in which the projections' hashes differ."""
    first, second = projection_hashes(one), projection_hashes(other)
    return {name: (int(first[name], 16) ^ int(second[name], 16)).bit_count() for name in PLANES}
