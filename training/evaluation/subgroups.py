"""What groups a scan belongs to: sex, age band, scanner, phase, source, slice thickness, modality;
or the columns of a table. What is not known of a scan puts it in no group."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.evaluation.config import EvaluateConfig
from voxcurate.catalog.records import Scan
from voxcurate.errors import ConfigError

Groups = dict[str, dict[str, str]]  # attribute -> case -> value
CASE_COLUMNS = ("case", "case_id", "id", "name", "file")
PATIENT_COLUMNS = ("patient", "patient_id", "subject")
AGES = ("age", "age_years")
SLICES = ("slice_thickness", "slice_thickness_mm", "slice_mm")
MOST_VALUES = 30  # of a column; more are no groups


@dataclass(frozen=True)
class Subjects:
    """Case to patient, and the groups."""

    patients: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def groups_of_scans(scans: Sequence[Scan], config: EvaluateConfig) -> Groups:
    """The groups of scans, from the catalog; attributes that nobody has are left out."""
    groups: Groups = {}
    for scan in scans:
        facts = scan.facts
        world = np.abs(np.asarray(scan.affine)[:3, :3])
        across = float(scan.spacing[int(np.argmax((world / world.sum(axis=0))[2]))])
        thickness = facts.get("slice_thickness_mm") or across
        told = {
            "sex": str(facts.get("sex") or ""),
            "age": band(facts.get("age"), config.age_edges, " years"),
            "scanner": str(facts.get("manufacturer") or ""),
            "phase": str(facts.get("phase") or ""),
            "source": scan.source,
            "slice thickness": band(thickness, config.slice_edges_mm, " mm"),
            "modality": scan.modality,
        }
        for name, value in told.items():
            if value:
                groups.setdefault(name, {})[scan.case_id] = value
    return groups


def band(value: object, edges: Sequence[float], unit: str) -> str:
    """``"40 to 60 years"``, the lower edge inside; empty if there is no number."""
    try:
        number = float(str(value))
    except ValueError:
        return ""
    if not np.isfinite(number):
        return ""
    at = int(np.searchsorted(edges, number, "right"))
    if at == 0:
        return f"below {edges[0]:g}{unit}"
    if at == len(edges):
        return f"{edges[-1]:g}{unit} and more"
    return f"{edges[at - 1]:g} to {edges[at]:g}{unit}"


def read_subjects(path: Path, config: EvaluateConfig) -> Subjects:
    """Patients and groups of a CSV: a column ``case``, perhaps ``patient``, the others are groups.

    ``age`` and ``slice_thickness`` are put in bands; empty cells are unknown.

    Raises:
        ConfigError: it cannot be read, has no column of cases, a case twice, or a column with so
            many values that they are no groups.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise ConfigError(f"{path.name}: want a CSV file with a column 'case'") from None
    columns = {(name or "").strip().lower(): name for name in (rows[0] if rows else {})}
    cases = next((columns[name] for name in CASE_COLUMNS if name in columns), None)
    if cases is None:
        raise ConfigError(f"{path.name}: want rows and a column 'case', found {sorted(columns)}")
    owner = next((columns[name] for name in PATIENT_COLUMNS if name in columns), None)
    patients: dict[str, str] = {}
    groups: Groups = {}
    for row in rows:
        case = _stem(row[cases] or "")
        if case in patients:
            raise ConfigError(f"{path.name}: case {case} is there twice")
        patients[case] = (row[owner] or "").strip() if owner else ""
        for name, column in columns.items():
            if column in (cases, owner) or not name:
                continue
            value = (row[column] or "").strip()
            if name in AGES:
                name, value = "age", band(value, config.age_edges, " years")
            elif name in SLICES:
                name, value = "slice thickness", band(value, config.slice_edges_mm, " mm")
            if value:
                groups.setdefault(name, {})[case] = value
    for name, table in groups.items():
        if len(set(table.values())) > MOST_VALUES:
            raise ConfigError(
                f"{path.name}: column {name!r} has {len(set(table.values()))} values: want groups"
            )
    return Subjects({case: patient or case for case, patient in patients.items()}, groups)


def _stem(name: str) -> str:
    return name.strip().removesuffix(".gz").removesuffix(".nii")
