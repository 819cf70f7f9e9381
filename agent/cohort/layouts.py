"""How each of the four sources lays out its files, and the ``dataset.yaml`` that says so."""

from pathlib import PurePosixPath
from typing import Any

import numpy as np

from agent.cohort.person import Person
from agent.cohort.plan import ScanPlan
from agent.cohort.tissues import CLASSES, ORGANS, TUMOR

NORTH_CLASSES = ("liver", "spleen", "kidney_left", "kidney_right", "pancreas", TUMOR)
UNET_CLASSES = ("aorta", "postcava", "gall_bladder", "stomach", "duodenum", "bladder")
UNET_VALUES = dict(enumerate(UNET_CLASSES, start=1))

DATASETS: dict[str, dict[str, Any]] = {
    "northclinic": {
        "name": "northclinic",
        "layout": "dicom",
        "masks": [{"path": "masks/{series_uid}/{class}.nii.gz"}],
        "reports": [
            {
                "path": "reports.csv",
                "text": "ReportText",
                "keys": {"accession": "Accession", "patient_id": "MRN", "date": "StudyDate"},
                "known": {
                    "names": "PatientName",
                    "ids": "MRN",
                    "accessions": "Accession",
                    "dates": "StudyDate",
                },
            }
        ],
        "patient": "{patient_id}",
        "complete": list(NORTH_CLASSES),
        "licence": "synthetic data, CC0",
    },
    "atlasdemo": {
        "name": "atlasdemo",
        "scans": "{case}/ct.nii.gz",
        "masks": [{"path": "{case}/segmentations/{class}.nii.gz"}],
        "reports": [{"path": "{case}/report.txt"}],
        "patients": "patients.csv",
        "licence": "synthetic data, CC0",
    },
    "unetdemo": {
        "name": "unetdemo",
        "scans": "imagesTr/{case}_0000.nii.gz",
        "masks": [{"path": "labelsTr/{case}.nii.gz", "labels": UNET_VALUES}],
        "patients": "patients.csv",
        "complete": list(UNET_CLASSES),
        "licence": "synthetic data, CC0",
    },
    "rawdemo": {
        "name": "rawdemo",
        "scans": "scans/{case}.nii.gz",
        "reports": [{"path": "reports/{case}.txt"}],
        "patients": "patients.csv",
        "licence": "synthetic data, CC0",
    },
}
HAS_REPORTS = frozenset(name for name, data in DATASETS.items() if "reports" in data)


def scan_path(plan: ScanPlan, person: Person) -> PurePosixPath:
    """The scan's file (for DICOM its folder), relative to the source."""
    if plan.source == "northclinic":
        who = person.identity
        study = f"{plan.day:%Y%m%d}_{plan.index:03d}"
        return PurePosixPath("dicom", f"{who.last}_{who.first}".upper(), study)
    pattern = DATASETS[plan.source]["scans"]
    return PurePosixPath(pattern.replace("{case}", plan.name))


def annotated_classes(plan: ScanPlan, rng: np.random.Generator) -> tuple[str, ...]:
    """The classes that the source's people looked at on this scan."""
    if plan.source == "northclinic":
        return NORTH_CLASSES
    if plan.source == "unetdemo":
        return UNET_CLASSES
    if plan.source == "rawdemo":
        return ()
    skipped = {name for name in ("duodenum", "bladder", TUMOR) if rng.random() < 0.35}
    return tuple(name for name in CLASSES if name not in skipped and name in (*ORGANS, TUMOR))
