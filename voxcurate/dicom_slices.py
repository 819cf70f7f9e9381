"""The slices of a DICOM series: their places, which make the affine, and their pixels."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from voxcurate.dicom_file import MAX_BYTES, UNREADABLE, open_dicom
from voxcurate.errors import VolumeReadError
from voxcurate.slice_gaps import decimals_of, digit_along, judge_gaps
from voxcurate.volume import Affine, Volume

if TYPE_CHECKING:
    from pydicom import Dataset

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True, eq=False)
class Slice:
    """One plane of a series, as its header describes it; coordinates in LPS, mm.

    Attributes:
        path: its file.
        frame: its number in a multi-frame file, None for a file of one plane.
        position: centre of the first pixel.
        along_row: unit vector to the next pixel of a row (next column).
        along_column: unit vector to the next row.
        spacing: distance of neighbours within a row and within a column.
        shape: rows, columns.
        thickness: slice thickness, 0 if unknown.
        slope: rescale factor.
        inter: rescale summand.
        decimals: of the position, as written.
    """

    path: Path
    frame: int | None
    position: npt.NDArray[np.float64]
    along_row: npt.NDArray[np.float64]
    along_column: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    shape: tuple[int, int]
    thickness: float
    slope: float
    inter: float
    decimals: tuple[int, ...] = (9, 9, 9)

    @property
    def normal(self) -> npt.NDArray[np.float64]:
        """Unit vector across the slice."""
        return np.cross(self.along_row, self.along_column)


def slices_of(path: Path, header: "Dataset") -> list[Slice]:
    """The planes of one file.

    Raises:
        VolumeReadError: no image, colour, or no usable place in the patient.
    """
    try:
        if "Rows" not in header or "Columns" not in header:
            raise VolumeReadError("a DICOM file of the series holds no image")
        if int(header.get("SamplesPerPixel") or 1) != 1:
            raise VolumeReadError("want grey values, found a colour image in the series")
        frames = header.get("PerFrameFunctionalGroupsSequence")
        if not frames:
            return [_slice(path, None, header, [header])]
        shared = list(header.get("SharedFunctionalGroupsSequence") or [])
        return [_slice(path, n, header, [frame, *shared]) for n, frame in enumerate(frames)]
    except UNREADABLE:
        raise VolumeReadError("the header of a slice is damaged") from None


def place(slices: Sequence[Slice]) -> tuple[list[Slice], Affine]:
    """The slices in order along their normal, and the affine ``(column, row, slice)`` to RAS+ mm.

    Raises:
        VolumeReadError: mixed shapes, orientations or pixel sizes; duplicate, missing or unevenly
            spaced slices; positions that lie on no line.
    """
    first = slices[0]
    for name, same in (
        ("shapes", all(piece.shape == first.shape for piece in slices)),
        ("orientations", all(_same_axes(piece, first) for piece in slices)),
        ("pixel sizes", all(np.allclose(p.spacing, first.spacing, rtol=1e-3) for p in slices)),
    ):
        if not same:
            raise VolumeReadError(f"the series mixes {name} (a localiser among the slices?)")
    ordered = sorted(slices, key=lambda piece: float(piece.normal @ piece.position))
    step = _step(ordered)
    affine = np.eye(4)
    affine[:3, 0] = first.along_row * first.spacing[0]
    affine[:3, 1] = first.along_column * first.spacing[1]
    affine[:3, 2] = step
    affine[:3, 3] = ordered[0].position
    return ordered, LPS_TO_RAS @ affine


def read_pixels(slices: Sequence[Slice]) -> npt.NDArray[Any]:
    """Rescaled values ``(slices, rows, columns)``: int16 or int32 where integral, else float32.

    Raises:
        VolumeReadError: pixels are missing, damaged, or packed in a way nobody here can unpack.
    """
    planes: list[npt.NDArray[Any]] = []
    path, stored, is_rescaled = None, np.empty(0), False
    for piece in slices:
        if piece.path != path:  # a multi-frame file is decoded once
            path = piece.path
            stored, is_rescaled = decoded(path)
        plane = stored[piece.frame] if piece.frame is not None and stored.ndim == 3 else stored
        if plane.shape != piece.shape:
            raise VolumeReadError(f"want a slice of {piece.shape} pixels, found {plane.shape}")
        planes.append(plane if is_rescaled else _rescaled(plane, piece))
    if any(plane.dtype.kind == "f" for plane in planes):
        return np.stack(planes, dtype=np.float32, casting="unsafe")
    low, high = min(int(p.min()) for p in planes), max(int(p.max()) for p in planes)
    narrow = np.int16 if low >= -(1 << 15) and high < 1 << 15 else np.int32
    return np.stack(planes, dtype=narrow, casting="unsafe")


def loose_stack(paths: Sequence[Path]) -> Volume:
    """What fits together of a series that `place` refuses: for looking at, not for use.

    The slices of the most common shape and orientation, one per place, stacked at their median
    distance. Slices that cannot be read are left out.

    Raises:
        VolumeReadError: no slice is left.
    """
    slices: list[Slice] = []
    for path in paths:
        with suppress(VolumeReadError):
            slices += slices_of(path, open_dicom(path, stop_before_pixels=True, force=True))
    if not slices:
        raise VolumeReadError("no slice of the series can be read")
    shape = Counter(piece.shape for piece in slices).most_common(1)[0][0]
    alike = [piece for piece in slices if piece.shape == shape]
    usual = np.median([[p.along_row, p.along_column] for p in alike], axis=0)
    alike = [
        p for p in alike if np.allclose([p.along_row, p.along_column], usual, atol=0.05)
    ] or alike[:1]
    places: dict[float, Slice] = {}
    for piece in alike:
        places.setdefault(round(float(alike[0].normal @ piece.position), 2), piece)
    planes, kept = [], []
    for _, piece in sorted(places.items()):
        with suppress(VolumeReadError):
            planes.append(read_pixels([piece])[0])
            kept.append(piece)
    if not kept:
        raise VolumeReadError("no slice of the series can be read")
    gaps = np.diff([float(kept[0].normal @ piece.position) for piece in kept])
    step = float(np.median(gaps)) if gaps.size else kept[0].thickness or 1.0
    affine = np.eye(4)
    affine[:3, 0] = kept[0].along_row * kept[0].spacing[0]
    affine[:3, 1] = kept[0].along_column * kept[0].spacing[1]
    affine[:3, 2] = kept[0].normal * max(step, 1e-3)
    affine[:3, 3] = kept[0].position
    return Volume(np.stack(planes).transpose(2, 1, 0), LPS_TO_RAS @ affine)


def _slice(path: Path, frame: int | None, header: Any, groups: list[Any]) -> Slice:
    """One plane; a multi-frame file tells its place in nested groups, others at the top."""

    def look(sequence: str, keyword: str) -> Any:
        for group in groups:
            item = (group.get(sequence) or [None])[0] if frame is not None else group
            if item is not None and item.get(keyword) not in (None, ""):
                return item.get(keyword)
        return None

    orientation = look("PlaneOrientationSequence", "ImageOrientationPatient")
    position = look("PlanePositionSequence", "ImagePositionPatient")
    spacing = look("PixelMeasuresSequence", "PixelSpacing")
    if orientation is None or position is None or spacing is None:  # what no scan lacks
        raise VolumeReadError("a slice has no position, orientation or pixel spacing")
    thickness = look("PixelMeasuresSequence", "SliceThickness")
    slope = look("PixelValueTransformationSequence", "RescaleSlope")
    inter = look("PixelValueTransformationSequence", "RescaleIntercept")
    try:
        axes = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
        origin = np.asarray(position, dtype=np.float64).reshape(3)
        down, across = (float(value) for value in spacing)
        numbers = float(thickness or 0), float(1 if slope is None else slope), float(inter or 0)
    except (TypeError, ValueError):
        raise VolumeReadError("a slice's position, orientation or spacing is no number") from None
    is_frame = np.allclose(axes @ axes.T, np.eye(2), atol=1e-2)  # headers round to 2-6 digits
    if not is_frame or not np.isfinite(origin).all() or min(down, across) <= 0:
        raise VolumeReadError("a slice's orientation or pixel spacing is impossible")
    shape = int(header.Rows), int(header.Columns)
    along_row, along_column = axes / np.linalg.norm(axes, axis=1, keepdims=True)
    spacings = (across, down)
    decimals = decimals_of(position)
    return Slice(path, frame, origin, along_row, along_column, spacings, shape, *numbers, decimals)


def _same_axes(one: Slice, other: Slice) -> bool:
    return np.allclose(one.along_row, other.along_row, atol=1e-3) and np.allclose(
        one.along_column, other.along_column, atol=1e-3
    )


def _step(ordered: Sequence[Slice]) -> npt.NDArray[np.float64]:
    """Vector from slice to slice, in LPS mm."""
    normal = ordered[0].normal
    if len(ordered) == 1:
        return normal * (ordered[0].thickness or 1.0)
    positions = np.stack([piece.position for piece in ordered])
    digit = digit_along([piece.decimals for piece in ordered], normal)
    found = judge_gaps(positions @ normal, digit_mm=digit)
    if found.repeated.size:
        n_same = found.repeated.size
        raise VolumeReadError(f"duplicate slices: {n_same} at a position that another has")
    if found.uneven.size:
        gaps = found.gaps_mm
        raise VolumeReadError(
            f"uneven slices: their distances run from {gaps.min():g} to {gaps.max():g} mm"
        )
    if found.missing.size:
        n_lost = found.n_missing
        raise VolumeReadError(f"missing slices: {n_lost} between the first and the last")
    step = (positions[-1] - positions[0]) / (len(ordered) - 1)
    line = positions[0] + np.arange(len(ordered))[:, None] * step
    if abs(positions - line).max() > 0.5 * min(ordered[0].spacing) + 0.01:
        raise VolumeReadError("the slices' positions do not lie on one line")
    return np.asarray(step)


def decoded(path: Path) -> tuple[npt.NDArray[Any], bool]:
    """Stored pixels of a file, and whether they are rescaled already.

    pydicom first; SimpleITK (GDCM) for compressions that pydicom has no plugin for.
    """
    header = open_dicom(path, force=True)
    try:
        check_claim(header, path.stat().st_size)
        return header.pixel_array, False
    except VolumeReadError:
        raise
    except RecursionError:
        raise VolumeReadError("the pixels of a slice are missing or damaged") from None
    except RuntimeError:  # NotImplementedError too: no plugin for this compression
        pass
    except UNREADABLE:
        raise VolumeReadError("the pixels of a slice are missing or damaged") from None
    import SimpleITK

    try:
        image = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError:
        raise VolumeReadError("the compressed pixels of a slice cannot be decoded") from None
    return (image[0] if image.shape[0] == 1 else image), True


def check_claim(header: "Dataset", size: int) -> None:
    """What a header promises, before memory is taken for it.

    Raises:
        VolumeReadError: more pixels than fit into the file (or, packed, into memory), or none.
    """
    sides = [int(header.get(word) or 0) for word in ("Rows", "Columns")]
    frames = int(header.get("NumberOfFrames") or 1)
    bits = int(header.get("BitsAllocated") or 16)
    n_bytes = sides[0] * sides[1] * frames * int(header.get("SamplesPerPixel") or 1) * bits // 8
    syntax = getattr(getattr(header, "file_meta", None), "TransferSyntaxUID", None)
    is_packed = bool(syntax is not None and (syntax.is_compressed or syntax.is_deflated))
    if n_bytes <= 0 or frames < 1:
        raise VolumeReadError("the header promises no pixels")
    if n_bytes > (MAX_BYTES if is_packed else size):
        shape = f"{sides[0]} x {sides[1]} x {frames}"
        raise VolumeReadError(
            f"the header promises {shape} pixels, more than the file of {size} bytes can hold"
        )


def _rescaled(stored: npt.NDArray[Any], piece: Slice) -> npt.NDArray[Any]:
    if piece.slope.is_integer() and piece.inter.is_integer():
        return stored.astype(np.int64) * int(piece.slope) + int(piece.inter)
    return np.asarray(stored * piece.slope + piece.inter, dtype=np.float32)
