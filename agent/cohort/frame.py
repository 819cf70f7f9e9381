"""The frame of the body: outline, wall, spine, ribs, pelvis, lungs and the dome of the diaphragm.

Body coordinates are mm, RAS+ (x to the patient's right, y to the front, z up), with the origin in
the first lumbar vertebra of a body of average size.
"""

from dataclasses import dataclass

import numpy as np

from agent.cohort.shapes import Blend, Canvas, Ellipsoid, Field, Points, Tube, Waves
from agent.cohort.tissues import Tissue

_LEVELS = (-330, -250, -190, -120, -60, 0, 60, 120, 180, 230)
_HALF_WIDTH = (135, 132, 134, 128, 122, 128, 133, 131, 124, 116)
_HALF_DEPTH = (88, 88, 84, 78, 79, 84, 89, 90, 86, 80)
_CENTER_Y = 33.0
_MUSCLE_MM = 13.0
_SKIN_MM = 2.5
_VERTEBRA_MM = 34.0
_RIB_STEP_MM = 30.0


@dataclass(frozen=True)
class Wall:
    """Where every voxel lies against the wall of the trunk.

    Attributes:
        depth: mm outside the inner face of the wall, radially; negative in the cavity.
        angle: about the body's axis, 0 at the right flank, pi/2 in front.
        fat: thickness of subcutaneous fat there, mm.
    """

    depth: Field
    angle: Field
    fat: Field


def wall(points: Points, fat_mm: float, waves: Waves) -> Wall:
    """The trunk's wall for a body with `fat_mm` of subcutaneous fat on average."""
    x, y, z = points[0], points[1] - np.float32(_CENTER_Y), points[2]
    half_width = np.interp(z, _LEVELS, _HALF_WIDTH).astype(np.float32)
    half_depth = np.interp(z, _LEVELS, _HALF_DEPTH).astype(np.float32)
    power = np.float32(2.35)
    ratio = (np.abs(x / half_width) ** power + np.abs(y / half_depth) ** power) ** (1 / power)
    radius = np.sqrt(x * x + y * y)
    depth = radius * (1 - 1 / np.maximum(ratio, 1e-3)) + 2 * waves(points)
    angle = np.arctan2(y, x)
    front = np.clip(np.sin(angle), 0, 1)
    low = np.clip((20 - z) / 150, 0, 1)
    fat = np.float32(fat_mm) * (0.75 + 0.5 * front * low + 0.35 * low * np.abs(np.cos(angle)) ** 3)
    return Wall(depth.astype(np.float32), angle.astype(np.float32), fat.astype(np.float32))


def dome(points: Points, right_mm: float, left_mm: float) -> Field:
    """Height of the diaphragm above every voxel's (x, y), mm; low at the back and the flanks."""
    x, y = points[0], points[1] - np.float32(_CENTER_Y)

    def bell(center_x: float, center_y: float, top: float) -> Field:
        fall = ((x - center_x) / 95) ** 2 + ((y - center_y) / 92) ** 2
        steep = np.where(y < center_y, 1.35, 0.75)
        return np.asarray(top - 60 * fall * steep, np.float32)

    middle = 64 - 0.004 * x * x
    floor = np.where(y < 0, 24 + 26 * np.exp(-((x / 38) ** 2)), 34)
    highest = np.maximum(bell(62, 8, right_mm), bell(-60, 4, left_mm))
    return np.asarray(np.maximum(np.maximum(highest, middle), floor), np.float32)


def paint_wall(tissue: np.ndarray, place: Wall, waves: Waves, points: Points) -> None:
    """Skin, fat, muscle and the fat of the cavity, in place of air."""
    outer = _MUSCLE_MM + place.fat
    tissue[place.depth < outer + _SKIN_MM] = Tissue.SKIN
    tissue[place.depth < outer] = Tissue.FAT
    front_gap = np.abs(points[0]) < 6  # linea alba
    muscle = (place.depth < _MUSCLE_MM * (0.85 + 0.12 * waves(points))) & (place.depth > 0)
    tissue[muscle & ~(front_gap & (place.angle > 0.8))] = Tissue.MUSCLE


def paint_chest(
    tissue: np.ndarray, canvas: Canvas, place: Wall, above: Field, blood: Tissue = Tissue.HEART
) -> None:
    """Lungs, heart and mediastinum over the dome, and the muscle of the diaphragm itself."""
    x, y, z = canvas.points
    cavity = place.depth < -2
    chest = cavity & (above > 3)
    tissue[cavity & (np.abs(above) <= 3) & (z > 0)] = Tissue.MUSCLE
    tissue[chest] = Tissue.LUNG
    mediastinum = chest & (np.abs(x + 4) < 28 + 0.12 * (y + 20)) & (y > -5)
    tissue[mediastinum] = Tissue.FAT
    heart = canvas.distance(Ellipsoid((-26, 66, 128), (58, 44, 46), (0, 20, 25)))
    tissue[chest & (heart < 6)] = Tissue.FAT
    tissue[chest & (heart < 0)] = Tissue.MUSCLE
    tissue[chest & (heart < -9)] = blood
    oesophagus = canvas.distance(
        Tube(((-14, 34, 235), (-14, 32, 140), (-16, 36, 96), (-30, 36, 74)), (8, 8, 8, 9))
    )
    tissue[cavity & (oesophagus < 0)] = Tissue.BOWEL_WALL


def paint_muscles(tissue: np.ndarray, canvas: Canvas) -> None:
    """Psoas, erector spinae, quadratus lumborum and gluteal muscles on both sides."""
    for side in (1, -1):
        psoas = Tube(
            (
                (side * 26, -4, 10),
                (side * 40, -6, -60),
                (side * 52, 4, -120),
                (side * 66, 30, -200),
            ),
            (7, 17, 21, 16),
        )
        erector = Tube(
            (
                (side * 30, -47, 230),
                (side * 33, -50, 60),
                (side * 34, -50, -60),
                (side * 26, -58, -150),
            ),
            (13, 19, 22, 12),
        )
        lumborum = Tube(((side * 58, -36, 10), (side * 72, -34, -90)), (8, 13))
        gluteus = Blend([Ellipsoid((side * 92, -42, -215), (52, 34, 70), (0, 0, side * 25))])
        for shape in (lumborum, erector, psoas, gluteus):
            inside = canvas.distance(shape) < 0
            tissue[inside & (tissue != Tissue.AIR)] = Tissue.MUSCLE


def paint_bones(tissue: np.ndarray, canvas: Canvas, place: Wall) -> None:
    """Vertebrae with discs, canal and processes, the ribs, and the pelvis."""
    _paint_spine(tissue, canvas)
    _paint_ribs(tissue, canvas, place)
    for side in (1, -1):
        wing = Blend(
            [Ellipsoid((side * 84, -8, -150), (16, 62, 62), (0, side * -22, side * -28))],
            [Ellipsoid((side * 70, 12, -146), (15, 62, 66), (0, side * -22, side * -28))],
        )
        hip = Blend(
            [
                Ellipsoid((side * 92, 8, -236), (26, 26, 28)),
                Ellipsoid((side * 60, 40, -262), (38, 11, 12), (0, 0, side * -25)),
            ]
        )
        sacral = Ellipsoid((side * 28, -42, -165), (30, 17, 45), (25, 0, 0))
        for shape in (wing, hip, sacral):
            _paint_bone(tissue, canvas.distance(shape), 4.0)


def paint_couch(tissue: np.ndarray, world: Points, back_mm: float) -> None:
    """A curved couch under the body: a shell with a light core, in scanner coordinates."""
    height = world[1] - (np.float32(back_mm) + (world[0] / 30) ** 2 * 0.32)
    inside = (np.abs(world[0]) < 215) & (tissue == Tissue.AIR)
    tissue[inside & (height < 0) & (height > -26)] = Tissue.COUCH_CORE
    tissue[inside & (height < 0) & (height > -4)] = Tissue.COUCH
    tissue[inside & (height < -22) & (height > -26)] = Tissue.COUCH


def _paint_spine(tissue: np.ndarray, canvas: Canvas) -> None:
    x, y, z = canvas.points
    bend = np.float32(5) * np.cos((z + 70) / 90) - np.where(z < -120, (z + 120) * 0.45, 0)
    depth = y - bend
    level = np.mod(z + _VERTEBRA_MM / 2, _VERTEBRA_MM) - _VERTEBRA_MM / 2
    spine = (np.abs(x) < 60) & (np.abs(depth) < 80) & (z > -200)
    body = np.sqrt((x / 22) ** 2 + (depth / 17) ** 2)
    waist = 1 - 0.1 * np.cos(level / _VERTEBRA_MM * 2 * np.pi)
    disc = np.abs(level) > _VERTEBRA_MM / 2 - 4
    tissue[spine & (body < 1.02)] = Tissue.DISC
    tissue[spine & (body < waist) & ~disc] = Tissue.CORTICAL_BONE
    tissue[spine & (body < waist - 0.17) & ~disc & (np.abs(level) < 11)] = Tissue.MARROW
    arch = np.sqrt((x / 16) ** 2 + ((depth + 27) / 14) ** 2)
    mid = np.abs(level + 4) < 11
    spinous = (np.abs(x) < 4) & (depth < -36) & (depth > -62) & (np.abs(level + 8) < 9)
    transverse = (
        (np.abs(depth + 22) < 5) & (np.abs(x) < 42) & (np.abs(x) > 14) & (np.abs(level) < 6)
    )
    tissue[spine & (spinous | transverse)] = Tissue.MARROW
    tissue[spine & (arch < 1.0) & (mid | (np.abs(x) > 9))] = Tissue.CORTICAL_BONE
    tissue[spine & (arch < 0.68)] = Tissue.CANAL


def _paint_ribs(tissue: np.ndarray, canvas: Canvas, place: Wall) -> None:
    """A rib descends from the back to the front; the combs of `mod` make all of them at once."""
    z = canvas.points[2]
    around = np.abs(np.mod(place.angle + np.pi / 2 + np.pi, 2 * np.pi) - np.pi) / np.pi
    height = z + 92 * np.sin(np.clip(around, 0, 0.75) * np.pi / 1.5)
    number = np.floor(height / _RIB_STEP_MM)
    comb = np.abs(height - (number + 0.5) * _RIB_STEP_MM)
    reach = np.clip(0.36 + 0.14 * number, 0, 0.86)  # lower ribs end earlier
    shell = np.abs(place.depth - 4.5)
    near = (around > 0.1) & (around < reach) & (number >= 0) & (number < 12)
    thick = np.sqrt((shell / 4.6) ** 2 + (comb / 7.0) ** 2)
    tissue[near & (thick < 1)] = Tissue.CORTICAL_BONE
    tissue[near & (thick < 0.5)] = Tissue.MARROW


def _paint_bone(tissue: np.ndarray, distance: Field, cortex_mm: float) -> None:
    tissue[distance < 0] = Tissue.CORTICAL_BONE
    tissue[distance < -cortex_mm] = Tissue.MARROW
