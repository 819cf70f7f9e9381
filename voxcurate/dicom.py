"""DICOM series: found in a folder, described by their headers, and read as volumes in HU.

Coordinates are LPS inside this module only; what leaves it is RAS+.
"""

from collections.abc import Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxcurate.dicom_file import UNREADABLE, open_dicom
from voxcurate.dicom_file import quiet_pydicom as quiet_pydicom
from voxcurate.dicom_slices import place, read_pixels, slices_of
from voxcurate.errors import VolumeReadError
from voxcurate.identifiers import Identifiers
from voxcurate.volume import Volume

if TYPE_CHECKING:
    from pydicom import Dataset

_PLAIN = [
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "Manufacturer",
    "ManufacturerModelName",
    "SliceThickness",
    "BodyPartExamined",
    "ContrastBolusAgent",
    "ContrastBolusStartTime",
    "KVP",
    "ConvolutionKernel",
    "ImageType",
    "StudyDescription",
    "SeriesDescription",
    "SeriesNumber",
    "ProtocolName",
    "PatientPosition",
    "GantryDetectorTilt",
    "RescaleType",
    "BurnedInAnnotation",
]
_NAMES = ["PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName"]
_NAMES += ["ResponsiblePerson"]
_PHYSICIANS = ["ReferringPhysicianName", "PerformingPhysicianName", "OperatorsName"]
_PHYSICIANS += ["NameOfPhysiciansReadingStudy", "PhysiciansOfRecord", "RequestingPhysician"]
_IDS = ["PatientID", "OtherPatientIDs", "StudyID", "DeviceSerialNumber", "StationName"]
_IDS += ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "MedicalRecordLocator"]
_DATES = ["PatientBirthDate", "StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"]
_DATES += ["AdmittingDate"]
_INSTITUTIONS = ["InstitutionName", "InstitutionalDepartmentName", "ClinicalTrialSiteName"]
_OTHERS = ["PatientAddress", "PatientTelephoneNumbers", "InstitutionAddress"]
_OTHERS += ["ReferringPhysicianTelephoneNumbers", "ReferringPhysicianAddress"]
_IDENTIFYING = [*_NAMES, *_PHYSICIANS, *_IDS, *_DATES, *_INSTITUTIONS, *_OTHERS, "AccessionNumber"]
_PLACE = [
    "SOPInstanceUID",
    "SOPClassUID",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "SpacingBetweenSlices",
    "SliceThickness",
]
_NO_IMAGES = ("SEG", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "RWV", "DOC")


@dataclass(frozen=True, eq=False)
class Series:
    """One series of a folder.

    Attributes:
        series_uid: its SeriesInstanceUID.
        study_uid: its StudyInstanceUID.
        modality: ``"CT"``, ``"MR"``, ``"SEG"``...
        files: in the order of their slices.
        fields: further header fields as text, by DICOM keyword. **Identifying ones are among
            them**: keep them out of logs, messages and the catalog.
    """

    series_uid: str
    study_uid: str
    modality: str
    files: tuple[Path, ...]
    fields: Mapping[str, str]

    @property
    def patient_id(self) -> str:
        """The patient's id as the hospital wrote it; identifying."""
        return self.fields.get("PatientID", "")

    @property
    def accession(self) -> str:
        """The accession number, which reports often carry too; identifying."""
        return self.fields.get("AccessionNumber", "")

    @property
    def study_date(self) -> date | None:
        """Date of the study; identifying."""
        return _date(self.fields.get("StudyDate", ""))

    @property
    def sex(self) -> str:
        """``"F"``, ``"M"``, ``"O"`` or empty."""
        return self.fields.get("PatientSex", "").upper()[:1]

    @property
    def age_years(self) -> float | None:
        """The stated age, else the years from birth to study; None if unknown."""
        stated = self.fields.get("PatientAge", "")
        days = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
        if stated[:-1].isdigit() and stated[-1] in days and stated != "000Y":  # that is a blank
            return int(stated[:-1]) * days[stated[-1]] / 365.25
        born, seen = _date(self.fields.get("PatientBirthDate", "")), self.study_date
        return (seen - born).days / 365.25 if born and seen and born <= seen else None


def find_series(folder: Path, *, images_only: bool = True) -> list[Series]:
    """The series of a folder and its subfolders, by series UID.

    Files that are no DICOM are passed over; of copies of one instance the first (by name) counts.

    Args:
        folder: where to look.
        images_only: leave out segmentations, reports and other series that are no scan.
    """
    found: dict[str, dict[str, tuple[Path, Dataset]]] = {}
    with quiet_pydicom():
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            header = _header(path)
            if header is None or (images_only and not _is_image(header)):
                continue
            instances = found.setdefault(str(header.SeriesInstanceUID), {})
            instances.setdefault(str(header.get("SOPInstanceUID") or path), (path, header))
        return [_series(list(found[uid].values())) for uid in sorted(found)]


def identifiers(series: Series) -> Identifiers:
    """All that the header tells about the patient, for the scrubber."""

    def several(keywords: list[str]) -> tuple[str, ...]:
        values = (series.fields.get(word, "") for word in keywords)
        return tuple(
            dict.fromkeys(part.strip() for v in values for part in v.split("\\") if part.strip())
        )

    dates = (_date(value) for value in several(_DATES))
    return Identifiers(
        names=several(_NAMES),
        physicians=several(_PHYSICIANS),
        ids=several(_IDS),
        accessions=several(["AccessionNumber"]),
        dates=tuple(dict.fromkeys(day for day in dates if day)),
        institutions=several(_INSTITUTIONS),
        others=several(_OTHERS),
    )


def read_series(series: Series | Sequence[Path]) -> Volume:
    """A series in HU (or whatever the rescale of another modality gives).

    Axes: I along a row, J down the columns, K along the slices' normal. A gantry tilt shows as a
    sheared affine. int16 where the values allow it, else int32; float32 where the rescale is not
    integral. One slice is a volume too, its thickness the spacing. Enhanced multi-frame files are
    read frame by frame.

    Raises:
        VolumeReadError: missing, duplicate or unevenly spaced slices; mixed shapes, orientations or
            pixel sizes; no position; pixels that cannot be decoded; colour.
    """
    files = series.files if isinstance(series, Series) else tuple(series)
    if not files:
        raise VolumeReadError("no DICOM files to read")
    with quiet_pydicom():
        slices = [
            piece
            for path in files
            for piece in slices_of(path, open_dicom(path, stop_before_pixels=True, force=True))
        ]
        slices, affine = place(slices)
        return Volume(read_pixels(slices).transpose(2, 1, 0), affine)


def _header(path: Path) -> "Dataset | None":
    """What we want of a file's header; None if it is not DICOM."""
    is_part_10 = looks_like_dicom(path)
    if is_part_10 is None:
        return None
    tags: list[Any] = [*_PLAIN, *_IDENTIFYING, *_PLACE]
    try:
        header = open_dicom(path, stop_before_pixels=True, specific_tags=tags, force=not is_part_10)
        is_instance = "SeriesInstanceUID" in header
        _touch(header)
    except VolumeReadError:
        return None
    except UNREADABLE:
        return None
    return header if is_instance else None


def looks_like_dicom(path: Path) -> bool | None:
    """True: it says so. False: it begins as a data set without the preamble. None: it is none."""
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError:  # its text would name the path
        return None
    if start[128:] == b"DICM":
        return True
    return False if start[:2] in (b"\x08\x00", b"\x02\x00") else None


def _touch(header: "Dataset") -> None:
    """pydicom parses values when they are asked for: damage shows only then."""
    for element in header:
        str(element.value)


def _is_image(header: "Dataset") -> bool:
    try:
        is_multi_frame = int(header.get("NumberOfFrames") or 1) > 1
    except (TypeError, ValueError):
        is_multi_frame = False
    has_place = "ImagePositionPatient" in header or is_multi_frame
    return "Rows" in header and has_place and header.get("Modality") not in _NO_IMAGES


def _series(instances: list[tuple[Path, "Dataset"]]) -> Series:
    ordered = sorted(instances, key=lambda item: _order(item[1]))
    header = ordered[0][1]
    fields = {word: _text(header, word) for word in (*_PLAIN, *_IDENTIFYING)}
    return Series(
        series_uid=fields["SeriesInstanceUID"],
        study_uid=fields["StudyInstanceUID"],
        modality=fields["Modality"],
        files=tuple(path for path, _ in ordered),
        fields={word: value for word, value in fields.items() if value},
    )


def _order(header: "Dataset") -> tuple[float, int]:
    """Along the slice's normal, then by instance number."""
    number = header.get("InstanceNumber")
    try:
        across = np.reshape(np.asarray(header.ImageOrientationPatient, dtype=float), (2, 3))
        along = float(np.cross(*across) @ np.asarray(header.ImagePositionPatient, dtype=float))
    except (AttributeError, TypeError, ValueError):
        along = 0.0
    try:
        return along, int(number) if number is not None else 0
    except (TypeError, ValueError, OverflowError):
        return along, 0


def _text(header: "Dataset", keyword: str) -> str:
    value = header.get(keyword)
    if value is None:
        return ""
    several = value if isinstance(value, MutableSequence) else [value]  # a name iterates letters
    return "\\".join(str(part) for part in several).strip()


def _date(text: str) -> date | None:
    try:
        return datetime.strptime(text.replace(".", "")[:8], "%Y%m%d").date()
    except ValueError:
        return None
