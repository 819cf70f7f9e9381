"""DICOM segmentations (SEG) as masks, on their own grid or that of a scan."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxcurate.dicom_file import quiet_pydicom
from voxcurate.dicom_slices import LPS_TO_RAS, Slice, decoded, slices_of
from voxcurate.errors import VolumeReadError
from voxcurate.geometry import resample_to
from voxcurate.volume import Volume

MAX_SLICES = 10_000


@dataclass(frozen=True, eq=False)
class Segment:
    """One structure of a segmentation.

    Attributes:
        number: its segment number.
        label: what its maker called it.
        meaning: the coded type's plain meaning ("Liver"), if given.
        mask: uint8, 0 or 1.
    """

    number: int
    label: str
    meaning: str
    mask: Volume


def read_segments(path: Path, reference: Volume | None = None) -> list[Segment]:
    """The segments of a SEG file: binary, fractional (from one half on) or label map.

    Frames that the file leaves out are empty.

    Args:
        path: the file.
        reference: a scan; the masks come on its grid (nearest voxel). None: the file's own grid,
            from its first to its last frame.

    Raises:
        VolumeReadError: not a segmentation, or frames that share no grid.
    """
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    with quiet_pydicom():
        try:
            header = dcmread(path, stop_before_pixels=True)
        except (OSError, EOFError, ValueError, InvalidDicomError):
            raise VolumeReadError("not a readable DICOM file") from None
        if header.get("Modality") != "SEG" or "SegmentSequence" not in header:
            raise VolumeReadError("not a DICOM segmentation")
        frames = slices_of(path, header)
        affine, places, n_slices = _grid(frames, header, reference)
        stored, _ = decoded(path)
        stored = stored.reshape(-1, *frames[0].shape)
    if len(stored) != len(frames):
        raise VolumeReadError(f"want {len(frames)} frames, found {len(stored)}")
    kind = str(header.get("SegmentationType", "BINARY"))
    threshold = 1.0
    if kind == "FRACTIONAL":
        threshold = float(header.get("MaximumFractionalValue") or 255) / 2
    result = []
    for item in header.SegmentSequence:
        number = int(item.SegmentNumber)
        if number == 0:  # the background of a label map
            continue
        array = np.zeros((*frames[0].shape[::-1], n_slices), np.uint8)
        for at, plane, owner in zip(places, stored, _owners(header, len(frames)), strict=True):
            if owner in (None, number):
                inside = plane == number if owner is None else plane >= threshold
                array[:, :, at] |= inside.T
        mask = Volume(array, affine)
        if reference is not None:
            mask = resample_to(mask, reference.shape, reference.affine, order=0)
        result.append(Segment(number, str(item.get("SegmentLabel", "")), _meaning(item), mask))
    return result


def _owners(header: Any, n_frames: int) -> list[int | None]:
    """The segment of each frame; None in a label map, whose pixels are the segment numbers."""
    if str(header.get("SegmentationType", "")) == "LABELMAP":
        return [None] * n_frames
    shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
    owners: list[int | None] = []
    for frame in header.PerFrameFunctionalGroupsSequence:
        said = frame.get("SegmentIdentificationSequence") or shared.get(
            "SegmentIdentificationSequence"
        )
        if not said:
            raise VolumeReadError("a frame of the segmentation does not say its segment")
        owners.append(int(said[0].ReferencedSegmentNumber))
    return owners


def _grid(
    frames: list[Slice], header: Any, reference: Volume | None
) -> tuple[npt.NDArray[np.float64], list[int], int]:
    """Affine of the masks, slice index of each frame, and number of slices."""
    first = frames[0]
    if any(
        not np.allclose(piece.normal, first.normal, atol=1e-3)
        or not np.allclose(piece.along_row, first.along_row, atol=1e-3)
        for piece in frames
    ):
        raise VolumeReadError("the frames of the segmentation have several orientations")
    positions = np.stack([piece.position for piece in frames])
    along = positions @ first.normal
    step = _step(along, first, header, reference)
    index = np.rint((along - along.min()) / step)
    if abs(along - along.min() - index * step).max() > 0.1 * step or index.max() >= MAX_SLICES:
        raise VolumeReadError("the frames of the segmentation lie on no even grid")
    affine = np.eye(4)
    affine[:3, 0] = first.along_row * first.spacing[0]
    affine[:3, 1] = first.along_column * first.spacing[1]
    affine[:3, 2] = first.normal * step
    affine[:3, 3] = positions[int(np.argmin(along))]
    return LPS_TO_RAS @ affine, [int(n) for n in index], int(index.max()) + 1


def _step(
    along: npt.NDArray[np.float64], first: Slice, header: Any, reference: Volume | None
) -> float:
    """Slice distance: as the file says, else the scan's, else the smallest between frames."""
    for group in header.get("SharedFunctionalGroupsSequence") or []:
        measures = (group.get("PixelMeasuresSequence") or [{}])[0]
        if measures.get("SpacingBetweenSlices"):
            return abs(float(measures["SpacingBetweenSlices"].value)) or 1.0
    if reference is not None:
        steps = reference.affine[:3, :3].T @ (first.normal * (-1, -1, 1))
        return float(abs(steps).max())
    gaps = np.diff(np.unique(np.round(along, 3)))
    return float(gaps.min()) if gaps.size else first.thickness or 1.0


def _meaning(item: Any) -> str:
    codes = item.get("SegmentedPropertyTypeCodeSequence") or []
    return str(codes[0].get("CodeMeaning", "")) if codes else ""
