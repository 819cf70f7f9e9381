"""What a coarse look at a CT shows of the body: where it is, its air, its bones, the table.

Everything is measured on block means of about 4 mm in RAS+ axis order, so that a large scan costs
a second and noise does not matter. Nothing here needs the header to be right: whoever asks whether
the header is right (`cleaning.check.orientation`) looks along every axis.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from cleaning.check._kernels import block_sums
from voxcurate.geometry import ras_axes
from voxcurate.volume import Volume

GRID_MM = 4.0
BODY_HU, BONE_HU, LUNG_HU = -500.0, 220.0, -400.0
GAS_HU = -600.0
LUNG_CORE_HU = (-915.0, -500.0)
MIN_LUNG_ML = 60.0
MIN_SMALL_LUNG_ML, SMALL_LUNG_SHARE, MIN_CHEST_PLANES = 4.0, 0.2, 3
CHEST_SHARE, ADULT_CHEST_CM2 = 0.08, 450.0
NARROW_MM, ADULT_WIDTH_MM, FINEST_MM = 220.0, 320.0, 1.2
MASKED_AIR, SAME_VIEW = 0.3, 0.9
MATTER_HU = (-2048.0, 3000.0)
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A scan on a coarse grid; all arrays ``(I, J, K)`` in RAS+ order.

    Attributes:
        planes: block means of each plane of the scan, not averaged along the third axis.
        hu: block means.
        spacing: of the grid, mm.
        body: the largest connected thing above -500 HU.
        other: what else is above -500 HU: table, headrest, clothes, arms apart from the trunk.
        seen: where the scanner measured (False: padding beyond the field of view).
    """

    planes: npt.NDArray[np.float32]
    hu: npt.NDArray[np.float32]
    spacing: tuple[float, float, float]
    body: Mask
    other: Mask
    seen: Mask

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel of the grid."""
        return float(np.prod(self.spacing)) / 1000

    @cached_property
    def body_ml(self) -> float:
        """Volume of the body."""
        return float(self.body.sum() * self.voxel_ml)

    @property
    def width_mm(self) -> float:
        """Of the body from left to right; 0 without one."""
        return float(self.body.any(axis=(1, 2)).sum() * self.spacing[0])

    @cached_property
    def bone(self) -> Mask:
        """Bone, contrast-filled vessels and metal."""
        return np.asarray(self.body & (self.hu > BONE_HU))

    @cached_property
    def is_masked(self) -> bool:
        """Whether somebody padded all but the body: then what was padded follows its outline,
        where a field of view is the same in all planes."""
        planes = self.seen[:, :, self.seen.any(axis=(0, 1))]
        if planes.size == 0 or planes.all():
            return False
        n_air = int((self.seen & ~self.inside() & ~self.other).sum())
        in_all, in_any = int(planes.all(axis=2).sum()), int(planes.any(axis=2).sum())
        return n_air < MASKED_AIR * int(self.body.sum()) and in_all < SAME_VIEW * in_any

    def inside(self, axis: int = 2) -> Mask:
        """The body with the cavities that each plane across `axis` encloses; not to be changed."""
        if axis not in self._filled:
            self._filled[axis] = self._fill(axis)
        return self._filled[axis]

    @cached_property
    def _filled(self) -> dict[int, Mask]:
        return {}

    def _fill(self, axis: int) -> Mask:
        from scipy import ndimage

        planes = np.moveaxis(self.body, axis, 0)
        # in a plane, what the border does not reach through air lies inside
        structure = np.zeros((3, 3, 3), np.bool_)
        structure[1] = ndimage.generate_binary_structure(2, 1)
        padded = np.pad(~planes, ((0, 0), (1, 1), (1, 1)), constant_values=True)
        labels, _ = ndimage.label(padded, structure)
        outside = labels == labels[:, :1, :1]
        return np.moveaxis(~outside[:, 1:-1, 1:-1], 0, axis)

    @cached_property
    def cavity(self) -> Mask:
        """Air inside the axial outline: lungs, airways, bowel gas."""
        return np.asarray(self.inside() & (self.hu < LUNG_HU))

    @cached_property
    def lungs(self) -> Mask:
        """Cavities of at least 60 mL whose core has blood in it: gas in bowels is emptier.

        An infant's are smaller; then those of 4 mL count if together they fill a fifth of some
        planes, as no sinus and no throat does.
        """
        import cc3d
        from scipy import ndimage

        labels = cc3d.connected_components(self.cavity.astype(np.uint8), connectivity=6)
        counts = np.bincount(labels.ravel())
        core = np.where(ndimage.binary_erosion(self.cavity), labels, 0).ravel()
        n_core = np.bincount(core, minlength=counts.size)
        means = np.bincount(core, self.hu.ravel(), counts.size) / np.maximum(n_core, 1)
        alike = (n_core > 0) & (means > LUNG_CORE_HU[0]) & (means < LUNG_CORE_HU[1])
        alike[0] = False
        keep = alike & (counts * self.voxel_ml >= MIN_LUNG_ML)
        if keep.any():
            return np.asarray(keep[labels])
        small = np.asarray((alike & (counts * self.voxel_ml >= MIN_SMALL_LUNG_ML))[labels])
        share = small.sum((0, 1)) / np.maximum(1, self.inside().sum((0, 1)))
        is_chest = np.count_nonzero(share > SMALL_LUNG_SHARE) >= MIN_CHEST_PLANES
        return small if is_chest else np.zeros_like(small)

    @cached_property
    def scale(self) -> float:
        """Size of the body against a small adult, in length: below 1 for children, never above.

        From the cross-section at the lungs; 1 where there are none: an adult's head is as wide as
        an infant's trunk.
        """
        lungs, whole = self.areas(self.lungs), self.areas(self.inside())
        chest = whole[lungs > CHEST_SHARE * np.maximum(whole, 1e-6)]
        if chest.size == 0:
            return 1.0
        return float(min(1.0, np.sqrt(np.quantile(chest, 0.9) / ADULT_CHEST_CM2)))

    @cached_property
    def gas(self) -> Mask:
        """Air in bowels, stomach, throat, sinuses."""
        return np.asarray(self.cavity & ~self.lungs & (self.hu < GAS_HU))

    def areas(self, mask: Mask) -> npt.NDArray[np.float64]:
        """Area in each axial plane, cm2."""
        return np.asarray(mask.sum((0, 1)) * (self.spacing[0] * self.spacing[1] / 100))


def look(volume: Volume, *, grid_mm: float = GRID_MM) -> Anatomy:
    """The coarse look at a CT in HU.

    A narrow body without lungs is looked at again on a finer grid: if lungs appear it is an
    infant, whose chest wall is too thin for the first one.

    Args:
        volume: finite values.
        grid_mm: wanted side of the blocks; a coarser axis stays as it is.
    """
    first = _look(volume, grid_mm)
    width = first.width_mm
    if not 0 < width < NARROW_MM or first.lungs.any():
        return first
    again = _look(volume, max(FINEST_MM, grid_mm * width / ADULT_WIDTH_MM))
    return again if again.lungs.any() else first


def _look(volume: Volume, grid_mm: float) -> Anatomy:
    import cc3d

    order, flips = ras_axes(volume.affine)
    array = volume.array.transpose(order)
    array = array[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    spacing = np.asarray(volume.spacing)[list(order)]
    steps = [min(max(1, round(grid_mm / s)), n) for s, n in zip(spacing, array.shape, strict=True)]
    planes = block_means(array, steps[:2])
    n = planes.shape[2] // steps[2] * steps[2]
    hu = planes[:, :, :n].reshape(*planes.shape[:2], -1, steps[2]).mean(axis=3)
    unseen = hu < -1500
    tissue = (hu > BODY_HU) & (hu < 30000)
    labels = cc3d.connected_components(_parted(tissue), connectivity=6)
    counts = np.bincount(labels.ravel())
    body = labels == 1 + int(np.argmax(counts[1:])) if counts.size > 1 else np.zeros_like(tissue)
    body = _regrown(body, tissue)
    i, j, k = (float(s * n) for s, n in zip(spacing, steps, strict=True))
    return Anatomy(planes, hu, (i, j, k), body, tissue & ~body, ~unseen)


def block_means(array: npt.NDArray[Any], steps: list[int]) -> npt.NDArray[np.float32]:
    """Means over blocks of each plane; a rest at an axis' end is left out. Values are clipped to
    what matter has, so that padding and metal do not colour their neighbours."""
    sides = (*steps, 1)
    axes = sorted(range(3), key=lambda axis: -abs(array.strides[axis]))
    a, b, c = (sides[axis] for axis in axes)
    sums = block_sums(array.transpose(axes), (a, b, c), *MATTER_HU)
    means = sums.transpose(np.argsort(axes)) / (steps[0] * steps[1])
    return np.ascontiguousarray(means, np.float32)


def _parted(tissue: Mask) -> npt.NDArray[np.uint8]:
    """Tissue without what is thinner than three voxels: it parts the body from the table."""
    from scipy import ndimage

    eroded = ndimage.binary_erosion(tissue, border_value=1)
    return np.asarray(eroded if eroded.any() else tissue, np.uint8)


def _regrown(core: Mask, tissue: Mask) -> Mask:
    from scipy import ndimage

    return np.asarray(ndimage.binary_dilation(core, iterations=2, mask=tissue))
