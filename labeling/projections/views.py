"""Which way a picture looks, what is left and on top in it, and how large it becomes."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxcurate.errors import ConfigError
from voxcurate.volume import Affine, Volume, orientation_of, spacing_of

MINIMUM_SIDE = 64
MAX_SIDE = 512
View = Literal["frontal", "lateral", "axial", "coronal", "sagittal"]
# the axis looked along (R, A, S), the letters at left, right, top and bottom of the picture
VIEWS: dict[str, tuple[int, str]] = {
    "frontal": (1, "RLSI"),
    "coronal": (1, "RLSI"),
    "lateral": (0, "APSI"),
    "sagittal": (0, "APSI"),
    "axial": (2, "RLAP"),
}


@dataclass(frozen=True)
class Placing:
    """How a stored array lies in the patient: its nearest axes in the order R, A, S.

    Attributes:
        order: the array axes nearest to R, A and S.
        flips: whether each of them (R, A, S) runs the other way.
        extent_mm: of the array along R, A, S.
    """

    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]
    extent_mm: tuple[float, float, float]

    @classmethod
    def of(cls, affine: Affine, shape: tuple[int, ...]) -> "Placing":
        """Of an array of a shape under an affine; oblique axes count as the nearest ones."""
        letters, spacing = orientation_of(affine), spacing_of(affine)
        r, a, s = (next(n for n, x in enumerate(letters) if x in p) for p in ("RL", "AP", "SI"))
        order = (r, a, s)
        flips = tuple(letters[n] not in "RAS" for n in order)
        extent = tuple(shape[n] * spacing[n] for n in order)
        return cls(order, flips, extent)  # type: ignore[arg-type]  # three of each

    def canonical(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The array with axes in the order R, A, S, each running that way (a view)."""
        turned = array.transpose(self.order)
        return turned[tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)]

    def picture(self, plane: npt.NDArray[Any], along: int) -> npt.NDArray[Any]:
        """A plane over the array's other axes, in their stored order, as rows from the top and
        columns from the left: R or A on the left, S (A in axial views) on top (a view)."""
        across, up = (n for n in range(3) if n != along)
        if self.order[across] > self.order[up]:
            plane = plane.T
        # the world axes run to R, A, S: their ends come first in a picture
        columns = slice(None, None, 1 if self.flips[across] else -1)
        rows = slice(None, None, 1 if self.flips[up] else -1)
        return plane[columns, rows].T

    def size(self, along: int, max_side: int) -> tuple[int, int]:
        """Width and height with pixels of equal size, the longer side `max_side`."""
        width, height = (self.extent_mm[n] for n in range(3) if n != along)
        scale = max_side / max(width, height)
        return max(MINIMUM_SIDE, round(width * scale)), max(MINIMUM_SIDE, round(height * scale))


def view_of(axis: str) -> tuple[int, str]:
    """The axis looked along (R, A, S) and the letters of a view.

    Raises:
        ConfigError: no such view.
    """
    if axis not in VIEWS:
        raise ConfigError(f"no view {axis!r}; there are: {', '.join(sorted(VIEWS))}")
    return VIEWS[axis]


def canonical(array: npt.NDArray[Any], volume: Volume) -> npt.NDArray[Any]:
    """The array's axes in the order R, A, S, each running that way (nearest axes, a view)."""
    return Placing.of(volume.affine, volume.shape).canonical(array)


def resized(picture: npt.NDArray[Any], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Grey values 0..255 at another size (width, height), bilinear."""
    from PIL import Image

    plane = Image.fromarray(np.ascontiguousarray(picture, np.float32))
    grown = np.asarray(plane.resize(size, Image.Resampling.BILINEAR))
    return np.asarray(np.clip(np.rint(grown), 0, 255), dtype=np.uint8)


def resized_mask(picture: npt.NDArray[np.bool_], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """A mask at another size (width, height): of the pixels in its place the nearest one, or where
    it shrinks, whether any is set, so that no thin vessel breaks."""
    for axis, wanted in enumerate(reversed(size)):
        n = picture.shape[axis]
        if wanted >= n:
            nearest = np.minimum((np.arange(wanted) + 0.5) * n / wanted, n - 1).astype(np.intp)
            picture = picture.take(nearest, axis)
        else:
            starts = np.arange(wanted) * n // wanted
            picture = np.logical_or.reduceat(picture, starts, axis)
    return picture
