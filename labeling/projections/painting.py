"""Grey projections, a mask in red over them, letters that say which side is which.

Pictures have 7 bits of grey: then greys and tints fit one palette, and a picture is a third of its
size in RGB, to encode and to send. The tint is Label Critic's: under the mask red is the grey value
and green and blue are 0, so that the scan stays visible; departure: red never gets darker than
`LEAST_RED`. The solid overlay is pure red.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

Overlay = Literal["tinted", "solid"]
Grey = npt.NDArray[np.uint8]
LEAST_RED = 77
_GREYS, _TINTS = 128, 126
_SOLID, _LETTER = 254, 255
_GLYPHS = {  # 5 columns, 7 rows, a bit each
    "R": (30, 17, 17, 30, 20, 18, 17),
    "L": (16, 16, 16, 16, 16, 16, 31),
    "A": (14, 17, 17, 31, 17, 17, 17),
    "P": (30, 17, 17, 30, 16, 16, 16),
    "S": (15, 16, 16, 14, 1, 1, 30),
    "I": (14, 4, 4, 4, 4, 4, 14),
}
_SCALE, _MARGIN, _GAP = 2, 2, 3
YELLOW = (255, 255, 0)


def _palette() -> Grey:
    greys = np.rint(np.arange(_GREYS) * 255 / (_GREYS - 1)).astype(np.uint8)
    colours = np.zeros((256, 3), np.uint8)
    colours[:_GREYS] = greys[:, None]
    reds = LEAST_RED + np.arange(_TINTS) * (255 - LEAST_RED) / (_TINTS - 1)
    colours[_GREYS : _GREYS + _TINTS, 0] = np.rint(reds)
    colours[_SOLID] = (255, 0, 0)
    colours[_LETTER] = YELLOW
    return colours


PALETTE = _palette()
_OF_GREY = np.rint(np.arange(256) * (_GREYS - 1) / 255).astype(np.uint8)
_OF_TINT = (
    _GREYS + np.rint(np.maximum(np.arange(256) - LEAST_RED, 0) * (_TINTS - 1) / (255 - LEAST_RED))
).astype(np.uint8)


def painted(
    grey: Grey, under: npt.NDArray[np.bool_] | None, overlay: Overlay, letters: str
) -> Grey:
    """Indices into `PALETTE`: a grey picture with a mask in red.

    Args:
        grey: 0..255, ``(rows, columns)``.
        under: the mask, of that shape; None: no mask.
        overlay: red that keeps the grey value, or pure red.
        letters: at left, right, top and bottom; empty: none.
    """
    found = _OF_GREY[grey]
    if under is not None and overlay == "solid":
        found[under] = _SOLID
    elif under is not None:
        np.copyto(found, _OF_TINT[grey], where=under)
    for letter, (row, column) in zip(letters, _places(*grey.shape), strict=False):
        glyph = stamp(letter)
        height, width = glyph.shape
        found[row : row + height, column : column + width] = np.where(glyph, _LETTER, 0)
    return found


def lettered(rgb: Grey, letters: str) -> Grey:
    """An RGB picture with the letters at left, right, top and bottom."""
    found = rgb.copy()
    for letter, (row, column) in zip(letters, _places(*rgb.shape[:2]), strict=True):
        glyph = stamp(letter)
        height, width = glyph.shape
        colours = np.where(glyph[..., None], np.array(YELLOW, np.uint8), np.uint8(0))
        found[row : row + height, column : column + width] = colours
    return found


def stamp(letter: str) -> npt.NDArray[np.bool_]:
    """A letter as pixels, a margin around it. Drawn here: a font's shapes change with its library,
    and with them the bytes of every picture."""
    bits = np.array([[row >> (4 - n) & 1 for n in range(5)] for row in _GLYPHS[letter]], np.bool_)
    return np.pad(bits.repeat(_SCALE, 0).repeat(_SCALE, 1), _MARGIN)


def _places(rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Upper left corners of the letters at left, right, top and bottom."""
    height, width = stamp("L").shape
    middle_row, middle_column = (rows - height) // 2, (columns - width) // 2
    return (
        (middle_row, _GAP),
        (middle_row, columns - width - _GAP),
        (_GAP, middle_column),
        (rows - height - _GAP, middle_column),
    )
