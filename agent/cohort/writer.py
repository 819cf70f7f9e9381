"""Writes a synthetic cohort: what users would have in ``cohort/``, the truth in ``truth/``."""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agent.cohort import dicom_writer
from agent.cohort.anatomy import Body
from agent.cohort.config import CohortConfig
from agent.cohort.copies import duplicate
from agent.cohort.corruption import Volume, corrupt
from agent.cohort.label_writer import LabelWriter
from agent.cohort.layouts import DATASETS, HAS_REPORTS, scan_path
from agent.cohort.nifti_writer import write_nifti
from agent.cohort.person import Person, draw_people
from agent.cohort.plan import ScanPlan, plan_cohort
from agent.cohort.reports import Report, Visit, write_report
from agent.cohort.scanner import Acquired, acquire
from agent.cohort.truth import Truth, write_true_masks
from voxcurate.config import build, dump_yaml
from voxcurate.errors import ConfigError

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CohortSummary:
    """What was made."""

    patients: int
    scans: int
    reports: int
    labels: int
    label_errors: int
    corrupted: int
    duplicates: int


def generate_cohort(
    out: Path, *, patients: int, seed: int, progress: Progress | None = None
) -> CohortSummary:
    """Make a synthetic cohort of abdominal CT with reports, labels and planted faults.

    The same `patients` and `seed` give the same bytes. ``out/cohort/<source>`` holds four sources,
    each with its ``dataset.yaml``; ``out/truth`` holds what only the scorer may read.

    Args:
        out: a new or empty folder.
        patients: at least 4; a third of them has a pancreatic lesion.
        seed: 0 to 9999.
        progress: called with scans done and scans in all.

    Raises:
        ConfigError: `out` holds something, or a number is out of bounds.
    """
    config = build(CohortConfig, {"patients": patients, "seed": seed})
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("want a new or empty folder for the cohort, found other files in it")
    return _CohortWriter(out, config).run(progress)


class _CohortWriter:
    def __init__(self, out: Path, config: CohortConfig) -> None:
        self.cohort, self.truth_folder = out / "cohort", out / "truth"
        self.config = config
        self.people = draw_people(config.patients, config.seed)
        self.plans = plan_cohort(self.people, config.seed)
        self.truth = Truth(config.seed)
        self.kept: dict[int, Acquired] = {}
        self.texts: dict[int, Report] = {}
        self.rows: dict[str, list[dict[str, str]]] = {source: [] for source in DATASETS}

    def run(self, progress: Progress | None) -> CohortSummary:
        originals = {plan.copy_of for plan in self.plans if plan.copy_of is not None}
        labels = LabelWriter(self.cohort, self.config)
        bodies: dict[int, Body] = {}
        for plan in self.plans:
            person = self.people[plan.person]
            body = bodies.setdefault(plan.person, Body(person, self.config.seed))
            scan = self._make(plan, body)
            if plan.index in originals:
                self.kept[plan.index] = scan
            key = self._write_scan(plan, person, scan)
            masks = f"masks/{plan.source}/{plan.index:05d}.npz"
            diameter = body.tumor_diameter_mm(plan.visit)
            entry = self.truth.note_scan(plan, key, scan, masks, diameter)
            if plan.source != "northclinic":
                content = (self.cohort / plan.source / key).read_bytes()
                entry["file_sha256"] = hashlib.sha256(content).hexdigest()
            write_true_masks(self.truth_folder / masks, scan)
            labels.add(plan, scan, key, entry)
            self._report(plan, person, body, key, entry)
            if progress is not None:
                progress(plan.index + 1, len(self.plans))
        n_labels = labels.write(self.truth)
        self._finish()
        return CohortSummary(
            patients=len(self.people),
            scans=len(self.plans),
            reports=len(self.truth.reports),
            labels=n_labels,
            label_errors=len(self.truth.label_errors),
            corrupted=sum(bool(plan.corruption) for plan in self.plans),
            duplicates=sum(bool(plan.copy_kind) for plan in self.plans),
        )

    def _make(self, plan: ScanPlan, body: Body) -> Acquired:
        rng = np.random.default_rng([self.config.seed, 7, plan.index])
        if plan.copy_of is not None:
            return duplicate(self.kept[plan.copy_of], plan.copy_kind, rng)
        scan = acquire(plan, body, self.config.seed)
        if not plan.corruption:
            return scan
        damaged = corrupt(Volume(scan.image, scan.affine), plan.corruption, rng)
        return replace(scan, image=damaged.image, affine=damaged.affine)

    def _write_scan(self, plan: ScanPlan, person: Person, scan: Acquired) -> str:
        """Write the image; returns what identifies the scan: series UID, else relative path."""
        relative = scan_path(plan, person)
        path = self.cohort / plan.source / relative
        self.truth.note_person(person)
        self.truth.note_day(plan)
        if plan.source == "northclinic":
            return self._write_series(plan, person, scan, path)
        if plan.copy_kind.startswith("exact"):
            assert plan.copy_of is not None
            first = self.plans[plan.copy_of]
            original = self.cohort / first.source / scan_path(first, person)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(original.read_bytes())
        else:
            told = plan.source == "rawdemo" or plan.index % 5 == 0
            note = f"{person.identity.last}^{person.identity.first} {person.identity.mrn}"
            write_nifti(path, scan.image, scan.affine, note=note if told else "")
        _damage_file(path, plan.corruption)
        return relative.as_posix()

    def _write_series(self, plan: ScanPlan, person: Person, scan: Acquired, folder: Path) -> str:
        series = self._series(plan)
        self.truth.note_series(series)
        paths = dicom_writer.write_series(folder, series, scan.image, scan.affine)
        _damage_file(paths[len(paths) // 2], plan.corruption)
        return series.series_uid

    def _series(self, plan: ScanPlan) -> dicom_writer.Series:
        person = self.people[plan.person]
        return dicom_writer.make_series(person, plan.day, plan.phase, self.config.seed, plan.index)

    def _report(
        self, plan: ScanPlan, person: Person, body: Body, key: str, entry: dict[str, Any]
    ) -> None:
        is_copy = plan.copy_of is not None
        if not is_copy:
            volumes = entry["volumes_ml"]
            visit = Visit(
                day=plan.day,
                phase=plan.phase,
                accession=self._series(plan).accession,
                tumor_mm=entry["tumor_mm"],
                prior=person.first_scan if plan.visit else None,
                prior_mm=body.tumor_diameter_mm(plan.visit - 1) if plan.visit else 0.0,
                seen=frozenset(name for name, ml in volumes.items() if ml > 0),
            )
            rng = np.random.default_rng([self.config.seed, 8, plan.index])
            self.texts[plan.index] = write_report(person, visit, rng)
        self._list_patient(plan, person)
        if plan.source not in HAS_REPORTS or (is_copy and plan.copy_kind != "exact"):
            return
        text = self.texts[plan.index if plan.copy_of is None else plan.copy_of]
        self.truth.reports.append(
            {
                "source": plan.source,
                "key": key,
                "answers": text.answers,
                "sha256": hashlib.sha256(text.text.encode()).hexdigest(),
            }
        )
        self.truth.note_phi("accession", self._series(plan).accession)
        if plan.source == "northclinic":
            self._table_row(plan, person, text)
            return
        scan = self.cohort / plan.source / scan_path(plan, person)
        path = scan.parent / "report.txt"
        if plan.source == "rawdemo":
            path = self.cohort / plan.source / "reports" / f"{plan.name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.text, encoding="utf-8")

    def _table_row(self, plan: ScanPlan, person: Person, text: Report) -> None:
        told = plan.index % 6 != 3  # a few rows lack the accession number
        self.rows[plan.source].append(
            {
                "PatientName": f"{person.identity.last}, {person.identity.first}",
                "MRN": person.identity.mrn,
                "Accession": self._series(plan).accession if told else "",
                "StudyDate": plan.day.isoformat(),
                "ReportText": text.text,
            }
        )

    def _list_patient(self, plan: ScanPlan, person: Person) -> None:
        if plan.source == "northclinic":
            return
        number = plan.person if plan.copy_of is None else 900 + plan.index
        patient = f"pt_{number:03d}"
        if plan.source == "rawdemo" and plan.copy_of is None:
            patient = person.identity.mrn
        self.rows[plan.source].append(
            {
                "case": plan.name,
                "patient": patient,
                "sex": person.sex,
                "age": str(person.age),
                "phase": plan.phase,
                "date": plan.day.isoformat(),
            }
        )

    def _finish(self) -> None:
        for source, data in DATASETS.items():
            folder = self.cohort / source
            (folder / "dataset.yaml").write_text(dump_yaml(data), encoding="utf-8")
            name = "reports.csv" if source == "northclinic" else "patients.csv"
            rows = sorted(self.rows[source], key=lambda row: list(row.values())[:2])
            with (folder / name).open("w", newline="", encoding="utf-8") as stream:
                table = csv.DictWriter(stream, fieldnames=list(rows[0]), lineterminator="\n")
                table.writeheader()
                table.writerows(rows)
        self.truth.write(self.truth_folder, self.people)


def _damage_file(path: Path, kind: str) -> None:
    if kind == "truncated_file":
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * 0.6)])
    elif kind == "empty_file":
        path.write_bytes(b"")
