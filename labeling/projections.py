"""Pictures for people and for vision-language models: frontal projections and slices as PNG.

The projection is Label Critic's (as published with ScaleMAI, section A.2): window, sum from front
to back, divide by the maximum, pixels of equal size, longest side 512, the mask as a red tint on
the grey value. Departures: a tint never gets darker than `LEAST_RED`, and letters say which side is
which. The patient's right is on the left of the picture; anisotropic voxels are not stretched.
"""

import io
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from voxcurate.errors import ConfigError, GeometryError
from voxcurate.volume import Volume, orientation_of

WINDOWS = {  # HU
    "organs": (-150.0, 250.0),
    "bone": (-500.0, 1500.0),
    "skeleton": (400.0, 2000.0),
    "lung": (-1000.0, 200.0),
}
LEAST_RED = 0.3
MINIMUM_SIDE = 64
Color = tuple[int, int, int]
View = Literal["frontal", "lateral", "axial", "coronal", "sagittal"]
# the axis looked along (R, A, S), the letters at left, right, top and bottom of the picture
VIEWS: dict[str, tuple[int, str]] = {
    "frontal": (1, "RLSI"),
    "coronal": (1, "RLSI"),
    "lateral": (0, "APSI"),
    "sagittal": (0, "APSI"),
    "axial": (2, "RLAP"),
}


def projection_png(
    volume: Volume,
    mask: npt.NDArray[np.bool_] | None = None,
    *,
    window: str = "organs",
    axis: str = "frontal",
    max_side: int = 512,
) -> bytes:
    """The scan summed along one direction, a mask as red tint; the same bytes for the same input.

    Args:
        volume: HU, or any values if `window` is "auto" (1 % to 99 % of them).
        mask: shape of the volume.
        window: of `WINDOWS`, or "auto".
        axis: "frontal" or "lateral".
        max_side: the picture's longer side in pixels.

    Raises:
        GeometryError: the mask has another shape.
        ConfigError: no such window or view.
    """
    masks = {} if mask is None else {"mask": mask}
    return projection_pngs(volume, masks, window=window, axis=axis, max_side=max_side)[
        "mask" if masks else ""
    ]


def projection_pngs(
    volume: Volume,
    masks: Mapping[str, npt.NDArray[np.bool_]],
    *,
    window: str = "organs",
    axis: str = "frontal",
    max_side: int = 512,
) -> dict[str, bytes]:
    """One picture per mask, and the bare scan under ``""``; the scan is projected once."""
    along, letters = _view(axis)
    array = canonical(volume.array, volume)
    low, high = _window(window, array)
    summed = _summed(array, along, low, high)
    summed *= np.float32(255.0 / max(float(summed.max()), 1e-9))
    size = _size(volume, along, max_side)
    base = _resized(_picture(summed), size, smooth=True)
    pictures = {"": _png(np.repeat(base[..., None], 3, axis=2), letters)}
    for name, mask in masks.items():
        if mask.shape != volume.shape:
            raise GeometryError(f"want a mask of shape {volume.shape}, found {mask.shape}")
        seen = canonical(mask, volume).any(axis=along)
        under = _resized(_picture(np.where(seen, 255, 0)), size, smooth=False) > 127
        rgb = np.repeat(base[..., None], 3, axis=2)
        rgb[under, 1:] = 0
        rgb[under, 0] = np.maximum(base[under], np.uint8(255 * LEAST_RED))
        pictures[name] = _png(rgb, letters)
    return pictures


def slice_png(
    volume: Volume,
    masks: Mapping[str, npt.NDArray[np.bool_]],
    axis: str,
    index: int,
    colors: Mapping[str, Color],
    *,
    window: str = "organs",
    max_side: int = 512,
) -> bytes:
    """One slice with the outlines of masks.

    Args:
        volume: the scan.
        masks: name to mask of the volume's shape.
        axis: "axial", "coronal" or "sagittal".
        index: along the array axis that lies nearest to the view's direction, from its lowest
            world coordinate (left, back or foot end).
        colors: name to RGB; red if not named.
        window: as in `projection_png`.
        max_side: the picture's longer side in pixels.

    Raises:
        GeometryError: no such slice, or a mask has another shape.
        ConfigError: no such window or view.
    """
    along, letters = _view(axis)
    array = canonical(volume.array, volume)
    if not 0 <= index < array.shape[along]:
        raise GeometryError(f"no {axis} slice {index}: there are {array.shape[along]}")
    low, high = _window(window, array)
    plane = np.clip(
        (np.moveaxis(array, along, 0)[index].astype(np.float32) - low) / (high - low), 0, 1
    )
    size = _size(volume, along, max_side)
    base = _resized(_picture(plane * 255.0), size, smooth=True)
    rgb = np.repeat(base[..., None], 3, axis=2)
    for name, mask in masks.items():
        if mask.shape != volume.shape:
            raise GeometryError(f"want a mask of shape {volume.shape}, found {mask.shape}")
        part = np.moveaxis(canonical(mask, volume), along, 0)[index].astype(np.float32) * 255.0
        inside = _resized(_picture(part), size, smooth=False) > 127
        rgb[_outline(inside)] = colors.get(name, (255, 0, 0))
    return _png(rgb, letters)


def canonical(array: npt.NDArray[Any], volume: Volume) -> npt.NDArray[Any]:
    """The array's axes in the order R, A, S, each running that way (nearest axes, a view)."""
    letters = orientation_of(volume.affine)
    order = [next(n for n, x in enumerate(letters) if x in pair) for pair in ("RL", "AP", "SI")]
    turned = array.transpose(order)
    flips = tuple(slice(None, None, 1 if letters[n] in "RAS" else -1) for n in order)
    return turned[flips]


def middle_slice(volume: Volume, mask: npt.NDArray[np.bool_], axis: str) -> int:
    """The slice of a view with most of a mask in it; the middle one if the mask is empty."""
    along, _ = _view(axis)
    turned = canonical(mask, volume)
    others = tuple(n for n in range(3) if n != along)
    counts = turned.sum(axis=others)
    return int(counts.argmax()) if counts.any() else turned.shape[along] // 2


def _view(axis: str) -> tuple[int, str]:
    if axis not in VIEWS:
        raise ConfigError(f"no view {axis!r}; there are: {', '.join(sorted(VIEWS))}")
    return VIEWS[axis]


def _window(window: str, array: npt.NDArray[Any]) -> tuple[float, float]:
    if window == "auto":
        low, high = np.percentile(array[::2, ::2, ::2], [1, 99])
        return float(low), float(max(high, low + 1))
    if window not in WINDOWS:
        raise ConfigError(f"no window {window!r}; there are: auto, {', '.join(sorted(WINDOWS))}")
    return WINDOWS[window]


def _summed(
    array: npt.NDArray[Any], along: int, low: float, high: float
) -> npt.NDArray[np.float32]:
    """Sum of the windowed values; plane by plane, so that no float copy of the volume is made."""
    other = 2 if along != 2 else 0
    planes = np.moveaxis(array, other, 0)  # a view; `take` would copy the volume each time
    inner = along if along < other else along - 1
    parts = [
        np.clip((plane.astype(np.float32) - low) / (high - low), 0, 1).sum(axis=inner)
        for plane in planes
    ]
    return np.stack(parts, axis=1 if other == 2 else 0)


def _picture(plane: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Rows from the top, columns from the left: R or A on the left, S (A in axial) on top."""
    # canonical axes run to R, A, S: their ends come first
    return np.ascontiguousarray(plane[::-1, ::-1].T, dtype=np.float32)


def _size(volume: Volume, along: int, max_side: int) -> tuple[int, int]:
    """Width and height with pixels of equal size, the longer side `max_side`."""
    letters = orientation_of(volume.affine)
    order = [next(n for n, x in enumerate(letters) if x in pair) for pair in ("RL", "AP", "SI")]
    mm = [volume.shape[n] * volume.spacing[n] for n in order]
    width, height = (mm[n] for n in range(3) if n != along)
    scale = max_side / max(width, height)
    return max(MINIMUM_SIDE, round(width * scale)), max(MINIMUM_SIDE, round(height * scale))


def _resized(
    picture: npt.NDArray[np.float32], size: tuple[int, int], *, smooth: bool
) -> npt.NDArray[np.uint8]:
    from PIL import Image

    how = Image.Resampling.BILINEAR if smooth else Image.Resampling.NEAREST
    grown = Image.fromarray(picture).resize(size, how)
    return np.asarray(np.clip(np.rint(np.asarray(grown)), 0, 255), dtype=np.uint8)


def _outline(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage

    return np.asarray(inside & ~ndimage.binary_erosion(inside, iterations=2), dtype=bool)


def _png(rgb: npt.NDArray[np.uint8], letters: str) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    width, height = image.size
    places = [(4, height // 2 - 6), (width - 12, height // 2 - 6), (width // 2 - 4, 2),
              (width // 2 - 4, height - 16)]  # fmt: skip
    for letter, (x, y) in zip(letters, places, strict=True):
        draw.rectangle((x - 2, y - 1, x + 9, y + 13), fill=(0, 0, 0))
        draw.text((x, y), letter, fill=(255, 255, 0))
    stream = io.BytesIO()
    image.save(stream, format="PNG", compress_level=3)
    return stream.getvalue()
