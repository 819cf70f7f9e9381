"""The pictures of one page: read what they need, draw, count bytes; a failure is a note."""

import base64
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.report.blocks import Picture
from agent.report.drawing import OTHER, REFERENCE, SOFT_TISSUE, Colour, Layer, Mask, View
from labeling.projections import PictureCache
from voxcurate.catalog import Label, Scan, ScanPair
from voxcurate.errors import CurationError
from voxcurate.labels import read_mask
from voxcurate.stage import StageContext
from voxcurate.volume import Volume

if TYPE_CHECKING:
    from labeling.projections import ScanPictures

__all__ = ["OTHER", "REFERENCE", "TROUBLE", "Album", "Drawn", "Mask", "strong_attention"]
log = logging.getLogger(__name__)
# What drawing can run into: bad files and geometry, and what image libraries raise for bad values.
TROUBLE = (CurationError, OSError, ValueError, LookupError, ArithmeticError, TypeError, MemoryError)
MAX_BYTES = 8_000_000  # of all pictures as they stand in the page, so that it stays below 10 MB
NEAR_MM = 15.0  # around a label
FRONT_SIDE = 280  # pixels of a projection
Drawn = tuple[Label | Callable[[], Mask], Colour]  # a label, or what gives a mask; its colour


class Album:
    """Makes the pictures of one report and counts their bytes.

    Args:
        ctx: where the files are.
        max_bytes: of all pictures; further ones are left out with a note in their place.
    """

    def __init__(self, ctx: StageContext, *, max_bytes: int = MAX_BYTES) -> None:
        self._ctx = ctx
        self._max = max_bytes
        self._case = ""
        self._volume: Volume | None = None
        self._masks: dict[str, Mask] = {}
        self._front: ScanPictures | None = None
        self._cache = PictureCache(ctx.workspace.root)
        self.n_bytes = 0
        self.failures: list[str] = []

    def scan(self, case_id: str, scan: Scan | None) -> Picture:
        """The middle coronal slice of a scan."""
        return self.show(case_id, scan, {}, "middle slice", is_whole=True, caption="")

    def show(
        self,
        case_id: str,
        scan: Scan | None,
        drawn: Mapping[str, Drawn],
        what: str,
        *,
        view: View = "coronal",
        focus: Sequence[Drawn] = (),
        is_whole: bool = False,
        caption: str | None = None,
    ) -> Picture:
        """A view of a scan with the outlines of masks; see `drawing.picture_png`.

        Args:
            drawn: name -> what to outline, in drawing order.
            what: said in the caption and the alternative text.
            focus: masks that choose plane and field, if not those that are drawn.
            caption: another caption than view and `what`.
        """

        def draw() -> bytes:
            from agent.report.drawing import picture_png

            if scan is None:
                raise CurationError("the scan is not in the catalog")
            volume = self._read(scan)
            return picture_png(
                volume,
                [Layer(self._mask(scan, given), colour) for given, colour in drawn.values()],
                view=view,
                focus=[self._mask(scan, given) for given, _ in focus],
                is_whole=is_whole,
                window=SOFT_TISSUE if scan.modality == "CT" else None,
            )

        alt = f"{case_id}, {view}: {what}; the patient's right is on the left"
        said = f"{view}: {what}" if caption is None else caption
        return self._make(case_id, alt, draw, said)

    def checked(self, scan: Scan, reasons: Sequence[Mapping[str, Any]]) -> Picture:
        """The three middle planes of a scan with the places of broken rules marked."""

        def draw() -> bytes:
            from cleaning.check.pictures import evidence_picture
            from cleaning.check.reasons import Reason, worst
            from cleaning.check.rules import Check

            places = [tuple(r["planes"]) if r.get("planes") else None for r in reasons]
            found = tuple(
                Reason(**{**reason, "planes": place})
                for reason, place in zip(reasons, places, strict=True)
            )
            return evidence_picture(self._read(scan), Check(worst(found), found))

        alt = f"{scan.case_id}: sagittal, coronal and axial middle plane"
        return self._make(scan.case_id, alt, draw, "sagittal, coronal, axial")

    def pair(self, pair: ScanPair, first: Scan, second: Scan) -> Picture:
        """Two scans on the same places, and their difference."""

        def draw() -> bytes:
            from cleaning.duplicates.hashing import ScanFingerprint
            from cleaning.duplicates.pictures import pair_picture, png_of
            from cleaning.joining import stored_pairs

            cases = [first.case_id, second.case_id]
            columns = self._ctx.catalog.columns
            marks = dict(columns(Scan, "case_id", "fingerprint", case_id=cases))
            one, other = (ScanFingerprint.from_dict(marks[s.case_id]) for s in (first, second))
            return png_of(pair_picture(stored_pairs([pair])[0], one, other))

        caption = f"{first.case_id}, {second.case_id}, difference"
        return self._make(first.case_id, f"side by side: {caption}", draw, caption)

    def frontal(
        self,
        case_id: str,
        scan: Scan | None,
        label: Label | None,
        what: str,
        *,
        side: int = FRONT_SIDE,
    ) -> Picture:
        """The whole scan summed from front to back, with a label in red or bare; drawn once, then
        taken from the workspace's cache.

        Args:
            label: None: the bare scan.
            what: the caption.
            side: the longer side in pixels.
        """

        def draw() -> bytes:
            from labeling.projections import Look

            if scan is None:
                raise CurationError("the scan is not in the catalog")
            window = "organs" if scan.modality == "CT" else "auto"
            look = Look(window, "frontal", max_side=side)

            def projected() -> bytes:
                front = self._projected(scan, window)
                under = None if label is None else front.shadow(self._mask(scan, label))
                return front.png(look, under)

            mark = "" if label is None else label.sha256
            return self._cache.get(scan.sha256, mark, look, projected)

        return self._make(case_id, f"{case_id}, front view: {what}", draw, what)

    def dice(self, scan: Scan, a: Label, b: Label) -> float | None:
        """DSC of two labels of a scan; None if both are empty or one cannot be read."""
        try:
            one, two = self._mask(scan, a), self._mask(scan, b)
        except TROUBLE:
            return None
        total = int(one.sum()) + int(two.sum())
        return 2 * int((one & two).sum()) / total if total else None

    def near(self, scan: Scan, label: Label, drawn: Drawn) -> Mask:
        """The part of a mask around a label, to choose the field by."""
        given, near = self._mask(scan, drawn[0]), np.zeros(tuple(scan.shape), bool)
        spots = np.nonzero(self._mask(scan, label))
        pads = [round(NEAR_MM / step) for step in scan.spacing]
        box = tuple(
            slice(max(0, int(at.min()) - pad), int(at.max()) + pad + 1)
            for at, pad in zip(spots, pads, strict=True)
        )
        near[box] = given[box]
        return near

    def _mask(self, scan: Scan, given: Label | Callable[[], Mask]) -> Mask:
        if not isinstance(given, Label):
            return given()
        self._turn_to(scan)
        if given.label_id not in self._masks:
            root, shape = self._ctx.workspace.root, tuple(scan.shape)
            self._masks[given.label_id] = read_mask(root, given.path, shape)
        return self._masks[given.label_id]

    def _projected(self, scan: Scan, window: str) -> "ScanPictures":
        from labeling.projections import ScanPictures

        self._turn_to(scan)
        if self._front is None:
            self._front = ScanPictures(self._read(scan), windows=(window,))
        return self._front

    def _read(self, scan: Scan) -> Volume:
        from voxcurate.nifti import read_nifti

        self._turn_to(scan)
        if self._volume is None:
            path = self._ctx.workspace.root / scan.path
            if not scan.path or not path.is_file():
                raise CurationError("its file is not in the workspace")
            self._volume = read_nifti(path, allow_nonfinite=True)
        return self._volume

    def _turn_to(self, scan: Scan) -> None:
        """Only one case is held in memory; the pictures of a case follow each other."""
        if self._case != scan.case_id:
            self._case, self._volume, self._masks = scan.case_id, None, {}
            self._front = None

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


def strong_attention(path: Path) -> Mask:
    """Where a stored attention map is at least 0.5, or half its maximum if that is less."""
    from labeling.attention.maps import MAP_SCALE
    from voxcurate.nifti import read_nifti

    values = read_nifti(path).array
    strong: Mask = values >= max(1.0, min(0.5 * MAP_SCALE, values.max() / 2))
    return strong
