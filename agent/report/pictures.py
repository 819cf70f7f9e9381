"""CT pictures for the page: coronal slices with outlines, small, counted, never fatal.

Radiological convention: the patient's right is on the viewer's left, the head is up.
"""

import base64
import io
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agent.report.blocks import Picture
from voxcurate.catalog import Label, Scan
from voxcurate.errors import CurationError
from voxcurate.labels import read_mask
from voxcurate.stage import StageContext
from voxcurate.volume import Volume

log = logging.getLogger(__name__)
# What drawing can run into: bad files and geometry, and what image libraries raise for bad values.
TROUBLE = (CurationError, OSError, ValueError, LookupError, ArithmeticError, TypeError, MemoryError)
MAX_BYTES = 8_000_000  # of all pictures as they stand in the page, so that it stays below 10 MB
SIDE = 300  # pixels of a picture's longer side
WINDOW = (-160.0, 240.0)  # HU, soft tissue
REFERENCE, OTHER, THIRD = (86, 180, 233), (230, 159, 0), (204, 121, 167)
Colour = tuple[int, int, int]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Outline:
    """A mask to draw as a line of a colour."""

    mask: Mask
    colour: Colour


class Album:
    """Makes the pictures of one report and counts their bytes."""

    def __init__(self, ctx: StageContext, *, max_bytes: int = MAX_BYTES) -> None:
        self._ctx = ctx
        self._max = max_bytes
        self._volumes: dict[str, Volume] = {}
        self.n_bytes = 0
        self.failures: list[str] = []

    def scan(self, case_id: str, scan: Scan | None) -> Picture:
        """The middle coronal slice of a scan."""
        alt = f"Middle coronal slice of {case_id}, patient's right on the left"
        return self._make(case_id, alt, lambda: self._coronal(scan, ()), "")

    def labels(
        self, case_id: str, scan: Scan | None, outlines: Mapping[str, tuple[Any, Colour]], what: str
    ) -> Picture:
        """A coronal slice where the masks are largest, with their outlines.

        Args:
            outlines: name -> (a `Label`, or a function that gives a mask; colour).
            what: said in the caption and the alternative text.
        """

        def draw() -> bytes:
            if scan is None:
                raise CurationError("the scan is not in the catalog")
            found = tuple(Outline(self._mask(scan, m), c) for m, c in outlines.values())
            return self._coronal(scan, found)

        return self._make(case_id, f"Coronal slice of {case_id}: {what}", draw, what)

    def _mask(self, scan: Scan, given: Label | Callable[[], Mask]) -> Mask:
        if isinstance(given, Label):
            return read_mask(self._ctx.workspace.root, given.path, tuple(scan.shape))
        return given()

    def _coronal(self, scan: Scan | None, outlines: tuple[Outline, ...]) -> bytes:
        if scan is None:
            raise CurationError("the scan is not in the catalog")
        return coronal_png(self._volume(scan), outlines)

    def _volume(self, scan: Scan) -> Volume:
        from voxcurate.nifti import read_nifti

        if scan.case_id not in self._volumes:
            while len(self._volumes) >= 2:  # the cards of a case follow each other
                self._volumes.pop(next(iter(self._volumes)))
            path = self._ctx.workspace.root / scan.path
            if not scan.path or not path.is_file():
                raise CurationError("its file is not in the workspace")
            self._volumes[scan.case_id] = read_nifti(path, allow_nonfinite=True)
        return self._volumes[scan.case_id]

    def _make(self, case_id: str, alt: str, draw: Callable[[], bytes], caption: str) -> Picture:
        if self.n_bytes >= self._max:
            return Picture("", alt, caption, "left out: the page's room for pictures is used up")
        try:
            data = draw()
        except TROUBLE as error:
            why = str(error) if isinstance(error, CurationError) else type(error).__name__
            log.warning("no picture", extra={"case": case_id, "why": why})
            self.failures.append(f"{case_id}: {why}")
            return Picture("", alt, caption, f"no picture: {why}")
        uri = "data:image/png;base64," + base64.b64encode(data).decode("ascii")
        self.n_bytes += len(uri)
        return Picture(uri, alt, caption)


def coronal_png(volume: Volume, outlines: tuple[Outline, ...] = ()) -> bytes:
    """A coronal slice as PNG: through the largest part of the masks, else the middle one."""
    from PIL import Image, ImageDraw

    turn = _to_ras(volume)
    array = turn(volume.array)
    masks = [turn(outline.mask) for outline in outlines]
    sums = sum(mask.sum(axis=(0, 2), dtype=np.int64) for mask in masks) if masks else None
    at = int(np.argmax(sums)) if sums is not None and np.any(sums) else array.shape[1] // 2
    grey = np.nan_to_num(array[:, at, :].astype(np.float32), nan=WINDOW[0])
    grey = np.clip((grey - WINDOW[0]) / (WINDOW[1] - WINDOW[0]), 0, 1) * 255
    size = _size(volume, array.shape)
    picture = Image.fromarray(_show(grey).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    pixels = np.stack([np.asarray(picture)] * 3, axis=-1).copy()
    for mask, outline in zip(masks, outlines, strict=True):
        flat = Image.fromarray(_show(mask[:, at, :]).astype(np.uint8) * 255)
        big = np.asarray(flat.resize(size, Image.Resampling.BILINEAR)) >= 128
        pixels[_edge(big)] = outline.colour
    final = Image.fromarray(pixels)
    pen = ImageDraw.Draw(final)
    for letter, x in (("R", 4), ("L", size[0] - 12)):
        pen.text((x, size[1] // 2 - 6), letter, fill=(255, 255, 160))
    if outlines:  # few colours: half the bytes
        final = final.quantize(96)
    else:
        final = final.convert("L")
    stream = io.BytesIO()
    final.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _to_ras(volume: Volume) -> Callable[[npt.NDArray[Any]], npt.NDArray[Any]]:
    """A function that turns arrays so that their axes run nearest to right, anterior, superior."""
    letters = volume.orientation
    order = [next(i for i, c in enumerate(letters) if c in pair) for pair in ("RL", "AP", "SI")]
    flips = tuple(slice(None, None, 1 if letters[i] in "RAS" else -1) for i in order)
    return lambda array: array.transpose(order)[flips]


def _show(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(right, superior) to (rows from the head down, columns from the patient's right)."""
    return plane.T[::-1, ::-1]


def _size(volume: Volume, shape: tuple[int, ...]) -> tuple[int, int]:
    letters, spacing = volume.orientation, volume.spacing
    side = {
        pair: spacing[next(i for i, c in enumerate(letters) if c in pair)] for pair in ("RL", "SI")
    }
    width, height = shape[0] * side["RL"], shape[2] * side["SI"]
    scale = SIDE / max(width, height)
    return max(8, round(width * scale)), max(8, round(height * scale))


def _edge(mask: Mask) -> Mask:
    """The mask's own border, two pixels wide (4-connected)."""
    inner = mask
    for _ in range(2):
        padded = np.pad(inner, 1)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)
