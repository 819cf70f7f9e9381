"""What the headers of DICOM files say, one by one, without asking that they agree or make sense.

`voxcurate.dicom.read_series` refuses what does not fit together; here everything is noted, damage
too, so that somebody else can say what is wrong with a series.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxcurate.dicom import looks_like_dicom
from voxcurate.dicom_file import UNREADABLE, open_header, quiet_pydicom
from voxcurate.errors import VolumeReadError
from voxcurate.slice_gaps import decimals_of

if TYPE_CHECKING:
    from pydicom import Dataset

_TEXTS = {
    "series_uid": "SeriesInstanceUID",
    "study_uid": "StudyInstanceUID",
    "instance_uid": "SOPInstanceUID",
    "sop_class": "SOPClassUID",
    "frame_uid": "FrameOfReferenceUID",
    "modality": "Modality",
    "kernel": "ConvolutionKernel",
    "rescale_type": "RescaleType",
    "lossy": "LossyImageCompression",
    "photometric": "PhotometricInterpretation",
    "contrast": "ContrastBolusAgent",
    "patient": "PatientID",
    "description": "SeriesDescription",
}
_NUMBERS = {
    "rows": "Rows",
    "columns": "Columns",
    "frames": "NumberOfFrames",
    "samples": "SamplesPerPixel",
    "bits": "BitsAllocated",
    "bits_stored": "BitsStored",
    "slope": "RescaleSlope",
    "inter": "RescaleIntercept",
    "instance": "InstanceNumber",
    "acquisition": "AcquisitionNumber",
    "temporal": "TemporalPositionIdentifier",
    "tilt": "GantryDetectorTilt",
    "kvp": "KVP",
    "thickness": "SliceThickness",
    "n_in_acquisition": "ImagesInAcquisition",
}
_VECTORS = {
    "position": ("ImagePositionPatient", 3),
    "axes": ("ImageOrientationPatient", 6),
    "spacing": ("PixelSpacing", 2),
}
_TAGS = [*_TEXTS.values(), *_NUMBERS.values(), *(word for word, _ in _VECTORS.values())]
_TAGS += ["ImageType", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
TAG_AND_LENGTH = 8  # the least that comes before the pixels


@dataclass(frozen=True, eq=False)
class FileFacts:
    """One file as its header tells it. **`texts` identify**: keep them out of what is printed.

    Attributes:
        path: the file.
        size: bytes.
        error: why it cannot be read; empty if it can.
        texts: fields by the names above; absent if missing or damaged.
        numbers: the same for numbers; finite ones only.
        vectors: `position`, `axes` (row then column direction), `spacing` (between rows, within a
            row); of an enhanced file those of its first frame.
        decimals: of the position's x, y and z, as written; empty without a position.
        image_type: values of ImageType.
        is_multi_frame: an enhanced file, with its places in nested sequences.
        pixel_bytes: bytes from the start of the pixels to the end of the file; -1 for no pixels.
        is_packed: compressed, so that `pixel_bytes` says nothing.
        damaged: fields that are there and cannot be read.
    """

    path: Path
    size: int
    error: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    vectors: dict[str, tuple[float, ...]] = field(default_factory=dict)
    decimals: tuple[int, ...] = ()
    image_type: tuple[str, ...] = ()
    is_multi_frame: bool = False
    pixel_bytes: int = -1
    is_packed: bool = False
    damaged: tuple[str, ...] = ()

    @property
    def promised_bytes(self) -> float:
        """What rows, columns, frames and bits make."""
        sides = (self.numbers.get(word, 0.0) for word in ("rows", "columns"))
        frames, samples = (self.numbers.get(word, 1.0) or 1.0 for word in ("frames", "samples"))
        return float(np.prod([*sides, frames, samples, self.numbers.get("bits", 16.0)])) / 8


def survey(paths: Sequence[Path]) -> list[FileFacts]:
    """The facts of each file, in their order. Never raises for what lies in a file."""
    with quiet_pydicom():
        return [_facts(path) for path in paths]


def _facts(path: Path) -> FileFacts:
    try:
        size = path.stat().st_size
    except OSError:
        return FileFacts(path, 0, "the file cannot be opened")
    if size == 0:
        return FileFacts(path, 0, "the file is empty")
    kind = looks_like_dicom(path)
    if kind is None:
        return FileFacts(path, size, "no DICOM file: its first bytes are others")
    try:
        header, rest = open_header(path, specific_tags=_TAGS, force=not kind)
    except VolumeReadError as error:
        return FileFacts(path, size, str(error))
    damaged: list[str] = []
    texts = {name: _text(header, word, damaged) for name, word in _TEXTS.items()}
    numbers = {name: _number(header, word, damaged) for name, word in _NUMBERS.items()}
    if not texts["instance_uid"] and not texts["modality"] and numbers["rows"] is None:
        return FileFacts(path, size, "the file ends before it says what it is")
    groups = _groups(header, damaged)
    vectors = {
        name: _vector([*groups, header], word, n, damaged) for name, (word, n) in _VECTORS.items()
    }
    for name in ("slope", "inter", "thickness"):
        nested = _first_number(groups, _NUMBERS[name])  # what counts where there is both
        numbers[name] = numbers[name] if nested is None else nested
    return FileFacts(
        path,
        size,
        texts={k: v for k, v in texts.items() if v},
        numbers={k: v for k, v in numbers.items() if v is not None},
        vectors={k: v for k, v in vectors.items() if v is not None},
        decimals=_decimals(header) if vectors["position"] else (),
        image_type=_image_type(header, damaged),
        is_multi_frame=bool(groups),
        pixel_bytes=rest - TAG_AND_LENGTH if rest > TAG_AND_LENGTH else -1,
        is_packed=_is_packed(header),
        damaged=tuple(damaged),
    )


def _is_packed(header: "Dataset") -> bool:
    from pydicom.uid import UID

    syntax = UID(str(getattr(header.file_meta, "TransferSyntaxUID", "") or "1.2.840.10008.1.2"))
    try:
        return bool(syntax.is_compressed or syntax.is_deflated)
    except ValueError:  # no transfer syntax that anybody knows
        return True


def _text(header: "Dataset", word: str, damaged: list[str]) -> str:
    try:
        value = header.get(word)
        return "" if value is None else str(value).strip()
    except UNREADABLE:
        damaged.append(word)
        return ""


def _number(header: "Dataset", word: str, damaged: list[str]) -> float | None:
    try:
        value: Any = header.get(word)
        if value is None or value == "":
            return None
        number = float(value)
    except UNREADABLE:
        damaged.append(word)
        return None
    if not np.isfinite(number):
        damaged.append(word)
        return None
    return number


def _vector(
    places: Sequence["Dataset"], word: str, n: int, damaged: list[str]
) -> tuple[float, ...] | None:
    for place in places:
        try:
            value: Any = place.get(word)
            if value in (None, ""):
                continue
            found = tuple(float(part) for part in value)
        except UNREADABLE:
            damaged.append(word)
            return None
        if len(found) != n or not np.isfinite(found).all():
            damaged.append(word)
            return None
        return found
    return None


def _decimals(header: "Dataset") -> tuple[int, ...]:
    """Of an enhanced file, whose places are for `read_series` to judge, none."""
    try:
        return decimals_of(header.get("ImagePositionPatient") or ())
    except UNREADABLE:
        return ()


def _groups(header: "Dataset", damaged: list[str]) -> list["Dataset"]:
    """The nested items in which an enhanced file describes its first frame."""
    items: list[Dataset] = []
    try:
        for word in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
            for group in list(header.get(word) or [])[:1]:
                for element in group:
                    if element.VR == "SQ" and element.value:
                        items.append(element.value[0])
    except UNREADABLE:
        damaged.append("functional groups")
    return items


def _first_number(groups: Sequence["Dataset"], word: str) -> float | None:
    found = (_number(group, word, []) for group in groups)
    return next((value for value in found if value is not None), None)


def _image_type(header: "Dataset", damaged: list[str]) -> tuple[str, ...]:
    try:
        value = header.get("ImageType")
        if value is None:
            return ()
        parts = [value] if isinstance(value, str) else list(value)
        return tuple(str(part).strip().upper() for part in parts)
    except UNREADABLE:
        damaged.append("ImageType")
        return ()
