"""What of the catalog the index does not have yet: by a hash of every scan's and report's state."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from retrieval.search.rows import ReportRows, Row, state_of
from voxcurate.catalog import Catalog, FindingRow, Report, Scan
from voxcurate.catalog.schema import TABLES

_SCAN = ("case_id", "source", "patient", "split", "modality", "spacing", "facts", "status")
_REPORT = ("report_id", "case_id", "patient", "source", "text", "facts")
_ANSWER = ("question", "value", "number", "choice", "side", "change", "items", "supported")
_AT_ONCE = 1000  # rows fetched from the database at a time


@dataclass(frozen=True)
class Changes:
    """States of what is new or different, and names of what is gone."""

    scans: Mapping[str, int]
    reports: Mapping[str, int]
    gone_scans: frozenset[str]
    gone_reports: frozenset[str]

    @property
    def n(self) -> int:
        """How many scans and reports they are."""
        return sum(map(len, (self.scans, self.reports, self.gone_scans, self.gone_reports)))


def stamp(catalog: Catalog) -> str:
    """A mark of the catalog that changes with every write to it; "" where none can be had.

    Cheap: of SQLite the files' sizes and times, of PostgreSQL the position in its log. It may
    change without a write (a checkpoint), never the other way round.
    """
    if catalog.engine.dialect.name == "sqlite":
        path = Path(catalog.engine.url.database or "")
        marks = [_file_mark(path), _file_mark(path.with_name(f"{path.name}-wal"))]
        return " ".join(marks) if marks[0] else ""
    try:
        with catalog.engine.connect() as connection:
            return str(
                connection.execute(sa.text("SELECT pg_current_wal_insert_lsn()")).scalar_one()
            )
    except sa.exc.SQLAlchemyError:
        return ""


def changes(catalog: Catalog, scans: Mapping[str, int], reports: Mapping[str, int]) -> Changes:
    """What differs from the states that the index has.

    Reads every row once, in one snapshot, and keeps 64 bits of each.
    """
    with catalog.engine.connect() as connection:
        found_scans: dict[str, int] = {}
        facts: dict[str, int] = {}
        for row in _stream(connection, Scan, _SCAN):
            found_scans[row["case_id"]] = state_of(row)
            facts[row["case_id"]] = state_of(row["patient"], row["facts"], row["spacing"])
        answers = _answer_states(connection)
        found_reports = {
            row["report_id"]: state_of(
                row, facts.get(row["case_id"]), answers.get(row["report_id"])
            )
            for row in _stream(connection, Report, _REPORT)
        }
    return Changes(
        _differing(found_scans, scans),
        _differing(found_reports, reports),
        frozenset(scans.keys() - found_scans.keys()),
        frozenset(reports.keys() - found_reports.keys()),
    )


def scan_rows(catalog: Catalog, names: Sequence[str]) -> list[Row]:
    """Rows of some scans."""
    found = catalog.columns(Scan, *_SCAN, case_id=list(names))
    return [dict(zip(_SCAN, row, strict=True)) for row in found]


def report_rows(catalog: Catalog, states: Mapping[str, int]) -> list[ReportRows]:
    """Some reports with their scans and findings, in the order of `states`."""
    found = catalog.columns(Report, *_REPORT, report_id=list(states))
    reports = {row[0]: dict(zip(_REPORT, row, strict=True)) for row in found}
    cases = {row["case_id"] for row in reports.values() if row["case_id"]}
    scans = {row["case_id"]: row for row in scan_rows(catalog, sorted(cases))}
    answers: dict[str, list[Row]] = {}
    for key, *rest in catalog.columns(FindingRow, "report_id", *_ANSWER, report_id=list(states)):
        answers.setdefault(key, []).append(dict(zip(_ANSWER, rest, strict=True)))
    return [
        ReportRows(reports[key], scans.get(reports[key]["case_id"]), answers.get(key, ()), state)
        for key, state in states.items()
        if key in reports
    ]


def _stream(connection: sa.Connection, kind: type[Any], names: Sequence[str]) -> Iterator[Row]:
    table = TABLES[kind]
    query = sa.select(*(table.c[name] for name in names)).execution_options(yield_per=_AT_ONCE)
    for row in connection.execute(query):
        yield dict(zip(names, row, strict=True))


def _answer_states(connection: sa.Connection) -> dict[str, int]:
    """A hash of each report's findings; the database joins them, so that few rows travel."""
    table = TABLES[FindingRow]
    line: sa.ColumnElement[str] = sa.literal("")
    for name in _ANSWER:
        line = line + "|" + sa.func.coalesce(sa.cast(table.c[name], sa.Text), "")
    joined = sa.func.aggregate_strings(line, "\n")
    query = sa.select(table.c.report_id, joined).group_by(table.c.report_id)
    found = connection.execute(query.execution_options(yield_per=_AT_ONCE))
    return {key: state_of(sorted(lines.split("\n"))) for key, lines in found}


def _differing(found: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    return {name: state for name, state in sorted(found.items()) if known.get(name) != state}


def _file_mark(path: Path) -> str:
    """Size and time of a file; of none, or of an empty log, nothing."""
    try:
        told = os.stat(path)  # noqa: PTH116 - one call, no resolving
    except OSError:
        return ""
    return f"{told.st_size}:{told.st_mtime_ns}" if told.st_size else ""
