"""All projections of one scan: the scan is read once, and each mask once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from labeling.projections.painting import PALETTE, Grey, Overlay, painted
from labeling.projections.png import png
from labeling.projections.sums import (
    MaskLike,
    Plane,
    Shadow,
    map_shadows,
    mask_shadows,
    scan_sums,
    shadow_dice,
)
from labeling.projections.views import MAX_SIDE, Placing, resized, resized_mask, view_of
from voxcurate.errors import ConfigError
from voxcurate.volume import Volume

VERSION = "2"  # of what is drawn; kept pictures of another one are drawn anew
SKELETON_GAMMA = 0.5  # ribs are a tenth as bright as the pelvis
SKELETON_WHITE = 0.97  # of the pixels with bone: metal is brighter than all of it


@dataclass(frozen=True)
class Look:
    """How a projection is drawn.

    Attributes:
        window: of `WINDOWS`, or "auto" (1 % to 99 % of the values; for other modalities).
        axis: "frontal", "lateral" or "axial".
        overlay: the mask as a tint that keeps the scan visible, or in solid red.
        max_side: the picture's longer side in pixels.
        pixel_mm: least size of a pixel; 1.0: no scan shorter than `max_side` mm is enlarged.
    """

    window: str = "organs"
    axis: str = "frontal"
    overlay: Overlay = "tinted"
    max_side: int = MAX_SIDE
    pixel_mm: float = 0.0


class ScanPictures:
    """The projections of a scan, in every window and along every axis that is wanted.

    Args:
        volume: HU, or any values for the window "auto".
        windows: which are summed.
        axes: which views.

    Raises:
        ConfigError: no such window or view.
    """

    def __init__(
        self,
        volume: Volume,
        *,
        windows: Sequence[str] = ("organs",),
        axes: Sequence[str] = ("frontal",),
    ) -> None:
        self._volume = volume
        self._placing = Placing.of(volume.affine, volume.shape)
        self._along = sorted({view_of(axis)[0] for axis in axes})
        self._sums: dict[tuple[str, int], Plane] = scan_sums(volume, windows, self._along)
        self._greys: dict[tuple[str, int, tuple[int, int]], Grey] = {}

    def shadow(self, mask: MaskLike) -> dict[int, Shadow]:
        """What a mask covers in each of the views, see `sums.mask_shadows`."""
        return mask_shadows(self._volume, mask, self._along)

    def shadows(
        self, labels: npt.NDArray[Any], names: Mapping[int, str]
    ) -> dict[str, dict[int, Shadow]]:
        """What each class of a label map covers, see `sums.map_shadows`."""
        return map_shadows(self._volume, labels, names, self._along)

    def dice(self, a: Mapping[int, Shadow], b: Mapping[int, Shadow]) -> float | None:
        """Dice of two shadows in the view where they differ most; None if both are empty."""
        found = [shadow_dice(a[axis], b[axis]) for axis in self._along]
        known = [dsc for dsc in found if dsc is not None]
        return min(known) if known else None

    def png(self, look: Look, shadow: Mapping[int, Shadow] | None = None) -> bytes:
        """A projection as PNG: the bare scan, or with a mask over it.

        Raises:
            ConfigError: the window or view is none of those that were summed.
        """
        along, letters = view_of(look.axis)
        if (look.window, along) not in self._sums:
            raise ConfigError(f"no picture of window {look.window!r} and view {look.axis!r} here")
        grey = self._grey(look, along)
        under = None
        if shadow is not None:
            under = resized_mask(shadow[along], (grey.shape[1], grey.shape[0]))
        return png(painted(grey, under, look.overlay, letters), PALETTE)

    def _grey(self, look: Look, along: int) -> Grey:
        size = self._size(look, along)
        key = (look.window, along, size)
        if key not in self._greys:
            plane = self._sums[look.window, along]
            plane = _skeleton(plane) if look.window == "skeleton" else plane / _white(plane)
            self._greys[key] = resized(plane * 255.0, size)
        return self._greys[key]

    def _size(self, look: Look, along: int) -> tuple[int, int]:
        longest = max(mm for n, mm in enumerate(self._placing.extent_mm) if n != along)
        side = look.max_side
        if look.pixel_mm:
            side = min(side, round(longest / look.pixel_mm))
        return self._placing.size(along, side)


def _white(plane: Plane) -> float:
    return max(float(plane.max()), 1e-9)


def _skeleton(plane: Plane) -> Plane:
    """Bone beside metal, thin bone beside thick: Label Critic equalises the histogram locally, a
    curve is enough and keeps air black."""
    bone = np.sort(plane[plane > 0])
    if bone.size == 0:
        return plane
    white = float(bone[min(int(SKELETON_WHITE * bone.size), bone.size - 1)])
    curved: Plane = np.minimum(plane / white, 1.0) ** SKELETON_GAMMA
    return curved


def projection_png(
    volume: Volume,
    mask: npt.NDArray[np.bool_] | None = None,
    *,
    window: str = "organs",
    axis: str = "frontal",
    max_side: int = MAX_SIDE,
    overlay: Overlay = "tinted",
) -> bytes:
    """The scan summed along one direction, a mask in red; the same bytes for the same input.

    Args:
        volume: HU, or any values if `window` is "auto" (1 % to 99 % of them).
        mask: shape of the volume.
        window: of `WINDOWS`, or "auto".
        axis: "frontal", "lateral" or "axial".
        max_side: the picture's longer side in pixels.
        overlay: "tinted" or "solid".

    Raises:
        GeometryError: the mask has another shape.
        ConfigError: no such window or view.
    """
    pictures = ScanPictures(volume, windows=(window,), axes=(axis,))
    shadow = None if mask is None else pictures.shadow(mask)
    return pictures.png(Look(window, axis, overlay, max_side), shadow)


def projection_pngs(
    volume: Volume,
    masks: Mapping[str, MaskLike],
    *,
    window: str = "organs",
    axis: str = "frontal",
    max_side: int = MAX_SIDE,
    overlay: Overlay = "tinted",
) -> dict[str, bytes]:
    """One picture per mask, and the bare scan under ``""``; the scan is projected once.

    Masks are arrays of the volume's shape or structures.
    """
    pictures = ScanPictures(volume, windows=(window,), axes=(axis,))
    look = Look(window, axis, overlay, max_side)
    found = {"": pictures.png(look)}
    for name, mask in masks.items():
        found[name] = pictures.png(look, pictures.shadow(mask))
    return found
