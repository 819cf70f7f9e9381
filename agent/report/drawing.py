"""Slices of a scan as small PNGs, cut to what they are about, with outlines of masks.

Radiological convention: the patient's right is on the viewer's left; in coronal pictures the head
is up, in axial ones the front.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from labeling.projections import canonical
from voxcurate.volume import Volume

SIDE = 280  # pixels of a picture's longer side
SOFT_TISSUE = (-160.0, 240.0)  # HU
MARGIN_MM = 25.0  # around what a picture is about
SMALLEST_FIELD_MM = 110.0
GREYS = 128  # of the palette, which the outlines' colours follow
REFERENCE, OTHER = (86, 180, 233), (230, 159, 0)  # Okabe and Ito's sky blue and orange
Colour = tuple[int, int, int]
Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]
View = Literal["coronal", "axial"]
_ACROSS = {"coronal": 1, "axial": 2}  # axis of (R, A, S) that is looked along


@dataclass(frozen=True)
class Layer:
    """A mask in the scan's geometry, drawn as an outline; the first one is drawn broader."""

    mask: Mask
    colour: Colour


def picture_png(
    volume: Volume,
    layers: Sequence[Layer] = (),
    *,
    view: View = "coronal",
    focus: Sequence[Mask] = (),
    is_whole: bool = False,
    window: tuple[float, float] | None = SOFT_TISSUE,
) -> bytes:
    """One view of a scan as PNG.

    The plane is the one with both `focus` masks where they differ most (a single one: where it is
    largest), and the field is cut around them; without focus it is the middle plane, whole.

    Args:
        layers: outlines, drawn in this order.
        focus: masks in the scan's geometry; default those of `layers`.
        is_whole: do not cut.
        window: grey levels' ends in the scan's units; None: its 1st and 99th percentile.
    """
    axis = _ACROSS[view]
    array = canonical(volume.array, volume)
    seen = [canonical(mask, volume) for mask in (focus or [layer.mask for layer in layers])]
    at = _plane(seen, axis, array.shape[axis])
    low, high = window or _percentiles(volume.array)
    cut = (slice(None),) * axis + (at,)  # not take(), which copies all of a turned array
    grey = array[cut].astype(np.float32)
    paper = _paper(np.clip((grey - low) / max(high - low, 1e-6), 0, 1) * 255)
    steps = _spacing(volume, axis)
    near = [_paper(mask[cut]) for mask in seen]
    box = _field(near, steps, paper.shape) if near and not is_whole else _all(paper.shape)
    lines = [(_paper(canonical(x.mask, volume)[cut])[box], x.colour) for x in layers]
    return _paint(paper[box], lines, steps)


def _plane(masks: Sequence[Mask], axis: int, n: int) -> int:
    others = tuple(a for a in range(3) if a != axis)
    if len(masks) > 1:
        differing = (masks[0] ^ masks[1]).sum(axis=others)
        shared = masks[0].any(axis=others) & masks[1].any(axis=others)
        if differing.any():  # a plane with both says more than one with either
            return int(np.argmax(differing * shared if (differing * shared).any() else differing))
    sizes = masks[0].sum(axis=others) if masks else np.zeros(n)
    return int(np.argmax(sizes)) if sizes.any() else n // 2


def _spacing(volume: Volume, axis: int) -> tuple[float, float]:
    """mm between rows and between columns of a picture."""
    letters = volume.orientation
    right, front, up = (
        volume.spacing[next(i for i, c in enumerate(letters) if c in pair)]
        for pair in ("RL", "AP", "SI")
    )
    return (up, right) if axis == 1 else (front, right)


def _paper(plane: Array) -> Array:
    """(right, up or front) to rows from the top and columns from the patient's right."""
    return plane.T[::-1, ::-1]


def _percentiles(array: Array) -> tuple[float, float]:
    low, high = np.nanpercentile(array[::2, ::2, ::2], (1, 99))
    return float(low), float(high)


def _all(shape: tuple[int, ...]) -> tuple[slice, slice]:
    return slice(0, shape[0]), slice(0, shape[1])


def _field(
    masks: Sequence[Array], steps: tuple[float, float], shape: tuple[int, ...]
) -> tuple[slice, slice]:
    """A field, as square as the picture allows, around the masks with a margin."""
    union = np.any(masks, axis=0)
    if not union.any():
        return _all(shape)
    ends = [np.flatnonzero(union.any(axis=1 - a))[[0, -1]] for a in (0, 1)]
    sides = [(int(b) - int(a) + 1) * step for (a, b), step in zip(ends, steps, strict=True)]
    side = max(SMALLEST_FIELD_MM, *(s + 2 * MARGIN_MM for s in sides))
    box = []
    for (a, b), step, n in zip(ends, steps, shape, strict=True):
        width = min(n, round(side / step))
        start = min(max(0, (int(a) + int(b) + 1 - width) // 2), n - width)
        box.append(slice(start, start + width))
    return box[0], box[1]


def _paint(
    grey: Array, outlines: Sequence[tuple[Array, Colour]], steps: tuple[float, float]
) -> bytes:
    """A palette picture: greys, then the exact colours of the outlines."""
    from PIL import Image

    height, width = grey.shape[0] * steps[0], grey.shape[1] * steps[1]
    scale = SIDE / max(height, width)  # pixels per mm
    size = max(8, round(width * scale)), max(8, round(height * scale))
    base = Image.fromarray(np.nan_to_num(grey).astype(np.uint8))
    base = base.resize(size, Image.Resampling.BICUBIC)
    _write_on(base, scale)
    pixels = np.asarray(base) // 2
    palette = [value for level in range(GREYS) for value in [level * 255 // (GREYS - 1)] * 3]
    for i, (mask, colour) in enumerate(outlines):
        small = Image.fromarray(np.ascontiguousarray(mask, dtype=np.uint8) * 255)
        big = np.asarray(small.resize(size, Image.Resampling.BILINEAR)) >= 128
        is_broad = i == 0 and len(outlines) > 1  # so that both are seen where they agree
        pixels = np.where(_edge(big, 4 if is_broad else 2), GREYS + i, pixels).astype(np.uint8)
        palette += colour
    final = Image.fromarray(pixels)
    final.putpalette(palette)
    stream = io.BytesIO()
    final.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _write_on(picture: Any, scale: float) -> None:
    """The patient's sides and a scale bar; `scale` in pixels per mm."""
    from PIL import ImageDraw, ImageFont

    width, height = picture.size
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    for letter, x, anchor in (("R", 5, "la"), ("L", width - 5, "ra")):
        pen.text((x, 3), letter, 255, font, anchor, stroke_width=1, stroke_fill=0)
    cm = next((n for n in (10, 5, 2, 1) if n * 10 * scale < 0.4 * width), 0)
    if not cm:
        return
    y, end = height - 8, 6 + round(cm * 10 * scale)
    pen.line((6, y, end, y), 0, 4)
    pen.line((6, y, end, y), 255, 2)
    font = ImageFont.load_default(13)
    pen.text((end + 5, height - 4), f"{cm} cm", 255, font, "ls", stroke_width=1, stroke_fill=0)


def _edge(mask: Array, width: int) -> Array:
    """The mask's own border, so many pixels wide (4-connected); the picture's rim counts."""
    inner = mask
    for _ in range(width):
        rim = np.pad(inner, 1)
        inner = inner & rim[:-2, 1:-1] & rim[2:, 1:-1] & rim[1:-1, :-2] & rim[1:-1, 2:]
    return np.asarray(mask & ~inner)
