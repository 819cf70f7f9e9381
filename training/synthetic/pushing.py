"""Mass effect: a lesion that grows pushes the tissue around it away."""

import numpy as np

from training.synthetic.fields import Floats
from training.synthetic.shape import PUSH, Lump


def sources(form: Lump, expansion: float) -> Floats:
    """Where each voxel of a lesion's box was before it grew, mm from the lesion's middle.

    A ball of radius ``r0`` grows to ``r0 * expansion``. Outside of it tissue keeps its volume, as
    an incompressible one would: what is now at ``q`` was at ``(q^3 - (r1^3 - r0^3))^(1/3)``. The
    displacement falls with the square of the distance and is faded out where the box ends.

    Returns:
        float32 ``(3, I, J, K)``; equal to `form.offset` if `expansion` is 1.
    """
    if expansion <= 1:
        return form.offset
    last, first = form.radius_mm, form.radius_mm / expansion
    now = np.sqrt((form.offset**2).sum(axis=0))
    grown = np.float32(last**3 - first**3)
    outside = np.cbrt(np.maximum(now**3 - grown, 0))
    before = np.where(now > last, outside, now / np.float32(expansion))
    fade = np.clip((PUSH * last - now) / np.float32((PUSH - 1) * last), 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    ratio = np.divide(before, now, out=np.ones_like(now), where=now > 1e-6)
    ratio = 1 + (ratio - 1) * fade
    moved: Floats = (form.offset * ratio).astype(np.float32)
    return moved
