"""Mass effect: a lesion that grows pushes the tissue around it away."""

import numpy as np

from training.synthetic.fields import Floats

PUSH = 3.0  # radii from the middle: there displacement has faded out


def sources(offset: Floats, radius_mm: float, expansion: float) -> Floats:
    """Where tissue was before a lesion grew, mm from the lesion's middle.

    A ball of radius ``r0`` grows to ``r1 = r0 * expansion``. Outside of it tissue keeps its volume,
    as an incompressible one would: what is now at ``q`` was at ``(q^3 - (r1^3 - r0^3))^(1/3)``. The
    displacement falls with the square of the distance and is faded out at `PUSH` radii.

    Args:
        offset: ``(3, ...)``, where it is now.
        radius_mm: ``r1``.

    Returns:
        float32, shape of `offset`, and equal to it if `expansion` is 1.
    """
    if expansion <= 1:
        return offset
    last, first = radius_mm, radius_mm / expansion
    now = np.sqrt((offset**2).sum(axis=0))
    grown = np.float32(last**3 - first**3)
    outside = np.cbrt(np.maximum(now**3 - grown, 0))
    before = np.where(now > last, outside, now / np.float32(expansion))
    fade = np.clip((PUSH * last - now) / np.float32((PUSH - 1) * last), 0, 1)
    fade = fade * fade * (3 - 2 * fade)
    ratio = np.divide(before, now, out=np.ones_like(now), where=now > 1e-6)
    ratio = 1 + (ratio - 1) * fade
    moved: Floats = (offset * ratio).astype(np.float32)
    return moved
