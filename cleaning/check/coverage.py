"""How much of the body the scan holds: cut off at the field of view, or padded inside."""

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from cleaning.check.anatomy import Anatomy, Mask

ON_CIRCLE_VOXELS = 1.5


def cut_off(body: Anatomy) -> tuple[float, npt.NDArray[np.float64]]:
    """Share of the body's axial outline that lies on the border of the field of view, over all
    planes and plane by plane.

    The border is the array's, that of what was padded, or, where the corners hold one value alone,
    the circle inside the array.
    """
    outline = body.inside() & body.seen
    edge = outline & ~ndimage.binary_erosion(outline, _IN_PLANE, border_value=0)
    at_border = np.zeros_like(edge)
    at_border[[0, -1]] = True
    at_border[:, [0, -1]] = True
    if not body.is_masked:
        at_border |= ndimage.binary_dilation(~body.seen, _IN_PLANE)
    circle = _circle(body)
    if circle is not None:
        at_border |= circle[:, :, None]
    touching, whole = (edge & at_border).sum((0, 1)), edge.sum((0, 1))
    share = touching / np.maximum(whole, 1)
    return float(touching.sum() / max(1, whole.sum())), np.asarray(share, np.float64)


def padded_inside(body: Anatomy) -> tuple[float, npt.NDArray[np.float64]]:
    """Padding within the field of view, as a share of the body's inside, and plane by plane.

    Padding beyond the field of view reaches the border of its plane; what does not is a hole.
    """
    whole = body.inside()
    padded = np.pad(~body.seen, ((1, 1), (1, 1), (0, 0)), constant_values=True)
    labels, _ = ndimage.label(padded, _IN_PLANE)
    holes = padded & (labels != labels[:1, :1, :])
    holes = holes[1:-1, 1:-1]
    each = holes.sum((0, 1)) / np.maximum(whole.sum((0, 1)), 1)
    return float(holes.sum() / max(1, whole.sum())), np.asarray(each, np.float64)


def _circle(body: Anatomy) -> Mask | None:
    """The rim of the round field of view, if the corners of the planes are empty."""
    n_i, n_j = body.hu.shape[:2]
    if min(n_i, n_j) < 16:
        return None
    i, j = np.arange(n_i) - (n_i - 1) / 2, np.arange(n_j) - (n_j - 1) / 2
    radius = np.hypot(i[:, None] / (n_i / 2), j[None, :] / (n_j / 2))
    corners = body.hu[radius > 1.02]
    if corners.size == 0 or np.ptp(corners) > 0:
        return None
    return np.asarray(np.abs(radius - 1) * (min(n_i, n_j) / 2) < ON_CIRCLE_VOXELS)


_IN_PLANE = np.zeros((3, 3, 3), np.bool_)
_IN_PLANE[:, 1, 1] = _IN_PLANE[1, :, 1] = True
