"""The CT slice that strings are planted in."""

from datetime import timedelta
from io import BytesIO
from random import Random

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

from benchmarks.deid.people import Person

ROOT = "1.2.826.0.1.3680043.8.498.77"


def uid_of(*parts: object) -> UID:
    """A hospital's UID, the same for the same parts."""
    return UID(f"{ROOT}.{Random('/'.join(map(str, parts))).randrange(10**17, 10**18)}")


def slice_of(
    person: Person, *, study: str, series: str, number: int, side: int = 32
) -> FileDataset:
    """A slice with a full header; `study` and `series` name what it belongs to."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(f"{ROOT}.1")
    ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid_of(series, number)
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = CTImageStorage
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.StudyInstanceUID, ds.SeriesInstanceUID = uid_of(study), uid_of(study, series)
    ds.FrameOfReferenceUID = uid_of(study, "frame")
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = "CT", "SIEMENS", "SOMATOM Force"
    ds.PatientName, ds.PatientID = person.name, person.patient_id
    ds.PatientBirthDate, ds.PatientSex = f"{person.born:%Y%m%d}", "F"
    ds.PatientAge, ds.PatientSize, ds.PatientWeight = "061Y", 1.71, 82
    day = person.seen + timedelta(days=90 if study.endswith("later") else 0)
    for word in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate"):
        setattr(ds, word, f"{day:%Y%m%d}")
    ds.StudyTime = ds.SeriesTime = ds.AcquisitionTime = "101112"
    ds.AccessionNumber, ds.StudyID = "", "1"
    ds.StudyDescription, ds.SeriesDescription = "CT ABDOMEN W CONTRAST", "Abdomen 5.0 B30f"
    ds.BodyPartExamined, ds.PatientPosition = "ABDOMEN", "HFS"
    ds.KVP, ds.SliceThickness, ds.ConvolutionKernel = 120, 5, "B30f"
    ds.SeriesNumber, ds.InstanceNumber, ds.AcquisitionNumber = 2, number, 1
    ds.ImagePositionPatient = [-160.5, -150.25, -20 + 5.0 * number]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing = [0.75, 0.75]
    ds.Rows = ds.Columns = side
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = -1024, 1, "HU"
    noise = np.random.default_rng(number).integers(0, 2500, (side, side), dtype=np.uint16)
    ds.PixelData = noise.astype("<u2").tobytes()
    return ds


def encoded(ds: FileDataset) -> bytes:
    """The bytes of a file."""
    stream = BytesIO()
    plain = Dataset()  # a data set that was never read may be written in any encoding
    plain.update(ds)
    plain.file_meta, plain.preamble = ds.file_meta, ds.preamble
    syntax = ds.file_meta.TransferSyntaxUID
    plain.save_as(
        stream,
        enforce_file_format=True,
        implicit_vr=syntax.is_implicit_VR,
        little_endian=syntax.is_little_endian,
    )
    return stream.getvalue()


def item(**values: object) -> Dataset:
    """An item of a sequence."""
    ds = Dataset()
    for word, value in values.items():
        setattr(ds, word, value)
    return ds


def items(*several: Dataset) -> Sequence:
    """A sequence."""
    return Sequence(several)
