"""The private store of what links reports to scans: ``private/reports.sqlite``, its owner's only.

It holds the keys of every scan and report that was ever ingested here (accession numbers, UIDs,
days, pseudonyms of patients), no text. So reports that come later find scans of earlier ingests,
and the memory does not grow with their number.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, fields
from typing import Any

from agent.ingest.private import PrivateStore
from agent.ingest.report_keys import Outcome, PartRules, ReportKeys, ScanKeys
from voxcurate.workspace import Workspace

FILE_NAME = "reports.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS scan (
    case_id TEXT PRIMARY KEY, source TEXT, patient TEXT, is_told INTEGER, study TEXT, day TEXT,
    modality TEXT);
CREATE INDEX IF NOT EXISTS ix_scan_patient ON scan (patient);
CREATE TABLE IF NOT EXISTS scan_key (
    kind TEXT, value TEXT, case_id TEXT, PRIMARY KEY (kind, value, case_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ix_scan_key_case ON scan_key (case_id);
CREATE TABLE IF NOT EXISTS part (
    source TEXT, part INTEGER, rules TEXT, window INTEGER, scope TEXT,
    PRIMARY KEY (source, part));
CREATE TABLE IF NOT EXISTS report (
    report_id TEXT PRIMARY KEY, source TEXT, part INTEGER, row INTEGER, patients TEXT, day TEXT,
    clock TEXT, modality TEXT, series_uid TEXT, accession TEXT, study_uid TEXT, names TEXT,
    files TEXT, content TEXT, is_kept INTEGER DEFAULT 0);
CREATE INDEX IF NOT EXISTS ix_report_content ON report (content);
CREATE TABLE IF NOT EXISTS outcome (
    report_id TEXT PRIMARY KEY, link TEXT, case_id TEXT, cases TEXT, patient TEXT, study TEXT,
    reason TEXT, candidates TEXT, gap INTEGER, place INTEGER, same_as TEXT, copies INTEGER);
CREATE INDEX IF NOT EXISTS ix_outcome_same ON outcome (same_as);
CREATE TEMP TABLE here (name TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE TEMP TABLE mine (report_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE taken (case_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE copies (report_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE pending (patient TEXT, report_id TEXT, PRIMARY KEY (patient, report_id))
    WITHOUT ROWID;
"""


class ReportStore(PrivateStore):
    """The store of one workspace; a context manager."""

    def __init__(self, workspace: Workspace) -> None:
        tables = f"PRAGMA temp_store = FILE; {_TABLES}"
        title = "store of reports"
        super().__init__(workspace, FILE_NAME, tables, title=title, isolation_level=None)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within happens, or nothing."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def add_scans(self, scans: Iterable[ScanKeys]) -> None:
        """Add scans; a known one gets its new keys."""
        with self.transaction():
            for scan in scans:
                self.connection.execute("DELETE FROM scan_key WHERE case_id = ?", (scan.case_id,))
                self.connection.execute(
                    "REPLACE INTO scan VALUES (?, ?, ?, ?, ?, ?, ?)", astuple(scan)[:-1]
                )
                self.connection.executemany(
                    "INSERT OR IGNORE INTO scan_key VALUES (?, ?, ?)",
                    [(kind, value, scan.case_id) for kind, value in scan.keys],
                )

    def scan_sources(self) -> list[str]:
        """Sources that have scans here."""
        return [row[0] for row in self.connection.execute(
            "SELECT DISTINCT source FROM scan ORDER BY source")]  # fmt: skip

    def set_rules(self, rules: PartRules) -> None:
        """How the reports of one entry of a description are linked."""
        self.connection.execute("REPLACE INTO part VALUES (?, ?, ?, ?, ?)", _flat(rules))

    def start_numbering(self) -> None:
        """Count names from the beginning, before the reports are gone through (again)."""
        self.connection.execute("DELETE FROM temp.here")

    def number(self, name: str) -> int:
        """How often a name came since the numbering began, this time included."""
        row = self.connection.execute(
            "INSERT INTO temp.here VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n",
            (name,),
        ).fetchone()
        return int(row[0])

    def add_reports(self, reports: Iterable[ReportKeys]) -> None:
        """Add reports, which are from now on those of this call; known ones get their new keys."""
        names = [item.name for item in fields(ReportKeys)]
        marks = ", ".join("?" * len(names))
        rest = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
        insert = (
            f"INSERT INTO report ({', '.join(names)}) VALUES ({marks}) "
            f"ON CONFLICT (report_id) DO UPDATE SET {rest}"
        )
        for report in reports:
            self.connection.execute(insert, _flat(report))
            self.connection.execute(
                "INSERT OR IGNORE INTO temp.mine VALUES (?)", (report.report_id,)
            )

    def linked_cases(self) -> frozenset[str]:
        """Cases that reports of this call were linked to."""
        rows = self.connection.execute(
            "SELECT DISTINCT cases FROM outcome JOIN temp.mine USING (report_id) WHERE link != ''"
        )
        return frozenset(case for (cases,) in rows for case in json.loads(cases))

    def outcomes(self, report_ids: Sequence[str]) -> dict[str, Outcome]:
        """How these reports were linked."""
        marks = ", ".join("?" * len(report_ids))
        rows = self.connection.execute(
            f"SELECT * FROM outcome WHERE report_id IN ({marks})",
            tuple(report_ids),
        )
        return {row[0]: outcome_of(row) for row in rows}

    def keep(self, report_ids: Iterable[str]) -> None:
        """These are in the catalog: they stay there, whatever says the same later."""
        with self.transaction():
            self.connection.executemany(
                "UPDATE report SET is_kept = 1 WHERE report_id = ?", [(r,) for r in report_ids]
            )

    def counts(self) -> dict[str, int]:
        """How the reports of this call stand: linked by rule, unlinked by reason, copies."""
        rows = self.connection.execute(
            "SELECT CASE WHEN same_as != '' THEN 'duplicate' WHEN link != '' THEN 'link ' || link "
            "ELSE reason END, COUNT(*) FROM outcome JOIN temp.mine USING (report_id) "
            "GROUP BY 1 ORDER BY 1"
        )
        return {str(name): int(n) for name, n in rows}

    def unlinked(self) -> Iterator[tuple[Any, ...]]:
        """Every report without a scan: id, source, part, row, reason, candidates, days, same_as."""
        yield from self.connection.execute(
            "SELECT report_id, source, part, row, reason, candidates, gap, same_as "
            "FROM outcome JOIN report USING (report_id) WHERE link = '' OR same_as != '' "
            "ORDER BY source, part, row, report_id"
        )

    def others(self) -> Iterator[tuple[Outcome, str]]:
        """Reports of earlier calls that are in the catalog, with the day of report or scan."""
        rows = self.connection.execute(
            "SELECT outcome.*, CASE WHEN report.day != '' THEN report.day "
            "ELSE COALESCE(scan.day, '') END FROM outcome JOIN report USING (report_id) "
            "LEFT JOIN scan ON scan.case_id = outcome.case_id WHERE report.is_kept AND "
            "outcome.same_as = '' AND outcome.report_id NOT IN (SELECT report_id FROM temp.mine)"
        )
        for row in rows:
            yield outcome_of(row[:-1]), str(row[-1])

    def first_days(self) -> Iterator[tuple[str, str]]:
        """(patient, earliest day) of the reports in the catalog or on their way there."""
        yield from self.connection.execute(
            "SELECT outcome.patient, MIN(CASE WHEN report.day != '' THEN report.day "
            "ELSE COALESCE(scan.day, '') END) AS first FROM outcome JOIN report USING (report_id) "
            "LEFT JOIN scan ON scan.case_id = outcome.case_id "
            "WHERE outcome.patient != '' AND outcome.same_as = '' "
            "AND (report.day != '' OR COALESCE(scan.day, '') != '') GROUP BY outcome.patient"
        )


def outcome_of(row: Sequence[Any]) -> Outcome:
    """A row of the table as a record."""
    values = dict(zip((item.name for item in fields(Outcome)), row, strict=True))
    for name in ("cases", "candidates"):
        values[name] = tuple(json.loads(values[name]))
    return Outcome(**values)


def outcome_row(outcome: Outcome) -> tuple[Any, ...]:
    """A record as the table takes it."""
    return _flat(outcome)


def _flat(record: Any) -> tuple[Any, ...]:
    return tuple(
        json.dumps(v) if isinstance(v := getattr(record, item.name), tuple) else v
        for item in fields(record)
    )
