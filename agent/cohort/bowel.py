"""Small bowel and colon: matter that no class names, but that looks like organs."""

import numpy as np
import numpy.typing as npt

from agent.cohort.shapes import Canvas, Field, Tube, Waves
from agent.cohort.tissues import Tissue

_COLON = (
    Tube(((88, 22, -170), (98, 22, -130), (100, 14, -80), (92, 26, -42)), (22, 24, 22, 20)),
    Tube(
        ((92, 26, -42), (66, 84, -58), (10, 104, -72), (-52, 92, -48), (-92, 44, 4)),
        (20, 19, 18, 18, 18),
    ),
    Tube(((-92, 44, 4), (-104, 12, -60), (-102, 16, -130), (-76, 30, -176)), (18, 17, 16, 16)),
    Tube(
        ((-76, 30, -176), (-40, 22, -206), (-6, 2, -190), (0, -14, -226), (0, -18, -262)),
        (16, 16, 16, 18, 17),
    ),
)


def paint_bowel(
    tissue: npt.NDArray[np.uint8],
    canvas: Canvas,
    cavity: npt.NDArray[np.bool_],
    height: Field,
    bumps: Waves,
) -> None:
    """Fill the cavity's fat with loops of small bowel and the frame of the colon, in place."""
    x, y, z = canvas.points
    free = cavity & (z < -12) & (z > -222) & (y > 14) & (np.abs(x) < 92)
    where = np.flatnonzero(free)
    if where.size:
        loops = bumps(canvas.points[:, where] * np.float32(0.85) + np.float32(40))
        tissue[where[loops > 0.15]] = Tissue.BOWEL_WALL
        tissue[where[loops > 0.85]] = Tissue.BOWEL_FLUID
        tissue[where[loops > 1.9]] = Tissue.GAS
    for tube in _COLON:
        distance = canvas.distance(tube, bumps=bumps, bump_mm=2.5)
        tissue[(distance < 0) & cavity] = Tissue.BOWEL_WALL
        lumen = (distance < -3.5) & cavity
        tissue[lumen] = Tissue.STOOL
        mottled = bumps(canvas.points * np.float32(1.6)) > 0.2
        if lumen.any():
            tissue[lumen & mottled & (height > np.quantile(height[lumen], 0.35))] = Tissue.GAS
