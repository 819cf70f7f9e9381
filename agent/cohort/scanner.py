"""The scanner: voxel grids, how the patient lies, and the scan of a phantom."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from agent.cohort.anatomy import Body, Phantom, Pose, grid_points
from agent.cohort.physics import Exposure, expose
from agent.cohort.plan import ScanPlan

_ORIENTATIONS = {
    "northclinic": ("LPS",),
    "atlasdemo": ("RAS", "LPS", "RPS"),
    "unetdemo": ("LAS",),
    "rawdemo": ("LPS", "RAS", "ASL", "PSR"),
}
_OBLIQUE_DEG = 7.0


@dataclass(frozen=True)
class Acquired:
    """A scan and its truth, all on one grid.

    Attributes:
        image: int16 HU (float32 only if damaged so), ``(I, J, K)``.
        organs: uint8 organ values, same shape.
        tumor: bool, same shape.
        affine: index to RAS+ mm.
    """

    image: npt.NDArray[np.int16] | npt.NDArray[np.float32]
    organs: npt.NDArray[np.uint8]
    tumor: npt.NDArray[np.bool_]
    affine: npt.NDArray[np.float64]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """mm, in axis order."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    def masks(self) -> dict[str, npt.NDArray[np.bool_]]:
        """The true mask of every class."""
        from agent.cohort.tissues import CLASSES

        truth = Phantom(self.organs, self.organs, self.tumor)
        return {name: truth.mask(name) for name in CLASSES}


def acquire(plan: ScanPlan, body: Body, seed: int) -> Acquired:
    """Scan a patient as planned.

    The voxel grid of a file source is oblique to the scanner by a few degrees and stored in one of
    several axis orders; a DICOM series is axial, LPS.
    """
    rng = np.random.default_rng([seed, 5, plan.index])
    shape, affine = _grid(plan, body, rng)
    person = body.person
    turn = rng.normal(0, (2.5, 2.0, 3.5)).clip(-7, 7)
    pose = Pose(
        Rotation.from_euler("xyz", turn, degrees=True).as_matrix(),
        rng.normal(0, (6, 6, 0)),
    )
    phantom = body.draw(grid_points(shape, affine), shape, pose, visit=plan.visit, seed=seed)
    exposure = Exposure(
        phase=plan.phase,
        noise_hu=float(rng.uniform(8, 18)),
        blur_voxels=float(rng.uniform(0.4, 0.65)),
        seed=(seed, 6, plan.index),
        steatosis="steatosis" in person.conditions,
        metal=person.metal,
    )
    image = expose(phantom.tissue, exposure)
    scan = Acquired(image, phantom.organs, phantom.tumor, affine)
    orientations = _ORIENTATIONS[plan.source]
    return reorient(scan, orientations[int(rng.integers(len(orientations)))])


def reorient(scan: Acquired, codes: str) -> Acquired:
    """The same scan stored along other axes; positions in the world stay."""
    now = nib.orientations.io_orientation(scan.affine)
    change = nib.orientations.ornt_transform(now, nib.orientations.axcodes2ornt(tuple(codes)))
    shape = scan.organs.shape

    def turn(array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        return np.ascontiguousarray(nib.orientations.apply_orientation(array, change))

    affine = scan.affine @ nib.orientations.inv_ornt_aff(change, shape)
    return Acquired(turn(scan.image), turn(scan.organs), turn(scan.tumor), affine)  # type: ignore[arg-type]


def _grid(
    plan: ScanPlan, body: Body, rng: np.random.Generator
) -> tuple[tuple[int, int, int], npt.NDArray[np.float64]]:
    """A grid over the body: the whole abdomen, or (two in five) its upper part only."""
    size = body.person.size
    upper = rng.random() < 0.36
    width = 2 * (148 + 1.3 * body.person.fat_mm) * size
    in_plane = float(np.clip(width / rng.uniform(84, 96), 3.5, 4.5))
    n_i = int(np.clip(np.ceil(width / in_plane) + 4, 80, 100))
    n_j = int(np.clip(round(n_i * rng.uniform(0.76, 0.8)), 64, 80))
    if upper:
        slice_mm, n_k = float(rng.uniform(4.0, 4.9)), int(rng.integers(48, 56))
    else:
        slice_mm, n_k = float(rng.uniform(5.6, 6.0)), int(rng.integers(62, 65))
    spacing = np.array([in_plane, in_plane * rng.uniform(0.97, 1.03), slice_mm])
    if plan.source == "northclinic":
        spacing[1] = spacing[0]
    top = rng.uniform(104, 122) * size
    center = np.array([0.0, 24.0 * size, top - 0.5 * n_k * slice_mm])
    rotation = np.eye(3)
    if plan.source != "northclinic":
        angles = rng.uniform(-_OBLIQUE_DEG, _OBLIQUE_DEG, 3) * (0.4, 0.4, 1.0)
        rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    shape = (n_i, n_j, n_k)
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag(spacing)
    affine[:3, 3] = center - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return shape, affine
