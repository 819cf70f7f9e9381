"""What the pipeline must not know: ``truth/truth.json`` and the true masks."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from agent.cohort.dicom_writer import Series
from agent.cohort.person import Person
from agent.cohort.plan import ScanPlan
from agent.cohort.scanner import Acquired
from agent.cohort.tissues import CLASSES, ORGANS

VERSION = 1


@dataclass
class Truth:
    """Everything planted, collected while the cohort is written."""

    seed: int
    scans: list[dict[str, Any]] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    label_errors: list[dict[str, Any]] = field(default_factory=list)
    phi: dict[str, set[str]] = field(default_factory=dict)

    def note_person(self, person: Person) -> None:
        """Remember a patient's identifiers."""
        who = person.identity
        for name in (who.last, who.physician.split()[-1], who.radiologist.split()[-1]):
            self.note_phi("name", name)
        self.note_phi("mrn", who.mrn)
        self.note_phi("serial", f"SN{who.mrn[::-1]}")
        self.note_phi("phone", who.phone)
        self.note_phi("address", who.street)
        self.note_phi("institution", who.hospital)
        for style in ("%Y%m%d", "%Y-%m-%d", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y"):
            self.note_phi("birth_date", who.birth.strftime(style))

    def note_series(self, series: Series) -> None:
        """Remember a series' identifiers."""
        self.note_phi("accession", series.accession)
        self.note_phi("uid", series.study_uid)

    def note_day(self, plan: ScanPlan) -> None:
        """Remember a study date, as reports and headers spell it."""
        for style in ("%Y-%m-%d", "%m/%d/%Y", "%d %B %Y", "%B %d, %Y", "%d.%m.%Y"):
            self.note_phi("study_date", plan.day.strftime(style))

    def note_scan(
        self, plan: ScanPlan, key: str, scan: Acquired, masks_file: str, diameter_mm: float
    ) -> dict[str, Any]:
        """Record a scan; its labels are added to the returned entry."""
        voxel_ml = float(np.prod(scan.spacing)) / 1000
        volumes = {
            name: round(int(mask.sum()) * voxel_ml, 3) for name, mask in scan.masks().items()
        }
        seen = volumes["pancreatic_tumor"] > 0
        entry: dict[str, Any] = {
            "source": plan.source,
            "key": key,
            "name": plan.name,
            "person": plan.person,
            "visit": plan.visit,
            "phase": plan.phase,
            "shape": list(scan.image.shape),
            "spacing_mm": [round(value, 4) for value in scan.spacing],
            "masks": masks_file,
            "volumes_ml": volumes,
            "tumor_mm": diameter_mm if seen else 0.0,
            "corruption": plan.corruption,
            "copy_kind": plan.copy_kind,
            "copy_of": None if plan.copy_of is None else self.scans[plan.copy_of]["key"],
            "copy_of_source": None if plan.copy_of is None else self.scans[plan.copy_of]["source"],
            "file_sha256": "",
            "labels": {},
        }
        self.scans.append(entry)
        return entry

    def write(self, folder: Path, people: tuple[Person, ...]) -> None:
        """Write ``truth.json``."""
        data = {
            "version": VERSION,
            "seed": self.seed,
            "classes": list(CLASSES),
            "organ_values": {name: value for value, name in enumerate(ORGANS, start=1)},
            "scans": self.scans,
            "duplicates": [
                {
                    "first": [scan["copy_of_source"], scan["copy_of"]],
                    "second": [scan["source"], scan["key"]],
                    "kind": scan["copy_kind"],
                }
                for scan in self.scans
                if scan["copy_kind"]
            ],
            "label_errors": self.label_errors,
            "reports": self.reports,
            "people": [_person_entry(person) for person in people],
            "phi": [
                {"kind": kind, "text": text}
                for kind in sorted(self.phi)
                for text in sorted(self.phi[kind])
            ],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "truth.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")

    def note_phi(self, kind: str, text: str) -> None:
        """Remember one string that identifies somebody."""
        self.phi.setdefault(kind, set()).add(text)


def write_true_masks(path: Path, scan: Acquired) -> None:
    """All true masks of a scan: ``organs`` (values), ``tumor`` and ``affine``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, organs=scan.organs, tumor=scan.tumor, affine=scan.affine)


def _person_entry(person: Person) -> dict[str, Any]:
    tumor = person.tumor
    return {
        "number": person.number,
        "sex": person.sex,
        "age": person.age,
        "absent": sorted(person.absent),
        "conditions": sorted(person.conditions),
        "metal": person.metal,
        "tumor": None
        if tumor is None
        else {"kind": tumor.kind, "diameter_mm": tumor.diameter_mm, "segment": tumor.segment},
    }
