"""What links scans and reports, and how it ended: the records of the private store."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ScanKeys:
    """What reports may find a scan by. `study` is its study UID, else its accession number.

    Attributes:
        is_told: the patient's id was told, not made up from the scan's name.
        keys: (kind, value): ``series_uid``, ``study_uid``, ``accession``, ``case``.
    """

    case_id: str
    source: str
    patient: str
    is_told: bool
    study: str
    day: str
    modality: str
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ReportKeys:
    """What a report's row tells about the scan it belongs to.

    Attributes:
        part: number of the description's entry under `reports`; `row` within it.
        patients: pseudonyms that its patient may have, the likeliest first.
        names: that the case or its file may have.
        files: cases that the description's pattern names for this file.
        content: keyed hash of text and keys; empty if nothing tells whose it is.
    """

    report_id: str
    source: str
    part: int
    row: int
    patients: tuple[str, ...] = ()
    day: str = ""
    clock: str = ""
    modality: str = ""
    series_uid: str = ""
    accession: str = ""
    study_uid: str = ""
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    content: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a report was linked, or why it was not.

    Attributes:
        link: the rule that found its scan; empty if none did.
        case_id: the first of `cases`, which all show the exam that the report is about.
        patient: the pseudonym that it has in the catalog.
        study: study UID or accession number of the exam.
        reason: of an unlinked one: ``no_key``, ``no_scan``, ``no_date``, ``no_scan_near``,
            ``contradiction``, ``ambiguous_scans``, ``ambiguous_reports``, ``nearer_report``,
            ``scan_has_report``.
        candidates: the cases it might belong to.
        gap: days to the nearest scan of the patient, where dates decided.
        place: order among the reports of one exam, from 1.
        same_as: the report that says the same of the same exam; then this one is not kept.
        copies: how many others are not kept for its sake.
    """

    report_id: str
    link: str = ""
    case_id: str = ""
    cases: tuple[str, ...] = ()
    patient: str = ""
    study: str = ""
    reason: str = ""
    candidates: tuple[str, ...] = ()
    gap: int | None = None
    place: int = 1
    same_as: str = ""
    copies: int = 0


@dataclass(frozen=True)
class PartRules:
    """How one entry of a description wants its reports linked."""

    source: str
    part: int
    rules: tuple[str, ...]
    window: int
    scope: tuple[str, ...]
