"""Reports: read, linked to scans by their identifiers, scrubbed, and only then in the catalog."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from agent.ingest.cases import told_by_name
from agent.ingest.patients import patient_hash
from agent.ingest.records import Case
from agent.ingest.tables import Row, need_columns, read_table
from voxcurate.errors import SourceError
from voxcurate.identifiers import Hit, Identifiers, find_known
from voxcurate.ids import keyed
from voxcurate.scrub import Scrubber, ScrubConfig, merge_hits, parse_date
from voxcurate.sources import Pattern, ReportSource, SourceConfig

_STRONG = ("series_uid", "study_uid", "accession", "case", "patient_id")
# Columns that hold identifiers whatever else the description says, by their letters alone.
_COLUMNS = {
    "names": "patientname name lastname firstname surname givenname familyname",
    "physicians": "physician referringphysician radiologist referrer dictatedby signedby author",
    "ids": "mrn patientid patientmrn studyid medicalrecordnumber",
    "accessions": "accession accessionnumber",
    "dates": "dob birthdate dateofbirth patientbirthdate studydate examdate reportdate date",
    "institutions": "institution hospital institutionname site",
    "others": "address phone telephone email",
}


@dataclass(frozen=True)
class RawReport:
    """A report before scrubbing: it never leaves the driver but to the worker that scrubs it.

    Attributes:
        link: how it found its scan: ``file``, or the keys that agreed; empty if it found none.
    """

    report_id: str
    source: str
    text: str
    known: Identifiers
    case_id: str = ""
    patient: str = ""
    link: str = ""
    day: date | None = None


def read_reports(
    source: SourceConfig, root: Path, files: Sequence[str], cases: Sequence[Case], key: bytes
) -> list[RawReport]:
    """All reports of a source, linked to its cases, in the order of their ids.

    A report that agrees with several scans (one study, three series) is there once for each.

    Raises:
        SourceError: a table is missing or lacks a column.
    """
    found: list[RawReport] = []
    for part in source.reports:
        if part.is_table:
            found += _table_reports(source, part, root, cases, key)
        else:
            found += _file_reports(source, part, root, files, cases, key)
    return sorted((r for r in found if r.text.strip()), key=lambda r: r.report_id)


def _file_reports(
    source: SourceConfig,
    part: ReportSource,
    root: Path,
    files: Sequence[str],
    cases: Sequence[Case],
    key: bytes,
) -> Iterator[RawReport]:
    linked: set[str] = set()
    for case in cases:
        for path, _ in Pattern(part.path).fill(case.fields).select(files):
            linked.add(path)
            report = _report(source, f"{path}:{case.case_id}", _text(root / path), key)
            yield _of_case(report, case, "file")
    for path, fields in Pattern(part.path).select(files):
        if path not in linked:
            report = _report(source, path, _text(root / path), key)
            yield replace(report, known=told_by_name(source, fields))


def _table_reports(
    source: SourceConfig, part: ReportSource, root: Path, cases: Sequence[Case], key: bytes
) -> Iterator[RawReport]:
    rows = read_table(root / part.path, "reports")
    if not set(part.keys) - {"date"}:
        raise SourceError(
            f"source {source.name}: the reports table needs `keys:` that link its rows to scans, "
            f"one of: {', '.join(_STRONG)}"
        )
    told = [c for v in part.known.values() for c in ([v] if isinstance(v, str) else v)]
    need_columns(rows, [part.text, *part.keys.values(), *told], "reports")
    index = _index(cases)
    seen: Counter[str] = Counter()
    for row in rows:
        values = {k: row[column] for k, column in part.keys.items() if row[column]}
        name = "|".join(f"{k}={values[k]}" for k in sorted(values))
        seen[name] += 1
        matches = _matching(values, index, cases)
        known = _known(row, part)
        for number, case in enumerate(matches or [None]):
            report = _report(source, f"{name}#{seen[name]}#{number}", row[part.text], key)
            report = replace(report, known=known, day=parse_date(values.get("date", "")))
            if case is not None:
                yield _of_case(report, case, "+".join(k for k in (*_STRONG, "date") if k in values))
            else:
                patient = patient_hash(source, values.get("patient_id", ""), key)
                yield replace(report, patient=patient)


def _report(source: SourceConfig, name: str, text: str, key: bytes) -> RawReport:
    report_id = f"{source.name}_r{keyed(f'report:{source.name}:{name}', key, 12)}"
    return RawReport(report_id, source.name, text, Identifiers())


def _of_case(report: RawReport, case: Case, link: str) -> RawReport:
    return replace(
        report,
        case_id=case.case_id,
        patient=case.patient,
        link=link,
        known=joined(case.known, report.known),
        day=report.day or case.day,
    )


def joined(one: Identifiers, other: Identifiers) -> Identifiers:
    """What either knows."""
    return Identifiers(
        **{
            name: tuple(dict.fromkeys((*getattr(one, name), *getattr(other, name))))
            for name in Identifiers.model_fields
        }
    )


Index = Mapping[str, Mapping[str, set[int]]]


def _index(cases: Sequence[Case]) -> Index:
    index: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for number, case in enumerate(cases):
        for name, value in case.fields.items():
            if value:
                index[name][value].add(number)
        if case.day:
            index["date"][case.day.isoformat()].add(number)
    return index


def _matching(values: Mapping[str, str], index: Index, cases: Sequence[Case]) -> list[Case]:
    """Cases that agree with every key of a row; a date alone links nothing."""
    if not set(values) - {"date"}:
        return []
    found: set[int] | None = None
    for name, value in values.items():
        day = parse_date(value) if name == "date" else None
        own = index.get(name, {}).get(day.isoformat() if day else value, set())
        found = set(own) if found is None else found & own
    return [cases[number] for number in sorted(found or ())]


def _known(row: Row, part: ReportSource) -> Identifiers:
    found: dict[str, list[str]] = defaultdict(list)
    for told_kind, columns in part.known.items():
        found[told_kind] += [row[c] for c in ([columns] if isinstance(columns, str) else columns)]
    for column, value in row.items():
        letters = "".join(char for char in column.lower() if char.isalpha())
        for kind, names in _COLUMNS.items():
            if letters in names.split() and column != part.text:
                found[kind].append(value)
    dates = [parse_date(value) for value in found.pop("dates", []) if value]
    told = {kind: tuple(dict.fromkeys(v for v in found[kind] if v)) for kind in found}
    return Identifiers(**told, dates=tuple(dict.fromkeys(day for day in dates if day)))


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError:
        raise SourceError("a report's file cannot be read") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def scrub_reports(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The worker: texts in, scrubbed texts with the number of replacements by kind out.

    What is known is looked for once more inside words (``DOE_CT1``), where prose would not have it.

    Args:
        payload: ``config`` (a `ScrubConfig`), ``key`` (hex; only to shift dates), ``reports``.
    """
    scrubber = Scrubber(
        ScrubConfig.model_validate(payload["config"]), key=bytes.fromhex(payload["key"])
    )
    done = []
    for report in payload["reports"]:
        known = Identifiers.model_validate(report["known"])
        first = scrubber.scrub(report["text"], known, patient=report["patient"])
        text, again = _scrub_embedded(first.text, known)
        kinds = Counter(hit.kind for hit in (*first.replacements, *again))
        done.append({"text": text, "replaced": dict(sorted(kinds.items()))})
    return done


def _scrub_embedded(text: str, known: Identifiers) -> tuple[str, list[Hit]]:
    hits = [hit for hit in merge_hits(find_known(text, known, embedded=True)) if hit.sure]
    for hit in reversed(hits):
        text = f"{text[: hit.start]}[{hit.kind}]{text[hit.end :]}"
    return text, hits
