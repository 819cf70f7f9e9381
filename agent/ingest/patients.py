"""Who is whom: the patient of each scan, from the header, the patients table or the file's name."""

import re
from collections.abc import Sequence
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
        date_told = row.get("date") or case.fields.get("date", "")
        day = case.day or (parse_date(date_told) if date_told else None)
        facts = {**case.facts, **from_row(row)}
        linked.append(
            replace(
                case,
                fields={**_exam(row), **case.fields},
                patient=_patient(case, told, key),
                is_patient_told=_is_told(case, told),
                day=day,
                facts=facts,
                known=_with(case.known, [told, *_exam(row).values()], day, source),
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
    need_columns(rows[0] if rows else (), ["case"], "patients")
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
    if _is_nobody(value):
        return keyed(f"patient:{case.source.name}:case:{case.case_id}", key)
    letters = re.sub(r"[^a-z0-9]", "", value.lower())
    is_global = bool(explicit) and case.source.ids == "hashed" and len(letters) >= GLOBAL_ID
    scope = "" if is_global else case.source.name
    return keyed(f"patient:{scope}:{value}", key)


def _is_told(case: Case, told: str) -> bool:
    value = told or case.fields.get("patient_id", "")
    is_named = case.source.patient not in ("{case}", "{patient_id}")
    return is_named or (bool(value) and not _is_nobody(value))


def _is_nobody(value: str) -> bool:
    letters = re.sub(r"[^a-z0-9]", "", value.lower())
    return letters in _NOBODY or not letters.strip("0x")


def patient_hashes(
    source: SourceConfig, patient_id: str, scan_sources: Sequence[str], key: bytes
) -> tuple[str, ...]:
    """The hashes that the scans of a report's patient may have, as `find_cases` makes them.

    Args:
        source: of the report.
        patient_id: as its row tells it.
        scan_sources: sources whose scans may be meant: a short id means somebody else in each.
        key: of the workspace.

    Returns:
        the hash of a patient without scans first; empty if the id means nobody.
    """
    value = storable(patient_id).strip()
    if _is_nobody(value):
        return ()
    letters = re.sub(r"[^a-z0-9]", "", value.lower())
    is_global = source.ids == "hashed" and len(letters) >= GLOBAL_ID
    scopes = ["" if is_global else source.name, "", *scan_sources]
    if len(letters) < GLOBAL_ID:
        scopes.remove("")
    return tuple(keyed(f"patient:{scope}:{value}", key) for scope in dict.fromkeys(scopes))


def _exam(row: Row) -> dict[str, str]:
    """What else of the table reports may find the scan by."""
    names = ("accession", "study_uid", "series_uid")
    return {name: row[name] for name in names if row.get(name)}


def _with(
    known: Identifiers, told: Sequence[str], day: date | None, source: SourceConfig
) -> Identifiers:
    more = told if source.ids == "hashed" else ()
    ids = tuple(dict.fromkeys((*known.ids, *(value for value in more if value))))
    dates = (*known.dates, day) if day and day not in known.dates else known.dates
    return known.model_copy(update={"ids": ids, "dates": dates})
