"""A CT series as DICOM files with a hospital's headers, identifiers and all."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from agent.cohort.person import Person

UID_ROOT = "1.2.826.0.1.3680043.10.1447"
_OFFSET = 1024


@dataclass(frozen=True)
class Series:
    """Identity of one series."""

    person: Person
    day: date
    phase: str
    accession: str
    study_uid: str
    series_uid: str
    frame_uid: str


def make_series(person: Person, day: date, phase: str, seed: int, index: int) -> Series:
    """A series with invented UIDs, the same for the same seed and scan."""
    stem = f"{UID_ROOT}.{seed}.{person.number + 1}.{index + 1}"
    accession = f"NC{day:%y}{(seed * 7919 + index * 104_729 + 5011) % 1_000_000:06d}"
    return Series(person, day, phase, accession, f"{stem}.1", f"{stem}.1.2", f"{stem}.9")


def write_series(
    folder: Path,
    series: Series,
    image: npt.NDArray[np.int16] | npt.NDArray[np.float32],
    affine: npt.NDArray[np.float64],
) -> list[Path]:
    """One file per slice.

    Args:
        folder: made if need be.
        series: who and when.
        image: int16 HU, ``(columns, rows, slices)``, axes to the left, back and head (LPS).
        affine: index to RAS+ mm, axial.

    Returns:
        The files in slice order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    header = _header(series)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    header.PixelSpacing = [float(f"{spacing[1]:.6f}"), float(f"{spacing[0]:.6f}")]
    header.SliceThickness = float(f"{spacing[2]:.6f}")
    header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    header.Columns, header.Rows = image.shape[0], image.shape[1]
    paths = []
    for k in range(image.shape[2]):
        corner = affine @ (0, 0, k, 1)
        header.InstanceNumber = k + 1
        header.SOPInstanceUID = UID(f"{series.series_uid}.{k + 1}")
        header.ImagePositionPatient = [
            float(f"{value:.6f}") for value in (-corner[0], -corner[1], corner[2])
        ]
        header.PixelData = (image[:, :, k].T + _OFFSET).astype("<i2").tobytes()
        path = folder / f"IM{k + 1:04d}.dcm"
        _save(header, path)
        paths.append(path)
    return paths


def _save(header: Dataset, path: Path) -> None:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(f"{UID_ROOT}.0")
    FileDataset(str(path), header, file_meta=meta, preamble=b"\0" * 128).save_as(
        path, enforce_file_format=True
    )


def _header(series: Series) -> Dataset:
    person, who = series.person, series.person.identity
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID = CTImageStorage
    ds.StudyInstanceUID, ds.SeriesInstanceUID = series.study_uid, series.series_uid
    ds.FrameOfReferenceUID = series.frame_uid
    for keyword in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, keyword, f"{series.day:%Y%m%d}")
    ds.StudyTime = ds.SeriesTime = "101532"
    ds.AccessionNumber = series.accession
    ds.StudyID = series.accession[-5:]
    ds.Modality = "CT"
    ds.Manufacturer, ds.ManufacturerModelName = "PHANTOM WORKS", "Paper 64"
    ds.InstitutionName, ds.InstitutionAddress = who.hospital, f"1 {who.street}"
    ds.ReferringPhysicianName = _dicom_name(who.physician)
    ds.PerformingPhysicianName = _dicom_name(who.radiologist)
    ds.OperatorsName = _dicom_name(who.radiologist)
    ds.StationName, ds.DeviceSerialNumber = "NCCT01", f"SN{who.mrn[::-1]}"
    ds.StudyDescription = "CT ABDOMEN"
    ds.SeriesDescription = f"ABDOMEN {series.phase.replace('_', ' ').upper()}"
    ds.PatientName = f"{who.last}^{who.first}"
    ds.PatientID = who.mrn
    ds.PatientBirthDate = f"{who.birth:%Y%m%d}"
    ds.PatientSex, ds.PatientAge = person.sex, f"{person.age:03d}Y"
    ds.PatientAddress, ds.PatientTelephoneNumbers = who.street, who.phone
    ds.PatientComments = f"{who.first} {who.last} prefers to be called by phone: {who.phone}"
    ds.PatientPosition = "HFS"
    ds.BodyPartExamined = "ABDOMEN"
    ds.KVP, ds.XRayTubeCurrent = 120, 210
    ds.ConvolutionKernel = "B30f"
    ds.SeriesNumber = 2
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -_OFFSET, 1, "HU"
    block = ds.private_block(0x0029, "PHANTOM WORKS PRIVATE", create=True)
    block.add_new(0x10, "LO", f"{who.last} {who.first}")
    block.add_new(0x11, "LO", who.mrn)
    return ds


def _dicom_name(words: str) -> str:
    first, _, last = words.partition(" ")
    return f"{last}^{first}"
