"""What reports may find a scan by: its UIDs, accession number, names, patient and day."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from agent.ingest.identities import storable
from agent.ingest.records import Case
from agent.ingest.report_facts import study_pseudonym
from agent.ingest.report_keys import ScanKeys
from voxcurate.layouts import SUFFIXES
from voxcurate.sources import SourceConfig

_EMPTY = (".", "")


def scan_keys(cases: Sequence[Case]) -> Iterator[ScanKeys]:
    """The keys of each case that can be ingested.

    A report may name a case by its field ``{case}``, its case id, its file's path, name, or name
    without suffix; a file name that several cases share (``ct.nii.gz``) names none of them.
    """
    names = {case.case_id: _names(case) for case in cases}
    shared = Counter((c.source.name, name) for c in cases for name in names[c.case_id])
    for case in cases:
        if case.error:
            continue
        own = [name for name in names[case.case_id] if shared[(case.source.name, name)] == 1]
        own += [case.case_id, storable(case.fields.get("case", ""))]
        keys = [("case", name) for name in dict.fromkeys(own)]
        keys += [(k, case.fields.get(k, "")) for k in ("series_uid", "study_uid", "accession")]
        yield ScanKeys(
            case_id=case.case_id,
            source=case.source.name,
            patient=case.patient,
            is_told=case.is_patient_told,
            study=study_of(case),
            day=case.day.isoformat() if case.day else "",
            modality=case.modality,
            keys=tuple((kind, value) for kind, value in keys if value),
        )


def study_of(case: Case) -> str:
    """The study UID, else the accession number; empty if the scan has neither."""
    return case.fields.get("study_uid", "") or case.fields.get("accession", "")


def with_study(case: Case, key: bytes) -> Case:
    """The case with its study's pseudonym among its facts, if it has a study."""
    study = study_pseudonym(study_of(case), key)
    return replace(case, facts={**case.facts, "study": study}) if study else case


def names_like(name: str) -> list[str]:
    """The forms in which a report may name a file: as it is, its last part, without suffix."""
    path = name.replace("\\", "/").strip().removeprefix("./")
    last = PurePosixPath(path).name
    forms = [name.strip(), path, last]
    for form in list(forms):
        suffix = next((s for s in SUFFIXES if form.lower().endswith(s)), "")
        forms.append(form[: len(form) - len(suffix)])
    return [form for form in dict.fromkeys(forms) if form not in _EMPTY]


def scope_of(source: SourceConfig, wanted: Sequence[str], with_scans: Sequence[str]) -> list[str]:
    """The sources whose scans a source's reports may mean: as told, else its own, else all."""
    if wanted:
        return list(wanted)
    return [source.name] if source.name in with_scans else []


def _names(case: Case) -> list[str]:
    return names_like(storable(case.path))
