"""The abdominal organs of one invented patient, drawn on the voxel grid of a scan."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from agent.cohort import frame
from agent.cohort.organs import Organs
from agent.cohort.person import Person
from agent.cohort.shapes import Canvas, Field, Points, Waves
from agent.cohort.tissues import ORGAN_VALUE, Tissue

_LARGEST_ONLY = (
    "liver",
    "spleen",
    "pancreas",
    "stomach",
    "duodenum",
    "kidney_left",
    "kidney_right",
)


@dataclass(frozen=True)
class Pose:
    """How the patient lies in the scanner: world = rotation @ body + shift."""

    rotation: npt.NDArray[np.float64]
    shift_mm: npt.NDArray[np.float64]

    def to_body(self, world: Points) -> Points:
        """World points ``(3, N)`` in the patient's own axes, mm, unscaled."""
        moved = world - self.shift_mm.astype(np.float32)[:, None]
        return np.asarray(self.rotation.T.astype(np.float32) @ moved, np.float32)


@dataclass(frozen=True)
class Phantom:
    """The truth of one scan.

    Attributes:
        tissue: uint8 `Tissue` codes, shape ``(I, J, K)``.
        organs: uint8 organ values (`ORGAN_VALUE`), same shape; an organ holds its lesions.
        tumor: bool, the pancreatic lesion, same shape.
    """

    tissue: npt.NDArray[np.uint8]
    organs: npt.NDArray[np.uint8]
    tumor: npt.NDArray[np.bool_]

    def mask(self, name: str) -> npt.NDArray[np.bool_]:
        """The mask of one class."""
        if name in ORGAN_VALUE:
            return np.asarray(self.organs == ORGAN_VALUE[name])
        return self.tumor


class Body:
    """A patient's anatomy: the same at every visit, but for filling, growth and position.

    Args:
        person: the patient.
        seed: the cohort's seed.
    """

    def __init__(self, person: Person, seed: int) -> None:
        rng = np.random.default_rng([seed, 2, person.number])
        self.person = person
        self.bend = [Waves.draw(rng, 190.0) for _ in range(3)]
        self.bend_mm = float(rng.uniform(3.5, 6.5))
        self.bumps = Waves.draw(rng, 42.0, 12)
        self.dome_mm = (float(rng.uniform(96, 112)), float(rng.uniform(84, 100)))
        self.organs = Organs(person, rng)

    def warp(self, flat: Points) -> Points:
        """The patient's own smooth deformation of the average body, points ``(3, N)``."""
        shift = np.stack([wave(flat) for wave in self.bend])
        return np.asarray(flat + np.float32(self.bend_mm) * shift, np.float32)

    def draw(
        self, world: Points, shape: tuple[int, int, int], pose: Pose, *, visit: int, seed: int
    ) -> Phantom:
        """Paint the patient at one visit on a scan's voxels.

        Args:
            world: RAS+ positions of all voxels in C order, ``(3, I * J * K)``, mm.
            shape: ``(I, J, K)``.
            pose: how the patient lies.
            visit: 0 for the first scan; a tumour grows with later visits.
            seed: the cohort's seed; filling of stomach and bladder depends on it.
        """
        rng = np.random.default_rng([seed, 3, self.person.number, visit])
        flat = pose.to_body(world) / np.float32(self.person.size)
        canvas = Canvas(self.warp(flat))
        tissue = np.full(canvas.size, Tissue.AIR, np.uint8)
        place = frame.wall(canvas.points, self.person.fat_mm, self.bumps)
        above = canvas.points[2] - frame.dome(canvas.points, *self.dome_mm)
        frame.paint_wall(tissue, place, self.bumps, canvas.points)
        frame.paint_muscles(tissue, canvas)
        frame.paint_chest(tissue, canvas, place, above)
        organs = np.zeros(canvas.size, np.uint8)
        tumor = np.zeros(canvas.size, np.bool_)
        room = (place.depth < -2.5) & (above < -2)
        self.organs.paint(tissue, organs, canvas, room, world[1], rng, self.bumps)
        frame.paint_bones(tissue, canvas, place)
        organs[(tissue >= Tissue.CORTICAL_BONE) & (tissue <= Tissue.CANAL)] = 0
        if self.person.tumor is not None:
            tumor = self._paint_tumor(tissue, organs, canvas, flat, visit)
        frame.paint_couch(tissue, world, float(np.quantile(world[1][tissue == Tissue.SKIN], 0.002)))
        return _tidy(tissue.reshape(shape), organs.reshape(shape), tumor.reshape(shape))

    def tumor_diameter_mm(self, visit: int) -> float:
        """The planted longest diameter at a visit; 0 without a tumour. Grows 15 % a visit."""
        tumor = self.person.tumor
        return 0.0 if tumor is None else round(tumor.diameter_mm * 1.15**visit, 1)

    def _paint_tumor(
        self,
        tissue: npt.NDArray[np.uint8],
        organs: npt.NDArray[np.uint8],
        canvas: Canvas,
        flat: Points,
        visit: int,
    ) -> npt.NDArray[np.bool_]:
        """The lesion has its diameter in real millimetres, so it is drawn before the warp."""
        lesion = self.person.tumor
        assert lesion is not None
        center = self._unwarp(self.organs.along_pancreas(lesion.at))
        offset = (flat - center.astype(np.float32)[:, None]) * np.float32(self.person.size)
        radius = np.sqrt((offset**2).sum(0))
        diameter = self.tumor_diameter_mm(visit)
        lobes = 1 - 0.07 * (1 + self.bumps(offset / np.maximum(radius, 1) * 14))
        tumor = radius < 0.5 * diameter * np.clip(lobes, 0.75, 1.0)
        bone = (tissue >= Tissue.CORTICAL_BONE) & (tissue <= Tissue.CANAL)
        vessel = np.isin(organs, [ORGAN_VALUE["aorta"], ORGAN_VALUE["postcava"]])
        tumor &= ~(bone | vessel | (tissue == Tissue.PORTAL_VEIN) & (radius > 0.3 * diameter))
        matter = {"pdac": Tissue.PDAC, "pnet": Tissue.PNET, "cyst": Tissue.CYST}[lesion.kind]
        tissue[tumor] = matter
        if lesion.kind == "pdac" and diameter > 32:  # necrotic core
            tissue[tumor & (radius < 0.16 * diameter)] = Tissue.CYST
        organs[tumor] = ORGAN_VALUE["pancreas"]
        return np.asarray(tumor, np.bool_)

    def _unwarp(self, target: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        point = target.copy()
        for _ in range(8):
            moved = self.warp(point.astype(np.float32)[:, None])[:, 0]
            point = point + (target - moved)
        return point


def _tidy(
    tissue: npt.NDArray[np.uint8], organs: npt.NDArray[np.uint8], tumor: npt.NDArray[np.bool_]
) -> Phantom:
    """Drop slivers that another organ cut off; they become the fat they lie in."""
    for name in _LARGEST_ONLY:
        mask = organs == ORGAN_VALUE[name]
        if not mask.any():
            continue
        parts, n_parts = ndimage.label(mask)
        if n_parts > 1:
            sizes = np.bincount(parts.ravel())[1:]
            slivers = mask & (parts != 1 + int(sizes.argmax())) & ~tumor
            organs[slivers] = 0
            tissue[slivers] = Tissue.FAT
    return Phantom(tissue, organs, tumor)


def grid_points(shape: tuple[int, int, int], affine: npt.NDArray[np.float64]) -> Points:
    """RAS+ positions of all voxels in C order, ``(3, I * J * K)``, float32 mm."""
    axes = [np.arange(n, dtype=np.float32) for n in shape]
    matrix = affine.astype(np.float32)
    parts: list[Field] = []
    for row in range(3):
        i, j, k = (matrix[row, axis] * axes[axis] for axis in range(3))
        total = i[:, None, None] + j[None, :, None] + k[None, None, :] + matrix[row, 3]
        parts.append(np.asarray(total.ravel(), np.float32))
    return np.stack(parts)
