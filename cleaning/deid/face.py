"""Head scans show a face, from which a person can be recognised: is there one, and its removal.

A skull is where, slice by slice, nearly every ray from the middle of the head meets bone close to
the skin; ribs leave gaps and a pelvis lies deep. Below the lowest such slice, where orbits and
sinuses open the ring, lies the face.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxcurate.geometry import reorient, resample, resample_to
from voxcurate.masks import largest_component
from voxcurate.volume import Volume

GRID_MM = 4.0
SKIN_HU, BONE_HU = -300, 200
N_RAYS = 48
ANGLES = np.arange(N_RAYS) * 2 * np.pi / N_RAYS  # from the right, over the front
IN_FRONT = np.abs(ANGLES - np.pi / 2) < np.pi / 3
RING = 0.85  # share of rays that must meet bone
SCALP_MM = 32.0  # bone of a skull lies no deeper (hair, fixation masks and scalp in front of it)
MAX_HEAD_CM2 = 480.0
MIN_HEAD_CM2 = 60.0
MIN_VAULT_MM = 8.0  # of slices with a closed ring
MIN_JAW_MM = 12.0  # of slices with bone behind the skin of the front alone, and air within
FACE_BELOW_MM, FACE_ABOVE_MM = 140.0, 60.0  # from the lowest ring: chin at most, forehead
MIN_FACE_MM = 30.0
CHIN_MM = 20.0  # the throat lies so far behind the face
BRAIN_HU, BRAIN_MM = (-30, 110), 16.0  # a skull is soft in the middle, a knee is not
HALF = 0.5
MIN_AIR_MM2 = 60.0
SCALP_DEPTH_MM = 8.0  # taken off where bone is below
FRONT = 0.45  # of the head's depth: cheeks to ears stay

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Face:
    """Whether a scan shows a face.

    Attributes:
        surface: ``present``; ``possible``: no more than the top of a head, or than mouth and chin;
            ``absent``.
        vault_mm: height of the part with a closed ring of bone.
        height_mm: of the part of the face that is in the scan.
    """

    surface: Literal["present", "possible", "absent"]
    vault_mm: float = 0.0
    height_mm: float = 0.0


def find_face(ct: Volume) -> Face:
    """Whether a CT shows a face; absent in a volume without a body or below 3 cm a side."""
    return _Head(ct).face()


def deface(ct: Volume, *, depth_mm: float = 15.0, air_hu: int = -1000) -> tuple[Volume, Bools]:
    """The scan with the front of the face, to a depth below the skin, turned into air.

    What lies in front of the skin goes too: a fixation mask is a cast of the face. What lies deeper
    stays as it is. Where no face is found, the scan itself comes back.

    Args:
        ct: any orientation; HU.
        depth_mm: of skin and what is below it, 8 mm or more to change the features.
        air_hu: what is put there.

    Returns:
        the scan, and a mask of the voxels that are air now, in the same axis order.
    """
    head = _Head(ct)
    region = head.front(depth_mm)
    if region is None:
        return ct, np.zeros(ct.shape, bool)
    share = resample_to(region, ct.shape, ct.affine, order=1, fill=0.0)
    changed = np.asarray(share.array >= 0.5)
    return ct.with_array(np.where(changed, ct.array.dtype.type(air_hu), ct.array)), changed


class _Head:
    """The scan on a coarse grid in RAS+ axis order, with its body and its rings of bone."""

    def __init__(self, ct: Volume) -> None:
        self.coarse = resample(reorient(ct), (GRID_MM,) * 3)
        self.body = _filled(largest_component(self.coarse.array > SKIN_HU, connectivity=6))
        slices = range(self.coarse.shape[2])
        close = [_close(self.body[:, :, k], self.coarse.array[:, :, k]) for k in slices]
        soft = [_is_soft(self.body[:, :, k], self.coarse.array[:, :, k]) for k in slices]
        self.is_ring = np.array([c.mean() >= RING and s for c, s in zip(close, soft, strict=True)])
        self.is_jaw = np.array([c[IN_FRONT].mean() >= RING for c in close]) & self._has_air()

    def _has_air(self) -> Bools:
        """By slice: air within the body, as of mouth and throat."""
        air = self.body & (self.coarse.array < SKIN_HU)
        return np.asarray(air.sum(axis=(0, 1)) * GRID_MM**2 >= MIN_AIR_MM2)

    def vault(self) -> tuple[int, int] | None:
        """First and last slice of the longest run of rings, gaps of one slice allowed."""
        runs: list[list[int]] = []
        for k in np.flatnonzero(self.is_ring):
            if runs and k - runs[-1][1] <= 2:
                runs[-1][1] = int(k)
            else:
                runs.append([int(k), int(k)])
        longest = max(runs, key=lambda run: run[1] - run[0], default=None)
        if longest is None or (longest[1] - longest[0] + 1) * GRID_MM < MIN_VAULT_MM:
            return None
        return longest[0], longest[1]

    def levels(self) -> tuple[int, int] | None:
        """First slice and the one after the last of the face, as far as the scan shows it."""
        vault = self.vault()
        if vault is None:
            return None
        high = min(self.coarse.shape[2], vault[0] + round(FACE_ABOVE_MM / GRID_MM))
        return self._chin(vault[0]), high

    def _chin(self, top: int) -> int:
        """The lowest slice of the face: below it the throat recedes."""
        lowest = max(0, top - round(FACE_BELOW_MM / GRID_MM))
        front = 0
        for k in range(top, lowest, -1):
            rows = np.flatnonzero(self.body[:, :, k].any(axis=0))
            here = int(rows[-1]) if rows.size else 0
            front = max(front, here)
            if (top - k) * GRID_MM > MIN_FACE_MM and (front - here) * GRID_MM > CHIN_MM:
                return k
        return lowest

    def face(self) -> Face:
        vault, levels = self.vault(), self.levels()
        if vault is None or levels is None:
            jaw_mm = int(self.is_jaw.sum()) * GRID_MM
            return Face("possible", 0.0, jaw_mm) if jaw_mm >= MIN_JAW_MM else Face("absent")
        height = (vault[0] - levels[0]) * GRID_MM
        vault_mm = (vault[1] - vault[0] + 1) * GRID_MM
        return Face("present" if height >= MIN_FACE_MM else "possible", vault_mm, height)

    def front(self, depth_mm: float) -> Volume | None:
        """1 in front of the face and to `depth_mm` below its skin, float32; None without a face."""
        from scipy.ndimage import distance_transform_edt

        levels = self.levels()
        if levels is None:
            return None
        low, high = levels
        part = np.pad(self.body[:, :, low:high], ((1, 1), (1, 1), (0, 0)))
        depth = distance_transform_edt(part)[1:-1, 1:-1] * GRID_MM
        region = np.zeros(self.coarse.shape, np.float32)
        for k in range(low, high):
            rows = np.flatnonzero(self.body[:, :, k].any(axis=0))
            if not rows.size:
                continue
            behind = rows[-1] - round(FRONT * (rows[-1] - rows[0]))
            here = min(depth_mm, SCALP_DEPTH_MM) if self.is_ring[k] else depth_mm
            region[:, behind:, k] = depth[:, behind:, k - low] <= here
        return Volume(region, self.coarse.affine)


def _filled(body: Bools) -> Bools:
    """Every slice without its holes: airways and sinuses are inside."""
    from scipy.ndimage import binary_fill_holes

    return np.stack([binary_fill_holes(plane) for plane in np.moveaxis(body, 2, 0)], axis=2)


def _is_soft(body: Bools, hu: npt.NDArray[Any]) -> bool:
    """Whether the body's middle is neither bone nor air."""
    if not body.any():
        return False
    r = BRAIN_MM / GRID_MM
    i, j = (slice(max(0, round(m - r)), round(m + r) + 1) for m in np.argwhere(body).mean(axis=0))
    core = hu[i, j]
    return bool(np.mean((core >= BRAIN_HU[0]) & (core <= BRAIN_HU[1])) >= HALF)


def _close(body: Bools, hu: npt.NDArray[Any]) -> Bools:
    """For each ray from the body's middle, whether bone lies close below the skin there.

    None does where the body's cross-section is not that of a head.
    """
    if not MIN_HEAD_CM2 <= body.sum() * GRID_MM**2 / 100 <= MAX_HEAD_CM2:
        return np.zeros(N_RAYS, bool)
    middle = np.argwhere(body).mean(axis=0)
    steps = np.arange(0, max(body.shape), 0.5)
    directions = np.stack([np.cos(ANGLES), np.sin(ANGLES)])
    at = np.rint(middle[:, None, None] + directions[..., None] * steps).astype(int)
    i, j = (np.clip(a, 0, n - 1) for a, n in zip(at, body.shape, strict=True))
    inside, is_bone = body[i, j], body[i, j] & (hu[i, j] > BONE_HU)
    deep = (_last(inside) - _last(is_bone)) * 0.5 * GRID_MM
    return np.asarray(is_bone.any(axis=1) & (deep <= SCALP_MM))


def _last(found: Bools) -> npt.NDArray[np.int64]:
    """Last step of each ray on which something was found; meaningless where nothing was."""
    return np.asarray(found.shape[1] - 1 - found[:, ::-1].argmax(axis=1))
