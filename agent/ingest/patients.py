"""Who is whom: the patient of each scan, from the header, the patients table or the file's name."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

from agent.ingest.facts import from_row
from agent.ingest.identities import storable
from agent.ingest.records import Case
from agent.ingest.tables import Row, need_columns, read_table
from voxcurate.errors import SourceError
from voxcurate.identifiers import Identifiers
from voxcurate.ids import keyed
from voxcurate.scrub import parse_date
from voxcurate.sources import Pattern, SourceConfig

GLOBAL_ID = 6  # letters and digits from which on a patient id means one person in all sources
_NOBODY = {"", "unknown", "none", "anonymous", "anonymized", "anon", "na", "nan", "0", "xxxx"}


def link_patients(source: SourceConfig, root: Path, cases: list[Case], key: bytes) -> list[Case]:
    """The cases with their patient's hash, the day, and what the patients table tells.

    Raises:
        SourceError: the table lacks a column, or `patient` names a field that the scans lack.
    """
    rows = _patient_rows(source, root)
    linked = []
    for case in cases:
        row = next((rows[v] for v in case.fields.values() if v in rows), {})
        told = row.get("patient", "")
        day = case.day or (parse_date(row["date"]) if row.get("date") else None)
        facts = {**case.facts, **from_row(row)}
        linked.append(
            replace(
                case,
                patient=_patient(case, told, key),
                day=day,
                facts=facts,
                known=_with(case.known, told if source.ids == "hashed" else "", day),
            )
        )
    return linked


def _patient_rows(source: SourceConfig, root: Path) -> dict[str, Row]:
    if not source.patients:
        return {}
    rows = [
        {k.lower(): v for k, v in row.items()}
        for row in read_table(root / source.patients, "patients")
    ]
    need_columns(list(rows), ["case"], "patients")
    return {row["case"]: row for row in rows}


def _patient(case: Case, told: str, key: bytes) -> str:
    """The patient's keyed hash.

    An explicit id (of a header or the table) of six or more letters and digits is taken to be one
    person in every hashed source; a short one ("pt_001") only within its source. Without an id
    the scan is its own patient.
    """
    explicit = told or case.fields.get("patient_id", "")
    if case.source.layout == "dicom" and case.source.patient in ("{case}", "{patient_id}"):
        value = explicit
    else:
        value = told or Pattern(case.source.patient).fill(case.fields).text
        if "{" in value:
            raise SourceError(
                f"source {case.source.name}: `patient` wants the field {case.source.patient}, "
                f"the scans have: {', '.join(case.fields) or 'none'}"
            )
    value = storable(value).strip()
    letters = re.sub(r"[^a-z0-9]", "", value.lower())
    if letters in _NOBODY or not letters.strip("0x"):
        return keyed(f"patient:{case.source.name}:case:{case.case_id}", key)
    is_global = bool(explicit) and case.source.ids == "hashed" and len(letters) >= GLOBAL_ID
    scope = "" if is_global else case.source.name
    return keyed(f"patient:{scope}:{value}", key)


def patient_hash(source: SourceConfig, patient_id: str, key: bytes) -> str:
    """The hash of a patient id that a report's row tells, as `find_cases` would make it."""
    letters = re.sub(r"[^a-z0-9]", "", patient_id.lower())
    if letters in _NOBODY:
        return ""
    is_global = source.ids == "hashed" and len(letters) >= GLOBAL_ID
    return keyed(f"patient:{'' if is_global else source.name}:{patient_id.strip()}", key)


def _with(known: Identifiers, patient: str, day: date | None) -> Identifiers:
    ids = (*known.ids, patient) if patient and patient not in known.ids else known.ids
    dates = (*known.dates, day) if day and day not in known.dates else known.dates
    return known.model_copy(update={"ids": ids, "dates": dates})
