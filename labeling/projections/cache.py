"""Projections kept by what they show: a label that was drawn once is not drawn again."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from labeling.projections.scan import VERSION, Look
from voxcurate.atomic import write_atomic
from voxcurate.ids import content_id

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
            label: the label version's hash (`voxcurate.labels.mask_sha256`); empty: no mask.
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
