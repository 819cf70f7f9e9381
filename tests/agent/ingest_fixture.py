"""Small folders to ingest: phantoms on an oblique grid, written as hospitals and challenges do."""

import json
import os
from datetime import date
from pathlib import Path

import nibabel
import numpy as np

from agent.ingest import ingest
from tests.conftest import ellipsoid, oblique_affine
from voxcurate.catalog import Catalog
from voxcurate.classes import load_vocabulary
from voxcurate.executors import ExecutorConfig
from voxcurate.stage import StageContext, StageResult
from voxcurate.workspace import Workspace

SHAPE = (23, 19, 14)
LIVER = ellipsoid(SHAPE, (8, 9, 7), (4, 3, 3))
SPLEEN = ellipsoid(SHAPE, (17, 8, 5), (2, 2, 2))
KEY = "ab" * 32  # the same ids and splits in every test


def scan_array(seed: int):
    """A body of random blobs, unlike that of any other seed: int16, HU."""
    rng = np.random.default_rng(seed)
    array = np.full(SHAPE, -1000, np.int16)
    array[ellipsoid(SHAPE, (11, 9, 6.5), (9, 7, 9))] = 40
    for _ in range(12):
        centre = tuple(rng.uniform(0.1, 0.9, 3) * SHAPE)
        radii = tuple(rng.uniform(1.0, 5.0, 3))
        array[ellipsoid(SHAPE, centre, radii)] = rng.integers(-400, 400)
    return (array + rng.integers(-15, 15, SHAPE)).astype(np.int16)


def write(path: Path, array, affine=None) -> Path:
    """A NIfTI file by nibabel, so that reader and writer do not share a mistake."""
    path.parent.mkdir(parents=True, exist_ok=True)
    affine = oblique_affine() if affine is None else affine
    if array.dtype == bool:
        array = array.astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)
    return path


def atlas(root: Path, n: int = 3, *, first: int = 0) -> Path:
    """``<case>/ct.nii.gz`` with liver and spleen; odd cases lack the spleen."""
    for number in range(first, first + n):
        case = root / f"BDMAP_{number:08d}"
        write(case / "ct.nii.gz", scan_array(number))
        write(case / "segmentations" / "liver.nii.gz", LIVER)
        if number % 2 == 0:
            write(case / "segmentations" / "spleen.nii.gz", SPLEEN)
    return root


def maps(root: Path, n: int = 3) -> Path:
    """``images/x.nii.gz`` and ``labels/x.nii.gz``: 1 liver, 2 spleen (odd cases lack it)."""
    for number in range(n):
        write(root / "images" / f"case_{number}.nii.gz", scan_array(50 + number))
        array = LIVER.astype(np.uint8)
        if number % 2 == 0:
            array[SPLEEN] = 2
        write(root / "labels" / f"case_{number}.nii.gz", array)
    return root


def nnunet(root: Path, n: int = 2) -> Path:
    """nnU-Net raw data with an ignore label (3)."""
    for number in range(n):
        write(root / "imagesTr" / f"a_{number}_0000.nii.gz", scan_array(80 + number))
        array = LIVER.astype(np.uint8)
        array[SPLEEN] = 3
        write(root / "labelsTr" / f"a_{number}.nii.gz", array)
    data = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, "liver": 1, "Right Kidney": 2, "ignore": 3},
        "file_ending": ".nii.gz",
        "numTraining": n,
        "name": "My Livers!",
    }
    (root / "dataset.json").write_text(json.dumps(data))
    return root


def describe(root: Path, text: str) -> Path:
    """``dataset.yaml`` beside the data."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.yaml").write_text(text, encoding="utf-8")
    return root


MAPS = """
name: maps
scans: images/{case}.nii.gz
masks:
- path: labels/{case}.nii.gz
  labels: {1: liver, 2: spleen}
"""


def dicom_series(
    folder: Path, number: int, *, patient: str = "DOE^JANE", day: date = date(2020, 3, 1)
) -> str:
    """A CT series as a hospital exports it; its UID."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian

    folder.mkdir(parents=True, exist_ok=True)
    uid = f"1.2.826.0.1.3680043.10.1447.5.{number}"
    array = scan_array(200 + number)
    for k in range(array.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = UID(f"{uid}.{k + 1}")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header = FileDataset(b"", {}, file_meta=meta, preamble=b"\0" * 128)
        header.SOPClassUID, header.SOPInstanceUID = CTImageStorage, f"{uid}.{k + 1}"
        header.SeriesInstanceUID, header.StudyInstanceUID = uid, f"{uid}.0"
        header.Modality, header.PatientName, header.PatientID = "CT", patient, f"MRN48151{number}"
        header.PatientBirthDate, header.PatientSex = "19250102", "F"
        header.StudyDate, header.AccessionNumber = f"{day:%Y%m%d}", f"ACC77{number}31"
        header.InstitutionName, header.Manufacturer = "Saint Elsewhere Hospital", "ACME"
        header.SeriesDescription = "Abd portal venous DOE"
        header.Rows, header.Columns = array.shape[1], array.shape[0]
        header.PixelSpacing, header.SliceThickness = [1.3, 0.9], 2.5
        header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        header.ImagePositionPatient = [-10.0, -20.0, 5.0 + 2.5 * k]
        header.InstanceNumber = k + 1
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit = 16, 16, 15
        header.PixelRepresentation = 1
        header.RescaleSlope, header.RescaleIntercept = 1, -1024
        header.PixelData = (array[:, :, k].T + 1024).astype("<i2").tobytes()
        header.save_as(folder / f"IM{k + 1:03d}.dcm", enforce_file_format=True)
    return uid


class Bench:
    """A workspace with a fixed key, and ingest into it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / "key"
        if not key.exists():
            key.write_text(KEY)
            key.chmod(0o600)
        self.workspace = Workspace.create(folder / "ws", key_file=os.fspath(key))
        self.catalog = Catalog(self.workspace.catalog_url)

    def ingest(self, path: Path, **options) -> StageResult:
        """Ingest in this process."""
        context = StageContext(
            self.workspace,
            self.catalog,
            load_vocabulary(),
            round=0,
            executor_config=ExecutorConfig(kind="serial"),
            quiet=True,
        )
        return ingest(context, path, **options)
