"""Projections kept by what they show: a label that was drawn once is not drawn again."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from labeling.projections.scan import VERSION, Look
from labeling.projections.sums import MaskLike
from labeling.structures import NOWHERE, Structure
from voxcurate.atomic import write_atomic
from voxcurate.ids import content_id
from voxcurate.masks import bounding_box

FOLDER = ("cache", "projections")


class PictureCache:
    """PNG files below a folder, named by scan, label and look; deleting any of them does no harm.

    Args:
        root: the workspace's folder; the pictures lie in ``cache/projections``.
    """

    def __init__(self, root: Path) -> None:
        self._folder = root.joinpath(*FOLDER)

    def get(self, scan: str, label: str, look: Look, draw: Callable[[], bytes]) -> bytes:
        """The picture, drawn by `draw` if it is not there.

        Args:
            scan: hash of the scan's content.
            label: hash of the mask's content (`mask_hash`, or the label's own); empty: no mask.
            look: how it is drawn.
            draw: called where no whole picture is kept.
        """
        key = content_id([VERSION, scan, label, asdict(look)], digits=32)
        path = self._folder / key[:2] / f"{key}.png"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            data = draw()
            write_atomic(path, [data])
            return data


def mask_hash(mask: MaskLike) -> str:
    """A hash of what a mask covers: the same for an array and for its structure."""
    if isinstance(mask, Structure):
        inner, box, shape = mask.mask, mask.box, mask.shape
    else:
        box, shape = bounding_box(mask) or NOWHERE, mask.shape
        inner = mask[box] != 0
    state = [list(shape), *([side.start, side.stop] for side in box)]
    digest = hashlib.sha256(repr(state).encode())
    digest.update(np.packbits(np.ascontiguousarray(inner, np.bool_)).tobytes())
    return digest.hexdigest()
