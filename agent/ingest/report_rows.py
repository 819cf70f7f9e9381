"""The reports of a source, one by one: rows of tables, text files, DICOM structured reports.

What comes from here identifies people. It goes to the private store, and to the worker that
scrubs it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from agent.ingest.cases import told_by_name
from agent.ingest.facts import age, modality, phase, sex
from agent.ingest.identities import storable
from agent.ingest.records import Case
from agent.ingest.report_columns import Told, guess_columns
from agent.ingest.report_dates import Day, read_clock, read_day
from agent.ingest.report_text import is_no_value, joined_text, read_text
from agent.ingest.structured import is_dicom, read_structured
from agent.ingest.tables import NoRowsError, Row, columns_of, iter_table, need_columns
from voxcurate.errors import SourceError
from voxcurate.identifiers import Identifiers
from voxcurate.layouts import is_volume
from voxcurate.sources import TABLES, Pattern, ReportSource, SourceConfig

_ARTEFACT = re.compile(r"(\d+)\.0")  # what a table of floats makes of a number
_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class RawReport:
    """A report before scrubbing: it never leaves the driver but to the worker that scrubs it.

    Attributes:
        part: number of the entry under `reports`, from 1; `row` within it.
        name: what its id is made from; the same name again is another version.
        keys: what identifies its scan; `files` are cases that the pattern names for it.
        exam: the exam's description in words, not yet scrubbed.
        problem: with its date: ``unreadable`` or ``ambiguous``.
    """

    source: str
    part: int
    row: int
    name: str
    text: str
    known: Identifiers
    keys: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    day: date | None = None
    clock: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    exam: str = ""
    problem: str = ""


@dataclass(frozen=True)
class BadRow:
    """A row or file without a report: its role and number, and why; nothing of its content."""

    role: str
    row: int
    why: str


EMPTY = "no text"  # why a row has no report though nothing is wrong with it


def read_reports(
    source: SourceConfig, root: Path, files: Sequence[str], cases: Sequence[Case]
) -> Iterator[RawReport | BadRow]:
    """All reports of a source, in the order of its description and files.

    Args:
        source: the description.
        root: the source's folder.
        files: its files, relative, sorted.
        cases: of the source; a file whose pattern a case's fields fill belongs to that case.

    Raises:
        SourceError: a table is missing, cannot be read at all, or lacks a column.
    """
    for number, part in enumerate(source.reports, start=1):
        one = _Part(source, number, part)
        if part.is_table:
            yield from one.tables(root, files)
        else:
            yield from one.texts(root, files, cases)


class _Part:
    def __init__(self, source: SourceConfig, number: int, part: ReportSource) -> None:
        self._source, self._number, self._part = source, number, part
        self._role = "reports" if len(source.reports) == 1 else f"reports {number}"

    def tables(self, root: Path, files: Sequence[str]) -> Iterator[RawReport | BadRow]:
        path = self._part.path
        found = [f for f in files if fnmatchcase(f, path)] if "*" in path else [path]
        if not found:
            raise SourceError(f"source {self._source.name}: no table fits the pattern of reports")
        if not (root / found[0]).is_file():
            name = self._source.name
            raise SourceError(
                f"the {self._role} table of source {name} is not where its description says; was "
                f"it renamed? See `path:` under `reports:` in its dataset.yaml or the "
                f"workspace's sources/{name}.yaml"
            )
        for number, file in enumerate(found, start=1):
            role = self._role if len(found) == 1 else f"{self._role} table {number}"
            yield from self._table(root / file, role)

    def _table(self, path: Path, role: str) -> Iterator[RawReport | BadRow]:
        part = self._part
        dialect = {"delimiter": part.delimiter, "encoding": part.encoding}
        try:
            columns = columns_of(path, "reports", **dialect)
        except NoRowsError as error:
            yield BadRow(role, 1, str(error))
            return
        self._check(columns)
        told = Told(part, columns)
        for row_number, row in iter_table(path, "reports", **dialect):
            if isinstance(row, str):
                yield BadRow(role, row_number, row)
            else:
                yield self._row(row_number, row, told, role)

    def _check(self, columns: Sequence[str]) -> None:
        part = self._part
        told = [c for v in part.known.values() for c in ([v] if isinstance(v, str) else v)]
        wanted = [*part.texts, *part.keys.values(), *part.facts.values(), *told]
        try:
            need_columns(columns, list(dict.fromkeys(wanted)), "reports")
        except SourceError as error:
            if "there are" not in str(error):
                raise
            guess = guess_columns(part.path, columns).data
            shown = {name: guess[name] for name in ("text", "keys", "facts") if name in guess}
            raise SourceError(f"{error}; by their names: {shown}") from None

    def _row(self, number: int, row: Row, told: Told, role: str) -> RawReport | BadRow:
        part = self._part
        text = joined_text(row, part.texts)
        if not text:
            return BadRow(role, number, EMPTY)
        told.notice(row)
        days = {column: self._day(row.get(column, "")) for column in told.date_columns}
        keys: dict[str, str] = {
            key: value
            for key, column in part.keys.items()
            if (value := _cell(row.get(column, ""), is_id=key not in ("date", "time")))
        }
        day = days.get(part.keys.get("date", ""), Day())
        known = told(row, [one for d in days.values() for one in d.readings])
        known = merged(known, _known_keys(keys, day))
        born = days.get(part.facts.get("birth_date", ""), Day()).day
        facts: dict[str, str] = {name: row.get(column, "") for name, column in part.facts.items()}
        return self._report(number, text, keys, known, day, facts, born)

    def _day(self, cell: str) -> Day:
        formats = self._part.date_formats
        found = read_day(cell, formats, self._part.day_first)
        if formats and found.problem:  # it is no report's date, but the scrubber wants it
            other = read_day(cell, (), self._part.day_first)
            return Day(None, other.readings, found.problem)
        return found

    def _report(
        self,
        number: int,
        text: str,
        keys: Mapping[str, str],
        known: Identifiers,
        day: Day,
        told: Mapping[str, str],
        born: date | None = None,
        files: tuple[str, ...] = (),
        name: str = "",
    ) -> RawReport:
        exam = told.get("exam", "")
        facts: dict[str, object] = {
            "age": _age(told.get("age", ""), born, day.day),
            "sex": sex(told.get("sex", "")),
            "modality": modality(told.get("modality", "")) or modality(exam),
            "phase": phase(exam),
        }
        clock = read_clock(keys.get("time", "")) or read_clock(keys.get("date", ""))
        return RawReport(
            self._source.name,
            self._number,
            number,
            name or _name(keys, text),
            text,
            known,
            keys=keys,
            files=files,
            day=day.day,
            clock=clock,
            facts={n: v for n, v in facts.items() if v not in ("", None)},
            exam=exam,
            problem=day.problem,
        )

    def texts(
        self, root: Path, files: Sequence[str], cases: Sequence[Case]
    ) -> Iterator[RawReport | BadRow]:
        pattern = Pattern(self._part.path)
        linked: dict[str, list[str]] = {}
        for case in cases:
            if set(pattern.fields) & set(case.fields):
                for path, _ in pattern.fill(case.fields).select(files):
                    linked.setdefault(path, []).append(case.case_id)
        for number, (path, fields) in enumerate(pattern.select(files), start=1):
            try:
                if not self._is_meant(root, path):
                    continue
                report = self._file(number, root, path, fields, tuple(linked.get(path, ())))
            except SourceError as error:
                yield BadRow(f"{self._role} file", number, str(error))
                continue
            if report is not None:
                yield report

    def _is_meant(self, root: Path, path: str) -> bool:
        """Whether a file that fits the pattern may be a report: of ``**`` only text and DICOM."""
        if is_volume(path) or path.lower().endswith((*TABLES, ".yaml")):
            return False
        told = PurePosixPath(self._part.path).suffix
        return bool(told) or path.lower().endswith(".txt") or is_dicom(root / path)

    def _file(
        self,
        number: int,
        root: Path,
        path: str,
        fields: Mapping[str, str],
        cases: tuple[str, ...],
    ) -> RawReport | BadRow | None:
        """One file's report; None for a DICOM file that is none."""
        told = told_by_name(self._source, fields)
        if is_dicom(root / path):
            found = read_structured(root / path)
            if found is None:
                return None
            keys = {**found.keys, **_own_keys(fields)}
            text, known, facts = found.text, merged(told, found.known), found.facts
        else:
            keys, text, known, facts = _own_keys(fields), read_text(root / path), told, {}
        if not text.strip():
            return BadRow(f"{self._role} file", number, EMPTY)
        day = self._day(keys.get("date", ""))
        known = merged(known, _known_keys(keys, day) if self._source.ids == "hashed" else known)
        name = storable(path)
        return self._report(number, text, keys, known, day, facts, None, cases, name)


def merged(one: Identifiers, other: Identifiers) -> Identifiers:
    """What either knows."""
    return Identifiers(
        **{
            name: tuple(dict.fromkeys((*getattr(one, name), *getattr(other, name))))
            for name in Identifiers.model_fields
        }
    )


def _cell(cell: str, *, is_id: bool) -> str:
    value = cell.strip()
    number = _ARTEFACT.fullmatch(value) if is_id else None
    value = number.group(1) if number else value
    return "" if is_no_value(value) else value


def _own_keys(fields: Mapping[str, str]) -> dict[str, str]:
    wanted = {"report_id", "case", "series_uid", "study_uid", "accession", "patient_id", "date"}
    return {name: storable(value) for name, value in fields.items() if name in wanted}


def _known_keys(keys: Mapping[str, str], day: Day) -> Identifiers:
    """The identifiers among the keys, as they link: ``12345`` where the table has ``12345.0``."""
    ids = [keys.get(name, "") for name in ("report_id", "patient_id", "study_uid")]
    ids += keys.get("series_uid", "").split("\\")
    return Identifiers(
        ids=tuple(dict.fromkeys(value for value in ids if value)),
        accessions=tuple(filter(None, [keys.get("accession", "")])),
        dates=day.readings,
    )


def _name(keys: Mapping[str, str], text: str) -> str:
    """What tells a row from others: its id, else all its keys, else nothing but its text."""
    if "report_id" in keys:
        return f"id={keys['report_id']}"
    return "|".join(f"{k}={keys[k]}" for k in sorted(keys)) or f"text={text}"


def _age(told: str, born: date | None, day: date | None) -> int | None:
    years = age(told)
    if years is None and born and day and born <= day:
        return age(str(int((day - born).days / _DAYS_A_YEAR)))
    return years
